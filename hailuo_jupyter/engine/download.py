"""From a link to a checked clip on disk: streamed to a ``.part`` file, then renamed in one step."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from hailuo_jupyter.errors import (
    NOTHING_SENT,
    ClipError,
    ClipTooLarge,
    DiskError,
    DiskFull,
    FolderNotWritable,
    HailuoError,
)
from hailuo_jupyter.media import ClipFacts, examine
from hailuo_jupyter.providers.http import Http

#: Status codes under which a signed link or a deleted file shows itself.
_LINK_GONE = frozenset({401, 403, 404, 410})

#: A clip of 10 s at 1080P has some 20 MB; a folder with less room than this is refused beforehand.
_ROOM_BYTES = 64 * 1024 * 1024

#: So much is written and hashed at once, on a thread, while the next comes. With less of it at once the
#: two threads wait for each other's turn of the interpreter; with more they are seldom both at work.
_AT_ONCE_BYTES = 2 * 1024 * 1024

_FETCHED_LATER = "The clip is paid for and stays at the provider for a while."


class LinkGone(Exception):
    """The link does not lead to the clip any more; the provider may give a new one."""


async def download(
    http: Http,
    link: str,
    target: Path,
    *,
    trusted_host: str | None,
    largest: int,
    on_progress: Callable[[int, int | None], None] = lambda _got, _whole: None,
) -> ClipFacts:
    """Fetch a clip.

    Parameters
    ----------
    http
        The connections.
    link
        Address of the clip; no key goes along.
    target
        Where the clip shall lie. It appears there only when it is whole, checked and on the disk.
    trusted_host
        The provider's own host (see `Http.download`).
    largest
        Most bytes that are taken.
    on_progress
        Told the bytes that came so far, and all there will be where that is known.

    Returns
    -------
    ClipFacts
        What PyAV reads from the file, with its sha256.

    Raises
    ------
    LinkGone
        The link has died.
    ClipError
        What came is cut short or no video.
    ClipTooLarge
        It is larger than allowed, as its length says before anything is read, or as it comes.
    DiskFull, FolderNotWritable, DiskError
        The file could not be written.
    Unsent, Lost
        The connection failed.
    """
    part = target.with_name(target.name + ".part")
    try:
        async with http.download(link, trusted_host=trusted_host) as stream:
            if stream.status in _LINK_GONE:
                raise LinkGone(str(stream.status))
            if stream.status != 200:
                raise ClipError(
                    f"The clip's link answered {stream.status}.",
                    money=_FETCHED_LATER,
                    todo="It is fetched again by itself.",
                )
            whole = _length(stream.headers)
            if whole is not None and whole > largest:
                raise _too_large(largest)
            digest, got = await _write(stream.chunks, part, whole, largest, on_progress)
        if whole is not None and got != whole:
            raise ClipError(
                f"The clip came cut short: {got} of {whole} bytes.",
                money=_FETCHED_LATER,
                todo="It is fetched again by itself.",
            )
        facts = await asyncio.to_thread(examine, part, sha256=digest)
        await asyncio.to_thread(_settle, part, target)
    except OSError as error:
        raise disk_error(error, target.parent) from None
    finally:
        with suppress(OSError):  # the folder is gone, or does not let us: said above
            part.unlink(missing_ok=True)
    return facts


async def _write(
    chunks: AsyncIterator[bytes],
    part: Path,
    whole: int | None,
    largest: int,
    on_progress: Callable[[int, int | None], None],
) -> tuple[str, int]:
    digest, got, waiting = hashlib.sha256(), 0, bytearray()
    writing: set[asyncio.Future[None]] = set()
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:

        def put(data: bytearray) -> None:
            file.write(data)
            digest.update(data)

        async def in_turn(data: bytearray) -> None:
            if writing:
                await asyncio.wait(writing)
                writing.pop().result()
            writing.add(asyncio.get_running_loop().run_in_executor(None, put, data))

        try:
            async for chunk in chunks:
                got += len(chunk)
                if got > largest:
                    raise _too_large(largest)
                waiting += chunk
                on_progress(got, whole)
                if len(waiting) >= _AT_ONCE_BYTES:
                    # What comes next is received meanwhile: disk and hash need no interpreter.
                    await in_turn(waiting)
                    waiting = bytearray()
            await in_turn(waiting)
        finally:
            if writing:
                await asyncio.wait(writing)  # a thread cannot be cancelled, and needs the file open
        writing.pop().result()
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return digest.hexdigest(), got


def _too_large(largest: int) -> ClipTooLarge:
    return ClipTooLarge(
        f"What the clip's link sends is larger than {largest / 1000**3:g} GB.",
        money=_FETCHED_LATER,
        todo="If that can be, raise the limit (%config Hailuo.max_clip_gb = ...) and run "
        "'%hailuo resume'; else look at the provider's page for the clip.",
    )


def _length(headers: object) -> int | None:
    value = headers.get("content-length") if hasattr(headers, "get") else None
    return int(value) if isinstance(value, str) and value.isdecimal() else None


def _settle(part: Path, target: Path) -> None:
    part.replace(target)
    # The new name must outlive a power failure too; folders cannot be opened on Windows.
    if os.name == "posix":
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def disk_error(error: OSError, folder: Path) -> DiskError:
    """Turn an operating system's error into words.

    Parameters
    ----------
    error
        What the system said.
    folder
        The folder that was written to; only its name is told.
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(
            f"There is no space left for the clip in {folder.name!r}.",
            money=_FETCHED_LATER,
            todo="Free some space; it is fetched again by itself, or at once by '%hailuo resume'.",
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}:
        return FolderNotWritable(
            f"The folder {folder.name!r} cannot be written to.",
            money=_FETCHED_LATER,
            todo="Make it writable; it is fetched again by itself, or at once by '%hailuo resume'.",
        )
    return DiskError(
        f"The clip could not be written to {folder.name!r} ({error.strerror or type(error).__name__}).",
        money=_FETCHED_LATER,
        todo="It is fetched again by itself, or at once by '%hailuo resume'.",
    )


def check_folder(folder: Path) -> None:
    """Make sure, before anything is paid, that clips can be written to a folder.

    Raises
    ------
    FolderNotWritable, DiskFull
        With the words for a run that was not sent.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A file without a name: a killed process leaves none behind.
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")
            probe.flush()
        room = shutil.disk_usage(folder).free
    except OSError as error:
        problem: HailuoError = disk_error(error, folder)
    else:
        if room >= _ROOM_BYTES:
            return
        problem = DiskFull(
            f"There are only {room // 1000**2} MB left for clips in {folder.name!r}."
        )
    raise type(problem)(
        problem.what,
        money=NOTHING_SENT,
        todo="Free some space or make the folder writable, or name another one with --output.",
    )
