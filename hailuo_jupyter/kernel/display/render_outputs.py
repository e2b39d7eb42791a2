"""What outputs that show some runs are to hold now, whoever drew them first.

A front end names an output by its runs alone. These may stand in a comparison or in an output of
their own, which lie below this module, or within the output of a form or a sweep, which register for it
with `live_output.register_renderer`. What draws sheets and comparisons is loaded when one is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.kernel import context, frontends
from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
from hailuo_jupyter.kernel.display.live_output import rendered
from hailuo_jupyter.kernel.display.run_output import bundle_now


def render_outputs(
    engine: Engine, runs: Sequence[Run], base: Path, *, embed: bool = False
) -> list[dict[str, Any]]:
    """Return what outputs of these runs may have to hold now: a form's, a comparison, and a single run.

    Parameters
    ----------
    engine, runs
        Which ones.
    base
        The notebook's folder.
    embed
        Put the clips themselves into an output of the runs' own.
    """
    ids = tuple(run.run_id for run in runs)
    # Only our lab extension asks; where it runs, links resolve from the notebook's folder.
    place = OutputPlace(frontends.JUPYTER, replace(context.notebook(), folder=base), embed)
    whole = rendered(ids)
    if not whole and any(run.record.sweep for run in runs):
        from hailuo_jupyter.kernel.sweep.sheet_views import render_again

        whole = render_again(engine, ids, base)
    from hailuo_jupyter.kernel.runs import compare

    if compare.LEAST <= len(ids) <= compare.MOST:
        rows = [engine.row(run_id) for run_id in ids]
        whole.append(compare.bundle(compare.views(rows, engine, place)))
    return [*whole, bundle_now(engine, runs, place)]
