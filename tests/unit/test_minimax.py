"""MiniMax's wire, with bytes alone."""

from __future__ import annotations

import pytest

from hailuo_jupyter import redact, request
from hailuo_jupyter.errors import (
    AnswerLost,
    HailuoError,
    JobFailed,
    KeyRefused,
    Moderated,
    NoCredits,
    OptionError,
    ProviderDown,
    RateLimited,
    Rejected,
)
from hailuo_jupyter.keys import Key
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.minimax import MiniMax
from hailuo_jupyter.providers.named_jobs import knows_job
from tests.support.minimax_wire import API, CLIP, JOB, MINIMAX, WIRE, answer, status
from tests.support.replies import reply

#: Above 2**53: as a floating-point number it would be another file.
FILE = 9_007_199_254_740_993


def test_a_submit_writes_out_every_default_and_names_no_callback() -> None:
    made = request.build("a cat", MINIMAX, options={})
    body = {
        "model": "MiniMax-Hailuo-02",
        "prompt": "a cat",
        "resolution": "768P",
        "duration": 6,
        "prompt_optimizer": True,
    }
    assert WIRE.submit(made, {}, "ours") == Call("POST", f"{API}/v1/video_generation", body)
    frames = {"first": "data:image/png;base64,AA==", "last": "https://a.example/2"}
    assert WIRE.submit(made, frames, "").body == {
        **body,
        "first_frame_image": frames["first"],
        "last_frame_image": frames["last"],
    }


def test_512p_needs_a_first_frame_and_has_no_last_one() -> None:
    first, last = "https://a.example/1.png", "https://a.example/2.png"
    asked = request.build("a cat", MINIMAX, options={"resolution": "512P"}, image=first)
    assert asked.options["resolution"] == "512P"
    for frames in ({}, {"last_image": last}, {"image": first, "last_image": last}):
        with pytest.raises(OptionError, match="512P"):
            request.build("a cat", MINIMAX, options={"resolution": "512P"}, **frames)


def test_a_file_s_link_needs_the_id_that_only_a_status_has() -> None:
    assert WIRE.status(f"{JOB}&x", "v1").url == f"{API}/v1/query/video_generation?task_id={JOB}%26x"
    assert WIRE.result(JOB, "v1") is None
    assert WIRE.result(JOB, "v1", {"file_id": ""}) is None
    for file_id in (str(FILE), FILE):
        call = WIRE.result(JOB, "v1", {"file_id": file_id})
        assert call == Call("GET", f"{API}/v1/files/retrieve?file_id={FILE}")
    header = WIRE.key_header(Key("sk-api-0123456789", "a test"))
    assert (header.name, header.reveal()) == ("Authorization", "Bearer sk-api-0123456789")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Preparing", "queued"),
        ("Queueing", "queued"),
        ("Processing", "generating"),
        ("Success", "completed"),
        ("Fail", "failed"),
        ("Failed", "failed"),
        ("Dreaming", "unknown"),
    ],
)
def test_states(word: str, state: str) -> None:
    assert WIRE.news(status(word), JOB).state == state


def test_a_link_and_a_spare_one() -> None:
    for name in ("download_url", "backup_download_url"):
        news = WIRE.news(answer(file={"file_id": FILE, name: CLIP}), JOB)
        assert (news.state, news.link) == ("completed", CLIP)
    assert WIRE.news(answer(file={"file_id": FILE}), JOB).link is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1002, RateLimited),
        (1039, RateLimited),
        (1004, KeyRefused),
        (2049, KeyRefused),
        (2061, KeyRefused),
        (1008, NoCredits),
        (2056, NoCredits),
        (1026, Moderated),
        (2013, Rejected),
    ],
)
@pytest.mark.parametrize("http", [200, 429, 500])
def test_a_refusal_is_told_by_its_code_whatever_the_status(
    code: int, kind: type[HailuoError], http: int
) -> None:
    with pytest.raises(kind) as caught:
        WIRE.accepted(answer(code, "input new_sensitive" if code == 1026 else "no", http))
    assert caught.value.money == "No charge."


def test_what_the_two_hosts_and_the_two_kinds_of_keys_are_for() -> None:
    with pytest.raises(KeyRefused) as refused:
        WIRE.accepted(answer(2049, "invalid api key"))
    for word in ("api.minimax.io", "api.minimaxi.com", "MINIMAX_API_HOST"):
        assert word in refused.value.todo
    china = MiniMax(MINIMAX, {"api": "https://api.minimaxi.com"})
    with pytest.raises(KeyRefused, match="login fail") as there:
        china.accepted(answer(1004, "login fail"))
    assert there.value.todo.endswith("it is https://api.minimaxi.com now.")
    with pytest.raises(NoCredits, match="insufficient balance") as empty:
        WIRE.accepted(answer(1008, "insufficient balance"))
    assert "sk-cp-" in empty.value.todo
    assert "sk-api-" in empty.value.todo


@pytest.mark.parametrize(
    "lost",
    [answer(1000, "unknown error"), answer(), answer(1033, "x", 500), reply(200, b"<html>"),
     answer(task_id=17)],
)  # fmt: skip
def test_what_proves_nothing_is_a_lost_answer(lost: Reply) -> None:
    with pytest.raises(AnswerLost):
        WIRE.accepted(lost)
    assert WIRE.accepted(answer(task_id=JOB)).job_id == JOB


def test_a_failure_and_refused_content() -> None:
    problem = WIRE.news(status("Fail", 1033, "downstream error"), JOB).problem
    assert isinstance(problem, JobFailed)
    assert "downstream error (1033)" in problem.what
    silent = WIRE.news(status("Fail"), JOB).problem
    assert isinstance(silent, JobFailed)
    assert "success" not in silent.what
    assert WIRE.news(status("Fail"), JOB).sure
    for other in (None, "another"):
        assert not WIRE.news(status("Fail", 1002, "rate limit", task_id=other), JOB).sure
        assert knows_job(WIRE, status("Fail", 1004, "login fail", task_id=None)) is None
    blocked = WIRE.news(status("Fail", 1027, "output new_sensitive"), JOB)
    assert isinstance(blocked.problem, Moderated)
    assert blocked.sure
    # Without the word it counts when it comes again.
    wordless = WIRE.news(answer(1027, "output new_sensitive", status=""), JOB)
    assert (wordless.state, wordless.sure) == ("failed", False)


def test_a_code_without_a_state_says_nothing_of_the_job() -> None:
    for code, kind in ((1002, RateLimited), (1004, KeyRefused), (2013, ProviderDown)):
        with pytest.raises(kind):
            WIRE.news(answer(code, "no", task_id="", status=""), JOB)
    with pytest.raises(ProviderDown):
        WIRE.news(answer(1000, "unknown error", status=""), JOB)
    with pytest.raises(ProviderDown):
        WIRE.news(reply(502, {"status": "Fail"}), JOB)
    assert knows_job(WIRE, status("Queueing")) is True
    assert knows_job(WIRE, answer(2013, "invalid params")) is None


def test_keys_in_a_text_are_redacted() -> None:
    for key in ("sk-api-Zq3Yw7Lm9Tn2Vb5Xc8KdRf4Hj", "sk-cp-Zq3Yw7Lm9Tn2Vb5Xc8KdRf4Hj"):
        assert redact.text(f"key {key} is wrong") == "key [redacted] is wrong"
