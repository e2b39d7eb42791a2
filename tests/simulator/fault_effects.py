"""What faults do to answers."""

from __future__ import annotations

import email.utils
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hailuo_jupyter.simulator.aimlapi import OUT_OF_CREDITS
from hailuo_jupyter.simulator.responses import RefusedError, Response
from tests.simulator.faults import Fault

PAGE = b"<html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"

#: What a refusal says, where that is not what its status says.
_SAID = {
    "no-credits": OUT_OF_CREDITS,
    "spend-limit": "Team spend limit exceeded",
    "content-type": "Invalid content type",
}


@dataclass(frozen=True)
class Circumstances:
    """What an effect may want to know about the request it spoils."""

    wire: str | None
    path: str
    url: str
    other_url: str
    #: Makes the response to a refusal, in the form of the wire.
    refuse: Callable[[RefusedError], Response]


@dataclass(frozen=True)
class CutResponse(Response):
    """A response whose connection is dropped after some bytes; the header promises the whole body.

    ``reset`` drops it by a reset, as a dead machine or a firewall does.
    """

    cut_after: int = 0
    reset: bool = False

    @classmethod
    def of(cls, response: Response, cut_after: int, *, reset: bool) -> CutResponse:
        """Return a response that is cut."""
        return cls(response.status, response.body, response.headers, cut_after, reset)


#: What either wire says for a status, where nothing more fitting is known.
MESSAGES = {
    400: "Bad request",
    401: "Invalid API key",
    402: "Insufficient credits",
    403: "You do not have permission for this",
    404: "Not found",
    405: "Method not allowed",
    406: "Insufficient credits",
    410: "This model has been retired",
    422: "Validation error",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
}


def instead(fault: Fault, around: Circumstances) -> Response:
    """Return the answer that a fault of effect ``instead`` sends."""
    status = int(fault.detail("status"))
    headers = {str(name): str(value) for name, value in (fault.detail("headers") or {}).items()}
    if fault.name == "no-credits" and not status:
        v1 = around.wire == "segmind" and around.path.startswith("/v1/")
        status = 403 if around.wire in ("aimlapi", "fal") else 406 if v1 else 402
    message = _SAID.get(fault.name) or MESSAGES.get(status, "Error")
    if fault.name == "no-credits" and around.wire == "fal":
        message = "User is locked. Reason: Exhausted balance."
    if fault.name == "rate-limited-seconds":
        headers["Retry-After"] = str(fault.detail("seconds"))
    elif fault.name == "rate-limited-date":
        # The date is one of real time: that is what a client compares it with.
        moment = time.time() + float(fault.detail("seconds"))
        headers["Retry-After"] = email.utils.formatdate(moment, usegmt=True)
    elif fault.name == "rate-limited-absurd":
        headers["Retry-After"] = str(fault.detail("value"))
    elif fault.name == "http-503" and fault.detail("retry_after") is not None:
        headers["Retry-After"] = str(fault.detail("retry_after"))
    elif fault.name == "redirect":
        headers["Location"] = str(fault.detail("to") or around.other_url + around.path)
    body = fault.detail("body")
    if body is None and fault.name in ("http-502", "http-504"):
        return Response(status, PAGE, {"Content-Type": "text/html", **headers})
    if body is None:
        return around.refuse(RefusedError(status, message, headers))
    if isinstance(body, str):
        return Response(status, body.encode(), {"Content-Type": "text/plain", **headers})
    return Response(status, body, headers)


def spoil(fault: Fault, answer: Response) -> Response:
    """Return an answer after a fault of effect ``spoil``, except the one that sends none."""
    content = answer.content()
    half = len(content) // 2
    if fault.name == "html":
        page = answer.with_body(PAGE, Content_Type="text/html; charset=utf-8")
        return replace(page, status=int(fault.detail("status") or answer.status))
    if fault.name == "drop-mid-body":
        return CutResponse.of(answer.with_body(content), half, reset=bool(fault.detail("reset")))
    if fault.name == "nested":
        depth = int(fault.detail("depth"))
        nested = b'{"nested": ' + b"[" * depth + b"]" * depth
        return answer.with_body(nested + (b", " + content[1:] if len(content) > 2 else b"}"))
    bodies: dict[str, Callable[[], Any]] = {
        "garbage": lambda: os.urandom(64),
        "empty": lambda: b"",
        "truncated-json": lambda: content[:half],
        "json-list": lambda: [answer.body],
        "wrong-types": lambda: _wrong(json.loads(content)),
    }
    return answer.with_body(bodies[fault.name]())


