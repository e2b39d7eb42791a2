"""fal's queue, as its pages on the Inference API, its types for JavaScript and its Python client show it.

A job that fails is ``COMPLETED`` as well; its result call answers with the error. Of the two spellings of a
request's address, with and without the endpoint's path, both are served.
"""

from __future__ import annotations

import math
import uuid
from typing import Any, ClassVar

from hailuo_jupyter.simulator.handler import Handler, Route, read_json_object
from hailuo_jupyter.simulator.media import Clip
from hailuo_jupyter.simulator.pictures import is_link
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, Phase, VideoRequest
from tests.simulator.state import State

EXHAUSTED = (
    "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
)

#: MiniMax's own limit of a prompt, in characters.
MAX_PROMPT = 2000

#: US dollars a second, by the clip's height (fal's model pages).
PRICES = {512: 0.017, 768: 0.045, 1080: 0.08}

#: US dollars a clip, by height and seconds, of the models that are priced so.
CLIP_PRICES = {
    "hailuo-2.3": {(768, 6): 0.28, (768, 10): 0.56, (1080, 6): 0.49},
    "hailuo-2.3-fast": {(768, 6): 0.19, (768, 10): 0.32, (1080, 6): 0.33},
}

_WORDS = {
    Phase.QUEUED: "IN_QUEUE",
    Phase.RUNNING: "IN_PROGRESS",
    Phase.DONE: "COMPLETED",
    Phase.FAILED: "COMPLETED",
}


class FalHandler(Handler):
    """Base of all fal requests."""

    wire = "fal"
    state: State
    bad_key: ClassVar[str] = "Cannot access application. Authentication is required."

    def key(self) -> str:
        """Return the key; the header's word is ``Key``."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme == "Key" else ""

    def refusal(self, refusal: RefusedError) -> Response:
        """Return an error: of the model, with the field, or of the platform."""
        if refusal.details:
            detail: Any = [
                {"loc": ["body", name], "msg": text, "type": "value_error"}
                for name, text in refusal.details.items()
            ]
        else:
            detail = refusal.message
        return Response(refusal.status, {"detail": detail}, refusal.headers)


class Submit(FalHandler):
    """``POST /fal-ai/minimax/…``: a request for one endpoint of the model."""

    stage = ("submit",)
    methods = ("POST",)

    async def reply(self, *names: str) -> Response:
        """Accept a job and return its addresses."""
        self.authorize()
        body = read_json_object(self.content())
        request = read_fal(names[0], body, self.state)
        if self.balance() < request.price:
            raise RefusedError(403, EXHAUSTED)
        self.job = job = self.state.begin(await self.new_job(request, body))
        return Response(200, {"status": "IN_QUEUE", **self._place(job), **links(self.state, job)})

    def _place(self, job: Job) -> dict[str, Any]:
        return {"request_id": job.id, "queue_position": position(self.state, job)}


class OfJob(FalHandler):
    """Base of status, result and cancellation."""

    def find_job(self, *names: str) -> Job | None:
        """Return the job of the path."""
        return self.state.job("fal", names[0], self.who())

    def known_job(self) -> Job:
        """Return the job, if fal still knows it."""
        self.authorize()
        job = self.job
        gone = job is not None and (
            self.state.forgotten(job)
            or (job.id in self.state.dequeued and self.state.options.fal_forgets_cancelled)
        )
        if job is None or gone:
            raise RefusedError(404, "NOT_FOUND")
        return job

    def refusal(self, refusal: RefusedError) -> Response:
        """Return an error; an unknown job has a form of its own."""
        if refusal.status == 404:
            return Response(404, {"status": "NOT_FOUND"}, refusal.headers)
        return super().refusal(refusal)

    def ended(self, job: Job) -> dict[str, str]:
        """Return the error of a job that did not succeed; empty for one that did."""
        if job.id in self.state.cancelled:
            return {
                "error": "Request was cancelled by the client",
                "error_type": "client_cancelled",
            }
        if job.failure is None:
            return {}
        return {"error": job.failure, "error_type": self._kind(job)}

    @staticmethod
    def _kind(job: Job) -> str:
        return (
            "content_policy_violation" if "flagged" in str(job.failure) else "runner_server_error"
        )


class Status(OfJob):
    """``GET …/requests/{id}/status``."""

    stage = ("status",)

    async def reply(self, *_: str) -> Response:
        """Return the job's status: 202 until it is completed."""
        job = self.known_job()
        phase = job.poll(self.state.now(), min_polls=self.state.options.min_polls)
        body = {"status": _WORDS[phase], "request_id": job.id, **links(self.state, job)}
        if phase is Phase.QUEUED:
            return Response(202, {**body, "queue_position": position(self.state, job)})
        if phase is Phase.RUNNING:
            return Response(202, {**body, "logs": None})
        seconds = {"inference_time": job.inference_seconds()}
        told = self.ended(job) if self.state.options.fal_status_tells else {}
        return Response(200, {**body, "logs": None, "metrics": seconds, **told})


