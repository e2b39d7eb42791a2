"""Segmind's wire, with bytes alone: what is sent for every option, and how every answer is read."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.errors import (
    NOTHING_SENT,
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
    SettingsError,
)
from hailuo_jupyter.providers import dialect
from hailuo_jupyter.providers.base import Accepted, Call, News, Reply
from hailuo_jupyter.providers.segmind import Segmind

SEGMIND = catalogue.provider("segmind")
API, STORAGE = "https://api.segmind.com", "https://workflows-api.segmind.com"
WIRE = Segmind(SEGMIND, {"api": API, "storage": STORAGE, "history": "https://history.example"})
JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"
FIRST, LAST = "https://pictures.example/first.png", "https://pictures.example/last.png"
CLIP = "https://images.segmind.com/generations/clip.mp4"


def reply(status: int = 200, body: Any = None, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


def submit(
    options: dict[str, Any], frames: dict[str, str] | None = None, *, optimizer: bool = True
) -> Call:
    asked = request.build("a cat", SEGMIND, options=options, prompt_optimizer=optimizer)
    return WIRE.submit(asked, frames or {}, "20261120-140312-7f3kq9")


# ── what is sent ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["standard", "pro"])
@pytest.mark.parametrize("optimizer", [True, False])
@pytest.mark.parametrize(
    "frames", [{}, {"first": FIRST}, {"last": LAST}, {"first": FIRST, "last": LAST}], ids=str
)
def test_the_submit_of_every_option(mode: str, optimizer: bool, frames: dict[str, str]) -> None:
    call = submit({"mode": mode}, frames, optimizer=optimizer)
    assert call == Call(
        "POST",
        "https://api.segmind.com/v2/minimax-hailuo-2",
        {
            "prompt": "a cat",
            "mode": mode,
            "image_url": frames.get("first"),
            "last_frame_image": frames.get("last"),
            "prompt_optimizer": optimizer,
        },
    )


def test_text_to_video_says_that_there_is_no_picture() -> None:
    """The published default of ``image_url`` is a sample picture, and would be paid for."""
    body = submit({}).body
    assert body is not None
    assert "image_url" in body
    assert body["image_url"] is None
    assert '"image_url": null' in json.dumps(body)
    assert body["mode"] == "standard", "the default is written out"


def test_the_key_travels_as_x_api_key_alone() -> None:
    assert WIRE.key_headers("SG_0") == {"x-api-key": "SG_0"}
    assert not submit({}).headers


@pytest.mark.parametrize(
    ("job_id", "quoted"),
    [
        (JOB, JOB),
        ("a:b/c", "a%3Ab%2Fc"),
        ("../../v1/keys", "..%2F..%2Fv1%2Fkeys"),
        ("a?b=c#d&e", "a%3Fb%3Dc%23d%26e"),
        ("ключ %", "%D0%BA%D0%BB%D1%8E%D1%87%20%25"),
    ],
)
def test_an_id_is_quoted_whole(job_id: str, quoted: str) -> None:
    status, result = WIRE.status(job_id, "v2"), WIRE.result(job_id, "v2")
    assert status == Call("GET", f"{API}/v2/requests/{quoted}/status")
    assert result == Call("GET", f"{API}/v2/requests/{quoted}")


class Frame:
    def data_uri(self) -> str:
        return "data:image/png;base64,AAAA"


def test_a_local_frame_is_uploaded_as_a_data_uri() -> None:
    call = WIRE.upload(Frame())  # type: ignore[arg-type]
    assert call == Call(
        "POST", f"{STORAGE}/upload-asset", {"data_urls": ["data:image/png;base64,AAAA"]}
    )


def test_addresses_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for base in SEGMIND.base_urls.values():
        monkeypatch.delenv(base.variable, raising=False)
    assert dialect(SEGMIND).addresses == {
        role: base.url for role, base in SEGMIND.base_urls.items()
    }
    monkeypatch.setenv("SEGMIND_STORAGE_URL", "https://storage.example/")
    assert dialect(SEGMIND).addresses["storage"] == "https://storage.example"
    assert dialect(SEGMIND).addresses["api"] == API


def test_a_gateways_key_has_no_way_to_hosts_that_nobody_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://127.0.0.1:9/")
    for name in ("SEGMIND_STORAGE_URL", "SEGMIND_HISTORY_URL"):
        monkeypatch.delenv(name, raising=False)
    found = dialect(SEGMIND)
    assert found.addresses == {"api": "http://127.0.0.1:9"}
    assert found.history(0.0, 1e6, 0) is None
    with pytest.raises(SettingsError, match="SEGMIND_STORAGE_URL") as refused:
        found.upload(Frame())  # type: ignore[arg-type]
    assert refused.value.money == NOTHING_SENT
    # Whoever names them means them, Segmind's own too.
    monkeypatch.setenv("SEGMIND_STORAGE_URL", STORAGE)
    monkeypatch.setenv("SEGMIND_HISTORY_URL", SEGMIND.base_urls["history"].url)
    found = dialect(SEGMIND)
    call = found.upload(Frame())  # type: ignore[arg-type]
    assert call is not None
    assert call.url == f"{STORAGE}/upload-asset"
    assert found.history(0.0, 1e6, 0) is not None


# ── answers to the submit ──────────────────────────────────────────────────────────────────────


def test_an_accepted_job() -> None:
    answer = {
        "request_id": JOB,
        "status": "QUEUED",
        "poll_url": f"{API}/v1/requests/{JOB}",
        "status_url": "https://elsewhere.example/status?token=1234567890",
        "response_url": "https://elsewhere.example",
    }
    accepted = WIRE.accepted(reply(200, answer))
    assert accepted.job_id == JOB
    assert accepted.answer["status"] == "QUEUED"
    assert "1234567890" not in str(accepted.answer)
    # The links of the answer are not used: the key would go wherever they lead.
    assert WIRE.status(accepted.job_id, "v2").url.startswith(API)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_the_id_alone_is_enough(status: int) -> None:
    assert WIRE.accepted(reply(status, {"request_id": JOB})).job_id == JOB


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "mode: must be standard or pro"}, Rejected),
        (422, {"error": "prompt: required"}, Rejected),
        (404, {"error": "Model not found"}, Rejected),
        (405, b"<html>Method Not Allowed</html>", Rejected),
        (413, b"", Rejected),
        (401, {"error": "Invalid API key"}, KeyRefused),
        (401, {"error": "x", "error_description": "y", "status_code": 401}, KeyRefused),
        (403, {"error": "Forbidden"}, KeyRefused),
        (406, {"error": "Insufficient credits"}, NoCredits),
        (402, {}, NoCredits),
        (429, {"error": "Rate limit exceeded"}, RateLimited),
        (400, {"error": "Content policy violation"}, Moderated),
        (422, {"error": "The prompt was flagged as NSFW"}, Moderated),
        (422, {"status": "FAILED", "error": "input was moderated", "request_id": JOB}, Moderated),
    ],
)
def test_a_refusal_proves_that_nothing_was_bought(
    status: int, body: Any, kind: type[HailuoError]
) -> None:
    with pytest.raises(kind) as caught:
        WIRE.accepted(reply(status, body))
    assert type(caught.value) is kind
    assert "Nothing was bought" in caught.value.money
    assert caught.value.todo


@pytest.mark.parametrize(
    "words",
    ["prompt: a samurai may not have 3000 characters", "mode is case-sensitive: use standard"],
)
def test_a_refusal_is_not_taken_for_moderation_by_a_part_of_a_word(words: str) -> None:
    with pytest.raises(Rejected):
        WIRE.accepted(reply(400, {"error": words}))


def test_503_with_retry_after_says_that_the_job_was_not_taken() -> None:
    with pytest.raises(ProviderDown):
        WIRE.accepted(reply(503, {"error": "busy"}, retry_after="3"))


@pytest.mark.parametrize(
    ("status", "body"),
    [
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
        (200, {"request_id": ".."}),
        (200, {"request_id": "a\nb"}),
        (200, {"request_id": 12345}),
        (200, {"status": "QUEUED"}),
        (307, b""),
        (100, b""),
        (999, b""),
    ],
)
def test_whatever_proves_nothing_is_a_lost_answer(status: int, body: Any) -> None:
    with pytest.raises(AnswerLost) as caught:
        WIRE.accepted(reply(status, body))
    assert "may have been bought" in caught.value.money
    assert "--new" in caught.value.todo


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


# ── uploads ────────────────────────────────────────────────────────────────────────────────────

STORED = "https://images.segmind.com/assets/a.png"


@pytest.mark.parametrize(
    "body",
    [
        {"file_urls": [STORED], "message": "ok"},
        {"urls": [STORED]},
        {"file_urls": [], "urls": [STORED]},
        {"file_urls": STORED},
    ],
    ids=str,
)
def test_both_spellings_of_an_uploads_answer(body: Any) -> None:
    assert WIRE.uploaded(reply(200, body)) == STORED


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {}, KeyRefused),
        (406, {}, NoCredits),
        (400, {"error": "not an image"}, Rejected),
        (429, {}, RateLimited),
        (500, {}, ProviderDown),
        (200, {}, ProviderDown),
        (200, {"file_urls": []}, ProviderDown),
        (200, b"<html>", ProviderDown),
    ],
)
def test_an_upload_that_failed(status: int, body: Any, kind: type[HailuoError]) -> None:
    with pytest.raises(kind) as caught:
        WIRE.uploaded(reply(status, body))
    assert "Nothing was bought" in caught.value.money


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
@settings(deadline=None)
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
