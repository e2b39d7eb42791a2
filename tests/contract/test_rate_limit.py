"""A limit that nobody knows, over real sockets: two processes on one log against the simulator."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import pytest

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel.commands import control
from hailuo_jupyter.kernel.display.run_view import RunView
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.simulator.limits import Counting
from tests.support.engine_fixture import EngineFixture, eventually, script

MakeLab = Callable[..., EngineFixture]

#: Six runs are placed at once, and waited for; gives how each ended.
SIX = """
runs = [h.generate(f"{sys.argv[1]} {i}", "segmind") for i in range(6)]
print("placed", flush=True)
print(*(run.wait(100).status for run in runs), flush=True)
"""


@pytest.mark.parametrize("counting", ["fixed", "bucket"])
def test_two_processes_learn_one_limit(make_lab: MakeLab, counting: Counting) -> None:
    """A minute of the simulator takes 4 seconds, and lets 10 requests through."""
    lab = make_lab(
        speed=15.0,
        segmind_seconds=10.0,
        segmind_per_minute=10,
        counting=counting,
        polls_count=True,
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", "import sys\n" + script(SIX), name],
            stdout=subprocess.PIPE,
            text=True,
            cwd=lab.folder,
        )
        for name in ("one", "other")
    ]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert out.split() == ["placed", *["completed"] * 6]
    assert len(lab.sim.ledger) == 12, "each was bought once"
    asked = [each for each in lab.sim.requests if each.stage in ("submit", "status", "result")]
    refused = [each for each in asked if each.status == 429]
    assert refused, "the limit was met"
    assert len(refused) <= len(asked) / 3
    with RunLog(lab.log) as log:
        assert log.count(states={State.COMPLETED}) == 12


def test_a_refusal_is_waited_out_as_the_provider_says(make_lab: MakeLab) -> None:
    """The 429 names the moment at which the window ends, and nothing is asked before."""
    lab = make_lab(speed=10.0, segmind_per_minute=3, counting="fixed", polls_count=True)
    engine = lab.engine_without_limit()
    runs = [lab.place(engine, f"a cat {i}") for i in range(3)]
    for run in runs:
        run.wait(100)
    times = [
        (each.time, each.status)
        for each in lab.sim.requests
        if each.stage in ("submit", "status", "result")
    ]
    refusals = [at for at, status in times if status == 429]
    assert refusals
    later = [at for at, _ in times if at > refusals[0] + 5]
    # In the simulator's seconds; the answer's Date is in whole seconds of 10 of these.
    assert later[0] // 60 > refusals[0] // 60
    assert all(late - early > 5 for early, late in pairwise(refusals) if late - early > 0.5)


def test_the_limit_is_shown_and_the_run_is_not_blamed(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(segmind_per_minute=3, polls_count=True, reset_at=True)
    engine = lab.engine_without_limit()
    runs = [lab.place(engine, f"a cat {i}") for i in range(6)]
    eventually(lambda: any(run.record.problem for run in runs))
    eventually(lambda: sum(engine.delay(engine.row(run.run_id)) is not None for run in runs) >= 3)
    said = []
    for run in runs:
        row = engine.row(run.run_id)
        shown = RunView.from_facts(
            row,
            engine.providers.provider("segmind"),
            engine.estimate(row),
            now=time.time(),
            base=None,
            delay=engine.delay(row),
        )
        said.append(shown.progress.next if shown.progress else "")
        assert "later than usual" not in shown.state
    assert any(each.startswith("Segmind limits requests; number ") for each in said), said
    monkeypatch.setattr("hailuo_jupyter.engine.process.get_engine", lambda: engine)
    # Right after a refusal, the last turn is not known yet.
    eventually(lambda: "; the last one leaves in about " in control.limits()[0])
    (overview,) = control.limits()
    assert overview.startswith("Segmind limits requests: it refused one ")
    assert " clips wait to be sent" in overview
    here = SimpleNamespace(id=engine.row(runs[0].run_id).notebook_id)
    monkeypatch.setattr("hailuo_jupyter.kernel.context.notebook", lambda: here)
    assert any("  Waiting  " in line for line in control.active_runs())
    (limit,) = engine.limits()
    assert limit.provider == "segmind"
    assert limit.submits >= 2
    for run in runs:
        if run.status is State.PREPARED:
            run.cancel()


def test_another_kernel_shows_the_same(make_lab: MakeLab) -> None:
    lab = make_lab(segmind_per_minute=3, polls_count=True)
    engine, other = lab.engine_without_limit(), Engine(Hailuo(run_log=str(lab.log)))
    lab.engines.append(other)
    runs = [lab.place(engine, f"a cat {i}") for i in range(6)]
    eventually(lambda: any(other.delay(other.row(run.run_id)) is not None for run in runs))
    for run in runs:
        if run.status is State.PREPARED:
            run.cancel()


def test_a_cancellation_waits_for_the_answer_to_a_request_that_is_refused(
    lab: EngineFixture,
) -> None:
    engine = lab.engine_without_limit()
    lab.sim.fault("delay", "submit", count=None, seconds=0.5)
    lab.sim.fault("rate-limited", "submit", count=None)
    run = lab.place(engine)
    eventually(lambda: run.status is State.SUBMITTING)
    run.cancel()
    assert run.done
    assert run.status is State.PREPARED
    assert not list(lab.sim.ledger)
