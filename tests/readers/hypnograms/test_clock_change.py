"""The nights in which the clock changes: hypnograms by the clock on the wall, recordings that know of no change."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from edf_files import Edf, Sig

from eegflex.epochs import make_epochs
from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers import get_notes, read_hypnogram, read_psg

#: night -> when it began, when the clock changed, and by how much, in h
NIGHTS = {
    "spring": (dt.datetime(2020, 3, 28, 23), dt.datetime(2020, 3, 29, 2), 1),
    "autumn": (dt.datetime(2020, 10, 24, 23), dt.datetime(2020, 10, 25, 3), -1),
    "spring in London": (dt.datetime(2021, 3, 27, 22, 17, 13), dt.datetime(2021, 3, 28, 1), 1),
    "autumn in Chicago": (dt.datetime(2021, 11, 6, 21, 40, 7), dt.datetime(2021, 11, 7, 2), -1),
}
FORMS = {"clock": "%H:%M:%S", "ISO": "%Y-%m-%d %H:%M:%S", "dots": "%d.%m.%Y %H:%M:%S", "12 h": "%I:%M:%S %p"}
EPOCHS = 960


def stages():
    rng, found = np.random.default_rng(1), []
    while len(found) < EPOCHS:
        found += [str(rng.choice(["W", "N1", "N2", "N3", "REM"]))] * int(rng.integers(4, 30))
    return found[:EPOCHS]


def wall(night, n, seconds=30):
    """What the clock on the wall says at an epoch."""
    begin, change, hours = NIGHTS[night]
    time = begin + dt.timedelta(seconds=seconds * n)
    return time + dt.timedelta(hours=hours) if time >= change else time


def recording(tmp_path, night, seconds=30 * EPOCHS):
    begin = NIGHTS[night][0]
    path = tmp_path / "night.edf"
    edf = Edf([Sig(n=60)], seconds // 30, "30", date=begin.strftime("%d.%m.%y"), time=begin.strftime("%H.%M.%S"))
    path.write_bytes(edf.to_bytes())
    return path


def table(tmp_path, rows, head="start,duration,stage"):
    path = tmp_path / "stages.csv"
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]))
    return path


def staged(raw):
    return make_epochs(raw, verbose="ERROR").metadata["stage"].tolist()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("night", NIGHTS)
@pytest.mark.parametrize("extra", [0, 2])
def test_every_epoch_has_its_own_stage(tmp_path, night, form, extra):
    rows = [(wall(night, n).strftime(FORMS[form]), 30, stage) for n, stage in enumerate(stages())]
    path = recording(tmp_path, night, 30 * EPOCHS + 3600 * extra)
    raw = read_psg(path, hypnogram=table(tmp_path, rows), verbose="ERROR")
    assert staged(raw)[:EPOCHS] == stages()
    words = "on by an hour" if NIGHTS[night][2] > 0 else "back by an hour"
    assert sum(words in warning for warning in get_notes(raw.info).warnings) == 1


def noxturnal(rows):
    shown = [(a.strftime(FORMS["dots"]), b.strftime(FORMS["dots"]), stage, 30) for a, b, stage in rows]
    return "\n".join(["Start,End,Event,Duration,", "[],[],[],[s],", *(",".join(map(str, row)) + "," for row in shown)])


def remlogic(rows):
    head = "Sleep Stage\tTime [hh:mm:ss]\tEvent\tDuration[s]"
    names = {"W": "SLEEP-S0", "N1": "SLEEP-S1", "N2": "SLEEP-S2", "N3": "SLEEP-S3", "REM": "SLEEP-REM"}
    return "\n".join([head, *(f"W\t{a:%H:%M:%S}\t{names[stage]}\t30" for a, _, stage in rows)])


def domino(rows):
    head = ["Signal ID: SchlafProfil\\profil", f"Start Time: {rows[0][0]:%d.%m.%Y %H:%M:%S}", "Unit: ", "Rate: 30 s"]
    return "\n".join([*head, "", *(f"{a:%H:%M:%S},000; {stage}" for a, _, stage in rows)])


def alice(rows):
    head = "Epoch Number,Start Time,Sleep Stage"
    return "\n".join([head, *(f"{n},{a:%I:%M:%S %p},{stage}" for n, (a, _, stage) in enumerate(rows, 1))])


def luna(rows):
    return "\n".join(["class\tinstance\tchannel\tstart\tstop\tmeta", *(
        f"{stage}\t.\t.\t{a:%H:%M:%S}\t{b:%H:%M:%S}\t." for a, b, stage in rows
    )])  # fmt: skip


def ends(rows):
    return "\n".join(["start,end,stage", *(f"{a:%H:%M:%S},{b:%H:%M:%S},{stage}" for a, b, stage in rows)])


def bare(rows):
    return "\n".join(f"{a:%H:%M:%S}\t{stage}" for a, _, stage in rows)


@pytest.mark.parametrize("night", ["spring", "autumn"])
@pytest.mark.parametrize("write", [noxturnal, remlogic, domino, alice, luna, ends, bare])
def test_of_every_format_that_goes_by_the_clock(tmp_path, night, write):
    """Where a row says when it ends, one of them lasts an hour too long, or less than nothing."""
    path = tmp_path / "stages.txt"
    path.write_text(write([(wall(night, n), wall(night, n + 1), stage) for n, stage in enumerate(stages())]))
    raw = read_psg(recording(tmp_path, night), hypnogram=path, verbose="ERROR")
    assert staged(raw) == stages()


def test_other_events_between_the_stages_go_with_them(tmp_path):
    rows = [(wall("autumn", n).strftime(FORMS["dots"]), 30, stage) for n, stage in enumerate(stages())]
    rows[481:481] = [(wall("autumn", 480.2).strftime(FORMS["dots"]), 3, "Arousal")]
    rows[200:200] = [(wall("autumn", 199.7).strftime(FORMS["dots"]), 5, "Snore")]
    path = table(tmp_path, rows, "start,duration,event")
    assert staged(read_psg(recording(tmp_path, "autumn"), hypnogram=path, verbose="ERROR")) == stages()


def test_an_hour_that_is_missing_is_a_gap_where_no_clock_changes(tmp_path):
    """From 4:30 on, or at 2 o'clock on a Tuesday: said, and a gap; dst=True makes it a change."""
    for begin, first in ((dt.datetime(2020, 3, 28, 23), 660), (dt.datetime(2020, 3, 30, 23), 360)):
        moments = [begin + dt.timedelta(seconds=30 * n + 3600 * (n >= first)) for n in range(800)]
        path = table(tmp_path, [(f"{moment:%Y-%m-%d %H:%M:%S}", 30, "N2") for moment in moments])
        found = read_hypnogram(path, verbose="ERROR")
        assert found.onset[-1] == 30 * 799 + 3600
        assert read_hypnogram(path, dst=True, verbose="ERROR").onset[-1] == 30 * 799


