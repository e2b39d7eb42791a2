"""Keep the record next to the clip up to date with the run log, with concurrent writers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from hailuo_jupyter.engine.disk import Disk, Stuck
from hailuo_jupyter.engine.partial_file import remove_orphans
from hailuo_jupyter.errors import DiskError, RunLogError
from hailuo_jupyter.files import clear_half_written
from hailuo_jupyter.record.paths import sidecar_name
from hailuo_jupyter.record.sidecar import read_file, read_sidecar, write_sidecar
from hailuo_jupyter.request.frames import is_kept
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import SETTLED, State

logger = logging.getLogger(__name__)

#: Final states that get a sidecar; rejected runs get none.
_WRITTEN = SETTLED - {State.REJECTED}


def write_beside(row: Row, log: RunLog) -> None:
    """Write a run's record as ``<stem>.json`` in its output folder. Blocks.

    Two processes that change a run may write in the wrong order. So each reads the log again after
    writing, and the last one to write has the newest revision.

    Parameters
    ----------
    row, log
        The run, and the log it is in.

    Raises
    ------
    DiskError
        If it cannot be written; the log has it anyway.
    RunLogError
        If the log cannot be read.
    """
    while True:
        write_sidecar(row.record, row.folder)
        latest = log.find(row.run_id)
        if latest is None or latest.revision <= row.revision:
            return
        row = latest


async def write_to_the_end(
    rows: Sequence[Row], log: RunLog, disk: Disk, *, in_place: bool = False
) -> None:
    """Write the records of runs next to their clips, even if the engine is stopped meanwhile.

    If one cannot be written, the log has it anyway.

    Parameters
    ----------
    rows, log
        The runs, and the log they are in.
    disk
        Writes them; a stopping engine waits for it, even if it has not started.
    in_place
        Only for runs whose clip or record exists (see `has_place`).
    """
    folders: dict[Path, list[Row]] = {}
    for row in rows:
        folders.setdefault(row.folder, []).append(row)
    act = _write_those_in_place if in_place else _write_each
    for each in [disk.begin(folder, act, ours, log) for folder, ours in folders.items()]:
        try:
            await asyncio.shield(each)
        except Stuck:
            logger.warning("a folder of clips is not responding; the run log has their records")


def _write_those_in_place(rows: Sequence[Row], log: RunLog) -> None:
    _write_each([row for row in rows if has_place(row)], log)


def _write_each(rows: Sequence[Row], log: RunLog) -> None:
    for row in rows:
        try:
            write_beside(row, log)
        except (DiskError, RunLogError) as error:
            logger.warning("%s", error)


def write_what_was_left_out(row: Row, log: RunLog) -> None:
    """Write the record of a run whose process was killed after its end was logged.

    Only for the run's current owner. If it cannot be written, the log has it. Blocks.
    """
    if row.state not in _WRITTEN or not row.folder.is_dir():
        return
    _write_each([row], log)


def catch_up(rows: Iterable[Row], log: RunLog) -> None:
    """Complete what killed processes left undone next to the clips of finished runs.

    A late cost, or a person's rating, is stored in the log first. Here a record that is
    older than the log is rewritten, and partial files are removed. A record that is missing, or
    unreadable, is left as it is. Blocks.

    Parameters
    ----------
    rows, log
        The runs, and the log they are in.
    """
    folders: dict[Path, list[Row]] = {}
    for row in rows:
        path = row.folder / sidecar_name(row.record.file_stem)
        folders.setdefault(row.folder, []).append(row)
        try:
            behind = read_sidecar(path, read_file(path)).revision < row.revision
        except (OSError, ValueError):
            continue
        if behind:
            _write_each([row], log)
    for folder, ours in folders.items():
        clear_folder(folder, {sidecar_name(row.record.file_stem) for row in ours})
        remove_orphans(folder, {row.run_id for row in ours}, log.alive)


def clear_folder(folder: Path, names: Collection[str]) -> None:
    """Remove partial sidecars of these names that killed processes left in an output folder."""
    clear_half_written(folder, names.__contains__)
    clear_half_written(folder / "frames", is_kept)


def has_place(row: Row) -> bool:
    """Return whether the folder has a clip or an earlier record of the run.

    A note must not recreate a folder that was moved, or a record whose clip was deleted on purpose.
    """
    record = row.record
    names = [sidecar_name(record.file_stem), *(record.clip_paths if record.clip else [])]
    return any((row.folder / name).is_file() for name in names)
