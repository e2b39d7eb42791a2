"""The simulated Segmind: submit, status, result, upload, credits and history.

Sources: the model pages (parameters, defaults, allowed values), docs.segmind.com and the official
``segmind`` Python client 1.3.0. Sizes and durations of ``standard`` and ``pro`` are not published; they
are inferred from MiniMax's own product table. The envelope ``data`` of the history comes from that
client's tests, so it is likely but unconfirmed.
"""

from __future__ import annotations

import datetime as dt
import mimetypes
import uuid
from functools import partial
from typing import Any, ClassVar

from hailuo_jupyter.simulator.handler import (
    Handler,
    Route,
    read_json_object,
    type_name,
)
from hailuo_jupyter.simulator.media import Clip
from hailuo_jupyter.simulator.models import Model, models, usual
from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.pictures import SAMPLE_URL, PictureError, decode_inline, is_link
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, Phase, State, VideoRequest, iso_time

#: The usual model.
SLUG = usual("segmind").slug

#: US dollars of the usual model; an average over all modes, because no price per mode is published.
PRICE = 0.3875

#: Seconds of its latency badge, to which the option `segmind_seconds` refers.
_BADGE_S = 173.29

_WORDS = {
    Phase.QUEUED: "QUEUED",
    Phase.RUNNING: "PROCESSING",
    Phase.DONE: "COMPLETED",
    Phase.FAILED: "FAILED",
}

_STATES = {
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "PENDING",
    Phase.DONE: "COMPLETED",
    Phase.FAILED: "FAILED",
}
_PAGE = 20
_MAX_PAGE = 100
_MAX_DAYS = 31
_DEFAULT_DAYS = 7
_SORTS = ("model_created", "model_name", "credits_deduction")


class SegmindHandler(Handler):
    """Base of all Segmind requests."""

    wire = "segmind"


class Submit(SegmindHandler):
    """``POST /v2/{slug}``."""

    stage = ("submit",)
    methods = ("POST",)

    #: The status for an empty account: observed as 402 on v2 and as 406 on v1.
    broke: ClassVar[int] = 402

    async def reply(self, *names: str) -> Response:
        """Accept a job and return its id."""
        job = await self.take_job(names[0])
        return Response(
            200,
            {
                "request_id": job.id,
                "status": "QUEUED",
                "poll_url": f"{self.state.url}/v1/requests/{job.id}",
                **_links(self.state, job),
            },
        )

    async def take_job(self, slug: str) -> Job:
        """Check key, model, body and credits, in this order, and accept the job."""
        self.authorize()
        if slug not in models("segmind"):
            raise RefusedError(404, "Model not found")
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusedError(406, "Invalid content type")
        body = read_json_object(self.content())
        request = self.read(slug, body)
        if self.balance() < request.price:
            raise RefusedError(self.broke, "Insufficient credits")
        self.job = self.state.begin(await self.new_job(request, body))
        return self.job

    def read(self, slug: str, body: dict[str, Any]) -> VideoRequest:
        """Return the order in a body; see `read_segmind`."""
        return read_segmind(slug, body, self.state.options)


class StatusRequest(SegmindHandler):
    """Base of status and result."""

    def find_job(self, *names: str) -> Job | None:
        """Return the job of the path."""
        return self.state.job("segmind", names[0], self.who())

    def known_job(self) -> Job:
        """Return the job, if the provider still knows it.

        Raises
        ------
        RefusedError
            404 for an unknown or expired id.
        """
        self.authorize()
        if self.job is None or self.state.forgotten(self.job):
            raise RefusedError(404, "Request not found")
        return self.job

    def metrics(self, job: Job) -> dict[str, Any]:
        """Return the fields of status and result about a finished job's work and price."""
        return {
            "inference_time": job.inference_seconds(),
            "cost": job.cost(),
            "remaining_credits": round(self.balance(), 4),
            "retry_count": 0,
        }

    def view(self, job: Job) -> tuple[Phase, Response]:
        """Return the job's phase and the body of its status response."""
        phase = job.poll(self.state.now(), min_polls=self.state.options.min_polls)
        body: dict[str, Any] = {"status": _WORDS[phase], "request_id": job.id}
        if phase is Phase.FAILED:
            return phase, failed_response(job)
        if phase is Phase.DONE:
            body["metrics"] = self.metrics(job)
        else:
            body |= {**_links(self.state, job), "metrics": {}}
        return phase, Response(200, body)


class Status(StatusRequest):
    """``GET /v2/requests/{id}/status``."""

    stage = ("status",)

    async def reply(self, *_: str) -> Response:
        """Return the job's status."""
        return self.view(self.known_job())[1]


class Result(StatusRequest):
    """``GET /v2/requests/{id}``; before the end it answers like status (not documented)."""

    stage = ("result",)

    async def reply(self, *_: str) -> Response:
        """Return the clip's link."""
        job = self.known_job()
        phase, response = self.view(job)
        if phase is not Phase.DONE:
            return response
        return Response(
            200,
            {
                "status": "COMPLETED",
                "error": None,
                "metrics": self.metrics(job),
                "output": media_link(self.state, job),
            },
        )


