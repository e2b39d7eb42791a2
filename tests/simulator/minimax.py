"""The simulated MiniMax: tasks of its Hailuo models, and the files that they become.

Sources: MiniMax's pages on video generation and files, and the official client minimax-mcp 0.0.19. A refusal
comes under HTTP 200 with a code in ``base_resp``. Inferred: the codes for an unknown task and for a job that
failed for another reason than its content, and that asking for a file again gives a new link.
"""

from __future__ import annotations

import secrets
from typing import Any

from hailuo_jupyter.simulator.handler import MAX_PROMPT, Handler, Route, read_json_object
from hailuo_jupyter.simulator.media import Clip
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, Phase, VideoRequest
from tests.simulator.state import State

#: US dollars by model, height and seconds: MiniMax's list, or what other providers pass on.
PRICES = {
    "MiniMax-Hailuo-02": {
        (512, 6): 0.1, (512, 10): 0.15, (768, 6): 0.28, (768, 10): 0.56, (1080, 6): 0.49,
    },
    "MiniMax-Hailuo-2.3": {(768, 6): 0.28, (768, 10): 0.56, (1080, 6): 0.49},
    "MiniMax-Hailuo-2.3-Fast": {(768, 6): 0.19, (768, 10): 0.32, (1080, 6): 0.33},
}  # fmt: skip

#: What a refusal's status code is in ``base_resp``; others are sent as they are.
CODES = {400: 2013, 401: 1004, 402: 1008, 403: 2038, 422: 2013, 429: 1002}

#: Virtual seconds for which a file's link is valid.
LINK_LIFE = 3600.0

_WORDS = {
    Phase.QUEUED: "Queueing",
    Phase.RUNNING: "Processing",
    Phase.DONE: "Success",
    Phase.FAILED: "Fail",
}
_FIELDS = frozenset(
    {"model", "prompt", "duration", "resolution", "prompt_optimizer", "fast_pretreatment",
     "first_frame_image", "last_frame_image", "aigc_watermark"}
)  # fmt: skip
_BLOCKED, _INTERNAL = 1027, 1033
#: From a task's id to its file's: both are numbers.
_APART = 181_905_609_840


def base_resp(code: int = 0, message: str = "success") -> dict[str, Any]:
    return {"base_resp": {"status_code": code, "status_msg": message}}


class MiniMaxHandler(Handler):
    """Base of all requests: the Bearer token, and refusals under 200."""

    wire = "minimax"
    bad_key = "login fail: Please carry the API secret key in the 'Authorization' field"
    state: State

    def key(self) -> str:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def refusal(self, refusal: RefusedError) -> Response:
        code = int(refusal.details.get("code", CODES.get(refusal.status, 0)))
        status = 200 if code else refusal.status
        body = base_resp(code or _INTERNAL, refusal.message)
        return Response(status, body, {"Trace-Id": secrets.token_hex(16), **refusal.headers})


class Submit(MiniMaxHandler):
    """``POST /v1/video_generation``."""

    stage = ("submit",)
    methods = ("POST",)

    async def reply(self, *_: str) -> Response:
        self.authorize()
        body = read_json_object(self.content())
        request = read_minimax(body, self.state)
        if self.balance() < request.price:
            raise RefusedError(402, "insufficient balance")
        job_id = str(secrets.randbelow(9 * 10**14) + 10**14)
        self.job = self.state.begin(await self.new_job(request, body, job_id=job_id))
        return Response(200, {"task_id": job_id, **base_resp()})


