"""MiniMax through the engine: errors under 200, the file's id, two hosts, the limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually


def test_a_clip_is_a_file_whose_link_a_third_call_returns(lab: EngineFixture) -> None:
    run = lab.place(lab.engine(), "a cat", "minimax")
    assert run.wait(60).clip is not None
    assert [each.stage for each in lab.sim.requests if each.stage in {"submit", "result"}] == [
        "submit",
        "result",
    ]
    [job] = lab.sim.ledger
    assert job.body == {
        "model": "MiniMax-Hailuo-02",
        "prompt": "a cat",
        "resolution": "768P",
        "duration": 6,
        "prompt_optimizer": True,
    }
    assert run.record.job.answers["status"]["file_id"]


def test_the_link_s_call_is_repeated_when_the_link_has_expired(lab: EngineFixture) -> None:
    lab.sim.fault("media-expired", count=2)
    run = lab.place(lab.engine(), "a cat", "minimax")
    assert run.wait(120).clip is not None
    asked = [each for each in lab.sim.requests if each.stage == "result"]
    assert len(asked) == 3
    assert lab.submits() == 1


def test_without_the_recorded_id_the_status_is_asked_for_it(lab: EngineFixture) -> None:
    lab.sim.fault("no-link", "status", count=1)
    run = lab.place(lab.engine(), "a cat", "minimax")
    assert run.wait(60).clip is not None
    assert "file_id" not in run.record.job.answers["status"]


def test_512p_with_a_first_frame(lab: EngineFixture, frame: Path) -> None:
    run = lab.place(lab.engine(), "x", "minimax", image=frame, resolution="512P")
    assert run.wait(60).clip is not None
    [job] = lab.sim.ledger
    assert (job.first_frame, job.body["resolution"], job.charged) == ("data", "512P", 0.1)


def test_a_limit_under_200_throttles_like_a_429(lab: EngineFixture) -> None:
    """The limiter learns from the code in the body, so no second run is refused in vain."""
    lab.sim.fault("rate-limited", "submit", count=1)
    engine = lab.engine()
    run = lab.place(engine, "a cat", "minimax")
    assert run.wait(120).clip is not None
    assert lab.submits() == 2
    assert [each.status for each in lab.sim.requests if each.stage == "submit"] == [200, 200]
    (log,) = engine.logs()
    account = engine.row(run.run_id).account
    assert account is not None
    with log.rate_limit(account, "the test", lab.sim.now()) as rows:
        assert rows.state, "a limit was learned"


@pytest.mark.parametrize(
    ("key", "kind", "words"),
    [
        ("sk-api-refused-0123456789", errors.KeyRefused, "MINIMAX_API_HOST"),
        ("sk-cp-broke-0123456789", errors.NoCredits, "sk-api-"),
    ],
)
def test_a_key_for_the_other_host_and_an_empty_purse(
    lab: EngineFixture,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    kind: type[errors.HailuoError],
    words: str,
) -> None:
    monkeypatch.setenv("MINIMAX_API_KEY", key)
    run = lab.place(lab.engine(), "a cat", "minimax")
    problem = ending(run)
    assert type(problem) is kind
    assert problem.money == "No charge."
    assert words in problem.todo
    assert run.status is State.REJECTED
    assert lab.submits() == 1


def test_refused_content(lab: EngineFixture) -> None:
    lab.sim.fault("moderation")
    run = lab.place(lab.engine(), "a cat", "minimax")
    problem = ending(run)
    assert isinstance(problem, errors.Moderated)
    assert "undocumented" in problem.money


def test_another_kernel_fetches_the_clip(make_lab: Callable[..., EngineFixture]) -> None:
    made = make_lab(minimax_seconds=3600.0)
    first = made.engine()
    run = made.place(first, "a cat", "minimax")
    eventually(lambda: run.status in {State.QUEUED, State.GENERATING})
    first.stop()
    made.sim.advance(3600.0)
    [taken] = made.engine().resume([run.run_id])
    assert taken.wait(60).clip is not None
    assert made.submits() == 1
