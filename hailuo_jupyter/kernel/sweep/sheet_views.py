"""The views of a sheet's runs, with posters small enough for many of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel.display import thumbnails
from hailuo_jupyter.kernel.display.run_view import RunView
from hailuo_jupyter.kernel.sweep import lookup
from hailuo_jupyter.kernel.sweep.sheet import Sheet, bundle

#: Seconds that a sheet waits for posters of its clips.
_PICTURES_S = 10.0


def views(
    engine: Engine, run_ids: Sequence[str], base: Path | None, *, seconds: float = _PICTURES_S
) -> dict[str, RunView]:
    """Return views of runs, by their ids. Blocks while posters of finished clips are made.

    Parameters
    ----------
    engine
        Their engine.
    run_ids
        Their ids.
    base
        The notebook's folder.
    seconds
        Maximum time for new posters.
    """
    rows = [engine.row(run_id) for run_id in run_ids]
    pictures = thumbnails.thumbnails(
        rows, thumbnails.cache_folder(engine.logs()[0].path), seconds=seconds
    )
    return {
        row.run_id: RunView.of(row, engine, base, poster=pictures.get(row.run_id)) for row in rows
    }


def render(engine: Engine, sheet: Sheet, base: Path | None) -> dict[str, Any]:
    """Return the bundle of a sheet with the current state of its runs."""
    return bundle(sheet, views(engine, sheet.runs, base))


def render_again(engine: Engine, run_ids: Sequence[str], base: Path | None) -> list[dict[str, Any]]:
    """Return the sheets that show all of these runs, for an output whose kernel is gone.

    Parameters
    ----------
    engine
        The engine with the logs.
    run_ids
        The runs of an output.
    base
        The notebook's folder.
    """
    named = dict.fromkeys(engine.row(run_id).record.sweep for run_id in run_ids)
    found = [
        row for name in named if name for log in engine.logs() if (row := log.find_sweep(name))
    ]
    sheets = [lookup.stored_sheet(engine, row) for row in found]
    return [render(engine, sheet, base) for sheet in sheets if set(run_ids) <= set(sheet.runs)]
