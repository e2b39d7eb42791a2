"""Keys and rate limits: who may ask, and how often."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from enum import Enum


class Access(Enum):
    """What a key is good for."""

    ALLOWED = "allowed"
    MISSING = "missing"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    BROKE = "broke"


def judge(key: str, allowed: tuple[str, ...] | None) -> Access:
    """Return what a key is good for.

    Parameters
    ----------
    key : str
        The key as sent, "" when none came. The words ``refused``, ``forbidden`` and ``broke``
        inside it choose the answer, so that a test needs no more than another key.
    allowed : tuple of str or None
        The only keys that are accepted; None accepts every other key.
    """
    if not key.strip():
        return Access.MISSING
    if "refused" in key or (allowed is not None and key not in allowed):
        return Access.REFUSED
    if "forbidden" in key:
        return Access.FORBIDDEN
    if "broke" in key:
        return Access.BROKE
    return Access.ALLOWED


def key_hash(key: str) -> str:
    """Return a short name for a key, from which it cannot be had back."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class RateLimiter:
    """Counts requests in a window that slides with the virtual clock.

    Parameters
    ----------
    limit : int or None
        Requests per window; None for no limit.
    window : float
        Virtual seconds.
    """

    def __init__(self, limit: int | None, window: float = 60.0) -> None:
        self.limit = limit
        self.window = window
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, who: str, now: float) -> float | None:
        """Count a request, or return the virtual seconds after which it may come again."""
        if self.limit is None:
            return None
        with self._lock:
            times = self._recent(who, now)
            if len(times) >= self.limit:
                return max(0.0, times[0] + self.window - now)
            times.append(now)
            return None

    def remaining(self, who: str, now: float) -> int | None:
        """Return how many requests are left in the window, None without a limit."""
        if self.limit is None:
            return None
        with self._lock:
            return max(0, self.limit - len(self._recent(who, now)))

    def _recent(self, who: str, now: float) -> deque[float]:
        times = self._times.setdefault(who, deque())
        while times and times[0] <= now - self.window:
            times.popleft()
        return times
