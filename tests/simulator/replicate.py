"""The simulated Replicate: predictions of MiniMax's models, their list and cancellation, and files.

Sources: the official Python client 1.0.7, the API's reference and the model's page. Inferred: the title of a
402, whether the list shows inputs, and the answer to a cancellation that comes too late (the prediction).
An uploaded file has an address of this simulator's own kind; Replicate's is ``/v1/files/{id}``.
"""

from __future__ import annotations

import secrets
import string
import uuid
from typing import Any

from tornado.httputil import HTTPFile, parse_multipart_form_data

from hailuo_jupyter.simulator.handler import MAX_PROMPT, Handler, Route, read_json_object
from hailuo_jupyter.simulator.media import Clip
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, Phase, VideoRequest, iso_time
from tests.simulator.cancellation import cancel, was_cancelled
from tests.simulator.state import State

#: US dollars by model, height and seconds: not published by Replicate; MiniMax's list price.
PRICES = {
    "minimax/hailuo-02": {
        (512, 6): 0.1, (512, 10): 0.15, (768, 6): 0.28, (768, 10): 0.56, (1080, 6): 0.49,
    },
    "minimax/hailuo-02-fast": {(512, 6): 0.11, (512, 10): 0.18},
    "minimax/hailuo-2.3": {(768, 6): 0.28, (768, 10): 0.56, (1080, 6): 0.49},
    "minimax/hailuo-2.3-fast": {(768, 6): 0.19, (768, 10): 0.32, (1080, 6): 0.33},
}  # fmt: skip

_HEIGHTS = {"512p": 512, "768p": 768, "1080p": 1080}
#: The default resolution of a model that has others.
_DEFAULTS = {"minimax/hailuo-02": "1080p", "minimax/hailuo-02-fast": "512p"}
_WORDS = {
    Phase.QUEUED: "starting",
    Phase.RUNNING: "processing",
    Phase.DONE: "succeeded",
    Phase.FAILED: "failed",
}
_TITLES = {
    400: "Bad request",
    401: "Unauthenticated",
    402: "Insufficient credit",
    403: "Permission denied",
    404: "Not found",
    405: "Method not allowed",
    422: "Input validation failed",
    429: "Too many requests",
}
_FIELDS = frozenset({"input", "webhook", "webhook_events_filter", "version", "stream"})
_PAGE = 100
_LETTERS = string.ascii_lowercase + string.digits


class ReplicateHandler(Handler):
    """Base of all requests: the Bearer token, and errors as problem documents."""

    wire = "replicate"
    bad_key = "You did not pass a valid authentication token"
    state: State

    def key(self) -> str:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() in ("bearer", "token") else ""

    def refusal(self, refusal: RefusedError) -> Response:
        title = _TITLES.get(refusal.status, "Error")
        body = {"title": title, "detail": refusal.message, "status": refusal.status}
        headers = {"Content-Type": "application/problem+json", **refusal.headers}
        return Response(refusal.status, body, headers)

    def find_job(self, *names: str) -> Job | None:
        return self.state.job("replicate", names[0], self.who()) if names else None

    def known_job(self) -> Job:
        self.authorize()
        job = self.job
        if job is None or job.retention < 0:
            raise RefusedError(404, "The requested resource could not be found.")
        return job

    def prediction(self, job: Job, phase: Phase) -> dict[str, Any]:
        """Return a prediction; an hour after its end everything but its state is gone."""
        now, work = self.state.now(), job.inference_seconds()
        removed = phase.ended and self.state.forgotten(job)
        done = phase is Phase.DONE and not removed
        began = phase is not Phase.QUEUED and now >= job.submitted + job.queue_seconds
        api = f"{self.state.url}/v1/predictions/{job.id}"
        return {
            "id": job.id,
            "model": job.model,
            "version": "hidden",
            "input": {} if removed else job.body["input"],
            "logs": "",
            "output": media_link(self.state, job) if done else None,
            "error": job.failure if phase is Phase.FAILED and not was_cancelled(job) else None,
            "status": "canceled" if was_cancelled(job) else _WORDS[phase],
            "created_at": iso_time(job.submitted),
            "started_at": iso_time(job.submitted + job.queue_seconds) if began else None,
            "completed_at": iso_time(job.ended_at) if phase.ended and job.ended_at else None,
            "data_removed": removed,
            "source": "api",
            "metrics": {"predict_time": work} if phase.ended and began else {},
            "urls": {"get": api, "cancel": f"{api}/cancel", "web": f"{self.state.url}/p/{job.id}"},
        }


class Predict(ReplicateHandler):
    """``POST /v1/models/{owner}/{name}/predictions``."""

    stage = ("submit",)
    methods = ("POST",)

    def find_job(self, *_: str) -> Job | None:
        return None

    async def reply(self, *names: str) -> Response:
        self.authorize()
        if names[0] not in PRICES:
            raise RefusedError(404, "The requested resource could not be found.")
        body = read_json_object(self.content())
        request = read_replicate(names[0], body, self.state)
        if self.balance() < request.price:
            raise RefusedError(402, "You have insufficient credit to run this model.")
        job_id = "".join(secrets.choice(_LETTERS) for _ in range(26))
        self.job = self.state.begin(await self.new_job(request, body, job_id=job_id))
        return Response(201, self.prediction(self.job, Phase.QUEUED))