class Result(OfJob):
    """``GET …/requests/{id}``: the model's own output, or the error of a job that failed."""

    stage = ("result",)

    async def reply(self, *_: str) -> Response:
        """Return the clip's link."""
        job = self.known_job()
        if not job.poll(self.state.now(), min_polls=self.state.options.min_polls).ended:
            raise RefusedError(400, "Request is still in progress")
        headers = {"x-fal-request-id": job.id}
        if told := self.ended(job):
            return self._error(job, told, headers)
        if self.state.options.fal_units:
            headers["x-fal-billable-units"] = str(job.seconds)
        name = f"{job.media_id}/output.mp4"
        file = {"url": f"{self.state.media_url}/files/{name}", "content_type": "video/mp4"}
        return Response(200, {"video": {**file, "file_name": "output.mp4"}}, headers)

    @staticmethod
    def _error(job: Job, told: dict[str, str], headers: dict[str, str]) -> Response:
        kind = told["error_type"]
        if kind == "content_policy_violation":
            detail = [{"loc": ["body", "prompt"], "msg": job.failure, "type": kind}]
            return Response(422, {"detail": detail}, headers)
        status = 499 if kind == "client_cancelled" else 500
        body = {"detail": told["error"], "error_type": kind}
        return Response(status, body, {**headers, "X-Fal-Error-Type": kind})


class Cancel(OfJob):
    """``PUT …/requests/{id}/cancel``."""

    stage = ("cancel",)
    methods = ("PUT",)

    async def reply(self, *_: str) -> Response:
        """Take a job out of the queue, or stop it at work."""
        job, now = self.known_job(), self.state.now()
        phase = job.phase(now, min_polls=self.state.options.min_polls)
        if phase.ended:
            return Response(400, {"status": "ALREADY_COMPLETED"})
        if self.state.options.fal_cancels_late:
            return Response(202, {"status": "CANCELLATION_REQUESTED"})
        self.state.cancelled.add(job.id)
        job.failure, job.ended_at, job.stuck = "cancelled", now, False
        if phase is Phase.QUEUED:
            self.state.dequeued.add(job.id)
            return Response(200, {"status": "OK"})
        return Response(202, {"status": "CANCELLATION_REQUESTED"})


class Initiate(FalHandler):
    """``POST /storage/upload/initiate``: where a file's bytes belong, and its later address."""

    stage = ("upload",)
    methods = ("POST",)

    async def reply(self, *_: str) -> Response:
        """Return the two addresses."""
        self.authorize()
        body = read_json_object(self.content())
        if not isinstance(body.get("content_type"), str) or not isinstance(
            body.get("file_name"), str
        ):
            raise RefusedError(422, "x", details={"content_type": "Field required"})
        name = f"{uuid.uuid4()}-{body['file_name']}"
        # Signed addresses lie on another host than fal's own.
        upload = f"{self.state.media_url}/storage/signed/{name}?X-Goog-Signature={uuid.uuid4().hex}"
        return Response(200, {"upload_url": upload, "file_url": f"{self.state.url}/assets/{name}"})


