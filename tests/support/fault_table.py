"""The fault table: what becomes of a run when a fault meets one stage of its life.

Data alone. `test_engine_fault_table` lets every row happen; `fault_page` writes it down for users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.simulator.fault_list import FAULTS, Effect
from tests.support.fault_outcomes import (
    ANOTHER_WAY,
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

#: Stages that a provider's runs do not have: one look tells the link at all but Segmind, and AI/ML API's
#: frames travel in the request.
LACKS: Mapping[str, frozenset[Stage]] = {
    "segmind": frozenset(),
    "aimlapi": frozenset({"upload", "result"}),
    "fal": frozenset({"history"}),
    "replicate": frozenset({"result"}),
    "runware": frozenset({"upload", "result", "history"}),
    "minimax": frozenset({"upload", "history"}),
}

#: The providers whose answers have the job one level down, where the simulator changes no single values.
_NESTED = frozenset({"runware"})

#: Those at which a lost answer is resolved by asking, and by repeating the submit under its own id.
_RESENT = frozenset({"runware"})

#: The providers whose history shows a clip when its job is forgotten.
_SHOW_CLIPS = frozenset({"segmind", "runware"})


@dataclass(frozen=True)
class Met:
    """What happens if a fault meets a stage a few times, and if it does not end."""

    passing: Outcome | None
    lasting: Outcome | None = None


@dataclass(frozen=True)
class Injected:
    """A fault of the simulator; ``count`` is how often it strikes when it passes.

    ``stage`` is what the simulator calls that of a fault `Trouble.besides`, where that is not its usual one.
    """

    name: str
    count: int | None = 1
    details: Mapping[str, Any] = field(default_factory=dict)
    stage: str | None = None


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
    only: tuple[str, ...] = ("segmind", "aimlapi", "replicate", "runware")
    at: Mapping[str, Mapping[Stage, Met]] = field(default_factory=dict)
    max_clip_gb: float = 2.0

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers at which it can happen."""
        single = any(FAULTS[each.name].effect is Effect.REWRITE for each in self.faults)
        return tuple(each for each in self.only if not (single and each in _NESTED))

    def stages(self, provider: str) -> list[tuple[Stage, Met]]:
        """Return the stages of a provider's runs that this row is about."""
        if provider not in self.providers:
            return []
        own = dict(self.at.get(provider, {}))
        if provider not in _SHOW_CLIPS:
            own = {
                stage: replace(met, lasting=UNANSWERED)
                for stage, met in self.met.items()
                if met.lasting is ANOTHER_WAY
            } | own
        if provider in _RESENT:
            submit = self.met.get("submit")
            if submit is not None and submit.passing is UNCONFIRMED:
                own = {"submit": Met(DONE)} | own
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


def _page(status: int, **headers: str) -> tuple[Injected, ...]:
    body = "<html><head><title>Access denied</title></head></html>"
    kind = {"Content-Type": "text/html", **headers}
    return _f("answer", 2, status=status, body=body, headers=kind, accepted=status >= 500)


