"""fal's wire, with bytes alone."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from hailuo_jupyter import redact, request
from hailuo_jupyter.errors import (
    AnswerLost,
    CannotCancel,
    HailuoError,
    JobExpired,
    JobFailed,
    KeyRefused,
    Moderated,
    NoCredits,
    ProviderDown,
    RateLimited,
    Rejected,
    SettingsError,
)
from hailuo_jupyter.keys import Key
from hailuo_jupyter.providers.base import Call
from hailuo_jupyter.providers.fal import Fal
from tests.support.fal_wire import API, CLIP, FAL, FIRST, JOB, LAST, STORAGE, WIRE
from tests.support.replies import reply

REQUESTS = f"{API}/fal-ai/minimax/requests/{JOB}"
KEY = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0:0123456789abcdef0123456789abcdef"


def submit(frames: dict[str, str] | None = None, **options: Any) -> Call:
    first, last = ((frames or {}).get(role) for role in ("first", "last"))
    asked = request.build("a cat", FAL, options=options, image=first, last_image=last)
    return WIRE.submit(asked, frames or {}, "20261120-140312-7f3kq9")


# ── what is sent ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "frames", "endpoint", "more"),
    [
        ({}, {}, "standard/text-to-video", {"duration": "6"}),
        ({"duration": 10}, {}, "standard/text-to-video", {"duration": "10"}),
        ({"resolution": "1080P"}, {}, "pro/text-to-video", {}),
        (
            {},
            {"first": FIRST, "last": LAST},
            "standard/image-to-video",
            {
                "duration": "6",
                "resolution": "768P",
                "image_url": FIRST,
                "end_image_url": LAST,
            },
        ),
        (
            {"resolution": "512P", "duration": 10},
            {"first": FIRST},
            "standard/image-to-video",
            {"duration": "10", "resolution": "512P", "image_url": FIRST},
        ),
        (
            {"resolution": "1080P"},
            {"first": FIRST, "last": LAST},
            "pro/image-to-video",
            {"image_url": FIRST, "end_image_url": LAST},
        ),
    ],
)
def test_the_endpoint_and_body_of_every_option(
    options: dict[str, Any], frames: dict[str, str], endpoint: str, more: dict[str, str]
) -> None:
    call = submit(frames, **options)
    assert call.url == f"{API}/fal-ai/minimax/hailuo-02/{endpoint}"
    assert call.body == {"prompt": "a cat", "prompt_optimizer": True, **more}
    assert "webhook" not in call.url


def test_the_calls_of_a_job_have_owner_and_app_only() -> None:
    assert WIRE.status(JOB, "queue") == Call("GET", f"{REQUESTS}/status")
    assert WIRE.result(JOB, "queue") == Call("GET", REQUESTS)
    assert WIRE.cancel(JOB, "queue") == Call("PUT", f"{REQUESTS}/cancel")
    assert WIRE.status("../keys", "queue").url.endswith("/requests/..%2Fkeys/status")
    header = WIRE.key_header(Key(KEY, "a test"))
    assert (header.name, header.scheme) == ("Authorization", "Key")


def test_its_keys_are_redacted() -> None:
    assert KEY not in redact.text(f"the key {KEY} is not valid")
    assert "0123456789abcdef" not in redact.text(f'{{"Authorization": "Key {KEY}"}}')


def test_a_frame_is_uploaded_in_two_calls() -> None:
    picture = BytesIO()
    Image.effect_noise((400, 320), 40).convert("RGB").save(picture, "PNG")
    frame = request.build("x", FAL, options={}, image=Image.open(picture)).first_frame
    assert frame is not None
    call = WIRE.upload(frame)
    assert call.url == f"{STORAGE}/storage/upload/initiate?storage_type=fal-cdn-v3"
    assert call.body == {"content_type": "image/png", "file_name": "frame.png"}
    answer = reply(200, {"upload_url": "https://store.example/x?sig=1", "file_url": FIRST})
    assert WIRE.uploaded(answer) == FIRST
    content = WIRE.upload_content(answer, frame)
    assert content is not None
    assert (content.method, content.url) == ("PUT", "https://store.example/x?sig=1")
    assert content.content == frame.data
    with pytest.raises(ProviderDown):
        WIRE.uploaded(reply(200, {"file_url": FIRST}))
    with pytest.raises(SettingsError, match="FAL_STORAGE_URL"):
        Fal(FAL, {"api": "https://gateway.example"}).upload(frame)


# ── answers to the submit ──────────────────────────────────────────────────────────────────────


def test_an_accepted_submit() -> None:
    body = {"status": "IN_QUEUE", "request_id": JOB, "queue_position": 0}
    assert WIRE.accepted(reply(200, body)).job_id == JOB
    assert WIRE.accepted(reply(200, {"request_id": JOB})).job_id == JOB


FIELD = {"loc": ["body", "duration"], "msg": "unexpected value", "type": "value_error"}
POLICY = {"loc": ["body", "prompt"], "msg": "blocked", "type": "content_policy_violation"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, {"detail": [FIELD]}, Rejected),
        (422, {"detail": [{**FIELD, "msg": "flagged by a content checker"}]}, Moderated),
        (401, {"detail": "Cannot access application"}, KeyRefused),
        (403, {"detail": "User is locked. Reason: Exhausted balance."}, NoCredits),
        (403, {"detail": "Access denied"}, KeyRefused),
        (402, {"detail": "x"}, NoCredits),
        (404, {"detail": "Application not found"}, Rejected),
        (429, {"detail": "x", "error_type": "concurrent_requests_limit"}, RateLimited),
        (500, {"detail": "Internal Server Error"}, AnswerLost),
        (504, {"detail": "x", "error_type": "request_timeout"}, AnswerLost),
        (200, {}, AnswerLost),
    ],
)
def test_a_submit_that_was_not_accepted(status: int, body: Any, kind: type[HailuoError]) -> None:
    with pytest.raises(HailuoError) as caught:
        WIRE.accepted(reply(status, body))
    assert type(caught.value) is kind


# ── answers about a job ────────────────────────────────────────────────────────────────────────


def test_the_states() -> None:
    queued = WIRE.news(reply(202, {"status": "IN_QUEUE", "queue_position": 7, "logs": None}))
    assert (queued.state, queued.queue_position) == ("queued", 7)
    for odd in (None, -1, "7", True, 1.5):
        found = WIRE.news(reply(200, {"status": "IN_QUEUE", "queue_position": odd}))
        assert (found.state, found.queue_position) == ("queued", None)
    assert WIRE.news(reply(202, {"status": "IN_PROGRESS", "logs": []})).state == "generating"
    done = WIRE.news(reply(200, {"status": "COMPLETED", "metrics": {"inference_time": 171.5}}))
    assert (done.state, done.link, done.inference_s) == ("completed", None, 171.5)
    assert WIRE.news(reply(200, {"status": "CANCELLED"})).state == "unknown"


def test_completed_with_an_error_is_a_failure() -> None:
    body = {"status": "COMPLETED", "error": "flagged by a content checker"}
    found = WIRE.news(reply(200, {**body, "error_type": "content_policy_violation"}))
    assert (found.state, type(found.problem)) == ("failed", Moderated)
    assert "may be charged" in str(found.problem)
    body = {"status": "COMPLETED", "error": "x", "error_type": "runner_server_error"}
    found = WIRE.news(reply(200, body))
    assert (found.state, type(found.problem)) == ("failed", JobFailed)
    assert "Not charged" in str(found.problem)
    body = {"status": "COMPLETED", "error": "x", "error_type": "client_cancelled"}
    found = WIRE.news(reply(200, body))
    assert (found.state, found.cancelled, found.problem) == ("failed", True, None)


def test_the_result() -> None:
    body = {"video": {"url": CLIP, "content_type": "video/mp4"}}
    found = WIRE.news(reply(200, body, x_fal_billable_units="6.0"))
    assert (found.state, found.link, found.billed_units) == ("completed", CLIP, 6.0)
    for odd in ("", "six", "nan", "-1", "inf"):
        assert WIRE.news(reply(200, body, x_fal_billable_units=odd)).billed_units is None
    assert WIRE.news(reply(200, {"video": None})).link is None
    assert WIRE.news(reply(400, {"detail": "Request is still in progress"})).state == "generating"


@pytest.mark.parametrize(
    ("status", "body", "kind", "sure"),
    [
        (422, {"detail": [POLICY]}, Moderated, True),
        (422, {"detail": [FIELD]}, JobFailed, False),
        (422, {"detail": "bad"}, JobFailed, False),
        (499, {"detail": "x", "error_type": "client_disconnected"}, JobFailed, True),
        (504, {"detail": "x", "error_type": "generation_timeout"}, JobFailed, False),
        (503, {"detail": "x", "error_type": "runner_disconnected"}, JobFailed, False),
    ],
)
def test_the_result_of_a_failed_job(status: int, body: Any, kind: type, sure: bool) -> None:
    found = WIRE.news(reply(status, body))
    assert (found.state, type(found.problem), found.sure) == ("failed", kind, sure)


@pytest.mark.parametrize(
    ("status", "error"), [(401, KeyRefused), (403, KeyRefused), (429, RateLimited)]
)
def test_a_refused_call_does_not_end_a_job(status: int, error: type[HailuoError]) -> None:
    for kind in ("bad_request", "client_disconnected"):
        with pytest.raises(error):
            WIRE.news(reply(status, {"detail": "x", "error_type": kind}))


def test_a_cancelled_job() -> None:
    for body in ({"detail": "x", "error_type": "client_cancelled"}, {}):
        found = WIRE.news(reply(499, body))
        assert (found.state, found.cancelled) == ("failed", True)
        # Without its word it may come from a gateway.
        assert found.sure is bool(body)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            500,
            {"detail": "Internal Server Error", "error_type": "internal_server_error"},
            ProviderDown,
        ),
        (500, {"detail": "Internal Server Error"}, ProviderDown),
        (502, b"<html>nginx</html>", ProviderDown),
        (503, {}, ProviderDown),
        (404, {"status": "NOT_FOUND"}, JobExpired),
        (404, {"detail": "Request not found"}, JobExpired),
        (401, {"detail": "x"}, KeyRefused),
        (403, {"detail": "User is locked. Reason: Exhausted balance."}, KeyRefused),
        (429, {"detail": "x"}, RateLimited),
        (200, b"[]", ProviderDown),
        (200, {"detail": "x"}, ProviderDown),
        (400, {"detail": "x"}, ProviderDown),
    ],
)
def test_an_answer_that_says_nothing_of_the_job(
    status: int, body: Any, kind: type[HailuoError]
) -> None:
    with pytest.raises(HailuoError) as caught:
        WIRE.news(reply(status, body))
    assert type(caught.value) is kind


# ── cancelling ─────────────────────────────────────────────────────────────────────────────────


def test_the_answers_to_a_cancellation() -> None:
    assert WIRE.read_cancel(reply(200, {"status": "OK"})) is False
    assert WIRE.read_cancel(reply(202, {"status": "CANCELLATION_REQUESTED"})) is None
    assert WIRE.read_cancel(reply(200, {"success": True})) is None
    with pytest.raises(CannotCancel, match="finished"):
        WIRE.read_cancel(reply(400, {"status": "ALREADY_COMPLETED"}))
    for status, body in (
        (404, {"status": "NOT_FOUND"}),
        (200, {"success": False}),
        (200, {}),
        (502, b"<html>"),
        (400, json.dumps({"status": "OK"}).encode()),
    ):
        with pytest.raises(HailuoError):
            WIRE.read_cancel(reply(status, body))