class Signed(Handler):
    """``PUT`` to a signed address, which needs no key; the Python client sends one all the same."""

    stage = ("asset",)
    methods = ("PUT",)

    async def reply(self, *names: str) -> Response:
        """Store the file."""
        kind = self.request.headers.get("Content-Type", "")
        self.state.assets[names[0]] = (kind, self.content())
        return Response(200, b"", {"Content-Type": "text/plain"})


def read_fal(path: str, body: dict[str, Any], state: State) -> VideoRequest:
    """Return the order in a body; the path is ``hailuo-02/standard/text-to-video`` or the like."""
    model, *tier, kind = path.split("/")
    faults: dict[str, str] = {}
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not 0 < len(prompt) <= MAX_PROMPT:
        faults["prompt"] = f"a text of 1 to {MAX_PROMPT} characters is required"
    if not isinstance(body.get("prompt_optimizer", True), bool):
        faults["prompt_optimizer"] = "Input should be a valid boolean"
    pro = tier == ["pro"]
    duration = body.get("duration", "6")
    if duration not in ("6", "10") or (pro and "duration" in body):
        faults["duration"] = "Input should be '6' or '10'"
    resolution = body.get("resolution", "768P")
    sized = model == "hailuo-02" and kind == "image-to-video" and not pro
    if resolution not in ("512P", "768P") or ("resolution" in body and not sized):
        faults["resolution"] = "Input should be '512P' or '768P'"
    frames = {name: body.get(name) for name in ("image_url", "end_image_url")}
    for name, value in frames.items():
        picture = isinstance(value, str) and (is_link(value) or value.startswith("data:"))
        if (value is not None and not picture) or (value and kind == "text-to-video"):
            faults[name] = "not an image"
    if kind == "image-to-video" and not frames["image_url"]:
        faults["image_url"] = "Field required"
    if faults:
        raise RefusedError(422, "Unprocessable", details=faults)
    height = 1080 if pro else 512 if model.endswith("02-fast") else int(resolution[:-1])
    seconds = int(duration)
    by_clip = CLIP_PRICES.get(model)
    return VideoRequest(
        prompt=str(prompt),
        model=f"fal-ai/minimax/{model}",
        height=height,
        seconds=seconds,
        first=frames["image_url"],
        last=frames["end_image_url"],
        price=by_clip[height, seconds] if by_clip else round(PRICES[height] * seconds, 6),
        median=state.options.fal_seconds,
        retention=30 * 86400.0,
    )


def links(state: State, job: Job) -> dict[str, str]:
    """Return the addresses of a request: with owner and app only."""
    base = f"{state.url}/fal-ai/minimax/requests/{job.id}"
    return {"status_url": f"{base}/status", "response_url": base, "cancel_url": f"{base}/cancel"}


def position(state: State, job: Job) -> int:
    """Return how many jobs are before this one: a number that falls to 0 as its time passes."""
    passed = (state.now() - job.submitted) / (job.queue_seconds or math.inf)
    return max(0, math.ceil(state.options.fal_queue * (1 - min(passed, 1.0))) - 1)


_JOB = r"/fal-ai/minimax/(?:[a-z0-9.\-]+/)*requests/([^/]+)"

ROUTES = (
    Route(_JOB + "/status", Status),
    Route(_JOB + "/cancel", Cancel),
    Route(_JOB + "(?:/response)?", Result),
    Route(r"/fal-ai/minimax/(hailuo-(?:02|2\.3)/(?:standard|pro)/(?:text|image)-to-video)", Submit),
    Route(r"/fal-ai/minimax/(hailuo-2\.3-fast/(?:standard|pro)/image-to-video)", Submit),
    Route(r"/fal-ai/minimax/(hailuo-02-fast/image-to-video)", Submit),
    Route(r"/storage/upload/initiate", Initiate),
    Route(r"/storage/signed/([^/]+)", Signed),
    Route(r"/files/([^/]+/output\.mp4|[^/]+)", Clip),
)
