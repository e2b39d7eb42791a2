"""The simulated Runware: tasks of MiniMax's models under the client's own UUID, all on one path.

Sources: the official Python client runware-sdk 1.8.0 and the pages on errors, task polling and task details.
Inferred: that a waiting job and an unknown one are answered alike, with no entry.
"""

from __future__ import annotations

import json
import re
from typing import Any

from hailuo_jupyter.simulator.handler import MAX_PROMPT, Handler, Route
from hailuo_jupyter.simulator.media import Clip
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, Phase, VideoRequest
from tests.simulator.state import State

#: US dollars by model, height and seconds: MiniMax's list price, which Runware takes for 2.3.
PRICES = {
    "minimax:3@1": {(768, 6): 0.28, (768, 10): 0.56, (1080, 6): 0.49},
    "minimax:4@1": {(768, 6): 0.28, (768, 10): 0.56, (1080, 6): 0.49},
    "minimax:4@2": {(768, 6): 0.19, (768, 10): 0.32, (1080, 6): 0.33},
}

_HEIGHTS = {(1366, 768): 768, (1920, 1080): 1080}
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_CODES = {
    401: "invalidApiKey",
    402: "insufficientCredits",
    403: "forbidden",
    429: "rateLimitExceeded",
}
#: A request of which nothing is read yet is told by its length: only a submit is long.
_SHORT = 200


class Tasks(Handler):
    """``POST /runware``: a list of one task."""

    wire = "runware"
    methods = ("POST",)
    bad_key = "Invalid API key. Get one at https://my.runware.ai/signup"
    state: State

    def key(self) -> str:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def task(self) -> dict[str, Any]:
        try:
            tasks = json.loads(self.content() or b"null")
        except (ValueError, RecursionError):
            return {}
        found = tasks[0] if isinstance(tasks, list) and len(tasks) == 1 else None
        return found if isinstance(found, dict) else {}

    def stages(self) -> tuple[str, ...]:
        type_ = self.task().get("taskType")
        if type_ is None:
            short = int(self.request.headers.get("Content-Length", "0")) < _SHORT
            type_ = "getResponse" if short else "videoInference"
        return {"getResponse": ("status", "result"), "getTaskDetails": ("account",)}.get(
            str(type_), ("submit",)
        )

    def find_job(self, *_: str) -> Job | None:
        task = self.task()
        if task.get("taskType") == "videoInference":
            return None
        return self.state.job("runware", str(task.get("taskUUID")), self.who())

    def refusal(self, refusal: RefusedError) -> Response:
        task = self.task()
        error = {
            "code": refusal.details.get("code") or _CODES.get(refusal.status, "validationError"),
            "message": refusal.message,
            "taskType": task.get("taskType"),
            "taskUUID": task.get("taskUUID"),
        }
        return Response(refusal.status, {"data": [], "errors": [error]}, refusal.headers)

    async def reply(self, *_: str) -> Response:
        self.authorize()
        task = self.task()
        if not _UUID4.match(str(task.get("taskUUID"))):
            raise RefusedError(400, "taskUUID must be a UUID v4")
        if task.get("taskType") == "videoInference":
            return await self._submit(task)
        if task.get("taskType") == "getResponse":
            return self._response()
        if task.get("taskType") == "getTaskDetails":
            return self._details()
        raise RefusedError(400, "Unsupported taskType")

    async def _submit(self, task: dict[str, Any]) -> Response:
        job_id = str(task["taskUUID"])
        if self.state.job("runware", job_id) is not None:
            details = {"code": "conflictTaskUUID"}
            raise RefusedError(400, "This taskUUID was used before.", details=details)
        request = read_runware(task, self.state)
        if self.balance() < request.price:
            raise RefusedError(402, "Insufficient credits")
        self.job = self.state.begin(await self.new_job(request, task, job_id=job_id))
        return Response(200, {"data": [{"taskType": "videoInference", "taskUUID": job_id}]})

    def _response(self) -> Response:
        job = self.job
        if job is None or job.retention < 0:
            return Response(200, {"data": []})
        phase = job.poll(self.state.now(), min_polls=self.state.options.min_polls)
        return Response(200, self._shown(job, phase))

    def _shown(self, job: Job, phase: Phase) -> dict[str, Any]:
        entry = {"taskType": "videoInference", "taskUUID": job.id}
        if phase is Phase.QUEUED:
            return {"data": []}
        if phase is Phase.FAILED:
            error = {**entry, "status": "error", "code": "providerError", "message": job.failure}
            return {"data": [], "errors": [error]}
        if phase is Phase.RUNNING:
            return {"data": [{**entry, "status": "processing"}]}
        url = f"{self.state.media_url}/runware-files/{job.media_id}/output.mp4"
        done = {"status": "success", "videoUUID": job.media_id, "videoURL": url, "cost": job.price}
        return {"data": [{**entry, **done}]}

    def _details(self) -> Response:
        job = self.job
        if job is None or job.retention < 0:
            details = {"code": "taskFailedOrNotFound"}
            raise RefusedError(404, "The task was not found.", details=details)
        phase = job.phase(self.state.now(), min_polls=self.state.options.min_polls)
        entry = {"taskType": "getTaskDetails", "taskUUID": job.id, "request": [job.body]}
        return Response(200, {"data": [{**entry, "response": self._shown(job, phase)}]})


class File(Clip):
    """A clip's file."""


def read_runware(task: dict[str, Any], state: State) -> VideoRequest:
    """Return the order in a task.

    Raises
    ------
    RefusedError
        Status 400, for what the model's schema does not allow.
    """
    prices = PRICES.get(str(task.get("model")))
    if prices is None:
        raise RefusedError(400, "Invalid value for model", details={"code": "invalidModel"})
    prompt, duration = task.get("positivePrompt"), task.get("duration", 6)
    if not isinstance(prompt, str) or not 2 <= len(prompt) <= MAX_PROMPT:
        raise RefusedError(400, "Invalid value for positivePrompt")
    height = _HEIGHTS.get((task.get("width", 1366), task.get("height", 768)))
    price = prices.get((height or 0, duration)) if isinstance(duration, int) else None
    if height is None or price is None:
        raise RefusedError(400, "Unsupported width, height and duration")
    if task.get("deliveryMethod", "async") != "async":
        raise RefusedError(400, "deliveryMethod must be async")
    inputs = task.get("inputs") or {}
    frames = {each["frame"]: each["image"] for each in inputs.get("frameImages", [])}
    if task["model"] != "minimax:3@1" and "last" in frames:
        raise RefusedError(400, "Unsupported frame: last")
    if task["model"] == "minimax:4@2" and "first" not in frames:
        raise RefusedError(400, "Missing required parameter: inputs.frameImages")
    return VideoRequest(
        model=str(task["model"]),
        prompt=prompt,
        height=height,
        seconds=duration,
        first=frames.get("first"),
        last=frames.get("last"),
        price=price,
        median=state.options.runware_seconds,
        retention=86400.0,
    )


ROUTES = (
    Route(r"/runware", Tasks),
    Route(r"/runware-files/([^/]+/output\.mp4)", File),
)
