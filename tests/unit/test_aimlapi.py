"""AI/ML API's wire, with bytes alone: what both paths send, and how every answer is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hailuo_jupyter import request
from hailuo_jupyter.errors import (
    JobExpired,
    JobFailed,
    KeyRefused,
    Moderated,
    ProviderDown,
    RateLimited,
    Rejected,
)
from hailuo_jupyter.keys import Key
from hailuo_jupyter.providers.base import Call
from tests.support.aimlapi_wire import AIMLAPI, API, CLIP, PATHS, WIRE
from tests.support.replies import reply

RUN = "20261120-140312-7f3kq9"
FIRST, LAST = "data:image/png;base64,AAAA", "https://pictures.example/last.png"


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
    header = WIRE.key_header(Key("k", "the test"))
    assert (header.name, header.reveal()) == ("Authorization", "Bearer k")


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


VALIDATION = {
    "message": "Body validation error!",
    "path": "/v2/generate/video/minimax/generation",
    "requestId": "5f6c",
    "statusCode": 400,
    "timestamp": "2026-11-28T18:00:00.000Z",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Body validation error!"),
        (
            {"meta": {"details": [
                {"code": "invalid_value", "path": ["duration"], "message": "Expected 6 or 10"},
                {"path": ["frames", 0, "url"], "message": ["Invalid URL", "Too long"]},
            ]}},
            "Body validation error! duration: Expected 6 or 10; frames.0.url: Invalid URL; Too long",
        ),
        (
            {"meta": {"details": [{"path": "duration", "message": "Expected 6 or 10"}]}},
            "Body validation error! duration: Expected 6 or 10",
        ),
        ({"message": ["a is missing", "b is wrong"]}, "a is missing; b is wrong"),
        ({"message": None, "meta": {"details": [{"path": [], "message": "x"}]}}, "x"),
        ({"meta": {"details": "odd"}}, "Body validation error! odd"),
        ({"meta": {"details": [None, 5, {"path": {}, "message": 7}]}}, "Body validation error!"),
        ({"meta": []}, "Body validation error!"),
    ],
)  # fmt: skip
def test_the_details_of_a_validation_are_shown(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected) as caught:
        WIRE.accepted(reply(400, {**VALIDATION, **changes}))
    assert caught.value.what == f"AI/ML API refused the request (400): {words}"


# ── news of a job ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502, 504])
def test_a_failure_under_an_errors_code_has_to_name_the_job(status: int) -> None:
    """Many a gateway answers ``{"status": "error"}``."""
    for body in ({}, {"id": "2"}, {"generation_id": None}, {"message": "1"}):
        with pytest.raises((ProviderDown, KeyRefused, JobExpired, RateLimited)):
            WIRE.news(reply(status, {"status": "error", **body}), "1")
    for body in ({"id": "1"}, {"generation_id": 1}):
        news = WIRE.news(reply(status, {"status": "error", "error": "x", **body}), "1")
        assert (news.state, news.sure) == ("failed", False)
    with pytest.raises((ProviderDown, KeyRefused, JobExpired, RateLimited)):
        WIRE.news(reply(status, {"status": "error", "id": "1"}))  # asked about no job
    done = {"status": "completed", "video": {"url": CLIP}}
    assert WIRE.news(reply(status, done), "1").link == CLIP


@pytest.mark.parametrize(
    "body",
    [
        {"video": [{"url": CLIP}]},
        {"video": f" {CLIP} "},
        {"videos": [{"url": CLIP}]},
        {"output": {"video": {"url": CLIP}}},
        {"video": None, "output": json.dumps({"video_url": CLIP})},
    ],
    ids=str,
)
def test_the_link_in_other_shapes(body: Any) -> None:
    assert WIRE.news(reply(200, {"id": "1", "status": "completed", **body})).link == CLIP


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
