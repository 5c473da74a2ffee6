"""Damage files of every kind that eegflex reads, see what it makes of them, and print one Markdown table.

Run from the top of the repository: python tools/fuzz.py [--mutations 20000] [--seed 0] [--only result] [--keep FOLDER]

Each file is damaged in one to three places, in the header more often than elsewhere, and read in a process of its own,
which may crash or hang. What may come of it: an error of eegflex (*refused*), what was in the undamaged file (*as it was*),
or other values (*as damaged*: most formats have no checksum, and a changed sample is a sample). Faults, for which the
status is 1: an exception that is not eegflex's, a crash, a reading of more than 30 s, other values from a file whose format
has checksums, or other samples than a second reader has from the same damaged file.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import multiprocessing
import os
import queue
import re
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import h5py
import mne
import numpy as np
from fuzz_seeds import Kind, kinds

#: s that a reading may take, and bytes of memory.
SECONDS = 30
MEMORY = 12 << 30
FAULTS = ("foreign", "crash", "hang", "silent", "differs")
OUTCOMES = ("refused", "as it was", "as damaged", *FAULTS)
#: Where numbers are at their limits, as text and as bytes.
EXTREMES = (b"", b"0", b"-1", b"1e308", b"nan", b"-inf", b"99999999", b"2147483648", b"1e-300", b"0x10", b"9" * 40)
WORDS = (
    b"\x00" * 8,
    b"\xff" * 8,
    b"\xff\xff\xff\x7f" * 2,
    b"\x00\x00\x00\x80" * 2,
    b"\x00\x00\xc0\x7f" * 2,
    b"\x00" * 6 + b"\xf8\x7f",
)

Mutation = Callable[[np.random.Generator, bytearray], None]


def _place(rng: np.random.Generator, data: bytearray) -> int:
    """Somewhere: half of the times near the beginning, where headers are."""
    return int(rng.integers(0, min(len(data), 2048) if rng.random() < 0.5 else len(data)))


def flip_bits(rng: np.random.Generator, data: bytearray) -> None:
    for _ in range(int(rng.integers(1, 4))):
        data[_place(rng, data)] ^= 1 << int(rng.integers(8))


def overwrite(rng: np.random.Generator, data: bytearray) -> None:
    at, n = _place(rng, data), int(rng.integers(1, 64))
    filled = [bytes(n), b"\xff" * n, b" " * n, rng.bytes(n)][rng.integers(4)]
    data[at : at + n] = filled[: len(data) - at]


def put_extreme_word(rng: np.random.Generator, data: bytearray) -> None:
    word = WORDS[rng.integers(len(WORDS))][: 1 << int(rng.integers(1, 4))]
    at = _place(rng, data)
    data[at : at + len(word)] = word[: len(data) - at]


def put_extreme_number(rng: np.random.Generator, data: bytearray) -> None:
    numbers = list(itertools.islice(re.finditer(rb"-?\d+(\.\d+)?", data), 4096))
    if numbers:
        found, extreme = numbers[rng.integers(len(numbers))], EXTREMES[rng.integers(len(EXTREMES))]
        width = len(found[0]) + len(
            re.match(rb" *", data[found.end() :])[0]
        )  # a field that is filled up keeps its width
        data[found.start() : found.start() + width] = extreme.ljust(width)


def cut_off(rng: np.random.Generator, data: bytearray) -> None:
    del data[_place(rng, data) :]


def cut_out(rng: np.random.Generator, data: bytearray) -> None:
    at = _place(rng, data)
    del data[at : at + int(rng.integers(1, 512))]


def double(rng: np.random.Generator, data: bytearray) -> None:
    at, n = _place(rng, data), int(rng.integers(1, 512))
    data[at:at] = data[at : at + n]


def insert(rng: np.random.Generator, data: bytearray) -> None:
    at = _place(rng, data)
    data[at:at] = rng.bytes(int(rng.integers(1, 64)))


def exchange(rng: np.random.Generator, data: bytearray) -> None:
    n = int(rng.integers(1, 64))
    a, b = _place(rng, data), _place(rng, data)
    one, two = bytes(data[a : a + n]), bytes(data[b : b + n])
    data[a : a + len(two)] = two
    data[b : b + len(one)] = one


def change_line(rng: np.random.Generator, data: bytearray) -> None:
    lines = bytes(data).splitlines(keepends=True)
    at = int(rng.integers(len(lines)))
    other = int(rng.integers(len(lines)))
    lines[at : at + 1] = [[], [lines[at]] * 2, [lines[other]], [lines[at] * 50]][rng.integers(4)]
    data[:] = b"".join(lines)


def change_characters(rng: np.random.Generator, data: bytearray) -> None:
    old, new = (b" \t,;:.\n\"'<>[]{}=_-"[i : i + 1] for i in rng.integers(0, 18, 2))
    data[:] = bytes(data).replace(old, new, int(rng.integers(1, 50)))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_bits,
    overwrite,
    put_extreme_word,
    put_extreme_number,
    put_extreme_number,
    cut_off,
    cut_out,
    double,
    insert,
    exchange,
    change_line,
    change_characters,
)


def damaged(rng: np.random.Generator, data: bytes) -> bytes:
    """A file with one to three faults."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if changed:
            MUTATIONS[rng.integers(len(MUTATIONS))](rng, changed)
    return bytes(changed)


