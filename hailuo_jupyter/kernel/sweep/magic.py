"""A ``%%hailuo`` cell with ``--sweep`` or ``--grid``: its plan, the confirmation, its sheet."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.formatting import print_safely
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.context import Frontend
from hailuo_jupyter.kernel.generate_options import GenerateOptions
from hailuo_jupyter.kernel.magic_args import OptionLine
from hailuo_jupyter.kernel.prompt import value_of
from hailuo_jupyter.kernel.sweep import Sweep, not_confirmed, of_plan, plan_view
from hailuo_jupyter.kernel.sweep import grid as grids
from hailuo_jupyter.kernel.sweep import plan as plans
from hailuo_jupyter.kernel.sweep.grid import Grid
from hailuo_jupyter.kernel.sweep.plan import Plan
from hailuo_jupyter.kernel.sweep.rows import rows_of
from hailuo_jupyter.settings import Hailuo


def run(read: OptionLine, common: GenerateOptions, cell: str, ip: Any, began: float) -> None:
    """Run the cell's sweep.

    Parameters
    ----------
    read
        Its option line.
    common
        The options on it for all points.
    cell
        The prompt with its fields.
    ip
        The shell.
    began
        `time.monotonic` at the start of the cell.

    Raises
    ------
    HailuoError
        For any problem; NotConfirmed if no one can be asked.
    """
    if read.flag("embed"):
        raise OptionError(
            "--embed would store all clips of the sweep in the notebook.",
            money=NOTHING_SENT,
            todo="Remove it; use '%hailuo show RUN --embed' for one clip.",
        )
    settings, grid = Hailuo.instance(), grid_of(read, ip)
    grids.check(grid, cell, grids.shared(common))
    plan = plans.make(grid, common, cell, ip.user_ns, settings)
    if plan.remark:
        print_safely(plan.remark)
    if read.flag("dry-run"):
        _show(plan, "Dry run: nothing was sent.")
        return
    sweep = of_plan(plan)
    if name := common.get("name"):
        ip.user_ns[name] = sweep
    if (
        plan.missing
        and plan.needs_confirmation(settings)
        and not read.flag("yes")
        and not sweep.sending
    ):
        _ask(sweep, ip)
        return
    # An open notebook shows the sheet at once, which has all of it.
    if plan.missing and not sweep.sending and context.frontend(ip) is not Frontend.INTERACTIVE:
        _show(plan, "Submitting." if not read.flag("yes") else "Submitting (--yes).")
    sweep.send()
    error = sweep.answered(began)
    wait = read.flag("wait")
    sweep.show(wait=wait and error is None)
    if error is not None:
        raise error
    if wait:
        sweep.wait()
    elif context.frontend(ip) is Frontend.HEADLESS and (unsent := sweep.unsent()) is not None:
        raise unsent


def grid_of(read: OptionLine, ip: Any) -> Grid:
    """Return the grid of an option line.

    Raises
    ------
    OptionError
        If the grid is invalid.
    """
    axes, source = read.many("sweep"), read.text("grid")
    if axes and source is not None:
        raise OptionError(
            "--sweep and --grid can't be combined.",
            money=NOTHING_SENT,
            todo="Put everything that varies into the rows, or remove --grid.",
        )
    if source is None:
        return grids.spanned(_filled(word, ip.user_ns) for word in axes)
    held = ip.user_ns.get(source) if source.isidentifier() else None
    if held is None:
        held = value_of(source, ip.user_ns)
    return grids.listed(rows_of(context.written_path(held), context.working_folder()))


def _filled(word: str, namespace: dict[str, Any]) -> tuple[str, list[Any]]:
    """Fill in the variables of an axis; ``style={styles}`` takes all values of a list."""
    name, values = grids.written(word)
    found: list[Any] = []
    for value in values:
        held = value_of(value, namespace)
        found += held if isinstance(held, list | tuple) else [held]
    if any(each is None for each in found):
        raise OptionError(
            f"One of the values of {name} is None.",
            money=NOTHING_SENT,
            todo="Run the cell that defines it, or remove it.",
        )
    return name, found


def _show(plan: Plan, last: str) -> None:
    from IPython.display import display

    data = plan_view.bundle(plan, process.get_engine(), last=last)
    if context.frontend(context.shell()) is Frontend.TERMINAL:
        print_safely(data["text/plain"])
    else:
        display(data, raw=True)  # type: ignore[no-untyped-call]


def _ask(sweep: Sweep, ip: Any) -> None:
    """Ask the person with a button; refuse if no one can press it.

    Raises
    ------
    NotConfirmed
        If there is no button.
    """
    if context.frontend(ip) is Frontend.INTERACTIVE:
        try:
            from hailuo_jupyter.kernel.sweep.confirm_plan import ConfirmPlan
        except ImportError:  # a kernel without ipywidgets
            pass
        else:
            ConfirmPlan(sweep, context.current_cell(ip)).open()
            return
    _show(sweep.plan, "Nothing was sent.")
    raise not_confirmed(sweep.plan)
