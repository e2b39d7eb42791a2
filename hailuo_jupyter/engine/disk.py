"""File operations that may never return, on daemon threads: limited in number, each with a timeout.

A stuck network mount blocks any thread that reads or writes there, and a thread cannot be killed. So nothing
waits for such a thread: neither runs of other folders, nor the engine's shutdown, nor Python's exit, which
waits for the threads of an ordinary pool.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.daemon_threads import END_S, DaemonThreads

_T = TypeVar("_T")

#: Operations at once, and of these in one folder. One that is stuck keeps its thread.
_MOST, _MOST_IN_FOLDER = 64, 4


class Stuck(TimeoutError):
    """The folder has not answered in time."""


@dataclass
class _Folder:
    """Operations in one folder: those waiting, and how many are running or stuck."""

    path: Path
    waiting: deque[_Job] = field(default_factory=deque)
    working: int = 0
    stuck: int = 0


@dataclass
class _Job:
    """One operation, and its future."""

    folder: _Folder
    act: Callable[[], Any]
    future: asyncio.Future[Any]
    patient: bool


class Disk:
    """Does file operations for one engine. All methods belong to the engine's own loop.

    Parameters
    ----------
    patience_s
        Seconds after which an operation counts as stuck.
    """

    def __init__(self, patience_s: float = timings.DEFAULT.stuck_folder_s) -> None:
        self._patience_s = patience_s
        self._folders: dict[Path, _Folder] = {}
        self._threads = DaemonThreads("hailuo-disk")
        self._working: set[asyncio.Future[Any]] = set()
        self._stuck: set[asyncio.Future[Any]] = set()
        self._promised: set[asyncio.Future[Any]] = set()

    async def run(self, folder: Path, act: Callable[..., _T], *values: Any) -> _T:
        """Call a function on a thread and return its result; see `begin`.

        Raises
        ------
        Stuck
            If the folder does not answer in time, or is still busy with another operation.
        """
        return await asyncio.shield(self.begin(folder, act, *values))

    def begin(
        self, folder: Path, act: Callable[..., _T], *values: Any, patient: bool = False
    ) -> asyncio.Future[_T]:
        """Start a function on a thread.

        Parameters
        ----------
        folder
            The folder that it reads or writes. A stuck folder does not delay others.
        act, values
            The function and its arguments.
        patient
            Whether to run it even later, once a stuck folder answers.

        Returns
        -------
        asyncio.Future
            Its result, or an error as for `run`. The function runs even if no one awaits this.
        """
        place = self._folders.setdefault(folder, _Folder(folder))
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        place.waiting.append(_Job(place, partial(act, *values), future, patient))
        self._promised.add(future)
        future.add_done_callback(self._kept)
        self._start(place)
        return future

    async def close(self) -> None:
        """Wait for pending writes, within limits, and release the threads."""
        if self._promised:
            await asyncio.wait(self._promised, timeout=END_S)
        for each in self._working | self._stuck:
            each.cancel()  # its thread would call a loop that is closed by then
        self._threads.shutdown(wait=False)

    def _start(self, place: _Folder) -> None:
        """Start a folder's operations, as many as may run at once."""
        if place.stuck or len(self._stuck) >= _MOST:
            for each in place.waiting:
                if not each.patient:
                    _end(each, error=Stuck())
            place.waiting = deque(each for each in place.waiting if each.patient)
            return
        while place.waiting and place.working < _MOST_IN_FOLDER and not self._full():
            job = place.waiting.popleft()
            loop = job.future.get_loop()
            try:
                work = loop.run_in_executor(self._threads, job.act)
            except RuntimeError as error:  # the system cannot start more threads
                _end(job, error=error)
                continue
            place.working += 1
            self._working.add(work)
            timer = loop.call_later(self._patience_s, self._give_up, job, work)
            work.add_done_callback(partial(self._ended, job, timer))
        if not (place.waiting or place.working):
            self._folders.pop(place.path, None)

    def _full(self) -> bool:
        return len(self._working) + len(self._stuck) >= _MOST

    def _give_up(self, job: _Job, work: asyncio.Future[Any]) -> None:
        """Stop waiting for an operation, and for others in its folder until it has ended."""
        if work in self._working:
            self._working.discard(work)
            self._stuck.add(work)
            job.folder.stuck += 1
            _end(job, error=Stuck())
            self._start_again(job.folder)

    def _ended(self, job: _Job, timer: asyncio.TimerHandle, work: asyncio.Future[Any]) -> None:
        timer.cancel()
        full = self._full()
        job.folder.working -= 1
        job.folder.stuck -= work in self._stuck
        self._working.discard(work)
        self._stuck.discard(work)
        if work.cancelled():
            job.future.cancel()
        elif (error := work.exception()) is not None:
            _end(job, error=error)
        else:
            _end(job, result=work.result())
        self._start_again(job.folder, others=full)

    def _start_again(self, place: _Folder, *, others: bool = False) -> None:
        """Start what a folder can run now, and other folders that may have waited for its threads."""
        self._start(place)
        for each in list(self._folders.values()) if others or self._full() else ():
            self._start(each)

    def _kept(self, future: asyncio.Future[Any]) -> None:
        self._promised.discard(future)
        if not future.cancelled():
            future.exception()  # retrieved, so that asyncio does not warn about it


def _end(job: _Job, *, result: Any = None, error: BaseException | None = None) -> None:
    if job.future.done():
        return
    if error is not None:
        job.future.set_exception(error)
    else:
        job.future.set_result(result)