def edit_archive(rng: np.random.Generator, path: Path) -> None:
    """Damage one member of a zip archive, and make its checksum anew."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(members)[rng.integers(len(members))]
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, damaged(rng, content) if member == name else content)


def edit_hdf5(rng: np.random.Generator, path: Path) -> None:
    """Change one data set or attribute of an HDF5 file, as a library would: the file itself stays sound."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = names[rng.integers(len(names))]
        one = file[name]
        attribute = [*one.attrs, *file.attrs][: len(one.attrs) or None]
        change = rng.integers(6)
        if change == 0:
            del file[name]
        elif change == 1:
            file.move(name, f"{name}x")
        elif change == 2 and attribute:
            holder, key = (one if one.attrs else file), attribute[rng.integers(len(attribute))]
            old = holder.attrs[key]
            holder.attrs[key] = [0, "", np.nan, damaged(rng, str(old).encode()).decode("latin-1").replace("\0", " ")][
                rng.integers(4)
            ]
        elif isinstance(one, h5py.Dataset) and one.shape and one.dtype.kind in "fiu":
            values = one[()]
            if change == 3:
                values.flat[rng.integers(values.size)] = np.array([0, 1, 100])[rng.integers(3)]
                one[()] = values
            else:
                other = values[:-1] if change == 4 else values.astype([">f8", "i1", "S4", "c16"][rng.integers(4)])
                del file[name]
                file[name] = other


def damage(rng: np.random.Generator, path: Path, kind: Kind) -> None:
    """Damage a file in its place.

    Some archives are damaged in a member whose checksum is made anew, unless it is sealed: then that is no damage but another
    file. HDF5 has no checksums, and what seals results is eegflex's own: a part of such files are changed in one value.
    """
    if zipfile.is_zipfile(path) and not kind.sealed and rng.random() < 0.33:
        edit_archive(rng, path)
    elif kind.forge or (path.read_bytes().startswith(b"\x89HDF") and rng.random() < 0.5):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # what HDF5 itself does not let be
            edit_hdf5(rng, path)
        if kind.forge:
            kind.forge(path)
    else:
        path.write_bytes(damaged(rng, path.read_bytes()))


