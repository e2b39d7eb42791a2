"""Where a clip lies by now: in the folder that the log knows, or in one that it was moved to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hailuo_jupyter.frame import sha256
from hailuo_jupyter.record import ClipRecord
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State


def clip_file(row: Row) -> Path | None:
    """Give where the log says that a completed run's clip lies; None where it has none."""
    clip = row.record.clip
    return row.folder / clip.path if row.state is State.COMPLETED and clip else None


def is_clip(path: Path, clip: ClipRecord) -> bool:
    """Tell whether a file is a record's clip, byte for byte. Blocks while it reads."""
    try:
        # The size first: it costs nothing, and settles most cases.
        if path.is_symlink() or not path.is_file() or path.stat().st_size != clip.bytes:
            return False
        return sha256(path.read_bytes()) == clip.sha256
    except OSError:
        return False


def find_moved(rows: Iterable[Row], folder: Path, log: RunLog) -> list[Row]:
    """Have the log know of clips that were moved, with their notebook, to another output folder.

    Only where a clip is missing in its own folder, and a file of its name with its very bytes lies
    in the other one.

    Parameters
    ----------
    rows, log
        Runs, and the log they are in.
    folder
        The output folder of the notebook as it stands now.

    Returns
    -------
    list of Row
        The runs whose folder was changed, as they stand now.
    """
    found = []
    for row in rows:
        clip, known = row.record.clip, clip_file(row)
        if clip is None or known is None or row.folder == folder or known.is_file():
            continue
        if is_clip(folder / clip.path, clip):
            found.append(log.relocate(row.run_id, folder, was=row.folder))
    return found
