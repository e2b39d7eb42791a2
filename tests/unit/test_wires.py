"""What both wires have in common, with bytes alone: ids in links, refusals, answers that tell nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hailuo_jupyter.errors import (
    AnswerLost,
    HailuoError,
    JobExpired,
    KeyRefused,
    Moderated,
    NoCredits,
    ProviderDown,
    RateLimited,
    Rejected,
)
from hailuo_jupyter.providers.base import Accepted, Call, Dialect, News, Reply
from tests.support import aimlapi_wire, segmind_wire
from tests.support.aimlapi_wire import PATHS, refused
from tests.support.replies import reply
from tests.support.segmind_wire import JOB

WIRES: dict[str, Dialect] = {"segmind": segmind_wire.WIRE, "aimlapi": aimlapi_wire.WIRE}
BOTH = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)

Case = tuple[Any, ...]


def by_wire(*, segmind: list[Case], aimlapi: list[Case]) -> list[Any]:
    """Put each wire before its own cases."""
    return [
        pytest.param(WIRES[name], *case, id=f"{name}-{number}")
        for name, cases in (("segmind", segmind), ("aimlapi", aimlapi))
        for number, case in enumerate(cases)
    ]


# ── what is sent ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("job_id", "quoted"),
    [
        (JOB, JOB),
        ("282052359471184", "282052359471184"),
        ("349865017168125:minimax/hailuo-2.3", "349865017168125%3Aminimax%2Fhailuo-2.3"),
        ("../../v1/keys", "..%2F..%2Fv1%2Fkeys"),
        ("a?b=c#d&e f+g", "a%3Fb%3Dc%23d%26e%20f%2Bg"),
        ("ключ %", "%D0%BA%D0%BB%D1%8E%D1%87%20%25"),
    ],
)
def test_an_id_is_quoted_whole(job_id: str, quoted: str) -> None:
    url = f"{segmind_wire.API}/v2/requests/{quoted}"
    segmind, aimlapi = WIRES.values()
    assert segmind.status(job_id, "v2") == Call("GET", f"{url}/status")
    assert segmind.result(job_id, "v2") == Call("GET", url)
    for version, path in PATHS.items():
        url = f"{aimlapi_wire.API}{path}?generation_id={quoted}"
        assert aimlapi.status(job_id, version) == Call("GET", url)


# ── answers to the submit ──────────────────────────────────────────────────────────────────────

#: Status, body and error.
SEGMIND_REFUSALS: list[Case] = [
    (400, {"error": "mode: must be standard or pro"}, Rejected),
    (422, {"error": "prompt: required"}, Rejected),
    (404, {"error": "Model not found"}, Rejected),
    (405, b"<html>Method Not Allowed</html>", Rejected),
    (413, b"", Rejected),
    (401, {"error": "Invalid API key"}, KeyRefused),
    (401, {"error": "x", "error_description": "y", "status_code": 401}, KeyRefused),
    (403, {"error": "Forbidden"}, KeyRefused),
    (406, {"error": "Insufficient credits"}, NoCredits),
    (406, {"error": "Your balance is 0.10, and 0.39 is needed"}, NoCredits),
    (402, {}, NoCredits),
    (402, {"error": "Payment required"}, NoCredits),
    (406, {"error": "Invalid content type"}, Rejected),
    (406, {"error": "mode must be one of standard, pro"}, Rejected),
    (406, {}, Rejected),
    (406, {"error": "the content checker flagged this"}, Moderated),
    (410, {"error": "This model has been retired"}, Rejected),
    (429, {"error": "Rate limit exceeded"}, RateLimited),
    (400, {"error": "Content policy violation"}, Moderated),
    (422, {"error": "The prompt was flagged as NSFW"}, Moderated),
    (422, {"status": "FAILED", "error": "input was moderated", "request_id": JOB}, Moderated),
]
#: Answer and error.
AIMLAPI_REFUSALS: list[Case] = [
    (refused(400, "Body validation error: duration must be 6 or 10"), Rejected),
    (refused(404, "Cannot POST /v2/x"), Rejected),
    (refused(422, "odd"), Rejected),
    (refused(400, "The prompt contains sensitive content"), Moderated),
    (refused(401, "Invalid API key"), KeyRefused),
    (refused(403, "You've run out of credits. Top up your balance"), NoCredits),
    (refused(403, "See https://aimlapi.com/app/billing"), NoCredits),
    (reply(403, b""), NoCredits),
    (refused(403, "A management key cannot do this", 403), KeyRefused),
    (refused(402, "pay"), NoCredits),
    (refused(429, "Too many requests"), RateLimited),
    (refused(429, "Free-tier limit", 429), RateLimited),
]


@pytest.mark.parametrize(
    ("wire", "answer", "kind"),
    by_wire(
        segmind=[(reply(status, body), kind) for status, body, kind in SEGMIND_REFUSALS],
        aimlapi=AIMLAPI_REFUSALS,
    ),
)
def test_a_refusal_proves_that_nothing_was_bought(
    wire: Dialect, answer: Reply, kind: type[HailuoError]
) -> None:
    with pytest.raises(kind) as caught:
        wire.accepted(answer)
    assert type(caught.value) is kind
    assert "No charge" in caught.value.money
    assert caught.value.todo


@BOTH
def test_503_with_retry_after_says_that_the_job_was_not_taken(wire: Dialect) -> None:
    with pytest.raises(ProviderDown):
        wire.accepted(reply(503, {"error": "busy"}, retry_after="3"))


@pytest.mark.parametrize(
    ("wire", "status", "body"),
    by_wire(
        segmind=[
            (500, {"error": "oops"}),
            (500, {"error": "oops", "request_id": JOB}),
            (502, b"<html>Bad Gateway</html>"),
            (503, b""),
            (504, b"<html>"),
            (408, b""),
            (200, b""),
            (200, b"<html>Welcome</html>"),
            (200, b'{"request_id": "0f8f'),
            (200, []),
            (200, [{"request_id": JOB}]),
            (200, {"request_id": None}),
            (200, {"request_id": ""}),
            (200, {"request_id": "  "}),
            (200, {"request_id": "x" * 2000}),
            (200, {"request_id": ".."}),
            (200, {"request_id": "a\nb"}),
            (200, {"request_id": 12345}),
            (200, {"status": "QUEUED"}),
            (307, b""),
            (100, b""),
            (999, b""),
        ],
        aimlapi=[
            (500, {"message": "partner failure"}),
            (502, b"<html>"),
            (503, {"message": "maintenance"}),
            (504, b""),
            (408, b""),
            (200, b""),
            (201, {"status": "queued"}),
            (200, {"id": True}),
            (200, {"id": ""}),
            (200, {"id": 1.5}),
            (200, {"id": "x" * 2000}),
            (200, [{"id": "1"}]),
        ],
    ),
)
def test_whatever_proves_nothing_is_a_lost_answer(wire: Dialect, status: int, body: Any) -> None:
    with pytest.raises(AnswerLost) as caught:
        wire.accepted(reply(status, body))
    assert "may have been charged" in caught.value.money
    assert "--new" in caught.value.todo


# ── news of a job ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wire", "word", "state"),
    by_wire(
        segmind=[
            ("QUEUED", "queued"),
            ("PROCESSING", "generating"),
            ("processing ", "generating"),
            ("COMPLETED", "completed"),
            ("FAILED", "failed"),
            ("SUCCEEDED", "completed"),
            ("success", "completed"),
            ("PREPARING", "unknown"),
            ("CANCELLED", "unknown"),
            ("ERROR", "unknown"),
            ("", "unknown"),
        ],
        aimlapi=[
            ("queued", "queued"),
            ("waiting", "queued"),
            ("generating", "generating"),
            ("active", "generating"),
            ("Completed", "completed"),
            ("error", "failed"),
            ("failed", "failed"),
            ("succeeded", "completed"),
            ("thinking", "unknown"),
            ("cancelled", "unknown"),
        ],
    ),
)
def test_status_words(wire: Dialect, word: str, state: str) -> None:
    assert wire.news(reply(200, {"id": "1", "status": word})).state == state


@BOTH
@pytest.mark.parametrize("name", ["output", "video"])
@pytest.mark.parametrize(
    "value",
    [None, "", "x", 5, [], {}, {"url": None}, {"url": 5}, "ftp://x", "clip.mp4", [[]], [None], "{",
     "[1]", "https://a b"],
    ids=str,
)  # fmt: skip
def test_completed_without_a_link(wire: Dialect, name: str, value: Any) -> None:
    news = wire.news(reply(200, {"status": "completed", name: value}))
    assert (news.state, news.link) == ("completed", None)


#: Status, body and error.
SEGMIND_TELLS_NOTHING: list[Case] = [
    (401, {"error": "Invalid API key"}, KeyRefused),
    (403, {"error": "Forbidden"}, KeyRefused),
    (404, {"error": "Request not found"}, JobExpired),
    (410, b"", JobExpired),
    (429, b"", RateLimited),
    (500, {"status": "PROCESSING"}, ProviderDown),
    (502, b"<html>", ProviderDown),
    (422, {}, ProviderDown),
    (200, b"", ProviderDown),
    (200, b"\xff\xfe", ProviderDown),
    (200, {"status": 5}, ProviderDown),
    (200, [], ProviderDown),
    (302, b"", ProviderDown),
]
#: Answer and error.
AIMLAPI_TELLS_NOTHING: list[Case] = [
    (refused(401, "Invalid API key"), KeyRefused),
    (refused(403, "out of credits"), KeyRefused),
    (refused(404, "Generation not found"), JobExpired),
    (refused(429, "slow down"), RateLimited),
    (refused(500, "oops"), ProviderDown),
    (reply(502, b"<html>"), ProviderDown),
    (reply(200, b""), ProviderDown),
    (reply(200, {"status": None}), ProviderDown),
    (reply(200, {"status": ["completed"]}), ProviderDown),
]


@pytest.mark.parametrize(
    ("wire", "answer", "kind"),
    by_wire(
        segmind=[(reply(status, body), kind) for status, body, kind in SEGMIND_TELLS_NOTHING],
        aimlapi=AIMLAPI_TELLS_NOTHING,
    ),
)
def test_what_tells_nothing_about_the_job_never_says_that_it_failed(
    wire: Dialect, answer: Reply, kind: type[HailuoError]
) -> None:
    with pytest.raises(kind) as caught:
        wire.news(answer)
    assert type(caught.value) is kind
    assert "paid" in caught.value.money
    assert caught.value.todo


# ── anything at all ────────────────────────────────────────────────────────────────────────────

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([10**4000, -(10**4200)]),
    st.sampled_from([segmind_wire.CLIP, aimlapi_wire.CLIP, JOB, "\ud800", "http://[", "\0"]),
    st.sampled_from(["COMPLETED", "FAILED", "QUEUED", "completed", "error", "queued"]),
)
names = st.sampled_from(
    ["request_id", "status", "error", "message", "detail", "output", "metrics", "inference_time",
     "url", "video_url", "file_urls", "urls", "id", "generation_id", "video", "meta", "usage",
     "credits_used", "msg", "name", "statusCode", "x"]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)
deep = [
    b"[" * 200_000,
    b'{"status":' * 50_000,
    b'{"id":' * 50_000,
    b'{"error":' * 900 + b'"x"' + b"}" * 900,
    b'{"id":' + b"9" * 5_000 + b"}",
    b"9" * 10_000,
]
contents = st.one_of(
    st.dictionaries(names, values, max_size=6).map(lambda value: json.dumps(value).encode()),
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
    st.sampled_from(deep),
)
statuses = st.one_of(
    st.sampled_from(
        [200, 201, 204, 301, 400, 401, 402, 403, 404, 406, 408, 410, 422, 429, 500, 503]
    ),
    st.integers(100, 999),
)
headers = st.sampled_from([{}, {"retry-after": "3"}, {"retry-after": "\ud800"}])


@given(st.builds(Reply, statuses, headers, contents))
@example(reply(200, {"request_id": "\ud800"}))
@example(reply(201, {"id": "\ud800"}))
@example(reply(201, {"id": 10**4200}))
def test_whatever_is_answered_gives_a_value_or_an_error_of_ours(answer: Reply) -> None:
    for wire, version in zip(WIRES.values(), ("v2", "legacy"), strict=True):
        for read, kind in ((wire.accepted, Accepted), (wire.news, News), (wire.uploaded, str)):
            try:
                found = read(answer)
            except HailuoError as error:
                assert error.what
                assert error.money
            else:
                assert isinstance(found, kind)
                if isinstance(found, Accepted):
                    url = wire.status(found.job_id, version).url
                    assert url.startswith((segmind_wire.API, aimlapi_wire.API))
