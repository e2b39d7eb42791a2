"""The fault table: what becomes of a run when a fault meets one stage of its life.

Data alone. `test_engine_fault_table` lets every row happen; `fault_page` writes it down for users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hailuo_jupyter.simulator.fault_list import FAULTS

from .fault_outcomes import (
    DONE,
    EXPIRED,
    FAILED,
    NOT_SENT,
    PAUSED,
    REJECTED,
    TOO_LARGE,
    UNANSWERED,
    UNCONFIRMED,
    Outcome,
)

Stage = Literal["upload", "submit", "poll", "result", "download", "history"]

#: The stages of a run's life, and what the simulator calls them.
STAGES: Mapping[Stage, str] = {
    "upload": "upload",
    "submit": "submit",
    "poll": "status",
    "result": "result",
    "download": "media",
    "history": "account",
}

#: Stages that a provider's runs do not have: one look tells AI/ML API's link, and its frames travel
#: in the request.
LACKS: Mapping[str, frozenset[Stage]] = {
    "segmind": frozenset(),
    "aimlapi": frozenset({"upload", "result"}),
}


@dataclass(frozen=True)
class Met:
    """What happens if a fault meets a stage a few times, and if it does not end."""

    passing: Outcome | None
    lasting: Outcome | None = None


@dataclass(frozen=True)
class Injected:
    """A fault of the simulator; ``count`` is how often it strikes when it passes."""

    name: str
    count: int | None = 1
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trouble:
    """One row.

    ``faults`` are the simulator's, at the stage in question; ``besides`` further ones at their own
    usual stage; ``road`` is a way on which the provider cannot be reached; ``time`` what the clocks
    do at the stage's first wait. ``arrives``: whether a submit under this fault is carried out.
    ``slow`` rows need real waiting, so they run with little patience. ``key`` is a word that the
    simulator knows a bad key by.
    """

    group: str
    name: str
    met: Mapping[Stage, Met]
    faults: tuple[Injected, ...] = ()
    besides: tuple[Injected, ...] = ()
    road: str = ""
    time: str = ""
    arrives: bool = True
    slow: bool = False
    minutes: float | None = None
    key: str = ""
    only: tuple[str, ...] = ("segmind", "aimlapi")
    at_aimlapi: Mapping[Stage, Met] = field(default_factory=dict)
    max_clip_gb: float = 2.0

    def stages(self, provider: str) -> list[tuple[Stage, Met]]:
        """Give the stages of a provider's runs that this row is about."""
        if provider not in self.only:
            return []
        own = self.at_aimlapi if provider == "aimlapi" else {}
        return [
            (stage, own.get(stage, met))
            for stage, met in self.met.items()
            if stage not in LACKS[provider]
        ]


def _met(**stages: Met | Outcome | tuple[Outcome, Outcome]) -> dict[Stage, Met]:
    return {
        stage: each
        if isinstance(each, Met)
        else Met(*each)
        if isinstance(each, tuple)
        else Met(each)
        for stage, each in stages.items()
    }  # type: ignore[return-value]


def _f(name: str, count: int | None = 1, **details: Any) -> tuple[Injected, ...]:
    return (Injected(name, count, details),)


#: Nobody can tell from this what became of a request; everything but a submit is asked again.
_NO_ANSWER = _met(
    upload=(DONE, NOT_SENT),
    submit=UNCONFIRMED,
    poll=(DONE, UNANSWERED),
    result=(DONE, UNANSWERED),
    download=(DONE, UNANSWERED),
    history=(DONE, UNCONFIRMED),
)
_CALLS = {stage: met for stage, met in _NO_ANSWER.items() if stage != "download"}
_ONCE = {stage: Met(met.passing) for stage, met in _NO_ANSWER.items()}
_CALLS_ONCE = {stage: Met(met.passing) for stage, met in _CALLS.items()}
#: This proves that nothing arrived.
_UNSENT = {**_NO_ANSWER, **_met(submit=(DONE, NOT_SENT))}
_REFUSED = {
    **_ONCE,
    **_met(upload=REJECTED, submit=REJECTED),
}
_NOT_FOR_LONG = _met(upload=NOT_SENT, submit=UNCONFIRMED, poll=DONE, result=DONE, download=DONE)
_LOOKS = _met(poll=DONE, result=DONE)
_LOOKS_AND_SUBMIT = _met(poll=DONE, result=DONE, submit=DONE)

NETWORK, ANSWERS, JOBS, SHAPES, CLIPS, TIME = (
    "The network",
    "The provider's answers",
    "The job",
    "Unusual answers that are understood",
    "The clip's file",
    "Clocks",
)