#: Nobody can tell from this what became of a request; everything but a submit is asked again.
_NO_ANSWER = _met(
    upload=(DONE, NOT_SENT),
    submit=UNCONFIRMED,
    poll=(DONE, ANOTHER_WAY),
    result=(DONE, ANOTHER_WAY),
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
#: The job's id can be read for all that, and the provider knows it.
_NAMED = _met(submit=DONE)
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

_TROUBLES: tuple[Trouble, ...] = (
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
    Trouble(
        NETWORK, "The connection ends within the answer", {**_CALLS_ONCE, **_NAMED},
        _f("drop-mid-body"),
    ),
    Trouble(
        NETWORK, "The connection is reset within the answer", {**_CALLS_ONCE, **_NAMED},
        _f("drop-mid-body", reset=True),
    ),
    Trouble(NETWORK, "No answer comes", _ONCE, _f("delay", seconds=60), slow=True),
    Trouble(
        NETWORK, "The answer comes at a byte a second", _CALLS_ONCE, _f("trickle"), slow=True,
        at={"aimlapi": _NAMED},
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
    *(
        Trouble(
            ANSWERS, str(code),
            {
                **_REFUSED,
                **_met(poll=(DONE, PAUSED), result=(DONE, PAUSED), download=(DONE, EXPIRED)),
            },
            _f(name, 2), arrives=False,
        )
        for code, name in ((401, "unauthorized"), (403, "forbidden"))
    ),
    Trouble(
        ANSWERS, "The account has no credits (402, or 403)", _REFUSED, _f("no-credits"),
        arrives=False, at={"aimlapi": _met(poll=(DONE, PAUSED))},
    ),
    *(
        Trouble(ANSWERS, title, _met(submit=REJECTED), _f(name), arrives=False, only=("segmind",))
        for title, name in (
            ("406 for a team's spend limit", "spend-limit"),
            ("406 for a wrong Content-Type", "content-type"),
            ("410: the model is retired", "retired"),
        )
    ),
    *(
        Trouble(
            ANSWERS, f"A firewall's HTML page under {code}",
            {**_CALLS, **_met(upload=REJECTED, submit=REJECTED)}, _page(code), arrives=False,
        )
        for code in (401, 403, 407, 451)
    ),
    Trouble(
        ANSWERS, "A firewall's HTML page under 404, which says nothing of the job",
        _met(poll=(DONE, ANOTHER_WAY), result=(DONE, ANOTHER_WAY)), _page(404),
    ),
    Trouble(
        ANSWERS, "A gateway's HTML page under 503 with Retry-After", _CALLS,
        _page(503, **{"Retry-After": "20"}),
    ),
    Trouble(
        ANSWERS, "404",
        {
            **_REFUSED,
            **_met(poll=(DONE, ANOTHER_WAY), result=(DONE, ANOTHER_WAY), download=(DONE, EXPIRED)),
        },
        _f("expired"), arrives=False, at={"aimlapi": _met(poll=(DONE, EXPIRED))},
    ),
    Trouble(ANSWERS, "Garbage", _CALLS, _f("garbage"), at={"aimlapi": _NAMED}),
    Trouble(ANSWERS, "Nothing at all", _CALLS, _f("empty"), at={"aimlapi": _NAMED}),
    Trouble(ANSWERS, "Half of the JSON", {**_CALLS_ONCE, **_NAMED}, _f("truncated-json")),
    Trouble(ANSWERS, "200 MB", _CALLS_ONCE, _f("huge")),
    Trouble(ANSWERS, "JSON nested 100 000 deep", {**_CALLS_ONCE, **_NAMED}, _f("nested")),
    Trouble(
        ANSWERS, "JSON nested 500 deep, beside what is looked for",
        {**_CALLS_ONCE, **_met(submit=DONE)}, _f("nested", depth=500),
    ),
    Trouble(ANSWERS, "A JSON list", {**_CALLS_ONCE, **_NAMED}, _f("json-list")),
    Trouble(ANSWERS, "Every value of the wrong type", _CALLS, _f("wrong-types"),
            at={"aimlapi": _met(submit=EXPIRED)}),
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
        _met(poll=(FAILED, FAILED), result=FAILED), _f("failed-under", 2),
        besides=_f("job-fails"),
    ),
    Trouble(JOBS, "The job never ends", _met(submit=UNANSWERED), _f("stuck")),
    Trouble(JOBS, "The job takes a second", _met(submit=DONE), _f("seconds")),
    Trouble(
        JOBS, "The provider forgets the job", _met(submit=ANOTHER_WAY), _f("forgotten"),
        at={"aimlapi": _met(submit=EXPIRED), "replicate": _met(submit=EXPIRED),
            "runware": _met(submit=UNANSWERED)},
    ),
    Trouble(
        JOBS, "The provider forgets the job, and its history has none", _met(submit=EXPIRED),
        _f("forgotten"), besides=(Injected("answer", None, {"status": 404}, stage="account"),),
        only=("segmind",),
    ),
    Trouble(
        JOBS, "The provider forgets the job, and its history cannot be asked",
        _met(submit=UNANSWERED), _f("forgotten"),
        besides=(Injected("http-500", None, stage="account"),), only=("segmind",),
    ),
    Trouble(JOBS, "A state nobody published", _LOOKS_AND_SUBMIT, _f("unknown-status", 2)),
    Trouble(
        JOBS, "CANCELLED, an undocumented state", _met(poll=(DONE, ANOTHER_WAY), result=DONE),
        _f("answer", 3, status=200, body={"status": "CANCELLED"}),
    ),
    Trouble(
        JOBS, "SUCCEEDED for completed", _LOOKS, _f("succeeded", None), only=("segmind", "aimlapi")
    ),
    Trouble(
        JOBS, "A gateway's `{\"status\": \"error\"}` under 502, which names no job",
        _met(poll=(DONE, ANOTHER_WAY), result=(DONE, ANOTHER_WAY)),
        _f("answer", 2, status=502, body={"status": "error"}), at={"aimlapi": _met(poll=(DONE, UNANSWERED))},
    ),
    Trouble(
        JOBS, "A failure under 502, said once", _met(poll=DONE, result=DONE),
        _f("answer", 1, status=502, body={"status": "FAILED", "error": "a node was lost"}),
    ),
    Trouble(JOBS, "The state goes backwards", _LOOKS, _f("backwards", 2)),
    Trouble(
        JOBS, "An id with `:` and `/`", _met(submit=DONE), _f("odd-id"),
        only=("segmind", "aimlapi", "replicate"),
    ),
    Trouble(
        JOBS, "Completed without a link", _met(poll=DONE, result=(DONE, ANOTHER_WAY)),
        _f("no-link", 3), at={"aimlapi": _met(poll=(DONE, UNANSWERED))},
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
            ("output-text", "in a JSON text between blanks"),
            ("output-pictures", "behind a picture in a list"),
            ("video-key", "as `video`, beside where it belongs"),
            ("videos-key", "in `videos`, beside where it belongs"),
            ("foreign-media", "on another host"),
        )
    ),
    Trouble(
        SHAPES, "Status links on another host", _LOOKS_AND_SUBMIT, _f("foreign-urls"),
        only=("segmind",),
    ),
    *(
        Trouble(SHAPES, f"Only `{name}` for an id", _met(submit=UNCONFIRMED), _f(fault),
                at=dict.fromkeys(known, _met(submit=DONE)))
        for name, fault, known in (
            ("generation_id", "generation-id-only", ("aimlapi",)),
            ("id", "id-only", ("aimlapi", "replicate")),
        )
    ),
    Trouble(
        SHAPES, "No id", _met(submit=UNCONFIRMED), _f("no-id"), at={"aimlapi": _NAMED}
    ),
    *(
        Trouble(
            SHAPES, f"{code} that names the job", _NAMED, _f("error-names-job", status=code)
        )
        for code in (400, 429, 500, 503)
    ),
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
        at={"aimlapi": _met(poll=REJECTED, history=REJECTED)},
    ),
    Trouble(
        SHAPES, "A cost that cannot be", _LOOKS, _f("reported-cost", None, usd=-1.0),
        only=("segmind", "aimlapi"),
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

#: Rows that the other wires have too: those that their adapters decide. The rest is the engine's doing.
_EVERYWHERE = frozenset(
    {
        "The connection ends without an answer", "The page of a captive portal under 200",
        "429 without Retry-After", "A burst of 500", "A burst of 503", "503 with Retry-After", "400",
        "422", "401", "403", "The account has no credits (402, or 403)",
        "A firewall's HTML page under 403", "404", "Garbage", "Nothing at all", "Half of the JSON",
        "A JSON list", "Every value of the wrong type", "A text under 200", "The job fails",
        "The content is refused at work", "The job takes a second", "A state nobody published",
        "The state goes backwards", "Completed without a link", "No id",
    }
)  # fmt: skip
_OTHERS = ("fal", "minimax")

#: The rows.
TROUBLES = tuple(
    replace(row, only=(*row.only, *_OTHERS)) if row.name in _EVERYWHERE else row
    for row in _TROUBLES
)


def unmet() -> list[str]:
    """List what the table lacks: faults of the simulator, and stages that a row leaves open."""
    there = {each.name for row in TROUBLES for each in row.faults}
    lacking = [f"{name}: no row" for name in FAULTS if name not in there]
    for name, kind in FAULTS.items():
        wanted = {stage for stage, theirs in STAGES.items() if theirs in kind.stages}
        rows = [row for row in TROUBLES if any(each.name == name for each in row.faults)]
        have = {stage for row in rows for stage in row.met}
        wires = {wire for row in rows for wire in row.providers}
        wanted -= frozenset.intersection(*(LACKS[wire] for wire in wires)) if wires else set()
        lacking += [f"{name}: {stage}" for stage in sorted(wanted - have)] if rows else []
    for row in TROUBLES:
        if row.road and not row.time:
            everywhere = set(STAGES) - ({"history"} if row.minutes else set())
            lacking += [f"{row.name}: {stage}" for stage in sorted(everywhere - set(row.met))]
    return lacking
