"""The form's queries about keys and the run log. All may block."""

from __future__ import annotations

from dataclasses import dataclass

from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.resources import ProviderRegistry
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError, KeyMissing
from hailuo_jupyter.formatting import escape_control, shorten
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.panel.validation import Problem, error_to_problem
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import IN_FLIGHT, State

#: Cards that a form starts with; `%hailuo runs` lists all runs.
_MOST_CARDS = 12

#: Clips offered as frames, and characters of their prompts.
_MOST_CLIPS, _PROMPT = 30, 40

#: Maximum runs of one notebook that are checked for that.
_MOST_RUNS = 200


@dataclass(frozen=True)
class KeyState:
    """The result of a key lookup: its problem, or None."""

    problem: Problem | None


def look_up_key(provider: Provider, place: context.CellContext) -> KeyState:
    """Look for a provider's key; the key itself is not stored."""
    with context.override_cell(place):
        folder = context.notebook().folder
    try:
        ProviderRegistry(Hailuo.instance()).key(provider, folder)
    except KeyMissing:
        return KeyState(Problem(f"Enter a key for {provider.title}.", no_key=True))
    except HailuoError as error:
        return KeyState(error_to_problem(error))
    return KeyState(None)


def known_durations(kind: str, settings: Hailuo) -> list[float]:
    """Return how many seconds such runs took here, the newest first."""
    if not kind or not _has_log(settings):
        return []
    return [seconds for log in process.get_engine().logs() for seconds in log.durations(kind)]


def clips_to_choose(settings: Hailuo) -> list[tuple[str, str]]:
    """Return recent clips whose last frame may be a frame, with their labels; this notebook's first."""
    if not _has_log(settings):
        return []
    logs = process.get_engine().logs()
    rows = [row for log in logs for row in log.recent(_MOST_CLIPS, states={State.COMPLETED})]
    newest = sorted(rows, key=lambda row: row.created, reverse=True)[:_MOST_CLIPS]
    return [
        (f"last frame of {_clip_label(row)}", f"run:{row.run_id}@last")
        for row in newest
        if row.is_readable
    ]


def _clip_label(row: Row) -> str:
    record = row.record
    prompt = shorten(record.request.prompt, _PROMPT)
    return escape_control(record.name or f"{row.run_id[-6:]}: {prompt}")


def earlier_runs(place: context.CellContext, settings: Hailuo) -> tuple[Engine, list[Run]] | None:
    """Return the runs that a form in this cell starts with, the oldest first; None if there is no log.

    These are the cell's own runs, and unfinished ones of its notebook. The latter are claimed if
    no process works on them; nothing is sent.
    """
    if not _has_log(settings):
        return None
    engine = process.get_engine()
    here = place.notebook.id
    rows = [row for log in engine.logs() for row in log.recent(_MOST_RUNS, notebook_id=here)]
    if any(row.state in IN_FLIGHT and row.owner is None for row in rows):
        engine.resume()
    wanted = [row for row in rows if row.state in IN_FLIGHT or _of_cell(row, place)]
    newest = sorted(wanted, key=lambda row: row.created)[-_MOST_CARDS:]
    return engine, [engine.run(row.run_id) for row in newest]


def _of_cell(row: Row, place: context.CellContext) -> bool:
    origin = row.record.origin if row.is_readable else None
    return place.cell_id is not None and origin is not None and origin.cell_id == place.cell_id


def _has_log(settings: Hailuo) -> bool:
    return bool(settings.existing_run_logs())
