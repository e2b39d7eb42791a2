"""Every error that a person sees: what happened, what it means for the money, and what to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_jupyter import errors, keys
from hailuo_jupyter.engine import poll
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.providers.network import CERTIFICATE_VARIABLES
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually, shorten
from tests.support.ports import closed_port

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
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, provider: str
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
def test_a_key_that_is_refused_or_out_of_credits_buys_nothing(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    engine = lab.engine()
    for word, kind in {
        "refused": errors.KeyRefused,
        "forbidden": errors.KeyRefused,
        "broke": errors.NoCredits,
    }.items():
        key = f"SG_{word}_0123456789"
        monkeypatch.setenv(VARIABLE[provider], key)
        run = lab.place(engine, "a cat", provider)
        error = told(ending(run), kind)
        assert run.status is State.REJECTED
        assert "No charge" in error.money
        assert key not in str(error)
    assert (lab.submits(), len(lab.sim.ledger)) == (3, 0)
    # With another key the same cell is sent.
    monkeypatch.setenv(VARIABLE[provider], "SG_0123456789abcdef")
    lab.place(engine, "a cat", provider).wait(60)


@BOTH
def test_a_submit_that_is_refused(lab: EngineFixture, provider: str) -> None:
    engine = lab.engine()
    for fault, kind in {
        "bad-request": errors.Rejected,
        "invalid": errors.Rejected,
        "forbidden": errors.KeyRefused,
    }.items():
        lab.sim.fault(fault, "submit")
        run = lab.place(engine, "a cat", provider)
        told(ending(run), kind)
        assert run.status is State.REJECTED
    assert (lab.submits(), len(lab.sim.ledger)) == (3, 0)


@BOTH
def test_content_refused_at_once(lab: EngineFixture, provider: str) -> None:
    lab.sim.fault(
        "answer", "submit", status=400, body={"error": "Sensitive content", "message": "Sensitive"}
    )
    run = lab.place(lab.engine(), "a cat", provider)
    told(ending(run), errors.Moderated)
    assert run.status is State.REJECTED


@BOTH
def test_a_job_that_ends_without_a_clip(lab: EngineFixture, provider: str) -> None:
    kinds = {"moderation": errors.Moderated, "job-fails": errors.JobFailed}
    for fault in kinds:
        lab.sim.fault(fault, prompt=f"[{fault}]")
    lab.sim.fault("failed-under-200", prompt="[job-fails]", count=None, wire="segmind")
    engine = lab.engine()
    runs = {fault: lab.place(engine, f"[{fault}]", provider) for fault in kinds}
    for fault, run in runs.items():
        error = told(ending(run), kinds[fault])
        assert run.status is State.FAILED
        assert run.clip is None
        assert "charged" in error.money
        assert (lab.clips / f"{run.run_id}.json").is_file()


def test_what_says_come_again_is_sent_again(lab: EngineFixture) -> None:
    faults: dict[str, dict[str, int]] = {
        "rate-limited": {},
        "rate-limited-seconds": {"seconds": 1},
        "rate-limited-date": {"seconds": 2},
        "http-503": {"retry_after": 1},
    }
    for fault, more in faults.items():
        lab.sim.fault(fault, "submit", prompt=f"[{fault}]", **more)
    engine = lab.engine()
    began = time.monotonic()
    runs = [lab.place(engine, f"[{fault}]") for fault in faults]
    eventually(lambda: any(run.record.problem for run in runs))
    assert any(run.status is State.PREPARED for run in runs), "in the log before any waiting"
    for run in runs:
        run.wait(60)
        assert run.record.problem is None
    assert time.monotonic() - began > 0.9, "not before the provider's time"
    assert len(lab.sim.ledger) == len(faults)
    assert lab.submits() <= 2 * len(faults)


def test_an_absurd_retry_after_leaves_the_run_to_the_person(lab: EngineFixture) -> None:
    """Nobody waits for an hour, and nothing is sent while nobody looks."""
    lab.sim.fault("rate-limited-absurd", "submit", count=None)
    run = lab.place(lab.engine())
    error = told(ending(run, 5), errors.RateLimited)
    assert run.status is State.PREPARED
    assert "Rerun the cell" in error.todo
    assert lab.submits() == 1


@BOTH
def test_a_provider_that_cannot_be_reached(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    engine = lab.engine()
    with closed_port() as nobody:
        for name in ("SEGMIND_BASE_URL", "AIML_API_BASE_URL"):
            monkeypatch.setenv(name, f"http://{nobody}")
        run = lab.place(engine, "a cat", provider)
        error = told(ending(run), errors.ProviderDown)
    assert run.status is State.PREPARED
    assert "No charge" in error.money
    # When it is back, the same cell is sent.
    for name, url in lab.sim.environment().items():
        monkeypatch.setenv(name, url)
    lab.place(engine, "a cat", provider).wait(60)
    assert len(lab.sim.ledger) == 1


def test_an_upload_that_fails_buys_nothing(lab: EngineFixture, frame: Path) -> None:
    lab.sim.fault("http-500", "upload", count=None)
    run = lab.place(lab.engine(), image=frame)
    told(ending(run), errors.ProviderDown)
    assert run.status is State.PREPARED
    assert lab.submits() == 0


def test_a_gateways_key_and_frames_go_to_no_storage_that_nobody_named(
    lab: EngineFixture, frame: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGMIND_STORAGE_URL")
    engine = lab.engine()
    for how in ({"image": frame}, {"image": "https://pictures.example/a.png", "last_image": frame}):
        with pytest.raises(errors.SettingsError, match="SEGMIND_STORAGE_URL") as caught:
            lab.place(engine, **how)
        told(caught.value, errors.SettingsError)
    assert [log.recent() for log in engine.logs()] == [[]]
    assert not lab.sim.requests
    # A picture that is an address already needs no storage.
    assert ending(lab.place(engine, image="https://pictures.example/a.png")) is None
    monkeypatch.setenv("SEGMIND_STORAGE_URL", lab.sim.url)
    assert ending(lab.place(engine, image=frame)) is None


def test_an_upload_is_free_and_so_repeated(lab: EngineFixture, frame: Path) -> None:
    for fault in ("rate-limited-seconds", "lost-answer", "upload-urls"):
        lab.sim.fault(fault, "upload")
    lab.place(lab.engine(), image=frame).wait(60)
    assert sum(each.stage == "upload" for each in lab.sim.requests) == 3
    assert [job.first_frame for job in lab.sim.ledger] == ["asset"]
    assert not lab.sim.faults, "all were met"


# ── answers that are lost ──────────────────────────────────────────────────────────────────────

_SPOILT = ("lost-answer", "html", "huge")  # and where nothing names the job
_NAMELESS = ("garbage", "empty", "no-id")  # in the body; AI/ML API's header names it
_BROKEN = ("http-500", "http-502", "http-503", "http-504", "redirect")


@BOTH
def test_a_lost_answer_is_never_followed_by_a_second_submit(
    lab: EngineFixture, provider: str
) -> None:
    spoilt = (*_SPOILT, *(_NAMELESS if provider == "segmind" else ()))
    for fault in spoilt:
        lab.sim.fault(fault, "submit", prompt=f"[{fault}]")
    for fault in _BROKEN:
        lab.sim.fault(fault, "submit", prompt=f"[{fault}]", accepted=True)
    prompts = [f"[{fault}]" for fault in (*spoilt, *_BROKEN)]
    engine = lab.engine()
    runs = {prompt: lab.place(engine, prompt, provider) for prompt in prompts}
    for prompt, run in runs.items():
        error = told(ending(run), errors.AnswerLost)
        assert run.status is State.UNCONFIRMED, prompt
        assert "may have been charged" in error.money
        assert "--new" in error.todo
        with pytest.raises(errors.NotBought) as caught:
            lab.place(engine, prompt, provider)
        assert "--new" in caught.value.todo
        assert "nothing was sent now" in caught.value.money
    bought = sorted(job.body["prompt"] for job in lab.sim.ledger)
    assert bought == sorted(prompts), "one job each"
    assert lab.submits() == len(prompts)
    lab.place(engine, prompts[0], provider, new=True).wait(60)


def test_a_connection_closed_unread_is_not_known_to_be_unsent(lab: EngineFixture) -> None:
    lab.sim.fault("drop-before-reading", "submit")
    run = lab.place(lab.engine())
    told(ending(run), errors.AnswerLost)
    assert lab.submits() == 1


# ── trouble with what is bought ────────────────────────────────────────────────────────────────


@pytest.fixture
def refused_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three refusals pause a run without a minute between the first and the last."""
    shorten(monkeypatch, key_refused_for_s=0.0)


