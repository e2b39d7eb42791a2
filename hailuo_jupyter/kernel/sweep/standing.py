"""Which runs stand for a point of a sweep, by what the log has; nothing is done to them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel.sweep.plan import log_for
from hailuo_jupyter.kernel.sweep.sheet import Cell, Sheet
from hailuo_jupyter.kernel.sweep.stored import shape_of
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.sweeps import SweepRow, none_fits
from hailuo_jupyter.states import BOUGHT, State

_LOST = frozenset({State.UNCONFIRMED, State.EXPIRED})


def ids(
    engine: Engine, provider: str, notebook_id: str | None, fingerprint: str,
    *, sweep: str, count: int, new: bool, others: Iterable[str] = (),
) -> list[str]:  # fmt: skip
    """Give the ids of a point's runs: those with a clip or on their way to one, and failures.

    Parameters
    ----------
    engine
        Its logs are asked.
    provider, notebook_id, fingerprint
        Of the request.
    sweep, new
        The sweep; where it buys all anew, only its own runs count.
    count
        How many are wanted.
    others
        Ids of runs that count though their notebook went by another id.
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


def find(engine: Engine, given: str) -> SweepRow:
    """Find a sweep by its id, or by an unambiguous part of it.

    Raises
    ------
    RunNotFound
        If no log has it, or several are called so.
    """
    found = [row for log in engine.logs() for row in log.fitting_sweeps(given)]
    if len(found) == 1:
        return found[0]
    raise none_fits(given, found)


def at_rest(engine: Engine, row: SweepRow) -> Sheet:
    """Give the sheet of a sweep that nobody here sends.

    Raises
    ------
    RunLogError
        If a newer version wrote it.
    """
    shape, count = shape_of(row)
    plan = json.loads(row.plan_json)
    cells = []
    for at, cell in zip(shape.places, plan["cells"], strict=True):
        record = cell["record"]
        runs = ids(
            engine, record["provider"], row.notebook_id, record["fingerprint"],
            sweep=row.sweep, count=count, new=plan["new"],
        )  # fmt: skip
        cells.append(Cell(at, tuple(runs), count - len(runs)))
    waits = sum(cell.waits for cell in cells)
    said = f"'%hailuo resume {row.sweep}' sends the rest." if waits else ""
    return Sheet(row.sweep, shape.axes, tuple(cells), said)
