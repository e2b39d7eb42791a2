"""Segmind's wire: submit, status, result, the synchronous call, upload and credits.

Sources: the model page, docs.segmind.com and the official ``segmind`` Python client 1.3.0.
"""

from __future__ import annotations

import asyncio
import mimetypes
import uuid
from functools import partial
from typing import Any

from hailuo_jupyter.simulator.access import Access, judge
from hailuo_jupyter.simulator.answers import MESSAGES, Answer, RefusedError
from hailuo_jupyter.simulator.clock import iso_time
from hailuo_jupyter.simulator.exchange import Exchange
from hailuo_jupyter.simulator.jobs import Job, Phase
from hailuo_jupyter.simulator.pictures import PictureError, decode_inline
from hailuo_jupyter.simulator.segmind_request import PRICE, read_segmind
from hailuo_jupyter.simulator.video_request import read_json_object
from hailuo_jupyter.simulator.world import World

SLUG = "minimax-hailuo-2"

_WORDS = {
    Phase.QUEUED: "QUEUED",
    Phase.RUNNING: "PROCESSING",
    Phase.DONE: "COMPLETED",
    Phase.FAILED: "FAILED",
}

_JUDGED = {Access.MISSING: 401, Access.REFUSED: 401, Access.FORBIDDEN: 403}


class SegmindExchange(Exchange):
    """What all Segmind requests have in common: the key and the rate limit."""

    wire = "segmind"

    def authorize(self, *, counted: bool = True) -> Access:
        """Check key and rate limit.

        Raises
        ------
        RefusedError
            401 without a good key (a Bearer token is none), 403 for one that may not, 429 for
            too many requests.
        """
        access = judge(self.key(), self.world.options.keys)
        if access in _JUDGED:
            status = _JUDGED[access]
            raise RefusedError(status, MESSAGES[status])
        if counted:
            wait = self.world.limits["segmind"].take(self.who(), self.world.now())
            if wait is not None:
                real = max(1, round(wait / self.world.clock.speed))
                headers = {"Retry-After": str(real)} if self.world.options.retry_after else {}
                raise RefusedError(429, "Rate limit exceeded", headers)
        return access


class Submit(SegmindExchange):
    """``POST /v2/{slug}``."""

    stage = ("submit",)
    allowed = ("POST",)

    async def reply(self, *names: str) -> Answer:
        """Take a job and name it."""
        job = await self.take_job(names[0])
        return Answer(
            200,
            {
                "request_id": job.id,
                "status": "QUEUED",
                "poll_url": f"{self.world.url}/v1/requests/{job.id}",
                **_links(self.world, job),
            },
        )

    async def take_job(self, slug: str) -> Job:
        """Check key, model, body and credits, in this order, and accept the job."""
        access = self.authorize()
        if slug != SLUG:
            raise RefusedError(404, "Model not found")
        options = self.world.options
        body = read_json_object(self.content(), options.segmind_invalid_status)
        request = read_segmind(body, options)
        if access is Access.BROKE or self.world.balance(self.who()) < PRICE:
            raise RefusedError(406, MESSAGES[406])
        self.job = await self.world.accept(
            "segmind", request, body, asking=self.asking(), key_hash=self.who()
        )
        return self.job


class Look(SegmindExchange):
    """What status and result have in common."""

    def find_job(self, *names: str) -> Job | None:
        """Return the job of the path."""
        return self.world.job("segmind", names[0], self.who())

    def known_job(self) -> Job:
        """Return the job, if the provider still knows it.

        Raises
        ------
        RefusedError
            404 for an unknown or expired id.
        """
        self.authorize(counted=self.world.options.polls_count)
        if self.job is None or self.world.forgotten(self.job):
            raise RefusedError(404, "Request not found")
        return self.job

    def view(self, job: Job) -> tuple[Phase, Answer]:
        """Return where the job stands and the body that status sends for it."""
        phase = job.poll(self.world.now(), min_polls=self.world.options.min_polls)
        body: dict[str, Any] = {"status": _WORDS[phase], "request_id": job.id}
        if phase is Phase.FAILED:
            return phase, failed_answer(job)
        if phase is Phase.DONE:
            body["metrics"] = {"inference_time": job.inference_seconds()}
        else:
            body |= {**_links(self.world, job), "metrics": {}}
        return phase, Answer(200, body)