@pytest.fixture
def asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no failure delay the next question."""
    monkeypatch.setattr(poll, "back_off", lambda _failures: 0.05)


@BOTH
@pytest.mark.usefixtures("refused_soon", "asked_at_once")
def test_a_key_that_is_refused_while_polling_pauses_the_run(
    lab: EngineFixture, provider: str
) -> None:
    lab.sim.fault("unauthorized", "status", count=3)
    engine = lab.engine()
    run = lab.place(engine, "a cat", provider)
    error = told(ending(run), errors.KeyRefused)
    assert "%hailuo resume" in error.todo
    assert "paid" in error.money
    assert run.status in {State.SUBMITTED, State.QUEUED, State.GENERATING}
    assert engine.resume() == [run]
    assert run.wait(60).clip is not None
    assert lab.submits() == 1


@pytest.mark.usefixtures("asked_at_once")
def test_a_key_that_is_refused_for_a_moment_pauses_nothing(lab: EngineFixture) -> None:
    lab.sim.fault("unauthorized", "status", count=3)
    run = lab.place(lab.engine())
    assert run.wait(60).clip is not None
    assert sum(each.stage == "status" for each in lab.sim.requests) > 3


@pytest.mark.usefixtures("refused_soon", "asked_at_once")
def test_refusals_that_do_not_follow_each_other_pause_nothing(lab: EngineFixture) -> None:
    for fault in ("unauthorized", "forbidden", "http-503", "unauthorized"):
        lab.sim.fault(fault, "status")
    assert lab.place(lab.engine()).wait(60).clip is not None


@BOTH
@pytest.mark.parametrize("status", [401, 403, 407, 451])
def test_a_page_of_a_firewall(lab: EngineFixture, provider: str, status: int) -> None:
    page = {
        "status": status,
        "body": "<html><head><title>Access denied</title></head></html>",
        "headers": {"Content-Type": "text/html"},
    }
    engine = lab.engine()
    lab.sim.fault("answer", "submit", **page)
    run = lab.place(engine, "a cat", provider)
    error = told(ending(run), errors.Blocked)
    assert f"({status}, page title 'Access denied')" in error.what
    assert run.status is State.REJECTED
    engine.resume()
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 0), "it is not sent again by itself"
    lab.sim.fault("answer", "status", **page)
    assert lab.place(engine, "a cat", provider).wait(60).clip is not None
    assert (lab.submits(), len(lab.sim.ledger)) == (2, 1)


@pytest.mark.usefixtures("refused_soon", "asked_at_once")
def test_a_key_that_is_refused_for_the_result_pauses_the_run(lab: EngineFixture) -> None:
    lab.sim.fault("unauthorized", "result", count=3)
    engine = lab.engine()
    run = lab.place(engine)
    told(ending(run), errors.KeyRefused)
    assert run.status is State.UNDOWNLOADED
    engine.resume()
    assert run.wait(60).clip is not None


@BOTH
def test_a_key_that_is_gone_while_a_clip_is_made_says_that_it_is_paid_for(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setattr(keys, "_from_keyring", lambda _: None)
    variable = {"segmind": "SEGMIND_API_KEY", "aimlapi": "AIML_API_KEY"}[provider]
    engine, key = lab.engine(), os.environ[variable]
    run = lab.place(engine, "a cat", provider)
    eventually(lambda: run.record.job.id)
    monkeypatch.delenv(variable)
    error = told(ending(run), errors.KeyMissing)
    assert "stays paid for" in error.money
    assert "Nothing" not in error.money
    assert (
        f"Set {variable}, or run '%hailuo key {provider}', then run '%hailuo resume'." == error.todo
    )
    assert "demo" not in error.todo
    monkeypatch.setenv(variable, key)
    assert engine.resume() == [run]
    assert run.wait(60).clip is not None
    assert run.record.problem is None
    assert lab.submits() == 1


def test_what_keeps_a_clip_from_being_watched_again_says_that_it_is_paid_for(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.record.job.id)
    engine.stop()
    monkeypatch.setenv("ALL_PROXY", "nonsense://nowhere")
    (found,) = lab.engine().resume()
    error = told(ending(found, 10), errors.SettingsError)
    assert "stays paid for" in error.money
    assert "ALL_PROXY" in error.todo
    assert error.todo.endswith(", then run '%hailuo resume'.")
    monkeypatch.delenv("ALL_PROXY")
    (found,) = lab.engine().resume()
    assert found.wait(60).clip is not None
    assert lab.submits() == 1


def test_a_key_that_is_gone_before_the_submit_leaves_the_run_unsent(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, frame: Path
) -> None:
    monkeypatch.setattr(keys, "_from_keyring", lambda _: None)
    lab.sim.fault("delay", "upload", seconds=0.5)
    run = lab.place(lab.engine(), image=frame)
    monkeypatch.delenv("SEGMIND_API_KEY")
    told(ending(run), errors.KeyMissing)
    assert run.status in {State.PREPARED, State.UPLOADING}
    assert lab.submits() == 0


def test_a_job_that_the_provider_has_forgotten_expires_after_the_retention(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab()
    lab.sim.fault("forgotten")
    lab.sim.fault("expired", "account", count=None)  # its history does not show the job either
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lab.submits)
    eventually(lambda: run.record.problem is not None or run.status is State.EXPIRED)
    assert run.status is not State.EXPIRED, "a 404 before that time proves nothing"
    engine.stop()
    # A day later: the same log, by a clock that has gone on.
    later = Engine(lab.settings, Clock(wall=lambda: time.time() + 86_400))
    lab.engines.append(later)
    later.resume()
    error = told(ending(later.run(run.run_id)), errors.JobExpired)
    assert later.run(run.run_id).status is State.EXPIRED
    assert "--new" in error.todo
    with pytest.raises(errors.NotBought, match="expired"):
        lab.place(later)


def test_a_laptop_that_slept_too_long_still_asks_before_it_gives_up(
    make_lab: Callable[..., EngineFixture],
) -> None:
    """The retention is an inference at one provider, and nobody was asked yet."""
    lab = make_lab(min_polls=0)
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.record.job.id)
    engine.stop()
    eventually(lambda: lab.sim.ledger[0].state == "done")
    later = Engine(lab.settings, Clock(wall=lambda: time.time() + 86_400))
    lab.engines.append(later)
    later.resume()
    assert later.run(run.run_id).wait(60).clip is not None


def test_a_run_that_outlived_the_retention_is_left_to_the_person(
    make_lab: Callable[..., EngineFixture],
) -> None:
    lab = make_lab(segmind_retention=1e9)
    lab.sim.fault("stuck")
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.record.job.id)
    engine.stop()
    later = Engine(lab.settings, Clock(wall=lambda: time.time() + 86_400))
    lab.engines.append(later)
    (found,) = later.resume()
    error = told(ending(found), errors.ProviderDown)
    assert found.status not in {State.FAILED, State.EXPIRED}, "nobody knows that"
    assert "%hailuo resume" in error.todo


@BOTH
def test_an_expired_link_is_followed_by_a_new_one(lab: EngineFixture, provider: str) -> None:
    lab.sim.fault("media-expired")
    run = lab.place(lab.engine(), "a cat", provider)
    run.wait(60)
    stage = "result" if provider == "segmind" else "status"
    after = [each.stage for each in lab.sim.requests]
    first = after.index("media")
    assert stage in after[first:], "the provider was asked for a new link"


def test_a_refused_host_is_told_as_unsent(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMIND_BASE_URL", "https://api.segmind.com")
    run = lab.place(lab.engine())
    error = told(ending(run), errors.ProviderDown)
    assert "HAILUO_LOOPBACK_ONLY" in error.what
    assert not lab.sim.requests


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "nonsense://nowhere"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem"),
    ],
)
def test_what_keeps_from_the_network_is_an_error_of_the_cell(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each in CERTIFICATE_VARIABLES:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, value)
    run = lab.place(lab.engine())
    error = told(ending(run), errors.SettingsError)
    assert error.what.startswith(f"{name} is '{value}', which ")
    assert name in error.todo
    assert run.status is State.PREPARED
    monkeypatch.delenv(name)
    assert lab.place(lab.engine()).wait(60).clip is not None, "without a restart"
    assert lab.submits() == 1


def test_the_rate_limit_that_is_set_holds_for_the_engine(lab: EngineFixture) -> None:
    settings = Hailuo(run_log=str(lab.log), requests_per_minute={"segmind": 3})
    engine = Engine(settings)
    lab.engines.append(engine)
    runs = [lab.place(engine, f"a cat {i}") for i in range(5)]

    def asked() -> int:
        return sum(each.stage in ("submit", "status", "result") for each in lab.sim.requests)

    eventually(lambda: asked() >= 3)
    time.sleep(1)  # time enough for more of them
    assert asked() == 3
    assert sum(run.status is State.PREPARED for run in runs) == 2
