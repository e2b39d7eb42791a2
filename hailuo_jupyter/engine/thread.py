"""The engine's thread: a daemon with one asyncio loop, and the connections and disk that belong to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar, cast

from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.daemon_threads import DaemonThreads
from hailuo_jupyter.engine.disk import Disk
from hailuo_jupyter.engine.timings import Timings
from hailuo_jupyter.providers.http import Http, Patience

_T = TypeVar("_T")


class EngineThread:
    """One asyncio loop in its own thread, started at once.

    Parameters
    ----------
    patience
        Network timeouts; the default if None.
    timings
        Contain the time after which a folder counts as stuck.

    Attributes
    ----------
    disk
        Does file operations; only for the loop itself.
    """

    def __init__(
        self, patience: Patience | None = None, timings: Timings = timings.DEFAULT
    ) -> None:
        self._patience = patience
        self._http: Http | None = None
        self.disk = Disk(timings.stuck_folder_s)
        self._spawned: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(DaemonThreads("hailuo-work"))
        self._thread = threading.Thread(target=self._serve, name="hailuo-engine", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def spawn(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run a coroutine on the loop; the caller's context is passed on."""
        return asyncio.run_coroutine_threadsafe(self._counted(work), self._loop)

    async def _counted(self, work: Coroutine[Any, Any, _T]) -> _T:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._spawned.add(task)
        try:
            return await work
        finally:
            self._spawned.discard(task)

    def run_uninterrupted(self, act: Callable[[], _T]) -> _T:
        """Run a function on the thread, which no interrupt can break off, and return its result.

        Python runs signal handlers in the main thread only
        (https://docs.python.org/3/library/signal.html#signals-and-threads), so a cell's interrupt ends the
        wait but not the function. So a run in the log always has a task, even after an interrupt.

        Parameters
        ----------
        act
            The function; it has to be short, since all runs wait meanwhile.
        """
        if threading.current_thread() is self._thread:
            return act()

        async def work() -> _T:
            return act()

        return self.spawn(work()).result()

    def call(self, act: Callable[..., object], *values: object) -> None:
        """Schedule a call on the loop."""
        self._loop.call_soon_threadsafe(act, *values)

    def http(self) -> Http:
        """Return the connections; only for the loop itself.

        Raises
        ------
        SettingsError
            If the environment names a proxy that cannot be used.
        """
        self._http = self._http or Http(self._patience)
        return self._http

    def stop(self) -> None:
        """Cancel whatever runs on the loop, close the connections, and end the thread."""
        if self._thread.is_alive():
            with suppress(TimeoutError):  # whatever is stuck by then is abandoned
                self.spawn(self._close()).result(10)
            self.call(self._loop.stop)
            self._thread.join(10)

    async def _close(self) -> None:
        # First those that were spawned here: they cancel the tasks within them. Cancelling all at once would
        # end a task before its first step, whose `finally` then never runs
        # (https://docs.python.org/3/library/asyncio-task.html#task-cancellation).
        await _end(set(self._spawned))
        await _end(asyncio.all_tasks())
        await self.disk.close()
        await self._loop.shutdown_default_executor()
        if self._http is not None:
            await self._http.close()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    others = tasks - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=4)
