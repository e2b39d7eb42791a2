"""What a sweep would send, what that costs and how long it takes; nothing is sent by it."""

from __future__ import annotations

import hashlib
import heapq
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.forecast import forecast
from hailuo_jupyter.engine.order import Order
from hailuo_jupyter.engine.sweep import Part
from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, NotBought, OptionError
from hailuo_jupyter.kernel import generate, origin
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.sweep.grid import Grid, wish_at
from hailuo_jupyter.kernel.sweep.total import Total, total
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.offer import Price
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True)
class Shape:
    """The shape of a sweep: its axes in words, and the place of each point.

    Parameters
    ----------
    axes
        Name and values of each, as they are shown.
    places
        For each point its place on each axis, from 0.
    """

    axes: tuple[tuple[str, tuple[str, ...]], ...]
    places: tuple[tuple[int, ...], ...]

    def named(self, position: int) -> list[tuple[str, str]]:
        """Give the values of a point by their axes."""
        return [
            (name, values[at])
            for (name, values), at in zip(self.axes, self.places[position], strict=True)
        ]


@dataclass(frozen=True)
class Plan:
    """A sweep before it is sent.

    Parameters
    ----------
    sweep
        Its id.
    shape
        Axes and places.
    parts
        A part for each place, each with how many runs it lacks.
    count
        Runs wanted at each place.
    new
        Buy them all, even where the notebook has them.
    output
        The output folder as the person named it.
    digest
        Equal for equal plans.
    parallel
        Most runs under way at once at a provider.
    remark
        What has to be said aloud: about the choice of provider, and about runs of other notebooks
        that serve.
    """

    sweep: str
    shape: Shape
    parts: tuple[Part, ...]
    count: int
    new: bool
    output: str | None
    digest: str
    parallel: int
    remark: str = ""

    @property
    def lacking(self) -> int:
        """How many runs it would send."""
        return sum(part.left for part in self.parts)

    @property
    def there(self) -> int:
        """How many of those wanted are in the notebook already, or stand in the way."""
        return self.count * len(self.parts) - self.lacking

    @property
    def total(self) -> Total:
        """What that costs."""
        lacking = ((price_of(part.order), part.left) for part in self.parts if part.left)
        return total((price.low, price.high, price.kind, left) for price, left in lacking)

    def seconds(self, engine: Engine) -> float:
        """Give how long it may take until the last clip is there."""
        return duration(engine, self.parts, self.parallel)

    def asks(self, settings: Hailuo) -> bool:
        """Tell whether the person has to agree to it first."""
        cost = self.total
        return bool(
            self.lacking > settings.sweep_confirm_runs
            or cost.unknown
            or cost.high > settings.sweep_confirm_usd + 1e-9
        )

    def sends(self) -> str:
        """Say what sending it means: ``Send 8 runs for about 2.32 to 3.10 USD (inferred)``."""
        return f"{runs(self.lacking)} for {self.total.words}"


def runs(count: int) -> str:
    """Say how many runs."""
    return "1 run" if count == 1 else f"{count} runs"


def price_of(order: Order) -> Price:
    """Give what a clip of an order costs."""
    return order.provider.price(order.request.options)


def duration(engine: Engine, parts: Sequence[Part], parallel: int) -> float:
    """Give the seconds that the runs left take, so many at once, by how long such runs usually take."""
    lanes: dict[str, list[float]] = {}
    for part in parts:
        for _ in range(part.left):
            lane = lanes.setdefault(part.provider, [0.0] * parallel)
            heapq.heapreplace(lane, lane[0] + median(engine, part.order))
    return max((max(lane) for lane in lanes.values()), default=0.0)


def median(engine: Engine, order: Order) -> float:
    """Give the seconds that half of such runs take at most."""
    prior = order.provider.expected(order.request.options)
    seen = log_for(engine, order.provider.name == "demo").durations(order.request.kind)
    return forecast(prior.median_s, prior.sigma, seen).median_s


def log_for(engine: Engine, demo: bool) -> RunLog:
    """Give the log that holds runs of the demo, or else those of the other providers."""
    logs = engine.logs()
    return logs[-1] if demo else logs[0]


def make(
    grid: Grid, common: Wish, prompt: str, namespace: Mapping[str, Any], settings: Hailuo
) -> Plan:
    """Check every request of a grid, and find out what the notebook has of it already.

    Parameters
    ----------
    grid
        What varies.
    common
        What all requests share.
    prompt
        The text with its fields.
    namespace
        The notebook's variables.
    settings
        In force for it.

    Raises
    ------
    HailuoError
        Whatever is wrong with any of them; it says where.
    """
    engine, remark = process.engine(), ""
    if not all("provider" in point.values for point in grid.points):
        folder = origin.notebook().folder
        chosen, remark = generate.choose_provider(settings, common.provider, folder)
        common = replace(common, provider=chosen.name)
    orders: list[Order] = []
    where: dict[str, str] = {}
    for point in grid.points:
        try:
            order, _ = generate.order_of(
                wish_at(point, common, prompt, namespace), settings=settings
            )
        except HailuoError as error:
            raise type(error)(
                f"At {point.words()}: {error.what}", money=error.money, todo=error.todo
            ) from error
        print_of = order.request.fingerprint
        if print_of in where:
            raise OptionError(
                f"{where[print_of]} and {point.words()} ask for the same clip.",
                money=NOTHING_SENT,
                todo="Leave one out; --count asks for several clips of each.",
            )
        where[print_of] = point.words()
        orders.append(order)
    axes = tuple((axis.name, axis.labels) for axis in grid.axes)
    shape = Shape(axes, tuple(point.at for point in grid.points))
    digest = _digest(orders, shape, common.count, common.new)
    output = None if common.output is None else str(common.output)
    sweep = _id(engine, orders, digest, new=common.new)
    parts = tuple(Part(replace(order, sweep=sweep, yes=True)) for order in orders)
    for part in parts:
        look(engine, part)
    return Plan(
        sweep, shape, parts, common.count, common.new, output, digest,
        settings.sweep_parallel, "\n".join(filter(None, (remark, _found(parts)))),
    )  # fmt: skip


def look(engine: Engine, part: Part) -> None:
    """Find out how many runs a part lacks; what stands in its way is its problem."""
    part.problem, part.left = None, 0
    try:
        part.order, part.left = engine.look_for(part.order)
    except NotBought as error:
        part.problem = error


def _found(parts: Sequence[Part]) -> str:
    """Say where runs come from whose notebook went by another id."""
    said = [each for part in parts for each in part.order.found.values()]
    more = f" So is it with {len(said) - 1} more." if len(said) > 1 else ""
    return harmless(said[0]) + more if said else ""


def _digest(orders: Sequence[Order], shape: Shape, count: int, new: bool) -> str:
    prints = [order.request.fingerprint for order in orders]
    text = json.dumps([prints, shape.axes, shape.places, count, new])
    return hashlib.sha256(text.encode()).hexdigest()


def _id(engine: Engine, orders: Sequence[Order], digest: str, *, new: bool) -> str:
    """Give the id of the same sweep that this notebook has already, or a new one."""
    if not new:
        log = log_for(engine, all(order.provider.name == "demo" for order in orders))
        found = log.latest_sweep(orders[0].origin.notebook_id, digest)
        if found is not None:
            return found.sweep
    return "sweep-" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
