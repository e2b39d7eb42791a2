"""The list of all faults: data, so that it can be printed and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Effect(StrEnum):
    """How a fault interferes."""

    #: The connection goes before the body is read.
    EARLY_DROP = "early drop"
    #: Another answer goes out instead; the request is carried out only with ``accepted``.
    INSTEAD = "instead"
    #: The request is carried out, then its answer is spoilt.
    SPOIL = "spoil"
    #: The answer waits.
    DELAY = "delay"
    #: The answer's JSON is changed, where there is something to change.
    REWRITE = "rewrite"
    #: The new job behaves differently from then on.
    JOB = "job"
    #: A clip's file is served wrongly.
    MEDIA = "media"
    #: A clip's file is served whole whatever part was asked for.
    MEDIA_RANGE = "media range"


@dataclass(frozen=True)
class FaultKind:
    """A fault that exists.

    ``stages`` are the requests it can meet, the usual ones first; ``details`` its settings with
    their defaults.
    """

    name: str
    description: str
    effect: Effect
    stages: tuple[str, ...]
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def usual(self) -> tuple[str, ...]:
        """The stages it meets when none is chosen."""
        looks = tuple(stage for stage in self.stages if stage in _LOOKS)
        # What spoils looking at a job spoils status and result alike.
        return looks if self.stages[0] in _LOOKS else self.stages[:1]


_ALL = ("submit", "status", "result", "upload", "media", "asset", "account", "cancel")
_CALLS = ("submit", "status", "result", "upload", "account", "cancel")
_LOOKS = ("status", "result")


def _instead(name: str, text: str, status: int, **details: Any) -> FaultKind:
    settings = {"status": status, "body": None, "headers": None, "accepted": False, **details}
    return FaultKind(name, text, Effect.INSTEAD, _ALL, settings)


def _refused(name: str, text: str, status: int) -> FaultKind:
    return FaultKind(name, text, Effect.INSTEAD, ("submit",), _instead(name, text, status).details)


def _spoil(name: str, text: str, **details: Any) -> FaultKind:
    return FaultKind(name, text, Effect.SPOIL, _CALLS, details)


def _rewrite(name: str, text: str, *stages: str, **details: Any) -> FaultKind:
    return FaultKind(name, text, Effect.REWRITE, stages, details)


def _job(name: str, text: str, **details: Any) -> FaultKind:
    return FaultKind(name, text, Effect.JOB, ("submit",), details)


def _media(name: str, text: str, **details: Any) -> FaultKind:
    return FaultKind(name, text, Effect.MEDIA, ("media",), details)


_ANSWERS = (
    _instead("answer", "the given status, body (JSON or text) and headers", 200),
    _instead("bad-request", "400 with the wire's error body", 400),
    _instead("unauthorized", "401, as for a wrong key", 401),
    _instead("forbidden", "403 for a key that is not allowed to", 403),
    _instead("no-credits", "the wire's answer to an empty account: 402 (v1: 406) or 403", 0),
    _refused("spend-limit", "406, a team's spend limit is reached (Segmind)", 406),
    _refused("content-type", "406, the Content-Type is wrong (Segmind)", 406),
    _refused("retired", "410, the model is retired (Segmind)", 410),
    _instead("expired", "404, as for an unknown or forgotten id", 404),
    _instead("invalid", "422 with a validation message", 422),
    _instead("rate-limited", "429 without Retry-After", 429),
    _instead("rate-limited-seconds", "429 with Retry-After in seconds", 429, seconds=1),
    _instead("rate-limited-date", "429 with Retry-After as a date", 429, seconds=2),
    _instead("rate-limited-absurd", "429 with a senseless Retry-After", 429, value="99999999999"),
    _instead("http-500", "500", 500),
    _instead("http-502", "502 with a gateway's HTML", 502),
    _instead("http-503", "503; retry_after adds the header", 503, retry_after=None),
    _instead("http-504", "504 with a gateway's HTML", 504),
    _instead("redirect", "redirect to another host, where no key must arrive", 307, to=None),
)

_SPOILT = (
    FaultKind(
        "drop-before-reading",
        "the connection is closed before the body is read, or reset; nothing is accepted",
        Effect.EARLY_DROP,
        _ALL,
        {"reset": False},
    ),
    _spoil(
        "lost-answer",
        "the request is carried out, the connection closed without an answer, or reset",
        reset=False,
    ),
    _spoil(
        "drop-mid-body",
        "the connection is closed, or reset, in the middle of the answer's body",
        reset=False,
    ),
    _spoil("trickle", "the answer comes at so many bytes per real second", bytes_per_second=1),
    _spoil("huge", "so many megabytes stand before the answer's own keys", megabytes=200),
    _spoil("nested", "so deep a list stands before the answer's own keys", depth=100_000),
    _spoil("garbage", "random bytes under the right status"),
    _spoil("empty", "no body"),
    _spoil("html", "an HTML page under the right status", status=None),
    _spoil("truncated-json", "the first half of the JSON, with a matching Content-Length"),
    _spoil("json-list", "a JSON list in place of the object"),
    _spoil("wrong-types", "every value of the answer's object has another type"),
    FaultKind(
        "delay",
        "the answer comes late; after=False waits before the request is carried out",
        Effect.DELAY,
        _ALL,
        {"seconds": 1.0, "after": True},
    ),
)

_STATES = (
    _rewrite(
        "unknown-status", "a status word nobody published", *_LOOKS, "submit", word="PREPARING"
    ),
    _rewrite("succeeded", "SUCCEEDED for COMPLETED, which nobody documents", *_LOOKS),
    _rewrite("backwards", "a job at work is shown as queued again", *_LOOKS),
    _rewrite("failed-under-200", "FAILED with status 200 (Segmind)", *_LOOKS),
    _rewrite("failed-under", "FAILED with a status of choice", *_LOOKS, status=500),
    _rewrite(
        "waiting-active",
        "waiting and active for queued and generating (AI/ML API)",
        *_LOOKS,
        "submit",
    ),
    _job(
        "job-fails", "the job ends FAILED, or error", message="The model could not make this clip."
    ),
    _job(
        "moderation",
        "the job ends FAILED with the words of a content filter, soon",
        message="Content policy violation: the input was flagged as sensitive.",
    ),
    _job("stuck", "the job never ends"),
    _job("seconds", "the job takes exactly so many virtual seconds", seconds=1.0),
    _job("odd-id", "an id with ':' and '/' in it (AI/ML API)"),
    _job("forgotten", "the job is accepted and answered with 404 from then on"),
)

_SHAPES = (
    _rewrite("no-link", "COMPLETED without a link", "result", "status"),
    _rewrite("null-link", "COMPLETED with null where the link belongs", "result", "status"),
    _rewrite("output-string", "the link as a plain string", "result", "status"),
    _rewrite("output-object", 'the link as {"url": ...}', "result", "status"),
    _rewrite("output-video-url", 'the link as {"video_url": ...}', "result", "status"),
    _rewrite("output-list", "the link in a list", "result", "status"),
    _rewrite("output-list-of-objects", 'the link as [{"url": ...}]', "result", "status"),
    _rewrite("output-text", "the link in a JSON text between blanks", "result", "status"),
    _rewrite("output-pictures", "a picture, then the link, in a list", "result", "status"),
    _rewrite("video-key", 'the link as a top-level {"video": {"url": ...}}', "result", "status"),
    _rewrite("videos-key", 'the link as a top-level {"videos": [...]}', "result", "status"),
    _rewrite(
        "foreign-urls",
        "status and response links on another host (Segmind)",
        "submit",
        *_LOOKS,
        base=None,
    ),
    _rewrite("foreign-media", "the clip's link points to the second host", "result", "status"),
    _rewrite("generation-id-only", "generation_id and no id (AI/ML API)", "submit"),
    _rewrite("id-only", "id and no generation_id (AI/ML API)", "submit"),
    _rewrite("no-id", "no id of any name", "submit"),
    _rewrite(
        "error-names-job",
        "an accepted submit is answered with an error of a status of choice that names the job",
        "submit",
        status=500,
    ),
    _rewrite("number-id", "the id as a JSON number (AI/ML API)", "submit"),
    _rewrite("ok", "200 for an accepted submit", "submit"),
    _rewrite("created", "201 for an accepted submit", "submit"),
    _rewrite("missing-keys", "keys with null are left out", *_LOOKS, "submit", "account"),
    _rewrite("null-keys", "optional keys are there with null (AI/ML API)", *_LOOKS, "submit"),
    _rewrite("error-object", "error as {name, message} (AI/ML API)", *_LOOKS),
    _rewrite(
        "error-detail-list", 'error as {"detail": [{loc, msg, type, input}]} (AI/ML API)', *_LOOKS
    ),
    _rewrite("error-string", "error as a plain string (AI/ML API)", *_LOOKS),
    _rewrite("status-code-int", "statusCode as a number (AI/ML API)", *_CALLS),
    _rewrite(
        "reported-cost",
        "another cost for a finished job, in the body or (AI/ML API) in a header",
        *_LOOKS,
        usd=0.0,
        header=False,
    ),
    _rewrite("upload-urls", 'the upload\'s reply as {"urls": [...]}', "upload"),
    _rewrite("upload-file-urls", 'the upload\'s reply as {"file_urls": [...]}', "upload"),
    _rewrite("log-nulls", "log rows with null ids and cost (AI/ML API)", "account"),
    _rewrite("history-missing", "a history or log without rows, as before they land", "account"),
    _rewrite("history-twin", "each row has a twin: an equal request with another id", "account"),
    _rewrite("history-repeats", "each row comes twice, as for several outputs", "account"),
    _rewrite("history-no-cost", "rows whose cost is not filled in yet", "account"),
    _rewrite("history-foreign", "rows whose links lead to the second host (Segmind)", "account"),
)

_FILES = (
    _media(
        "media-truncated",
        "Content-Length promises more than comes; the connection is closed, or reset",
        share=0.5,
        reset=False,
    ),
    _media(
        "media-wrong-type", "the clip under another Content-Type", type="application/octet-stream"
    ),
    _media("media-html", "an HTML page under 200"),
    _media("media-empty", "200 and no bytes"),
    _media("media-no-video-track", "an MP4 that holds sound only"),
    _media("media-garbage", "random bytes of the clip's length"),
    _media("media-expired", "403, as for an expired link"),
    _media("media-redirect", "redirect to the same file on the second host", status=302),
    _media("media-slow", "so many bytes per real second", bytes_per_second=200_000),
    FaultKind(
        "media-no-range", "Range is ignored: 200 and the whole file", Effect.MEDIA_RANGE, ("media",)
    ),
    _media("media-no-length", "no Content-Length (chunked)"),
    _media("media-huge", "Content-Length says so many bytes, and they come", size=4_000_000_000),
    _media("media-endless", "no Content-Length, and bytes without end"),
)

#: All faults by name.
FAULTS: dict[str, FaultKind] = {
    kind.name: kind for kind in (*_ANSWERS, *_SPOILT, *_STATES, *_SHAPES, *_FILES)
}
