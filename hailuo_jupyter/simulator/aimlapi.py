"""The simulated AI/ML API: submit and poll in both path families, balance and request log.

Sources: the model pages (legacy paths, statuses, signed links), and the request and error schemas in the
provider's published documentation. Prices are inferred: MiniMax's list price and the surcharge observed for
AI/ML API's hailuo-2.3.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
import time
import uuid
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from hailuo_jupyter.simulator.handler import (
    Handler,
    Route,
    read_json_object,
    type_name,
)
from hailuo_jupyter.simulator.media import Clip
from hailuo_jupyter.simulator.models import Model, models, usual
from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.responses import RefusedError, Response
from hailuo_jupyter.simulator.state import Job, Phase, State, VideoRequest, iso_time

#: The usual model.
MODEL = usual("aimlapi").slug

#: US dollars of the usual model by height and seconds.
PRICES = {(768, 6): 0.294, (768, 10): 0.588, (1080, 6): 0.515}

#: Credits per US dollar (published).
CREDITS_PER_DOLLAR = 2_000_000

#: AI/ML API's 403 for an empty account; its text points to the billing page.
OUT_OF_CREDITS = "You have run out of credits. Top up your balance on the billing page."

_LONG = 10
#: Seconds that the page of the usual model states for 6 s, to which the options' medians refer.
_PAGE_S = 270.0
#: Maximum characters of a wrong value shown in an error.
_SHOWN = 40

_WORDS = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "generating",
    Phase.DONE: "completed",
    Phase.FAILED: "error",
}

#: What an ``X-Client-Request-Id`` must look like; others are silently dropped.
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}\Z")

_ACCESS_KEY = "SIMULATEDACCESSKEY"

_PAGE, _MAX_PAGE = 50, 100
_MAX_DAYS = 92
_DAY = 86400
_PERIOD = re.compile(r"([1-9][0-9]{0,4})([hd])\Z")


class AimlapiHandler(Handler):
    """Base of all AI/ML API requests: the key, the errors and the tracing headers."""

    wire = "aimlapi"
    bad_key = "Unauthorized: the API key is missing or invalid"

    def key(self) -> str:
        """Return the Bearer token."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def client_request_id(self) -> str | None:
        """Return the client's own id for this request, if it is a valid one."""
        sent = self.request.headers.get("X-Client-Request-Id", "")
        return sent if _CLIENT_ID.match(sent) else None

    def set_default_headers(self) -> None:
        """Echo the client's id."""
        super().set_default_headers()
        echoed = self.client_request_id()
        if echoed is not None:
            self.set_header("x-client-request-id", echoed)

    def refusal(self, refusal: RefusedError) -> Response:
        """Return an error as this provider sends it.

        Its documentation shows ``statusCode`` as a string. For a body that is not valid,
        ``meta.details`` names path and message of each field.
        """
        return error_response(refusal, self.request.path, self.state.now())


