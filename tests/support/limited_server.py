"""Segmind's wire with a limit, in virtual time: in place of the connections, and of nothing else."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Literal

from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.http import Stream
from tests.simulator.limits import RateLimiter
from tests.support.virtual_time import START, VirtualLoop

#: How a refusal says when to come again.
Says = Literal["nothing", "reset", "retry-after"]


@dataclass(frozen=True)
class Arrival:
    """A request to the API's host."""

    at: float
    what: str
    refused: bool


@dataclass
class _Job:
    submitted: float
    ends: float


class LimitedServer:
    """What `Http` is to the package, with a provider behind it.

    Parameters
    ----------
    loop
        Its time.
    limiter
        Counts requests.
    clip
        An MP4.
    seed
        Of durations and of how long requests travel.
    median_s, sigma
        Of the jobs, log-normal.
    retention_s
        Seconds after which a job's record is gone.
    says
        What a refusal says of when to come again.
    early
        What the result's call answers before the job has ended, which nobody documents: as the
        status does, or 404.
    stray
        Refuse this request, counted from 1, whatever the limit.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        limiter: RateLimiter,
        clip: bytes,
        *,
        seed: int,
        median_s: float = 174.0,
        sigma: float = 0.35,
        retention_s: float = 3600.0,
        says: Says = "reset",
        early: Literal["status", "404"] = "status",
        stray: Callable[[int, str], bool] = lambda _number, _what: False,
    ) -> None:
        self._loop, self._limiter, self._clip = loop, limiter, clip
        # The nth job takes as long whatever else happens.
        self._chance, self._durations = random.Random(seed), random.Random(seed + 1000)
        self._median_s, self._sigma, self._retention_s = median_s, sigma, retention_s
        self._says, self._early, self._stray = says, early, stray
        self._jobs: dict[str, _Job] = {}
        self.arrivals: list[Arrival] = []
        self.expired: list[str] = []

    async def send(
        self, call: Call, key_headers: Mapping[str, str], *, fresh: bool = False
    ) -> Reply:
        """Answer a call after it has travelled."""
        del key_headers, fresh
        await asyncio.sleep(self._chance.uniform(0.02, 0.9))
        reply = self._answer(call)
        await asyncio.sleep(self._chance.uniform(0.02, 0.3))
        return reply

    @asynccontextmanager
    async def download(self, link: str, **_: Any) -> AsyncIterator[Stream]:
        """Return the clip, which is on another host."""
        del link
        await asyncio.sleep(self._chance.uniform(0.5, 3.0))

        async def chunks() -> AsyncIterator[bytes]:
            yield self._clip

        yield Stream(200, {"content-length": str(len(self._clip))}, chunks())

    def _answer(self, call: Call) -> Reply:
        now = self._loop.time()
        what = "submit" if call.method == "POST" else call.url.rpartition("/")[2]
        what = what if what in {"submit", "status"} else "result"
        stray = self._stray(len(self.arrivals) + 1, what)
        wait = 0.0 if stray else self._limiter.take("", START + now)
        self.arrivals.append(Arrival(now, what, wait is not None))
        if wait is not None:
            return self._reply(429, {"error": "rate_limit_exceeded"}, self._refusal(wait, stray))
        if what == "submit":
            job_id = f"job-{len(self._jobs) + 1}"
            took = self._median_s * math.exp(self._durations.gauss(0.0, self._sigma))
            self._jobs[job_id] = _Job(now, now + took)
            return self._reply(200, {"request_id": job_id, "status": "QUEUED"})
        job_id = call.url.removesuffix("/status").rpartition("/")[2]
        job = self._jobs[job_id]
        if now > job.submitted + self._retention_s:
            self.expired.append(job_id)
            return self._reply(404, {"error": f"Request {job_id} not found"})
        body: dict[str, object] = {"status": "PROCESSING", "request_id": job_id, "metrics": {}}
        if now < job.ends:
            if what == "result" and self._early == "404":
                return self._reply(404, {"error": f"Request {job_id} not found"})
            return self._reply(200, body)
        body["status"] = "COMPLETED"
        if what == "result":
            body["output"] = f"https://images.segmind.test/generations/{job_id}.mp4"
        return self._reply(200, body)

    def _refusal(self, wait: float, stray: bool) -> dict[str, str]:
        if stray or self._says == "nothing":
            return {}
        if self._says == "retry-after":
            return {"retry-after": str(math.ceil(wait))}
        moment = datetime.fromtimestamp(START + self._loop.time() + wait, UTC)
        return {"x-rate-limit-reset-at-utc": moment.isoformat()}

    def _reply(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
        date = formatdate(START + self._loop.time(), usegmt=True)
        return Reply(status, {"date": date, **(headers or {})}, json.dumps(body).encode())


@dataclass(frozen=True)
class Counter:
    """One of the servers against which the limit is measured."""

    name: str
    counting: Literal["sliding", "fixed", "bucket"]
    burst: int | None = None

    def limiter(self, per_minute: int | None) -> RateLimiter:
        return RateLimiter(per_minute, self.counting, burst=self.burst)


COUNTERS = (
    Counter("fixed window", "fixed"),
    Counter("sliding window", "sliding"),
    Counter("bucket of a minute", "bucket"),
    Counter("bucket of 5", "bucket", 5),
)
