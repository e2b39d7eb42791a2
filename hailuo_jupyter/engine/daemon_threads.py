"""Daemon threads: neither the engine nor Python waits for them at exit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

_T = TypeVar("_T")

#: Seconds that the engine's shutdown waits for busy threads.
END_S = 3.0


class DaemonThreads(ThreadPoolExecutor):
    """A pool with as many threads as there are concurrent calls.

    At exit Python waits for the threads of an ordinary pool
    (https://docs.python.org/3/library/concurrent.futures.html#threadpoolexecutor), and asyncio for those
    of its loop's. A thread
    that reads from a stuck network mount, or waits for a name server, would keep a kernel alive.
    It is a subclass of a pool only because asyncio requires one.
    """

    def __init__(self, name: str) -> None:
        super().__init__(max_workers=1)
        self._name = name
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._open = self._count = 0

    def submit(self, fn: Callable[..., _T], /, *args: Any, **named: Any) -> Future[_T]:
        """Run a function on a thread.

        Raises
        ------
        RuntimeError
            If the system cannot start a thread.
        """
        future: Future[_T] = Future()
        with self._changed:
            if self._open == self._count:
                threading.Thread(target=self._serve, name=self._name, daemon=True).start()
                self._count += 1
            self._open += 1
        self._jobs.put((future, partial(fn, *args, **named)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Stop the threads, each when its work is done; waits briefly if `wait` is set."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._open == 0, END_S)
            count, self._count = self._count, 0
        for _ in range(count):
            self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, act = job
            found, error = None, None
            future.set_running_or_notify_cancel()
            try:
                found = act()
            except BaseException as problem:  # noqa: BLE001 - raised again by the future
                error = problem
            with self._changed:
                self._open -= 1
                self._changed.notify_all()
            if future.cancelled():
                pass
            elif error is None:
                future.set_result(found)
            else:
                future.set_exception(error)
            del job, future, act, found, error