class Upload(SegmindHandler):
    """``POST /upload-asset``: pictures as ``data:`` URIs in, links out."""

    stage = ("upload",)
    methods = ("POST",)

    async def reply(self, *_: str) -> Response:
        """Store the files and return their addresses."""
        self.authorize()
        data_urls = read_json_object(self.content()).get("data_urls")
        if not isinstance(data_urls, list) or not data_urls:
            raise RefusedError(400, "data_urls: a list of data URLs is required")
        files = []
        for url in data_urls:
            if not isinstance(url, str) or not url.startswith("data:"):
                raise RefusedError(400, "data_urls: not a data URL")
            kind = url[5:].partition(",")[0].partition(";")[0]
            try:
                content = await self.state.offload(partial(decode_inline, url))
            except PictureError as problem:
                raise RefusedError(400, f"data_urls: {problem}") from problem
            files.append((kind or "application/octet-stream", content))
        # All or none: a partial upload would leave unknown links.
        links = []
        for kind, content in files:
            name = f"{uuid.uuid4()}{mimetypes.guess_extension(kind) or '.bin'}"
            self.state.assets[name] = (kind, content)
            links.append(f"{self.state.url}/assets/{name}")
        return Response(200, {"file_urls": links, "message": "Files uploaded successfully"})


class Credits(SegmindHandler):
    """``GET /v1/get-user-credits``."""

    async def reply(self, *_: str) -> Response:
        """Return the balance."""
        self.authorize()
        return Response(200, {"credits": round(self.balance(), 4), "free-credits": 0.0})


class File(Clip):
    """A clip's file, which outlives the job's record."""

    def check_link(self, job: Job) -> None:
        """Refuse a file that is no longer stored."""
        if self.state.now() >= job.submitted + self.state.options.segmind_file_lifetime:
            raise RefusedError(404, "Not found")


class History(SegmindHandler):
    """``GET /inference-request/request-history``: all requests, failed and pending ones too."""

    async def reply(self, *_: str) -> Response:
        """List one page of requests."""
        self.authorize()
        page, per_page = self.whole("page", 1, None), self.whole("per_page", _PAGE, _MAX_PAGE)
        status = self.choice("status", ("COMPLETED", "FAILED", "PENDING"))
        sort_by = self.choice("sort_by", _SORTS) or "model_created"
        order = self.choice("sort_order", ("asc", "desc")) or "desc"
        first, last = self.window("from_date", "to_date")
        model = self.get_query_argument("model_name", "")
        rows = [
            row
            for job in landed(self.state, self.who())
            if first <= _day(job.submitted) <= last and model in job.model
            for row in [history_row(self.state, job)]
            if status is None or row["model_status"] == status
        ]
        rows.sort(key=lambda row: row[sort_by], reverse=order == "desc")
        shown = rows[(page - 1) * per_page : page * per_page]
        facts = {"page": page, "per_page": per_page, "total": len(rows)}
        return Response(200, {"data": shown, **facts})

    def whole(self, name: str, default: int, top: int | None) -> int:
        """Return a whole number from the query, 1 to a top."""
        text = self.get_query_argument(name, str(default))
        if not text.isdecimal() or int(text) < 1 or (top is not None and int(text) > top):
            raise RefusedError(400, f"Invalid value for {name!r}")
        return int(text)

    def choice(self, name: str, words: tuple[str, ...]) -> str | None:
        """Return a query value from a list of allowed ones, or None."""
        text = self.get_query_argument(name, None)
        if text is not None and text not in words:
            raise RefusedError(400, f"Invalid value for {name!r}: allowed are {', '.join(words)}")
        return text

    def window(self, start: str, end: str) -> tuple[dt.date, dt.date]:
        """Return the first and last requested day, inclusive."""
        today = _day(self.state.now())
        last = self._date(end) or today
        first = self._date(start) or last - dt.timedelta(days=_DEFAULT_DAYS)
        if not 0 <= (last - first).days <= _MAX_DAYS:
            raise RefusedError(400, f"The window may span at most {_MAX_DAYS} days")
        return first, last

    def _date(self, name: str) -> dt.date | None:
        text = self.get_query_argument(name, None)
        try:
            return None if text is None else dt.date.fromisoformat(text)
        except ValueError as problem:
            raise RefusedError(400, f"Invalid value for {name!r}: YYYY-MM-DD") from problem


class HistoryRow(SegmindHandler):
    """``GET /inference-request/request-history/{id}``: any age, own requests only."""

    def find_job(self, *names: str) -> Job | None:
        """Return the job of the path."""
        return self.state.job("segmind", names[0], self.who())

    async def reply(self, *_: str) -> Response:
        """Show one request."""
        self.authorize()
        if self.job is None or self.job not in landed(self.state, self.who()):
            raise RefusedError(404, "Request not found")
        return Response(200, history_row(self.state, self.job))


