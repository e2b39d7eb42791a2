"""When a request may leave: the rate limit, a provider's Retry-After, and back-off.

The slots of a minute stand in the run log, so that all kernels of this user share one limit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from hailuo_jupyter.chance import CHANCE
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.runlog.log import RunLog
from hailuo_jupyter.settings import Hailuo

#: A provider that once answered 429 is asked at its published rate for so long, in seconds.
_REMEMBERED = 24 * 3600.0

#: No wait that a provider asks for is taken to be longer, in seconds.
_LONGEST_WAIT = 300.0

#: Requests a minute where a provider has answered 429 and publishes no limit.
_CAUTIOUS = 10


@dataclass(frozen=True)
class Clock:
    """The clocks that everything here goes by, and the waiting, so that tests can turn them.

    What is on its way through the network has real time of its own; see
    `hailuo_jupyter.providers.http.Patience`.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep


@dataclass
class Stopwatch:
    """Seconds since a moment of the wall clock, through sleeping laptops and turned clocks.

    A laptop that sleeps stops the monotonic clock; a person or a time server may set the wall clock
    back. The later of the two is what has surely passed.
    """

    clock: Clock
    since: float
    _monotonic_at: float = field(init=False)
    _passed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._monotonic_at = self.clock.monotonic()
        self._passed_at = max(self.clock.wall() - self.since, 0.0)

    def passed(self) -> float:
        """Give the seconds that have passed, at least those of the monotonic clock."""
        steady = self._passed_at + self.clock.monotonic() - self._monotonic_at
        return max(self.clock.wall() - self.since, steady, 0.0)


class Pace:
    """Shares one rate limit for each provider among all processes on a run log.

    Parameters
    ----------
    log
        Holds the slots.
    settings
        May name another limit than the catalogue.
    clock
        Wall clock, monotonic clock and waiting.
    """

    def __init__(self, log: RunLog, settings: Hailuo, clock: Clock) -> None:
        self._log, self._settings, self._clock = log, settings, clock

    async def turn(self, provider: Provider) -> None:
        """Wait until a request to this provider may leave, and take the slot."""
        while (wait := self._wait(provider)) > 0:
            await self._clock.sleep(min(wait, 5.0))

    def _wait(self, provider: Provider) -> float:
        now = self._clock.wall()
        return self._log.reserve(provider.name, per_minute=self._limit(provider, now), now=now)

    def _limit(self, provider: Provider, now: float) -> int | None:
        if given := self._settings.requests_per_minute.get(provider.name):
            return int(given)
        refused = self._log.blocked_at(provider.name)
        if refused is None or not 0 <= now - refused < _REMEMBERED:
            return None
        return provider.requests_per_minute or _CAUTIOUS

    def refused(self, provider: Provider, retry_after: str | None, attempt: int) -> float:
        """Note that the provider answered 429 or asked to wait, for all processes.

        Returns
        -------
        float
            Seconds until the next request.
        """
        now = self._clock.wall()
        wait = parse_retry_after(retry_after, now)
        if wait is None:
            wait = back_off(attempt, first=2.0)
        self._log.block_until(provider.name, now + wait, now=now)
        return wait


def back_off(attempt: int, *, first: float = 1.0, most: float = 30.0) -> float:
    """Give a wait in seconds that doubles with each attempt (0, 1, …), with a quarter of jitter."""
    wait: float = min(first * 2.0 ** min(attempt, 10), most)
    return wait * CHANCE.uniform(0.75, 1.0)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header: seconds or an HTTP date; capped at five minutes.

    Returns
    -------
    float or None
        Seconds to wait; None where the header is missing or makes no sense.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.fromtimestamp(now, UTC)).total_seconds()
    if not 0 <= seconds < float("inf"):
        return None
    return min(seconds, _LONGEST_WAIT)
