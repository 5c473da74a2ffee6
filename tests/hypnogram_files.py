"""One valid hypnogram file of every format, written from the format's description; all of one short night.

The night: 20 epochs of 30 s from 23:55:00 on, so that it goes over midnight.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Sequence

import h5py
import numpy as np
from edf_files import Edf

STAGES = ("W " * 4 + "N1 N1 " + "N2 " * 5 + "N3 " * 4 + "N2 " + "REM " * 3 + "W").split()
START = 23 * 3600 + 55 * 60  # s after midnight
EPOCH = 30


def clock(epoch: float, *, half: int = False, mark: int = False, first: int = START) -> str:
    """The time of day of an epoch, on a clock of 24 or 12 hours."""
    seconds = int(first + epoch * EPOCH) % 86400
    hour = seconds // 3600
    tail = f" {'am' if hour < 12 else 'pm'}" if mark else ""
    shown = (hour - 1) % 12 + 1 if half or mark else hour
    return f"{shown:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}"


def date(epoch: float, form: str = "{d:02d}/{m:02d}/{y}") -> str:
    """The date of an epoch: the night from 30 to 31 March 2020."""
    return form.format(d=30 + int(START + epoch * EPOCH) // 86400, m=3, y=2020)


def runs(stages: Sequence[str] = STAGES) -> list[tuple[int, int, str]]:
    """Run-length: onset and duration in epochs, and the stage."""
    rows: list[tuple[int, int, str]] = []
    for place, stage in enumerate(stages):
        if rows and rows[-1][2] == stage:
            rows[-1] = (rows[-1][0], rows[-1][1] + 1, stage)
        else:
            rows.append((place, 1, stage))
    return rows


def named(names: dict[str, str] | str) -> list[str]:
    """The night in other names: a dict, or those of the five stages in order."""
    table = (
        dict(zip(["W", "N1", "N2", "N3", "REM"], names.split(","), strict=True)) if isinstance(names, str) else names
    )
    return [table[stage] for stage in STAGES]


def edf_plus() -> bytes:
    tal = b"+0\x14\x14\x00"
    for onset, length, stage in runs(named("W,1,2,4,R")):
        tal += f"+{onset * EPOCH}\x15{length * EPOCH}\x14Sleep stage {stage}\x14\x00".encode()
    tal += b"+77\x14Lights off@@EEG F4-A1\x14\x00"
    size = len(tal) // 2 + 1
    return Edf([], 1, "0", date="30.03.20", time="23.55.00", reserved="EDF+C", tals=[tal], tal_size=size).to_bytes()


def nsrr() -> bytes:
    concepts = ["Wake|0", "Stage 1 sleep|1", "Stage 2 sleep|2", "Stage 4 sleep|4", "REM sleep|5"]
    stages = "".join(
        f"<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>{stage}</EventConcept>"
        f"<Start>{onset * EPOCH}.0</Start><Duration>{length * EPOCH}.0</Duration></ScoredEvent>\n"
        for onset, length, stage in runs(named(",".join(concepts)))
    )
    return (
        "<?xml version='1.0' encoding='UTF-8' standalone='no'?>\n<PSGAnnotation><SoftwareVersion>Compumedics"
        "</SoftwareVersion><EpochLength>30</EpochLength>\n<ScoredEvents>\n<ScoredEvent><EventType/><EventConcept>"
        "Recording Start Time</EventConcept><Start>0</Start><Duration>600.0</Duration><ClockTime>00.00.00 23.55.00"
        "</ClockTime></ScoredEvent>\n<ScoredEvent><EventType>Arousals|Arousals</EventType><EventConcept>Arousal|Arousal ()"
        f"</EventConcept><Start>100</Start><Duration>9</Duration></ScoredEvent>\n{stages}</ScoredEvents></PSGAnnotation>\n"
    ).encode()


def profusion(root: str = "CMPStudyConfig") -> bytes:
    codes = "".join(f"<SleepStage>{code}</SleepStage>\n" for code in named("0,1,2,4,5"))
    return (
        f'<?xml version="1.0"?>\n<{root}><EpochLength>30</EpochLength><StepChannels/><ScoredEvents><ScoredEvent>'
        "<Name>Arousal</Name><Start>33.5</Start><Duration>7</Duration></ScoredEvent></ScoredEvents>\n"
        f"<SleepStages>\n{codes}</SleepStages></{root}>\n"
    ).encode()


def wonambi(raters: Sequence[str] = ("one",)) -> bytes:
    epochs = "".join(
        f"<epoch><epoch_start>{n * EPOCH}</epoch_start><epoch_end>{(n + 1) * EPOCH}</epoch_end>"
        f"<stage>{stage}</stage><quality>Good</quality></epoch>"
        for n, stage in enumerate(named("Wake,NREM1,NREM2,NREM3,REM"))
    )
    return (
        '<?xml version="1.0" ?><annotations version="5"><dataset><filename>x</filename><start_time>2020-03-30T23:55:00'
        "</start_time><first_second>0</first_second><last_second>600</last_second></dataset>"
        + "".join(f'<rater name="{name}"><bookmarks/><events/><stages>{epochs}</stages></rater>' for name in raters)
        + "</annotations>"
    ).encode()


def noxturnal(encoding: str = "utf-16", names: str = "Éveil,N1,N2,N3,REM") -> bytes:
    rows = ["Heure de début,Heure de fin,Événement,Durée,", "[],[],[],[s],"]
    for n, stage in enumerate(named(names)):
        rows.append(f"{date(n)} {clock(n)},{date(n + 1)} {clock(n + 1)},{stage},30,")
        if n % 5 == 2:
            rows.append(f'{date(n)} {clock(n)},{date(n)} {clock(n)},Rapide,"0,7",')
            rows.append(f"{date(n)} {clock(n)},{date(n + 1)} {clock(n + 1)},Activity-REMstart,30,")
            rows.append(f"{date(n)} {clock(n)},{date(n)} {clock(n)},Movement,4,")
    return ("\r\n".join(rows) + "\r\n").encode(encoding)


def remlogic(head: str = "Sleep Stage\tPosition\tTime [hh:mm:ss]\tEvent\tDuration[s]\tLocation", **keys: int) -> bytes:
    rows = ["RemLogic Event Export", "Patient:\tn1", "Patient ID:\t", "Recording Date:\t30/03/2020", "", head]
    position = ["Unknown Position"] if "Position" in head else []
    for n, stage in enumerate(named("SLEEP-S0,SLEEP-S1,SLEEP-S2,SLEEP-S4,SLEEP-REM")):
        rows.append("\t".join([stage[-2:], *position, clock(n, **keys), stage, "30", "ROC-LOC"]))
        if n % 7 == 3:
            rows.append("\t".join([stage[-2:], *position, clock(n, **keys), "MCAP-A1", "4", "C4-A1"]))
    return ("\n".join(rows) + "\n").encode("latin-1")


def domino(begin: str = "30.03.2020 23:55:00") -> bytes:
    rows = ["Signal ID: SchlafProfil\\profil", f"Start Time: {begin}", "Unit: ", "Signal Type: Discret"]
    rows += ["Events list: N4,N3,N2,N1,Rem,Wach,Bewegung,Artefakt", "Rate: 30 s", ""]
    rows += [f"{clock(n)},000; {stage}" for n, stage in enumerate(named("Wach,N1,N2,N3,Rem"))]
    return ("\r\n".join(rows) + "\r\n").encode("latin-1")


def alice() -> bytes:
    rows = [" Epoch Number ,Start Time ,Sleep Stage "]
    rows += [f"{n + 1},{clock(n, mark=True)},{stage}" for n, stage in enumerate(named("WK,N1,N2,N3,REM"))]
    return "\r\n".join(rows).encode()


def dreams() -> bytes:
    return "\n".join(["[HypnogramAASM]", *(code for code in named("5,3,2,1,4") for _ in range(6))]).encode()


def dreem_h5() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["hypnogram"] = np.array([int(code) for code in named("0,1,2,3,4")])
        file["signals/eeg/C3_M2"] = np.zeros(10)
    return buffer.getvalue()


def luna(times: str = "s") -> bytes:
    rows = ["# W | wake", "# N2 | stage 2", "class\tinstance\tchannel\tstart\tstop\tmeta"]
    for onset, length, stage in runs(named("W,N1,N2,N3,R")):
        start, stop = {
            "s": (f"{onset * EPOCH}.000", f"{(onset + length) * EPOCH}.000"),
            "+": (f"{onset * EPOCH}", f"+{length * EPOCH}"),
            "e": (f"e:{onset + 1}", f"e:{onset + length}"),
            "clock": (clock(onset), f"+{length * EPOCH}"),
            "am": (clock(onset, mark=True), clock(onset + length, mark=True)),
            "date": (
                f"{date(onset, '{d}-{m}-{y}')}-{clock(onset)}",
                f"{date(onset + length, '{d}-{m}-{y}')}-{clock(onset + length)}",
            ),
            "0+": (f"0+00:{onset // 2:02d}:{onset % 2 * 30:02d}", f"+{length * EPOCH}"),
            "...": (clock(onset), "..."),
        }[times]
        rows.append(f"{stage}\t.\t.\t{start}\t{stop}\t.")
    last = {
        "clock": clock(20),
        "am": clock(20, mark=True),
        "...": clock(20),
        "date": f"{date(20, '{d}-{m}-{y}')}-{clock(20)}",
    }
    rows.append(f"lights_on\t.\t.\t{last.get(times, '600')}\t+0\tby=x")
    return ("\n".join(rows) + "\n").encode()


def ids() -> bytes:
    return "".join(f"{at * EPOCH},{n * EPOCH},{stage}\n" for at, n, stage in runs()).encode()


def bids(column: str = "trial_type") -> bytes:
    rows = [f"onset\tduration\tsample\t{column}\tvalue"]
    for n, stage in enumerate(named("W,N1,N2,N3,R")):
        rows.append(f"{n * EPOCH}.0\t30.0\t{n * 7680}\t{stage}\t{'12345'[n % 5]}")
        if n == 6:
            rows.append("190.0\tn/a\t48640\tarousal\tn/a")
    return ("\n".join(rows) + "\n").encode()


def yasa_csv() -> bytes:
    rows = [f"{n},{stage}" for n, stage in enumerate(named("WAKE,N1,N2,N3,REM"))]
    return "\n".join(["Epoch,Stage", *rows]).encode()


def yasa_json(n_stages: int = 5) -> bytes:
    values = named("WAKE,N1,N2,N3,REM")
    content = {"values": values, "n_stages": n_stages, "freq": "30s", "start": "2020-03-30T23:55:00+02:00"}
    return json.dumps({**content, "scorer": None, "proba": None}, indent=2).encode()


def json_list() -> bytes:
    return json.dumps([int(code) for code in named("0,1,2,3,5")]).encode()


def wfdb(rate: bool = True) -> bytes:
    """MIT annotations at 200 Hz: ``("`` is the challenge's; every stage is noted where it begins."""
    out, time = bytearray(), 0

    def note(sample: int, text: str, kind: int = 22) -> None:
        nonlocal time
        step, time = sample - time, sample
        if step > 1023:
            out.extend(struct.pack("<HHH", 59 << 10, step >> 16, step & 0xFFFF))
            step = 0
        raw = text.encode()
        out.extend(struct.pack("<HH", kind << 10 | step, 63 << 10 | len(raw)))
        out.extend(raw + b"\x00" * (len(raw) % 2))

    if rate:
        note(0, "## time resolution: 200")
    for onset, _, stage in runs(named("W,N1,N2,N3,R")):
        note(onset * EPOCH * 200, stage)
        note(onset * EPOCH * 200 + 500, "(resp_hypopnea")
        note(onset * EPOCH * 200 + 2500, "resp_hypopnea)")
    return bytes(out) + b"\x00\x00"


def edfbrowser() -> bytes:
    """As EDFbrowser exports to XML: by the clock with its date, seven digits of a fraction."""
    stamp = "{day}T{time}.0000000"
    rows = [(n, f"Sleep stage {label}") for n, label in enumerate(named("W,N1,N2,N3,R"))] + [(3.5, "Lights &amp; door")]
    annotations = "".join(
        f" <annotation>\n  <onset>{stamp.format(day=date(n, '{y}-{m:02d}-{d:02d}'), time=clock(n))}</onset>\n"
        f"  <duration>{EPOCH if n == int(n) else ''}</duration>\n  <description>{text}</description>\n </annotation>\n"
        for n, text in rows
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- Generated by EDFbrowser -->\n<annotationlist>\n'
        f" <recording_start_time>2020-03-30T23:55:00.0000000</recording_start_time>\n{annotations}</annotationlist>\n"
    ).encode()


def visbrain_samples(window: float = 1) -> bytes:
    codes = [code for stage in named("0,1,2,3,4") for code in [stage] * int(EPOCH / window)]
    head = [f"time {window}", "Wake 0", "N1 1", "N2 2", "N3 3", "REM 4", "Art -1"]
    return "\n".join([*head, *codes]).encode()


def elan() -> bytes:
    codes = [code for stage in named("0,1,2,4,5") for code in [stage] * EPOCH]
    return "\n".join(["time_base 1.000000", "sampling_period 0.01", "epoch_nb 600", "epoch_list", *codes]).encode()


def visbrain_ends() -> bytes:
    rows = [f"{stage}\t{(onset + length) * EPOCH}.0" for onset, length, stage in runs(named("Wake,N1,N2,N3,REM"))]
    return "\n".join(["*Duration_sec\t600.0", "*Datafile\tnight.edf", *rows]).encode()


def rows() -> bytes:
    """The stage first, as ANPHY-Sleep has it."""
    return "\n".join(f"{label}\t{EPOCH * n}\t{EPOCH}" for n, label in enumerate(named("W,N1,N2,N3,R"))).encode()


def twin() -> bytes:
    """A line where the stage changes, and other events; before the start, what was noted when the patient was wired."""
    events = [(place + 0.0, f"STAGE - {stage}") for place, _, stage in runs(named("W,N1,N2,N3,R"))]
    events += [(2.3, "DUR: 12.0 SEC. - HYPOPNEA"), (5.1, "POSITION - LEFT"), (0.0, "START RECORDING")]
    listed = [
        f"{clock(n)}.00\t{event}" for n, event in sorted(events, key=lambda row: (row[0], row[1] != "START RECORDING"))
    ]
    return "\n".join(["16:02:11.00\tIMPEDANCE CHECK", *listed, f"{clock(20)}.00\tSTAGE - NO STAGE"]).encode("latin-1")


def lines() -> bytes:
    return "\n".join(named("W,N1,N2,N3,R")).encode()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([int(code) for code in named("0,1,2,3,5")]))
    return buffer.getvalue()


