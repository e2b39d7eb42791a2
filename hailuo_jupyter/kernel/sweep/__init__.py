"""`Sweep`: a grid of runs as one object, and `sweep()`, which requests one."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from hailuo_jupyter import formatting
from hailuo_jupyter.engine import process, wait
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run, WaitInterrupted
from hailuo_jupyter.engine.sweep_runner import SweepRunner, check, under_way
from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, NotConfirmed, OptionError, WaitTimeout
from hailuo_jupyter.kernel import context, generate
from hailuo_jupyter.kernel.generate_options import GenerateOptions, takes_options
from hailuo_jupyter.kernel.runs import export
from hailuo_jupyter.kernel.session import SessionState, session
from hailuo_jupyter.kernel.sweep import grid as grids
from hailuo_jupyter.kernel.sweep import lookup, store
from hailuo_jupyter.kernel.sweep import plan as plans
from hailuo_jupyter.kernel.sweep import sheet as sheets
from hailuo_jupyter.kernel.sweep.plan import Plan, log_for
from hailuo_jupyter.kernel.sweep.rows import rows_of
from hailuo_jupyter.kernel.sweep.sheet import Cell, Sheet
from hailuo_jupyter.runlog.queries import SweepRow
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.display.live_output import DisplayHandle
    from hailuo_jupyter.kernel.sweep.live_sheet import SheetOutput
    from hailuo_jupyter.kernel.sweep.plan import SweepQuote


#: The sweeps that this process has to do with, by id.
class _Sweeps(SessionState):
    """The sweeps of this session, by their ids."""

    def __init__(self) -> None:
        self.by_id: dict[str, Sweep] = {}


#: Maximum outputs of one sweep that are kept up to date.
_MOST_SHOWN = 4


class Sweep:
    """The runs of a grid, as returned by `sweep` and ``%%hailuo --sweep … --name``.

    Parameters
    ----------
    plan
        The plan to buy.
    engine
        The engine that buys it.
    """

    def __init__(self, plan: Plan, engine: Engine) -> None:
        self.engine = engine
        self._plan, self._course = plan, None  # type: Plan, SweepRunner | None
        self._outputs: list[SheetOutput] = []
        #: A page's Resume and a cell may come at the same time.
        self._sends = threading.RLock()
        self._take(plan)

    def _take(self, plan: Plan) -> None:
        """Adopt a new plan; the runs that cover it are looked up."""
        for part in plan.parts:
            part.runs = lookup.run_ids(
                self.engine, part.provider, part.submission.origin.notebook_id,
                part.submission.request.fingerprint, sweep=plan.sweep, count=plan.count, new=plan.new,
                others=part.submission.remarks,
            )  # fmt: skip
        self._plan = plan

    # ── properties ─────────────────────────────────────────────────────────────────────────────

    @property
    def sweep_id(self) -> str:
        """Its id, e.g. ``sweep-7f3kq9ab``, which each run's record has too."""
        return self._plan.sweep

    @property
    def plan(self) -> Plan:
        """The plan, point by point."""
        return self._plan

    @property
    def runs(self) -> list[Run]:
        """Its runs so far, point by point; including those that the notebook had before."""
        found = (run_id for part in self._plan.parts for run_id in part.runs)
        return [Run.of(run_id, self.engine) for run_id in dict.fromkeys(found)]

    @property
    def sending(self) -> bool:
        """Whether this process is sending the rest of it."""
        return self._course is not None and not self._course.done

    @property
    def done(self) -> bool:
        """Whether nothing changes without you, since nothing is left to send and all runs have ended."""
        return not self.sending and all(run.done for run in self.runs)

    @property
    def status(self) -> str:
        """Its status, on one line."""
        from hailuo_jupyter.kernel.sweep.sheet_views import views

        sheet, base = self.sheet(), context.notebook().folder
        found = views(self.engine, sheet.runs, base, seconds=0)
        return sheets.status_of(sheet, list(found.values()))

    def sheet(self) -> Sheet:
        """Return the current content of its contact sheet."""
        plan = self._plan
        cells = tuple(
            Cell(
                place,
                tuple(part.runs),
                part.left,
                formatting.shorten(formatting.escape_control(str(part.problem)), 300)
                if part.problem
                else "",
            )
            for place, part in zip(plan.shape.places, plan.parts, strict=True)
        )
        rest = "" if self.sending or not plan.missing else plan.total.words
        return Sheet(
            plan.sweep, plan.shape.axes, cells, self._hint(), self.sending, rest, self._command()
        )

    def _hint(self) -> str:
        if self._course is not None and self._course.problems:
            why = next(iter(self._course.problems.values())).what
            return formatting.shorten(formatting.escape_control(why), 200)
        if self.sending:
            now = self.engine.now()
            fast = self._left_s() < 120
            by = formatting.clock_time(now + self._left_s(), now, None, seconds=fast)
            return f"Done around {by}."
        if not self._plan.missing:
            return ""
        # Whoever stops it wants to know what it costs all the same.
        going = sum(under_way(self.engine.row(run.run_id)) for run in self.runs)
        goes_on = f" {going} already submitted: paid for, will be downloaded." if going else ""
        return f"Nothing more is sent.{goes_on}"

    def _command(self) -> str:
        problems = self._course is not None and self._course.problems
        rest = problems or (self._plan.missing and not self.sending)
        return sheets.resume_command(self.sweep_id) if rest else ""

    def _left_s(self) -> float:
        """Return the estimated seconds until all is done."""
        now, lanes = self.engine.now(), {}  # type: float, dict[str, list[float]]
        for run in self.runs:
            row = self.engine.row(run.run_id)
            if under_way(row):
                lane = lanes.setdefault(row.provider, [])
                lane.append(max(self.engine.estimate(row).median_s - (now - row.created), 1.0))
        for part in self._plan.parts:
            lane = lanes.setdefault(part.provider, [])
            took = plans.median(self.engine, part.submission) if part.left else 0.0
            for _ in range(part.left):
                heapq.heapify(lane)
                if len(lane) < self._plan.parallel:
                    heapq.heappush(lane, took)
                else:
                    heapq.heapreplace(lane, lane[0] + took)
        return max((max(lane) for lane in lanes.values() if lane), default=0.0)

    # ── submission ─────────────────────────────────────────────────────────────────────────────

    def send(self) -> None:
        """Send the missing runs of the plan; return at once. The person has confirmed it.

        Raises
        ------
        HailuoError
            For any problem that blocks all of it; nothing was sent then.
        """
        with self._sends:
            if self.sending:
                return
            settings, plan = Hailuo.instance(), self._plan
            check(self.engine, plan.parts, settings, yes=True)
            log = store.store(plan, self.engine)
            session.state(_Sweeps).by_id[self.sweep_id] = self
            for part in plan.parts:
                if part.left or part.problem:
                    self.engine.resume(part.runs)
                else:
                    runs = self.engine.submit(replace(part.submission, most=0))
                    part.runs = [each.run.run_id for each in runs]
            self._course = SweepRunner(
                self.engine, plan.parts, plan.parallel, lambda: log.sweep_stopped(plan.sweep)
            )

    def answered(self, began: float) -> HailuoError | None:
        """Wait until the first runs are answered, at most until 2 s after `began`.

        Under an executor that runs cell after cell, until all of it is sent and answered.

        Returns
        -------
        HailuoError or None
            The problem that blocks all others, such as a refused key.
        """
        if self._course is None:
            return None
        error = self._course.wait_first(generate.patience(began))
        if error is None and not self.done:
            self.engine.unreported[self.sweep_id] = self
        return error

    def unsent(self) -> HailuoError | None:
        """Return why some of it was not sent, if known; else None."""
        refused = (generate.refusal(run) for run in self.runs if run.status is State.PREPARED)
        found = (part.problem for part in self._plan.parts)
        return next((each for each in (*found, *refused) if each is not None), None)

    def resumption(self) -> Plan:
        """Return what `resume` would send now; nothing is sent, and nothing changes.

        Raises
        ------
        HailuoError
            For any problem that blocks all of it.
        """
        parts = tuple(replace(part) for part in self._plan.parts)
        for part in parts:
            plans.preflight(self.engine, part)
        check(self.engine, parts, Hailuo.instance(), yes=True)
        return replace(self._plan, parts=parts)

    def resume(self, agreed: SweepQuote | None = None) -> None:
        """Send what is missing, including failed points; nothing is bought twice.

        Parameters
        ----------
        agreed
            What the person has agreed to; None if they did not need to be asked.

        Raises
        ------
        NotConfirmed
            If something else is missing now than was agreed to.
        HailuoError
            For any problem that blocks all of it; nothing was sent then.
        """
        with self._sends:
            if self.sending:
                return
            self._look_again()
            if agreed is not None:
                agreed.check(self._plan)
            self.send()

    def _look_again(self) -> None:
        for part in self._plan.parts:
            plans.preflight(self.engine, part)
        self._take(self._plan)

    def stop(self) -> None:
        """Send nothing more. Bought clips are still downloaded."""
        log_for(self.engine, all(part.provider == "demo" for part in self._plan.parts)).stop_sweep(
            self.sweep_id
        )
        if self._course is not None:
            self._course.look()
            wait.block_until(lambda: not self.sending, 10)

    def wait(self, timeout: float | None = None) -> Sweep:
        """Block until all of it has ended.

        Parameters
        ----------
        timeout
            Seconds; None for no limit. After a timeout the sweep continues.

        Returns
        -------
        Sweep
            The sweep itself.

        Raises
        ------
        WaitTimeout
            After `timeout` seconds.
        HailuoError
            The first thing that went wrong; the other runs have ended by then.
        """
        try:
            done = wait.block_until(lambda: self.done, timeout)
        except KeyboardInterrupt:
            raise WaitInterrupted(
                f"{self.sweep_id} continues; see '%hailuo sweep {self.sweep_id}'."
            ) from None
        if not done:
            raise WaitTimeout(
                f"{self.sweep_id} is not done after {timeout:g} s.",
                money="It continues, and its clips will be downloaded.",
                todo=f"See '%hailuo sweep {self.sweep_id}'.",
            )
        self.engine.reported(self.sweep_id)
        for part in self._plan.parts:
            if part.problem is not None:
                raise part.problem
        for run in self.runs:
            run.wait()
        return self

    # ── data ────────────────────────────────────────────────────────────────────────────────

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dictionary for each run: the axes as ``axis_…``, then the columns of `runs`."""
        found: list[dict[str, Any]] = []
        for position, part in enumerate(self._plan.parts):
            axes = self._axes(position)
            rows = [self.engine.row(run_id) for run_id in part.runs]
            found += [axes | values for values in export.dicts(rows)]
        return found

    def _axes(self, position: int) -> dict[str, str]:
        return {f"axis_{name}": value for name, value in self._plan.shape.named(position)}

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame with the axes as ``axis_…``, then the columns of ``runs().to_pandas()``.

        Raises
        ------
        HailuoError
            If pandas is not installed.
        """
        found = self.to_dicts()
        names = [f"axis_{name}" for name, _ in self._plan.shape.axes]
        plain = [{k: v for k, v in each.items() if k not in names} for each in found]
        table = export.to_dataframe(plain)
        for index, name in enumerate(names):
            table.insert(index, name, [each[name] for each in found])
        return table

    # ── display ─────────────────────────────────────────────────────────────────────────────

    def show(self, *, wait: bool = False, handle: DisplayHandle | None = None) -> None:
        """Show its contact sheet in the running cell, and keep it up to date.

        Parameters
        ----------
        wait
            Return when the whole sweep has ended.
        handle
            Handle of an existing output.
        """
        from hailuo_jupyter.kernel import comm
        from hailuo_jupyter.kernel.display import live_output
        from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
        from hailuo_jupyter.kernel.sweep.live_sheet import SheetOutput

        frontend = context.frontend(context.shell())
        if frontend is context.Frontend.SCRIPT:
            return
        comm.follow(self.engine)
        output = SheetOutput(self, frontend, OutputPlace.here().base, handle=handle)
        self._outputs.append(output)
        for old in self._outputs[:-_MOST_SHOWN]:
            old.stop()
        del self._outputs[:-_MOST_SHOWN]
        output.open(keep_current=frontend is context.Frontend.INTERACTIVE)
        if frontend is context.Frontend.PARALLEL and not wait:
            live_output.refresh_at_the_end(output)
        elif wait or frontend is context.Frontend.HEADLESS:
            output.follow()

    def keep_current(self) -> dict[str, Any]:
        """Keep a sheet that is on the page current; return what it is to hold now.

        The page finds one that an earlier kernel made by its sweep.
        """
        from hailuo_jupyter.kernel import frontends
        from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
        from hailuo_jupyter.kernel.display.live_output import DisplayHandle, new_display_id
        from hailuo_jupyter.kernel.sweep.live_sheet import SheetOutput

        if not self._outputs:
            # Only our lab extension asks.
            base = OutputPlace(frontends.JUPYTER, context.notebook()).base
            kind = context.Frontend.INTERACTIVE
            display_id = new_display_id("sheet", [self.sweep_id])
            handle = DisplayHandle(kind, display_id, request={})
            output = SheetOutput(self, kind, base, handle=handle)
            self._outputs.append(output)
            output.open(keep_current=True)
        return self._outputs[-1].bundle()

    def _ipython_display_(self) -> None:
        self.show()

    def __repr__(self) -> str:
        return f"<Sweep {self.sweep_id} {self.status}>"


