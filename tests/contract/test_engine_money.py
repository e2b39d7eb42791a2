"""What runs did cost and what became of lost answers, learned from the providers' histories."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hailuo_jupyter import catalogue, errors
from hailuo_jupyter.catalogue import price_lists
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import (
    sidecar_sync,
)
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.resources import ProviderRegistry
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import AnswerLost, BudgetExceeded
from hailuo_jupyter.providers.base import Call, Dialect, Reply
from hailuo_jupyter.providers.http import Http
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.adopt import adopt
from hailuo_jupyter.runlog.spending import Spending
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually, script, shorten

BOTH = pytest.mark.parametrize("provider", ["segmind", "aimlapi"])


pytestmark = pytest.mark.usefixtures("histories_soon")


@pytest.fixture
def lab(make_lab: Callable[..., EngineFixture]) -> EngineFixture:
    return make_lab(history_delay=0.3, segmind_seconds=0.1, aimlapi_6s_seconds=0.1)


def asked(lab: EngineFixture) -> int:
    """Return how often a history was asked."""
    histories = ("/request-history", "/v2/logs")
    return sum(any(each in request.path for each in histories) for request in lab.sim.requests)


def lost(lab: EngineFixture, provider: str, prompt: str = "a cat", **how: Any) -> Run:
    """Give a run whose submit arrived and whose answer did not."""
    lab.sim.fault("lost-answer", "submit", prompt=prompt)
    run = lab.place(lab.engines[-1] if lab.engines else lab.engine(), prompt, provider, **how)
    assert isinstance(ending(run, 10), AnswerLost) or run.status is not State.UNCONFIRMED
    return run


# ── costs ──────────────────────────────────────────────────────────────────────────────────────


def test_the_history_tells_what_a_clip_did_cost(lab: EngineFixture) -> None:
    lab.sim.fault("http-503", "account", count=None)
    run = lab.place(lab.engine())
    run.wait(60)
    before = run.record
    assert (before.cost.actual, before.cost.confirmed) == (0.3875, False)  # `metrics.cost`
    assert before.cost.actual_source == "Segmind's answer"
    lab.sim.clear_faults()
    eventually(lambda: run.record.cost.confirmed)
    record = run.record
    assert record.cost.actual == lab.sim.ledger[0].charged == 0.3875
    assert record.cost.actual_source == "Segmind's request history"
    assert (record.state, record.revision) == (State.COMPLETED, before.revision + 1)
    assert (record.cost.estimate_high, record.clip) == (before.cost.estimate_high, before.clip)
    eventually(lambda: lab.beside(run)["cost"]["actual"] == 0.3875)
    assert not lab.engines[0].logs()[0].unsettled(0.0)  # so it is not asked again
    assert lab.submits() == 1


def test_a_cost_that_the_status_tells_is_confirmed_by_the_history(lab: EngineFixture) -> None:
    lab.sim.fault("http-503", "account", count=None)
    run = lab.place(lab.engine(), "a cat", "aimlapi")  # legacy: only its headers tell
    run.wait(60)
    cost = run.record.cost
    assert cost.actual == lab.sim.ledger[0].charged == 0.294
    assert (cost.actual_source, cost.confirmed) == ("AI/ML API's answer", False)
    lab.sim.clear_faults()
    eventually(lambda: run.record.cost.confirmed)
    cost = run.record.cost
    assert (cost.actual, cost.actual_source) == (0.294, "AI/ML API's log")
    assert not lab.engines[0].logs()[0].unsettled(0.0)


def test_what_an_answer_to_the_submit_holds_is_given_back_if_the_job_fails(
    lab: EngineFixture,
) -> None:
    lab.sim.fault("http-503", "account", count=None)
    lab.sim.fault("job-fails")
    lab.sim.fault("seconds", seconds=1.0)
    engine = lab.engine()
    run = lab.place(engine, "a cat", "aimlapi")
    eventually(lambda: run.record.job.id)
    assert (run.record.cost.actual, run.record.cost.confirmed) == (0.294, False)
    assert engine.logs()[0].spending()[()].reserved == 0.364, "it does not loosen a budget"
    assert isinstance(ending(run), errors.JobFailed)
    cost = run.record.cost
    assert (cost.actual, cost.actual_source) == (0.0, "AI/ML API's documentation")
    assert not engine.logs()[0].spending()


def test_a_run_of_segmind_is_settled_by_its_id(lab: EngineFixture) -> None:
    lab.sim.fault("history-missing", "account", count=2)  # rows come late
    run = lab.place(lab.engine())
    run.wait(60)
    eventually(lambda: run.record.cost.confirmed)
    paths = {each.path for each in lab.sim.requests if "/request-history" in each.path}
    assert paths == {f"/inference-request/request-history/{run.record.job.id}"}


NAN = float("nan")


#: What a poll reports in body or header, what is counted, and whether the refusal has to explain that.
@pytest.mark.parametrize(
    ("usd", "header", "counted", "disputed"),
    [
        (0.0, False, 0.294, True),
        (0.0, True, 0.294, False),  # every answer may have such a header
        (0.000001, False, 0.294, True),
        (0.000001, True, 0.294, True),
        (-0.294, False, 0.294, False),
        (-0.294, True, 0.294, False),
        (NAN, False, 0.294, False),
        (NAN, True, 0.294, False),
        (1000.0, False, 1000.0, True),
        (1000.0, True, 1000.0, True),
    ],
)
def test_a_cost_that_a_poll_reports_does_not_loosen_a_budget(
    lab: EngineFixture, usd: float, header: bool, counted: float, disputed: bool
) -> None:
    lab.sim.fault("http-503", "account", count=None)
    lab.sim.fault("reported-cost", count=None, usd=usd, header=header)
    engine = lab.engine()
    run = lab.place(engine, "a cat", "aimlapi")
    run.wait(60)
    lab.settings.budget_notebook_usd = 0.5  # two clips would be 0.588
    with pytest.raises(BudgetExceeded) as caught:
        lab.place(engine, "a dog", "aimlapi")
    assert ("reported cost is outside the estimate" in caught.value.what) == disputed
    assert engine.logs()[0].spending()[()].total == counted
    # The history knows better.
    lab.sim.clear_faults()
    eventually(lambda: run.record.cost.confirmed)
    assert engine.logs()[0].spending()[()].total == 0.294
    lab.settings.budget_notebook_usd = 0.66  # 0.294 and, at most, 0.364
    lab.place(engine, "a dog", "aimlapi").wait(60)


def test_a_failed_run_counts_for_nothing_where_the_provider_says_so(lab: EngineFixture) -> None:
    lab.sim.fault("http-503", "account", count=None)
    engine = lab.engine()
    lab.settings.budget_notebook_usd = 0.4
    for provider in ("segmind", "aimlapi"):
        lab.sim.fault("job-fails")
        run = lab.place(engine, "[fails]", provider)
        error = ending(run)
        assert error is not None
        title = {"segmind": "Segmind", "aimlapi": "AI/ML API"}[provider]
        assert error.money == f"Not charged, according to {title}; there is no clip."
    assert not engine.logs()[0].spending()
    lab.place(engine, "a cat").wait(60)


@BOTH
def test_a_run_from_elsewhere_counts_when_the_provider_answers_this_key(
    lab: EngineFixture, provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, history_of_others_s=0.1)
    lab.sim.fault("http-503", "account", count=None)
    lab.sim.fault("seconds", prompt="a cat", seconds=5)
    first = lab.engine()
    lab.place(first, "a cat", provider)
    (going,) = [each.run_id for each in first.active_runs()]
    eventually(lambda: first.row(going).job_id)
    done = lab.place(first, "a dog", provider)
    done.wait(60)
    records = [first.row(each).record for each in (going, done.run_id)]
    first.stop()

    second = Engine(Hailuo(run_log=str(tmp_path / "another.sqlite3")))
    lab.engines.append(second)
    log = second.logs()[0]
    for record in records:
        forged = record.costing(estimate_low=0.0, estimate_high=0.0, actual=0.0, confirmed=True)
        adopt(forged, lab.clips, log, clip_here=record.clip is not None)
    assert not log.spending()
    assert log.spending(elsewhere=True)[()].runs == 2
    low = records[0].cost.estimate_low or 0.0
    second.resume([going])
    eventually(lambda: log.spending().get((), Spending()).runs == 1)
    second.run(going).wait(60)
    assert low <= log.spending()[()].total
    assert not log.get(going).elsewhere
    assert log.get(done.run_id).elsewhere, "nothing is asked about a clip that is here"
    lab.sim.clear_faults()
    lab.sim.advance(10.0)
    eventually(lambda: not log.get(done.run_id).elsewhere)
    eventually(lambda: log.spending()[()].total == pytest.approx(lab.sim.ledger.cost))


def test_a_run_of_another_account_never_counts(
    make_lab: Callable[..., EngineFixture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(history_delay=0.3, segmind_seconds=0.1, separate_accounts=True)
    first = lab.engine()
    run = lab.place(first, "a dog")
    run.wait(60)
    first.stop()
    shorten(monkeypatch, history_of_others_s=0.1)
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_another_0123456789")
    second = Engine(Hailuo(run_log=str(tmp_path / "another.sqlite3")))
    lab.engines.append(second)
    log = second.logs()[0]
    adopt(run.record, lab.clips, log, clip_here=True)
    count = asked(lab)
    eventually(lambda: asked(lab) > count + 5)
    assert log.get(run.run_id).elsewhere
    assert not log.spending()


@BOTH
def test_a_failed_job_learns_that_it_was_not_charged(lab: EngineFixture, provider: str) -> None:
    lab.sim.fault("job-fails")
    run = lab.place(lab.engine(), "a cat", provider)
    assert isinstance(ending(run), errors.JobFailed)
    eventually(lambda: run.record.cost.confirmed)
    assert run.record.cost.actual == 0
    assert run.record.problem is not None
    assert run.record.problem.money.startswith("Not charged, according to ")
    assert "could not generate the clip" in run.record.problem.what


def test_a_history_that_is_down_late_or_empty_costs_nothing(lab: EngineFixture) -> None:
    for fault in ("http-503", "html", "json-list", "lost-answer", "rate-limited-seconds"):
        lab.sim.fault(fault, "account")
    for fault in ("history-missing", "history-no-cost"):
        lab.sim.fault(fault, "account", count=2)
    lab.sim.fault("history-repeats", "account", count=None)
    run = lab.place(lab.engine())
    run.wait(60)  # no word of the history in between
    eventually(lambda: run.record.cost.confirmed)
    assert run.record.cost.actual == 0.3875
    assert run.record.problem is None
    assert not lab.sim.faults[:-1]


def test_the_next_kernel_asks_for_what_the_last_one_did_not_learn(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.sim.fault("http-503", "account", count=None)
    first = lab.engine()
    run = lab.place(first)
    run.wait(60)
    first.stop()
    lab.sim.clear_faults()
    shorten(monkeypatch, history_of_others_s=0.5)
    second = lab.engine()
    second.logs()
    eventually(lambda: second.row(run.run_id).record.cost.confirmed)


def test_the_demo_is_free_and_is_not_asked_about(lab: EngineFixture) -> None:
    run = lab.place(lab.engine(), "a cat", "demo")
    run.wait(60)
    assert [log.unsettled(0.0) for log in lab.engines[0].logs()] == [[], []]
    assert not asked(lab)


def test_a_gateways_key_is_not_sent_to_the_providers_own_host(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGMIND_HISTORY_URL")
    sent: list[str] = []
    send = Http.send

    async def noted(self: Http, call: Call, *given: Any, **how: Any) -> Reply:
        sent.append(call.url)
        return await send(self, call, *given, **how)

    monkeypatch.setattr(Http, "send", noted)
    rounds = 0
    dialect = ProviderRegistry.dialect

    def counted(self: ProviderRegistry, provider: Provider) -> Dialect:
        nonlocal rounds
        rounds += 1
        return dialect(self, provider)

    lab.place(lab.engine()).wait(60)
    monkeypatch.setattr(ProviderRegistry, "dialect", counted)
    eventually(lambda: rounds > 2)
    assert {urlsplit(url).hostname for url in sent} == {"127.0.0.1"}
    lab.settings.ask_history = False  # and whoever wants none of it says so
    monkeypatch.setenv("SEGMIND_HISTORY_URL", f"{lab.sim.url}/inference-request")
    lab.place(lab.engines[0], "a dog").wait(60)
    assert not asked(lab)


# ── lost answers ───────────────────────────────────────────────────────────────────────────────


@BOTH
def test_a_lost_answer_is_found_watched_and_fetched(lab: EngineFixture, provider: str) -> None:
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
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, write = threading.Event(), sidecar_sync.write_beside

    def slowly(row: Row, log: RunLog) -> None:
        held.wait(20)
        write(row, log)

    monkeypatch.setattr(sidecar_sync, "write_beside", slowly)
    lab.sim.fault("lost-answer", "submit")
    run = lab.place(lab.engine())
    eventually(lambda: run.status is State.UNCONFIRMED)
    looks = asked(lab)
    eventually(lambda: asked(lab) > looks + 8)  # by then the history shows it
    assert run.status is State.UNCONFIRMED
    held.set()
    eventually(lambda: run.status is State.COMPLETED)
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 1)


def record_kind(lab: EngineFixture) -> str:
    return lab.order().request.kind


def test_a_kernel_that_died_while_it_sent(lab: EngineFixture) -> None:
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


def test_resuming_looks_again_at_once(lab: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, history_looks_s=(3600.0,))
    run = lost(lab, "segmind")
    lab.sim.advance(1.0)
    assert not asked(lab)
    lab.engines[-1].resume()
    eventually(lambda: run.status is State.COMPLETED)


def test_a_failed_row_ends_the_run(lab: EngineFixture) -> None:
    lab.sim.fault("job-fails")
    run = lost(lab, "aimlapi")
    eventually(lambda: run.status is State.FAILED)
    record = run.record
    assert record.problem is not None
    assert (record.problem.code, record.cost.actual) == ("job_failed", 0.0)
    assert "Not charged" in record.problem.money


def test_two_equal_requests_are_not_told_apart(lab: EngineFixture) -> None:
    engine = lab.engine()
    lab.sim.fault("lost-answer", "submit", count=2)
    runs = [each.run for each in engine.submit(lab.order(count=2))]
    for run in runs:
        ending(run, 10)
    eventually(lambda: all("2 matching requests" in _what(run) for run in runs))
    assert {run.status for run in runs} == {State.UNCONFIRMED}
    assert (lab.submits(), len(lab.sim.ledger)) == (2, 2)
    # By our own id they can be told apart.
    lab.sim.fault("lost-answer", "submit", count=2)
    others = [each.run for each in engine.submit(lab.order(provider="aimlapi", count=2))]
    eventually(lambda: {run.status for run in others} == {State.COMPLETED})
    ids = {entry.client_request_id: entry.id for entry in lab.sim.ledger if entry.wire == "aimlapi"}
    for run in others:
        assert run.record.job.id == ids[run.record.job.client_request_id]


def _what(run: Run) -> str:
    return run.record.problem.what if run.record.problem else ""


def test_a_request_of_another_run_is_never_taken(lab: EngineFixture) -> None:
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


def test_a_request_whose_answer_is_still_on_its_way_is_not_taken(lab: EngineFixture) -> None:
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
    lab: EngineFixture, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab.engine()
    lab.sim.fault("drop-before-reading", "submit")
    run = lab.place(engine, "a cat", provider)
    ending(run, 10)
    before = _what(run)
    count = asked(lab)
    eventually(lambda: asked(lab) > count + 3)
    assert _what(run) == before  # rows come late
    engine.stop()
    shorten(monkeypatch, absent_after_s=0.1)
    engine = lab.engine()
    run = engine.run(run.run_id)
    assert run.done
    # A row that cannot be read may be the one.
    eventually(lambda: _what(run) != before)
    problem = run.record.problem
    assert problem is not None
    assert "does not show the request" in problem.what
    assert problem.money == "You were probably not charged."
    assert (run.status, len(lab.sim.ledger)) == (State.UNCONFIRMED, 0)
    with pytest.raises(errors.NotBought, match="does not show"):
        lab.place(engine, "a cat", provider)
    assert lab.submits() == 1


@pytest.mark.parametrize("wrong_by_s", [-7200.0, 7200.0])
@BOTH
def test_a_lost_answer_is_found_although_the_clock_here_is_wrong(
    lab: EngineFixture, provider: str, wrong_by_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, absent_after_s=1.0)
    clock = Clock(wall=lambda: time.time() + wrong_by_s)
    lab.engines.append(Engine(lab.settings, clock))
    run = lost(lab, provider)
    eventually(lambda: run.status is State.COMPLETED or "does not show" in _what(run))
    assert (run.status, run.record.problem) == (State.COMPLETED, None)
    assert (lab.submits(), len(lab.sim.ledger)) == (1, 1)


def test_a_log_without_ids_proves_nothing(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.sim.fault("log-nulls", "account", count=None)
    run = lost(lab, "aimlapi")
    eventually(lambda: lab.sim.ledger[0].state == "done")
    lab.sim.advance(5.0)  # its row has come
    lab.engines[-1].stop()
    shorten(monkeypatch, absent_after_s=0.1)
    run = lab.engine().run(run.run_id)
    assert run.done
    before, count = _what(run), asked(lab)
    eventually(lambda: asked(lab) > count + 5)
    assert (run.status, _what(run)) == (State.UNCONFIRMED, before)
    lab.sim.clear_faults()
    eventually(lambda: run.status is State.COMPLETED)


def test_a_colleagues_equal_request_makes_it_ambiguous(lab: EngineFixture) -> None:
    lab.sim.fault("history-twin", "account", count=None)
    run = lost(lab, "segmind")
    eventually(lambda: "2 matching requests" in _what(run))
    assert run.status is State.UNCONFIRMED


def test_histories_have_a_rate_limit_of_their_own(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, history_per_minute=2)
    lab.sim.fault("history-missing", "account", count=None)
    engine = lab.engine()
    lab.place(engine).wait(60)
    eventually(lambda: asked(lab) == 2)
    lab.place(engine, "a dog").wait(60)
    assert asked(lab) == 2


# ── budgets ────────────────────────────────────────────────────────────────────────────────────


def test_what_would_pass_a_budget_is_not_sent(lab: EngineFixture) -> None:
    engine = lab.engine()
    lab.settings.budget_notebook_usd = 0.8
    runs = lab.placed(engine, count=2)  # at most 0.3875 each
    with pytest.raises(BudgetExceeded, match=r"of \$0\.80 for this notebook is left") as caught:
        lab.place(engine, "a dog")
    assert "$0.78 is pending or unconfirmed" in caught.value.what
    assert "no charge" in caught.value.money
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


def test_what_was_not_bought_does_not_count(lab: EngineFixture) -> None:
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
    with pytest.raises(BudgetExceeded, match=r"\$0\.39 is pending or unconfirmed"):
        lab.place(engine, "a dog")


def test_an_unknown_price_needs_a_yes_under_a_budget(lab: EngineFixture) -> None:
    engine = lab.engine()
    order = lab.order()
    unknown = replace(order.provider, prices=order.provider.prices[-1:])
    lab.settings.budget_day_usd = 5.0
    with pytest.raises(BudgetExceeded, match="publishes no price"):
        engine.submit(replace(order, provider=unknown))
    (placed,) = engine.submit(replace(order, provider=unknown, yes=True))
    assert placed.run.record.cost.kind == "unknown"
    placed.run.wait(60)


#: Between the look at the budget and the writing down passes time enough for the other one.
TWO = """
import sys, time
import hailuo_jupyter.engine.budget as budget
from hailuo_jupyter.runlog.spending import Spending
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


