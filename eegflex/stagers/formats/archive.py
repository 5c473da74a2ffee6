"""Archives of models: looked at as they are, and given to torch only as a copy that is made of what was looked at.

Every reader of archives takes liberties of its own (torch's ignores case, checks no checksums and believes other headers than
Python's), so that the one that looks and the one that opens might see two files.
"""

from __future__ import annotations

import io
import re
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import IO

from eegflex.errors import ModelError
from eegflex.stagers.formats.safety import Pickled, check_expansion, refuse_code, scan_pickle

__all__ = ["Archive"]

#: A pickle within an archive describes weights and does not hold them.
LARGEST_PICKLE = 2**28
#: What reading a damaged archive raises.
_DAMAGE = (
    *(zipfile.BadZipFile, NotImplementedError, ValueError, zlib.error, EOFError, RuntimeError, KeyError, OSError),
    struct.error,
)
#: How the header before a member begins: mark, version, flags, method, time, checksum, sizes, lengths of name and extra.
_HEADER = struct.Struct("<4s2xHH4xLLL")
#: The flag of a member whose checksum and sizes come after it, and what stands for a size that has another place.
_LATER, _ELSEWHERE = 0x08, 0xFFFFFFFF
#: What ends an archive that has no comment.
_END = b"PK\x05\x06"


class Archive:
    """An archive whose members are what they declare to be.

    Parameters
    ----------
    path : Path
        The archive.
    inner : bytes | None
        An archive that is a member of it, and is meant in its place.

    Attributes
    ----------
    members : list of ZipInfo
        What is in it.
    size : int
        Its own, in bytes.

    Raises
    ------
    ModelError
        If the archive is damaged, declares absurd sizes, can be read in two ways, or has a member that would be written
        outside its folder.
    """

    path: Path
    inner: bytes | None
    members: list[zipfile.ZipInfo]
    size: int

    def __init__(self, path: Path, inner: bytes | None = None) -> None:
        self.path, self.inner = path, inner
        try:
            with self._stream() as stream:
                self.members = zipfile.ZipFile(stream).infolist()
                doubtful = _read_in_two_ways(self.members, stream)
        except _DAMAGE as error:
            raise ModelError(f"This archive is damaged: {error}", seen=path) from error
        self.size = path.stat().st_size if inner is None else len(inner)
        check_expansion(self.size, sum(member.file_size for member in self.members), path)
        if doubtful:
            raise ModelError("This archive is ambiguous", seen=doubtful[:3], remedy="Do not open it")
        _check_members(self.members, path)

    def _stream(self) -> IO[bytes]:
        return self.path.open("rb") if self.inner is None else io.BytesIO(self.inner)

    @property
    def names(self) -> dict[str, str]:
        """Names of the members within the one folder that torch puts them in, and in full.

        Raises
        ------
        ModelError
            If there are several folders.
        """
        folders = {member.filename.partition("/")[0] for member in self.members}
        if len(folders) > 1:
            raise ModelError("This archive is ambiguous", seen=sorted(folders)[:3], allowed="one folder")
        return {member.filename.partition("/")[2]: member.filename for member in self.members}

    def refuse_others(self, known: re.Pattern[str], what: str) -> None:
        """Refuse an archive with more in its one folder than its format has.

        Parameters
        ----------
        known : re.Pattern
            What names of members are like.
        what : str
            What it is called otherwise.

        Raises
        ------
        ModelError
            With the names of what is more.
        """
        others = [name for name in self.names if not known.fullmatch(name)]
        if others:
            raise refuse_code(self.path, what, others)

    def read(self, name: str) -> bytes:
        """What is in a member, if its checksum is right.

        Raises
        ------
        ModelError
            If it is damaged.
        """
        try:
            with self._stream() as stream:
                return zipfile.ZipFile(stream).read(name)
        except _DAMAGE as error:
            raise ModelError(
                f"This archive is damaged in {name}: {error}",
                seen=self.path,
                remedy="Get it again; one that was saved without checksums must be saved with them, "
                "torch.serialization.set_crc32_options(True)",
            ) from error

    def verify(self) -> None:
        """Read everything once.

        Raises
        ------
        ModelError
            If a checksum is wrong.
        """
        for member in self.members:
            self.read(member.filename)

    def copied(self, changed: dict[str, bytes] | None = None, without: str = "") -> io.BytesIO:
        """A plain copy of what is in a file of torch, for torch to open.

        Parameters
        ----------
        changed : dict | None
            What is in a member in place of what was.
        without : str
            A pattern of the members that are left out.

        Raises
        ------
        ModelError
            If it is damaged.
        """
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w") as archive:
            for name, full in self.names.items():
                data = self.read(full)
                if not re.fullmatch(without, name):
                    archive.writestr(f"archive/{name}", (changed or {}).get(name, data))
        copy.seek(0)
        return copy

    def scan_torch_file(self) -> Pickled:
        """Find out what a file of torch.save would do, its weights being as large as declared.

        Raises
        ------
        ModelError
            If it is damaged, or weights are missing.
        """
        if "data.pkl" not in self.names:
            raise ModelError("This file was not written by torch.save", seen=self.path)
        return self.scan(self.names["data.pkl"])

    def scan(self, name: str) -> Pickled:
        """Find out what a pickle in the archive would do, the weights that it asks for being as large as declared.

        Raises
        ------
        ModelError
            If it is damaged, or weights are missing.
        """
        pickled = scan_pickle(self.read(name))
        check_expansion(self.size, pickled.declared, self.path)
        sizes = {member.filename: member.file_size for member in self.members}
        for key, wanted in pickled.storages:
            there = sizes.get(f"{name.removesuffix('.pkl')}/{key}", 0)
            if wanted > there or wanted < 0:
                raise ModelError(
                    f"The weights {key!r} of this file are declared as {wanted:,} bytes, of which {there:,} are there",
                    seen=self.path,
                    remedy="The file is damaged or malicious: get it again from a source that you trust",
                )
        return pickled


