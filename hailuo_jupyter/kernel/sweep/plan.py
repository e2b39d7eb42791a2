"""Plan a sweep: what it would send, the cost and the duration. Nothing is sent."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.eta import forecast
from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.engine.sweep_runner import SweepItem
from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, NotBought, NotConfirmed, OptionError
from hailuo_jupyter.formatting import count, dollars, escape_control, with_origin
from hailuo_jupyter.kernel import context, generate, host_secrets
from hailuo_jupyter.kernel.generate_options import GenerateOptions
from hailuo_jupyter.kernel.sweep.grid import Grid, request_at
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True)
class Shape:
    """The shape of a sweep: its axes in words, and the position of each point.

    Parameters
    ----------
    axes
        Name and values of each, for display.
    places
        For each point its position on each axis, from 0.
    """

    axes: tuple[tuple[str, tuple[str, ...]], ...]
    places: tuple[tuple[int, ...], ...]

    def named(self, position: int) -> list[tuple[str, str]]:
        """Return the values of a point by their axes."""
        return [
            (name, values[index])
            for (name, values), index in zip(self.axes, self.places[position], strict=True)
        ]


@dataclass(frozen=True)
class Plan:
    """A sweep before it is sent.

    Parameters
    ----------
    sweep
        Its id.
    shape
        Axes and positions.
    parts
        A part for each point, with the number of missing runs.
    count
        Runs at each point.
    new
        Buy them all, even if the notebook has them.
    output
        The output folder that the person set, relative to the notebook's folder.
    digest
        Equal for equal plans.
    parallel
        Maximum active runs at a provider.
    remark
        A remark about the choice of provider, and about reused runs of other notebooks.
    """

    sweep: str
    shape: Shape
    parts: tuple[SweepItem, ...]
    count: int
    new: bool
    output: str | None
    digest: str
    parallel: int
    remark: str = ""

    @property
    def missing(self) -> int:
        """Number of runs that it would send."""
        return sum(part.left for part in self.parts)

    @property
    def existing(self) -> int:
        """Number of runs that the notebook already has, or that block a purchase."""
        return self.count * len(self.parts) - self.missing

    @property
    def total(self) -> Cost:
        """The cost of the runs that it would send."""
        missing = ((part.submission.price, part.left) for part in self.parts if part.left)
        return total_cost((price.low, price.high, price.kind, left) for price, left in missing)

    @property
    def quote(self) -> SweepQuote:
        """What a person agrees to who sends it now."""
        return SweepQuote(
            self.sweep,
            tuple(
                (
                    part.provider,
                    part.submission.request.fingerprint,
                    part.left,
                    price.low,
                    price.high,
                )
                for part in self.parts
                if part.left
                for price in (part.submission.price,)
            ),
        )

    def seconds(self, engine: Engine) -> float:
        """Return how long it may take until the last clip is downloaded."""
        return duration(engine, self.parts, self.parallel)

    def needs_confirmation(self, settings: Hailuo) -> bool:
        """Return whether it needs confirmation."""
        cost = self.total
        return bool(
            self.missing > settings.sweep_confirm_runs
            or cost.unknown
            or cost.high > settings.sweep_confirm_usd + 1e-9
        )

    def to_submit(self) -> str:
        """Return what would be submitted: ``8 clips for $2.32–3.10 est.``."""
        return f"{count(self.missing, 'clip')} for {self.total.words}"


@dataclass(frozen=True)
class SweepQuote:
    """The facts of a sweep's purchase that a person agrees to.

    Parameters
    ----------
    sweep
        Its id.
    clips
        For each point with missing clips: provider, fingerprint of the request, how many clips, and the
        price of one in USD, or None if unknown.
    """

    sweep: str
    clips: tuple[tuple[str, str, int, float | None, float | None], ...]

    def check(self, plan: Plan) -> None:
        """Check that a plan matches the quote.

        Raises
        ------
        NotConfirmed
            If it does not: clips were sent, or a price has changed, meanwhile.
        """
        if plan.quote != self:
            raise NotConfirmed(
                "What is missing has changed since you confirmed its price.",
                money=NOTHING_SENT,
                todo="Choose Resume again to see what is missing now.",
            )


def duration(engine: Engine, parts: Sequence[SweepItem], parallel: int) -> float:
    """Return the estimated seconds for the remaining runs, with this many active at once."""
    lanes: dict[str, list[float]] = {}
    for part in parts:
        for _ in range(part.left):
            lane = lanes.setdefault(part.provider, [0.0] * parallel)
            heapq.heapreplace(lane, lane[0] + median(engine, part.submission))
    return max((max(lane) for lane in lanes.values()), default=0.0)


def median(engine: Engine, submission: Submission) -> float:
    """Return the median duration of such runs, in seconds."""
    request, provider = submission.request, submission.provider
    prior = provider.expected(request.options)
    seen = log_for(engine, provider.name == "demo").durations(request.kind)
    return forecast(prior.median_s, prior.sigma, seen).median_s


def log_for(engine: Engine, demo: bool) -> RunLog:
    """Return the log for runs of the demo, or for those of the other providers."""
    logs = engine.logs()
    return logs[-1] if demo else logs[0]


def make(
    grid: Grid, common: GenerateOptions, prompt: str, namespace: Mapping[str, Any], settings: Hailuo
) -> Plan:
    """Check every request of a grid, and look up which runs the notebook already has.

    Parameters
    ----------
    grid
        The grid.
    common
        The options that all requests share.
    prompt
        The text with its fields.
    namespace
        The notebook's variables.
    settings
        The settings for it.

    Raises
    ------
    HailuoError
        For any problem with one of them; the message says where.
    """
    engine, remark = process.get_engine(), ""
    if not all("provider" in point.values for point in grid.points):
        folder = context.notebook().folder
        chosen, remark = generate.choose_provider(
            settings, common.get("provider"), folder, common.get("model")
        )
        common = {**common, "provider": chosen.name}
    submissions: list[Submission] = []
    where: dict[str, str] = {}
    for point in grid.points:
        try:
            text, options = request_at(point, common, prompt, namespace)
            submission, _ = generate.submission_from(text, options, settings=settings)
        except HailuoError as error:
            raise type(error)(
                f"{point.where or f'At {point.words()}'}: {error.what}",
                money=error.money,
                todo=error.todo,
            ) from error
        fingerprint = submission.request.fingerprint
        if fingerprint in where:
            raise OptionError(
                f"{where[fingerprint]} and {point.words()} ask for the same clip.",
                money=NOTHING_SENT,
                todo="Remove one, or use --count for several clips of each.",
            )
        where[fingerprint] = point.words()
        submissions.append(replace(submission, position=point.position))
    axes = tuple((axis.name, axis.labels) for axis in grid.axes)
    shape = Shape(axes, tuple(point.at for point in grid.points))
    first = submissions[0]
    digest = _digest(submissions, shape)
    output = None if common.get("output") is None else _from_notebook(first.folder)
    sweep = _id(engine, submissions, digest)
    parts = tuple(SweepItem(replace(each, sweep=sweep, yes=True)) for each in submissions)
    for provider in {each.provider.name: each.provider for each in submissions}.values():
        host_secrets.look([provider], first.key_folder)
    for part in parts:
        preflight(engine, part)
    return Plan(
        sweep, shape, parts, first.count, first.new, output, digest,
        settings.sweep_parallel, "\n".join(filter(None, (remark, _found(parts)))),
    )  # fmt: skip


def _from_notebook(folder: Path) -> str:
    """Return the path relative to the notebook's folder, valid even after both were moved."""
    try:
        return os.path.relpath(folder, context.notebook().folder.resolve())
    except ValueError:  # on another drive
        return str(folder)