class Query(MiniMaxHandler):
    """``GET /v1/query/video_generation``."""

    stage = ("status",)

    def find_job(self, *_: str) -> Job | None:
        return self.state.job("minimax", self.get_query_argument("task_id", ""), self.who())

    async def reply(self, *_: str) -> Response:
        self.authorize()
        job = self.job
        if job is None or self.state.forgotten(job):
            raise RefusedError(400, "invalid params, task_id")
        phase = job.poll(self.state.now(), min_polls=self.state.options.min_polls)
        body: dict[str, Any] = {"task_id": job.id, "status": _WORDS[phase], "file_id": ""}
        if phase is Phase.DONE:
            width, height = job.size
            body |= {"file_id": str(int(job.id) + _APART)}
            body |= {"video_width": width, "video_height": height}
        if phase is Phase.FAILED:
            code = _BLOCKED if "sensitive" in str(job.failure) else _INTERNAL
            return Response(200, {**body, **base_resp(code, str(job.failure))})
        return Response(200, {**body, **base_resp()})


class Retrieve(MiniMaxHandler):
    """``GET /v1/files/retrieve``: a file's link, a new one each time."""

    stage = ("result",)

    def find_job(self, *_: str) -> Job | None:
        number = self.get_query_argument("file_id", "")
        task = str(int(number) - _APART) if number.isdecimal() else ""
        return self.state.job("minimax", task, self.who())

    async def reply(self, *_: str) -> Response:
        self.authorize()
        job, now = self.job, self.state.now()
        polls = self.state.options.min_polls
        if job is None or job.phase(now, min_polls=polls) is not Phase.DONE:
            raise RefusedError(400, "invalid params, file_id")
        url = f"{self.state.media_url}/minimax-files/{job.media_id}/output.mp4"
        file = {
            "file_id": int(job.id) + _APART,
            "bytes": 0,
            "created_at": int(job.submitted),
            "filename": "output_aigc.mp4",
            "purpose": "video_generation",
            "download_url": f"{url}?Expires={int(now + LINK_LIFE)}",
        }
        return Response(200, {"file": file, **base_resp()})


class File(Clip):
    """A clip's file, behind a link that expires."""

    def check_link(self, job: Job) -> None:
        del job
        if self.state.now() > float(self.get_query_argument("Expires", "0")):
            raise RefusedError(403, "Request has expired.")


def read_minimax(body: dict[str, Any], state: State) -> VideoRequest:
    """Return the order in a body.

    Raises
    ------
    RefusedError
        What MiniMax calls 2013, invalid parameters.
    """
    if unknown := body.keys() - _FIELDS:
        # Among them a callback, which has to answer before the task is accepted.
        raise RefusedError(400, f"invalid params, {min(unknown)}")
    prices = PRICES.get(str(body.get("model")))
    if prices is None:
        raise RefusedError(400, "invalid params, model")
    prompt, duration = body.get("prompt", ""), body.get("duration", 6)
    first, last = body.get("first_frame_image"), body.get("last_frame_image")
    height = {"512P": 512, "768P": 768, "1080P": 1080}.get(body.get("resolution", "768P"), 0)
    price = prices.get((height, duration)) if type(duration) is int else None
    if price is None or (height == 512 and (first is None or last is not None)):
        raise RefusedError(400, "invalid params, duration or resolution is not supported")
    if not isinstance(prompt, str) or len(prompt) > MAX_PROMPT or not (prompt or first):
        raise RefusedError(400, "invalid params, prompt")
    if not isinstance(body.get("prompt_optimizer", True), bool):
        raise RefusedError(400, "invalid params, prompt_optimizer")
    needs_first, no_last = body["model"].endswith("Fast"), "02" not in body["model"]
    if (needs_first and first is None) or (no_last and last is not None):
        raise RefusedError(400, "invalid params, first_frame_image or last_frame_image")
    return VideoRequest(
        prompt=prompt,
        model=str(body["model"]),
        height=height,
        seconds=duration,
        first=first,
        last=last,
        price=price,
        median=state.options.minimax_seconds,
        retention=32400.0,
    )


ROUTES = (
    Route(r"/v1/video_generation", Submit),
    Route(r"/v1/query/video_generation", Query),
    Route(r"/v1/files/retrieve", Retrieve),
    Route(r"/minimax-files/([^/]+/output\.mp4)", File),
)
