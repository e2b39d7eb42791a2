"""fal through the engine: queue, cancellation, failures behind COMPLETED, units, uploads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually


def test_a_clip_its_place_in_the_queue_and_its_price(
    make_lab: Callable[..., EngineFixture],
) -> None:
    made = make_lab(fal_seconds=3600.0, fal_queue=9)
    run = made.place(made.engine(), "a cat", "fal")
    eventually(lambda: run.record.job.queue_position == 8)
    made.sim.advance(3600.0)
    assert run.wait(60).clip is not None
    record = run.record
    assert (record.cost.actual, record.cost.confirmed) == (0.27, True)
    [job] = made.sim.ledger
    assert job.endpoint == "/fal-ai/minimax/hailuo-02/standard/text-to-video"
    assert job.body == {"prompt": "a cat", "prompt_optimizer": True, "duration": "6"}


def test_unknown_units_count_as_the_estimate(make_lab: Callable[..., EngineFixture]) -> None:
    made = make_lab(fal_units=False)
    engine = made.engine()
    run = made.place(engine, "a cat", "fal", resolution="1080P")
    assert run.wait(60).clip is not None
    assert run.record.cost.actual is None
    (log,) = engine.logs()
    assert log.spending()[()].total == pytest.approx(0.48)
    assert made.sim.ledger[0].endpoint.endswith("/pro/text-to-video")


def test_frames_are_uploaded_in_two_calls_and_the_second_has_no_key(
    make_lab: Callable[..., EngineFixture], frame: Path
) -> None:
    made = make_lab(media_elsewhere=True)
    run = made.place(made.engine(), "x", "fal", image=frame, last_image=frame)
    assert run.wait(60).clip is not None
    [job] = made.sim.ledger
    assert (job.first_frame, job.last_frame) == ("asset", "asset")
    sent = [each for each in made.sim.requests if each.method == "PUT"]
    assert [each.had_authorization for each in sent] == [False, False]


@pytest.mark.parametrize("tells", [True, False])
def test_completed_may_mean_failure(make_lab: Callable[..., EngineFixture], tells: bool) -> None:
    made = make_lab(fal_status_tells=tells)
    made.sim.fault("moderation")
    run = made.place(made.engine(), "a cat", "fal")
    problem = ending(run)
    assert isinstance(problem, errors.Moderated)
    assert "may be charged" in problem.money
    assert run.status is State.FAILED


def test_a_queued_job_is_cancelled_for_nothing(make_lab: Callable[..., EngineFixture]) -> None:
    made = make_lab(fal_seconds=3600.0)
    engine = made.engine()
    run = made.place(engine, "a cat", "fal")
    eventually(lambda: run.status is State.QUEUED)
    run.cancel()
    problem = ending(run)
    assert isinstance(problem, errors.Cancelled)
    assert "Not charged" in problem.money
    (log,) = engine.logs()
    assert log.spending() == {}
    assert made.submits() == 1


def test_what_has_started_may_be_charged(make_lab: Callable[..., EngineFixture]) -> None:
    made = make_lab(fal_seconds=3600.0, queue_share=0.0)
    engine = made.engine()
    run = made.place(engine, "a cat", "fal")
    eventually(lambda: run.status is State.GENERATING)
    run.cancel()
    problem = ending(run)
    assert isinstance(problem, errors.Cancelled)
    assert "undocumented" in problem.money
    (log,) = engine.logs()
    assert log.spending()[()].total == pytest.approx(0.27)


def test_a_cancellation_that_comes_too_late_changes_nothing(
    make_lab: Callable[..., EngineFixture],
) -> None:
    made = make_lab(fal_seconds=2.0, fal_cancels_late=True)
    run = made.place(made.engine(), "a cat", "fal")
    eventually(lambda: run.status in {State.QUEUED, State.GENERATING})
    run.cancel()
    assert run.wait(60).clip is not None
    with pytest.raises(errors.CannotCancel, match="completed"):
        run.cancel()


def test_another_kernel_learns_of_a_cancellation_that_was_not_recorded(
    make_lab: Callable[..., EngineFixture],
) -> None:
    """The kernel may die between the provider's answer and the log."""
    made = make_lab(fal_seconds=3600.0)
    first = made.engine()
    run = made.place(first, "a cat", "fal")
    eventually(lambda: run.status is State.QUEUED)
    made.sim.fault("lost-answer", "cancel")
    with pytest.raises(errors.ProviderDown) as caught:
        run.cancel()
    assert "Cancel it again" in caught.value.todo
    first.stop()
    again = made.engine()
    [taken] = again.resume([run.run_id])
    assert isinstance(ending(taken), errors.Cancelled)
    assert "cancel" not in taken.record.job.answers
    assert made.submits() == 1


def test_a_locked_account_and_a_bad_key(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_lab()
    engine = made.engine()
    for key, kind in (
        ("fal-broke-0123456789", errors.NoCredits),
        ("fal-refused-0123456789", errors.KeyRefused),
    ):
        monkeypatch.setenv("FAL_KEY", key)
        problem = ending(made.place(engine, f"a cat {kind.code}", "fal"))
        assert type(problem) is kind
        assert problem.money == "No charge."
