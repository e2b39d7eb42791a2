"""Check a video file's kind and completeness by its own structure, without FFmpeg.

FFmpeg forgives a missing end and trusts what an index claims: a few bytes can make it allocate a table
for billions of samples. So this module checks a file before FFmpeg sees it.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise, repeat
from pathlib import Path, PurePath
from typing import BinaryIO

#: Suffixes that a clip's file can have here, and their media types. All but the first are kept as they
#: came, though no provider has announced them.
MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
}
SUFFIXES = tuple(MEDIA_TYPES)

#: What every provider has sent so far, and what is announced.
DEFAULT_SUFFIX = ".mp4"

#: Limits for samples, boxes and bytes of an index. A clip of ten seconds has about 1,000 samples; with
#: uncompressed sound 500,000.
_MOST_SAMPLES, _MOST_BOXES, _MOST_INDEX_BYTES = 2_000_000, 100_000, 32 * 1024 * 1024

_HEAD_BYTES = 4096

#: Boxes that may be on a file's top level (ISO/IEC 14496-12, table 1, and QuickTime's). Anything else
#: after the last of them is not a box, but appended data.
_TOP = frozenset(
    b"ftyp pdin moov moof mfra mdat free skip wide meta meco styp sidx ssix prft emsg uuid pnot udta "
    b"imda bloc".split()
)
_MOV_BEGINS = frozenset(b"moov mdat wide free skip pnot".split())


class NoContainer(Exception):
    """The file is not a known kind of video, or has implausible sizes; the message says which."""


def media_type(name: str) -> str:
    """Return the media type of a clip by its file's name."""
    return MEDIA_TYPES.get(PurePath(name).suffix.lower(), MEDIA_TYPES[DEFAULT_SUFFIX])


def kind_of(name: str) -> str:
    """Return what kind of file a clip is, as ``WEBM``, if that is not the usual one; else nothing."""
    suffix = PurePath(name).suffix.lower()
    unusual = suffix in MEDIA_TYPES and suffix != DEFAULT_SUFFIX
    return suffix.removeprefix(".").upper() if unusual else ""


@dataclass(frozen=True)
class Container:
    """A video file's kind and end.

    Parameters
    ----------
    suffix
        The correct file suffix, one of `MEDIA_TYPES`.
    demuxer
        FFmpeg's name for the kind.
    needed
        Bytes that the file must have according to its own index and headers.
    ends
        Whether those would show that the end is missing. Some files are written in fragments, and
        no fragment states how many there are.
    seconds
        Its expected duration, if the header of such a file states it.
    """

    suffix: str
    demuxer: str
    needed: int
    ends: bool = True
    seconds: float | None = None


def look(path: Path) -> Container:
    """Inspect a file's structure. Reads only its headers and index.

    Raises
    ------
    NoContainer
        If it is no video of a known kind, or its index is larger than that of any clip.
    OSError
        If it cannot be read.
    """
    with open(path, "rb", opener=_open) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise NoContainer("is not a regular file")
        size = found.st_size
        head = file.read(_HEAD_BYTES)
        if head[4:8] == b"ftyp" or head[4:8] in _MOV_BEGINS:
            quicktime = head[4:8] != b"ftyp" or head[8:12] == b"qt  "
            return _Boxes(file, size).look(".mov" if quicktime else ".mp4")
        if head.startswith(_EBML):
            return _matroska(head)
        if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
            length = int.from_bytes(head[4:8], "little")
            has_length = length not in {0, 0xFFFFFFFF}  # what a writer leaves that cannot seek back
            return Container(".avi", "avi", 8 + length if has_length else 0, has_length)
    raise NoContainer(_other_kind(head))


def _open(path: str, flags: int) -> int:
    # Opening a pipe that has the clip's name could block forever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _other_kind(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if not head:
        return "is empty"
    if text.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the clip itself"
    if text.startswith(b"/annex/objects/"):
        return "is a git-annex pointer, not the clip itself"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is an HTML page, not a video"
    if text.startswith((b"<?xml", b"{", b"[", b"#extm3u")):
        return "is text, not a video"
    return "is not a video in a known format"


# ── Matroska and WebM (RFC 8794, RFC 9559) ─────────────────────────────────────────────────────

_EBML, _SEGMENT, _DOC_TYPE = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x42\x82"


def _number(data: bytes, offset: int) -> tuple[int | None, int]:
    """Read a number of variable length, and where it ends; None for one that means "not known"."""
    first = data[offset] if offset < len(data) else 0
    length = 9 - first.bit_length()
    if first == 0 or offset + length > len(data):
        raise NoContainer("is truncated within its header")
    value = int.from_bytes(data[offset : offset + length]) & ((1 << (7 * length)) - 1)
    return (None if value == (1 << (7 * length)) - 1 else value), offset + length