def rewrite(fault: Fault, answer: Response, around: Circumstances) -> Response | None:
    """Return an answer after a fault of effect ``rewrite``, None where it has nothing to change."""
    if not isinstance(answer.body, dict):
        return None
    return _REWRITES[fault.name](fault, answer, around)


def _wrong(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _wrong(inner) for name, inner in value.items()}
    if isinstance(value, str):
        return 12345
    if isinstance(value, list):
        return {"0": "list"}
    return "wrong"


_Rewriter = Callable[[Fault, Response, Circumstances], Response | None]


def _changed(answer: Response, **values: Any) -> Response:
    return replace(answer, body={**answer.body, **values})


def _unknown_status(fault: Fault, answer: Response, _: Circumstances) -> Response | None:
    if "status" not in answer.body or _ended(answer):
        return None
    return _changed(answer, status=fault.detail("word"))


def _ended(answer: Response) -> bool:
    return str(answer.body.get("status")).lower() in (
        "completed", "failed", "error", "succeeded", "canceled", "success", "fail",
    )  # fmt: skip


def _backwards(_: Fault, answer: Response, __: Circumstances) -> Response | None:
    earlier = {
        "PROCESSING": "QUEUED",
        "generating": "queued",
        "processing": "starting",
        "IN_PROGRESS": "IN_QUEUE",
        "Processing": "Queueing",
    }.get(answer.body.get("status", ""))
    return None if earlier is None else _changed(answer, status=earlier)


def _succeeded(_: Fault, answer: Response, __: Circumstances) -> Response | None:
    ended = str(answer.body.get("status")).lower() == "completed"
    return _changed(answer, status="SUCCEEDED") if ended else None


def _failed_under(fault: Fault, answer: Response, _: Circumstances) -> Response | None:
    if answer.body.get("status") not in ("FAILED", "error", "failed"):
        return None
    status = 200 if fault.name == "failed-under-200" else int(fault.detail("status"))
    return replace(answer, status=status)


def _waiting(_: Fault, answer: Response, around: Circumstances) -> Response | None:
    word = {"queued": "waiting", "generating": "active"}.get(answer.body.get("status", ""))
    return None if word is None or around.wire != "aimlapi" else _changed(answer, status=word)


def link_of(answer: Response) -> tuple[str, str] | None:
    """Return the key that carries the link, and the link."""
    body = answer.body
    if isinstance(body.get("output"), str):
        return "output", body["output"]
    if isinstance(body.get("video"), dict) and isinstance(body["video"].get("url"), str):
        return "video", body["video"]["url"]
    return None


def _shape(make: Callable[[str], Any]) -> _Rewriter:
    def apply(_: Fault, answer: Response, __: Circumstances) -> Response | None:
        link = link_of(answer)
        return None if link is None else _changed(answer, **{link[0]: make(link[1])})

    return apply


def _elsewhere_in_body(key: str, make: Callable[[str], Any]) -> _Rewriter:
    def apply(_: Fault, answer: Response, __: Circumstances) -> Response | None:
        link = link_of(answer)
        if link is None:
            return None
        rest = {name: value for name, value in answer.body.items() if name != link[0]}
        return replace(answer, body={**rest, key: make(link[1])})

    return apply


def _no_link(_: Fault, answer: Response, __: Circumstances) -> Response | None:
    # MiniMax has the clip as a file: its id in a status, its link in another answer.
    at = next((name for name in ("file_id", "file") if answer.body.get(name)), None)
    if at is None and (link := link_of(answer)) is not None:
        at = link[0]
    if at is None:
        return None
    return replace(answer, body={k: v for k, v in answer.body.items() if k != at})