TROUBLES: tuple[Trouble, ...] = (
    # ── the network ────────────────────────────────────────────────────────────────────────────
    Trouble(NETWORK, "The connection is refused", _UNSENT, road="refused"),
    Trouble(NETWORK, "The name is not found (DNS)", _UNSENT, road="dns"),
    Trouble(NETWORK, "TLS fails", _UNSENT, road="tls"),
    Trouble(NETWORK, "The proxy of `HTTPS_PROXY` is down", _UNSENT, road="proxy"),
    Trouble(
        NETWORK, "No connection for 20 minutes", {**_NOT_FOR_LONG, **_met(submit=NOT_SENT)},
        road="refused", minutes=20, only=("segmind",),
    ),
    Trouble(
        NETWORK, "The connection ends before the request is read", _ONCE,
        _f("drop-before-reading"), arrives=False,
    ),
    Trouble(
        NETWORK, "The connection is reset before the request is read", _ONCE,
        _f("drop-before-reading", reset=True), arrives=False,
    ),
    Trouble(NETWORK, "The connection ends without an answer", _CALLS, _f("lost-answer")),
    Trouble(
        NETWORK, "The connection is reset in place of an answer", _CALLS_ONCE,
        _f("lost-answer", reset=True),
    ),
    Trouble(NETWORK, "The connection ends within the answer", _CALLS_ONCE, _f("drop-mid-body")),
    Trouble(
        NETWORK, "The connection is reset within the answer", _CALLS_ONCE,
        _f("drop-mid-body", reset=True),
    ),
    Trouble(NETWORK, "No answer comes", _ONCE, _f("delay", seconds=60), slow=True),
    Trouble(
        NETWORK, "The answer comes at a byte a second", _CALLS_ONCE, _f("trickle"), slow=True
    ),
    Trouble(
        NETWORK, "The page of a captive portal under 200", _CALLS, _f("html", status=200)
    ),
    Trouble(
        NETWORK, "A redirect to another host",
        {**_NO_ANSWER, **_met(download=DONE)}, _f("redirect", accepted=True),
    ),
    # ── the provider's answers ─────────────────────────────────────────────────────────────────
    Trouble(
        ANSWERS, "429 without Retry-After", _UNSENT, _f("rate-limited", 2), arrives=False
    ),
    Trouble(
        ANSWERS, "429 with Retry-After in seconds", _UNSENT,
        _f("rate-limited-seconds", 2, seconds=20), arrives=False,
    ),
    Trouble(
        ANSWERS, "429 with Retry-After as a date", {**_ONCE, **_met(submit=DONE)},
        _f("rate-limited-date", seconds=20), arrives=False,
    ),
    Trouble(
        ANSWERS, "429 with an absurd Retry-After", {**_ONCE, **_met(submit=NOT_SENT)},
        _f("rate-limited-absurd"), arrives=False,
    ),
    *(
        Trouble(ANSWERS, f"A burst of {code}", _NO_ANSWER, _f(f"http-{code}", 2, accepted=True))
        for code in (500, 502, 503, 504)
    ),
    *(
        Trouble(
            ANSWERS, f"{code} for 20 minutes", _NOT_FOR_LONG, _f(f"http-{code}", None),
            arrives=False, minutes=20, only=("segmind",),
        )
        for code in (500, 502, 503, 504)
    ),
    Trouble(
        ANSWERS, "503 with Retry-After", _UNSENT, _f("http-503", 2, retry_after=20), arrives=False
    ),
    Trouble(
        ANSWERS, "400", _REFUSED, _f("bad-request"), arrives=False
    ),
    Trouble(ANSWERS, "422", _REFUSED, _f("invalid"), arrives=False),
    Trouble(
        ANSWERS, "401",
        {
            **_REFUSED,
            **_met(poll=PAUSED, result=PAUSED, download=(DONE, EXPIRED)),
        },
        _f("unauthorized"), arrives=False,
    ),
    Trouble(
        ANSWERS, "403",
        {
            **_REFUSED,
            **_met(poll=PAUSED, result=PAUSED, download=(DONE, EXPIRED)),
        },
        _f("forbidden"), arrives=False,
    ),
    Trouble(
        ANSWERS, "The account has no credits (406, or 403)", _REFUSED, _f("no-credits"),
        arrives=False, at_aimlapi=_met(poll=PAUSED),
    ),
    Trouble(
        ANSWERS, "404",
        {
            **_REFUSED,
            **_met(poll=(DONE, EXPIRED), result=(DONE, EXPIRED), download=(DONE, EXPIRED)),
        },
        _f("expired"), arrives=False,
    ),
    Trouble(ANSWERS, "Garbage", _CALLS, _f("garbage")),
    Trouble(ANSWERS, "Nothing at all", _CALLS, _f("empty")),
    Trouble(ANSWERS, "Half of the JSON", _CALLS_ONCE, _f("truncated-json")),
    Trouble(ANSWERS, "200 MB", _CALLS_ONCE, _f("huge")),
    Trouble(ANSWERS, "JSON nested 100 000 deep", _CALLS_ONCE, _f("nested")),
    Trouble(
        ANSWERS, "JSON nested 500 deep, beside what is looked for",
        {**_CALLS_ONCE, **_met(submit=DONE)}, _f("nested", depth=500),
    ),
    Trouble(ANSWERS, "A JSON list", _CALLS_ONCE, _f("json-list")),
    Trouble(ANSWERS, "Every value of the wrong type", _CALLS, _f("wrong-types"),
            at_aimlapi=_met(submit=EXPIRED)),
    Trouble(
        ANSWERS, "A text under 200", _ONCE,
        _f("answer", status=200, body="come back later", accepted=True),
    ),
    # ── the job ────────────────────────────────────────────────────────────────────────────────
    Trouble(JOBS, "The job fails", _met(submit=FAILED), _f("job-fails")),
    Trouble(JOBS, "The content is refused at work", _met(submit=FAILED), _f("moderation")),
    Trouble(
        JOBS, "The failure comes under 200", _met(poll=FAILED, result=FAILED),
        _f("failed-under-200", None), besides=_f("job-fails"), only=("segmind",),
    ),
    Trouble(
        JOBS, "The failure comes under 500 for a while",
        _met(poll=(FAILED, UNANSWERED), result=FAILED), _f("failed-under", 2),
        besides=_f("job-fails"),
    ),
    Trouble(JOBS, "The job never ends", _met(submit=UNANSWERED), _f("stuck")),
    Trouble(JOBS, "The job takes a second", _met(submit=DONE), _f("seconds")),
    Trouble(JOBS, "The provider forgets the job", _met(submit=EXPIRED), _f("forgotten")),
    Trouble(JOBS, "A state nobody published", _LOOKS_AND_SUBMIT, _f("unknown-status", 2)),
    Trouble(JOBS, "The state goes backwards", _LOOKS, _f("backwards", 2)),
    Trouble(JOBS, "An id with `:` and `/`", _met(submit=DONE), _f("odd-id")),
    Trouble(
        JOBS, "Completed without a link", _met(poll=DONE, result=(DONE, UNANSWERED)),
        _f("no-link", 3), at_aimlapi=_met(poll=(DONE, UNANSWERED)),
    ),
    Trouble(JOBS, "Completed with null for a link", _LOOKS, _f("null-link", 3)),
    # ── unusual answers ────────────────────────────────────────────────────────────────────────
    Trouble(
        SHAPES, "Other words for queued and generating", _LOOKS_AND_SUBMIT,
        _f("waiting-active", None), only=("aimlapi",),
    ),
    *(
        Trouble(SHAPES, f"The link {how}", _LOOKS, _f(name, None))
        for name, how in (
            ("output-string", "as a string"),
            ("output-object", 'as `{"url"}`'),
            ("output-video-url", 'as `{"video_url"}`'),
            ("output-list", "in a list"),
            ("output-list-of-objects", "in a list of objects"),
            ("foreign-media", "on another host"),
        )
    ),
    Trouble(
        SHAPES, "Status links on another host", _LOOKS_AND_SUBMIT, _f("foreign-urls"),
        only=("segmind",),
    ),
    *(
        Trouble(SHAPES, f"Only `{name}` for an id", _met(submit=UNCONFIRMED), _f(fault),
                at_aimlapi=_met(submit=DONE))
        for name, fault in (("generation_id", "generation-id-only"), ("id", "id-only"))
    ),
    Trouble(SHAPES, "No id", _met(submit=UNCONFIRMED), _f("no-id")),
    Trouble(SHAPES, "The id as a number", _met(submit=DONE), _f("number-id"), only=("aimlapi",)),
    Trouble(SHAPES, "200 for a submit", _met(submit=DONE), _f("ok")),
    Trouble(SHAPES, "201 for a submit", _met(submit=DONE), _f("created")),
    Trouble(
        SHAPES, "Keys left out", _met(poll=DONE, result=DONE, submit=DONE, history=DONE),
        _f("missing-keys", None),
    ),
    Trouble(
        SHAPES, "Further keys with null", _LOOKS_AND_SUBMIT, _f("null-keys", None),
        only=("aimlapi",),
    ),
    *(
        Trouble(
            SHAPES, f"The failure's reason {how}", _met(poll=FAILED, result=FAILED), _f(name, None),
            besides=_f("job-fails"), only=("aimlapi",),
        )
        for name, how in (
            ("error-object", "as an object"),
            ("error-detail-list", "as a list of details"),
            ("error-string", "as a string"),
        )
    ),
    Trouble(
        SHAPES, "`statusCode` as a number",
        _met(submit=REJECTED, upload=DONE, poll=DONE, result=DONE, history=DONE),
        _f("status-code-int"), key="broke", only=("aimlapi",),
        at_aimlapi=_met(poll=REJECTED, history=REJECTED),
    ),
    Trouble(SHAPES, "`urls` for an upload", _met(upload=DONE), _f("upload-urls")),
    Trouble(SHAPES, "`file_urls` for an upload", _met(upload=DONE), _f("upload-file-urls")),
    Trouble(
        SHAPES, "A history without rows", _met(history=(DONE, UNCONFIRMED)), _f("history-missing")
    ),
    Trouble(
        SHAPES, "An equal request beside each one in the history", _met(history=UNCONFIRMED),
        _f("history-twin", None),
    ),
    Trouble(
        SHAPES, "Rows of the history that come twice", _met(history=DONE),
        _f("history-repeats", None), only=("segmind",),
    ),
    Trouble(
        SHAPES, "Rows of the history without a cost", _met(history=DONE), _f("history-no-cost", None)
    ),
    Trouble(
        SHAPES, "Rows of the history with links to another host", _met(history=DONE),
        _f("history-foreign", None), only=("segmind",),
    ),
    Trouble(
        SHAPES, "Rows of the log without ids and cost", _met(history=(DONE, UNCONFIRMED)),
        _f("log-nulls"), only=("aimlapi",),
    ),
    # ── the clip's file ────────────────────────────────────────────────────────────────────────
    Trouble(CLIPS, "Cut short", _met(download=(DONE, UNANSWERED)), _f("media-truncated", 2)),
    Trouble(
        CLIPS, "Reset within the file", _met(download=DONE), _f("media-truncated", 2, reset=True)
    ),
    Trouble(CLIPS, "Of another Content-Type", _met(download=DONE), _f("media-wrong-type", None)),
    Trouble(
        CLIPS, "A web page in its place (captive portal)", _met(download=(DONE, UNANSWERED)),
        _f("media-html", 2),
    ),
    Trouble(CLIPS, "Empty", _met(download=DONE), _f("media-empty", 2)),
    Trouble(
        CLIPS, "An MP4 without video", _met(download=(DONE, UNANSWERED)), _f("media-no-video-track", 2)
    ),
    Trouble(CLIPS, "Random bytes", _met(download=DONE), _f("media-garbage", 2)),
    Trouble(CLIPS, "The link has expired", _met(download=(DONE, EXPIRED)), _f("media-expired", 2)),
    Trouble(CLIPS, "Redirected to another host", _met(download=DONE), _f("media-redirect")),
    Trouble(
        CLIPS, "At a byte a second", _met(download=DONE), _f("media-slow", bytes_per_second=1),
        slow=True,
    ),
    Trouble(CLIPS, "Without ranges", _met(download=DONE), _f("media-no-range", None)),
    Trouble(CLIPS, "Without a length", _met(download=DONE), _f("media-no-length", None)),
    Trouble(CLIPS, "A length of 4 GB", _met(download=TOO_LARGE), _f("media-huge", None)),
    Trouble(
        CLIPS, "Bytes without end", _met(download=TOO_LARGE), _f("media-endless", None),
        max_clip_gb=0.005,
    ),
    # ── clocks ─────────────────────────────────────────────────────────────────────────────────
    Trouble(
        TIME, "The laptop sleeps for 30 minutes",
        {**_ONCE, **_met(submit=DONE)},
        _f("rate-limited-seconds", seconds=20), time="asleep", arrives=False,
    ),
    Trouble(
        TIME, "The laptop sleeps for longer than the clip is kept, and its network comes back late",
        _met(poll=DONE, result=DONE, download=DONE), road="refused", time="asleep long",
    ),
    Trouble(
        TIME, "The system's clock is set back by an hour", {**_ONCE, **_met(submit=DONE)},
        _f("rate-limited-seconds", seconds=20), time="set back", arrives=False,
    ),
)  # fmt: skip


def unmet() -> list[str]:
    """List what the table lacks: faults of the simulator, and stages that a row leaves open."""
    there = {each.name for row in TROUBLES for each in row.faults}
    lacking = [f"{name}: no row" for name in FAULTS if name not in there]
    for name, kind in FAULTS.items():
        wanted = {stage for stage, theirs in STAGES.items() if theirs in kind.stages}
        rows = [row for row in TROUBLES if any(each.name == name for each in row.faults)]
        have = {stage for row in rows for stage in row.met}
        wires = {wire for row in rows for wire in row.only}
        if wires == {"aimlapi"}:
            wanted -= LACKS["aimlapi"]
        lacking += [f"{name}: {stage}" for stage in sorted(wanted - have)] if rows else []
    for row in TROUBLES:
        if row.road and not row.time:
            everywhere = set(STAGES) - ({"history"} if row.minutes else set())
            lacking += [f"{row.name}: {stage}" for stage in sorted(everywhere - set(row.met))]
    return lacking
