"""From a link to a checked clip on disk: streamed to its own partial file, then renamed in one step."""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hailuo_jupyter.engine.disk import Disk, Stuck
from hailuo_jupyter.engine.partial_file import PartialFile
from hailuo_jupyter.errors import (
    NOTHING_SENT,
    ClipError,
    ClipTooLarge,
    DiskError,
    DiskFull,
    FolderNotWritable,
    HailuoError,
)
from hailuo_jupyter.keys import KeyHeader
from hailuo_jupyter.media import ClipFacts, examine
from hailuo_jupyter.providers.http import Http
from hailuo_jupyter.providers.unpack import is_packed
from hailuo_jupyter.record.paths import clip_name, unchecked_name

#: Status codes of an expired link or a deleted file.
_LINK_GONE = frozenset({401, 403, 404, 410})

#: A clip of 10 s at 1080P has about 20 MB; a folder with less free space than this is rejected beforehand.
_ROOM_BYTES = 64 * 1024 * 1024

#: Bytes written and hashed at a time, on a thread, while the next arrive. With less, the
#: two threads contend for the interpreter; with more, they seldom work at the same time.
_AT_ONCE_BYTES = 2 * 1024 * 1024

#: Seconds to wait for the removal of a failed download.
_REMOVAL_S = 2.0

_FETCHED_LATER = "The clip is paid for; the provider keeps it for a while."


@dataclass(frozen=True)
class Target:
    """Where a clip is stored, and who stores it.

    Parameters
    ----------
    folder, run_id
        The output folder, and whose clip it is.
    owner
        Id of the downloading process in the run log; empty for none.
    disk
        Does the file operations.
    stem
        Name of its files without the suffix; the run's id if empty.
    """

    folder: Path
    run_id: str
    owner: str = ""
    disk: Disk = field(default_factory=Disk, repr=False)
    stem: str = ""

    def __post_init__(self) -> None:
        if not self.stem:
            object.__setattr__(self, "stem", self.run_id)

    def named(self, suffix: str) -> Path:
        """Return the clip's file; it appears there only once it is complete, checked and on disk."""
        return self.folder / clip_name(self.stem, suffix)

    @property
    def unchecked(self) -> Path:
        """Where data is kept that could not be verified as the complete clip."""
        return self.folder / unchecked_name(self.stem)


class LinkGone(Exception):
    """The link has expired; the provider may return a new one."""


async def download(
    http: Http,
    link: str,
    target: Target,
    *,
    trusted_host: str | None,
    largest: int,
    key: KeyHeader | None = None,
    on_progress: Callable[[int, int | None], None] = lambda _got, _whole: None,
) -> ClipFacts:
    """Fetch a clip.

    Parameters
    ----------
    http
        The connections.
    link
        Address of the clip.
    target
        Where the clip goes.
    trusted_host
        The provider's own host (see `Http.download`).
    largest
        Maximum size in bytes.
    key
        The header with the key, if the link is an API call of the provider.
    on_progress
        Called with the bytes received so far, and the total if known.

    Returns
    -------
    ClipFacts
        What PyAV reads from the file, with its sha256.

    Raises
    ------
    LinkGone
        The link has expired.
    ClipError
        The data is truncated or not a video.
    ClipTooLarge
        It is larger than allowed, by its announced length or as received.
    DiskFull, FolderNotWritable, DiskError
        The file could not be written.
    Unsent, Lost
        The connection failed.
    """
    async with http.download(link, trusted_host=trusted_host, key=key) as stream:
        if stream.status in _LINK_GONE:
            raise LinkGone(str(stream.status))
        if not 200 <= stream.status < 300:
            raise _not_here(f"The download failed with status {stream.status}.")
        if _is_part(stream.headers.get("content-range", "")):
            raise _not_here("The download has only a part of the clip.")
        whole = _length(stream.headers)
        return await save(
            stream.chunks, target, whole=whole, largest=largest, on_progress=on_progress
        )


