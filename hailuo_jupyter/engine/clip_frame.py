"""A picture of a run's clip, as the first or last frame of another one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter import media
from hailuo_jupyter.clip_file import Condition, clip_file
from hailuo_jupyter.errors import NOTHING_SENT, ClipError, FrameError
from hailuo_jupyter.files import file_sha256, sha256
from hailuo_jupyter.request.frames import ClipFrame, FrameOrigin
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from PIL.Image import Image

    from hailuo_jupyter.runlog import Row, RunLog

_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*s?", re.ASCII)
_FETCH = "Rerun its cell to download it again while the provider keeps it."
_WHERE = "Use 'first', 'last' or a time in seconds such as 2.5s."


def clip_frame(row: Row, where: str | float, logs: Iterable[RunLog] = ()) -> ClipFrame:
    """Extract a picture from a run's clip. Blocks while it reads and decodes.

    A picture that an earlier request sent is used again: another version of PyAV may round the colors of
    the same frame differently, and a request with other pixels would be bought again.

    Parameters
    ----------
    row
        The run.
    where
        ``"first"``, ``"last"``, or seconds from the clip's start: ``2.5``, ``"2.5s"``.
    logs
        The logs with the earlier requests.

    Raises
    ------
    FrameError
        If there is no clip here, it cannot be read, or it is shorter.
    """
    position, clip = _time(where), row.record.clip
    if row.state is not State.COMPLETED or clip is None:
        raise FrameError(
            f"Run {row.run_id} has no clip to take a frame from ({row.state.words.lower()}).",
            money=NOTHING_SENT,
            todo=f"Wait for it with '%hailuo wait {row.run_id}', or use another run.",
        )
    path = row.folder / clip.path
    if path.is_symlink() and (file := clip_file(path, clip)).condition is Condition.DAMAGED:
        raise FrameError(
            f"The clip of run {row.run_id} {file.why}.", money=NOTHING_SENT, todo=_FETCH
        )
    try:
        clip_sha256 = file_sha256(path)
        picture, seconds = media.still(path, position)
    except OSError as error:
        raise FrameError(
            f"The clip of run {row.run_id} is not in its folder {row.folder.name}.",
            money=NOTHING_SENT,
            todo="If the folder was moved, use 'jupyter hailuo relink FOLDER'. Otherwise: "
            f"{_FETCH}",
        ) from error
    except ClipError as error:
        damaged = clip_file(path, clip).condition is Condition.DAMAGED
        todo = _FETCH if damaged else error.todo
        raise FrameError(error.what, money=NOTHING_SENT, todo=todo) from error
    origin = FrameOrigin(row.run_id, clip_sha256, round(seconds, 3), _words(row, position))
    return ClipFrame(_sent_earlier(origin, row.created, logs) or picture, origin)


def _sent_earlier(origin: FrameOrigin, since: float, logs: Iterable[RunLog]) -> Image | None:
    """Return the picture that the oldest request with this frame of the clip has sent, if it is kept."""
    taken = (origin.clip_sha256, origin.at_s)
    for row in chain.from_iterable(log.naming(origin.clip_sha256, since) for log in logs):
        request = row.record.request if row.is_readable else None
        frames = (request.first_frame, request.last_frame) if request else ()
        for frame in frames:
            if frame is None or (frame.from_clip_sha256, frame.at_s) != taken or not frame.kept:
                continue
            if (picture := _kept(row.folder / frame.kept, frame.sha256)) is not None:
                return picture
    return None


def _kept(path: Path, expected: str | None) -> Image | None:
    """Return a stored frame; None if it is missing or was changed."""
    from PIL import Image

    try:
        data = path.read_bytes()
    except OSError:
        return None
    if sha256(data) != expected:
        return None
    picture = Image.open(BytesIO(data), formats=["PNG"])
    picture.load()
    return picture


def _words(row: Row, position: float | str) -> str:
    """Return what the picture is, by the run's name if it has one."""
    name = row.record.name or ""
    whose = name if name.isidentifier() else row.run_id[-6:]
    return (
        f"{position} frame of {whose}"
        if isinstance(position, str)
        else f"{position:g} s of {whose}"
    )


def _time(where: str | float) -> float | str:
    if isinstance(where, str):
        if where in {"first", "last"}:
            return where
        if found := _SECONDS.fullmatch(where):
            return float(found[1])
    elif not isinstance(where, bool):
        return float(where)
    raise FrameError(f"Invalid frame: {str(where)[:40]!a}.", money=NOTHING_SENT, todo=_WHERE)
