"""Segmind's wire, with bytes alone: what is read of a job, and of whatever else is answered."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from hailuo_jupyter.errors import (
    JobExpired,
    JobFailed,
    KeyRefused,
    Moderated,
    ProviderDown,
    RateLimited,
)
from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.providers.named_jobs import knows_job
from tests.support.replies import reply
from tests.support.segmind_wire import API, CLIP, JOB, WIRE

# ── news of a job ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "output",
    [
        CLIP,
        {"url": CLIP},
        {"video_url": CLIP},
        {"url": None, "video_url": CLIP},
        [CLIP],
        [{"url": CLIP}],
        [{"video_url": CLIP}, {"video_url": "https://other.example"}],
        f"  {CLIP}\n",
        json.dumps({"url": CLIP}),
        f" {json.dumps([CLIP])} ",
        json.dumps(CLIP),
        json.dumps({"video": json.dumps({"url": CLIP})}),
        {"video": {"url": CLIP}},
        {"data": {"url": CLIP}},
        {"data": [{"url": CLIP}]},
        ["https://a.example/thumb.jpg", CLIP],
        [{"url": "https://a.example/1", "type": "image/png"}, {"url": CLIP}],
        [{"url": "https://a.example/1.webp", "content_type": "IMAGE/webp"}, CLIP],
        ["https://a.example/1", CLIP],
    ],
    ids=str,
)
def test_the_link_in_every_shape(output: Any) -> None:
    body = {"status": "COMPLETED", "error": None, "metrics": {"inference_time": 171.4}}
    news = WIRE.news(reply(200, {**body, "output": output}))
    assert (news.state, news.link, news.inference_s) == ("completed", CLIP, 171.4)
    assert news.problem is None


UNTOLD = "https://a.example/files/7"


@pytest.mark.parametrize(
    "body",
    [
        {"video": {"url": CLIP, "content_type": "video/mp4", "file_name": "clip.mp4"}},
        {"video": CLIP},
        {"videos": [CLIP]},
        {"videos": [{"url": CLIP}]},
        {"output": None, "video": {"url": CLIP}},
        {"output": "https://a.example/thumb.png", "video": {"url": CLIP}},
        {"result": {"files": [{"download": CLIP}]}, "thumbnail": "https://a.example/1.png"},
    ],
    ids=str,
)
def test_the_link_beside_where_it_belongs(body: Any) -> None:
    assert WIRE.news(reply(200, {"status": "COMPLETED", **body})).link == CLIP


@pytest.mark.parametrize(
    ("output", "link"),
    [
        ([UNTOLD, "https://a.example/1.png"], UNTOLD),
        (["https://a.example/1.png", UNTOLD], UNTOLD),
        ({"url": UNTOLD, "type": "object"}, UNTOLD),
        # There is nothing better to try, and names may be wrong.
        (["https://a.example/1.png"], "https://a.example/1.png"),
    ],
    ids=str,
)
def test_a_link_of_no_told_type(output: Any, link: str) -> None:
    assert WIRE.news(reply(200, {"status": "COMPLETED", "output": output})).link == link


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "video/mp4"}, b"\0\0\0\x20ftypisom"),
        ({"content-type": "application/octet-stream"}, b"\0\0\0\x20ftypisom"),
        ({"content-type": "Video/webm"}, b"\x1aE\xdf\xa3"),
    ],
)
def test_the_clip_itself_for_an_answer(headers: dict[str, str], content: bytes) -> None:
    news = WIRE.news(Reply(200, headers, content))
    assert (news.state, news.in_body, news.link) == ("completed", True, None)


@pytest.mark.parametrize(
    ("headers", "content"),
    [({"content-type": "video/mp4"}, b""), ({"content-type": "video/mp4"}, b'{"error": "x"}')],
)
def test_what_only_calls_itself_a_clip(headers: dict[str, str], content: bytes) -> None:
    with pytest.raises(ProviderDown):
        WIRE.news(Reply(200, headers, content))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_the_clip(status: int) -> None:
    news = WIRE.news(reply(status, b"", location=CLIP + "?X-Expires=1"))
    assert (news.state, news.link) == ("completed", CLIP + "?X-Expires=1")
    assert WIRE.news(reply(status, b"", location="/generations/a.mp4")).link == (
        f"{API}/generations/a.mp4"
    )


@pytest.mark.parametrize(
    "target", ["https://portal.example/login", f"{API}/v2/requests/x", "", "https://[", "http://"]
)
def test_a_redirect_to_something_else_tells_nothing(target: str) -> None:
    with pytest.raises(ProviderDown):
        WIRE.news(reply(302, b"", location=target))


def test_a_link_counts_only_when_the_job_is_done() -> None:
    assert WIRE.news(reply(200, {"status": "PROCESSING", "output": CLIP})).link is None


FAILED: dict[str, Any] = {"status": "FAILED", "error": "GPU fell off"}


@pytest.mark.parametrize("status", [302, 400, 402, 406, 409, 418, 500, 502, 503, 504])
def test_an_end_counts_under_any_code_but_not_for_sure(status: int) -> None:
    news = WIRE.news(reply(status, FAILED), JOB)
    assert (news.state, news.sure) == ("failed", False)
    news = WIRE.news(reply(status, {"status": "COMPLETED"}), JOB)
    assert (news.state, news.link, news.sure) == ("completed", None, False)
    news = WIRE.news(reply(status, {"status": "COMPLETED", "output": CLIP}), JOB)
    assert (news.state, news.link, news.sure) == ("completed", CLIP, True)
    for word in ("PROCESSING", "QUEUED", "CANCELLED", "SUCCEEDED"):
        with pytest.raises(ProviderDown):
            WIRE.news(reply(status, {"status": word}), JOB)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429])
def test_a_refusal_of_the_request_is_an_end_only_if_it_is_about_the_job(status: int) -> None:
    """A gateway that refuses a key may call that failed."""
    for more in ({}, {"request_id": "another"}):
        with pytest.raises((KeyRefused, JobExpired, RateLimited)):
            WIRE.news(reply(status, {**FAILED, **more}), JOB)
    for more in ({"request_id": JOB}, {"metrics": {"inference_time": 1.0}}):
        news = WIRE.news(reply(status, {**FAILED, **more}), JOB)
        assert (news.state, news.sure) == ("failed", False)


def test_422_for_a_status_means_that_the_job_ran_and_failed() -> None:
    assert WIRE.news(reply(422, FAILED)).sure
    news = WIRE.news(reply(422, {"error": "Prompt is Mandatory and must be string"}))
    assert (news.state, news.sure) == ("failed", False), "without the word it has to be said twice"
    for body in ({}, {"status": "PROCESSING"}, b"<html>"):
        with pytest.raises(ProviderDown):
            WIRE.news(reply(422, body))


@pytest.mark.parametrize("status", [200, 422])
def test_failed_is_read_from_the_body_before_the_code(status: int) -> None:
    body = {
        "status": "FAILED",
        "error": "GPU fell off",
        "metrics": {"inference_time": 0.008},
        "request_id": JOB,
    }
    news = WIRE.news(reply(status, body))
    assert news.state == "failed"
    assert type(news.problem) is JobFailed
    assert "GPU fell off" in news.problem.what
    assert "charged" in news.problem.money
    assert news.inference_s == 0.008


def test_a_blocked_clip_is_told_as_moderation() -> None:
    error = "Content policy violation: the input was flagged as sensitive."
    news = WIRE.news(reply(422, {"status": "FAILED", "error": error}))
    assert type(news.problem) is Moderated
    assert error in news.problem.what


def test_a_failure_without_words() -> None:
    news = WIRE.news(reply(422, {"status": "FAILED"}))
    assert news.problem is not None
    assert '{"status": "FAILED"}' in news.problem.what, "then all that came is shown"


@pytest.mark.parametrize("time", [None, "171", True, -1, float("nan"), float("inf"), [], 10**400])
def test_a_time_without_sense_is_none(time: Any) -> None:
    body = json.dumps({"status": "COMPLETED", "metrics": {"inference_time": time}})
    assert WIRE.news(reply(200, body.encode())).inference_s is None


def test_a_validation_message_about_an_id_is_no_proof_of_a_job() -> None:
    """422 without the job's state may be said of the id itself."""
    assert knows_job(WIRE, reply(422, {"error": "id: not a UUID"})) is None
    assert knows_job(WIRE, reply(422, FAILED)) is True
    assert knows_job(WIRE, reply(500, FAILED)) is None
    assert knows_job(WIRE, reply(404, {"error": "Request not found"})) is False


