"""Damaged and malicious hypnograms: every outcome is a read or an error that the user can mend."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from hypnogram_files import EPOCH, FILES

from eegflex.errors import EegflexError, HypnogramError
from eegflex.readers import read_hypnogram

from .test_hypnogram_formats import read

ATTACKS = {
    "expansion": '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    "external": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
    "parameter": '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://localhost/x.dtd">%a;]>',
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
@pytest.mark.parametrize("name", ["NSRR XML", "Profusion XML", "Wonambi XML"])
def test_xml_with_entities_is_refused(tmp_path, name, attack):
    text = FILES[name][0]().decode()
    head, _, rest = text.partition("?>")
    with pytest.raises(HypnogramError, match="entities"):
        read(tmp_path, f"{head}?>{attack}{rest.replace('Arousal', '&a;')}")


def test_broken_xml_is_refused(tmp_path):
    for text in ("<PSGAnnotation><ScoredEvents>", '<?xml version="1.0" encoding="no-such"?><CMPStudyConfig/>'):
        with pytest.raises(HypnogramError, match="not well-formed"):
            read(tmp_path, text)
    with pytest.raises(HypnogramError, match="not a hypnogram that can be read"):
        read(tmp_path, "<html><body>Not found</body></html>" + " " * 50)


def mutate(rng, whole):
    """Change, cut, double or swap some of a file."""
    kind = rng.integers(4)
    broken = whole.copy()
    if kind < 2:
        for place in rng.integers(0, broken.size, rng.integers(1, 8)):
            broken[place] = rng.choice([0, 9, 10, 13, 34, 44, 45, 46, 48, 57, 60, 62, 255, int(rng.integers(256))])
    a, b = sorted(rng.integers(0, broken.size + 1, 2).tolist())
    if kind == 2:
        broken = np.concatenate([broken[:b], broken[a:]])
    if kind == 3:
        broken = np.concatenate([broken[:a], broken[b:]])
    return broken.tobytes()


@pytest.mark.parametrize("name", FILES)
def test_every_mutation_is_read_or_refused(tmp_path, name):
    rng = np.random.default_rng(sorted(FILES).index(name))
    write, in_epochs = FILES[name]
    whole, path = np.frombuffer(write(), np.uint8), tmp_path / "stages"
    outcomes = Counter()
    for _ in range(60):
        path.write_bytes(mutate(rng, whole))
        begin = time.perf_counter()
        try:
            found = read_hypnogram(path, epoch_length=EPOCH if in_epochs else None, verbose="CRITICAL")
        except EegflexError as error:
            outcomes[type(error).__name__] += 1
            continue
        finally:
            assert time.perf_counter() - begin < 5
        outcomes["read"] += 1
        assert np.isfinite(found.onset).all()
        assert (found.duration >= 0).all()
        assert set(found.description) <= {"W", "N1", "N2", "N3", "REM", "MOVEMENT", "ARTIFACT", "UNSCORED"}
    assert sum(outcomes.values()) == 60


LARGE = {
    "lines": ("N2\n" * 400_000, "too long for a"),
    "a table": ("onset\tduration\tstage\n" + "0\t1\tN2\n" * 400_000, "too long for a"),
    "one line": ("2," * 1_500_000, "not a hypnogram|unknown"),
    "JSON": ("[" + "2," * 400_000 + "2]", "too long for a"),
    "XML": ("<annotationlist>" + "<annotation><onset>0</onset></annotation>" * 500_000, "too large for a"),
    "text": ("x" * 17 * 2**20, "not a hypnogram"),
    "lines of 28 MB": ("N2\n" * 9_500_000, "too large for a"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "words"), LARGE.values(), ids=list(LARGE))
def test_what_is_larger_than_a_hypnogram_is_refused_at_once(tmp_path, text, words):
    begin = time.perf_counter()
    with pytest.raises(HypnogramError, match=words) as caught:
        read(tmp_path, text, epoch_length=1)
    assert time.perf_counter() - begin < 5
    assert len(str(caught.value)) < 5000


def test_a_second_a_line_of_three_days_is_read(tmp_path):
    begin = time.perf_counter()
    assert len(read(tmp_path, "N2\n" * 200_000, epoch_length=1)) == 200_000
    assert time.perf_counter() - begin < 20


LONG = "y" * 10_000_000
ECHOES = {
    "a stage of a table": f"onset\tduration\tstage\n0\t30\tW\n30\t30\t{LONG}\n",
    "what begins like a stage": f"onset\tduration\tevent\n0\t30\tW\n30\t30\tSleep stage {LONG}\n",
    "a broken row": f"onset\tduration\tstage\n0\t30\tW\n{LONG}\n",
    "an onset": f"onset\tduration\tstage\n0\t30\tW\n{LONG}\t30\tW\n",
    "a column": f"onset\tduration\tstage\t{LONG}\tstage2\n0\t30\tW\tN2\tN2\n30\t30\tN2\tN2\tN2\n",
    "no stages": f"onset\tduration\tevent\n0\t30\t{LONG}\n",
    "an element": f"<annotationlist><annotation><onset>{LONG}</onset></annotation></annotationlist>",
}


@pytest.mark.slow
@pytest.mark.parametrize("text", ECHOES.values(), ids=list(ECHOES))
def test_no_error_echoes_a_file(tmp_path, text):
    with pytest.raises(HypnogramError) as caught:
        read(tmp_path, text)
    assert len(str(caught.value)) < 5000
    assert caught.value.remedy


@pytest.mark.slow
def test_no_warning_does(tmp_path, caplog):
    text = f"onset\tduration\tevent\n0\t30\tW\n30\t30\tN2\n60\t30\t{LONG}\n90\t30\tW\n"
    (tmp_path / "stages.txt").write_text(text)
    read_hypnogram(tmp_path / "stages.txt", verbose="WARNING")
    assert "(once between the stages) is treated as an event" in caplog.text
    assert len(caplog.text) < 2000
