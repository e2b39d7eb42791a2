"""The runs of a sheet in words, with pictures small enough for many of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel import posters
from hailuo_jupyter.kernel.sweep import standing
from hailuo_jupyter.kernel.sweep.sheet import Sheet, bundle
from hailuo_jupyter.kernel.view import RunView, view

#: Seconds that a sheet waits for pictures of its clips.
_PICTURES_S = 10.0


def views(
    engine: Engine, run_ids: Sequence[str], base: Path, *, seconds: float = _PICTURES_S
) -> dict[str, RunView]:
    """Put runs into words, by their ids. Blocks while pictures of finished clips are made.

    Parameters
    ----------
    engine
        Knows them.
    run_ids
        Which ones.
    base
        The notebook's folder.
    seconds
        How long new pictures may take.
    """
    rows = [engine.row(run_id) for run_id in run_ids]
    pictures = posters.posters(rows, posters.folder_of(engine.logs()[0].path), seconds=seconds)
    now = engine.now()
    return {
        row.run_id: view(
            row,
            engine.wires.provider(row.provider, row.record.dialect),
            engine.timing(row),
            now=now,
            base=base,
            poster=pictures.get(row.run_id),
            deadline_s=engine.deadline_s,
        )
        for row in rows
    }


def drawn(engine: Engine, sheet: Sheet, base: Path) -> dict[str, Any]:
    """Give the bundle of a sheet as its runs stand now."""
    return bundle(sheet, views(engine, sheet.runs, base))


def again(engine: Engine, run_ids: Sequence[str], base: Path) -> list[dict[str, Any]]:
    """Give the sheets that show all of these runs, for an output whose kernel is gone.

    Parameters
    ----------
    engine
        Its logs know the sweeps.
    run_ids
        The runs of an output.
    base
        The notebook's folder.
    """
    named = dict.fromkeys(engine.row(run_id).record.sweep for run_id in run_ids)
    found = [
        row for name in named if name for log in engine.logs() if (row := log.find_sweep(name))
    ]
    sheets = [standing.at_rest(engine, row) for row in found]
    return [drawn(engine, sheet, base) for sheet in sheets if set(run_ids) <= set(sheet.runs)]
