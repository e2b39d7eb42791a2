"""A video file's structure: whatever stands in it, and wherever it was cut."""

from __future__ import annotations

import itertools
import struct
import tempfile
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.container import MEDIA_TYPES, Container, NoContainer, look


def box(name: bytes, *parts: bytes, long: bool = False) -> bytes:
    body = b"".join(parts)
    if long:
        return struct.pack(">I4sQ", 1, name, 16 + len(body)) + body
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name: bytes, *numbers: int, flags: int = 0, tail: bytes = b"") -> bytes:
    return box(name, struct.pack(f">{len(numbers) + 1}I", flags, *numbers), tail)


FTYP = box(b"ftyp", b"isom\0\0\0\0isom")


def track(offsets: Sequence[int], chunks: Sequence[Sequence[int]], *, long: bool = False) -> bytes:
    """Write a track whose chunks lie at these places and have samples of these sizes."""
    sizes = [size for chunk in chunks for size in chunk]
    # A row for each run of chunks with the same number of samples.
    rows = [
        (number, len(chunk), 1)
        for number, chunk in enumerate(chunks, 1)
        if number == 1 or len(chunk) != len(chunks[number - 2])
    ]
    places = struct.pack(f">{len(offsets)}{'Q' if long else 'I'}", *offsets)
    table = box(
        b"stbl",
        full(b"stsz", 0, len(sizes), *sizes),
        full(b"stsc", len(rows), *(each for row in rows for each in row)),
        full(b"co64" if long else b"stco", len(offsets), tail=places),
    )
    return box(b"trak", box(b"mdia", box(b"minf", table)))


@dataclass(frozen=True)
class Drawn:
    data: bytes
    needed: int


@st.composite
def indexed(draw: st.DrawFn) -> Drawn:
    """Draw a file of an index and the samples it names, with boxes that nobody knows between them."""
    chunks = draw(
        st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=5), min_size=1, max_size=6)
    )
    media = sum(map(sum, chunks))
    fillings = [
        draw(st.sampled_from([b"", box(b"free", b"xyz"), box(b"what", bytes(5))])) for _ in "123"
    ]
    long, last = draw(st.booleans()), draw(st.booleans())

    def offsets(first: int) -> list[int]:
        return [first + sum(map(sum, chunks[:number])) for number in range(len(chunks))]

    length = len(box(b"moov", track(offsets(0), chunks, long=long)))
    head = FTYP + fillings[0]
    wide = draw(st.booleans())
    before = len(head) + (0 if last else length) + len(fillings[1]) + (16 if wide else 8)
    index = box(b"moov", track(offsets(before), chunks, long=long))
    data = box(b"mdat", bytes(media), long=wide)
    parts = (data, fillings[2], index) if last else (index, fillings[1], data)
    whole = head + (fillings[1] if last else b"") + b"".join(parts)
    return Drawn(whole, len(whole))


def looked(data: bytes) -> Container:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(data)
        file.flush()
        return look(Path(file.name))


def whole(data: bytes) -> bool:
    """Tell whether a file counts as whole by its structure."""
    try:
        found = looked(data)
    except NoContainer:
        return False
    return found.ends and found.needed <= len(data)


#: What may stand behind the end: nothing of it is the name of a box that a file's top level has.
APPENDED = st.one_of(
    st.binary(max_size=60).filter(lambda data: b"m" not in data),
    st.just(b"\0" * 512),
    st.just(b"\r\n<!-- cached -->\r\n"),
)


@given(indexed(), APPENDED)
def test_a_file_with_all_that_its_index_names_is_whole_whatever_is_appended(
    drawn: Drawn, appended: bytes
) -> None:
    found = looked(drawn.data + appended)
    assert (found.suffix, found.demuxer, found.ends) == (".mp4", "mp4", True)
    assert found.needed <= len(drawn.data) + len(appended)
    assert looked(drawn.data).needed == drawn.needed


@given(indexed(), st.data())
def test_a_file_that_lacks_any_of_its_last_bytes_is_not(drawn: Drawn, data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, len(drawn.data) - 1))
    last = drawn.data[kept:]
    # A box that nobody knows, at the very end, holds nothing of the video.
    if len(last) <= 13 and last in box(b"what", bytes(5)):
        return
    assert not whole(drawn.data[:kept])


@given(indexed(), st.integers(1, 5000))
def test_samples_beyond_the_end_are_missing_though_every_box_is_there(
    drawn: Drawn, beyond: int
) -> None:
    length = len(box(b"moov", track([0], [[7, 9]])))
    place = len(drawn.data) + length + beyond
    index = box(b"moov", track([place], [[7, 9]]))
    assert looked(drawn.data + index).needed == place + 16


