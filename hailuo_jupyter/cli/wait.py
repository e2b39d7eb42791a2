"""``jupyter hailuo wait`` and ``collect``: take over runs, follow them to their end, and report.

`wait` is for a person who wants clips: one run's or all, whichever process is working on them. It ends
when they have finished. `collect` is for cron, or after a crash: it takes over runs that no live process
is working on, and ends when those have finished.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from hailuo_jupyter import startup
from hailuo_jupyter.collector import Collector
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError, RecordUnreadable
from hailuo_jupyter.ipynb.events import RunMoved, Tell
from hailuo_jupyter.kernel.run_names import find_run
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import IN_FLIGHT, State

_TICK_S = 0.1

#: Seconds between looks at the log for runs that were left meanwhile.
_LOOK_S = 2.0


@dataclass(frozen=True)
class Outcome:
    """The result of waiting.

    Parameters
    ----------
    rows
        The runs that were followed, in their current state.
    problems
        Why runs did not finish, one sentence each.
    held
        Which other processes are working on the remaining runs, one sentence each.
    """

    rows: list[Row]
    problems: list[str]
    held: list[str] = field(default_factory=list)

    def clips(self) -> list[str]:
        """Return the paths of the clips that are here."""
        clips = [(row.folder, row.record.clip) for row in self.rows if row.is_readable]
        return [str(folder / clip.path) for folder, clip in clips if clip is not None]


def wait(
    run: str | None, on_event: Tell, complain: Callable[[str], None] = lambda _text: None
) -> Outcome:
    """Wait for one run, or for all that are unfinished.

    Parameters
    ----------
    run
        Its id or part of it; None for all.
    on_event
        Called with each new state.
    complain
        Called with messages about other processes that are working on these runs.

    Raises
    ------
    RunNotFound
        If the run does not exist.
    """
    engine = process.get_engine()
    if run is not None:
        runs = [find_run(run, strict=False, say=complain)]
    else:
        rows = [row for log in engine.logs() for row in log.unfinished()]
        # A run that a live process is about to send is waited for too, though it may never be sent.
        runs = [
            Run.of(row.run_id, engine)
            for row in rows
            if row.state in IN_FLIGHT or row.owner is not None
        ]
    leave = [engine.listen(each.run_id, lambda _row: None) for each in runs]
    moves = _Moves(on_event)
    try:
        engine.resume(None if run is None else [each.run_id for each in runs])
        holders = engine.holders()
        for each in runs:
            if each.run_id in holders:
                complain(holders[each.run_id])
        while not moves.all_ended(runs):
            time.sleep(_TICK_S)
    finally:
        for go in leave:
            go()
    return _outcome(runs)


def collect(
    on_event: Tell,
    complain: Callable[[str], None],
    *,
    watch: bool = False,
    seconds: float | None = None,
) -> Outcome:
    """Take over runs that no process is working on, and finish them. Nothing is sent.

    Parameters
    ----------
    on_event
        Called with each event.
    complain
        Called with messages about runs that cannot continue now, as soon as that is known; repeatedly,
        and again in the outcome's problems.
    watch
        Keep looking for runs whose process is gone, until interrupted.
    seconds
        Stop after this many seconds; unfinished runs stay in the log. None for no limit.
    """
    collector = Collector(
        Hailuo.instance(), process.get_engine, folder=startup.folder(), wall=time.time
    )
    moves, runs = _Moves(on_event), dict[str, Run]()
    now = time.monotonic()
    end, next_look = (math.inf if seconds is None else now + seconds), now
    while True:
        now = time.monotonic()
        if now >= next_look:
            next_look = now + _LOOK_S
            runs |= {run.run_id: run for run in collector.look()}
            for run_id, why in collector.hindered.items():
                complain(_about_run(run_id, why))
        ended = moves.all_ended(runs.values())
        if now >= end or (ended and not watch and not collector.suspects):
            break
        time.sleep(_TICK_S)
    done = _outcome(runs.values())
    hindered = [_about_run(run_id, why) for run_id, why in collector.hindered.items()]
    held = [*collector.held.values()]
    return Outcome(done.rows, list(dict.fromkeys([*hindered, *done.problems])), held)


class _Moves:
    """Report each new state of a run."""

    def __init__(self, on_event: Tell) -> None:
        self._on_event = on_event
        self._reported: dict[str, State] = {}

    def all_ended(self, runs: Iterable[Run]) -> bool:
        """Report the changes of some runs; return whether no more changes are expected."""
        # Checked before the states are read, so that the last state is not missed.
        ended = all(run.done for run in runs)
        for run in runs:
            if self._reported.get(run.run_id) != (state := run.status):
                self._reported[run.run_id] = state
                with suppress(RecordUnreadable):  # reported with the outcome
                    self._on_event(RunMoved(run.record))
        return ended


def _outcome(runs: Iterable[Run]) -> Outcome:
    rows, problems = [], []
    for run in runs:
        rows.append(process.get_engine().row(run.run_id))
        if not run.done:
            problems.append(
                _about_run(run.run_id, "Not finished within the time limit; it stays in the log.")
            )
            continue
        try:
            run.wait(0)
            _ = run.record
        except HailuoError as error:
            problems.append(_about_run(run.run_id, str(error)))
    return Outcome(rows, problems)


def _about_run(run_id: str, why: str) -> str:
    return f"Run {run_id}: {why}"