def _foreign_media(_: Fault, answer: Response, around: Circumstances) -> Response | None:
    link = link_of(answer)
    if link is None or not link[1].startswith(around.url):
        return None
    elsewhere = around.other_url + link[1].removeprefix(around.url)
    return _changed(answer, **{link[0]: elsewhere if link[0] == "output" else {"url": elsewhere}})


def _foreign_urls(fault: Fault, answer: Response, around: Circumstances) -> Response | None:
    base = str(fault.detail("base") or around.other_url)
    names = [name for name in ("status_url", "response_url", "poll_url") if name in answer.body]
    moved = {name: base + answer.body[name].removeprefix(around.url) for name in names}
    return _changed(answer, **moved) if moved else None


def _ids(*kept: str) -> _Rewriter:
    def apply(_: Fault, answer: Response, __: Circumstances) -> Response | None:
        names = ("id", "generation_id", "request_id", "task_id")
        found = next((answer.body[name] for name in names if name in answer.body), None)
        if found is None:
            return None
        rest = {name: value for name, value in answer.body.items() if name not in names}
        return replace(answer, body={**dict.fromkeys(kept, found), **rest})

    return apply


def _error_names_job(fault: Fault, answer: Response, around: Circumstances) -> Response | None:
    if answer.status not in (200, 201):
        return None
    status = int(fault.detail("status"))
    message = MESSAGES.get(status, "Error")
    error = around.refuse(RefusedError(status, message))
    names = {
        name: answer.body[name]
        for name in ("id", "generation_id", "request_id")
        if name in answer.body
    }
    return replace(answer, status=status, body={**error.body, **names})


def _number_id(_: Fault, answer: Response, __: Circumstances) -> Response | None:
    numbers = {
        name: int(answer.body[name].partition(":")[0])
        for name in ("id", "generation_id")
        if str(answer.body.get(name, "")).partition(":")[0].isdigit()
    }
    return _changed(answer, **numbers) if numbers else None


def _status(status: int) -> _Rewriter:
    def apply(_: Fault, answer: Response, __: Circumstances) -> Response | None:
        return replace(answer, status=status) if answer.status in (200, 201) else None

    return apply


def _missing(_: Fault, answer: Response, __: Circumstances) -> Response | None:
    return replace(answer, body=_without_nulls(answer.body))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _nulls(_: Fault, answer: Response, around: Circumstances) -> Response | None:
    if around.wire != "aimlapi" or "status" not in answer.body:
        return None
    return replace(answer, body={**dict.fromkeys(("video", "error", "meta")), **answer.body})


def _error(make: Callable[[str], Any]) -> _Rewriter:
    def apply(_: Fault, answer: Response, around: Circumstances) -> Response | None:
        error = answer.body.get("error")
        if not error or around.wire != "aimlapi":
            return None
        text = error.get("message", "") if isinstance(error, dict) else str(error)
        return _changed(answer, error=make(text))

    return apply


def _detail(text: str) -> dict[str, Any]:
    return {
        "detail": [{"loc": ["body", "prompt"], "msg": text, "type": "value_error", "input": {}}]
    }


def _status_code(_: Fault, answer: Response, __: Circumstances) -> Response | None:
    code = answer.body.get("statusCode")
    return _changed(answer, statusCode=int(code)) if isinstance(code, str) else None


def _reported_cost(fault: Fault, answer: Response, around: Circumstances) -> Response | None:
    if str(answer.body.get("status")).lower() != "completed":
        return None
    usd = float(fault.detail("usd"))
    if around.wire == "segmind":
        return _changed(answer, metrics={**(answer.body.get("metrics") or {}), "cost": usd})
    headers = {**answer.headers, "x-aimlapi-usd-spent": json.dumps(usd)}
    headers.pop("x-aimlapi-credits-used", None)
    if fault.detail("header"):
        return replace(answer, headers=headers)
    return _changed(answer, meta={"usage": {"credits_used": usd * 2_000_000}})


