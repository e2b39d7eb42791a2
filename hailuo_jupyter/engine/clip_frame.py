"""A picture of a run's clip, as the first or last frame of another one."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from hailuo_jupyter import media
from hailuo_jupyter.errors import NOTHING_SENT, ClipError, FrameError
from hailuo_jupyter.frame import ClipFrame, FrameOrigin
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.runlog import Row

_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*s?", re.ASCII)
_WHERE = "Say 'first', 'last', or a time in seconds such as 2.5s."


def clip_frame(row: Row, where: str | float) -> ClipFrame:
    """Take a picture out of a run's clip. Blocks while it reads and decodes.

    Parameters
    ----------
    row
        The run.
    where
        ``"first"``, ``"last"``, or seconds from the clip's beginning: ``2.5``, ``"2.5s"``.

    Raises
    ------
    FrameError
        If there is no clip here, it cannot be read, or it is shorter.
    """
    at, clip = _time(where), row.record.clip
    if row.state is not State.COMPLETED or clip is None:
        raise FrameError(
            f"Run {row.run_id} has no clip to take a frame from ({row.state.words.lower()}).",
            money=NOTHING_SENT,
            todo=f"Wait for it with '%hailuo wait {row.run_id}', or name another run.",
        )
    path = row.folder / clip.path
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        picture, seconds = media.still(path, at)
    except OSError as error:
        raise FrameError(
            f"The clip of run {row.run_id} is not in its folder {row.folder.name}.",
            money=NOTHING_SENT,
            todo="If the folder was moved, 'jupyter hailuo relink FOLDER' finds it; else run the "
            "cell that made it again, which fetches it while the provider keeps it.",
        ) from error
    except ClipError as error:
        raise FrameError(error.what, money=NOTHING_SENT, todo=error.todo) from error
    return ClipFrame(picture, FrameOrigin(row.run_id, sha256, round(seconds, 3)))


def _time(where: str | float) -> float | str:
    if isinstance(where, str):
        if where in {"first", "last"}:
            return where
        if found := _SECONDS.fullmatch(where):
            return float(found[1])
    elif not isinstance(where, bool):
        return float(where)
    raise FrameError(
        f"A clip has no frame at {str(where)[:40]!a}.", money=NOTHING_SENT, todo=_WHERE
    )
