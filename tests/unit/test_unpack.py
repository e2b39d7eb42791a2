"""Undoing Content-Encoding: whatever the server says, and however little memory there is."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.providers.unpack import NotWhole, is_packed, unpacked

CLIP = b"\0\0\0\x20ftypisom" + bytes(range(256)) * 40


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP ": gzip.compress,
    "deflate": zlib.compress,
    "identity, deflate": raw_deflate,
    "gzip, deflate": lambda data: zlib.compress(gzip.compress(data)),
}


def read(data: bytes, encoding: str, size: int = 1000) -> list[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    async def main() -> list[bytes]:
        return [each async for each in unpacked(chunks(), encoding)]

    return asyncio.run(main())


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_what_was_packed_comes_out_as_it_was(encoding: str, size: int) -> None:
    packed = PACKERS[encoding](CLIP)
    assert b"".join(read(packed, encoding, size)) == CLIP
    assert b"".join(read(packed + b"behind the end", encoding, size)) == CLIP
    assert is_packed(encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "aws-chunked", "identity", "", ","])
@pytest.mark.parametrize("data", [CLIP, b"", b"short"])
def test_what_was_not_packed_stays_as_it_is(encoding: str, data: bytes) -> None:
    if encoding == "deflate" and data == b"short":
        return  # whatever that is, it is no clip
    assert b"".join(read(data, encoding)) == data


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("kept", [0.3, 0.7, -1])
def test_what_is_cut_off_is_not_whole(encoding: str, kept: float) -> None:
    packed = PACKERS[encoding](CLIP)
    with pytest.raises(NotWhole):
        read(packed[: int(len(packed) * kept) if kept > 0 else -1], encoding)


def test_a_small_file_that_unpacks_to_much_comes_in_small_pieces() -> None:
    packed = gzip.compress(bytes(200_000_000))
    assert len(packed) < 200_000
    assert max(map(len, read(packed, "gzip", 10**6))) <= 1024 * 1024


@given(st.binary(max_size=300), st.sampled_from([*PACKERS, "br", ""]), st.integers(1, 50))
def test_any_bytes_come_out_or_are_not_whole(data: bytes, encoding: str, size: int) -> None:
    try:
        read(data, encoding, size)
    except NotWhole as error:
        assert str(error)