def known(sweep_id: str) -> Sweep | None:
    """Return the sweep of this id if this process has sent some of it, or None."""
    found = session.state(_Sweeps).by_id.get(sweep_id)
    return found if found is not None and found._course is not None else None  # noqa: SLF001


def being_sent() -> list[Sweep]:
    """Return the sweeps that this process is sending."""
    return [each for each in session.state(_Sweeps).by_id.values() if each.sending]


def of_plan(plan: Plan) -> Sweep:
    """Return the sweep of a plan: the existing one, or a new one."""
    engine = process.get_engine()
    here = session.state(_Sweeps).by_id.get(plan.sweep)
    if here is None or here.engine is not engine:
        return Sweep(plan, engine)
    if not here.sending:
        here._take(plan)  # noqa: SLF001 -- same module
    return here


def of_row(row: SweepRow) -> Sweep:
    """Return the sweep of a row of the log.

    Raises
    ------
    FrameError, RunLogError
        If its plan is unreadable.
    """
    engine, by_id = process.get_engine(), session.state(_Sweeps).by_id
    here = by_id.get(row.sweep)
    if here is None or here.engine is not engine:
        # Kept: what is sent later is shown by the sheets that are open then.
        here = by_id[row.sweep] = Sweep(store.load(row, engine, Hailuo.instance()), engine)
    elif here._course is None:  # noqa: SLF001 -- same module
        here._look_again()  # noqa: SLF001
    return here


