"""``%hailuo resume``, ``wait`` and ``cancel``: active runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Awaited, Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.formatting import count
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.kernel.commands.resolve_run import resolve_run
from hailuo_jupyter.kernel.display.live_output import refresh_all
from hailuo_jupyter.kernel.display.run_output import show
from hailuo_jupyter.kernel.display.run_status import NEEDS_KEY
from hailuo_jupyter.kernel.magic_args import Option, OptionLine
from hailuo_jupyter.kernel.panel import panel
from hailuo_jupyter.runlog.row import Row
from hailuo_jupyter.states import IN_FLIGHT, SETTLED, State

OPTIONS: dict[str, tuple[Option, ...]] = {}

_SHOWN = 20

#: Maximum runs listed that cannot be continued.
_FEW = 5


def active_runs() -> list[str]:
    """Return a list of this notebook's active runs."""
    running = [row for row in _rows_here() if row.state in IN_FLIGHT or _waits(row)]
    head = f"{count(len(running), 'active run')}." if running else "No active runs."
    return [head, *(_line(row) for row in running), *limits()]


def limits() -> list[str]:
    """Return the rate limits that runs wait for."""
    engine = process.get_engine()
    return [
        each.words(engine.providers.provider(each.provider).title, engine.now())
        for each in engine.limits()
    ]


def _rows_here(limit: int = _SHOWN) -> list[Row]:
    engine, here = process.get_engine(), context.notebook().id
    rows = [row for log in engine.logs() for row in log.recent(limit, notebook_id=here)]
    return sorted(rows, key=lambda row: row.created, reverse=True)[:limit]


def _waits(row: Row) -> bool:
    """Return whether a run will be sent automatically, without the user."""
    return row.state is State.PREPARED and row.owner is not None


def _line(row: Row) -> str:
    prompt = " ".join(row.record.request.prompt.split()) if row.is_readable else "cannot be read"
    prompt = prompt if len(prompt) <= 56 else prompt[:55] + "…"
    waiting = process.get_engine().waits_for_its_key(row.run_id)
    words = "Waiting" if _waits(row) else row.state.words
    state = NEEDS_KEY if waiting else words
    return f"  {row.run_id}  {state:<14} {row.provider:<8} {prompt}"


def _resume(read: OptionLine, ip: Any) -> None:
    if read.words:
        from hailuo_jupyter.kernel.commands.sweep import resume

        resume(read.words[0], ip)
        return
    engine = process.get_engine()
    taken, here = engine.resume(), context.notebook().id
    lost = [log.count(notebook_id=here, states={State.UNCONFIRMED}) for log in engine.logs()]
    if any(lost):
        echo(
            f"{count(sum(lost), 'unconfirmed run')} in this notebook. The providers' histories "
            f"are being checked; clips found there are downloaded."
        )
    cannot = [*engine.unreadable_runs.values(), *engine.holders().values()]
    more = len(cannot) - _FEW
    if cannot:
        echo(
            *cannot[:_FEW], *([f"{count(more, 'more run')} can't be resumed."] if more > 0 else [])
        )
    if not taken:
        if not cannot:
            echo("No runs to resume.")
        return
    waiting = [run for run in taken if engine.waits_for_its_key(run.run_id)]
    if waiting:
        echo(
            f"{count(len(waiting), 'run')} bought with a different key. The provider is asked "
            f"about them (free); they resume once this key has access to them."
        )
    if len(waiting) < len(taken):
        going = len(taken) - len(waiting)
        echo(f"Resumed {count(going, 'run')}; nothing was sent.")
    show(engine, taken, ip)


def _wait(read: OptionLine, ip: Any) -> None:
    engine = process.get_engine()
    parallel = context.frontend(ip) is context.Frontend.PARALLEL
    runs, sweeps = ([resolve_run(read.words[0], ip)], []) if read.words else _open(engine, parallel)
    if parallel:
        refresh_all()
    holders = engine.holders()
    held = [holders[run.run_id] for run in runs if run.run_id in holders]
    if held:
        echo(*held)
    failed: HailuoError | None = None
    for each in (*runs, *sweeps):
        try:
            each.wait()
        except HailuoError as error:
            failed = failed or error
    ended = sum(each.status is State.COMPLETED for each in runs)
    echo(f"{ended} of {count(len(runs), 'run')} completed." if runs else "Nothing to wait for.")
    if failed:
        raise failed


def _open(engine: Engine, parallel: bool) -> tuple[list[Run], list[Awaited]]:
    """Return the runs and the sweeps that ``%hailuo wait`` waits for without arguments.

    Runs that were given up after their cell returned are included, so that they do not pass for sent. Under
    `jupyter hailuo execute` this wait is the last, so everything that no cell has waited for is included.
    """
    here = (row for row in _rows_here(limit=200) if row.state not in SETTLED)
    # A run without an owner waits for the person.
    ids = [row.run_id for row in here if row.state in IN_FLIGHT or row.owner is not None]
    if not parallel:
        return [Run.of(run_id, engine) for run_id in dict.fromkeys([*ids, *engine.unsent()])], []
    waited: list[Awaited] = list(engine.unreported.values())
    ids += [each.run_id for each in waited if isinstance(each, Run)]
    sweeps = [each for each in waited if not isinstance(each, Run)]
    return [Run.of(run_id, engine) for run_id in dict.fromkeys(ids)], sweeps


def _cancel(read: OptionLine, ip: Any) -> None:
    run = resolve_run(read.words[0], ip, strict=True)
    echo(process.get_engine().cancel(run.run_id))


def _panel(_read: OptionLine, _ip: Any) -> None:
    panel()


DO: dict[str, Callable[[OptionLine, Any], None]] = {
    "resume": _resume,
    "wait": _wait,
    "cancel": _cancel,
    "panel": _panel,
}
