"""The record beside the clip, as the run log has it last, whoever else writes it at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from hailuo_jupyter.errors import DiskError, RunLogError
from hailuo_jupyter.images import is_kept
from hailuo_jupyter.record_file import read_file, read_sidecar, sidecar_name, write_sidecar
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import SETTLED, State
from hailuo_jupyter.whole import clear_half_written

logger = logging.getLogger(__name__)

#: Ends that stand in a sidecar; of what was refused nothing is kept beside the clips.
_WRITTEN = SETTLED - {State.REJECTED}


def write_beside(row: Row, log: RunLog) -> None:
    """Write a run's record as ``<run id>.json`` in its output folder. Blocks.

    Two that change a run at once may write in the wrong order. So whoever has written looks at the
    log again, and the last one to write has looked after all others.

    Parameters
    ----------
    row, log
        The run, and the log it is in.

    Raises
    ------
    DiskError
        If it cannot be written; the log has it all the same.
    RunLogError
        If the log cannot be read.
    """
    while True:
        write_sidecar(row.record, row.folder)
        latest = log.find(row.run_id)
        if latest is None or latest.revision <= row.revision:
            return
        row = latest


async def write_to_the_end(rows: Sequence[Row], log: RunLog) -> None:
    """Write the records of runs beside their clips, also where the engine is stopped meanwhile.

    Where one cannot be written, the log has it all the same.
    """
    loop = asyncio.get_running_loop()
    # Shielded, and no task: an engine that is stopped waits for it, even if it has not begun.
    await asyncio.shield(loop.run_in_executor(None, _write_each, rows, log))


def _write_each(rows: Sequence[Row], log: RunLog) -> None:
    for row in rows:
        try:
            write_beside(row, log)
        except (DiskError, RunLogError) as error:
            logger.warning("%s", error)


def write_what_was_left_out(row: Row, log: RunLog) -> None:
    """Write the record of a run whose process was killed between its end in the log and here.

    Only for the run's present owner. Where it cannot be written the log has it, as ever. Blocks.
    """
    if row.state not in _WRITTEN or not row.folder.is_dir():
        return
    _write_each([row], log)


def catch_up(rows: Iterable[Row], log: RunLog) -> None:
    """Do what processes that were killed have left undone beside the clips of runs that have ended.

    A cost that was learned late, or a person's rating, goes into the log first. Here a record that is
    behind the log is written again, and what was half written goes. A record that is not there, or
    cannot be read, is left as it is. Blocks.

    Parameters
    ----------
    rows, log
        The runs, and the log they are in.
    """
    folders: dict[Path, set[str]] = {}
    for row in rows:
        path = row.folder / sidecar_name(row.run_id)
        folders.setdefault(row.folder, set()).add(path.name)
        try:
            behind = read_sidecar(path, read_file(path)).revision < row.revision
        except (OSError, ValueError):
            continue
        if behind:
            _write_each([row], log)
    for folder, names in folders.items():
        clear_folder(folder, names)


def clear_folder(folder: Path, names: Collection[str]) -> None:
    """Remove what killed processes have half written in an output folder, of sidecars of these names."""
    clear_half_written(folder, names.__contains__)
    clear_half_written(folder / "frames", is_kept)


def has_place(row: Row) -> bool:
    """Tell whether a record belongs beside something: a clip or an earlier record of the run.

    A folder that was moved or a clip that was deleted on purpose does not come back by a note.
    """
    clip = row.record.clip
    names = [sidecar_name(row.run_id), *([clip.path] if clip else [])]
    return any((row.folder / name).is_file() for name in names)