def preflight(engine: Engine, part: SweepItem) -> None:
    """Determine how many runs a part lacks; whatever blocks it becomes its problem."""
    part.problem, part.left = None, 0
    try:
        reusable = engine.find_reusable(part.submission)
        part.submission, part.left = reusable.submission, reusable.missing
    except NotBought as error:
        part.problem = error


def _found(parts: Sequence[SweepItem]) -> str:
    """Return a remark on the origin of runs whose notebook had another id."""
    remarks = [each for part in parts for each in part.submission.remarks.values()]
    more = f" Same for {len(remarks) - 1} more." if len(remarks) > 1 else ""
    return escape_control(remarks[0]) + more if remarks else ""


def _digest(submissions: Sequence[Submission], shape: Shape) -> str:
    prints = [each.request.fingerprint for each in submissions]
    first = submissions[0]
    text = json.dumps([prints, shape.axes, shape.places, first.count, first.new])
    return hashlib.sha256(text.encode()).hexdigest()


def _id(engine: Engine, submissions: Sequence[Submission], digest: str) -> str:
    """Return the id of the same sweep in this notebook, or a new id."""
    first = submissions[0]
    if not first.new:
        log = log_for(engine, all(each.provider.name == "demo" for each in submissions))
        found = log.latest_sweep(first.origin.notebook_id, digest)
        if found is not None:
            return found.sweep
    return "sweep-" + "".join(secrets.choice(_ALPHABET) for _ in range(8))


#: States in which nothing was bought, unless the provider reports a charge.
_NOT_BOUGHT = frozenset({State.PREPARED, State.UPLOADING, State.REJECTED, State.FAILED})


@dataclass(frozen=True)
class Cost:
    """The cost of a number of clips.

    Parameters
    ----------
    low, high
        USD, of those whose price is known.
    unknown, free
        How many have an unknown price, and how many are free.
    kinds
        Origins of the other prices.
    """

    low: float
    high: float
    unknown: int
    free: int
    kinds: tuple[str, ...]

    @property
    def words(self) -> str:
        """The total in words, with the origin of the prices."""
        parts = []
        if self.kinds:
            parts.append(with_origin(dollars(self.low, self.high), *self.kinds))
        if self.unknown:
            parts.append(f"{self.unknown} at an unknown price")
        if self.free:
            parts.append("free (demo)" if not parts else f"{self.free} free (demo)")
        return ", ".join(parts) or "nothing"


def total_cost(prices: Iterable[tuple[float | None, float | None, str, int]]) -> Cost:
    """Add prices up.

    Parameters
    ----------
    prices
        Lower bound, upper bound, origin, and how many clips have it.
    """
    low_sum = high_sum = 0.0
    unknown = free = 0
    kinds: dict[str, None] = {}
    for low, high, kind, clips in prices:
        if kind == "free":
            free += clips
        elif high is None:
            unknown += clips
        else:
            low_sum += (high if low is None else low) * clips
            high_sum += high * clips
            kinds[kind] = None
    return Cost(low_sum, high_sum, unknown, free, tuple(kinds))


def spent(records: Iterable[Record]) -> str:
    """Return the cost of runs so far: charges if known, else estimates; empty for nothing."""
    charged, known = 0.0, 0
    prices: list[tuple[float | None, float | None, str, int]] = []
    for record in records:
        cost = record.cost
        if cost.actual is not None and cost.kind != "free":  # the simulator charges, too
            charged, known = charged + cost.actual, known + 1
        elif record.state not in _NOT_BOUGHT:
            prices.append((cost.estimate_low, cost.estimate_high, cost.kind, 1))
    parts = [f"{dollars(charged)} charged"] if known else []
    return " and ".join([*parts, *([total_cost(prices).words] if prices else [])])
