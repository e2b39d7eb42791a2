"""Decompress a file that a server has compressed (Content-Encoding), as it arrives, in small chunks.

A clip is requested uncompressed. Some stores compress it anyway, or claim that without doing so.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

_GZIP = frozenset({"gzip", "x-gzip"})
_PACKED = _GZIP | {"deflate"}

#: Bytes unpacked at a time: a small file can unpack to gigabytes, and the caller has a limit.
_AT_ONCE = 1024 * 1024

#: Number of bytes that show whether data is compressed.
_HEAD = 8


class NotWhole(Exception):
    """The compressed data is truncated or damaged."""


def is_packed(encoding: str) -> bool:
    """Return whether a Content-Encoding means that the data has to be decompressed."""
    return bool(_names(encoding))


def _names(encoding: str) -> list[str]:
    names = (each.strip().lower() for each in encoding.split(","))
    return [each for each in names if each in _PACKED]


def unpacked(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Undo a Content-Encoding if it is gzip or deflate; other data is unchanged.

    Parameters
    ----------
    chunks
        The received data.
    encoding
        The header's value; empty if there is none.

    Raises
    ------
    NotWhole
        During iteration, if the data is truncated or damaged.
    """
    for name in reversed(_names(encoding)):
        chunks = _inflated(chunks, name)
    return chunks


async def _inflated(chunks: AsyncIterator[bytes], name: str) -> AsyncIterator[bytes]:
    head = b""
    unpacker: zlib._Decompress | None = None
    begun = False
    async for each in chunks:
        chunk = each
        if not begun:
            head += chunk
            if len(head) < _HEAD:
                continue
            begun, unpacker, chunk = True, _unpacker(head, name), head
        if unpacker is None:
            yield chunk
            continue
        async for piece in _pieces(unpacker, chunk):
            yield piece
    if not begun:
        yield head
    elif unpacker is not None and not unpacker.eof:
        raise NotWhole("the compressed data is truncated")


async def _pieces(unpacker: zlib._Decompress, chunk: bytes) -> AsyncIterator[bytes]:
    while chunk and not unpacker.eof:  # data after the end does not belong to the file
        try:
            piece = unpacker.decompress(chunk, _AT_ONCE)
        except zlib.error:
            raise NotWhole("the compressed data is damaged") from None
        chunk = unpacker.unconsumed_tail
        if piece:
            yield piece


def _unpacker(head: bytes, name: str) -> zlib._Decompress | None:
    """Return a decompressor for data with this start; None if it is not compressed."""
    if head.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    if name in _GZIP or head[4:8] == b"ftyp":
        return None
    has_header = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0
    return zlib.decompressobj(wbits=zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
