"""What faults do to answers."""

from __future__ import annotations

import email.utils
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hailuo_jupyter.simulator.answers import MESSAGES, OUT_OF_CREDITS, Answer, error_answer
from hailuo_jupyter.simulator.faults import Fault
from hailuo_jupyter.simulator.jobs import Wire

PAGE = b"<html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"


@dataclass(frozen=True)
class Circumstances:
    """What an effect may want to know about the request it spoils."""

    wire: Wire | None
    path: str
    now: float
    url: str
    media_url: str


def instead(fault: Fault, around: Circumstances) -> Answer:
    """Return the answer that a fault of effect ``instead`` sends."""
    status = int(fault.detail("status"))
    headers = {str(name): str(value) for name, value in (fault.detail("headers") or {}).items()}
    if fault.name == "no-credits" and not status:
        status = 403 if around.wire == "aimlapi" else 406
    message = OUT_OF_CREDITS if fault.name == "no-credits" else MESSAGES.get(status, "Error")
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
        headers["Location"] = str(fault.detail("to") or around.media_url + around.path)
    body = fault.detail("body")
    if body is None and fault.name in ("http-502", "http-504"):
        return Answer(status, PAGE, {"Content-Type": "text/html", **headers})
    if body is None:
        return error_answer(
            around.wire, status, message, path=around.path, now=around.now, headers=headers
        )
    if isinstance(body, str):
        return Answer(status, body.encode(), {"Content-Type": "text/plain", **headers})
    return Answer(status, body, headers)


def spoil(fault: Fault, answer: Answer) -> Answer:
    """Return an answer after a fault of effect ``spoil``, except the one that sends none."""
    content = answer.content()
    half = len(content) // 2
    if fault.name == "html":
        page = answer.with_body(PAGE, Content_Type="text/html; charset=utf-8")
        return replace(page, status=int(fault.detail("status") or answer.status))
    if fault.name == "drop-mid-body":
        return replace(answer.with_body(content), cut_after=half, reset=bool(fault.detail("reset")))
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


def rewrite(fault: Fault, answer: Answer, around: Circumstances) -> Answer | None:
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


_Rewriter = Callable[[Fault, Answer, Circumstances], Answer | None]


def _changed(answer: Answer, **values: Any) -> Answer:
    return replace(answer, body={**answer.body, **values})


def _unknown_status(fault: Fault, answer: Answer, _: Circumstances) -> Answer | None:
    if "status" not in answer.body or _ended(answer):
        return None
    return _changed(answer, status=fault.detail("word"))


def _ended(answer: Answer) -> bool:
    return str(answer.body.get("status")).lower() in ("completed", "failed", "error")


