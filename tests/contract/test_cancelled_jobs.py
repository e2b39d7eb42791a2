"""A job that is cancelled at its provider, by an engine and through the simulator."""

from __future__ import annotations

import pytest

from hailuo_jupyter.errors import Cancelled, CannotCancel
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import Owner, RunLog
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually


def test_a_cancelled_job_ends_the_run_and_says_what_it_costs(lab: EngineFixture) -> None:
    lab.sim.fault("stuck")
    engine = lab.engine()
    run = lab.place(engine, provider="replicate")
    eventually(lambda: run.status in {State.QUEUED, State.GENERATING})
    run.cancel()
    error = ending(run)
    assert isinstance(error, Cancelled)
    assert "charges for it" in error.money
    assert run.record.state is State.FAILED
    (job,) = lab.sim.ledger
    assert (job.wire, job.downloads) == ("replicate", 0)
    assert lab.submits() == 1


def test_a_cancellation_that_comes_too_late_leaves_the_clip(lab: EngineFixture) -> None:
    engine = lab.engine()
    run = lab.place(engine, provider="replicate")
    assert ending(run) is None
    with pytest.raises(CannotCancel):
        run.cancel()
    assert run.record.clip is not None


@pytest.mark.parametrize(
    ("provider", "state", "said", "todo"),
    [
        ("replicate", "submitting", "is being submitted", "then cancel it again"),
        ("replicate", "downloading", "has ended", ""),
        ("segmind", "submitting", "can't cancel a job", ""),
    ],
)
def test_what_cannot_be_cancelled_in_this_state_says_so(
    lab: EngineFixture, provider: str, state: str, said: str, todo: str
) -> None:
    engine, order = lab.engine(), lab.order("a cat", provider)
    record = prepare(order.request, order.provider, origin=order.origin)
    for each in ("submitting", "submitted", "downloading"):
        record = record.moved(State(each), job={"id": None if each == "submitting" else "a-job"})
        if each == state:
            break
    with RunLog(lab.log) as log, Owner(lab.log) as owner:
        log.insert(record, folder=lab.clips, kind="", owner=owner.id)
        with pytest.raises(CannotCancel, match=said) as caught:
            engine.cancel(record.run_id)
        assert "paid for" in caught.value.money
        assert ("may have arrived" in caught.value.money) == (state == "submitting")
        assert todo in caught.value.todo
        assert log.get(record.run_id).record == record, "the job is not lost"
