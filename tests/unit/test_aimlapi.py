"""AI/ML API's wire, with bytes alone: what both paths send, and how every answer is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.errors import (
    AnswerLost,
    HailuoError,
    JobExpired,
    JobFailed,
    KeyRefused,
    Moderated,
    NoCredits,
    ProviderDown,
    RateLimited,
    Rejected,
)
from hailuo_jupyter.providers.aimlapi import AimlApi
from hailuo_jupyter.providers.base import Accepted, Call, News, Reply

AIMLAPI = catalogue.provider("aimlapi")
API = "https://api.aimlapi.com"
WIRE = AimlApi(AIMLAPI, {"api": API})
PATHS = {"legacy": "/v2/generate/video/minimax/generation", "unified": "/v2/video/generations"}
RUN = "20261120-140312-7f3kq9"
FIRST, LAST = "data:image/png;base64,AAAA", "https://pictures.example/last.png"
CLIP = "https://cdn.aimlapi.com/clip.mp4?Expires=1750446300&OSSAccessKeyId=abc&Signature=def%3D"


def reply(status: int = 200, body: Any = None, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


def refused(status: int, message: str, code: Any = None) -> Reply:
    return reply(
        status,
        {
            "message": message,
            "path": PATHS["legacy"],
            "requestId": "6f1c",
            "statusCode": str(status) if code is None else code,
            "timestamp": "2026-11-20T12:00:00.000Z",
        },
    )


# ── what is sent ───────────────────────────────────────────────────────────────────────────────

NAMES = {
    "legacy": ("first_frame_image", "last_image_url", "prompt_optimizer"),
    "unified": ("image_url", "last_image_url", "enhance_prompt"),
}


@pytest.mark.parametrize("wire", ["legacy", "unified"])
@pytest.mark.parametrize(("resolution", "duration"), [("768P", 6), ("768P", 10), ("1080P", 6)])
@pytest.mark.parametrize("optimizer", [True, False])
@pytest.mark.parametrize(
    "frames",
    [{}, {"first": FIRST}, {"last": LAST}, {"first": FIRST, "last": LAST}],
    ids=["text", "first", "last", "both"],
)
def test_the_submit_of_every_option(
    wire: str, resolution: str, duration: int, optimizer: bool, frames: dict[str, str]
) -> None:
    asked = request.build(
        "a cat",
        AIMLAPI,
        options={"resolution": resolution, "duration": duration},
        prompt_optimizer=optimizer,
        wire=wire,
    )
    first, last, optimize = NAMES[wire]
    body: dict[str, Any] = {
        "model": "minimax/hailuo-02",
        "prompt": "a cat",
        "resolution": resolution,
        "duration": duration,
        optimize: optimizer,
    }
    if "first" in frames:
        body[first] = FIRST
    if "last" in frames:
        body[last] = LAST
    call = WIRE.submit(asked, frames, RUN)
    assert call == Call("POST", API + PATHS[wire], body, {"X-Client-Request-Id": RUN})
    assert call.body is not None
    assert type(call.body["duration"]) is int


def test_a_missing_frame_is_left_out() -> None:
    """No default is published here, so nothing has to be said against it."""
    asked = request.build("a cat", AIMLAPI, options={})
    body = WIRE.submit(asked, {}, RUN).body
    assert body is not None
    assert set(body) == {"model", "prompt", "resolution", "duration", "prompt_optimizer"}


def test_the_client_request_id_is_one_that_the_provider_keeps() -> None:
    """Others are dropped in silence: 1 to 128 letters, digits and ``._:-``."""
    from hailuo_jupyter.record import prepare

    record = prepare(request.build("a cat", AIMLAPI, options={}), AIMLAPI)
    sent = record.job.client_request_id
    assert sent
    assert len(sent) <= 128
    assert all(each.isalnum() or each in "._:-" for each in sent)


def test_the_key_travels_as_a_bearer_token_alone() -> None:
    assert WIRE.key_headers("k") == {"Authorization": "Bearer k"}


@pytest.mark.parametrize("wire", ["legacy", "unified"])
@pytest.mark.parametrize(
    ("job_id", "quoted"),
    [
        ("282052359471184", "282052359471184"),
        ("349865017168125:minimax/hailuo-2.3", "349865017168125%3Aminimax%2Fhailuo-2.3"),
        ("a&b=c#d e+f", "a%26b%3Dc%23d%20e%2Bf"),
    ],
)
def test_an_id_is_quoted_whole(wire: str, job_id: str, quoted: str) -> None:
    url = f"{API}{PATHS[wire]}?generation_id={quoted}"
    assert WIRE.status(job_id, wire) == Call("GET", url)


def test_the_status_tells_the_link_and_frames_travel_in_the_body() -> None:
    assert WIRE.result("1", "legacy") is None
    assert WIRE.upload(None) is None  # type: ignore[arg-type]


# ── answers to the submit ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    ("body", "job_id"),
    [
        ({"generation_id": "282052359471184", "status": "queued"}, "282052359471184"),
        ({"id": "349865017168125:minimax/hailuo-02", "status": "queued"},
         "349865017168125:minimax/hailuo-02"),
        ({"generation_id": "1", "id": "2"}, "1"),
        ({"generation_id": 282052359471184}, "282052359471184"),
        ({"generation_id": None, "id": "7", "video": None, "error": None, "meta": None}, "7"),
        ({"id": "7", "meta": {"usage": {"credits_used": 588000}}}, "7"),
    ],
)  # fmt: skip
def test_an_accepted_job_by_every_name_of_its_id(status: int, body: Any, job_id: str) -> None:
    assert WIRE.accepted(reply(status, body)).job_id == job_id


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
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
    ],
)
def test_a_refusal_proves_that_nothing_was_bought(answer: Reply, kind: type[HailuoError]) -> None:
    with pytest.raises(kind) as caught:
        WIRE.accepted(answer)
    assert type(caught.value) is kind
    assert "Nothing was bought" in caught.value.money
    assert caught.value.todo


def test_503_with_retry_after_says_that_the_job_was_not_taken() -> None:
    with pytest.raises(ProviderDown):
        WIRE.accepted(reply(503, {"message": "busy"}, retry_after="3"))


@pytest.mark.parametrize(
    ("status", "body"),
    [
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
        (200, [{"id": "1"}]),
    ],
)
def test_whatever_proves_nothing_is_a_lost_answer(status: int, body: Any) -> None:
    with pytest.raises(AnswerLost) as caught:
        WIRE.accepted(reply(status, body))
    assert "may have been bought" in caught.value.money


# ── news of a job ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", "queued"),
        ("waiting", "queued"),
        ("generating", "generating"),
        ("active", "generating"),
        ("Completed", "completed"),
        ("error", "failed"),
        ("failed", "failed"),
        ("thinking", "unknown"),
    ],
)
def test_status_words(word: str, state: str) -> None:
    assert WIRE.news(reply(200, {"id": "1", "status": word})).state == state


def test_a_completed_job_of_the_model_page_with_few_keys() -> None:
    news = WIRE.news(reply(200, {"id": "1", "status": "completed", "video": {"url": CLIP}}))
    assert (news.state, news.link, news.cost_usd, news.problem) == ("completed", CLIP, None, None)


def test_a_completed_job_with_every_key_tells_its_cost() -> None:
    body = {
        "id": "1",
        "status": "completed",
        "video": {"url": CLIP, "duration": 5.9},
        "error": None,
        "meta": {"usage": {"credits_used": 588000}},
    }
    news = WIRE.news(reply(200, body))
    assert news.link == CLIP
    assert news.cost_usd == pytest.approx(0.294)
    shown = json.dumps(news.answer)
    assert "Signature=def" not in shown, "the record holds no signed link"
    assert "Expires=1750446300" in shown, "but when it ended"


@pytest.mark.parametrize("video", [None, {}, {"url": None}, {"url": 5}, [], "x", 7], ids=str)
def test_completed_without_a_link(video: Any) -> None:
    news = WIRE.news(reply(200, {"status": "completed", "video": video}))
    assert (news.state, news.link) == ("completed", None)


@pytest.mark.parametrize("meta", [None, 5, {}, {"usage": None}, {"usage": {"credits_used": "1"}}])
def test_a_cost_without_sense_is_none(meta: Any) -> None:
    assert WIRE.news(reply(200, {"status": "queued", "meta": meta})).cost_usd is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"name": "Error", "message": "GPU fell off"}, "GPU fell off"),
        ({"detail": [{"loc": ["body"], "msg": "GPU fell off", "type": "x", "input": {}}]},
         "GPU fell off"),
        ("GPU fell off", "GPU fell off"),
        ({"name": "GPU fell off"}, "GPU fell off"),
    ],
)  # fmt: skip
def test_a_failure_under_200_in_every_shape(error: Any, words: str) -> None:
    news = WIRE.news(reply(200, {"id": "1", "status": "error", "error": error}))
    assert news.state == "failed"
    assert type(news.problem) is JobFailed
    assert words in news.problem.what


def test_a_blocked_clip_is_told_as_moderation() -> None:
    error = {"name": "Error", "message": "input new_sensitive"}
    news = WIRE.news(reply(200, {"status": "error", "error": error}))
    assert type(news.problem) is Moderated


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(401, "Invalid API key"), KeyRefused),
        (refused(403, "out of credits"), KeyRefused),
        (refused(404, "Generation not found"), JobExpired),
        (refused(429, "slow down"), RateLimited),
        (refused(500, "oops"), ProviderDown),
        (reply(502, b"<html>"), ProviderDown),
        (reply(200, b""), ProviderDown),
        (reply(200, {"status": None}), ProviderDown),
        (reply(200, {"status": ["completed"]}), ProviderDown),
    ],
)
def test_what_tells_nothing_about_the_job_never_says_that_it_failed(
    answer: Reply, kind: type[HailuoError]
) -> None:
    with pytest.raises(kind) as caught:
        WIRE.news(answer)
    assert type(caught.value) is kind
    assert "paid" in caught.value.money


# ── anything at all ────────────────────────────────────────────────────────────────────────────

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.just(-(10**4200)),
    st.sampled_from([CLIP, "completed", "error", "queued", "\ud800", "https://[", "\0"]),
)
names = st.sampled_from(
    ["id", "generation_id", "status", "error", "message", "detail", "video", "url", "video_url",
     "meta", "usage", "credits_used", "msg", "name", "statusCode", "x"]
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)
contents = st.one_of(
    st.dictionaries(names, values, max_size=6).map(lambda value: json.dumps(value).encode()),
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
    st.just(b"[" * 200_000),
    st.just(b'{"id":' * 50_000),
    st.just(b'{"id":' + b"9" * 5_000 + b"}"),
)
statuses = st.one_of(
    st.sampled_from([200, 201, 301, 400, 401, 402, 403, 404, 408, 422, 429, 500, 503]),
    st.integers(100, 999),
)
replies = st.builds(Reply, statuses, st.sampled_from([{}, {"retry-after": "3"}]), contents)


@given(replies)
@example(reply(201, {"id": "\ud800"}))
@example(reply(201, {"id": 10**4200}))
def test_whatever_is_answered_gives_a_value_or_an_error_of_ours(answer: Reply) -> None:
    for read, kind in ((WIRE.accepted, Accepted), (WIRE.news, News), (WIRE.uploaded, str)):
        try:
            found = read(answer)
        except HailuoError as error:
            assert error.what
            assert error.money
        else:
            assert isinstance(found, kind)
            if isinstance(found, Accepted):
                assert WIRE.status(found.job_id, "legacy").url.startswith(API)
