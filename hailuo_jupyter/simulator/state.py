"""The state of one simulator: its time, jobs, pictures and clips."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hailuo_jupyter.simulator.clips import ClipCache, ClipPlan, free_box
from hailuo_jupyter.simulator.drawing import VARIANTS, variant_of
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
from hailuo_jupyter.simulator.responses import RefusedError


class VirtualClock:
    """A clock that starts at the real time and then runs at its own speed.

    Parameters
    ----------
    speed : float
        Virtual seconds per real second, above 0. With 60 a job of three minutes takes three
        seconds, and so does everything that depends on the providers' time: retention, expiry
        of links and rate limits.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._start = time.time()
        # The monotonic clock, because a corrected wall clock must not age the jobs.
        self._started = time.monotonic()
        self._advanced = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the virtual time in Unix seconds."""
        with self._lock:
            return self._start + self.flowed() + self._advanced

    def flowed(self) -> float:
        """Return the virtual seconds that passed, without any `advance`."""
        return (time.monotonic() - self._started) * self.speed

    def advance(self, seconds: float) -> float:
        """Move the clock forward.

        Parameters
        ----------
        seconds : float
            Virtual seconds, 0 or more.

        Returns
        -------
        float
            The virtual time after the move.

        Raises
        ------
        ValueError
            If the number is negative or not finite: time does not go back.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"cannot advance the clock by {seconds} s")
        with self._lock:
            self._advanced += seconds
        return self.now()


def iso_time(moment: float) -> str:
    """Return Unix seconds as the ISO-8601 text both providers use (UTC, milliseconds, ``Z``)."""
    text = dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


@dataclass(frozen=True)
class VideoRequest:
    """The order of a submit, after its API has checked its own fields.

    Parameters
    ----------
    prompt : str
        The text.
    model : str
        The provider's own name of the model.
    height : int
        The shorter side in pixels, such as 768.
    seconds : int
        Duration of the clip, such as 6.
    first, last : str or None
        Pictures as received: an address, a ``data:`` URI or bare base64.
    sampled : bool
        Whether the first frame is the provider's published sample, not the user's.
    price : float
        US dollars.
    median : float
        Virtual seconds that such a job usually takes.
    retention : float
        Virtual seconds from submission until the provider forgets the job.
    failure : str or None
        Why it will fail although it is accepted.
    """

    prompt: str
    model: str
    height: int
    seconds: int
    first: str | None
    last: str | None
    price: float
    median: float
    retention: float
    sampled: bool = False
    failure: str | None = None


class Phase(StrEnum):
    """The phase of a job; each provider has its own names for these four."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether the phase is final."""
        return self in (Phase.DONE, Phase.FAILED)


