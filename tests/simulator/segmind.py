"""Segmind's pages and decisions that a demo does not need: see `SimulatorOptions`.

The envelope ``generations`` comes from the official client's tests, so it is likely and no more.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace
from typing import Any

from hailuo_jupyter.simulator import segmind
from hailuo_jupyter.simulator import state as product
from hailuo_jupyter.simulator.handler import Route
from hailuo_jupyter.simulator.pictures import SAMPLE_URL
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.segmind import (
    PRICE,
    SLUG,
    History,
    SegmindHandler,
    failed_response,
    history_row,
    media_link,
)
from hailuo_jupyter.simulator.state import Job, Phase, VideoRequest, iso_time
from tests.simulator.options import SimulatorOptions
from tests.simulator.state import State

_PAGE = 20


class Submit(segmind.Submit):
    """Takes pictures, and refuses bodies, as the options say."""

    state: State

    async def take_job(self, slug: str) -> Job:
        try:
            return await super().take_job(slug)
        except RefusedError as problem:
            status = self.state.options.segmind_invalid_status
            about_a_field = problem.status == 400 and not problem.message.startswith(
                "Invalid image"
            )
            if about_a_field and status != 200:
                raise RefusedError(status, problem.message) from problem
            raise

    def read(self, slug: str, body: dict[str, Any]) -> VideoRequest:
        options = self.state.options
        try:
            return _read(slug, body, options)
        except RefusedError as problem:
            if options.segmind_invalid_status != 200:
                raise
            # It is queued although it is wrong, and fails in some milliseconds.
            return VideoRequest(
                prompt=str(body.get("prompt", "")),
                model=slug,
                height=768,
                seconds=6,
                first=None,
                last=None,
                price=PRICE,
                median=0.003,
                retention=options.segmind_retention,
                failure=problem.message,
            )


def _read(slug: str, body: dict[str, Any], options: SimulatorOptions) -> VideoRequest:
    if slug != SLUG:
        return segmind.read_segmind(slug, body, options)
    rule = None
    if "image_url" not in body:
        rule = options.omitted_image
    elif body["image_url"] is None:
        rule = options.null_image
    elif body["image_url"] == "":
        rule = options.empty_image
    inline: dict[str, Any] = {}
    if options.segmind_data_uris:
        inline = {
            role: value
            for role, field in (("first", "image_url"), ("last", "last_frame_image"))
            if isinstance(value := body.get(field), str) and value.startswith("data:")
        }
    names = {"first": "image_url", "last": "last_frame_image"}
    read = {**body, **{names[role]: SAMPLE_URL for role in inline}}
    if rule == "sample":
        read.pop("image_url", None)
    elif rule is not None:
        read["image_url"] = None
    request = segmind.read_segmind(slug, read, options)
    if rule == "refuse":
        raise RefusedError(400, "Invalid value for 'image_url'")
    return replace(request, **inline)


class Synchronous(Submit):
    """``POST /v1/{slug}``: holds the connection until the clip is there.

    What it answers is not documented for this model: the file, or JSON with a link. The headers
    were seen by users of v1 and are not promised.
    """

    broke = 406

    async def reply(self, *names: str) -> Response:
        state = self.state
        job = await self.take_job(names[0])
        while not job.phase(state.now()).ended:
            if getattr(self, "client_gone", False):
                break
            await asyncio.sleep(0.01)
        if job.phase(state.now()) is not Phase.DONE:
            return failed_response(job)
        now = state.now()
        left = state.limits["segmind"].remaining(self.who(), now)
        headers = {
            "x-remaining-credits": f"{self.balance():.4f}",
            "x-rate-limit-remaining": str(50 if left is None else left),
            "x-rate-limit-reset-at-utc": iso_time(now + 60),
        }
        if state.options.v1_answer == "json":
            return Response(200, {"output": media_link(state, job)}, headers)
        return Response(200, await state.clip(job), {**headers, "Content-Type": "video/mp4"})


class Generations(History):
    """``GET /inference-request/generations``: clips only, with facts that come late."""

    async def reply(self, *_: str) -> Response:
        """List one page of clips."""
        self.authorize()
        page = self.whole("page", 1, None)
        first, last = self._date("start_date"), self._date("end_date")
        model = self.get_query_argument("model_name", "")
        jobs = [
            job
            for job in finished(self.state, self.who())
            if (first is None or first <= _day(job.submitted))
            and (last is None or _day(job.submitted) <= last)
            and model in job.model
        ]
        shown = jobs[(page - 1) * _PAGE : page * _PAGE]
        rows = [generation_row(self.state, job) for job in shown]
        return Response(200, {"generations": rows, "page": page, "total": len(jobs)})


class Recent(SegmindHandler):
    """``GET /inference-request/recent-generations?model_name=``."""

    async def reply(self, *_: str) -> Response:
        """List the latest clips of a model."""
        self.authorize()
        model = self.get_query_argument("model_name", "")
        if not model:
            raise RefusedError(400, "Invalid value for 'model_name'")
        jobs = [job for job in finished(self.state, self.who()) if job.model == model]
        rows = [generation_row(self.state, job) for job in jobs[:_PAGE]]
        return Response(200, {"generations": rows})


def finished(state: product.State, key_hash: str) -> list[Job]:
    """Return the jobs that have a clip, newest first."""
    now, polls = state.now(), state.options.min_polls
    jobs = state.jobs("segmind", key_hash)
    return [job for job in reversed(jobs) if job.phase(now, min_polls=polls) is Phase.DONE]


def generation_row(state: product.State, job: Job) -> dict[str, Any]:
    """Return a clip as the lists of clips show it: null until the request record has landed."""
    row: dict[str, Any] = {"generation_url": media_link(state, job), "request_id": job.id}
    names = ("status", "credits_deduction", "latency_ms", "prompt", "parameters")
    if job.ended_at is None or state.now() < job.ended_at + state.history_delay:
        return {**row, **dict.fromkeys(names)}
    facts = history_row(state, job)
    values = ("COMPLETED", facts["credits_deduction"], facts["latency_ms"], job.prompt, job.body)
    return {**row, **dict(zip(names, values, strict=True))}


def _day(moment: float) -> dt.date:
    return dt.datetime.fromtimestamp(moment, dt.UTC).date()


ROUTES = (
    *(
        Route(each.path, Submit if each.handler is segmind.Submit else each.handler)
        for each in segmind.ROUTES
    ),
    Route(r"/v1/([a-z0-9.\-]+)", Synchronous),
    Route(r"/inference-request/generations", Generations),
    Route(r"/inference-request/recent-generations", Recent),
)
