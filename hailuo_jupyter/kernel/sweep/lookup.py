"""Look up the runs of a point of a sweep in the log, without changing them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel.sweep.plan import log_for, total_cost
from hailuo_jupyter.kernel.sweep.sheet import Cell, Sheet, resume_command
from hailuo_jupyter.kernel.sweep.store import shape_of
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.queries import SweepRow, no_such_sweep_error
from hailuo_jupyter.states import BOUGHT, State

_LOST = frozenset({State.UNCONFIRMED, State.EXPIRED})


def run_ids(
    engine: Engine, provider: str, notebook_id: str | None, fingerprint: str,
    *, sweep: str, count: int, new: bool, others: Iterable[str] = (),
) -> list[str]:  # fmt: skip
    """Return the ids of a point's runs: those with a clip, active ones, and failures.

    Parameters
    ----------
    engine
        The engine with the logs.
    provider, notebook_id, fingerprint
        Of the request.
    sweep, new
        The sweep; if it buys everything again, only its own runs count.
    count
        How many runs the point has.
    others
        Ids of runs that count although their notebook had another id.
    """
    log = log_for(engine, provider == "demo")
    found = [*log.by_fingerprint(notebook_id, fingerprint), *log.rows([*others])]
    ours = [row for row in found if not new or row.record.sweep == sweep]
    good = [row for row in ours if _serves(row)]
    rest = [
        row for row in ours if row not in good and (row.record.sweep == sweep or row.state in _LOST)
    ]
    return [row.run_id for row in reversed((good + rest)[:count])]


def _serves(row: Row) -> bool:
    return row.state in BOUGHT or (row.owner is not None and row.state is not State.FAILED)


def find(engine: Engine, query: str) -> SweepRow:
    """Find a sweep by its id, or by an unambiguous part of it or name.

    Raises
    ------
    RunNotFound
        If no log has it, or several match.
    """
    found = [row for log in engine.logs() for row in log.fitting_sweeps(query)]
    if len(found) == 1:
        return found[0]
    raise no_such_sweep_error(query, [row.sweep for row in found])


def stored_sheet(engine: Engine, row: SweepRow) -> Sheet:
    """Return the sheet of a sweep that this process does not send.

    Raises
    ------
    RunLogError
        If a newer version wrote it.
    """
    shape, count = shape_of(row)
    plan = json.loads(row.plan_json)
    cells, prices = [], []
    for place, cell in zip(shape.places, plan["cells"], strict=True):
        record = cell["record"]
        runs = run_ids(
            engine, record["provider"], row.notebook_id, record["fingerprint"],
            sweep=row.sweep, count=count, new=plan["new"],
        )  # fmt: skip
        cells.append(Cell(place, tuple(runs), count - len(runs)))
        cost = record["cost"]
        prices.append(
            (cost["estimate_low"], cost["estimate_high"], cost["kind"], count - len(runs))
        )
    waits = sum(cell.waits for cell in cells)
    command = resume_command(row.sweep) if waits else ""
    rest = total_cost(each for each in prices if each[-1]).words if waits else ""
    return Sheet(row.sweep, shape.axes, tuple(cells), price=rest, command=command)