def read_segmind(slug: str, body: dict[str, Any], options: SimulatorOptions) -> VideoRequest:
    """Return the order in a Segmind body.

    Parameters
    ----------
    slug : str
        The model.
    body : dict
        The JSON object; fields that do not exist are ignored.
    options : SimulatorOptions
        The choices made at the start.

    Raises
    ------
    RefusedError
        Status 400, for a field that is missing or invalid.
    """
    model = models("segmind")[slug]
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise RefusedError(400, "Invalid value for 'prompt': a non-empty string is required")
    if len(prompt) > model.prompt_max:
        raise RefusedError(
            400, f"Invalid value for 'prompt': at most {model.prompt_max} characters"
        )
    for name, allowed in model.choices.items():
        value = body.get(name, allowed[0])
        if not any(type(value) is type(each) and value == each for each in allowed):
            shown = ", ".join(map(str, allowed))
            raise RefusedError(400, f"Invalid value for {name!r}: allowed are {shown}")
    for name in ("prompt_optimizer", *(n for n, v in model.constants.items() if v is True)):
        value = body.get(name, True)
        if not isinstance(value, bool):
            message = f"Invalid value for {name!r}: boolean, not {type_name(value)}"
            raise RefusedError(400, message)
    chosen = model.options(body)
    if model.refused(chosen):
        raise RefusedError(400, "Invalid value for 'duration': not available at this resolution")
    first = _frame(model, "first", body)
    if first is None and model.first == "required":
        raise RefusedError(400, f"Invalid value for {model.fields['first']!r}: required")
    # The usual model's page publishes a sample picture as the field's default. Whether the server applies
    # it if the field is missing is unknown; null or an empty one means no picture.
    sampled = slug == SLUG and "image_url" not in body
    height, seconds = model.size(chosen)
    return VideoRequest(
        prompt=prompt,
        model=slug,
        height=height,
        seconds=seconds,
        first=SAMPLE_URL if sampled else first,
        last=_frame(model, "last", body),
        sampled=sampled,
        price=PRICE if slug == SLUG else model.price(chosen),
        median=options.segmind_seconds * (1 if slug == SLUG else model.median(chosen) / _BADGE_S),
        retention=options.segmind_retention,
    )


def _frame(model: Model, role: str, body: dict[str, Any]) -> str | None:
    field = model.fields.get(role)
    return None if field is None else _link(body, field)


def _link(body: dict[str, Any], field: str) -> str | None:
    value = body.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not is_link(value):
        raise RefusedError(400, f"Invalid value for {field!r}: not a URL")
    return value


def landed(state: State, key_hash: str) -> list[Job]:
    """Return the jobs whose request record exists already."""
    latest = state.now() - state.history_delay
    return [job for job in state.jobs("segmind", key_hash) if job.submitted <= latest]


def history_row(state: State, job: Job) -> dict[str, Any]:
    """Return a request as history shows it."""
    phase = job.phase(state.now())  # the history does not depend on polls
    ended = job.ended_at
    return {
        "request_id": job.id,
        "model_name": job.model,
        "model_status": _STATES[phase],
        "credits_deduction": job.cost(),
        "request_body": job.body,
        "generation_url": media_link(state, job) if phase is Phase.DONE else None,
        "latency_ms": None if ended is None else round((job.due - job.submitted) * 1000),
        "model_created": iso_time(job.submitted),
        "model_updated": iso_time(job.submitted if ended is None else ended),
        "error": job.failure if phase is Phase.FAILED else None,
    }


def media_link(state: State, job: Job) -> str:
    """Return the link to a finished job's clip."""
    return f"{state.media_url}/generations/{job.media_id}.mp4"


def failed_response(job: Job) -> Response:
    """Return the body of a failed job, which Segmind sends with status 422."""
    return Response(
        422,
        {
            "status": "FAILED",
            "error": job.failure,
            "metrics": {"inference_time": job.inference_seconds()},
            "request_id": job.id,
        },
    )


def _links(state: State, job: Job) -> dict[str, str]:
    response = f"{state.url}/v2/requests/{job.id}"
    return {"status_url": f"{response}/status", "response_url": response}


def _day(moment: float) -> dt.date:
    return dt.datetime.fromtimestamp(moment, dt.UTC).date()


_HISTORY = r"/inference-request/request-history"

#: A slug may be any name, so these come after those of all other providers.
ROUTES = (
    Route(r"/v2/requests/([^/]+)/status", Status),
    Route(r"/v[12]/requests/([^/]+)", Result),
    Route(r"/v1/get-user-credits", Credits),
    Route(r"/v2/([a-z0-9.\-]+)", Submit),
    Route(r"/upload-asset", Upload),
    Route(_HISTORY, History),
    Route(_HISTORY + r"/([^/]+)", HistoryRow),
    Route(r"/generations/([^/]+)\.mp4", File),
)