def _read_in_two_ways(members: list[zipfile.ZipInfo], stream: IO[bytes]) -> list[str]:
    """All in an archive that another reader might take for something else."""
    found = [] if _count(members) == len(members) else ["a name twice"]
    stream.seek(-22, io.SEEK_END)
    if stream.read(4) != _END or min((member.header_offset for member in members), default=0) > 0:
        found.append("bytes before or after it")
    return [*found, *(member.filename for member in members if not _is_said_twice(stream, member))]


def _count(members: list[zipfile.ZipInfo]) -> int:
    """How many names there are to a reader that minds neither case nor how a path or a letter is written."""
    plain = [unicodedata.normalize("NFKC", m.filename).replace("\\", "/").casefold().split("/") for m in members]
    return len({tuple(part for part in (own.rstrip(" .") for own in parts) if part) for parts in plain})


def _is_said_twice(stream: IO[bytes], member: zipfile.ZipInfo) -> bool:
    """Whether the header before a member says what the list at the archive's end says of it."""
    stream.seek(member.header_offset)
    mark, flags, method, *told = _HEADER.unpack(stream.read(_HEADER.size))
    own = (member.CRC, member.compress_size, member.file_size)
    later = {0} if flags & _LATER else set()
    return (mark, flags, method) == (b"PK\x03\x04", member.flag_bits, member.compress_type) and all(
        said in {meant, _ELSEWHERE} | later for said, meant in zip(told, own, strict=True)
    )


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    outside = [m.filename for m in members if m.filename.startswith(("/", "\\")) or ".." in Path(m.filename).parts]
    if outside:
        raise ModelError("This archive names files outside itself", seen=outside[:3], remedy="Do not open it")
    pickles = [m for m in members if m.filename.endswith(".pkl") and m.file_size > LARGEST_PICKLE]
    if pickles:
        raise ModelError(
            "This archive's description of its weights is much too long",
            seen=f"{pickles[0].filename}: {pickles[0].file_size:,} bytes",
            allowed=f"at most {LARGEST_PICKLE:,}",
        )