class Generation(AimlapiHandler):
    """``POST`` and ``GET`` of one generation path."""

    methods = ("GET", "POST")
    unified: ClassVar[bool] = False

    def stages(self) -> tuple[str, ...]:
        """Return the stages: a POST submits, a GET is both status and result."""
        return ("submit",) if self.request.method == "POST" else ("status", "result")

    def find_job(self, *_: str) -> Job | None:
        """Return the job of the query."""
        job_id = self.get_query_argument("generation_id", "", strip=False)
        return self.state.job("aimlapi", job_id, self.who()) if job_id else None

    async def reply(self, *_: str) -> Response:
        """Submit a job, or return its state."""
        return await (self._submit() if self.request.method == "POST" else self._poll())

    async def _submit(self) -> Response:
        self.authorize()
        body = read_json_object(self.content())
        request = self.read(body)
        if self.balance() < request.price:
            raise RefusedError(403, OUT_OF_CREDITS)
        job = self.state.begin(
            await self.new_job(
                request,
                body,
                client_request_id=self.client_request_id(),
                job_id=self._new_id(request.model),
            )
        )
        self.job = job
        credits_used = round(request.price * CREDITS_PER_DOLLAR)
        headers = {
            "x-inference-id": job.id,
            "x-aimlapi-credits-used": str(credits_used),
            "x-aimlapi-usd-spent": json.dumps(request.price),
        }
        # The amount held for the job, which is released if the job fails.
        usage = {"meta": {"usage": {"credits_used": credits_used}}}
        if self.unified:
            return Response(200, {"id": job.id, "status": "queued", **usage}, headers)
        return Response(201, {"generation_id": job.id, "status": "queued", **usage}, headers)

    def read(self, body: dict[str, Any]) -> VideoRequest:
        """Return the order in a body; see `read_aimlapi`."""
        return read_aimlapi(body, self.state.options, unified=self.unified)

    def _new_id(self, model: str) -> str:
        digits = str(secrets.randbelow(9 * 10**14) + 10**14)
        # Samples of the unified path show such ids, the legacy page plain digits.
        return f"{digits}:{model}" if self.unified else digits

    async def _poll(self) -> Response:
        self.authorize()
        if not self.get_query_argument("generation_id", ""):
            raise RefusedError(400, "Query validation failed: generation_id: expected string")
        job = self.job
        if job is None or self.state.forgotten(job):
            raise RefusedError(404, "Generation not found")
        phase = job.poll(self.state.now(), min_polls=self.state.options.min_polls)
        body: dict[str, Any] = {"id": job.id, "status": _WORDS[phase]}
        headers = {"x-inference-id": job.id}
        if phase is Phase.DONE:
            # The legacy sample shows only these three keys, the unified schema more.
            body["video"] = {"url": signed_link(self.state, job)}
            credits_used = round(job.cost() * CREDITS_PER_DOLLAR)
            headers["x-aimlapi-credits-used"] = str(credits_used)
            headers["x-aimlapi-usd-spent"] = json.dumps(job.cost())
            if self.unified:
                body |= {"error": None, "meta": {"usage": {"credits_used": credits_used}}}
        elif phase is Phase.FAILED:
            body["error"] = {"name": "GenerationError", "message": job.failure}
            if self.unified:
                body |= {"video": None, "meta": None}
        return Response(200, body, headers)


class UnifiedGeneration(Generation):
    """``/v2/video/generations``: other field names, and all keys of the schema."""

    unified = True


class Balance(AimlapiHandler):
    """``GET /v2/billing``."""

    async def reply(self, *_: str) -> Response:
        """Return the balance."""
        self.authorize()
        return Response(200, {"current_balance": round(self.balance(), 6), "currency": "USD"})


class ListHandler(AimlapiHandler):
    """Base of the two lists."""

    def limit(self) -> int:
        """Return the requested number of rows."""
        return self.whole("limit", _PAGE, 1, _MAX_PAGE)

    def whole(self, name: str, default: int, low: int, top: int) -> int:
        """Return a whole number from the query."""
        text = self.get_query_argument(name, str(default))
        if not text.isdecimal() or len(text) > len(str(top)) or not low <= int(text) <= top:
            raise RefusedError(400, f"Query validation failed: {name}: expected {low} to {top}")
        return int(text)

    def moment(self, name: str) -> float | None:
        """Return a time from the query in Unix seconds; without an offset it is UTC."""
        text = self.get_query_argument(name, None)
        if text is None:
            return None
        try:
            # In a query string a plus sign means a space.
            time = dt.datetime.fromisoformat(text.replace(" ", "+"))
            return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).timestamp()
        except (ValueError, OverflowError) as problem:
            raise RefusedError(
                400, f"Query validation failed: {name}: expected ISO-8601"
            ) from problem

    def landed(self, own_key: str | None = None) -> list[tuple[Job, Phase]]:
        """Return the finished jobs whose rows exist already, newest first."""
        now, options = self.state.now(), self.state.options
        rows = []
        for job in reversed(self.state.jobs("aimlapi", self.who())):
            phase = job.phase(now, min_polls=options.min_polls)
            late = job.ended_at is None or now < job.ended_at + self.state.history_delay
            if phase.ended and not late and own_key in (None, job.key_hash):
                rows.append((job, phase))
        return rows


