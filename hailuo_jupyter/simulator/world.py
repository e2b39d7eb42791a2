"""One simulated world: its time, jobs, money, pictures, faults and what was asked of it."""

from __future__ import annotations

import asyncio
import secrets
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hailuo_jupyter.simulator.access import RateLimiter
from hailuo_jupyter.simulator.answers import RefusedError
from hailuo_jupyter.simulator.clips import ClipCache, ClipPlan
from hailuo_jupyter.simulator.clock import VirtualClock
from hailuo_jupyter.simulator.faults import Asking, Effect, FaultPlan
from hailuo_jupyter.simulator.jobs import Durations, Job, Wire
from hailuo_jupyter.simulator.ledger import Ledger, RequestEntry
from hailuo_jupyter.simulator.mp4 import free_box
from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.pictures import (
    Picture,
    PictureError,
    check,
    decode_inline,
    fitted,
    is_link,
    stand_in,
)
from hailuo_jupyter.simulator.scene import VARIANTS, variant_of
from hailuo_jupyter.simulator.video_request import VideoRequest

_T = TypeVar("_T")


class World:
    """The state behind both wires.

    Jobs, uploads and the list of requests are changed by the server's thread and read by others.

    Parameters
    ----------
    options : SimulatorOptions
        The choices made at the start.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.clock = VirtualClock(options.speed)
        self.faults = FaultPlan()
        #: Where the server listens, and where its second port does; set when it does.
        self.url = ""
        self.media_url = ""
        self.limits: dict[str, RateLimiter] = {
            "segmind": RateLimiter(options.segmind_per_minute),
            "aimlapi": RateLimiter(options.aimlapi_per_minute),
            # Published: 200 requests per 60 s.
            "logs": RateLimiter(200),
        }
        #: Signs media links, so that a link cannot be given a later end.
        self.secret = secrets.token_bytes(16)
        self.assets: dict[str, tuple[str, bytes]] = {}
        self._jobs: dict[str, Job] = {}
        self._by_media: dict[str, Job] = {}
        self._requests: list[RequestEntry] = []
        self._lock = threading.Lock()
        self._durations = Durations(options.seed, options.sigma, options.queue_share)
        self._cache = ClipCache(options.cache)
        self._workers = ThreadPoolExecutor(options.render_threads, "simulator-render")
        # Quick work gets a thread of its own: it must not queue behind clips.
        self._helpers = ThreadPoolExecutor(2, "simulator-help")

    def now(self) -> float:
        """Return the virtual Unix seconds."""
        return self.clock.now()

    def close(self) -> None:
        """Give back the threads; clips that were not begun are not rendered."""
        self._cache.give_up()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._helpers.shutdown(wait=True, cancel_futures=True)

    async def offload(self, work: Callable[[], _T]) -> _T:
        """Do work in another thread, so that the server answers meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._helpers, work)

    # What others look at.

    def ledger(self) -> Ledger:
        """Return all accepted submits."""
        return Ledger.of(self.jobs(), self.now(), self.options.min_polls)

    def requests(self) -> list[RequestEntry]:
        """Return all requests so far, in the order in which they were answered."""
        with self._lock:
            return list(self._requests)

    def record(self, make: Callable[[int], RequestEntry]) -> None:
        """Note a request; the function gets its number."""
        with self._lock:
            self._requests.append(make(len(self._requests) + 1))

    def jobs(self, wire: Wire | None = None, key_hash: str | None = None) -> list[Job]:
        """Return jobs, oldest first, of one wire and, with separate accounts, one key."""
        with self._lock:
            jobs = list(self._jobs.values())
        alone = key_hash is not None and self.options.separate_accounts
        return [
            job
            for job in jobs
            if (wire is None or job.wire == wire) and (not alone or job.key_hash == key_hash)
        ]

    def job(self, wire: Wire, job_id: str, key_hash: str | None = None) -> Job | None:
        """Return a job by its id, also one that its provider has forgotten."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or job.wire != wire:
            return None
        if self.options.separate_accounts and key_hash not in (None, job.key_hash):
            return None
        return job

    def forgotten(self, job: Job) -> bool:
        """Whether the provider answers 404 for a job by now."""
        keep = self.options
        retention = keep.segmind_retention if job.wire == "segmind" else keep.aimlapi_retention
        return job.forgotten or self.now() >= job.submitted + retention + job.drawing_delay

    def balance(self, key_hash: str) -> float:
        """Return the US dollars left, counting jobs that are not finished as paid."""
        spent = sum(
            0.0 if job.failure is not None else job.price for job in self.jobs(None, key_hash)
        )
        return max(0.0, self.options.balance - spent)

    # Accepting work.

    async def accept(
        self,
        wire: Wire,
        request: VideoRequest,
        body: dict[str, Any],
        *,
        asking: Asking,
        key_hash: str,
        client_request_id: str | None = None,
        job_id: str | None = None,
    ) -> Job:
        """Take a job and begin to render its clip.

        Raises
        ------
        RefusedError
            Status 400, if a picture inside the request is one that the provider does not take.
        """
        failure = request.failure
        first = last = None
        try:
            first = await self._picture(request.first, sampled=request.sampled)
            last = await self._picture(request.last)
        except PictureError as problem:
            # A picture in the body is refused at once; one behind a link is read by the worker.
            if not all(is_link(frame) for frame in (request.first, request.last) if frame):
                raise RefusedError(400, f"Invalid image: {problem}") from problem
            failure = f"Invalid image: {problem}"
        queue, work = self._durations.draw(request.median)
        job = Job(
            wire=wire,
            id=job_id or str(uuid.uuid4()),
            body=body,
            key_hash=key_hash,
            client_request_id=client_request_id,
            endpoint=asking.path,
            submitted=self.now(),
            queue_seconds=queue,
            work_seconds=work,
            price=request.price,
            size=fitted(first, request.height),
            seconds=request.seconds,
            first_frame=first.source if first else None,
            last_frame=last.source if last else None,
            failure=failure,
        )
        self._bend(job, asking)
        if job.failure is None:
            job.rendering = self._workers.submit(
                self._render, job, first, last, self.clock.flowed()
            )
        with self._lock:
            self._jobs[job.id] = job
            self._by_media[job.media_id] = job
        return job

    def _bend(self, job: Job, asking: Asking) -> None:
        """Let faults choose how the job will go."""
        for fault in self.faults.take_all(asking, Effect.JOB):
            if fault.name in ("job-fails", "moderation"):
                job.failure = str(fault.detail("message"))
                if fault.name == "moderation":
                    job.work_seconds = 0.008
            elif fault.name == "stuck":
                job.stuck = True
            elif fault.name == "seconds":
                whole = float(fault.detail("seconds"))
                job.queue_seconds = whole * self.options.queue_share
                job.work_seconds = whole - job.queue_seconds
            elif fault.name == "odd-id":
                job.id = f"{secrets.randbelow(9 * 10**14) + 10**14}:minimax/hailuo-02"
            elif fault.name == "forgotten":
                job.forgotten = True

    async def _picture(self, text: str | None, *, sampled: bool = False) -> Picture | None:
        if text is None:
            return None
        if sampled:
            return stand_in(text, "sample")
        if not is_link(text):
            return await self.offload(lambda: check(decode_inline(text), "data", webp=False))
        for base in (self.url, self.media_url):
            if text.startswith(f"{base}/assets/"):
                found = self.assets.get(text.removeprefix(f"{base}/assets/"))
                if found is None:
                    raise PictureError("the image cannot be fetched")
                return await self.offload(partial(check, found[1], "asset", webp=True))
        return stand_in(text)

    # Clips.

    def media_job(self, media_id: str) -> Job | None:
        """Return the job whose clip has this name in links."""
        with self._lock:
            return self._by_media.get(media_id)

    async def clip(self, job: Job) -> bytes:
        """Return the bytes of a finished job's file, which no other job's file equals.

        Raises
        ------
        RefusedError
            Status 404, if the file was removed from the cache meanwhile.
        """
        rendering = job.rendering
        if rendering is None or not rendering.done():
            raise RefusedError(404, "Not found")
        try:
            content = await self.offload(rendering.result().read_bytes)
        except FileNotFoundError as problem:
            raise RefusedError(404, "Not found") from problem
        return content + free_box(job.id)

    def _render(self, job: Job, first: Picture | None, last: Picture | None, begun: float) -> Path:
        options = self.options
        width, height = (max(16, side // options.shrink // 2 * 2) for side in job.size)
        plan = ClipPlan(
            size=(width, height),
            seconds=job.seconds,
            variant=variant_of(job.prompt, min(options.variants, VARIANTS)),
            first=first.encoded() if first else None,
            last=last.encoded() if last else None,
            caption=job.prompt if options.caption else None,
        )
        path = self._cache.clip(plan)
        job.drawing_seconds = self.clock.flowed() - begun
        return path
