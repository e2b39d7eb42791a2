"""`Sweep`: a grid of runs as one thing, and `sweep()`, which asks for one."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine import process, waiting
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run, WaitInterrupted
from hailuo_jupyter.engine.sweep import Course, check, under_way
from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, NotConfirmed, OptionError, WaitTimeout
from hailuo_jupyter.kernel import generate, origin, runs_export, words
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.sweep import grid as grids
from hailuo_jupyter.kernel.sweep import plan as plans
from hailuo_jupyter.kernel.sweep import sheet as sheets
from hailuo_jupyter.kernel.sweep import standing, stored
from hailuo_jupyter.kernel.sweep.plan import Plan, log_for
from hailuo_jupyter.kernel.sweep.sheet import Cell, Sheet
from hailuo_jupyter.runlog.sweeps import SweepRow
from hailuo_jupyter.settings import Hailuo

#: The sweeps that this process has to do with, by id.
_known: dict[str, Sweep] = {}

#: Outputs of one sweep that are kept true at once.
_MOST_SHOWN = 4


class Sweep:
    """The runs of a grid, as `sweep` and ``%%hailuo --sweep … --name`` give them.

    Parameters
    ----------
    plan
        What it is to buy.
    engine
        Buys it.
    """

    def __init__(self, plan: Plan, engine: Engine) -> None:
        self.engine = engine
        self._plan, self._course = plan, None  # type: Plan, Course | None
        self._showings: list[Any] = []
        self._take(plan)

    def _take(self, plan: Plan) -> None:
        """Take over a plan that was made anew; the runs that stand for it are looked up."""
        for part in plan.parts:
            part.runs = standing.ids(
                self.engine, part.provider, part.order.origin.notebook_id,
                part.order.request.fingerprint, sweep=plan.sweep, count=plan.count, new=plan.new,
                others=part.order.found,
            )  # fmt: skip
        self._plan = plan

    # ── what it is ─────────────────────────────────────────────────────────────────────────────

    @property
    def sweep_id(self) -> str:
        """Its id, e.g. ``sweep-7f3kq9ab``, which each run's record has too."""
        return self._plan.sweep

    @property
    def plan(self) -> Plan:
        """What it is to buy, point by point."""
        return self._plan

    @property
    def runs(self) -> list[Run]:
        """Its runs so far, point by point; those that the notebook had before among them."""
        found = (run_id for part in self._plan.parts for run_id in part.runs)
        return [Run(run_id, self.engine) for run_id in dict.fromkeys(found)]

    @property
    def sending(self) -> bool:
        """Whether this process sends the rest of it."""
        return self._course is not None and not self._course.done

    @property
    def done(self) -> bool:
        """Whether nothing more happens by itself: all is sent that will be, and all runs have ended."""
        return not self.sending and all(run.done for run in self.runs)

    @property
    def status(self) -> str:
        """How it stands, on one line."""
        from hailuo_jupyter.kernel.sweep.views import views

        sheet, base = self.sheet(), origin.notebook().folder
        found = views(self.engine, sheet.runs, base, seconds=0)
        return sheets.status_of(sheet, list(found.values()))

    def sheet(self) -> Sheet:
        """Give what its contact sheet shows now."""
        plan = self._plan
        cells = tuple(
            Cell(
                at,
                tuple(part.runs),
                part.left,
                words.shortened(words.harmless(str(part.problem)), 300) if part.problem else "",
            )
            for at, part in zip(plan.shape.places, plan.parts, strict=True)
        )
        return Sheet(plan.sweep, plan.shape.axes, cells, self._said(), self.sending)

    def _said(self) -> str:
        again = f"'%hailuo resume {self.sweep_id}' sends the rest."
        if self._course is not None and self._course.problems:
            why = next(iter(self._course.problems.values())).what
            return f"{words.shortened(words.harmless(why), 200)} {again}"
        if self.sending:
            at = self.engine.now()
            fast = self._left_s() < 120
            return (
                f"Usually all done by {words.clock(at + self._left_s(), at, None, seconds=fast)}."
            )
        return f"Nothing more is sent; {again}" if self._plan.lacking else ""

    def _left_s(self) -> float:
        """Give the seconds until all is done, as such runs usually go."""
        now, lanes = self.engine.now(), {}  # type: float, dict[str, list[float]]
        for run in self.runs:
            row = self.engine.row(run.run_id)
            if under_way(row):
                lane = lanes.setdefault(row.provider, [])
                lane.append(max(self.engine.timing(row).median_s - (now - row.created), 1.0))
        for part in self._plan.parts:
            lane = lanes.setdefault(part.provider, [])
            took = plans.median(self.engine, part.order) if part.left else 0.0
            for _ in range(part.left):
                heapq.heapify(lane)
                if len(lane) < self._plan.parallel:
                    heapq.heappush(lane, took)
                else:
                    heapq.heapreplace(lane, lane[0] + took)
        return max((max(lane) for lane in lanes.values() if lane), default=0.0)

    # ── sending it ─────────────────────────────────────────────────────────────────────────────

    def send(self) -> None:
        """Send what it lacks, as the plan says; returns at once. The person has agreed to it.

        Raises
        ------
        HailuoError
            Whatever stands in the way of all of it; nothing was sent then.
        """
        if self.sending:
            return
        settings, plan = Hailuo.instance(), self._plan
        check(self.engine, plan.parts, settings, yes=True)
        log = stored.keep(plan, self.engine)
        _known[self.sweep_id] = self
        for part in plan.parts:
            if part.left or part.problem:
                self.engine.resume(part.runs)
            else:
                placed = self.engine.place(replace(part.order, most=0))
                part.runs = [each.run.run_id for each in placed]
        self._course = Course(
            self.engine, plan.parts, plan.parallel, lambda: log.sweep_stopped(plan.sweep)
        )

    def answered(self, began: float) -> HailuoError | None:
        """Wait until the first runs are answered, 2 s after `began` at the latest.

        Returns
        -------
        HailuoError or None
            What keeps all others from being sent, such as a refused key.
        """
        left = max(0.0, generate.ANSWER_S - (time.monotonic() - began))
        return None if self._course is None else self._course.wait_first(left)

    def resume(self) -> None:
        """Send what is missing, points that failed among it; what was bought is not bought again.

        Raises
        ------
        HailuoError
            Whatever stands in the way of all of it; nothing was sent then.
        """
        if self.sending:
            return
        for part in self._plan.parts:
            plans.look(self.engine, part)
        self._take(self._plan)
        self.send()

    def stop(self) -> None:
        """Send nothing more. What is bought is fetched all the same."""
        log_for(self.engine, all(part.provider == "demo" for part in self._plan.parts)).stop_sweep(
            self.sweep_id
        )
        if self._course is not None:
            self._course.look()
            waiting.block_until(lambda: not self.sending, 10)

    def wait(self, timeout: float | None = None) -> Sweep:
        """Wait, blocking, until all of it has ended.

        Parameters
        ----------
        timeout
            Seconds; None for no limit. When they have passed, the waiting ends, not the sweep.

        Returns
        -------
        Sweep
            Itself.

        Raises
        ------
        WaitTimeout
            After `timeout` seconds.
        HailuoError
            The first thing that went wrong; the other runs have ended by then.
        """
        try:
            done = waiting.block_until(lambda: self.done, timeout)
        except KeyboardInterrupt:
            raise WaitInterrupted(
                f"{self.sweep_id} goes on; '%hailuo sweep {self.sweep_id}' shows how it stands."
            ) from None
        if not done:
            raise WaitTimeout(
                f"{self.sweep_id} is not done after {timeout:g} s.",
                money="It goes on, and its clips will be fetched.",
                todo=f"'%hailuo sweep {self.sweep_id}' shows how it stands.",
            )
        for part in self._plan.parts:
            if part.problem is not None:
                raise part.problem
        for run in self.runs:
            run.wait()
        return self

    # ── as data ────────────────────────────────────────────────────────────────────────────────

    def to_dicts(self) -> list[dict[str, Any]]:
        """Give a dictionary for each run: the axes as ``axis_…``, then the columns of `runs`."""
        found: list[dict[str, Any]] = []
        for position, part in enumerate(self._plan.parts):
            axes = self._axes(position)
            rows = [self.engine.row(run_id) for run_id in part.runs]
            found += [axes | values for values in runs_export.dicts(rows)]
        return found

    def _axes(self, position: int) -> dict[str, str]:
        return {f"axis_{name}": value for name, value in self._plan.shape.named(position)}

    def to_pandas(self) -> Any:
        """Give a pandas DataFrame with the axes as ``axis_…``, then the columns of ``runs().to_pandas()``.

        Raises
        ------
        HailuoError
            If pandas is not installed.
        """
        found = self.to_dicts()
        names = [f"axis_{name}" for name, _ in self._plan.shape.axes]
        plain = [{k: v for k, v in each.items() if k not in names} for each in found]
        table = runs_export.frame(plain)
        for at, name in enumerate(names):
            table.insert(at, name, [each[name] for each in found])
        return table

    # ── showing it ─────────────────────────────────────────────────────────────────────────────

    def show(self, *, wait: bool = False, display_id: str | None = None) -> None:
        """Show its contact sheet in the running cell, and keep it true.

        Parameters
        ----------
        wait
            Return when all of it has ended.
        display_id
            Of an output that is there already.
        """
        from hailuo_jupyter.kernel import bridge, display
        from hailuo_jupyter.kernel.sweep.showing import SheetShowing

        audience = origin.audience(origin.shell())
        if audience is origin.Audience.SCRIPT:
            return
        bridge.follow(self.engine)
        showing = SheetShowing(self, audience, origin.notebook().folder, display_id=display_id)
        self._showings.append(showing)
        for old in self._showings[:-_MOST_SHOWN]:
            old.stop()
        del self._showings[:-_MOST_SHOWN]
        showing.open()
        if audience is origin.Audience.PARALLEL and not wait:
            display.follow_at_the_end(showing)
        elif wait or audience is origin.Audience.HEADLESS:
            showing.follow()

    def _ipython_display_(self) -> None:
        self.show()

    def __repr__(self) -> str:
        return f"<Sweep {self.sweep_id} {self.status}>"