class Logs(ListHandler):
    """``GET /v2/logs``: one row per finished request, up to 92 days back."""

    async def reply(self, *_: str) -> Response:
        """List one page of requests made with this key."""
        self.authorize()
        limit, offset = self.limit(), self.whole("offset", 0, 0, 10**9)
        since, until = self._window()
        statuses = self.get_query_arguments("status")
        if any(status not in ("succeeded", "failed") for status in statuses):
            raise RefusedError(400, "Query validation failed: status: succeeded or failed")
        wanted = self.get_query_arguments("model")
        rows = [
            row
            for job, phase in self.landed(self.who())
            if since <= job.submitted <= until
            for row in [_log_row(job, phase)]
            if (not statuses or row["status"] in statuses)
            and (not wanted or {job.model, job.model.partition("/")[2]} & set(wanted))
        ]
        shown = rows[offset : offset + limit]
        more = offset + limit < len(rows)
        pagination = {"limit": limit, "offset": offset, "total": len(rows), "has_more": more}
        return Response(200, {"data": shown, "pagination": pagination})

    def _window(self) -> tuple[float, float]:
        now = self.state.now()
        period = self.get_query_argument("period", None)
        start, end = self.moment("start"), self.moment("end")
        if period is not None:
            match = _PERIOD.match(period)
            if match is None or start is not None or end is not None:
                raise RefusedError(400, "Query validation failed: period")
            start, end = now - int(match[1]) * (_DAY if match[2] == "d" else 3600), now
        elif (start is None) != (end is None):
            raise RefusedError(400, "Query validation failed: start and end belong together")
        if start is None or end is None:
            # The default is not published.
            return now - 7 * _DAY, now
        if end < start or end - start > _MAX_DAYS * _DAY:
            raise RefusedError(400, f"Query validation failed: at most {_MAX_DAYS} days")
        return start, end


class SignedClip(Clip):
    """A clip behind a signed link."""

    def check_link(self, job: Job) -> None:
        """Refuse an expired or modified link like Alibaba OSS: with 403."""
        end = self.get_query_argument("Expires", "")
        sent = self.get_query_argument("Signature", "", strip=False)
        if not hmac.compare_digest(
            sent.encode(), _signature(self.state, job.media_id, end).encode()
        ):
            raise RefusedError(403, "The request signature does not match.")
        if self.state.now() >= int(end):
            raise RefusedError(403, "Request has expired.")


def read_aimlapi(body: dict[str, Any], options: SimulatorOptions, *, unified: bool) -> VideoRequest:
    """Return the order in an AI/ML API body.

    Parameters
    ----------
    body : dict
        The JSON object; fields that do not exist are ignored.
    options : SimulatorOptions
        The choices made at the start.
    unified : bool
        Whether the body came to ``/v2/video/generations``, whose field names differ.

    Raises
    ------
    RefusedError
        Status 400, listing each field that is missing or invalid.
    """
    faults: dict[str, str] = {}
    wire = "unified" if unified else "legacy"
    here = {slug: model for slug, model in models("aimlapi").items() if wire in model.wires}
    named = body.get("model")
    known = isinstance(named, str) and named in here
    _expect(faults, "model", " | ".join(f"'{slug}'" for slug in here), named, known)
    model = here[named] if isinstance(named, str) and known else here[MODEL]
    prompt, most = body.get("prompt"), model.prompt_max
    right = isinstance(prompt, str) and 0 < len(prompt) <= most
    _expect(faults, "prompt", f"string of 1 to {most} characters", prompt, right)
    optimizer_field = "enhance_prompt" if unified else "prompt_optimizer"
    optimizer = body.get(optimizer_field, True)
    _expect(faults, optimizer_field, "boolean", optimizer, isinstance(optimizer, bool))
    for name, allowed in model.choices.items():
        value = body.get(name, allowed[0])
        _expect(faults, name, _one_of(allowed), value, _is_one(value, allowed))
    for name, constant in model.constants.items():
        value = body.get(name, constant)
        _expect(faults, name, f"'{constant}'", value, value == constant)
    frames = _frames(faults, body, model, unified=unified)
    if faults:
        raise RefusedError(400, "Body validation error!", details=faults)
    chosen = model.options(body)
    if model.refused(chosen):
        details = {"duration": "10 s is not available at 1080P"}
        raise RefusedError(400, "Body validation error!", details=details)
    height, seconds = model.size(chosen)
    usual_one = model.slug == MODEL
    long = options.aimlapi_10s_seconds if seconds == _LONG else options.aimlapi_6s_seconds
    return VideoRequest(
        prompt=str(prompt),
        model=model.slug,
        height=height,
        seconds=seconds,
        first=frames["first"],
        last=frames["last"],
        price=PRICES[height, seconds] if usual_one else model.price(chosen),
        median=long if usual_one else model.median(chosen) * options.aimlapi_6s_seconds / _PAGE_S,
        retention=options.aimlapi_retention,
    )


