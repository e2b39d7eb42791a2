"""Runs of several kernels on one log, in virtual time, through the package's own code."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from unittest import mock

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.engine.lifecycle import run_to_end
from hailuo_jupyter.engine.rate_limiter import RateLimiter
from hailuo_jupyter.engine.recovery import Sidecars
from hailuo_jupyter.engine.resources import OwnedLog
from hailuo_jupyter.engine.run_task import RunTask, TaskContext
from hailuo_jupyter.engine.submission import Submission, find_reusable, reserve
from hailuo_jupyter.keys import Key
from hailuo_jupyter.providers.http import Http
from hailuo_jupyter.providers.segmind import Segmind
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.runlog import Owner, Row, RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support import virtual_time
from tests.support.limited_server import LimitedServer
from tests.support.virtual_time import VirtualLoop

SEGMIND = catalogue.provider("segmind")


@dataclass
class Outcome:
    """What became of a scenario."""

    server: LimitedServer
    rows: list[Row]
    #: When each clip was on disk, in virtual seconds from the start.
    clips: list[float]
    #: What the log has learned of how long jobs take, in seconds.
    durations: list[float]

    @property
    def lost(self) -> int:
        """Runs that were bought and have no clip."""
        return sum(row.job_id is not None and row.state is not State.COMPLETED for row in self.rows)

    @property
    def requests(self) -> int:
        return len(self.server.arrivals)

    @property
    def refused(self) -> int:
        return sum(each.refused for each in self.server.arrivals)

    @property
    def last_clip_s(self) -> float:
        return max(self.clips, default=0.0)


@dataclass(frozen=True)
class Scenario:
    """Runs that are placed at once in some kernels on one log.

    Parameters
    ----------
    runs
        In each kernel.
    kernels
        Each has connections, limiter and log of its own.
    seconds
        Virtual seconds after which all is ended; None to wait for every run.
    ceiling
        Requests a minute that the user allows.
    seed
        Of what the package leaves to chance.
    """

    runs: int
    kernels: int = 1
    seconds: float | None = None
    ceiling: int | None = None
    seed: int = 1

    def play(self, make_server: Callable[[VirtualLoop, bytes], LimitedServer]) -> Outcome:
        """Play it against a provider, which the function makes."""
        with ExitStack() as stack:
            memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
            stack.enter_context(_seeded(self.seed))
            return virtual_time.run(
                lambda loop: self._play(loop, make_server(loop, clip()), folder, stack)
            )

    async def _play(
        self, loop: VirtualLoop, server: LimitedServer, folder: Path, stack: ExitStack
    ) -> Outcome:
        clips: list[float] = []

        def publish(row: Row) -> None:
            if row.state is State.COMPLETED and row.owner is not None:
                clips.append(loop.time())

        lives = [
            loop.create_task(life)
            for number in range(self.kernels)
            for life in self._kernel(number, loop, server, folder, publish, stack)
        ]
        await asyncio.wait(lives, timeout=self.seconds)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        with RunLog(folder / "runs.sqlite3", clock=loop.clock.wall) as log:
            rows = log.recent(10_000)
            return Outcome(server, rows, clips, log.durations(rows[0].kind))

    def _kernel(  # noqa: PLR0917 -- of one caller
        self,
        number: int,
        loop: VirtualLoop,
        server: LimitedServer,
        folder: Path,
        publish: Callable[[Row], None],
        stack: ExitStack,
    ) -> Iterator[Coroutine[Any, Any, None]]:
        """Write a kernel's runs down, and give what follows each of them."""
        clock = loop.clock
        log = stack.enter_context(RunLog(folder / "runs.sqlite3", clock=clock.wall))
        owner = stack.enter_context(Owner(log.path))
        desk = OwnedLog(log, owner, RateLimiter(log, owner.id, clock))
        asked = request.build("a cat", SEGMIND, options={})
        origin = OriginRecord(
            notebook_id=f"kernel-{number}", notebook_path=None, cell_id=None, source_sha256=None
        )
        order = Submission(
            asked, SEGMIND, folder / "hailuo", origin, folder, count=self.runs, new=True, yes=True
        )
        now = clock.wall()
        seen = find_reusable(order, log, now, Sidecars())
        rows = reserve(seen, desk, Hailuo(run_log=str(log.path)), now).rows
        bench = TaskContext(
            cast("Http", server),
            desk,
            clock,
            publish,
            deadline_s=1800.0,
            largest_clip=10**9,
            active_count=lambda: len(rows),
            ceiling=self.ceiling,
        )
        dialect = Segmind(SEGMIND, {"api": "https://api.segmind.test"})
        key = Key("SG_0123456789abcdef", "a test")
        for row in rows:
            yield _life(RunTask(bench, row, SEGMIND, dialect, lambda: key), asked)


async def _life(hand: RunTask, asked: request.Request) -> None:
    await run_to_end(hand, asked)
    hand.limiter.leave(hand.row.run_id)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Return chance a seed, and let no disk be waited for."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        for place in ("engine.clock._random", "engine.poll._random"):
            stack.enter_context(mock.patch(f"hailuo_jupyter.{place}", chance))
        stack.enter_context(mock.patch("os.fsync", return_value=None))
        yield


@lru_cache(maxsize=1)
def clip() -> bytes:
    """Return a small MP4."""
    import io

    import av
    import numpy as np

    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()
