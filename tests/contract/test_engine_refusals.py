"""Every error that a person sees: what happened, what it means for the money, and what to do."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_jupyter import errors, keys
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

from .conftest import Lab, ending, eventually

BOTH = pytest.mark.parametrize("provider", ["segmind", "aimlapi"])
VARIABLE = {"segmind": "SEGMIND_API_KEY", "aimlapi": "AIML_API_KEY"}


def told(error: HailuoError | None, kind: type[HailuoError]) -> HailuoError:
    assert type(error) is kind, error
    assert error.what
    assert error.money
    assert error.todo
    return error


@BOTH
def test_without_a_key_nothing_is_written_down_or_sent(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.delenv(VARIABLE[provider])
    monkeypatch.setattr(keys, "_from_keyring", lambda _: None)  # this machine's own holds anything
    engine = lab.engine()
    with pytest.raises(errors.KeyMissing) as caught:
        lab.place(engine, "a cat", provider)
    told(caught.value, errors.KeyMissing)
    assert not lab.sim.requests
    assert [log.count() for log in engine.logs()] == [0]


@BOTH
@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("SG_refused_0123456789", errors.KeyRefused),
        ("SG_forbidden_0123456789", errors.KeyRefused),
        ("SG_broke_0123456789", errors.NoCredits),
    ],
)
def test_a_key_that_is_refused_or_out_of_credits_buys_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, provider: str, key: str, kind: type[HailuoError]
) -> None:
    monkeypatch.setenv(VARIABLE[provider], key)
    engine = lab.engine()
    run = lab.place(engine, "a cat", provider)
    error = told(ending(run), kind)
    assert run.status is State.REJECTED
    assert "Nothing was bought" in error.money
    assert key not in str(error)
    assert not lab.sim.ledger
    # With another key the same cell is sent.
    monkeypatch.setenv(VARIABLE[provider], "SG_0123456789abcdef")
    lab.place(engine, "a cat", provider).wait(30)


@BOTH
@pytest.mark.parametrize(
    ("fault", "kind"),
    [("bad-request", errors.Rejected), ("invalid", errors.Rejected), ("forbidden", errors.KeyRefused)],
)
def test_a_submit_that_is_refused(
    lab: Lab, provider: str, fault: str, kind: type[HailuoError]
) -> None:
    lab.sim.fault(fault, "submit")
    run = lab.place(lab.engine(), "a cat", provider)
    told(ending(run), kind)
    assert run.status is State.REJECTED
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 0)


@BOTH
def test_content_refused_at_once(lab: Lab, provider: str) -> None:
    lab.sim.fault(
        "answer", "submit", status=400, body={"error": "Sensitive content", "message": "Sensitive"}
    )
    run = lab.place(lab.engine(), "a cat", provider)
    told(ending(run), errors.Moderated)
    assert run.status is State.REJECTED


@BOTH
@pytest.mark.parametrize(
    ("fault", "kind"), [("moderation", errors.Moderated), ("job-fails", errors.JobFailed)]
)
def test_a_job_that_ends_without_a_clip(
    lab: Lab, provider: str, fault: str, kind: type[HailuoError]
) -> None:
    lab.sim.fault(fault)
    lab.sim.fault("failed-under-200", count=None, wire="segmind")
    run = lab.place(lab.engine(), "a cat", provider)
    error = told(ending(run), kind)
    assert run.status is State.FAILED
    assert run.clip is None
    assert "charged" in error.money
    assert (lab.clips / f"{run.run_id}.json").is_file()


@pytest.mark.parametrize(
    "fault", ["rate-limited", "rate-limited-seconds", "rate-limited-date", "http-503"]
)
def test_what_says_come_again_is_sent_again(lab: Lab, fault: str) -> None:
    more = {"retry_after": 1} if fault == "http-503" else {}
    lab.sim.fault(fault, "submit", **more)
    began = time.monotonic()
    run = lab.place(lab.engine())
    eventually(lambda: run.record.problem is not None or run.status is not State.PREPARED)
    run.wait(30)
    assert time.monotonic() - began > 0.9, "not before the provider's time"
    assert (lab.submits(), len(lab.sim.ledger)) == (2, 1)
    assert run.record.problem is None


def test_an_absurd_retry_after_leaves_the_run_to_the_person(lab: Lab) -> None:
    """Nobody waits for an hour, and nothing is sent while nobody looks."""
    lab.sim.fault("rate-limited-absurd", "submit", count=None)
    run = lab.place(lab.engine())
    error = told(ending(run, 5), errors.RateLimited)
    assert run.status is State.PREPARED
    assert "Run the cell again" in error.todo
    assert lab.submits() == 1


@BOTH
def test_a_provider_that_cannot_be_reached(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for name in ("SEGMIND_BASE_URL", "AIML_API_BASE_URL"):
        monkeypatch.setenv(name, nobody)
    engine = lab.engine()
    run = lab.place(engine, "a cat", provider)
    error = told(ending(run), errors.ProviderDown)
    assert run.status is State.PREPARED
    assert "Nothing was bought" in error.money
    # When it is back, the same cell is sent.
    for name, url in lab.sim.environment().items():
        monkeypatch.setenv(name, url)
    lab.place(engine, "a cat", provider).wait(30)
    assert len(lab.sim.ledger) == 1


def test_an_upload_that_fails_buys_nothing(lab: Lab, frame: Path) -> None:
    lab.sim.fault("http-500", "upload", count=None)
    run = lab.place(lab.engine(), image=frame)
    told(ending(run), errors.ProviderDown)
    assert run.status is State.PREPARED
    assert lab.submits() == 0


@pytest.mark.parametrize("fault", ["upload-urls", "upload-file-urls", "lost-answer", "rate-limited-seconds"])
def test_an_upload_is_free_and_so_repeated(lab: Lab, frame: Path, fault: str) -> None:
    lab.sim.fault(fault, "upload")
    lab.place(lab.engine(), image=frame).wait(30)
    assert len(lab.sim.ledger) == 1
    assert lab.sim.ledger[0].first_frame == "asset"


# ── answers that are lost ──────────────────────────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize(
    "fault",
    ["lost-answer", "drop-mid-body", "garbage", "empty", "html", "truncated-json", "json-list",
     "no-id"],
)  # fmt: skip
def test_a_lost_answer_is_never_followed_by_a_second_submit(
    lab: Lab, provider: str, fault: str
) -> None:
    lab.sim.fault(fault, "submit")
    engine = lab.engine()
    run = lab.place(engine, "a cat", provider)
    error = told(ending(run), errors.AnswerLost)
    assert run.status is State.UNCONFIRMED
    assert "may have been bought" in error.money
    assert "--new" in error.todo
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 1)
    with pytest.raises(errors.NotBought) as caught:
        lab.place(engine, "a cat", provider)
    assert "--new" in caught.value.todo
    assert "Nothing was sent now" in caught.value.money
    assert lab.submits() == 1
    assert lab.place(engine, "a cat", provider, new=True).wait(30).status is State.COMPLETED


@BOTH
@pytest.mark.parametrize("fault", ["http-500", "http-502", "http-503", "http-504", "redirect"])
def test_a_server_that_broke_may_have_taken_the_job(lab: Lab, provider: str, fault: str) -> None:
    lab.sim.fault(fault, "submit", accepted=True)
    run = lab.place(lab.engine(), "a cat", provider)
    told(ending(run), errors.AnswerLost)
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 1)


def test_a_connection_closed_unread_is_not_known_to_be_unsent(lab: Lab) -> None:
    lab.sim.fault("drop-before-reading", "submit")
    run = lab.place(lab.engine())
    told(ending(run), errors.AnswerLost)
    assert lab.submits() == 1


# ── trouble with what is bought ────────────────────────────────────────────────────────────────


@BOTH
def test_a_key_that_is_refused_while_polling_pauses_the_run(lab: Lab, provider: str) -> None:
    lab.sim.fault("unauthorized", "status")
    engine = lab.engine()
    run = lab.place(engine, "a cat", provider)
    error = told(ending(run), errors.KeyRefused)
    assert "%hailuo resume" in error.todo
    assert "paid" in error.money
    assert run.status in {State.SUBMITTED, State.QUEUED, State.GENERATING}
    assert engine.resume() == [run]
    assert run.wait(30).clip is not None
    assert lab.submits() == 1


def test_a_key_that_is_refused_for_the_result_pauses_the_run(lab: Lab) -> None:
    lab.sim.fault("unauthorized", "result")
    engine = lab.engine()
    run = lab.place(engine)
    told(ending(run), errors.KeyRefused)
    assert run.status is State.UNDOWNLOADED
    engine.resume()
    assert run.wait(30).clip is not None


def test_a_key_that_is_gone_before_the_submit_leaves_the_run_unsent(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, frame: Path
) -> None:
    monkeypatch.setattr(keys, "_from_keyring", lambda _: None)
    lab.sim.fault("delay", "upload", seconds=0.5)
    run = lab.place(lab.engine(), image=frame)
    monkeypatch.delenv("SEGMIND_API_KEY")
    told(ending(run), errors.KeyMissing)
    assert run.status in {State.PREPARED, State.UPLOADING}
    assert lab.submits() == 0


def test_a_job_that_the_provider_has_forgotten_expires_after_the_retention(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab()
    lab.sim.fault("forgotten")
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: lab.submits())
    eventually(lambda: run.record.problem is not None or run.status is State.EXPIRED)
    assert run.status is not State.EXPIRED, "a 404 before that time proves nothing"
    engine.stop()
    # A day later: the same log, by a clock that has gone on.
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.engine.pace import Clock

    later = Engine(lab.settings, Clock(wall=lambda: time.time() + 86_400))
    lab.engines.append(later)
    later.resume()
    error = told(ending(later.run(run.run_id)), errors.JobExpired)
    assert later.run(run.run_id).status is State.EXPIRED
    assert "--new" in error.todo
    with pytest.raises(errors.NotBought, match="expired"):
        lab.place(later)


def test_a_laptop_that_slept_too_long_still_asks_before_it_gives_up(lab: Lab) -> None:
    """The retention is an inference at one provider, and a promise at the other."""
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.engine.pace import Clock

    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.status is not State.PREPARED and run.record.job.id)
    engine.stop()
    later = Engine(lab.settings, Clock(wall=lambda: time.time() + 86_400))
    lab.engines.append(later)
    later.resume()
    found = later.run(run.run_id)
    end = ending(found)
    if end is not None:  # it was not done at the first look; the person asks once more
        assert isinstance(end, errors.ProviderDown)
        time.sleep(1)
        later.resume()
        found.wait(30)
    assert found.clip is not None


@BOTH
def test_an_expired_link_is_followed_by_a_new_one(lab: Lab, provider: str) -> None:
    lab.sim.fault("media-expired", count=2)
    run = lab.place(lab.engine(), "a cat", provider)
    run.wait(30)
    stage = "result" if provider == "segmind" else "status"
    after = [each.stage for each in lab.sim.requests]
    first = after.index("media")
    assert stage in after[first:], "the provider was asked for a new link"


def test_a_refused_host_is_told_as_unsent(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", "https://api.segmind.com")
    run = lab.place(lab.engine())
    error = told(ending(run), errors.ProviderDown)
    assert "HAILUO_LOOPBACK_ONLY" in error.what
    assert not lab.sim.requests


def test_a_proxy_that_cannot_be_used_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://nowhere")
    run = lab.place(lab.engine())
    error = told(ending(run, 10), errors.SettingsError)
    assert "ALL_PROXY" in error.todo
    assert run.status is State.PREPARED


def test_the_rate_limit_that_is_set_holds_for_the_engine(lab: Lab) -> None:
    settings = Hailuo(run_log=str(lab.log), requests_per_minute={"segmind": 3})
    from hailuo_jupyter.engine.engine import Engine

    engine = Engine(settings)
    lab.engines.append(engine)
    lab.place(engine)
    time.sleep(2)
    assert sum(each.stage in ("submit", "status", "result") for each in lab.sim.requests) == 3
