"""An asyncio loop whose clock jumps to the next moment at which something happens.

What runs on it is the package's own code; only waiting takes no time.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hailuo_jupyter.engine.clock import Clock

_T = TypeVar("_T")

#: The wall clock, in seconds since 1970, when the loop's clock is 0.
START = 1_795_000_000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that never waits; work for other threads is done at once."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += seconds

    def run_in_executor(  # type: ignore[override]
        self, _executor: Any, func: Callable[..., _T], *args: Any
    ) -> asyncio.Future[_T]:
        """Call a function at once."""
        done: asyncio.Future[_T] = self.create_future()
        try:
            done.set_result(contextvars.copy_context().run(func, *args))
        except Exception as error:  # noqa: BLE001 -- whoever waits for it gets it
            done.set_exception(error)
        return done

    @property
    def clock(self) -> Clock:
        """The package's clocks, by this loop's time."""
        return Clock(lambda: START + self._now, self.time, asyncio.sleep)


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen: everything waits for something else")
        if timeout > 0:
            self._loop.advance(timeout)
        return super().select(0)


def run(make: Callable[[VirtualLoop], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine in virtual time.

    Parameters
    ----------
    make
        Makes it for a loop.
    """
    loop = VirtualLoop()
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(make(loop))
    finally:
        loop.close()
