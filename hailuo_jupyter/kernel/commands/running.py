"""``%hailuo resume``, ``wait`` and ``cancel``: runs that are on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.kernel.commands.naming import run_of
from hailuo_jupyter.kernel.commands.saying import say
from hailuo_jupyter.kernel.display import bring_up_to_date, show
from hailuo_jupyter.kernel.options import Line, Option
from hailuo_jupyter.runlog.schema import Row
from hailuo_jupyter.states import IN_FLIGHT, State

OPTIONS: dict[str, tuple[Option, ...]] = {}

_SHOWN = 20


def going_on() -> list[str]:
    """Say which runs of this notebook are on their way."""
    running = [row for row in _rows_here() if row.state in IN_FLIGHT]
    head = (
        f"{len(running)} run(s) of this notebook going on." if running else "Nothing is going on."
    )
    return [head, *(_line(row) for row in running)]


def _rows_here(limit: int = _SHOWN) -> list[Row]:
    engine, here = process.engine(), origin.notebook().id
    rows = [row for log in engine.logs() for row in log.recent(limit, notebook_id=here)]
    return sorted(rows, key=lambda row: row.created, reverse=True)[:limit]


def _line(row: Row) -> str:
    prompt = " ".join(row.record.request.prompt.split())
    prompt = prompt if len(prompt) <= 56 else prompt[:55] + "…"
    return f"  {row.run_id}  {row.state.words:<14} {row.provider:<8} {prompt}"


def _resume(read: Line, ip: Any) -> None:
    if read.words:
        from hailuo_jupyter.kernel.commands.sweep import resume

        resume(read.words[0], ip)
        return
    engine = process.engine()
    taken, here = engine.resume(), origin.notebook().id
    lost = [log.count(notebook_id=here, states={State.UNCONFIRMED}) for log in engine.logs()]
    if any(lost):
        say(
            f"{sum(lost)} run(s) of this notebook are unconfirmed; the providers' histories are asked "
            "in the background, and what is found there is watched and fetched."
        )
    if alone := engine.left_alone:
        say(
            f"{len(alone)} run(s) are left alone, since a newer version of hailuo-jupyter wrote them: "
            f"{', '.join(alone[:5])}{', …' if len(alone) > 5 else ''}. Install the newest version to go "
            "on with them."
        )
    if not taken:
        say("Nothing waits to be watched or fetched.")
        return
    say(f"{len(taken)} run(s) are watched or fetched again; nothing was sent.")
    show(engine, taken, ip)


def _wait(read: Line, ip: Any) -> None:
    engine = process.engine()
    if read.words:
        runs = [run_of(read.words[0], ip)]
    else:
        runs = [Run(row.run_id, engine) for row in _rows_here(limit=200) if row.state in IN_FLIGHT]
    if origin.audience(ip) is origin.Audience.PARALLEL:
        bring_up_to_date()
    failed: HailuoError | None = None
    for each in runs:
        try:
            each.wait()
        except HailuoError as error:
            failed = failed or error
    ended = sum(each.status is State.COMPLETED for each in runs)
    say(f"{ended} of {len(runs)} run(s) completed." if runs else "Nothing to wait for.")
    if failed:
        raise failed


def _cancel(read: Line, ip: Any) -> None:
    run = run_of(read.words[0], ip)
    run.cancel()
    say(f"Run {run.run_id} was cancelled; nothing was sent and nothing was paid.")


DO: dict[str, Callable[[Line, Any], None]] = {
    "resume": _resume,
    "wait": _wait,
    "cancel": _cancel,
}
