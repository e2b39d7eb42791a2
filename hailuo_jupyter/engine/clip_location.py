"""Locate a clip: in the folder in the log, or in one that it was moved to."""

from __future__ import annotations

import os
from pathlib import Path

from hailuo_jupyter.clip_file import Condition, clip_file
from hailuo_jupyter.files import file_sha256
from hailuo_jupyter.record import ClipRecord
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import FINAL, State


def saved_clips(log: RunLog) -> Path:
    """Return the folder next to a run log for clips whose own folders are not writable."""
    return log.path.absolute().with_name(f"{log.path.name}.clips")


def clip_path(row: Row) -> Path | None:
    """Return the path of a completed run's clip according to the log; None if it has none."""
    clip = row.record.clip
    return row.folder / clip.path if row.state is State.COMPLETED and clip else None


def is_clip(path: Path, clip: ClipRecord) -> bool:
    """Return whether a file is a record's clip, byte for byte. Blocks while it reads."""
    try:
        # The size first: it costs nothing, and decides most cases.
        if path.is_symlink() or not path.is_file() or path.stat().st_size != clip.bytes:
            return False
        return file_sha256(path) == clip.sha256
    except OSError:
        return False


def _has_its_size(path: Path, clip: ClipRecord) -> bool:
    return clip_file(path, clip).condition is Condition.HERE


def follow(row: Row, folder: Path, log: RunLog) -> Row:
    """Record in the log that a run was moved, with its notebook, to another output folder.

    Only if its own folder is gone, and the other one has no file of the clip's name, or has the clip or a
    changed version of it; or if the clip is missing in its own folder, and a file with exactly its bytes is
    in the other one. A file of the same size but other bytes is not the clip.

    Parameters
    ----------
    row, log
        The run, and the log it is in.
    folder
        The output folder of the notebook now.

    Returns
    -------
    Row
        The run's current row.
    """
    if row.folder == folder:
        return row
    clip, logged = row.record.clip, clip_path(row)
    gone = not os.path.exists(row.folder)  # noqa: PTH110 -- it never raises
    if clip is not None and logged is not None:
        candidate = folder / clip.path
        moved = not logged.is_file() and (
            is_clip(candidate, clip) or (gone and not _has_its_size(candidate, clip))
        )
    else:
        moved = gone and row.state not in FINAL
    return log.relocate(row.run_id, folder, was=row.folder) if moved else row
