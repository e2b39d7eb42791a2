"""Clocks, and how long to wait before something is tried again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any

#: Not reset by `random.seed`.
_random = SystemRandom()


@dataclass(frozen=True)
class Clock:
    """The clocks and the sleep of the engine, so that tests can replace them.

    Network timeouts use real time; see
    `hailuo_jupyter.providers.http.Patience`.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep


@dataclass
class Stopwatch:
    """Seconds since a moment of the wall clock, despite suspended laptops and changed clocks.

    A suspended laptop stops the monotonic clock; a person or a time server may set the wall clock back. The
    larger elapsed time is the correct one.
    """

    clock: Clock
    since: float
    _monotonic_at: float = field(init=False)
    _passed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._monotonic_at = self.clock.monotonic()
        self._passed_at = max(self.clock.wall() - self.since, 0.0)

    def passed(self) -> float:
        """Return the seconds that have passed, at least those of the monotonic clock."""
        steady = self._passed_at + self.clock.monotonic() - self._monotonic_at
        return max(self.clock.wall() - self.since, steady, 0.0)


def back_off(attempt: int, *, first: float = 1.0, most: float = 30.0) -> float:
    """Return a wait in seconds that doubles with each attempt (0, 1, …), with a quarter of jitter."""
    wait: float = min(first * 2.0 ** min(attempt, 10), most)
    return wait * _random.uniform(0.75, 1.0)
