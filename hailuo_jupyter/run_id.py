"""The names of runs: they sort by time and are safe in file names."""

from __future__ import annotations

import secrets
import threading
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CLOCK_STEP_S = 3600
_lock = threading.Lock()
_last = (-_CLOCK_STEP_S, 0)


def new_run_id(now: float | None = None) -> str:
    """Make an id that sorts by time, is safe in file names, and can be told over a telephone.

    Parameters
    ----------
    now
        Seconds since 1970; the wall clock if None.

    Returns
    -------
    str
        Such as ``20261120-140312-7f3kq9``: UTC, and 30 random bits without the letters i, l, o, u.
        Later calls in one process give ids that sort later, unless the clock is set back by more
        than an hour.
    """
    global _last  # noqa: PLW0603
    second = int(time.time() if now is None else now)
    with _lock:
        last_second, last_tail = _last
        if 0 <= last_second - second < _CLOCK_STEP_S:
            second, tail = last_second, last_tail + 1 + secrets.randbelow(1 << 18)
            if tail >= 1 << 30:
                second, tail = second + 1, secrets.randbelow(1 << 29)
        else:
            tail = secrets.randbelow(1 << 29)  # the upper half is left for others in this second
        _last = (second, tail)
    digits = "".join(_ALPHABET[tail >> shift & 31] for shift in range(25, -1, -5))
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%d-%H%M%S}-{digits}"