def not_confirmed(plan: Plan) -> NotConfirmed:
    """Return the error for a sweep without confirmation."""
    what = formatting.sentence(f"This sweep would generate {plan.to_submit()}")
    return NotConfirmed(
        f"{what} A sweep of this size or price needs confirmation.",
        money=NOTHING_SENT,
        todo="Check its plan, then add --yes to the cell (yes=True in Python).",
    )


@takes_options()
def sweep(
    prompt: str = "",
    axes: Mapping[str, Iterable[Any]] | None = None,
    *,
    rows: Any = None,
    **options: Unpack[GenerateOptions],
) -> Sweep:
    """Request a clip for every point of a grid; what this notebook already has is not bought again.

    Parameters
    ----------
    prompt
        The text. If the grid has a variable that is not an option, ``{style}`` is replaced by its value, and
        literal braces are doubled; else the text is taken literally. Blank if
        the grid has ``prompt``.
    axes
        The axes, each with its values: ``provider``, ``mode``, ``resolution``, ``duration``,
        ``image``, ``last_image``, ``optimizer`` (True, False), or a variable of the prompt.
    rows
        In place of axes: a DataFrame, a list of dicts or a CSV file, with these names as columns.
    count
        Runs at each point, 1 to 20.
    yes
        Send it regardless of the number of runs and their price (``Hailuo.sweep_confirm_runs``,
        ``Hailuo.sweep_confirm_usd``). Budgets still apply.
    provider, mode, resolution, duration, image, last_image, prompt_optimizer, output, tags, note, name
        As for `generate`, for all points.
    new
        Buy all of it, even if the notebook already has it.
    wait
        Return when all clips are downloaded. A script needs it: after its end nothing more is sent.

    Returns
    -------
    Sweep
        As a cell's last expression it displays its contact sheet.

    Raises
    ------
    NotConfirmed
        If it is larger or more expensive than the settings allow without `yes`.
    HailuoError
        If any request is wrong, or something blocks all of it; nothing was sent then.

    Examples
    --------
    >>> from hailuo_jupyter import sweep
    >>> styles = {"style": ["ink wash", "35mm film"]}
    >>> sheet = sweep("A heron, {style}.", styles, provider="demo", wait=True)
    >>> [run.request.prompt for run in sheet.runs]
    ['A heron, ink wash.', 'A heron, 35mm film.']
    """
    began = time.monotonic()
    if (axes is None) == (rows is None):
        raise OptionError(
            "A sweep needs axes or rows, not both.",
            money=NOTHING_SENT,
            todo='E.g. {"mode": [...]}.',
        )
    if axes is not None:
        grid = grids.spanned(axes.items())
    else:
        grid = grids.listed(rows_of(context.written_path(rows), context.working_folder()))
    if not grid.variables:
        prompt = prompt.replace("{", "{{").replace("}", "}}")
    grids.check(grid, prompt, grids.shared(options))
    settings = Hailuo.instance()
    plan = plans.make(grid, options, prompt, {}, settings)
    if plan.needs_confirmation(settings) and not options.get("yes"):
        raise not_confirmed(plan)
    made = of_plan(plan)
    made.send()
    if error := made.answered(began):
        raise error
    return made.wait() if options.get("wait") else made
