"""Segmind's wire, with bytes alone: what is read of a job, and of whatever else is answered."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hailuo_jupyter.errors import (
    HailuoError,
    JobExpired,
    JobFailed,
    KeyRefused,
    Moderated,
    ProviderDown,
    RateLimited,
)
from hailuo_jupyter.providers.base import Accepted, News, Reply

from .segmind_wire import API, CLIP, JOB, WIRE, reply

# ── news of a job ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("QUEUED", "queued"),
        ("PROCESSING", "generating"),
        ("processing ", "generating"),
        ("COMPLETED", "completed"),
        ("FAILED", "failed"),
        ("PREPARING", "unknown"),
        ("", "unknown"),
    ],
)
def test_status_words(word: str, state: str) -> None:
    assert WIRE.news(reply(200, {"status": word})).state == state


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
    ],
    ids=str,
)
def test_the_link_in_every_shape(output: Any) -> None:
    body = {"status": "COMPLETED", "error": None, "metrics": {"inference_time": 171.4}}
    news = WIRE.news(reply(200, {**body, "output": output}))
    assert (news.state, news.link, news.inference_s) == ("completed", CLIP, 171.4)
    assert news.problem is None


@pytest.mark.parametrize(
    "output", [None, "", [], {}, 5, "ftp://x", "clip.mp4", [[]], [None]], ids=str
)
def test_completed_without_a_link(output: Any) -> None:
    news = WIRE.news(reply(200, {"status": "COMPLETED", "output": output}))
    assert (news.state, news.link) == ("completed", None)


def test_a_link_counts_only_when_the_job_is_done() -> None:
    assert WIRE.news(reply(200, {"status": "PROCESSING", "output": CLIP})).link is None


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


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": "Invalid API key"}, KeyRefused),
        (403, {"error": "Forbidden"}, KeyRefused),
        (404, {"error": "Request not found"}, JobExpired),
        (410, b"", JobExpired),
        (429, b"", RateLimited),
        (500, {"status": "COMPLETED"}, ProviderDown),
        (502, b"<html>", ProviderDown),
        (422, {"error": "odd"}, ProviderDown),
        (200, b"", ProviderDown),
        (200, b"\xff\xfe", ProviderDown),
        (200, {"status": 5}, ProviderDown),
        (200, [], ProviderDown),
        (302, b"", ProviderDown),
    ],
)
def test_what_tells_nothing_about_the_job_never_says_that_it_failed(
    status: int, body: Any, kind: type[HailuoError]
) -> None:
    with pytest.raises(kind) as caught:
        WIRE.news(reply(status, body))
    assert type(caught.value) is kind
    assert "paid" in caught.value.money
    assert caught.value.todo


@pytest.mark.parametrize("time", [None, "171", True, -1, float("nan"), float("inf"), [], 10**400])
def test_a_time_without_sense_is_none(time: Any) -> None:
    body = json.dumps({"status": "COMPLETED", "metrics": {"inference_time": time}})
    assert WIRE.news(reply(200, body.encode())).inference_s is None


# ── the provider's own words ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "plain"}, "plain"),
        ({"message": "plain"}, "plain"),
        ({"error": {"name": "E", "message": "inner"}}, "inner"),
        ({"error": {"detail": [{"loc": [], "msg": "first"}, {"msg": "second"}]}}, "first; second"),
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


# ── anything at all ────────────────────────────────────────────────────────────────────────────

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.just(10**4000),
    st.sampled_from([CLIP, JOB, "COMPLETED", "FAILED", "QUEUED", "\ud800", "http://[", "\0"]),
)
names = st.sampled_from(
    ["request_id", "status", "error", "message", "detail", "output", "metrics", "inference_time",
     "url", "video_url", "file_urls", "urls", "id", "generation_id", "video", "meta", "usage",
     "credits_used", "msg", "name", "x"]
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
    st.just(b'{"status":' * 50_000),
    st.just(b'{"error":' * 900 + b'"x"' + b"}" * 900),
    st.just(b"9" * 10_000),
)
statuses = st.one_of(
    st.sampled_from(
        [200, 201, 204, 301, 400, 401, 402, 403, 404, 406, 408, 410, 422, 429, 500, 503]
    ),
    st.integers(100, 999),
)
replies = st.builds(
    Reply,
    statuses,
    st.sampled_from([{}, {"retry-after": "3"}, {"retry-after": "\ud800"}]),
    contents,
)


@given(replies)
@example(reply(200, {"request_id": "\ud800"}))
def test_whatever_is_answered_gives_a_value_or_an_error_of_ours(answer: Reply) -> None:
    for read, kind in (
        (WIRE.accepted, Accepted),
        (WIRE.news, News),
        (WIRE.uploaded, str),
    ):
        try:
            found = read(answer)
        except HailuoError as error:
            assert error.what
            assert error.money
        else:
            assert isinstance(found, kind)
            if isinstance(found, Accepted):
                assert WIRE.status(found.job_id, "v2").url.startswith(API)
