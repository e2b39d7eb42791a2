"""``jupyter hailuo wait`` and ``collect``: take runs over, follow them to their end, tell of them.

`wait` is for a person who wants clips: one run's or all, whoever watches them, and it ends when they
have ended. `collect` is for a clock (cron) or after a crash: it does what nobody does, leaves alone
what a living process has in hand, and ends when it has nothing left in hand itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.collector import Collector
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.nbfile.events import RunMoved, Tell
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import IN_FLIGHT, State

_TICK_S = 0.1

#: Seconds between looks at the log for runs that were left meanwhile.
_LOOK_S = 2.0


@dataclass(frozen=True)
class Outcome:
    """How it went.

    Parameters
    ----------
    rows
        The runs that were followed, as they stand.
    problems
        What stands in the way of those that did not end well, each in a sentence.
    """

    rows: list[Row]
    problems: list[str]

    def clips(self) -> list[str]:
        """Give the paths of the clips that are here."""
        clips = [(row.folder, row.record.clip) for row in self.rows]
        return [str(folder / clip.path) for folder, clip in clips if clip is not None]


def wait(run: str | None, tell: Tell) -> Outcome:
    """Wait for one run, or for all that were bought and are not here.

    Parameters
    ----------
    run
        Its id or part of it; None for all.
    tell
        Told of each state.

    Raises
    ------
    RunNotFound
        If there is no such run.
    """
    engine = process.engine()
    if run is not None:
        runs = [engine.run(run)]
    else:
        rows = [row for log in engine.logs() for row in log.unfinished()]
        runs = [Run(row.run_id, engine) for row in rows if row.state in IN_FLIGHT]
    leave = [engine.listen(each.run_id, lambda _row: None) for each in runs]
    moves = _Moves(tell)
    try:
        engine.resume(None if run is None else [each.run_id for each in runs])
        while not moves.all_ended(runs):
            time.sleep(_TICK_S)
    finally:
        for go in leave:
            go()
    return _outcome(runs)


def collect(
    tell: Tell,
    complain: Callable[[str], None],
    *,
    watch: bool = False,
    seconds: float | None = None,
) -> Outcome:
    """Take over what nobody works on, and follow it to its end. Nothing is sent.

    Parameters
    ----------
    tell
        Told of each state.
    complain
        Told of runs that nobody can go on with just now, as soon as that is known; more than once,
        and again in the outcome's problems.
    watch
        Go on looking for runs that their process has left, until interrupted.
    seconds
        After so many it ends, and what is in hand stays in the log; None for no limit.
    """
    collector = Collector(Hailuo.instance(), process.engine, folder=Path.cwd())
    moves, runs = _Moves(tell), dict[str, Run]()
    now = time.monotonic()
    end, next_look = (math.inf if seconds is None else now + seconds), now
    while True:
        now = time.monotonic()
        if now >= next_look:
            next_look = now + _LOOK_S
            runs |= {run.run_id: run for run in collector.look()}
            for run_id, why in collector.hindered.items():
                complain(_told(run_id, why))
        ended = moves.all_ended(runs.values())
        if now >= end or (ended and not watch):
            break
        time.sleep(_TICK_S)
    done = _outcome(runs.values())
    hindered = [_told(run_id, why) for run_id, why in collector.hindered.items()]
    return Outcome(done.rows, list(dict.fromkeys([*hindered, *done.problems])))


class _Moves:
    """Tells of each state that a run comes to."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told: dict[str, State] = {}

    def all_ended(self, runs: Iterable[Run]) -> bool:
        """Tell what is new of some runs; gives whether nothing more happens to any by itself."""
        # Read before it is asked whether all have ended, so that no last state is left out.
        ended = all(run.done for run in runs)
        for run in runs:
            if self._told.get(run.run_id) != (state := run.status):
                self._told[run.run_id] = state
                self._tell(RunMoved(run.record))
        return ended


def _outcome(runs: Iterable[Run]) -> Outcome:
    rows, problems = [], []
    for run in runs:
        rows.append(process.engine().row(run.run_id))
        if not run.done:
            problems.append(
                _told(run.run_id, "It is not done in the time given, and stays in the log.")
            )
            continue
        try:
            run.wait(0)
        except HailuoError as error:
            problems.append(_told(run.run_id, str(error)))
    return Outcome(rows, problems)


def _told(run_id: str, why: str) -> str:
    return f"Run {run_id}: {why}"
