"""``%hailuo sweep``, ``stop`` and ``resume SWEEP``: a grid of runs as one thing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.errors import HailuoError, OptionError, RunNotFound
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.kernel.commands.saying import say
from hailuo_jupyter.kernel.options import Line, Option
from hailuo_jupyter.kernel.prompt import value_of
from hailuo_jupyter.kernel.sweep import standing
from hailuo_jupyter.kernel.sweep.sweep import Sweep, known, of_row
from hailuo_jupyter.kernel.sweep.views import drawn
from hailuo_jupyter.runlog.sweeps import SweepRow

OPTIONS: dict[str, tuple[Option, ...]] = {}


def _sweep_of(word: str, ip: Any) -> Sweep | SweepRow:
    """Find the sweep that a word names: a variable that holds it, its id, or a part of that.

    Raises
    ------
    RunNotFound
        If there is none.
    """
    held = value_of(word, ip.user_ns) if word.startswith("{") else ip.user_ns.get(word)
    if isinstance(held, Sweep):
        return held
    engine = process.engine()
    row = standing.find(engine, word)
    here = known(row.sweep)
    return here if here is not None and here.engine is engine else row


def _sweep(read: Line, ip: Any) -> None:
    if not read.words:
        say(*_list(process.engine()))
        return
    found = _sweep_of(read.words[0], ip)
    if isinstance(found, Sweep):
        found.show()
        return
    engine = process.engine()
    sheet = standing.at_rest(engine, found)
    waiting = [run_id for run_id in sheet.runs if engine.row(run_id).owner is None]
    if engine.resume(waiting):  # watching costs nothing
        of_row(found).show()
        return
    _display(drawn(engine, sheet, origin.notebook().folder), ip)


def _display(data: dict[str, Any], ip: Any) -> None:
    if not hasattr(ip, "kernel"):
        say(data["text/plain"])
        return
    from IPython.display import display

    display(data, raw=True)  # type: ignore[no-untyped-call]


def _list(engine: Engine) -> list[str]:
    here = origin.notebook().id
    rows = [row for log in engine.logs() for row in log.recent_sweeps(here)]
    if not rows:
        return ["This notebook has no sweeps."]
    found = []
    for row in sorted(rows, key=lambda each: each.created, reverse=True):
        try:
            sheet = standing.at_rest(engine, row)
        except HailuoError as error:
            found.append(f"  {row.sweep}  {error}")
            continue
        waits = sum(cell.waits for cell in sheet.cells)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created))
        axes = " by ".join(f"{name} ({len(values)})" for name, values in sheet.axes)
        rest = f", {waits} not sent" if waits else ""
        found.append(f"  {row.sweep}  {when}  {axes}: {len(sheet.runs)} run(s){rest}")
    return ["Sweeps of this notebook, the newest first:", *found]


def _stop(read: Line, ip: Any) -> None:
    found = _sweep_of(read.words[0], ip)
    if isinstance(found, Sweep):
        found.stop()
        name = found.sweep_id
    else:
        for log in process.engine().logs():
            log.stop_sweep(found.sweep)
        name = found.sweep
    say(f"Nothing more of {name} is sent. What is bought is fetched.")


def resume(word: str, ip: Any) -> None:
    """Send what a sweep lacks.

    Parameters
    ----------
    word
        Names it.
    ip
        The shell.

    Raises
    ------
    OptionError
        If it names a run.
    HailuoError
        Whatever stands in the way; nothing was sent then.
    """
    began = time.monotonic()
    try:
        found = _sweep_of(word, ip)
    except RunNotFound:
        if any(log.fitting(word) for log in process.engine().logs()):
            raise OptionError(
                f"{word} is a run, not a sweep.",
                todo="'%hailuo resume' alone watches and fetches every run.",
            ) from None
        raise
    sweep = found if isinstance(found, Sweep) else of_row(found)
    before = sweep.sending
    sweep.resume()
    plan = sweep.plan
    if before:
        say(f"{sweep.sweep_id} is being sent already.")
    elif plan.lacking:
        say(f"{sweep.sweep_id} goes on.")
    else:
        say(f"{sweep.sweep_id} lacks nothing; nothing was sent.")
    error = sweep.answered(began)
    sweep.show()
    if error is not None:
        raise error


DO: dict[str, Callable[[Line, Any], None]] = {"sweep": _sweep, "stop": _stop}
