"""A ``%%hailuo`` cell with ``--sweep`` or ``--grid``: its plan, the person's word, its sheet."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.options import Line
from hailuo_jupyter.kernel.origin import Audience
from hailuo_jupyter.kernel.prompt import value_of
from hailuo_jupyter.kernel.sweep import grid as grids
from hailuo_jupyter.kernel.sweep import plan as plans
from hailuo_jupyter.kernel.sweep import plan_view
from hailuo_jupyter.kernel.sweep.grid import Grid
from hailuo_jupyter.kernel.sweep.plan import Plan
from hailuo_jupyter.kernel.sweep.sweep import Sweep, not_confirmed, of_plan
from hailuo_jupyter.settings import Hailuo

_SHARED = ("provider", "mode", "resolution", "duration", "image", "last-frame")


def run(read: Line, common: Wish, cell: str, ip: Any, began: float) -> None:
    """Do what the cell asks for.

    Parameters
    ----------
    read
        Its option line.
    common
        What that says for all points.
    cell
        The prompt with its fields.
    ip
        The shell.
    began
        `time.monotonic` at the start of the cell.

    Raises
    ------
    HailuoError
        Whatever is wrong; NotConfirmed where nobody can be asked.
    """
    if read.flag("embed"):
        raise OptionError(
            "--embed would put all clips of the sweep into the notebook.",
            money=NOTHING_SENT,
            todo="Leave it out; '%hailuo show RUN --embed' stores one clip.",
        )
    settings, grid = Hailuo.instance(), grid_of(read, ip)
    taken = [name for name in _SHARED if read.text(name) is not None]
    grids.check(grid, cell, [*taken, *(["optimizer"] if read.flag("no-optimizer") else [])])
    plan = plans.make(grid, common, cell, ip.user_ns, settings)
    if plan.remark:
        print(plan.remark)  # noqa: T201
    if read.flag("dry-run"):
        _show(plan, "Dry run: nothing was sent.")
        return
    sweep = of_plan(plan)
    if common.name:
        ip.user_ns[common.name] = sweep
    if plan.lacking and plan.asks(settings) and not read.flag("yes") and not sweep.sending:
        _ask(sweep, ip)
        return
    if plan.lacking and not sweep.sending:
        _show(plan, "It is being sent." if not read.flag("yes") else "It is being sent (--yes).")
    sweep.send()
    error = sweep.answered(began)
    wait = read.flag("wait")
    sweep.show(wait=wait and error is None)
    if error is not None:
        raise error
    if wait:
        sweep.wait()


def grid_of(read: Line, ip: Any) -> Grid:
    """Give the grid that an option line asks for.

    Raises
    ------
    OptionError
        If it is written wrong.
    """
    axes, source = read.many("sweep"), read.text("grid")
    if axes and source is not None:
        raise OptionError(
            "--sweep and --grid do not go together.",
            money=NOTHING_SENT,
            todo="Put what varies into the rows, or leave --grid out.",
        )
    if source is None:
        return grids.spanned(_filled(word, ip.user_ns) for word in axes)
    held = ip.user_ns.get(source) if source.isidentifier() else None
    if held is None:
        held = value_of(source, ip.user_ns)
    return grids.listed(grids.rows_of(held, origin.notebook().folder))


def _filled(word: str, namespace: dict[str, Any]) -> tuple[str, list[Any]]:
    """Fill in the variables of an axis; ``style={styles}`` takes all values of a list."""
    name, values = grids.written(word)
    found: list[Any] = []
    for value in values:
        held = value_of(value, namespace)
        found += held if isinstance(held, list | tuple) else [held]
    return name, found


def _show(plan: Plan, last: str) -> None:
    from IPython.display import display

    data = plan_view.bundle(plan, process.engine(), last=last)
    if origin.audience(origin.shell()) is Audience.TERMINAL:
        print(data["text/plain"])  # noqa: T201
    else:
        display(data, raw=True)  # type: ignore[no-untyped-call]


def _ask(sweep: Sweep, ip: Any) -> None:
    """Ask the person by a button; where nobody could press it, refuse.

    Raises
    ------
    NotConfirmed
        Where there is no button.
    """
    if origin.audience(ip) is Audience.FRONT_END:
        try:
            from hailuo_jupyter.kernel.sweep.asking import Asking
        except ImportError:  # a kernel without ipywidgets
            pass
        else:
            Asking(sweep, origin.here(ip)).open()
            return
    _show(sweep.plan, "Nothing was sent.")
    raise not_confirmed(sweep.plan)