def test_the_user_has_the_last_word(tmp_path):
    rows = [(f"{wall('spring', n):%H:%M:%S}", 30, stage) for n, stage in enumerate(stages())]
    path = table(tmp_path, rows)
    assert read_hypnogram(path, dst=False, verbose="ERROR").onset[-1] == 30 * 959 + 3600
    assert read_hypnogram(path, verbose="ERROR").onset[-1] == 30 * 959
    even = table(tmp_path, rows[:300])
    with pytest.raises(HypnogramError, match="the change of the clock cannot be found"):
        read_hypnogram(even, dst=True)
    with pytest.raises(ParameterError, match="dst must be True, False or None"):
        read_hypnogram(even, dst="maybe")


def test_a_clock_that_goes_back_by_less_than_an_hour_is_asked_about(tmp_path):
    """Ten minutes are missing where the clock changes: whether that is so, no file says."""
    rows = [(f"{wall('autumn', n):%H:%M:%S}", 30, stage) for n, stage in enumerate(stages()) if not 480 <= n < 500]
    path = table(tmp_path, rows)
    with pytest.raises(HypnogramError, match=r"goes back once, and not by an hour.*3000 s at 03:00:00.*dst=True"):
        read_hypnogram(path)
    raw = read_psg(recording(tmp_path, "autumn"), hypnogram=path, dst=True, verbose="ERROR")
    assert staged(raw) == stages()[:480] + ["UNSCORED"] * 20 + stages()[500:]


@pytest.mark.parametrize("said", [None, True])
def test_a_list_of_changes_is_asked_about(tmp_path, said):
    """Where only changes of stage are noted, as TWin does it, steps are of any length: the user has to say."""
    night = stages()
    changed = [n for n in range(EPOCHS) if n == 0 or night[n] != night[n - 1]]
    names = {"REM": "R"}
    lines = [f"{wall('autumn', n):%H:%M:%S}.00\tSTAGE - {names.get(night[n], night[n])}" for n in changed]
    path = tmp_path / "n.allscore.txt"
    path.write_text("\n".join([f"{wall('autumn', 0):%H:%M:%S}.00\tSTART RECORDING", *lines]))
    if said is None:
        with pytest.raises(HypnogramError, match=r"goes back once.*dst=True"):
            read_hypnogram(path)
        return
    # how long the stage lasted in which the clock changed, no list says: what follows is right
    found = staged(read_psg(recording(tmp_path, "autumn"), hypnogram=path, dst=True, verbose="ERROR"))
    last = changed[-1]
    assert found[:last] == night[:last]


def test_rows_out_of_order_are_no_change(tmp_path):
    rows = [(f"{wall('spring', n):%H:%M:%S}", 30, stage) for n, stage in enumerate(stages()[:300])]
    rng = np.random.default_rng(0)
    found = read_hypnogram(table(tmp_path, [rows[n] for n in [0, *(1 + rng.permutation(299))]]), verbose="ERROR")
    assert found.onset.tolist() == [30 * n for n in range(300)]
    assert list(found.description) == stages()[:300]