def _matroska(head: bytes) -> Container:
    length, offset = _number(head, 4)
    stop = offset + (length or 0)
    found = head.find(_DOC_TYPE, offset, stop)
    webm = found >= 0 and head[found + 3 :].startswith(b"webm")
    suffix = ".webm" if webm else ".mkv"
    if not head.startswith(_SEGMENT, stop):
        raise NoContainer("is truncated within its header")
    segment, offset = _number(head, stop + 4)
    if segment is None:
        return Container(suffix, "matroska", 0, ends=False)
    return Container(suffix, "matroska", offset + segment)


# ── MP4 and QuickTime (ISO/IEC 14496-12) ───────────────────────────────────────────────────────


@dataclass
class _Track:
    """What a track's header says for its samples in fragments."""

    size: int = 0


@dataclass
class _Boxes:
    """The boxes of one file.

    A box is headed by its length in 4 bytes (or, if that is 1, in 8 bytes after the name; if 0, up to
    the end of the file) and a name of 4 bytes: ISO/IEC 14496-12, 4.2.
    """

    file: BinaryIO
    size: int
    needed: int = 0
    samples: int = 0
    indexed: bool = False
    fragmented: bool = False
    fragments: int = 0
    scale: int = 0
    length: int = 0
    listed_until: int = 0
    last_fragment: int = 0
    closed: bool = False
    tracks: dict[int, _Track] = field(default_factory=dict)

    def look(self, suffix: str) -> Container:
        for name, begin, body, stop in self._top():
            self.needed = max(self.needed, stop)
            if stop > self.size:
                break
            if name == b"moov":
                self._movie(self._read(body, stop))
            elif name == b"moof":
                self.fragments += 1
                self.last_fragment = begin
                self._fragment(self._read(body, stop), begin)
            elif name == b"sidx" and not self.fragments:
                self._segments(self._read(body, stop), stop)
            elif name == b"mfra":
                self.closed = True
        if not self.indexed and self.needed <= self.size:
            raise NoContainer("is truncated: it has no index of its frames")
        seconds = self.length / self.scale if self.fragmented and self.scale else 0.0
        listed = self.listed_until > self.last_fragment
        ends = not self.fragmented or self.closed or listed
        return Container(suffix, "mp4", self.needed, ends, seconds or None)

    def _top(self) -> Iterator[tuple[bytes, int, int, int]]:
        offset = 0
        for _ in range(_MOST_BOXES):
            if offset + 8 > self.size:
                return
            self.file.seek(offset)
            header = self.file.read(16)
            length, name = int.from_bytes(header[:4]), header[4:8]
            body = offset + 8
            if length == 1:
                length, body = int.from_bytes(header[8:16]), offset + 16
            elif length == 0:
                length = self.size - offset
            stop = offset + length
            if name not in _TOP and stop > self.size:
                return
            if stop < body:
                return
            yield name, offset, body, stop
            offset = stop
        raise NoContainer("has more parts than any clip")

    def _read(self, body: int, stop: int) -> memoryview:
        if stop - body > _MOST_INDEX_BYTES:
            raise NoContainer("has a larger index than any clip")
        self.file.seek(body)
        return memoryview(self.file.read(stop - body))

    def _count(self, samples: int) -> None:
        self.samples += samples
        if self.samples > _MOST_SAMPLES:
            raise NoContainer("lists more samples than any clip has")

    # ── index of the whole file ──

    def _movie(self, movie: memoryview) -> None:
        self.indexed = True
        for name, body in _inner(movie):
            if name == b"mvhd":
                long = _is_long(body)
                self.scale = _at(body, ">I", 20 if long else 12)
                self._declares(_at(body, ">Q", 24) if long else _at(body, ">I", 16), body)
            elif name == b"trak":
                self._track(body)
            elif name == b"mvex":
                self.fragmented = True
                for inner, each in _inner(body):
                    if inner == b"trex":
                        self.tracks[_at(each, ">I", 4)] = _Track(_at(each, ">I", 16))
                    elif inner == b"mehd":
                        long = _is_long(each)
                        self._declares(_at(each, ">Q" if long else ">I", 4), each)
        if self.samples:  # the header may count the first piece alone
            self.length = 0

    def _declares(self, length: int, body: memoryview) -> None:
        unknown = (1 << (64 if _is_long(body) else 32)) - 1
        self.length = max(self.length, 0 if length == unknown else length)

    def _track(self, track: memoryview) -> None:
        tables = {
            name: body
            for _, media in _named(track, b"mdia")
            for _, info in _named(media, b"minf")
            for _, table in _named(info, b"stbl")
            for name, body in _inner(table)
        }
        sizes, count = _sizes(tables)
        self._count(count)
        if not count:
            return
        long = b"co64" in tables
        offsets = _numbers(tables.get(b"co64", tables.get(b"stco")), 4, 8 if long else 4)
        before = [0, *accumulate(sizes)] if isinstance(sizes, list) else None
        first = 0
        for offset, samples in zip(offsets, _per_chunk(tables.get(b"stsc")), strict=False):
            last = min(first + samples, count)
            if before is not None:
                chunk = before[min(last, len(before) - 1)] - before[min(first, len(before) - 1)]
            else:
                chunk = (last - first) * (sizes if isinstance(sizes, int) else 0)
            self.needed = max(self.needed, offset + chunk)
            first = last
            if first >= count:
                break

    # ── fragments ──

    def _fragment(self, fragment: memoryview, begin: int) -> None:
        self.fragmented = True
        data = begin
        for name, body in _inner(fragment):
            if name == b"traf":
                data = self._run(body, begin, data)

    def _run(self, fragment: memoryview, begin: int, data: int) -> int:
        base, size = data, 0
        for name, body in _inner(fragment):
            flags = int.from_bytes(body[1:4])
            if name == b"tfhd":
                size = self.tracks.get(_at(body, ">I", 4), _Track()).size
                offset = 8
                if flags & 0x1:
                    base, offset = _at(body, ">Q", offset), offset + 8
                elif flags & 0x20000:
                    base = begin
                offset += 4 * bool(flags & 0x2) + 4 * bool(flags & 0x8)
                if flags & 0x10:
                    size = _at(body, ">I", offset)
                data = base
            elif name == b"trun":
                count, offset = _at(body, ">I", 4), 8
                self._count(count)
                if flags & 0x1:
                    data, offset = base + _at(body, ">i", offset), offset + 4
                offset += 4 * bool(flags & 0x4)
                widths = [bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800)]
                if flags & 0x200:
                    row = 4 * sum(widths)
                    room = max(0, len(body) - offset) // row
                    skip = 4 * widths[0]
                    rows = range(offset + skip, offset + min(count, room) * row, row)
                    data += sum(_at(body, ">I", each) for each in rows)
                else:
                    data += count * size
                self.needed = max(self.needed, data)
        return data

    def _segments(self, listed: memoryview, stop: int) -> None:
        """Read a list of the fragments that follow it, if it lists all of them."""
        long = _is_long(listed)
        at = 12 + (16 if long else 8)
        offset = _at(listed, ">Q", 20) if long else _at(listed, ">I", 16)
        count = _at(listed, ">H", at + 2)
        lengths = [_at(listed, ">I", at + 4 + 12 * each) & 0x7FFFFFFF for each in range(count)]
        until = stop + offset + sum(lengths)
        self.needed = max(self.needed, until)
        if count > 1:  # each fragment may begin with a list of one
            self.listed_until = max(self.listed_until, until)