@dataclass
class Job:
    """One accepted submit.

    Parameters
    ----------
    wire : str
        The provider that accepted it.
    id : str
        The provider's id of the job.
    model : str
        The provider's own name of the model.
    body : dict
        The request's JSON as it arrived.
    prompt : str
        The prompt.
    key_hash : str
        Identifies the key that paid, without containing it.
    client_request_id : str or None
        The valid ``X-Client-Request-Id`` of the request (AI/ML API).
    endpoint : str
        Path of the submit.
    submitted : float
        Virtual Unix seconds.
    queue_seconds, work_seconds : float
        Virtual seconds in the queue and in progress.
    price : float
        US dollars for the finished clip.
    retention : float
        Virtual seconds from submission until the provider forgets it.
    size, seconds : tuple of int, int
        Pixels and duration of the clip.
    first, last : Picture or None
        Its pictures.
    """

    wire: str
    id: str
    model: str
    body: dict[str, Any]
    prompt: str
    key_hash: str
    client_request_id: str | None
    endpoint: str
    submitted: float
    queue_seconds: float
    work_seconds: float
    price: float
    retention: float
    size: tuple[int, int]
    seconds: int
    first: Picture | None = field(default=None, repr=False)
    last: Picture | None = field(default=None, repr=False)
    failure: str | None = None
    stuck: bool = False
    #: Answers so far that said "not yet".
    polls: int = 0
    downloads: int = 0
    #: Virtual time at which it ended; set by the first check that finds it finished.
    ended_at: float | None = None
    #: The clip's file name in links; not the job's id, so that neither can be guessed.
    media_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    rendering: Future[Path] | None = None
    #: Virtual seconds that drawing the clip took.
    drawing_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def due(self) -> float:
        """The virtual time at which the work ends."""
        return self.submitted + self.queue_seconds + self.work_seconds

    @property
    def drawing_delay(self) -> float:
        """Virtual seconds by which drawing the clip delayed the job.

        With a fast clock this can be long, and has no equivalent at a provider: it counts
        neither for retention nor for the expiry of links.
        """
        return max(0.0, self.drawing_seconds - self.queue_seconds - self.work_seconds)

    def phase(self, now: float, *, min_polls: int = 0) -> Phase:
        """Return the job's phase, without counting this as a poll.

        Parameters
        ----------
        now : float
            Virtual Unix seconds.
        min_polls : int
            Minimum number of "not yet" answers before it may end.
        """
        with self._lock:
            if self.ended_at is not None:
                return Phase.FAILED if self.failure is not None else Phase.DONE
            over = now >= self.due and not self.stuck
            if over and self.polls >= min_polls and self._rendered():
                self.ended_at = self.due + self.drawing_delay
                return Phase.FAILED if self.failure is not None else Phase.DONE
            if now < self.submitted + self.queue_seconds or (over and self.polls == 0):
                return Phase.QUEUED
            return Phase.RUNNING

    def poll(self, now: float, *, min_polls: int) -> Phase:
        """Return the job's phase as an answer to its owner, and count it."""
        phase = self.phase(now, min_polls=min_polls)
        if not phase.ended:
            with self._lock:
                self.polls += 1
        return phase

    def cost(self) -> float:
        """Return the US dollars charged so far; failed jobs are free at both providers."""
        return self.price if self.ended_at is not None and self.failure is None else 0.0

    def inference_seconds(self) -> float:
        """Return the seconds of work, as the providers report them."""
        return round(self.work_seconds, 3)

    def _rendered(self) -> bool:
        if self.failure is not None or self.rendering is None:
            return True
        if not self.rendering.done():
            return False
        problem = self.rendering.exception()
        if problem is not None:
            self.failure = f"internal error: {type(problem).__name__}"
        return True


class Durations:
    """Draws random durations of jobs.

    Parameters
    ----------
    seed : int or None
        Makes the draws repeatable.
    sigma : float
        Width of the log-normal distribution.
    queue_share : float
        Share of the time that is spent in the queue.
    """

    def __init__(self, seed: int | None, sigma: float, queue_share: float) -> None:
        self._dice = random.Random(seed)  # noqa: S311  (waiting times, not secrets)
        self._sigma = sigma
        self._queue_share = queue_share
        self._lock = threading.Lock()

    def draw(self, median: float) -> tuple[float, float]:
        """Return seconds in the queue and seconds of work."""
        with self._lock:
            whole = median * math.exp(self._dice.gauss(0.0, self._sigma))
        return whole * self._queue_share, whole * (1 - self._queue_share)


_T = TypeVar("_T")


