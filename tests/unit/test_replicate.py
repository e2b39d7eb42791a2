"""Replicate's wire, with bytes alone."""

from __future__ import annotations

from typing import Any

import pytest

from hailuo_jupyter import record, redact, request
from hailuo_jupyter.engine.match_history import same_inputs
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
)
from hailuo_jupyter.keys import Key
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.named_jobs import knows_job
from hailuo_jupyter.request.frames import Frame
from tests.support.replicate_wire import API, CLIP, JOB, REPLICATE, WIRE, prediction, refused
from tests.support.replies import reply

URL = f"{API}/v1/predictions/{JOB}"


def test_a_submit_writes_out_every_default() -> None:
    made = request.build("a cat", REPLICATE, options={})
    assert WIRE.submit(made, {}, "ours") == Call(
        "POST",
        f"{API}/v1/models/minimax/hailuo-02/predictions",
        {
            "input": {
                "prompt": "a cat",
                "resolution": "768p",
                "duration": 6,
                "prompt_optimizer": True,
            }
        },
    )
    call = WIRE.submit(made, {"first": "https://a.example/1", "last": "https://a.example/2"}, "")
    assert call.body is not None
    assert call.body["input"]["first_frame_image"] == "https://a.example/1"
    assert call.body["input"]["last_frame_image"] == "https://a.example/2"


def test_the_calls_go_to_our_own_address_by_the_id() -> None:
    assert WIRE.status("../x?", "v1").url == f"{API}/v1/predictions/..%2Fx%3F"
    assert WIRE.status(JOB, "v1") == Call("GET", URL)
    assert WIRE.cancel(JOB, "v1") == Call("POST", f"{URL}/cancel")
    header = WIRE.key_header(Key("r8_0123456789", "a test"))
    assert (header.name, header.reveal()) == ("Authorization", "Bearer r8_0123456789")


def test_a_key_in_a_text_is_redacted() -> None:
    assert redact.text("token r8_Zq3Yw7Lm9Tn2Vb5Xc8Kd is wrong") == "token [redacted] is wrong"


@pytest.mark.parametrize(
    ("status", "state", "cancelled", "started"),
    [
        ("starting", "queued", False, None),
        ("processing", "generating", False, None),
        ("failed", "failed", False, None),
        ("canceled", "failed", True, True),
        ("aborted", "failed", True, False),
        ("dreaming", "unknown", False, None),
    ],
)
def test_states(status: str, state: str, cancelled: bool, started: bool | None) -> None:
    news = WIRE.news(prediction(status), JOB)
    assert (news.state, news.cancelled, news.started) == (state, cancelled, started)
    assert (news.problem is None) == (status != "failed")


def test_a_clip_and_the_seconds_of_work() -> None:
    done = prediction("succeeded", output=CLIP, metrics={"predict_time": 171.5})
    news = WIRE.news(done, JOB)
    assert (news.state, news.link, news.inference_s, news.cost_usd) == (
        "completed",
        CLIP,
        171.5,
        None,
    )


def test_a_removed_clip_is_expired_and_one_without_a_link_is_not() -> None:
    with pytest.raises(JobExpired) as caught:
        WIRE.news(prediction("succeeded", data_removed=True), JOB)
    assert "hour" in caught.value.what
    assert WIRE.news(prediction("succeeded"), JOB).link is None


def test_a_failure_and_refused_content() -> None:
    problem = WIRE.news(prediction("failed", error="E1000: out of memory"), JOB).problem
    assert isinstance(problem, JobFailed)
    assert "E1000" in problem.what
    assert "undocumented" in problem.money
    flagged = "The input or output was flagged as sensitive. (E005)"
    assert isinstance(WIRE.news(prediction("failed", error=flagged), JOB).problem, Moderated)


def test_an_end_under_an_error_status_has_to_name_the_job() -> None:
    news = WIRE.news(prediction("failed", 500, error="x"), JOB)
    assert (news.state, news.sure) == ("failed", False)
    with pytest.raises(ProviderDown):
        WIRE.news(reply(502, {"status": "failed"}), JOB)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(401, "Invalid token"), KeyRefused),
        (refused(402, "You have insufficient credit", "Insufficient credit"), NoCredits),
        (reply(402, {"title": "Payment Required"}), NoCredits),
        (refused(403, "no"), KeyRefused),
        (refused(404, "no such model"), Rejected),
        (refused(422, "- input.duration: must be one of 6, 10"), Rejected),
        (refused(422, "The specified version does not exist (or is not permitted)"), Rejected),
        (refused(429, "Request was throttled. Your limit resets in ~8s."), RateLimited),
    ],
)
def test_a_refusal_proves_that_nothing_was_bought(answer: Reply, kind: type[HailuoError]) -> None:
    with pytest.raises(kind) as caught:
        WIRE.accepted(answer)
    assert "No charge" in caught.value.money


