"""``%hailuo sweep``, ``stop`` and ``resume SWEEP``: a grid of runs as one thing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.errors import HailuoError, OptionError, RunNotFound
from hailuo_jupyter.formatting import count
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
from hailuo_jupyter.kernel.magic_args import Option, OptionLine
from hailuo_jupyter.kernel.prompt import value_of
from hailuo_jupyter.kernel.sweep import Sweep, being_sent, known, lookup, of_row
from hailuo_jupyter.kernel.sweep.sheet_views import render
from hailuo_jupyter.runlog.queries import SweepRow

OPTIONS: dict[str, tuple[Option, ...]] = {}


def _sweep_of(word: str, ip: Any) -> Sweep | SweepRow:
    """Find the sweep named by an argument: by a variable, its id, a part of the id, or its name.

    Raises
    ------
    RunNotFound
        If it does not exist.
    """
    held = value_of(word, ip.user_ns) if word.startswith("{") else ip.user_ns.get(word)
    if isinstance(held, Sweep):
        return held
    engine = process.get_engine()
    row = lookup.find(engine, word)
    here = known(row.sweep)
    return here if here is not None and here.engine is engine else row


def _sweep(read: OptionLine, ip: Any) -> None:
    if not read.words:
        echo(*_list(process.get_engine()))
        return
    found = _sweep_of(read.words[0], ip)
    if isinstance(found, Sweep):
        found.show()
        return
    engine = process.get_engine()
    sheet = lookup.stored_sheet(engine, found)
    waiting = [run_id for run_id in sheet.runs if engine.row(run_id).owner is None]
    if engine.resume(waiting):  # polling is free
        of_row(found).show()
        return
    _display(render(engine, sheet, OutputPlace.here().base), ip)


def _display(data: dict[str, Any], ip: Any) -> None:
    if not hasattr(ip, "kernel"):
        echo(data["text/plain"])
        return
    from IPython.display import display

    display(data, raw=True)  # type: ignore[no-untyped-call]


def _list(engine: Engine) -> list[str]:
    here = context.notebook().id
    rows = [row for log in engine.logs() for row in log.recent_sweeps(here)]
    if not rows:
        return ["This notebook has no sweeps."]
    found = []
    for row in sorted(rows, key=lambda each: each.created, reverse=True):
        try:
            sheet = lookup.stored_sheet(engine, row)
        except HailuoError as error:
            found.append(f"  {row.sweep}  {error}")
            continue
        waits = sum(cell.waits for cell in sheet.cells)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created))
        axes = " by ".join(f"{name} ({len(values)})" for name, values in sheet.axes)
        rest = f", {waits} not sent" if waits else ""
        found.append(f"  {row.sweep}  {when}  {axes}: {count(len(sheet.runs), 'run')}{rest}")
    return ["Sweeps of this notebook, newest first:", *found]


def _only_sent() -> Sweep:
    """Return the sweep that is being sent.

    Raises
    ------
    OptionError
        If there is none, or several.
    """
    found = being_sent()
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.sweep_id for each in found)
    raise OptionError(
        f"Several sweeps are being sent: {names}." if found else "No sweep is being sent.",
        todo="Use '%hailuo stop SWEEP'."
        if found
        else "'%hailuo sweep' lists this notebook's sweeps.",
    )


def _stop(read: OptionLine, ip: Any) -> None:
    found = _sweep_of(read.words[0], ip) if read.words else _only_sent()
    if isinstance(found, Sweep):
        found.stop()
        name = found.sweep_id
    else:
        for log in process.get_engine().logs():
            log.stop_sweep(found.sweep)
        name = found.sweep
    echo(f"Stopped {name}. Clips already submitted will still download.")


def resume(word: str, ip: Any) -> None:
    """Send the missing runs of a sweep.

    Parameters
    ----------
    word
        The argument that names it.
    ip
        The shell.

    Raises
    ------
    OptionError
        If the argument names a run.
    HailuoError
        For any problem; nothing was sent then.
    """
    began = time.monotonic()
    try:
        found = _sweep_of(word, ip)
    except RunNotFound:
        if any(log.fitting(word) for log in process.get_engine().logs()):
            raise OptionError(
                f"{word} is a run, not a sweep.",
                todo="Use '%hailuo resume' without an id to resume all runs.",
            ) from None
        raise
    sweep = found if isinstance(found, Sweep) else of_row(found)
    before = sweep.sending
    sweep.resume()
    plan = sweep.plan
    if before:
        echo(f"{sweep.sweep_id} is already being submitted.")
    elif plan.missing:
        echo(f"Resumed {sweep.sweep_id}.")
    else:
        echo(f"{sweep.sweep_id} is already complete; nothing was sent.")
    error = sweep.answered(began)
    sweep.show()
    if error is not None:
        raise error


DO: dict[str, Callable[[OptionLine, Any], None]] = {"sweep": _sweep, "stop": _stop}
