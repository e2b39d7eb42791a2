"""``jupyter hailuo wait``: take over what was bought, wait for it and fetch it."""

from __future__ import annotations

import time

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.nbfile.events import RunMoved, Tell
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import IN_FLIGHT, State

_LOOK_S = 0.1


def wait(run: str | None, tell: Tell) -> tuple[list[Row], list[str]]:
    """Wait for one run, or for all that were bought and are not here.

    Parameters
    ----------
    run
        Its id or part of it; None for all.
    tell
        Told of each state.

    Returns
    -------
    rows, problems
        How each run ended, and what stands in the way of those that did not end well.

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
    try:
        engine.resume()
        _follow(engine, runs, tell)
    finally:
        for go in leave:
            go()
    return [engine.row(each.run_id) for each in runs], _problems(runs)


def _follow(engine: Engine, runs: list[Run], tell: Tell) -> None:
    told: dict[str, State] = {}
    while True:
        # Read before it is asked whether all have ended, so that no last state is left out.
        ended = all(run.done for run in runs)
        for run in runs:
            row = engine.row(run.run_id)
            if told.get(run.run_id) != row.state:
                told[run.run_id] = row.state
                tell(RunMoved(row.record))
        if ended:
            return
        time.sleep(_LOOK_S)


def _problems(runs: list[Run]) -> list[str]:
    problems = []
    for run in runs:
        try:
            run.wait(0)
        except HailuoError as error:
            problems.append(f"Run {run.run_id}: {error}")
    return problems
