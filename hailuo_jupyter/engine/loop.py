"""The engine's thread: a daemon with one asyncio loop, and the connections that belong to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from hailuo_jupyter.providers.http import Http, Patience

_T = TypeVar("_T")


class Loop:
    """One asyncio loop in a thread of its own, begun at once.

    Parameters
    ----------
    patience
        How long the network is waited for; as usual if None.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience
        self._http: Http | None = None
        self._spawned: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
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
        """Run a coroutine on the loop; it carries the caller's context with it."""
        return asyncio.run_coroutine_threadsafe(self._counted(work), self._loop)

    async def _counted(self, work: Coroutine[Any, Any, _T]) -> _T:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._spawned.add(task)
        try:
            return await work
        finally:
            self._spawned.discard(task)

    def do(self, act: Callable[[], _T]) -> _T:
        """Have the thread do something, wait for it, and give what it gives.

        A cell's interrupt reaches the main thread alone. Whatever must not be parted half way, as a
        run that is written down and then begun, is done here: the interrupt ends the waiting.

        Parameters
        ----------
        act
            What is done; it has to be short, since all runs wait meanwhile.
        """
        if threading.current_thread() is self._thread:
            return act()

        async def work() -> _T:
            return act()

        return self.spawn(work()).result()

    def call(self, act: Callable[..., object], *values: object) -> None:
        """Have the loop call something soon."""
        self._loop.call_soon_threadsafe(act, *values)

    def http(self) -> Http:
        """Give the connections; belongs to the loop itself.

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
            self.spawn(self._close()).result(10)
            self.call(self._loop.stop)
            self._thread.join(10)

    async def _close(self) -> None:
        # First those that were spawned here, which end what they have begun themselves: a task within
        # them that somebody else ends before its first step cannot.
        await _end(set(self._spawned))
        await _end(asyncio.all_tasks())
        await self._loop.shutdown_default_executor()
        if self._http is not None:
            await self._http.close()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    others = tasks - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=4)
