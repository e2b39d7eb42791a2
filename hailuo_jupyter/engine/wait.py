"""Wait for runs, in a cell, on the kernel's own loop, in a thread or in a plain script.

Nothing here cancels or fails a run: a wait that ends early leaves it as it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator

#: Seconds between checks. An interrupt is handled between two slices, and a kernel serves its comms.
_SLICE = 0.2


async def until(done: Callable[[], bool], timeout: float | None = None) -> bool:
    """Wait on a running loop until `done`, in slices.

    A bare future does not work: on an idle kernel an interrupt during its await is handled only when
    something else wakes the loop. A cancellation is passed through unchanged: turned into
    KeyboardInterrupt inside `asyncio.wait_for` it would kill the kernel.

    Returns
    -------
    bool
        False if `timeout` seconds passed first.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while not done():
        left = _SLICE if end is None else min(_SLICE, end - time.monotonic())
        if left <= 0:
            return False
        await asyncio.sleep(left)
    return True


def block_until(done: Callable[[], bool], timeout: float | None = None) -> bool:
    """Block until `done`; the caller's own asyncio tasks continue meanwhile where possible.

    On a running loop (a kernel's) nest-asyncio2 keeps it running; it is applied at the first
    such call and never at import. If the loop cannot be patched (uvloop), or if there is no
    loop, the wait is a series of short sleeps.

    Returns
    -------
    bool
        False if `timeout` seconds passed first.
    """
    if done():
        return True
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _sleep_until(done, timeout)
    try:
        import nest_asyncio2

        nest_asyncio2.apply(loop)
    except ValueError:
        return _sleep_until(done, timeout)
    return bool(loop.run_until_complete(until(done, timeout)))


def _sleep_until(done: Callable[[], bool], timeout: float | None) -> bool:
    end = None if timeout is None else time.monotonic() + timeout
    while not done():
        left = _SLICE / 4 if end is None else min(_SLICE / 4, end - time.monotonic())
        if left <= 0:
            return False
        time.sleep(left)
    return True


def awaiting(done: Callable[[], bool]) -> Generator[object, None, bool]:
    """Return the result for ``__await__``, for a wait until `done`."""
    return until(done).__await__()
