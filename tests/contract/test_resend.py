"""A lost answer at Runware: asking by our own id, and repeating the submit under it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hailuo_jupyter.errors import AnswerLost
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hailuo_jupyter.engine.resend._PAUSE_S", 0.05)


def test_a_lost_answer_is_resolved_and_nothing_is_bought_twice(lab: EngineFixture) -> None:
    lab.sim.fault("lost-answer", "submit")
    run = lab.place(lab.engine(), provider="runware")
    assert ending(run) is None
    (job,) = lab.sim.ledger
    assert job.id == run.record.job.id == run.record.job.client_request_id
    assert run.run_id not in job.id


def test_a_request_that_never_arrived_is_sent_again_under_the_same_id(lab: EngineFixture) -> None:
    lab.sim.fault("drop-before-reading", "submit", count=2)
    run = lab.place(lab.engine(), provider="runware")
    assert ending(run) is None
    (job,) = lab.sim.ledger
    assert job.id == run.record.job.client_request_id
    assert lab.submits() == 3


def test_a_job_that_is_not_shown_is_known_by_the_refusal_of_the_repeat(lab: EngineFixture) -> None:
    lab.sim.fault("stuck", "submit")
    lab.sim.fault("lost-answer", "submit")
    lab.sim.fault("http-500", "status", count=3)
    run = lab.place(lab.engine(), provider="runware")
    eventually(lambda: run.status not in {State.PREPARED, State.SUBMITTING})
    assert run.status in {State.SUBMITTED, State.QUEUED, State.GENERATING}
    assert lab.submits() == 2
    assert len(lab.sim.ledger) == 1


def test_what_a_repeat_is_refused_for_says_nothing_of_the_first(lab: EngineFixture) -> None:
    lab.sim.fault("drop-before-reading", "submit")
    lab.sim.fault("no-credits", "submit", skip=0)
    run = lab.place(lab.engine(), provider="runware")
    assert isinstance(ending(run), AnswerLost)
    assert run.status is State.UNCONFIRMED


def test_after_some_minutes_it_stays_unconfirmed(lab: EngineFixture) -> None:
    lab.sim.fault("drop-before-reading", "submit", count=None)
    order = lab.order(provider="runware")
    assert order.provider.resend is not None
    late = replace(order.provider, resend=replace(order.provider.resend, within_s=0.0))
    (placed,) = lab.engine().submit(replace(order, provider=late))
    assert isinstance(ending(placed.run), AnswerLost)
    assert placed.run.status is State.UNCONFIRMED
    assert lab.submits() == 1


def test_other_providers_are_never_sent_to_twice(lab: EngineFixture) -> None:
    lab.sim.fault("lost-answer", "submit")
    run = lab.place(lab.engine(), provider="replicate")
    assert isinstance(ending(run), AnswerLost)
    assert lab.submits() == 1


def test_the_next_engine_asks_about_a_run_that_was_being_sent(lab: EngineFixture) -> None:
    lab.sim.fault("delay", "submit", seconds=600)
    first = lab.engine()
    run = lab.place(first, provider="runware")
    eventually(lambda: len(lab.sim.ledger) == 1)
    first.stop()
    second = lab.engine()
    second.resume()
    eventually(lambda: second.run(run.run_id).status is State.COMPLETED)
    assert len(lab.sim.ledger) == 1
    assert lab.submits() <= 1
