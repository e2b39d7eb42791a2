"""What the form asks of keys and of the run log. All of it may block."""

from __future__ import annotations

from dataclasses import dataclass

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.desk import Wires
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.kernel.panel.checks import Problem, told
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import IN_FLIGHT

#: Cards that a form begins with; `%hailuo runs` lists all runs.
_MOST_CARDS = 12

#: Runs of one notebook that are looked at for that.
_MOST_RUNS = 200


@dataclass(frozen=True)
class KeyLook:
    """Whether there is a key: its problem, or None."""

    problem: Problem | None


def key(provider: Provider, place: origin.Place) -> KeyLook:
    """Look for a provider's key; the key itself is not kept."""
    with origin.acting_for(place):
        folder = origin.notebook().folder
    try:
        Wires(Hailuo.instance()).key(provider, folder)
    except HailuoError as error:
        return KeyLook(told(error))
    return KeyLook(None)


def durations(kind: str, settings: Hailuo) -> list[float]:
    """Give how many seconds such runs took here, the newest first."""
    if not kind or not _has_log(settings):
        return []
    return [seconds for log in process.engine().logs() for seconds in log.durations(kind)]


def runs(place: origin.Place, settings: Hailuo) -> tuple[Engine, list[Run]] | None:
    """Give the runs that a form in this cell begins with, the oldest first; None if there is no log.

    These are the cell's own, and those of its notebook that are not finished. The latter are taken
    over where nobody works on them; nothing is sent by that.
    """
    if not _has_log(settings):
        return None
    engine = process.engine()
    here = place.notebook.id
    rows = [row for log in engine.logs() for row in log.recent(_MOST_RUNS, notebook_id=here)]
    if any(row.state in IN_FLIGHT and row.owner is None for row in rows):
        engine.resume()
    wanted = [row for row in rows if row.state in IN_FLIGHT or _of_cell(row, place)]
    newest = sorted(wanted, key=lambda row: row.created)[-_MOST_CARDS:]
    return engine, [engine.run(row.run_id) for row in newest]


def _of_cell(row: Row, place: origin.Place) -> bool:
    asked = row.record.origin
    return place.cell_id is not None and asked is not None and asked.cell_id == place.cell_id


def _has_log(settings: Hailuo) -> bool:
    return any(settings.run_log_path(demo=demo).is_file() for demo in (False, True))
