"""Waiting for runs, in a cell, on the kernel's own loop, in a thread or in a plain script.

Nothing here cancels or fails a run: a wait that ends early leaves it as it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator

#: Seconds between looks. An interrupt is heard between two slices, and a kernel serves its comms.
_SLICE = 0.2


async def until(done: Callable[[], bool], timeout: float | None = None) -> bool:
    """Wait on a running loop until `done`, in slices.

    A bare future would not do: on an idle kernel an interrupt during its await is heard only when
    something else wakes the loop. A cancellation passes through as it is: turned into
    KeyboardInterrupt inside `asyncio.wait_for` it would kill the kernel.

    Returns
    -------
    bool
        False if `timeout` seconds went by first.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while not done():
        left = _SLICE if end is None else min(_SLICE, end - time.monotonic())
        if left <= 0:
            return False
        await asyncio.sleep(left)
    return True


def block_until(done: Callable[[], bool], timeout: float | None = None) -> bool:
    """Wait, blocking, until `done`; the caller's own asyncio tasks go on meanwhile where possible.

    On a loop that runs already (a kernel's) nest-asyncio2 lets it go on; it is applied at the first
    such call and never at import. Where the loop cannot be patched (uvloop), and where there is no
    loop, the wait goes in slices of sleep.

    Returns
    -------
    bool
        False if `timeout` seconds went by first.
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
    """Give what ``__await__`` has to return, for a wait until `done`."""
    return until(done).__await__()
