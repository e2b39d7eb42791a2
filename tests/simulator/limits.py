"""Rate limits, which no provider documents well: how many requests of a key, and when."""

from __future__ import annotations

import threading
from collections import deque
from typing import Literal

#: How a limiter counts: within any 60 s, within the minutes of a clock, or by a bucket.
Counting = Literal["sliding", "fixed", "bucket"]


class RateLimiter:
    """Counts requests of each account in virtual time.

    Parameters
    ----------
    limit : int or None
        Requests per window; None for no limit.
    counting : {"sliding", "fixed", "bucket"}
        How it counts. A bucket fills steadily, by `limit` in a window.
    burst : int or None
        Requests that a full bucket holds; `limit` if None.
    window : float
        Virtual seconds.
    """

    def __init__(
        self,
        limit: int | None,
        counting: Counting = "sliding",
        *,
        burst: int | None = None,
        window: float = 60.0,
    ) -> None:
        self.limit, self.counting, self.window = limit, counting, window
        self.burst = burst if burst is not None else limit or 1
        self._times: dict[str, deque[float]] = {}
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, who: str, now: float) -> float | None:
        """Count a request, or return the virtual seconds after which it may come again."""
        if self.limit is None:
            return None
        with self._lock:
            if self.counting == "bucket":
                held = self._held(who, now)
                self._buckets[who] = (held - 1.0 if held >= 1.0 else held, now)
                return None if held >= 1.0 else (1.0 - held) * self.window / self.limit
            times = self._recent(who, now)
            if len(times) >= self.limit:
                first = self._began(now) if self.counting == "fixed" else times[0]
                return max(0.0, first + self.window - now)
            times.append(now)
            return None

    def remaining(self, who: str, now: float) -> int | None:
        """Return how many requests are left, None without a limit."""
        if self.limit is None:
            return None
        with self._lock:
            if self.counting == "bucket":
                return int(self._held(who, now))
            return max(0, self.limit - len(self._recent(who, now)))

    def _held(self, who: str, now: float) -> float:
        held, at = self._buckets.get(who, (float(self.burst), now))
        return min(float(self.burst), held + (now - at) * (self.limit or 0) / self.window)

    def _recent(self, who: str, now: float) -> deque[float]:
        times = self._times.setdefault(who, deque())
        while times and (
            times[0] < self._began(now)
            if self.counting == "fixed"
            else times[0] <= now - self.window
        ):
            times.popleft()
        return times

    def _began(self, now: float) -> float:
        """Return when the present window of a clock began."""
        return now // self.window * self.window
