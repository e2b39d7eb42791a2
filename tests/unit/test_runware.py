"""Runware's wire, with bytes alone."""

from __future__ import annotations

import pytest

from hailuo_jupyter import request
from hailuo_jupyter.errors import (
    AnswerLost,
    HailuoError,
    JobExpired,
    JobFailed,
    KeyRefused,
    NoCredits,
    ProviderDown,
    RateLimited,
    Rejected,
)
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.named_jobs import knows_job
from tests.support.replies import reply
from tests.support.runware_wire import API, CLIP, JOB, RUNWARE, WIRE, entry, errors

OTHER = "a770f077-f413-47de-9dac-be0b26a35da6"


def test_a_submit_is_a_task_under_our_own_id() -> None:
    made = request.build("a cat", RUNWARE, options={"resolution": "1080P"})
    call = WIRE.submit(made, {"first": "data:image/png;base64,AA=="}, JOB)
    assert (call.method, call.url, call.in_list) == ("POST", API, True)
    assert call.body == {
        "taskType": "videoInference",
        "taskUUID": JOB,
        "model": "minimax:3@1",
        "positivePrompt": "a cat",
        "width": 1920,
        "height": 1080,
        "duration": 6,
        "deliveryMethod": "async",
        "outputType": "URL",
        "outputFormat": "MP4",
        "numberResults": 1,
        "includeCost": True,
        "providerSettings": {"minimax": {"promptOptimizer": True}},
        "inputs": {"frameImages": [{"image": "data:image/png;base64,AA==", "frame": "first"}]},
    }
    assert "inputs" not in (WIRE.submit(made, {}, JOB).body or {})
    asked = {"taskType": "getResponse", "taskUUID": JOB}
    assert WIRE.status(JOB, "v1") == Call("POST", API, asked, in_list=True)


def test_an_acknowledgement_and_a_conflict_are_both_an_accepted_job() -> None:
    assert WIRE.accepted(entry()).job_id == JOB
    assert WIRE.accepted(errors(400, "conflictTaskUUID")).job_id == JOB


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (errors(400, "unsupportedDuration"), Rejected),
        (errors(401, "invalidApiKey"), KeyRefused),
        (errors(402, "insufficientCredits"), NoCredits),
        (errors(403, "forbidden"), KeyRefused),
        (errors(429, "rateLimitExceeded"), RateLimited),
        (errors(200, "odd"), AnswerLost),
        (errors(500, "internalServerError"), AnswerLost),
        (reply(200, {"data": []}), AnswerLost),
        (reply(200, b"<html>"), AnswerLost),
    ],
)
def test_whatever_else_is_answered_to_a_submit(answer: Reply, kind: type[HailuoError]) -> None:
    with pytest.raises(kind):
        WIRE.accepted(answer)


def test_news() -> None:
    assert WIRE.news(entry(status_="x"), JOB).state == "unknown"
    assert WIRE.news(reply(200, {"data": []}), JOB).state == "queued"
    done = reply(
        200,
        {"data": [{"taskUUID": OTHER, "status": "success"},
                  {"taskUUID": JOB, "status": "success", "videoURL": CLIP, "cost": 0.28}]},
    )  # fmt: skip
    news = WIRE.news(done, JOB)
    assert (news.state, news.link, news.cost_usd) == ("completed", CLIP, 0.28)
    failed = WIRE.news(errors(200, "providerError", "out of memory", status="error"), JOB)
    assert failed.state == "failed"
    assert isinstance(failed.problem, JobFailed)
    assert "out of memory" in failed.problem.what
    with pytest.raises(JobExpired):
        WIRE.news(errors(404, "taskFailedOrNotFound"), JOB)
    with pytest.raises(ProviderDown):
        WIRE.news(errors(500, "internalServerError"), JOB)
    with pytest.raises(ProviderDown):
        WIRE.news(reply(200, {}), JOB)


def test_an_error_that_may_be_the_calls_own_is_not_yet_the_end_of_the_job() -> None:
    doubtful = WIRE.news(errors(200, "internalServerError"), JOB)
    assert (doubtful.state, doubtful.sure) == ("failed", False)
    assert knows_job(WIRE, errors(200, "internalServerError")) is None
    with pytest.raises(ProviderDown):
        WIRE.news(errors(200, "invalidApiKey", taskUUID=None), JOB)
    ended = errors(200, "providerError", status="error")
    assert WIRE.news(ended, JOB).sure
    assert knows_job(WIRE, ended) is True


def test_no_entry_does_not_show_that_a_job_is_known() -> None:
    assert knows_job(WIRE, reply(200, {"data": []})) is None
    processing = reply(200, {"data": [{"taskUUID": JOB, "status": "processing"}]})
    assert knows_job(WIRE, processing) is True


def test_details_of_a_task_show_its_clip() -> None:
    response = {"data": [{"taskUUID": JOB, "status": "success", "videoURL": CLIP, "cost": 0.28}]}
    details = entry(taskType="getTaskDetails", request=[{}], response=response)
    row = WIRE.read_history_row(details)
    assert (row.job_id, row.outcome, row.link, row.cost_usd) == (JOB, "completed", CLIP, 0.28)
    # Several calls have the job's UUID: an error that need not be the job's does not end it.
    for error in ({"code": "internalServerError"}, {"code": "odd", "taskUUID": JOB}):
        details = entry(taskType="getTaskDetails", request=[{}], response={"errors": [error]})
        assert WIRE.read_history_row(details).outcome == "unknown"
    ended = {"code": "providerError", "taskUUID": JOB, "status": "error"}
    details = entry(taskType="getTaskDetails", request=[{}], response={"errors": [ended]})
    assert WIRE.read_history_row(details).outcome == "failed"
    with pytest.raises(JobExpired):
        WIRE.read_history_row(errors(404, "taskFailedOrNotFound"))
    with pytest.raises(ProviderDown):
        WIRE.read_history_row(entry())


def test_a_repeat_is_a_property_of_the_provider_and_marked_as_inferred() -> None:
    assert RUNWARE.resend is not None
    assert (RUNWARE.resend.within_s, RUNWARE.resend.kind) == (300, "inferred")
