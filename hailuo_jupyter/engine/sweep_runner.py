"""Send a sweep: its submissions one by one, with a limited number active at each provider.

Points that wait are not stored as runs. Each run is bought by the engine's own `submit`, at most one at a
time, so that never more is sent than was planned, and a failed point is not submitted again automatically.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hailuo_jupyter.catalogue.types import Price
from hailuo_jupyter.engine import budget
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.lifecycle import internal_error
from hailuo_jupyter.engine.submission import Submission, preflight
from hailuo_jupyter.errors import (
    Blocked,
    HailuoError,
    KeyMissing,
    KeyRefused,
    NoCredits,
    NotBought,
    NotSent,
    RequestError,
    from_problem,
)
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import SETTLED, State

logger = logging.getLogger(__name__)

#: Seconds between checks: another process may have stopped the sweep.
_LOOK_S = 1.0

#: Errors that every further run at this provider would have too.
_FOR_ALL = frozenset({KeyMissing.code, KeyRefused.code, Blocked.code, NoCredits.code})


@dataclass
class SweepItem:
    """One point of a sweep.

    Parameters
    ----------
    submission
        Its submission, with the number of runs.
    left
        How many of them are still to be sent, as confirmed.
    runs
        Ids of its runs, including failed ones.
    problem
        Why it is not sent, if so.
    """

    submission: Submission
    left: int = 0
    runs: list[str] = field(default_factory=list)
    problem: HailuoError | None = None

    @property
    def provider(self) -> str:
        """Its provider."""
        return self.submission.provider.name


class SweepRunner:
    """The submission of a sweep by this process.

    Parameters
    ----------
    engine
        Buys and follows the runs.
    parts
        The points, in the order in which they are sent; changed as the sending goes on.
    parallel
        Maximum active runs at a provider.
    stopped
        Returns whether the person has stopped the sweep; called before each run is sent. May block shortly.
    """

    def __init__(
        self, engine: Engine, parts: Sequence[SweepItem], parallel: int, stopped: Callable[[], bool]
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
        # `done` is true only after the last step of `_send`, so it cannot be checked there.
        self._life.add_done_callback(lambda _life: engine.events.recheck())

    @property
    def done(self) -> bool:
        """Whether nothing more is sent."""
        return self._life.done()

    def look(self) -> None:
        """Make it check at once whether the sweep was stopped."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the engine has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    def wait_first(self, timeout: float | None) -> HailuoError | None:
        """Block until the first runs are answered; return the error that blocks all others, if any.

        Parameters
        ----------
        timeout
            Maximum seconds; None to wait until every run is answered.
        """

        def answered() -> bool:
            if self.problems:
                return True
            first = len(self.bought) if timeout is None else self._first
            sent = self.done or (timeout is not None and len(self.bought) >= first)
            return sent and all(map(self._engine.answered, self.bought[:first]))

        self._engine.events.wait_for(answered, timeout)
        self._learn()
        return next(iter(self.problems.values()), None)

    async def _send(self) -> None:
        self._loop = asyncio.get_running_loop()
        leave = self._engine.events.listen(None, lambda _row: self.look())
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
            self.problems.setdefault("", internal_error(error))
        finally:
            leave()

    def _send_some(self) -> bool:
        """Send one run at each provider with capacity; return whether any was sent."""
        self._learn()
        busy = Counter(row.provider for row in self._rows() if under_way(row))
        sent = False
        for provider in dict.fromkeys(part.provider for part in self._parts if part.left):
            if busy[provider] < self._parallel:
                part = next(p for p in self._parts if p.left and p.provider == provider)
                self._send_one(part)
                sent = True
        return sent

    def _send_one(self, part: SweepItem) -> None:
        part.left -= 1
        try:
            runs = self._engine.submit(replace(part.submission, most=1))
        except (NotBought, RequestError) as error:
            part.left, part.problem = 0, error
        except HailuoError as error:
            part.left += 1
            self._give_up(part.provider, error)
        else:
            self.bought += [each.run.run_id for each in runs if each.action is Action.BUY]
            ids = [each.run.run_id for each in runs]
            part.runs = [*part.runs, *(each for each in ids if each not in part.runs)]
        self._engine.events.recheck()

    def _learn(self) -> None:
        """Stop using a provider that rejects every request, or can't be reached now."""
        for row in map(self._engine.row, tuple(self.bought)):
            problem = row.record.problem
            if problem is None or row.provider in self.problems:
                continue
            # A cancelled run says nothing about the others.
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
    """Return whether a process is working on a run."""
    return row.state not in SETTLED and row.owner is not None


def check(engine: Engine, parts: Sequence[SweepItem], settings: Hailuo, *, yes: bool) -> None:
    """Check, before the first run is sent, for whatever would block any of them.

    Parameters
    ----------
    engine, parts
        The points; only those with runs left are checked.
    settings
        Contain the budgets, against which the sweep counts as a whole.
    yes
        Whether the person agrees to unknown prices.

    Raises
    ------
    BudgetExceeded, KeyMissing, SettingsError, DiskError, ProviderDown
        Before anything is sent.
    """
    lacking = [part for part in parts if part.left]
    prices = [(part.submission.price, part.left) for part in lacking]
    paid = [(price, count) for price, count in prices if price.kind != "free"]
    if paid:
        notebook_id = lacking[0].submission.origin.notebook_id
        standing = budget.budgets(settings, engine.logs()[0], notebook_id, engine.now())
        for price, count in _averaged(paid):
            budget.check(price, count, standing, yes=yes)
    for part in lacking:
        preflight(part.submission, engine.providers)


def _averaged(prices: Sequence[tuple[Price, int]]) -> list[tuple[Price, int]]:
    """Return the mean of the known prices, and one unknown price, each with its number of clips."""
    priced = [(price, count) for price, count in prices if price.counted is not None]
    found: list[tuple[Price, int]] = []
    if priced:
        count = sum(each for _, each in priced)
        high = sum((price.counted or 0.0) * each for price, each in priced) / count
        found.append((replace(priced[0][0], high=high), count))
    unknown = [(price, count) for price, count in prices if price.counted is None]
    if unknown:
        found.append((unknown[0][0], sum(each for _, each in unknown)))
    return found
