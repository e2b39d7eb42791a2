"""What runs did cost and what became of lost answers, learned from the providers' histories."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.engine import scribe, settle, sidecar
from hailuo_jupyter.engine.desk import Wires
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import AnswerLost, BudgetExceeded
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.base import Call, Dialect, Reply
from hailuo_jupyter.providers.http import Http
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State

from .conftest import Lab, ending, eventually, script

BOTH = pytest.mark.parametrize("provider", ["segmind", "aimlapi"])


pytestmark = pytest.mark.usefixtures("histories_soon")


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(history_delay=0.3, segmind_seconds=0.1, aimlapi_6s_seconds=0.1)


def asked(lab: Lab) -> int:
    """Give how often a history was asked."""
    return sum(each.path.endswith(("/request-history", "/v2/logs")) for each in lab.sim.requests)


def lost(lab: Lab, provider: str, prompt: str = "a cat", **how: Any) -> Run:
    """Give a run whose submit arrived and whose answer did not."""
    lab.sim.fault("lost-answer", "submit", prompt=prompt)
    run = lab.place(lab.engines[-1] if lab.engines else lab.engine(), prompt, provider, **how)
    assert isinstance(ending(run, 10), AnswerLost) or run.status is not State.UNCONFIRMED
    return run


# ── costs ──────────────────────────────────────────────────────────────────────────────────────


def test_the_history_tells_what_a_clip_did_cost(lab: Lab) -> None:
    run = lab.place(lab.engine())
    run.wait(60)
    before = run.record
    assert before.cost.actual is None
    eventually(lambda: run.record.cost.actual)
    record = run.record
    assert record.cost.actual == lab.sim.ledger[0].charged == 0.3875
    assert record.cost.actual_source == "Segmind's request history"
    assert (record.state, record.revision) == (State.COMPLETED, before.revision + 1)
    assert (record.cost.estimate_high, record.clip) == (before.cost.estimate_high, before.clip)
    eventually(lambda: lab.beside(run)["cost"]["actual"] == 0.3875)
    assert not lab.engines[0].logs()[0].unsettled(0.0)  # so it is not asked again
    assert lab.submits() == 1


def test_a_status_that_tells_the_cost_spares_the_history(lab: Lab) -> None:
    run = lab.place(lab.engine(), "a cat", "aimlapi")  # legacy: only its headers tell
    run.wait(60)
    assert run.record.cost.actual == lab.sim.ledger[0].charged == 0.294
    assert run.record.cost.actual_source == "AI/ML API's answer"
    assert not lab.engines[0].logs()[0].unsettled(0.0)
    assert not asked(lab)


@BOTH
def test_a_failed_job_learns_that_it_was_not_charged(lab: Lab, provider: str) -> None:
    lab.sim.fault("job-fails")
    run = lab.place(lab.engine(), "a cat", provider)
    assert isinstance(ending(run), errors.JobFailed)
    eventually(lambda: run.record.cost.actual is not None)
    assert run.record.cost.actual == 0
    assert run.record.problem is not None
    assert run.record.problem.money.startswith("It was not charged, says ")
    assert "could not make the clip" in run.record.problem.what


def test_a_history_that_is_down_late_or_empty_costs_nothing(lab: Lab) -> None:
    for fault in ("http-503", "html", "json-list", "lost-answer", "rate-limited-seconds"):
        lab.sim.fault(fault, "account")
    for fault in ("history-missing", "history-no-cost"):
        lab.sim.fault(fault, "account", count=2)
    lab.sim.fault("history-repeats", "account", count=None)
    run = lab.place(lab.engine())
    run.wait(60)  # no word of the history in between
    eventually(lambda: run.record.cost.actual)
    assert run.record.cost.actual == 0.3875
    assert run.record.problem is None
    assert not lab.sim.faults[:-1]


def test_the_next_kernel_asks_for_what_the_last_one_did_not_learn(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.sim.fault("http-503", "account", count=None)
    first = lab.engine()
    run = lab.place(first)
    run.wait(60)
    first.stop()
    lab.sim.clear_faults()
    monkeypatch.setattr(settle, "OTHERS_S", 0.5)
    second = lab.engine()
    second.logs()
    eventually(lambda: second.row(run.run_id).record.cost.actual)


def test_the_demo_is_free_and_is_not_asked_about(lab: Lab) -> None:
    run = lab.place(lab.engine(), "a cat", "demo")
    run.wait(60)
    assert [log.unsettled(0.0) for log in lab.engines[0].logs()] == [[], []]
    assert not asked(lab)


def test_a_gateways_key_is_not_sent_to_the_providers_own_host(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGMIND_HISTORY_URL")
    sent: list[str] = []
    send = Http.send

    async def noted(self: Http, call: Call, *given: Any, **how: Any) -> Reply:
        sent.append(call.url)
        return await send(self, call, *given, **how)

    monkeypatch.setattr(Http, "send", noted)
    rounds = 0
    dialect = Wires.dialect

    def counted(self: Wires, provider: Provider) -> Dialect:
        nonlocal rounds
        rounds += 1
        return dialect(self, provider)

    lab.place(lab.engine()).wait(60)
    monkeypatch.setattr(Wires, "dialect", counted)
    eventually(lambda: rounds > 2)
    assert {urlsplit(url).hostname for url in sent} == {"127.0.0.1"}
    lab.settings.ask_history = False  # and whoever wants none of it says so
    monkeypatch.setenv("SEGMIND_HISTORY_URL", f"{lab.sim.url}/inference-request")
    lab.place(lab.engines[0], "a dog").wait(60)
    assert not asked(lab)


# ── lost answers ───────────────────────────────────────────────────────────────────────────────


@BOTH
def test_a_lost_answer_is_found_watched_and_fetched(lab: Lab, provider: str) -> None:
    lab.sim.fault("history-foreign", "account", count=None)
    run = lost(lab, provider)
    eventually(lambda: run.status is State.COMPLETED)
    record = run.record
    assert run.clip is not None
    assert record.job.id == lab.sim.ledger[0].id
    assert record.problem is None
    assert record.job.answers["history"]["id"] == record.job.id
    # The provider's retention counts from when it was sent.
    assert record.times["submitted"] == record.times["submitting"]
    assert "foreign" not in record.to_json()
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 1)
    # It took long to learn of the end, so nothing is learned from that about times.
    assert lab.engines[-1].logs()[0].durations(record_kind(lab)) == []


def test_a_lost_answer_is_left_to_who_is_still_writing_it_down(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, write = threading.Event(), sidecar.write_beside

    def slowly(row: Row, log: RunLog) -> None:
        held.wait(20)
        write(row, log)

    monkeypatch.setattr(sidecar, "write_beside", slowly)
    lab.sim.fault("lost-answer", "submit")
    run = lab.place(lab.engine())
    eventually(lambda: run.status is State.UNCONFIRMED)
    looks = asked(lab)
    eventually(lambda: asked(lab) > looks + 8)  # by then the history shows it
    assert run.status is State.UNCONFIRMED
    held.set()
    eventually(lambda: run.status is State.COMPLETED)
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 1)


def record_kind(lab: Lab) -> str:
    return lab.order().request.kind


def test_a_kernel_that_died_while_it_sent(lab: Lab) -> None:
    lab.sim.fault("delay", "submit", seconds=30.0)
    code = script('h.generate("a heron", "segmind")')
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], cwd=lab.folder)
    eventually(lambda: lab.sim.ledger)
    process.kill()
    process.wait()
    lab.sim.clear_faults()
    engine = lab.engine()
    assert engine.resume() == []
    (run_id,) = [row.run_id for row in engine.logs()[0].recent()]
    run = engine.run(run_id)
    eventually(lambda: run.status is State.COMPLETED)
    assert len(lab.sim.ledger) == 1


def test_resuming_looks_again_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "LOOKS", (3600.0,))
    run = lost(lab, "segmind")
    lab.sim.advance(1.0)
    assert not asked(lab)
    lab.engines[-1].resume()
    eventually(lambda: run.status is State.COMPLETED)


def test_a_failed_row_ends_the_run(lab: Lab) -> None:
    lab.sim.fault("job-fails")
    run = lost(lab, "aimlapi")
    eventually(lambda: run.status is State.FAILED)
    record = run.record
    assert record.problem is not None
    assert (record.problem.code, record.cost.actual) == ("job_failed", 0.0)
    assert "was not charged" in record.problem.money


def test_two_equal_requests_are_not_told_apart(lab: Lab) -> None:
    engine = lab.engine()
    lab.sim.fault("lost-answer", "submit", count=2)
    runs = [each.run for each in engine.place(lab.order(count=2))]
    for run in runs:
        ending(run, 10)
    eventually(lambda: all("2 are alike" in _what(run) for run in runs))
    assert {run.status for run in runs} == {State.UNCONFIRMED}
    assert (lab.submits(), len(lab.sim.ledger)) == (2, 2)
    # By our own id they can be told apart.
    lab.sim.fault("lost-answer", "submit", count=2)
    others = [each.run for each in engine.place(lab.order(provider="aimlapi", count=2))]
    eventually(lambda: {run.status for run in others} == {State.COMPLETED})
    ids = {entry.client_request_id: entry.id for entry in lab.sim.ledger if entry.wire == "aimlapi"}
    for run in others:
        assert run.record.job.id == ids[run.record.job.client_request_id]


def _what(run: Run) -> str:
    return run.record.problem.what if run.record.problem else ""


def test_a_request_of_another_run_is_never_taken(lab: Lab) -> None:
    """Of three equal requests the answered one is known; the one that never arrived stays so."""
    engine = lab.engine()
    lab.place(engine, "a cat", new=True).wait(60)
    lab.sim.fault("drop-before-reading", "submit")
    run = lab.place(engine, "a cat", new=True)
    ending(run, 10)
    assert run.status is State.UNCONFIRMED
    lab.place(engine, "a cat", new=True).wait(60)
    count = asked(lab)
    eventually(lambda: asked(lab) > count + 5)
    assert run.status is State.UNCONFIRMED
    assert run.record.job.id is None


def test_a_request_whose_answer_is_still_on_its_way_is_not_taken(lab: Lab) -> None:
    engine = lab.engine()
    lab.sim.fault("drop-before-reading", "submit")
    run = lab.place(engine, "a cat", new=True)
    ending(run, 10)
    lab.sim.fault("delay", "submit", seconds=1.0)
    other = lab.place(engine, "a cat", new=True)
    eventually(lambda: lab.sim.ledger)
    count = asked(lab)
    # Its row comes before its answer does.
    eventually(lambda: asked(lab) > count + 4 or other.status is not State.SUBMITTING)
    other.wait(60)
    assert other.record.job.id == lab.sim.ledger[0].id
    assert (run.status, run.record.job.id) == (State.UNCONFIRMED, None)
    assert "alike" not in _what(run)


@BOTH
def test_what_is_not_there_is_said_only_after_long(
    lab: Lab, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab.engine()
    lab.sim.fault("drop-before-reading", "submit")
    run = lab.place(engine, "a cat", provider)
    ending(run, 10)
    before = _what(run)
    count = asked(lab)
    eventually(lambda: asked(lab) > count + 3)
    assert _what(run) == before  # rows come late
    monkeypatch.setattr(scribe, "ABSENT_AFTER_S", 0.1)
    # A row that cannot be read may be the one.
    eventually(lambda: _what(run) != before)
    problem = run.record.problem
    assert problem is not None
    assert "does not show the request" in problem.what
    assert problem.money == "It was probably not bought."
    assert (run.status, len(lab.sim.ledger)) == (State.UNCONFIRMED, 0)
    with pytest.raises(errors.NotBought, match="does not show"):
        lab.place(engine, "a cat", provider)
    assert lab.submits() == 1


def test_a_log_without_ids_proves_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.sim.fault("log-nulls", "account", count=None)
    run = lost(lab, "aimlapi")
    eventually(lambda: lab.sim.ledger[0].state == "done")
    lab.sim.advance(5.0)  # its row has come
    monkeypatch.setattr(scribe, "ABSENT_AFTER_S", 0.1)
    before, count = _what(run), asked(lab)
    eventually(lambda: asked(lab) > count + 5)
    assert (run.status, _what(run)) == (State.UNCONFIRMED, before)
    lab.sim.clear_faults()
    eventually(lambda: run.status is State.COMPLETED)


def test_a_colleagues_equal_request_makes_it_ambiguous(lab: Lab) -> None:
    lab.sim.fault("history-twin", "account", count=None)
    run = lost(lab, "segmind")
    eventually(lambda: "2 are alike" in _what(run))
    assert run.status is State.UNCONFIRMED


def test_histories_have_a_rate_limit_of_their_own(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "_PER_MINUTE", 2)
    lab.sim.fault("history-missing", "account", count=None)
    engine = lab.engine()
    lab.place(engine).wait(60)
    eventually(lambda: asked(lab) == 2)
    lab.place(engine, "a dog").wait(60)
    assert asked(lab) == 2


# ── budgets ────────────────────────────────────────────────────────────────────────────────────


def test_what_would_pass_a_budget_is_not_sent(lab: Lab) -> None:
    engine = lab.engine()
    lab.settings.budget_notebook_usd = 0.8
    runs = lab.placed(engine, count=2)  # at most 0.3875 each
    with pytest.raises(BudgetExceeded, match=r"this notebook is 0\.80 USD") as caught:
        lab.place(engine, "a dog")
    assert "0.78 USD are spent or reserved, 0.78 of it under way" in caught.value.what
    assert "nothing was paid" in caught.value.money
    assert lab.submits() <= 2
    for each in runs:
        each.run.wait(60)
    assert [each.run.run_id for each in lab.placed(engine, count=2)]  # what is there is free
    with pytest.raises(BudgetExceeded):
        lab.placed(engine, "a bird", count=3)  # the whole order, or nothing
    assert engine.logs()[0].count() == 2
    lab.settings.budget_notebook_usd = 0.0
    lab.settings.budget_day_usd = 1.0
    with pytest.raises(BudgetExceeded, match="today"):
        lab.place(engine, "a dog")
    lab.settings.budget_day_usd = None
    lab.place(engine, "a dog").wait(60)
    lab.settings.budget_day_usd = 0.01
    lab.place(engine, "a fish", "demo").wait(60)


def test_what_was_not_bought_does_not_count(lab: Lab) -> None:
    engine = lab.engine()
    lab.settings.budget_notebook_usd = 0.4
    lab.sim.fault("bad-request", "submit")
    ending(lab.place(engine, "[refused]"))
    lab.sim.fault("job-fails")
    failed = lab.place(engine, "[fails]")
    ending(failed)
    eventually(lambda: failed.record.cost.actual == 0)  # known to be free
    lab.sim.fault("drop-before-reading", "submit")
    ending(lab.place(engine, "[lost]"))  # maybe bought, so it counts
    with pytest.raises(BudgetExceeded, match=r"0\.39 of it under way or unconfirmed"):
        lab.place(engine, "a dog")


def test_an_unknown_price_needs_a_yes_under_a_budget(lab: Lab) -> None:
    engine = lab.engine()
    order = lab.order()
    unknown = replace(order.provider, prices=order.provider.prices[-1:])
    lab.settings.budget_day_usd = 5.0
    with pytest.raises(BudgetExceeded, match="nobody publishes"):
        engine.place(replace(order, provider=unknown))
    (placed,) = engine.place(replace(order, provider=unknown, yes=True))
    assert placed.run.record.cost.kind == "unknown"
    placed.run.wait(60)


#: Between the look at the budget and the writing down passes time enough for the other one.
TWO = """
import sys, time
import hailuo_jupyter.engine.budget as budget
from hailuo_jupyter.settings import Hailuo
Hailuo.instance().budget_day_usd = 2.0
check = budget.check
def slowly(*given, **how):
    check(*given, **how)
    time.sleep(0.2)
budget.check = slowly
print("ready", flush=True)
sys.stdin.readline()
bought = 0
for each in range(5):
    try:
        h.generate(f"{sys.argv[1]} {each}", "segmind")
        bought += 1
    except h.HailuoError as error:
        assert "budget" in error.code, error
print(bought, flush=True)
"""


def test_two_kernels_cannot_pass_a_budget_together(lab: Lab) -> None:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    kernels = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script(TWO), name], cwd=lab.folder, **pipes
        )
        for name in ("one", "two")
    ]
    for kernel in kernels:
        assert kernel.stdout.readline() == "ready\n"
    for kernel in kernels:  # both at once
        kernel.stdin.write("\n")
        kernel.stdin.flush()
    bought = [int(kernel.communicate(timeout=60)[0].split()[0]) for kernel in kernels]
    # 5 clips at up to 0.3875 USD are 1.94 USD; 6 would be too dear.
    assert (sum(bought), lab.submits(), len(lab.sim.ledger)) == (5, 5, 5)