def _frames(
    faults: dict[str, str], body: dict[str, Any], model: Model, *, unified: bool
) -> dict[str, str | None]:
    """Return the two frames of a body; a model ignores the one that it does not have."""
    names = {"first": "image_url" if unified else "first_frame_image", "last": "last_image_url"}
    found: dict[str, str | None] = {"first": None, "last": None}
    for role, field in names.items():
        if (model.first if role == "first" else model.last) == "none":
            continue
        value = body.get(field, "")
        missing = field not in body and not (role == "first" and model.first == "required")
        _expect(faults, field, "string", value, isinstance(value, str) and (bool(value) or missing))
        found[role] = value or None
    return found


def _one_of(allowed: tuple[str | int, ...]) -> str:
    *most, last = (f"'{each}'" if isinstance(each, str) else str(each) for each in allowed)
    return f"{', '.join(most)} or {last}" if most else last


def _is_one(value: object, allowed: tuple[str | int, ...]) -> bool:
    """Return whether a value is allowed; JSON has one kind of number, so 10.0 is 10."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    kind = str if isinstance(value, str) else int | float
    return any(isinstance(each, kind) and value == each for each in allowed)


def _expect(faults: dict[str, str], field: str, wanted: str, value: object, right: bool) -> None:
    if right:
        return
    # The value itself only if it is short: a picture in the wrong field has megabytes.
    shown = f"{type_name(value)} {value!r}" if isinstance(value, int | float) else type_name(value)
    if isinstance(value, str):
        shown = f"'{value}'" if len(value) <= _SHOWN else f"string of {len(value)} characters"
    faults[field] = f"Expected {wanted}, received {shown[:80]}"


def money(usd: float) -> dict[str, Any]:
    """Return an amount in this provider's format."""
    return {"usd": usd, "credits": round(usd * CREDITS_PER_DOLLAR)}


def _log_row(job: Job, phase: Phase) -> dict[str, Any]:
    return {
        "created": iso_time(job.submitted),
        "status": "succeeded" if phase is Phase.DONE else "failed",
        "origin": "api",
        "model": job.model,
        "cost": money(job.cost()),
        "tokens": {"input": 0, "output": 0, "total": 0},
        "request_id": job.media_id,
        "inference_id": job.id,
        "client_request_id": job.client_request_id,
    }


def error_response(refusal: RefusedError, path: str, now: float) -> Response:
    """Return an error of AI/ML API."""
    body: dict[str, Any] = {
        "message": refusal.message,
        "path": path,
        "requestId": str(uuid.uuid4()),
        "statusCode": str(refusal.status),
        "timestamp": iso_time(now),
    }
    if refusal.details:
        named = [{"path": [field], "message": text} for field, text in refusal.details.items()]
        body["meta"] = {"details": named}
    return Response(refusal.status, body, refusal.headers)


def signed_link(state: State, job: Job) -> str:
    """Return a link that expires, in the form of the model page's sample (an Alibaba OSS link).

    It is signed once, when the job ends: polling again does not extend it.
    """
    end = int((job.ended_at or state.now()) + state.options.link_life)
    day = time.strftime("%Y-%m-%d", time.gmtime(job.submitted))
    name = quote(f"inference_output/video/{day}/{job.media_id}/output.mp4", safe="")
    query = {
        "Expires": str(end),
        "OSSAccessKeyId": _ACCESS_KEY,
        "Signature": _signature(state, job.media_id, str(end)),
    }
    return f"{state.media_url}/whale/{name}?{urlencode(query)}"


def _signature(state: State, media_id: str, end: str) -> str:
    digest = hmac.new(state.secret, f"{media_id}\n{end}".encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


ROUTES = (
    Route(r"/v2/generate/video/minimax/generation", Generation),
    Route(r"/v2/video/generations", UnifiedGeneration),
    Route(r"/v2/billing", Balance),
    Route(r"/v2/logs", Logs),
    Route(r"/whale/([^/]+)", SignedClip),
)