async def save(
    chunks: AsyncIterator[bytes],
    target: Target,
    *,
    whole: int | None,
    largest: int,
    on_progress: Callable[[int, int | None], None] = lambda _got, _whole: None,
) -> ClipFacts:
    """Write a clip as it arrives, check it, and rename the file.

    Parameters
    ----------
    chunks
        Its bytes.
    target, largest, on_progress
        As for `download`.
    whole
        Total bytes; None if unknown.

    Raises
    ------
    ClipError, ClipTooLarge, DiskFull, FolderNotWritable, DiskError
        As `download`. Whatever `chunks` raises passes through.
    """
    if whole is not None and whole > largest:
        raise _too_large(largest)
    folder, disk = target.folder, target.disk
    part = PartialFile(folder, target.run_id, target.owner)
    try:
        await disk.run(folder, part.create)
        write = partial(disk.begin, folder, part.write)
        got = await _write(chunks, write, whole, largest, on_progress)
        await disk.run(folder, part.sync)
        if whole is not None and got != whole:
            raise _not_here(f"The download ended early: {got} of {whole} bytes.")
        sha256 = part.sha256.hexdigest()
        try:
            check = partial(examine, sha256=sha256)
            facts: ClipFacts = await disk.run(folder, part.examine, check)
        except ClipError as error:
            kept = await disk.run(folder, part.keep_as, target.unchecked)
            raise _unchecked(error, part, target, kept=kept) from None
        await disk.run(folder, part.move_to, target.named(facts.suffix), target.unchecked)
    except OSError as error:
        raise disk_error(error, folder) from None
    else:
        return facts
    finally:
        if not part.moved:
            part.abandon()
            # If the folder is stuck, the stuck operation removes it in the end.
            await asyncio.wait({disk.begin(folder, part.remove, patient=True)}, timeout=_REMOVAL_S)


async def _write(
    chunks: AsyncIterator[bytes],
    write: Callable[[bytearray], asyncio.Future[None]],
    whole: int | None,
    largest: int,
    on_progress: Callable[[int, int | None], None],
) -> int:
    got, waiting = 0, bytearray()
    writing: asyncio.Future[None] | None = None
    async for chunk in chunks:
        got += len(chunk)
        if got > largest:
            raise _too_large(largest)
        waiting += chunk
        on_progress(got, whole)
        if len(waiting) >= _AT_ONCE_BYTES:
            # The next data is received meanwhile: writing and hashing release the interpreter lock.
            if writing is not None:
                await asyncio.shield(writing)
            writing = write(waiting)
            waiting = bytearray()
    if writing is not None:
        await asyncio.shield(writing)
    await asyncio.shield(write(waiting))
    return got


def _is_part(content_range: str) -> bool:
    """Return whether a 206 response contains less than the whole file."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range.strip())
    return found is not None and (int(found[1]) > 0 or int(found[2]) + 1 < int(found[3]))


def _not_here(what: str) -> ClipError:
    return ClipError(what, money=_FETCHED_LATER, todo="Retrying automatically.")


def _unchecked(error: ClipError, part: PartialFile, target: Target, *, kept: bool) -> ClipError:
    """Return the error that says why the data is not accepted as the clip, and where it is kept."""
    what = error.what.replace(part.path.name, clip_name(target.stem))
    again = "Retrying automatically."
    if kept:
        again += f" The data received so far is in {target.unchecked.name}."
    return ClipError(what, money=_FETCHED_LATER, todo=again)


def _too_large(largest: int) -> ClipTooLarge:
    return ClipTooLarge(
        f"The clip is larger than the {largest / 1000**3:g} GB limit.",
        money=_FETCHED_LATER,
        todo="To download it, raise %config Hailuo.max_clip_gb and run '%hailuo resume'.",
    )


def _length(headers: Mapping[str, str]) -> int | None:
    if is_packed(headers.get("content-encoding", "")):
        return None
    value = headers.get("content-length", "")
    return int(value) if value.isdecimal() else None


def disk_error(error: OSError, folder: Path) -> DiskError:
    """Turn an operating system's error into an error message.

    Parameters
    ----------
    error
        The system's error.
    folder
        The folder that was written to; only its name is shown.
    """
    if isinstance(error, Stuck):
        return DiskError(
            f"The folder {folder.name!r} is not responding.",
            money=_FETCHED_LATER,
            todo="Check that its drive is connected. Retrying automatically.",
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(
            f"No space left for the clip in {folder.name!r}.",
            money=_FETCHED_LATER,
            todo="Free some space. Retrying automatically, or at once with '%hailuo resume'.",
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}:
        return FolderNotWritable(
            f"The folder {folder.name!r} cannot be written to.",
            money=_FETCHED_LATER,
            todo="Make it writable. Retrying automatically, or at once with '%hailuo resume'.",
        )
    return DiskError(
        f"The clip could not be written to {folder.name!r} ({error.strerror or type(error).__name__}).",
        money=_FETCHED_LATER,
        todo="Retrying automatically, or at once with '%hailuo resume'.",
    )


def check_folder(folder: Path) -> None:
    """Check, before anything is paid, that clips can be written to a folder.

    Raises
    ------
    FolderNotWritable, DiskFull
        With the message for a run that was not sent.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # An unnamed file: a killed process leaves nothing behind.
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")
            probe.flush()
        room = shutil.disk_usage(folder).free
    except OSError as error:
        problem: HailuoError = disk_error(error, folder)
    else:
        if room >= _ROOM_BYTES:
            return
        problem = DiskFull(f"Only {room // 1000**2} MB left for clips in {folder.name!r}.")
    raise type(problem)(
        problem.what,
        money=NOTHING_SENT,
        todo="Free some space, make the folder writable or choose another with --output.",
    )
