"""Jobs: what the provider works on, and what it says about them at a given time."""

from __future__ import annotations

import math
import random
import threading
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

Wire = Literal["segmind", "aimlapi"]


class Phase(StrEnum):
    """Where a job stands; each wire has its own words for these four."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self in (Phase.DONE, Phase.FAILED)


@dataclass
class Job:
    """One accepted submit.

    Parameters
    ----------
    wire : {"segmind", "aimlapi"}
        Which provider took it.
    id : str
        The provider's name for it.
    body : dict
        The request's JSON as it arrived.
    key_hash : str
        Says which key paid, without holding the key.
    client_request_id : str or None
        The valid ``X-Client-Request-Id`` that came along (AI/ML API).
    endpoint : str
        Path of the submit.
    submitted : float
        Virtual Unix seconds.
    queue_seconds, work_seconds : float
        Virtual seconds in the queue and at work.
    price : float
        US dollars for the finished clip.
    size, seconds : tuple of int, int
        Pixels and duration of the clip.
    first_frame, last_frame : str or None
        Where the pictures came from: ``sample``, ``data``, ``asset``, ``internet``, or None.
    """

    wire: Wire
    id: str
    body: dict[str, Any]
    key_hash: str
    client_request_id: str | None
    endpoint: str
    submitted: float
    queue_seconds: float
    work_seconds: float
    price: float
    size: tuple[int, int]
    seconds: int
    first_frame: str | None = None
    last_frame: str | None = None
    failure: str | None = None
    stuck: bool = False
    #: Answers so far that said "not yet".
    polls: int = 0
    downloads: int = 0
    forgotten: bool = False
    #: Virtual time at which it ended; set by the first look that finds it ended.
    ended_at: float | None = None
    #: Names the clip's file in links; not the job's id, so that neither can be guessed.
    media_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    rendering: Future[Path] | None = None
    #: Virtual seconds that drawing the clip took.
    drawing_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def prompt(self) -> str:
        """The prompt, or an empty text."""
        prompt = self.body.get("prompt")
        return prompt if isinstance(prompt, str) else ""

    @property
    def due(self) -> float:
        """The virtual time at which the work is over."""
        return self.submitted + self.queue_seconds + self.work_seconds

    @property
    def drawing_delay(self) -> float:
        """Virtual seconds by which drawing the clip made the job late.

        With a fast clock this can be much, and it is no part of what a provider does: it counts
        neither for retention nor for the expiry of links.
        """
        return max(0.0, self.drawing_seconds - self.queue_seconds - self.work_seconds)

    def phase(self, now: float, *, min_polls: int = 0) -> Phase:
        """Return where the job stands, without counting this as a poll.

        Parameters
        ----------
        now : float
            Virtual Unix seconds.
        min_polls : int
            How many "not yet" answers it must have given before it may end.
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
        """Return where the job stands as an answer to its owner, and count it."""
        phase = self.phase(now, min_polls=min_polls)
        if not phase.ended:
            with self._lock:
                self.polls += 1
        return phase

    def cost(self) -> float:
        """Return the US dollars charged so far; failed jobs are free on both wires."""
        return self.price if self.ended_at is not None and self.failure is None else 0.0

    def inference_seconds(self) -> float:
        """Return the seconds at work, as the providers report them."""
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
    """Draws how long jobs take.

    Parameters
    ----------
    seed : int or None
        Makes the draws repeatable.
    sigma : float
        Width of the log-normal distribution.
    queue_share : float
        Part of the whole that is spent in the queue.
    """

    def __init__(self, seed: int | None, sigma: float, queue_share: float) -> None:
        self._dice = random.Random(seed)  # noqa: S311  (waiting times, not secrets)
        self._sigma = sigma
        self._queue_share = queue_share
        self._lock = threading.Lock()

    def draw(self, median: float) -> tuple[float, float]:
        """Return seconds in the queue and seconds at work."""
        with self._lock:
            whole = median * math.exp(self._dice.gauss(0.0, self._sigma))
        return whole * self._queue_share, whole * (1 - self._queue_share)
