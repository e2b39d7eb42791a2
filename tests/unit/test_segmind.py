"""Segmind's wire, with bytes alone: what is sent for every option, and how its answer is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hailuo_jupyter import request
from hailuo_jupyter.errors import (
    NOTHING_SENT,
    HailuoError,
    KeyRefused,
    Moderated,
    NoCredits,
    ProviderDown,
    RateLimited,
    Rejected,
    SettingsError,
)
from hailuo_jupyter.keys import Key
from hailuo_jupyter.providers import dialect
from hailuo_jupyter.providers.base import Call
from tests.support.replies import reply
from tests.support.segmind_wire import API, FIRST, JOB, LAST, SEGMIND, STORAGE, WIRE


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
    header = WIRE.key_header(Key("SG_0", "the test"))
    assert (header.name, header.reveal()) == ("x-api-key", "SG_0")
    assert not submit({}).headers


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
    "words", ["Team spend limit exceeded", "Your team has reached its spending limit: 50 credits"]
)
def test_a_teams_spend_limit_is_no_empty_account(words: str) -> None:
    with pytest.raises(NoCredits, match="spend limit of your team") as caught:
        WIRE.accepted(reply(406, {"error": words}))
    assert words in caught.value.what
    assert "Not enough credits" not in caught.value.what
    assert "more credits do not help" in caught.value.todo


def test_a_refused_parameter_under_406_is_no_empty_account() -> None:
    with pytest.raises(Rejected) as caught:
        WIRE.accepted(reply(406, {"error": "mode must be one of standard, pro"}))
    assert "credits" not in str(caught.value)
    assert "Top up" not in caught.value.todo


def test_a_retired_model_is_no_mistake_of_the_request() -> None:
    with pytest.raises(Rejected, match="no longer offers minimax-hailuo-2") as caught:
        WIRE.accepted(reply(410, {"error": "deprecated since 2026-06"}))
    assert "deprecated since 2026-06" in caught.value.what
    assert "--provider" in caught.value.todo


@pytest.mark.parametrize(
    ("words", "moderated"),
    [
        ("content_policy_violation", True),
        ("It contained material flagged by a content checker.", True),
        ("Blocked by our content filter", True),
        ("This goes against the usage guidelines", True),
        ("input new_sensitive (1026)", True),
        ("error code 1027", True),
        ("status_code: 1026", True),
        ("image: 1026 px is too wide", False),
        ("image: 1026x768 is too small", False),
        ("job 0f8f-1026-4c2e is not known", False),
        ("error code 10260", False),
    ],
)
def test_words_of_moderation(words: str, moderated: bool) -> None:
    with pytest.raises(Moderated if moderated else Rejected) as caught:
        WIRE.accepted(reply(400, {"error": words}))
    assert (type(caught.value) is Moderated) == moderated
    problem = WIRE.news(reply(422, {"status": "FAILED", "error": words})).problem
    assert (type(problem) is Moderated) == moderated


@pytest.mark.parametrize(
    "words",
    ["prompt: a samurai may not have 3000 characters", "mode is case-sensitive: use standard"],
)
def test_a_refusal_is_not_taken_for_moderation_by_a_part_of_a_word(words: str) -> None:
    with pytest.raises(Rejected):
        WIRE.accepted(reply(400, {"error": words}))


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
        (402, {}, NoCredits),
        (406, {"error": "Insufficient credits"}, NoCredits),
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
    assert "No charge" in caught.value.money