def _backwards(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
    earlier = {"PROCESSING": "QUEUED", "generating": "queued"}.get(answer.body.get("status", ""))
    return None if earlier is None else _changed(answer, status=earlier)


def _failed_under(fault: Fault, answer: Answer, _: Circumstances) -> Answer | None:
    if answer.body.get("status") not in ("FAILED", "error"):
        return None
    status = 200 if fault.name == "failed-under-200" else int(fault.detail("status"))
    return replace(answer, status=status)


def _waiting(_: Fault, answer: Answer, around: Circumstances) -> Answer | None:
    word = {"queued": "waiting", "generating": "active"}.get(answer.body.get("status", ""))
    return None if word is None or around.wire != "aimlapi" else _changed(answer, status=word)


def _link(answer: Answer) -> tuple[str, str] | None:
    """Return the key that carries the link, and the link."""
    body = answer.body
    if isinstance(body.get("output"), str):
        return "output", body["output"]
    if isinstance(body.get("video"), dict) and isinstance(body["video"].get("url"), str):
        return "video", body["video"]["url"]
    return None


def _shape(make: Callable[[str], Any]) -> _Rewriter:
    def apply(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
        link = _link(answer)
        return None if link is None else _changed(answer, **{link[0]: make(link[1])})

    return apply


def _no_link(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
    link = _link(answer)
    if link is None:
        return None
    body = {name: value for name, value in answer.body.items() if name != link[0]}
    return replace(answer, body=body)


def _foreign_media(_: Fault, answer: Answer, around: Circumstances) -> Answer | None:
    link = _link(answer)
    if link is None or not link[1].startswith(around.url):
        return None
    elsewhere = around.media_url + link[1].removeprefix(around.url)
    return _changed(answer, **{link[0]: elsewhere if link[0] == "output" else {"url": elsewhere}})


def _foreign_urls(fault: Fault, answer: Answer, around: Circumstances) -> Answer | None:
    base = str(fault.detail("base") or around.media_url)
    names = [name for name in ("status_url", "response_url", "poll_url") if name in answer.body]
    moved = {name: base + answer.body[name].removeprefix(around.url) for name in names}
    return _changed(answer, **moved) if moved else None


def _ids(*kept: str) -> _Rewriter:
    def apply(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
        names = ("id", "generation_id", "request_id")
        found = next((answer.body[name] for name in names if name in answer.body), None)
        if found is None:
            return None
        rest = {name: value for name, value in answer.body.items() if name not in names}
        return replace(answer, body={**dict.fromkeys(kept, found), **rest})

    return apply


def _number_id(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
    numbers = {
        name: int(answer.body[name].partition(":")[0])
        for name in ("id", "generation_id")
        if str(answer.body.get(name, "")).partition(":")[0].isdigit()
    }
    return _changed(answer, **numbers) if numbers else None


def _status(status: int) -> _Rewriter:
    def apply(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
        return replace(answer, status=status) if answer.status in (200, 201) else None

    return apply


def _missing(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
    return replace(answer, body=_without_nulls(answer.body))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _nulls(_: Fault, answer: Answer, around: Circumstances) -> Answer | None:
    if around.wire != "aimlapi" or "status" not in answer.body:
        return None
    return replace(answer, body={**dict.fromkeys(("video", "error", "meta")), **answer.body})


def _error(make: Callable[[str], Any]) -> _Rewriter:
    def apply(_: Fault, answer: Answer, around: Circumstances) -> Answer | None:
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


def _status_code(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
    code = answer.body.get("statusCode")
    return _changed(answer, statusCode=int(code)) if isinstance(code, str) else None


def _upload(name: str) -> _Rewriter:
    def apply(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
        links = answer.body.get("file_urls") or answer.body.get("urls")
        return replace(answer, body={name: links}) if links else None

    return apply


def _log_nulls(_: Fault, answer: Answer, __: Circumstances) -> Answer | None:
    rows = answer.body.get("data")
    if not isinstance(rows, list) or not rows or "inference_id" not in rows[0]:
        return None
    empty = dict.fromkeys(("client_request_id", "inference_id", "cost"))
    return _changed(answer, data=[{**row, **empty} for row in rows])


def _rows(make: Callable[[dict[str, Any], Circumstances], list[dict[str, Any]]]) -> _Rewriter:
    def apply(_: Fault, answer: Answer, around: Circumstances) -> Answer | None:
        rows = answer.body.get("data")
        if not isinstance(rows, list) or not rows or not {"request_id"} & rows[0].keys():
            return None
        return _changed(answer, data=[each for row in rows for each in make(row, around)])

    return apply


def _twin(row: dict[str, Any], _: Circumstances) -> list[dict[str, Any]]:
    named = "inference_id" if "inference_id" in row else "request_id"
    return [row, {**row, named: f"{row[named]}-twin"}]


def _without_cost(row: dict[str, Any], _: Circumstances) -> list[dict[str, Any]]:
    return [{**row, **{name: None for name in ("cost", "credits_deduction") if name in row}}]


def _elsewhere(row: dict[str, Any], around: Circumstances) -> list[dict[str, Any]]:
    links = [name for name in row if name.endswith("_url") and row[name]]
    return [{**row, **dict.fromkeys(links, f"{around.media_url}/foreign.mp4")}]


_REWRITES: dict[str, _Rewriter] = {
    "unknown-status": _unknown_status,
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
    "foreign-urls": _foreign_urls,
    "foreign-media": _foreign_media,
    "generation-id-only": _ids("generation_id"),
    "id-only": _ids("id"),
    "no-id": _ids(),
    "number-id": _number_id,
    "ok": _status(200),
    "created": _status(201),
    "missing-keys": _missing,
    "null-keys": _nulls,
    "error-object": _error(lambda text: {"name": "Error", "message": text}),
    "error-detail-list": _error(_detail),
    "error-string": _error(lambda text: text),
    "status-code-int": _status_code,
    "upload-urls": _upload("urls"),
    "upload-file-urls": _upload("file_urls"),
    "log-nulls": _log_nulls,
    "history-missing": _rows(lambda _, __: []),
    "history-twin": _rows(_twin),
    "history-repeats": _rows(lambda row, _: [row, row]),
    "history-no-cost": _rows(_without_cost),
    "history-foreign": _rows(_elsewhere),
}