@st.composite
def pieces(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """Draw a file in pieces, and where each of them ends."""
    default = draw(st.integers(1, 30))
    head = FTYP + box(
        b"moov",
        full(b"mvhd", 0, 0, 1000, 0),
        box(b"mvex", full(b"trex", 1, 1, 0, default, 0)),
    )
    data, ends = head, [len(head)]
    for _ in range(draw(st.integers(1, 5))):
        sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=5))
        own = draw(st.booleans())
        media = sum(sizes) if own else default * len(sizes)

        def fragment(offset: int, sizes: list[int] = sizes, own: bool = own) -> bytes:
            rows = sizes if own else []
            run = full(b"trun", len(sizes), offset, *rows, flags=0x201 if own else 0x1)
            return box(b"moof", box(b"traf", full(b"tfhd", 1, flags=0x20000), run))

        piece = fragment(len(fragment(0)) + 8) + box(b"mdat", bytes(media))
        data += piece
        ends.append(len(data))
    return data, ends


@given(pieces(), st.data())
def test_a_file_in_pieces_is_never_whole_without_a_word_on_its_end(
    drawn: tuple[bytes, list[int]], data: st.DataObject
) -> None:
    content, ends = drawn
    assert not whole(content)
    assert looked(content).needed == len(content)
    closed = content + box(b"mfra", full(b"mfro", 24))
    assert whole(closed)
    for kept in (*ends, data.draw(st.integers(0, len(closed) - 1))):
        assert not whole(closed[:kept])


@given(pieces(), st.booleans())
def test_a_list_of_all_pieces_shows_that_one_is_missing(
    drawn: tuple[bytes, list[int]], long: bool
) -> None:
    content, ends = drawn
    lengths = [after - before for before, after in itertools.pairwise(ends)]
    rows = b"".join(struct.pack(">III", each, 1000, 0) for each in lengths)
    times = struct.pack(">QQ" if long else ">II", 0, 0)
    listed = box(
        b"sidx",
        struct.pack(">III", long << 24, 1, 1000),
        times,
        struct.pack(">HH", 0, len(lengths)),
        rows,
    )
    data = content[: ends[0]] + listed + content[ends[0] :]
    assert looked(data).needed == len(data)
    assert whole(data) == (len(lengths) > 1)
    for end in ends[:-1]:
        assert not whole(data[: end + len(listed)])


@given(
    st.binary(max_size=600), st.sampled_from([b"", FTYP, b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI "])
)
def test_any_bytes_are_a_container_or_none(data: bytes, head: bytes) -> None:
    try:
        found = looked(head + data)
    except NoContainer as error:
        assert str(error)
    else:
        assert found.suffix in MEDIA_TYPES


@given(indexed(), st.data())
def test_a_damaged_index_is_read_without_an_error_and_in_little_memory(
    drawn: Drawn, data: st.DataObject
) -> None:
    content = bytearray(drawn.data)
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    tracemalloc.start()
    try:
        looked(bytes(content))
    except NoContainer:
        pass
    finally:
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert highest < 4_000_000


HUGE = 0xFFFFFFF0
CLAIMS = {
    "samples of one size": box(
        b"moov",
        box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", full(b"stsz", 1, HUGE))))),
    ),
    "a table of samples": box(
        b"moov",
        box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", full(b"stsz", 0, HUGE))))),
    ),
    "a run of samples": box(b"moov", box(b"mvex", full(b"trex", 1, 1, 0, 0, 0)))
    + box(b"moof", box(b"traf", full(b"tfhd", 1), full(b"trun", HUGE))),
    "many runs": box(b"moov", box(b"mvex"))
    + box(b"moof", box(b"traf", full(b"tfhd", 1), full(b"trun", 30_000) * 100)),
    "boxes": box(b"free") * 200_000,
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_an_index_that_claims_what_no_clip_has_is_refused(claim: str) -> None:
    with pytest.raises(NoContainer, match=r"than any clip|any clip has"):
        looked(FTYP + CLAIMS[claim])


@pytest.mark.parametrize(
    ("head", "suffix"),
    [
        (FTYP, ".mp4"),
        (box(b"ftyp", b"qt  \0\0\0\0qt  "), ".mov"),
        (box(b"wide"), ".mov"),
    ],
)
def test_the_kind_of_file_is_told_by_its_first_box(head: bytes, suffix: str) -> None:
    at = len(head) + 8
    assert looked(head + box(b"mdat", bytes(9)) + box(b"moov", track([at], [[9]]))).suffix == suffix
