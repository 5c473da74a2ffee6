"""Codes at an even rate under a header that says it: Visbrain's samples and Elan's ``.hyp``.

Visbrain writes what its codes mean (``time 1``, ``Wake 0``, ...) in a file beside the codes, or above them; Elan has stage 5
for REM.
"""

from __future__ import annotations

from pathlib import Path

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, is_number, read_lines, to_number
from eegflex.readers.stage_numbers import parse_code
from eegflex.readers.stage_words import parse_label
from eegflex.utils.inside import inside

__all__ = ["NAME", "parse", "sniff"]

NAME = "Visbrain or Elan samples"
_VISBRAIN, _ELAN, _LIST = "time", "time_base", "epoch_list"
_LONGEST_HEADER = 40  # lines


def sniff(head: bytes, path: Path) -> bool:
    """Whether the first line is a time of Visbrain's or Elan's, or a description lies beside codes."""
    lines = [line.split() for line in first_lines(head) if line.strip()]
    if not lines:
        return False
    if len(lines[0]) == 2 and lines[0][0] in (_VISBRAIN, _ELAN) and is_number(lines[0][1]):
        return True
    return parse_code(" ".join(lines[0])) is not None and _beside(path).is_file()


def parse(path: Path) -> Scoring:
    """Read the codes, each of the time that the header says, from the start of the recording."""
    lines = [line.strip() for line in read_lines(path)]
    if not (lines[0].split() or [""])[0].startswith(_VISBRAIN):
        header = [line.strip() for line in read_lines(inside(path, _beside(path).name, HypnogramError))]
        return _visbrain(header, lines)
    if not lines[0].startswith(_ELAN):
        return _visbrain(lines, [])
    epoch = to_number(lines[0].split()[1], _ELAN, 1, positive=True)
    if _LIST not in lines[:_LONGEST_HEADER]:
        raise HypnogramError("The header has no end", allowed=f"a line {_LIST!r}", remedy="Export the file again")
    codes = [line for line in lines[lines.index(_LIST) + 1 :] if line]
    return Scoring.of_epochs(codes, epoch, format=NAME, coding="rk")


def _visbrain(header: list[str], codes: list[str]) -> Scoring:
    """Say the codes in the words of the header, which ends where the codes begin."""
    epoch = to_number((header[0].split() or [""])[-1], _VISBRAIN, 1, positive=True)
    words: dict[str, str] = {}
    for number, line in enumerate(header[1:], start=2):
        cells = line.rsplit(maxsplit=1)
        if len(cells) != 2 or parse_label(cells[0]) is None or parse_code(cells[1]) is None:
            codes = codes or header[number - 1 :]
            break
        words[str(parse_code(cells[1]))] = cells[0]
    labels = []
    for number, code in enumerate((code for code in codes if code), start=1):
        if str(parse_code(code)) not in words:
            raise broken_row([code], number, f"a code of the header: {', '.join(words)}")
        labels.append(words[str(parse_code(code))])
    return Scoring.of_epochs(labels, epoch, format=NAME)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}_description.txt")