def known(sweep_id: str) -> Sweep | None:
    """Give a sweep that this process has to do with already, or None."""
    return _known.get(sweep_id)


def of_plan(plan: Plan) -> Sweep:
    """Give the sweep of a plan: the one that is here already, or a new one."""
    engine = process.engine()
    here = _known.get(plan.sweep)
    if here is None or here.engine is not engine:
        return Sweep(plan, engine)
    if not here.sending:
        here._take(plan)  # noqa: SLF001 -- of this module
    return here


def of_row(row: SweepRow) -> Sweep:
    """Give the sweep of a row of the log.

    Raises
    ------
    FrameError, RunLogError
        If its plan cannot be read.
    """
    engine = process.engine()
    here = _known.get(row.sweep)
    if here is not None and here.engine is engine:
        return here
    return Sweep(stored.read(row, engine, Hailuo.instance()), engine)


def not_confirmed(plan: Plan) -> NotConfirmed:
    """Give the error of a sweep that nobody has agreed to."""
    return NotConfirmed(
        f"This sweep would send {plan.sends()}, and a sweep of this size or price is sent only when "
        "you say so.",
        money=NOTHING_SENT,
        todo="Look at its plan, then put --yes on the cell (yes=True in Python).",
    )


def sweep(
    prompt: str = "",
    axes: Mapping[str, Iterable[Any]] | None = None,
    *,
    rows: Any = None,
    count: int = 1,
    yes: bool = False,
    provider: str | None = None,
    mode: str | None = None,
    resolution: str | None = None,
    duration: int | None = None,
    image: Any = None,
    last_image: Any = None,
    prompt_optimizer: bool = True,
    new: bool = False,
    wait: bool = False,
    output: str | Path | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    name: str | None = None,
) -> Sweep:
    """Ask for a clip at every point of a grid; what this notebook has already is not bought again.

    Parameters
    ----------
    prompt
        The text. Where the grid has a variable that is no option, ``{style}`` stands for its value, and
        braces that stand for themselves are doubled; else the text is taken literally. Blank where
        the grid has ``prompt``.
    axes
        What varies, each with its values: ``provider``, ``mode``, ``resolution``, ``duration``,
        ``image``, ``last_image``, ``optimizer`` (True, False), or a variable of the prompt.
    rows
        In place of axes: a DataFrame, a list of dicts or a CSV file, with these names as columns.
    count
        Runs wanted at each point, 1 to 20.
    yes
        Send it, however many runs it has and whatever they may cost (``Hailuo.sweep_confirm_runs``,
        ``Hailuo.sweep_confirm_usd``). Budgets hold all the same.
    provider, mode, resolution, duration, image, last_image, prompt_optimizer, output, tags, note, name
        As for `generate`, for all points.
    new
        Buy all of it, even where the notebook has it already.
    wait
        Return when all clips are there. A script needs it: at its end nothing more is sent.

    Returns
    -------
    Sweep
        As a cell's last expression it shows its contact sheet.

    Raises
    ------
    NotConfirmed
        If it is larger or dearer than the settings allow without `yes`.
    HailuoError
        If any request is wrong, or something keeps all of it from being sent; nothing was sent then.
    """
    began = time.monotonic()
    if (axes is None) == (rows is None):
        raise OptionError(
            "A sweep needs either axes or rows.", money=NOTHING_SENT, todo='E.g. {"mode": [...]}.'
        )
    if axes is not None:
        grid = grids.spanned(axes.items())
    else:
        grid = grids.listed(grids.rows_of(rows, origin.notebook().folder))
    if not grid.variables:
        prompt = prompt.replace("{", "{{").replace("}", "}}")
    common = Wish(
        "", provider, {"mode": mode, "resolution": resolution, "duration": duration},
        image, last_image, prompt_optimizer, output, count, new, name, tags, note, yes=yes,
    )  # fmt: skip
    given = {
        "provider": provider, "mode": mode, "resolution": resolution, "duration": duration,
        "image": image, "last-frame": last_image, "optimizer": None if prompt_optimizer else "off",
    }  # fmt: skip
    grids.check(grid, prompt, [name for name, value in given.items() if value is not None])
    settings = Hailuo.instance()
    plan = plans.make(grid, common, prompt, {}, settings)
    if plan.asks(settings) and not yes:
        raise not_confirmed(plan)
    made = of_plan(plan)
    made.send()
    if error := made.answered(began):
        raise error
    return made.wait() if wait else made