def test_a_payment_method_may_be_what_is_missing() -> None:
    with pytest.raises(Rejected, match="not permitted") as caught:
        WIRE.accepted(refused(422, "Version is not permitted"))
    assert "payment method" in caught.value.todo


@pytest.mark.parametrize("answer", [reply(201, {}), reply(500, {}), reply(200, b"<html>")])
def test_what_proves_nothing_is_a_lost_answer(answer: Reply) -> None:
    with pytest.raises(AnswerLost):
        WIRE.accepted(answer)
    assert WIRE.accepted(prediction("starting", 201)).job_id == JOB


def test_only_a_prediction_shows_that_the_job_is_known() -> None:
    assert knows_job(WIRE, prediction("starting")) is True
    assert knows_job(WIRE, refused(404, "no")) is False
    assert knows_job(WIRE, refused(500, "no")) is None


@pytest.mark.parametrize(
    ("status", "more", "started"),
    [
        ("canceled", {"started_at": "2026-11-20T12:00:01Z"}, True),
        ("aborted", {}, False),
        ("processing", {}, None),
    ],
)
def test_an_accepted_cancellation(status: str, more: dict[str, Any], started: bool | None) -> None:
    assert WIRE.read_cancel(prediction(status, **more)) is started


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_cancellation_that_comes_too_late(status: str) -> None:
    with pytest.raises(CannotCancel):
        WIRE.read_cancel(prediction(status))


def test_a_cancellation_that_was_not_accepted() -> None:
    for answer, kind in (
        (refused(404, "no"), JobExpired),
        (refused(429, "slow"), RateLimited),
        (reply(200, b"<html>"), ProviderDown),
        (reply(200, {}), ProviderDown),
    ):
        with pytest.raises(kind):
            WIRE.read_cancel(answer)


@pytest.mark.parametrize(
    "prompt", ["A sign: https://example.com/?q=1", 'It reads "password: swordfish"']
)
def test_a_lost_request_is_found_in_the_list_whatever_its_prompt_says(prompt: str) -> None:
    made = request.build(prompt, REPLICATE, options={})
    body = WIRE.submit(made, {}, "ours").body or {}
    sent = record.prepare(made, REPLICATE).changed(body=record.recorded_body(body, made, {})).body
    [row] = WIRE.read_history(reply(200, {"results": [{"id": JOB, **body}]})).rows
    assert sent is not None
    assert row.body is not None
    assert same_inputs(sent, row.body)


def test_the_list_of_predictions() -> None:
    rows = [
        {"id": "a", "status": "processing", "created_at": "2026-11-20T12:00:00Z",
         "model": "minimax/hailuo-02", "input": {"prompt": "a cat"}},
        {"id": "b", "status": "succeeded", "output": CLIP, "input": {}, "data_removed": True},
        {"id": "c", "status": "canceled", "model": "owner/other", "input": None},
        "odd",
    ]  # fmt: skip
    foreign = "https://elsewhere.example/v1/predictions?cursor=cD0yMDI"
    page = WIRE.read_history(reply(200, {"next": foreign, "results": rows}))
    assert [each.outcome for each in page.rows] == ["active", "completed", "failed"]
    assert [each.body for each in page.rows] == [
        {"input": {"prompt": "a cat"}},
        None,
        {"input": {}},
    ]
    assert page.rows[0].at == 1795176000.0
    assert page.following == Call("GET", f"{API}/v1/predictions?cursor=cD0yMDI")
    last = WIRE.read_history(reply(200, {"next": None, "results": []}))
    assert (last.more, last.following) == (False, None)
    with pytest.raises(ProviderDown):
        WIRE.read_history(reply(200, {"results": None}))


def test_an_upload_is_a_form_with_the_picture_unchanged() -> None:
    frame = Frame("file:ab", "x.png", data=b"\x89PNG\r\n\0", sha256="ab", format="png")
    call = WIRE.upload(frame)
    assert call.content is not None
    boundary = call.headers["Content-Type"].partition("boundary=")[2].encode()
    assert call.content.split(b"--" + boundary)[1].partition(b"\r\n\r\n")[2] == b"\x89PNG\r\n\0\r\n"
    assert "PNG" not in repr(call)
    stored = f"{API}/v1/files/abc"
    assert WIRE.uploaded(reply(201, {"id": "abc", "urls": {"get": stored}})) == stored
    for answer in (reply(201, {}), reply(200, b""), reply(500, {"urls": {"get": stored}})):
        with pytest.raises(ProviderDown):
            WIRE.uploaded(answer)
    with pytest.raises(KeyRefused):
        WIRE.uploaded(refused(401, "no"))
