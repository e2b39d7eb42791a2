"""Runs found by the records beside their clips, before any is bought anew.

The log may not have them: a home folder may be gone (a new machine, a container) while the clips are
there. Or it has them under another id of the notebook (see `hailuo_jupyter.engine.scope`). What a record
that was laid there on purpose could do is told in `hailuo_jupyter.runlog.imports`. Here it is narrower
still: only a completed run counts, of this very request and notebook, whose clip lies beside it with
the size and the sha256 that its record gives. Nothing is asked, fetched or sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hailuo_jupyter.engine.order import Order
from hailuo_jupyter.engine.scope import belongs, remark
from hailuo_jupyter.engine.whereabouts import is_clip
from hailuo_jupyter.record import OriginRecord, Record
from hailuo_jupyter.record_file import read_file, read_sidecar
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.imports import adopt
from hailuo_jupyter.states import State

#: Sidecars of one folder that are looked at, the newest first by their names.
_MOST = 5000


def recover(order: Order, log: RunLog) -> dict[str, str]:
    """Bring back runs of an order's request whose clips lie in its output folder.

    Parameters
    ----------
    order
        What is about to be bought.
    log
        Where its runs belong.

    Returns
    -------
    dict
        By run id, at most ``order.count``: what is to be said of a run of another notebook id, or an
        empty text for one of the order's own that the log did not know.
    """
    paths = {path.stem: path for path in sidecars(order.folder)}
    # One question for all: there may be thousands, and most of them are known.
    known = log.known(paths)
    same = {row.run_id: row for row in log.by_request(order.request.fingerprint)}
    found: dict[str, str] = {}
    for run_id, path in paths.items():
        row = same.get(run_id)
        if len(found) == order.count:
            break
        if run_id in known and (row is None or row.notebook_id == order.origin.notebook_id):
            continue
        try:
            record = _wanted(path, order)
            if record is None or not clip_here(record, order.folder):
                continue
            origin = record.origin or OriginRecord()
            ours = origin.notebook_id == order.origin.notebook_id
            if ours or belongs(origin, order, row.folder if row else order.folder):
                adopt(record, order.folder, log, clip_here=True)
                if log.get(run_id).state is State.COMPLETED:
                    found[run_id] = "" if ours else remark(run_id, origin, order)
        except (OSError, ValueError):
            continue  # not ours, or not true: `jupyter hailuo import` would tell
    return found


def _wanted(path: Path, order: Order) -> Record | None:
    """Give the record of a sidecar if it is what the order asks for, in whatever notebook."""
    data = read_file(path)
    if order.request.fingerprint.encode() not in data:
        return None
    record = read_sidecar(path, data)
    same = (record.fingerprint, record.provider) == (
        order.request.fingerprint,
        order.provider.name,
    )
    rerun = order.parent is not None and record.parent != order.parent
    return record if same and not rerun and record.state is State.COMPLETED else None


def sidecars(folder: Path) -> Iterator[Path]:
    """Give the files of a folder that may be sidecars, the newest first, some thousands at most."""
    try:
        with os.scandir(folder) as entries:  # `Path.glob` takes twice as long
            names = [each.name for each in entries if each.name.endswith(".json")]
    except OSError:
        return
    yield from (folder / name for name in sorted(names, reverse=True)[:_MOST])


def clip_here(record: Record, folder: Path) -> bool:
    """Tell whether the very clip of a record lies in a folder, as a file and not as a link."""
    clip = record.clip
    if clip is None or clip.path != f"{record.run_id}.mp4":
        return False
    path = folder / clip.path
    return not path.is_symlink() and is_clip(path, clip)
