"""The simulator's own time, which can run faster than ours and can be moved forward."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time


class VirtualClock:
    """A clock that starts at the real time and then goes its own way.

    Parameters
    ----------
    speed : float
        Virtual seconds per real second, above 0. With 60 a job of three minutes takes three
        seconds, and so does everything that the providers measure in time: retention, expiry
        of links and rate limits.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._start = time.time()
        # The monotonic clock, because a corrected wall clock must not age the jobs.
        self._started = time.monotonic()
        self._advanced = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the virtual time in Unix seconds."""
        with self._lock:
            return self._start + self.flowed() + self._advanced

    def flowed(self) -> float:
        """Return the virtual seconds that went by on their own, without any `advance`."""
        return (time.monotonic() - self._started) * self.speed

    def advance(self, seconds: float) -> float:
        """Move the clock forward.

        Parameters
        ----------
        seconds : float
            Virtual seconds, 0 or more.

        Returns
        -------
        float
            The virtual time after the move.

        Raises
        ------
        ValueError
            If the number is negative or not finite: time does not go back.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"cannot advance the clock by {seconds} s")
        with self._lock:
            self._advanced += seconds
        return self.now()


def iso_time(moment: float) -> str:
    """Return Unix seconds as the ISO-8601 text both providers use (UTC, milliseconds, ``Z``)."""
    text = dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