def read_on(connection: Connection) -> None:
    """In a process of its own: read what comes, and say what came of it."""
    import torch

    import eegflex.errors

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what C libraries say
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    known = kinds()
    while True:
        name, path, good = connection.recv()
        kind = known[name]
        try:
            read = kind.read(path)
            outcome = "as it was" if read == good else "silent" if kind.sealed else "as damaged"
            differs = kind.second(path) if kind.second else ""
            connection.send(("differs", differs) if differs else (outcome, ""))
        except eegflex.errors.EegflexError:
            connection.send(("refused", ""))
        except BaseException as error:
            last = traceback.extract_tb(error.__traceback__)
            own = [
                f"{Path(f.filename).name}:{f.lineno}"
                for f in last
                if "eegflex" in f.filename and "tools" not in f.filename
            ]
            connection.send(
                ("foreign", f"{type(error).__name__}: {str(error)[:80]} ({own[-1] if own else 'the tool'})")
            )


class Reader:
    """A process that reads, and is started again when it died."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._connection, other = self._context.Pipe()
        self._process = self._context.Process(target=read_on, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def __call__(self, name: str, path: Path, good: bytes) -> tuple[str, str]:
        """What comes of reading a file: an outcome, and details."""
        found = ("hang", f"{SECONDS} s")
        try:
            self._connection.send((name, path, good))
            if self._connection.poll(SECONDS):
                return tuple(self._connection.recv())
        except (EOFError, OSError):
            self._process.join(5)
            found = ("crash", f"status {self._process.exitcode}")
        self.stop()
        self._start()
        return found

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


@dataclass
class Counted:
    """What came of the files of one kind."""

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    faults: list[str] = field(default_factory=list)


def fuzz_kind(name: str, kind: Kind, numbers: range, seed: int, keep: Path | None, reader: Reader) -> Counted:
    """Damage and read the files of one kind, each by a random stream of its own."""
    counted = Counted()
    stream = list(kinds()).index(name)
    with tempfile.TemporaryDirectory() as top:
        good = Path(top, "good")
        good.mkdir()
        paths = kind.write(good)
        value = kind.read(paths[0])
        for number in numbers:
            rng = np.random.default_rng((seed, stream, number))
            folder = Path(top, "damaged")
            shutil.copytree(good, folder)
            damage(rng, folder / paths[rng.integers(len(paths))].name, kind)
            outcome, details = reader(name, folder / paths[0].name, value)
            counted.outcomes[outcome] += 1
            if outcome in FAULTS:
                counted.faults.append(f"{name} {number}: {outcome}: {details}")
                if keep:
                    shutil.copytree(folder, keep / f"{name.replace(': ', '-')}-{number}", dirs_exist_ok=True)
            shutil.rmtree(folder)
    return counted


def table(found: dict[str, Counted]) -> Iterator[str]:
    """Lines of Markdown: a row for each kind, and one for all."""
    yield f"| kind | {' | '.join(OUTCOMES)} | all |"
    yield "|---" * (len(OUTCOMES) + 2) + "|"
    whole: collections.Counter[str] = sum((one.outcomes for one in found.values()), collections.Counter())
    for name, outcomes in [*((name, one.outcomes) for name, one in found.items()), ("all", whole)]:
        yield f"| {name} | {' | '.join(str(outcomes[one]) for one in OUTCOMES)} | {outcomes.total()} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutations", type=int, default=20000, help="how many files, of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only kinds whose name begins so")
    parser.add_argument("--keep", type=Path, help="a folder for the files that show a fault")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    mne.set_log_level("error")
    chosen = {name: kind for name, kind in kinds().items() if name.startswith(asked.only)}
    whole = sum(kind.share for kind in chosen.values())

    def one(name: str) -> Counted:
        numbers = range(max(1, round(asked.mutations * chosen[name].share / whole)))
        reader = readers.get()
        try:
            return fuzz_kind(name, chosen[name], numbers, asked.seed, asked.keep, reader)
        finally:
            readers.put(reader)

    readers: queue.Queue[Reader] = queue.Queue()
    for _ in range(asked.jobs):
        readers.put(Reader())
    with ThreadPoolExecutor(asked.jobs) as pool:
        found = dict(zip(chosen, pool.map(one, chosen), strict=True))
    while not readers.empty():
        readers.get().stop()
    faults = [line for counted in found.values() for line in counted.faults]
    print("\n".join(table(found)))
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