def test_two_kernels_cannot_pass_a_budget_together(lab: EngineFixture) -> None:
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


# ── price lists ────────────────────────────────────────────────────────────────────────────────


def lists_asked(lab: EngineFixture) -> int:
    return sum(each.path.startswith("/v1/models") for each in lab.sim.requests)


def test_a_price_list_is_read_once_a_day_after_a_run_and_a_charged_clip_confirms_it(
    lab: EngineFixture,
) -> None:
    ahead = [0.0]
    engine = Engine(lab.settings, Clock(wall=lambda: time.time() + ahead[0]))
    lab.engines.append(engine)
    options = {"resolution": "768P", "duration": 6}
    lab.place(engine, "a lamp").wait(60)
    run = lab.place(engine, "a cat", "aimlapi")
    run.wait(60)
    eventually(lambda: run.record.cost.confirmed)
    path = price_lists.path_of(lab.settings, catalogue.provider("aimlapi"))
    eventually(
        lambda: (found := price_lists.read(path)) and found.prices and found.prices[0].confirmed
    )
    price = engine.providers.provider("aimlapi").price(options)
    assert (price.high, price.counted, price.kind) == (0.294, 0.294, "published")
    (asked,) = [each for each in lab.sim.requests if each.path.startswith("/v1/models")]
    assert not asked.had_api_key
    again = lab.place(engine, "a dog", "aimlapi")
    again.wait(60)
    eventually(lambda: again.record.cost.confirmed)
    assert lists_asked(lab) == 1
    before = price_lists.read(path)
    ahead[0] = 86400.0
    later = lab.place(engine, "a bird", "aimlapi")
    later.wait(60)
    eventually(lambda: lists_asked(lab) == 2)
    statuses = [each.status for each in lab.sim.requests if each.path.startswith("/v1/models")]
    assert statuses == [200, 304]
    after = price_lists.read(path)
    assert before is not None
    assert after is not None
    assert after.at >= before.at + 86400.0
    assert (after.prices, after.etag) == (before.prices, before.etag)


def test_a_price_list_is_not_read_by_starting_sending_or_using_another_provider(
    lab: EngineFixture,
) -> None:
    engine = lab.engine()
    lab.sim.fault("stuck", prompt="a cat")
    lab.place(engine, "a cat", "aimlapi")
    run = lab.place(engine, "a lamp")
    run.wait(60)
    eventually(lambda: run.record.cost.confirmed)
    assert not lists_asked(lab)


def test_a_person_who_asks_for_prices_gets_the_list(lab: EngineFixture) -> None:
    engine, provider = lab.engine(), catalogue.provider("aimlapi")
    for _ in range(2):
        engine.refresh_prices(provider)
        assert (
            price_lists.priced(provider, lab.settings)
            .price({"resolution": "1080P", "duration": 6})
            .high
            == 0.515
        )
    assert lists_asked(lab) == 1


def test_a_list_that_cannot_be_read_is_left_for_a_day(lab: EngineFixture) -> None:
    lab.sim.fault("http-503", "account", count=None)
    engine, provider = lab.engine(), catalogue.provider("aimlapi")
    for _ in range(2):
        engine.refresh_prices(provider)
    assert lists_asked(lab) == 1
    assert price_lists.priced(provider, lab.settings) is provider
