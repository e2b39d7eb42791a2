"""What outputs that show some runs are to hold now, whoever drew them first.

A front end names an output by its runs alone. These may stand in a comparison or in an output of
their own, which lie below this module, or within the output of a form or a sweep, which tell of it
by `within`. What draws sheets and comparisons is loaded when one is drawn: a panel needs it not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.kernel import compare
from hailuo_jupyter.kernel.display import bundle_now

#: Whoever shows runs within an output of its own: gives its bundle if it shows these runs.
_whole: list[Callable[[tuple[str, ...]], dict[str, Any] | None]] = []


def bundles_now(
    engine: Engine, runs: Sequence[Run], base: Path, *, embed: bool = False
) -> list[dict[str, Any]]:
    """Give what outputs of these runs may have to hold now: a form's, a comparison, and one of its own.

    Parameters
    ----------
    engine, runs, base, embed
        See `display.Showing`.
    """
    ids = tuple(run.run_id for run in runs)
    whole = [data for draw in tuple(_whole) if (data := draw(ids)) is not None]
    if not whole and any(run.record.sweep for run in runs):
        from hailuo_jupyter.kernel.sweep.views import again

        whole = again(engine, ids, base)
    if compare.LEAST <= len(ids) <= compare.MOST:
        from hailuo_jupyter.kernel import comparison

        rows = [engine.row(run_id) for run_id in ids]
        whole.append(comparison.bundle(comparison.views(rows, engine, base)))
    return [*whole, bundle_now(engine, runs, base, embed=embed)]


def within(draw: Callable[[tuple[str, ...]], dict[str, Any] | None]) -> Callable[[], None]:
    """Have `bundles_now` ask a form for the bundle of its output.

    Parameters
    ----------
    draw
        Given the ids of an output's runs, gives the form's bundle if that shows them, else None.

    Returns
    -------
    callable
        Ends it.
    """
    _whole.append(draw)
    return lambda: _whole.remove(draw)