def _inner(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the names and contents of the boxes in a box, as far as they fit."""
    offset = 0
    while offset + 8 <= len(data):
        length, name, body = (
            _at(data, ">I", offset),
            bytes(data[offset + 4 : offset + 8]),
            offset + 8,
        )
        if length == 1:
            length, body = _at(data, ">Q", offset + 8), offset + 16
        if offset + length < body:
            return
        yield name, data[body : offset + length]
        offset += length


def _named(data: memoryview, name: bytes) -> Iterator[tuple[bytes, memoryview]]:
    return (each for each in _inner(data) if each[0] == name)


def _is_long(data: memoryview) -> bool:
    """Return whether a box is of version 1, whose times and offsets have 8 bytes."""
    return len(data) > 0 and data[0] == 1


def _at(data: memoryview, form: str, offset: int) -> int:
    """Read a number; 0 where the box is too short for it."""
    if offset + struct.calcsize(form) > len(data):
        return 0
    value: int = struct.unpack_from(form, data, offset)[0]
    return value


def _numbers(table: memoryview | None, counted_at: int, width: int) -> list[int]:
    """Read a table of numbers that follows its count, as far as it fits."""
    if table is None:
        return []
    offset = counted_at + 4
    count = min(_at(table, ">I", counted_at), max(0, len(table) - offset) // width)
    form = {1: "B", 2: "H", 4: "I", 8: "Q"}[width]
    return list(struct.unpack_from(f">{count}{form}", table, offset)) if count else []


def _sizes(tables: dict[bytes, memoryview]) -> tuple[list[int] | int, int]:
    """Return the sizes of a track's samples, or the one of them all, and how many there are."""
    if (table := tables.get(b"stsz")) is not None:
        if same := _at(table, ">I", 4):
            return same, _at(table, ">I", 8)
        return _numbers(table, 8, 4), _at(table, ">I", 8)
    if (table := tables.get(b"stz2")) is not None:
        bits, count = _at(table, ">I", 4) & 0xFF, _at(table, ">I", 8)
        if bits in {8, 16}:
            return _numbers(table, 8, bits // 8), count
        pairs = table[12 : 12 + (count + 1) // 2]
        return [half for each in pairs for half in (each >> 4, each & 15)][:count], count
    return 0, 0


def _per_chunk(table: memoryview | None) -> Iterator[int]:
    """Return how many samples each chunk has, without end."""
    flat: list[int] = []
    count = 0 if table is None else min(_at(table, ">I", 4), max(0, len(table) - 8) // 12)
    if table is not None and count:
        flat = list(struct.unpack_from(f">{3 * count}I", table, 8))
    rows = list(zip(flat[0::3], flat[1::3], strict=False))[:count]
    runs = (repeat(each[1], max(0, after[0] - each[0])) for each, after in pairwise(rows))
    return chain(chain.from_iterable(runs), repeat(rows[-1][1] if rows else 0))