#: name -> (how to write it, whether its times count epochs)
FILES: dict[str, tuple[Callable[[], bytes], bool]] = {
    "EDF+ annotations": (edf_plus, False),
    "NSRR XML": (nsrr, False),
    "Profusion XML": (profusion, False),
    "Wonambi XML": (wonambi, False),
    "Noxturnal events": (noxturnal, False),
    "RemLogic events": (remlogic, False),
    "DOMINO sleep profile": (domino, False),
    "Alice epochs": (alice, False),
    "DREAMS hypnogram": (dreams, False),
    "Dreem HDF5": (dreem_h5, True),
    "Luna annotations": (luna, False),
    "EDFbrowser XML": (edfbrowser, False),
    "Visbrain or Elan samples": (visbrain_samples, False),
    "Visbrain or Elan samples, of Elan": (elan, False),
    "TWin events": (twin, False),
    "rows of stage and times": (rows, False),
    "rows of stage and times, Visbrain's": (visbrain_ends, False),
    "U-Sleep onset, duration, stage": (ids, False),
    "table of events": (bids, False),
    "table of events, by epoch": (yasa_csv, True),
    "JSON (YASA, Dreem)": (yasa_json, False),
    "JSON (YASA, Dreem), a list": (json_list, True),
    "WFDB annotations": (wfdb, False),
    "one stage per line": (lines, True),
    "one stage per line, npy": (npy, True),
}
