"""Sending a sweep: its orders one by one, so many under way at once at each provider.

What waits for its turn is written down nowhere among the runs. Each run is bought by the engine's own
`place`, at most one at a time, so that never more is sent than was planned, and a point that fails is
not asked for again by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hailuo_jupyter.engine import budget, placing
from hailuo_jupyter.engine.decide import Act
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.life import mistake
from hailuo_jupyter.engine.order import Order
from hailuo_jupyter.errors import (
    HailuoError,
    KeyMissing,
    KeyRefused,
    NoCredits,
    NotBought,
    NotSent,
    RequestError,
    from_problem,
)
from hailuo_jupyter.offer import Price
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import SETTLED, State

logger = logging.getLogger(__name__)

#: Seconds after which it looks again by itself: another process may have stopped the sweep.
_LOOK_S = 1.0

#: What would befall every further run at this provider too.
_FOR_ALL = frozenset({KeyMissing.code, KeyRefused.code, NoCredits.code})


@dataclass
class Part:
    """One point of a sweep.

    Parameters
    ----------
    order
        What is wanted there, with the number of runs.
    left
        How many of them are still to be sent, as it was agreed.
    runs
        Ids of the runs that stand for it, failed ones too.
    problem
        Why it is not sent, if it is not.
    """

    order: Order
    left: int = 0
    runs: list[str] = field(default_factory=list)
    problem: HailuoError | None = None

    @property
    def provider(self) -> str:
        """Whom it asks."""
        return self.order.provider.name


class Course:
    """The sending of a sweep by this process.

    Parameters
    ----------
    engine
        Buys and follows the runs.
    parts
        The points, in the order in which they are sent; changed as the sending goes on.
    parallel
        Most runs that are under way at once at a provider.
    stopped
        Asked before each run is sent: whether the person has stopped the sweep. May block shortly.
    """

    def __init__(
        self, engine: Engine, parts: Sequence[Part], parallel: int, stopped: Callable[[], bool]
    ) -> None:
        self._engine, self._parts, self._parallel = engine, parts, parallel
        self._stopped = stopped
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.problems: dict[str, HailuoError] = {}
        self.bought: list[str] = []
        self.stopped = False
        self._first = min(parallel, sum(part.left for part in parts))
        self._life = engine.spawn(self._send())

    @property
    def done(self) -> bool:
        """Whether nothing more is sent."""
        return self._life.done()

    def look(self) -> None:
        """Have it look at once whether the sweep was stopped."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the engine has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    def wait_first(self, timeout: float) -> HailuoError | None:
        """Wait, blocking, until the first runs are answered; gives what keeps all others from going.

        Parameters
        ----------
        timeout
            Seconds at most.
        """

        def answered() -> bool:
            if self.problems or self.done:
                return True
            return len(self.bought) >= self._first and not any(
                row.state in {State.PREPARED, State.UPLOADING, State.SUBMITTING}
                for row in map(self._engine.row, self.bought[: self._first])
            )

        self._engine.board.wait_for(answered, timeout)
        self._learn()
        return next(iter(self.problems.values()), None)

    async def _send(self) -> None:
        self._loop = asyncio.get_running_loop()
        leave = self._engine.board.listen(None, lambda _row: self.look())
        try:
            while any(part.left for part in self._parts):
                self._wake.clear()
                if await asyncio.to_thread(self._stopped):
                    self.stopped = True
                    break
                if not await asyncio.to_thread(self._send_some):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), _LOOK_S)
        except Exception as error:
            logger.exception("a sweep stopped")
            self.problems.setdefault("", mistake(error))
        finally:
            leave()
            self._engine.board.look_again()

    def _send_some(self) -> bool:
        """Send one run at each provider that has room; tells whether any was."""
        self._learn()
        busy = Counter(row.provider for row in self._rows() if under_way(row))
        sent = False
        for provider in dict.fromkeys(part.provider for part in self._parts if part.left):
            if busy[provider] < self._parallel:
                part = next(p for p in self._parts if p.left and p.provider == provider)
                self._send_one(part)
                sent = True
        return sent

    def _send_one(self, part: Part) -> None:
        part.left -= 1
        try:
            placed = self._engine.place(replace(part.order, most=1))
        except (NotBought, RequestError) as error:
            part.left, part.problem = 0, error
        except HailuoError as error:
            part.left += 1
            self._give_up(part.provider, error)
        else:
            fresh = [each.run.run_id for each in placed if each.act is Act.BUY]
            self.bought += fresh
            known = [each.run.run_id for each in placed]
            part.runs = [*part.runs, *(each for each in known if each not in part.runs)]
        self._engine.board.look_again()

    def _learn(self) -> None:
        """Give up a provider that refuses all alike, or to whom nothing can be sent just now."""
        for row in map(self._engine.row, tuple(self.bought)):
            problem = row.record.problem
            if problem is None or row.provider in self.problems:
                continue
            # What the person has cancelled says nothing of the others.
            unsent = row.state is State.PREPARED and row.owner is None
            if problem.code in _FOR_ALL or (unsent and problem.code != NotSent.code):
                self._give_up(row.provider, from_problem(problem.model_dump()))

    def _give_up(self, provider: str, error: HailuoError) -> None:
        self.problems.setdefault(provider, error)
        for part in self._parts:
            if part.provider == provider and part.left:
                part.problem, part.left = part.problem or error, 0

    def _rows(self) -> list[Row]:
        ids = dict.fromkeys(run_id for part in self._parts for run_id in part.runs)
        return [self._engine.row(run_id) for run_id in ids]


def under_way(row: Row) -> bool:
    """Tell whether somebody works on a run just now."""
    return row.state not in SETTLED and row.owner is not None


def check(engine: Engine, parts: Sequence[Part], settings: Hailuo, *, yes: bool) -> None:
    """Find out, before the first run is sent, whatever would keep any of them from being sent.

    Parameters
    ----------
    engine, parts
        Of which those with something left are meant.
    settings
        Tells the budgets, against which the sweep counts as a whole.
    yes
        Whether the person agrees to prices that nobody knows.

    Raises
    ------
    BudgetExceeded, KeyMissing, SettingsError, DiskError, ProviderDown
        Nothing was sent.
    """
    lacking = [part for part in parts if part.left]
    prices = [
        (part.order.provider.price(part.order.request.options), part.left) for part in lacking
    ]
    paid = [(price, count) for price, count in prices if price.kind != "free"]
    if paid:
        notebook_id = lacking[0].order.origin.notebook_id
        standing = budget.budgets(settings, engine.logs()[0], notebook_id, engine.now())
        for price, count in _together(paid):
            budget.check(price, count, standing, yes=yes)
    for part in lacking:
        placing.get_ready(part.order, engine.wires)


def _together(prices: Sequence[tuple[Price, int]]) -> list[tuple[Price, int]]:
    """Give the mean of the prices that are known, and one that is not, each for how many clips."""
    known = [(price, count) for price, count in prices if price.high is not None]
    found: list[tuple[Price, int]] = []
    if known:
        count = sum(each for _, each in known)
        high = sum((price.high or 0.0) * each for price, each in known) / count
        found.append((replace(known[0][0], high=high), count))
    unknown = [(price, count) for price, count in prices if price.high is None]
    if unknown:
        found.append((unknown[0][0], sum(each for _, each in unknown)))
    return found