class State:
    """The state of one simulator.

    Jobs and uploads are changed by the server's thread and read by others.

    Parameters
    ----------
    options : SimulatorOptions
        The options set at the start.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.clock = VirtualClock(options.speed)
        #: The server's address, and that of clips; set when it listens.
        self.url = ""
        self.media_url = ""
        #: Number of requests received.
        self.received = 0
        #: US dollars in the account at the start.
        self.credit = 1000.0
        #: Virtual seconds until history and log rows appear.
        self.history_delay = 15.0
        #: Signs media links, so that a link's expiry cannot be changed.
        self.secret = secrets.token_bytes(16)
        self.assets: dict[str, tuple[str, bytes]] = {}
        self._jobs: dict[str, Job] = {}
        self._by_media: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._durations = Durations(options.seed, options.sigma, options.queue_share)
        self._cache = ClipCache(options.cache)
        self._workers = ThreadPoolExecutor(options.render_threads, "simulator-render")
        # Quick work has its own thread: it must not queue behind clips.
        self._helpers = ThreadPoolExecutor(2, "simulator-help")

    def now(self) -> float:
        """Return the virtual Unix seconds."""
        return self.clock.now()

    def close(self) -> None:
        """Stop the threads; clips that were not started are not rendered."""
        self._cache.give_up()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._helpers.shutdown(wait=True, cancel_futures=True)
        self._cache.close()

    async def offload(self, work: Callable[[], _T]) -> _T:
        """Run a function in another thread, so that the server can answer meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._helpers, work)

    def jobs(self, wire: str | None = None, key_hash: str | None = None) -> list[Job]:  # noqa: ARG002
        """Return jobs, oldest first, of one wire. All keys belong to one account."""
        with self._lock:
            jobs = list(self._jobs.values())
        return [job for job in jobs if wire is None or job.wire == wire]

    def job(self, wire: str, job_id: str, key_hash: str | None = None) -> Job | None:  # noqa: ARG002
        """Return a job by its id, even if its provider has forgotten it."""
        with self._lock:
            job = self._jobs.get(job_id)
        return job if job is not None and job.wire == wire else None

    def forgotten(self, job: Job) -> bool:
        """Check whether the provider already answers 404 for a job."""
        return self.now() >= job.submitted + job.retention + job.drawing_delay

    def balance(self, key_hash: str) -> float:
        """Return the remaining US dollars, counting unfinished jobs as paid."""
        spent = sum(
            0.0 if job.failure is not None else job.price for job in self.jobs(None, key_hash)
        )
        return max(0.0, self.credit - spent)

    # Jobs.

    async def new_job(
        self,
        request: VideoRequest,
        body: dict[str, Any],
        *,
        wire: str,
        endpoint: str,
        key_hash: str,
        client_request_id: str | None = None,
        job_id: str | None = None,
    ) -> Job:
        """Return a job that is not yet accepted: `begin` does that.

        Raises
        ------
        RefusedError
            Status 400, if the provider rejects a picture in the request.
        """
        failure = request.failure
        first = last = None
        try:
            first = await self._picture(request.first, sampled=request.sampled)
            last = await self._picture(request.last)
        except PictureError as problem:
            # A picture in the body is rejected at once; one behind a link is read by the worker.
            if not all(is_link(frame) for frame in (request.first, request.last) if frame):
                raise RefusedError(400, f"Invalid image: {problem}") from problem
            failure = f"Invalid image: {problem}"
        queue, work = self._durations.draw(request.median)
        return Job(
            wire=wire,
            id=job_id or str(uuid.uuid4()),
            model=request.model,
            body=body,
            prompt=request.prompt,
            key_hash=key_hash,
            client_request_id=client_request_id,
            endpoint=endpoint,
            submitted=self.now(),
            queue_seconds=queue,
            work_seconds=work,
            price=request.price,
            retention=request.retention,
            size=fitted(first, request.height),
            seconds=request.seconds,
            first=first,
            last=last,
            failure=failure,
        )

    def begin(self, job: Job) -> Job:
        """Accept a job, start to render its clip, and return it."""
        if job.failure is None:
            job.rendering = self._workers.submit(self._render, job, self.clock.flowed())
        with self._lock:
            self._jobs[job.id] = job
            self._by_media[job.media_id] = job
        return job

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
        """Return the bytes of a finished job's file, which are unique to the job.

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

    def _render(self, job: Job, begun: float) -> Path:
        options = self.options
        width, height = (max(16, side // options.shrink // 2 * 2) for side in job.size)
        plan = ClipPlan(
            size=(width, height),
            seconds=job.seconds,
            variant=variant_of(job.prompt, min(options.variants, VARIANTS)),
            first=job.first.encoded() if job.first else None,
            last=job.last.encoded() if job.last else None,
            caption=job.prompt if options.caption else None,
        )
        path = self._cache.clip(plan)
        job.drawing_seconds = self.clock.flowed() - begun
        job.first, job.last = (
            each and replace(each, content=b"") for each in (job.first, job.last)
        )
        return path