class Status(Look):
    """``GET /v2/requests/{id}/status``."""

    stage = ("status",)

    async def reply(self, *_: str) -> Answer:
        """Tell where the job stands."""
        return self.view(self.known_job())[1]


class Result(Look):
    """``GET /v2/requests/{id}``; before the end it answers as status does (not documented)."""

    stage = ("result",)

    async def reply(self, *_: str) -> Answer:
        """Tell where the clip is."""
        job = self.known_job()
        phase, answer = self.view(job)
        if phase is not Phase.DONE:
            return answer
        return Answer(
            200,
            {
                "status": "COMPLETED",
                "error": None,
                "metrics": {"inference_time": job.inference_seconds()},
                "output": media_link(self.world, job),
            },
        )


class Synchronous(Submit):
    """``POST /v1/{slug}``: holds the connection until the clip is there.

    What it answers is not documented for this model: the file, or JSON with a link. The headers
    were seen by users of v1 and are not promised.
    """

    async def reply(self, *names: str) -> Answer:
        """Take a job, wait for it, and send the clip."""
        world = self.world
        job = await self.take_job(names[0])
        while not job.phase(world.now()).ended:
            if self.client_gone:
                break
            await asyncio.sleep(0.01)
        if job.phase(world.now()) is not Phase.DONE:
            return failed_answer(job)
        now = world.now()
        left = world.limits["segmind"].remaining(self.who(), now)
        headers = {
            "x-remaining-credits": f"{world.balance(self.who()):.4f}",
            "x-rate-limit-remaining": str(50 if left is None else left),
            "x-rate-limit-reset-at-utc": iso_time(now + 60),
        }
        if world.options.v1_answer == "json":
            return Answer(200, {"output": media_link(world, job)}, headers)
        return Answer(200, await world.clip(job), {**headers, "Content-Type": "video/mp4"})


class Upload(SegmindExchange):
    """``POST /upload-asset``: pictures as ``data:`` URIs in, links out."""

    stage = ("upload",)
    allowed = ("POST",)

    async def reply(self, *_: str) -> Answer:
        """Keep the files and name them."""
        self.authorize(counted=False)
        data_urls = read_json_object(self.content()).get("data_urls")
        if not isinstance(data_urls, list) or not data_urls:
            raise RefusedError(400, "data_urls: a list of data URLs is required")
        files = []
        for url in data_urls:
            if not isinstance(url, str) or not url.startswith("data:"):
                raise RefusedError(400, "data_urls: not a data URL")
            kind = url[5:].partition(",")[0].partition(";")[0]
            try:
                content = await self.world.offload(partial(decode_inline, url))
            except PictureError as problem:
                raise RefusedError(400, f"data_urls: {problem}") from problem
            files.append((kind or "application/octet-stream", content))
        # All or none: half an upload would leave links nobody was told.
        links = []
        for kind, content in files:
            name = f"{uuid.uuid4()}{mimetypes.guess_extension(kind) or '.bin'}"
            self.world.assets[name] = (kind, content)
            links.append(f"{self.world.url}/assets/{name}")
        return Answer(200, {"file_urls": links, "message": "Files uploaded successfully"})


class Credits(SegmindExchange):
    """``GET /v1/get-user-credits``."""

    async def reply(self, *_: str) -> Answer:
        """Tell what is left."""
        access = self.authorize(counted=False)
        left = 0.0 if access is Access.BROKE else round(self.world.balance(self.who()), 4)
        return Answer(200, {"credits": left, "free-credits": 0.0})


def media_link(world: World, job: Job) -> str:
    """Return the link to a finished job's clip."""
    base = world.media_url if world.options.media_elsewhere else world.url
    return f"{base}/generations/{job.media_id}.mp4"


def failed_answer(job: Job) -> Answer:
    """Return the body of a failed job, which Segmind serves under 422."""
    return Answer(
        422,
        {
            "status": "FAILED",
            "error": job.failure,
            "metrics": {"inference_time": job.inference_seconds()},
            "request_id": job.id,
        },
    )


def _links(world: World, job: Job) -> dict[str, str]:
    response = f"{world.url}/v2/requests/{job.id}"
    return {"status_url": f"{response}/status", "response_url": response}