# ── the provider's own words ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "plain"}, "plain"),
        ({"message": "plain"}, "plain"),
        ({"error": {"name": "E", "message": "inner"}}, "inner"),
        ({"error": {"detail": [{"loc": [], "msg": "first"}, {"msg": "second"}]}}, "first; second"),
        ({"detail": [{"loc": ["body", "mode"], "msg": "first"}]}, "body.mode: first"),
        (
            {"message": ["duration must be 6", "mode must be pro"]},
            "duration must be 6; mode must be pro",
        ),
        ({"error": None, "message": "second choice"}, "second choice"),
        (b"plain text", "plain text"),
        (b"<html><body>secret page</body></html>", ""),
        (b"  \n<?xml version='1.0'?><Error/>", ""),
        ({"error": "two\nlines\t and   gaps"}, "two lines and gaps"),
        (b"", ""),
        ({"error": 5}, '{"error": 5}'),
    ],
)
def test_words_in_every_shape(body: Any, words: str) -> None:
    assert reply(400, body).words() == words


def test_words_are_short_and_hold_no_key() -> None:
    key = "SG_0123456789abcdef"
    words = reply(401, {"error": f"bad key {key} " + "x" * 5000}).words()
    assert key not in words
    assert len(words) <= 500


def test_a_huge_answer_is_read_in_no_time() -> None:
    began = time.monotonic()
    for content in ("x" * 8_000_000, "key=" * 2_000_000, "http://" * 1_000_000):
        reply(400, {"error": content}).words()
        reply(400, content.encode()).words()
    assert time.monotonic() - began < 3