class Prediction(ReplicateHandler):
    """``GET /v1/predictions/{id}``."""

    stage = ("status", "result")

    async def reply(self, *_: str) -> Response:
        job = self.known_job()
        phase = job.poll(self.state.now(), min_polls=self.state.options.min_polls)
        return Response(200, self.prediction(job, phase))


class Cancel(ReplicateHandler):
    """``POST /v1/predictions/{id}/cancel``."""

    stage = ("account",)
    methods = ("POST",)

    async def reply(self, *_: str) -> Response:
        job = self.known_job()
        cancel(job, self.state)
        phase = job.phase(self.state.now(), min_polls=self.state.options.min_polls)
        return Response(200, self.prediction(job, phase))


class Predictions(ReplicateHandler):
    """``GET /v1/predictions``: the newest first, 100 a page; the cursor is opaque."""

    async def reply(self, *_: str) -> Response:
        self.authorize()
        skipped = self.get_query_argument("cursor", "c0")[1:]
        if not skipped.isdecimal():
            raise RefusedError(400, "Invalid cursor")
        now, polls = self.state.now(), self.state.options.min_polls
        jobs = [
            job
            for job in reversed(self.state.jobs("replicate", self.who()))
            if now >= job.submitted + self.state.history_delay
        ]
        shown = jobs[int(skipped) : int(skipped) + _PAGE]
        following = int(skipped) + _PAGE
        url = f"{self.state.url}/v1/predictions?cursor=c{following}"
        rows = [self.prediction(job, job.phase(now, min_polls=polls)) for job in shown]
        more = following < len(jobs)
        return Response(200, {"previous": None, "next": url if more else None, "results": rows})


class Files(ReplicateHandler):
    """``POST /v1/files``: a form with the file as ``content``."""

    stage = ("upload",)
    methods = ("POST",)

    async def reply(self, *_: str) -> Response:
        self.authorize()
        kind, _, rest = self.request.headers.get("Content-Type", "").partition("boundary=")
        files: dict[str, list[HTTPFile]] = {}
        if kind.strip().startswith("multipart/form-data") and rest:
            parse_multipart_form_data(rest.strip('"').encode(), self.content(), {}, files)
        if not files.get("content"):
            raise RefusedError(400, "content is required")
        (file, *_) = files["content"]
        name = str(uuid.uuid4())
        self.state.assets[name] = (file["content_type"], file["body"])
        body = {
            "id": name,
            "name": file["filename"],
            "content_type": file["content_type"],
            "size": len(file["body"]),
            "etag": name,
            "checksums": {},
            "metadata": {},
            "created_at": iso_time(self.state.now()),
            "expires_at": iso_time(self.state.now() + 86400),
            "urls": {"get": f"{self.state.url}/assets/{name}"},
        }
        return Response(201, body)


class File(Clip):
    """A clip's file, which is removed with its prediction's data."""

    def check_link(self, job: Job) -> None:
        if self.state.forgotten(job):
            raise RefusedError(404, "Not found")


def media_link(state: State, job: Job) -> str:
    return f"{state.media_url}/delivery/{job.media_id}/output.mp4"


def read_replicate(model: str, body: dict[str, Any], state: State) -> VideoRequest:
    """Return the order in a body for a model.

    Raises
    ------
    RefusedError
        Status 422, for what the model's schema does not allow.
    """
    inputs = body.get("input")
    if not isinstance(inputs, dict) or body.keys() - _FIELDS:
        raise RefusedError(422, "- (root): input is required, and no other key is allowed")
    prompt, duration = inputs.get("prompt"), inputs.get("duration", 6)
    resolution = inputs.get("resolution", _DEFAULTS.get(model, "768p"))
    prices = PRICES[model]
    if not isinstance(prompt, str) or not 0 < len(prompt) <= MAX_PROMPT:
        raise RefusedError(422, "- input: prompt is required")
    if _HEIGHTS.get(resolution) not in {height for height, _ in prices}:
        raise RefusedError(422, "- input.resolution: must be one of the model's")
    if type(duration) is not int or duration not in (6, 10):
        raise RefusedError(422, "- input.duration: must be one of 6, 10")
    if not isinstance(inputs.get("prompt_optimizer", True), bool):
        raise RefusedError(422, "- input.prompt_optimizer: must be a boolean")
    frames = [inputs.get(name) for name in ("first_frame_image", "last_frame_image")]
    if any(frame is not None and (not isinstance(frame, str) or not frame) for frame in frames):
        raise RefusedError(422, "- input.first_frame_image: must be a URI")
    if model.endswith("fast") and not frames[0]:
        raise RefusedError(422, "- input: first_frame_image is required")
    if model != "minimax/hailuo-02" and frames[1]:
        raise RefusedError(422, "- input: Additional property last_frame_image is not allowed")
    price = prices.get((_HEIGHTS[resolution], duration))
    return VideoRequest(
        prompt=prompt,
        model=model,
        height=_HEIGHTS[resolution],
        seconds=duration,
        first=frames[0],
        last=frames[1],
        price=price or 0.56,
        median=state.options.replicate_seconds,
        retention=state.options.replicate_retention,
        failure=None if price else "10 seconds is only available for 768p resolution.",
    )


ROUTES = (
    Route(r"/v1/models/([^/]+/[^/]+)/predictions", Predict),
    Route(r"/v1/predictions", Predictions),
    Route(r"/v1/predictions/([^/]+)", Prediction),
    Route(r"/v1/predictions/([^/]+)/cancel", Cancel),
    Route(r"/v1/files", Files),
    Route(r"/delivery/([^/]+/output\.mp4)", File),
)
