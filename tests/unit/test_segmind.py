"""Segmind's wire, with bytes alone: what is sent for every option, and how its answer is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hailuo_jupyter import request
from hailuo_jupyter.errors import (
    NOTHING_SENT,
    AnswerLost,
    HailuoError,
    KeyRefused,
    Moderated,
    NoCredits,
    ProviderDown,
    RateLimited,
    Rejected,
    SettingsError,
)
from hailuo_jupyter.providers import dialect
from hailuo_jupyter.providers.base import Call

from .segmind_wire import API, FIRST, JOB, LAST, SEGMIND, STORAGE, WIRE, reply


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