def _upload(name: str) -> _Rewriter:
    def apply(_: Fault, answer: Response, __: Circumstances) -> Response | None:
        links = answer.body.get("file_urls") or answer.body.get("urls")
        return replace(answer, body={name: links}) if links else None

    return apply


def _log_nulls(_: Fault, answer: Response, __: Circumstances) -> Response | None:
    rows = answer.body.get("data")
    if not isinstance(rows, list) or not rows or "inference_id" not in rows[0]:
        return None
    empty = dict.fromkeys(("client_request_id", "inference_id", "cost"))
    return _changed(answer, data=[{**row, **empty} for row in rows])


def _rows(make: Callable[[dict[str, Any], Circumstances], list[dict[str, Any]]]) -> _Rewriter:
    def apply(_: Fault, answer: Response, around: Circumstances) -> Response | None:
        if "model_status" in answer.body:  # one row, asked for by its id
            rows = make(answer.body, around)
            if not rows:
                return around.refuse(RefusedError(404, "Request not found"))
            return replace(answer, body=rows[0])
        name = "results" if around.wire == "replicate" else "data"
        rows = answer.body.get(name)
        if not isinstance(rows, list) or not rows or not {"request_id", "id"} & rows[0].keys():
            return None
        return _changed(answer, **{name: [each for row in rows for each in make(row, around)]})

    return apply


def _twin(row: dict[str, Any], _: Circumstances) -> list[dict[str, Any]]:
    named = next(name for name in ("inference_id", "request_id", "id") if name in row)
    return [row, {**row, named: f"{row[named]}-twin"}]


def _without_cost(row: dict[str, Any], _: Circumstances) -> list[dict[str, Any]]:
    return [{**row, **{name: None for name in ("cost", "credits_deduction") if name in row}}]


def _elsewhere(row: dict[str, Any], around: Circumstances) -> list[dict[str, Any]]:
    links = [name for name in row if name.endswith("_url") and row[name]]
    return [{**row, **dict.fromkeys(links, f"{around.other_url}/foreign.mp4")}]


_REWRITES: dict[str, _Rewriter] = {
    "unknown-status": _unknown_status,
    "succeeded": _succeeded,
    "backwards": _backwards,
    "failed-under-200": _failed_under,
    "failed-under": _failed_under,
    "waiting-active": _waiting,
    "no-link": _no_link,
    "null-link": _shape(lambda _: None),
    "output-string": _shape(lambda link: link),
    "output-object": _shape(lambda link: {"url": link}),
    "output-video-url": _shape(lambda link: {"video_url": link}),
    "output-list": _shape(lambda link: [link]),
    "output-list-of-objects": _shape(lambda link: [{"url": link}]),
    "output-text": _shape(lambda link: f"  {json.dumps({'url': link})}\n"),
    "output-pictures": _shape(lambda link: [f"{link.partition('?')[0]}.jpg", link]),
    "video-key": _elsewhere_in_body(
        "video", lambda link: {"url": link, "content_type": "video/mp4"}
    ),
    "videos-key": _elsewhere_in_body("videos", lambda link: [{"url": link}]),
    "foreign-urls": _foreign_urls,
    "foreign-media": _foreign_media,
    "generation-id-only": _ids("generation_id"),
    "id-only": _ids("id"),
    "no-id": _ids(),
    "error-names-job": _error_names_job,
    "number-id": _number_id,
    "ok": _status(200),
    "created": _status(201),
    "missing-keys": _missing,
    "null-keys": _nulls,
    "error-object": _error(lambda text: {"name": "Error", "message": text}),
    "error-detail-list": _error(_detail),
    "error-string": _error(lambda text: text),
    "status-code-int": _status_code,
    "reported-cost": _reported_cost,
    "upload-urls": _upload("urls"),
    "upload-file-urls": _upload("file_urls"),
    "log-nulls": _log_nulls,
    "history-missing": _rows(lambda _, __: []),
    "history-twin": _rows(_twin),
    "history-repeats": _rows(lambda row, _: [row, row]),
    "history-no-cost": _rows(_without_cost),
    "history-foreign": _rows(_elsewhere),
}
