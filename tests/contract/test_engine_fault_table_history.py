"""The fault table's last column: an answer is lost, and the history that could tell is faulty too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hailuo_jupyter.record import Record
from tests.simulator import Simulator
from tests.support.engine_fixture import eventually, options
from tests.support.fault_outcomes import DONE, REJECTED
from tests.support.fault_runner import FaultRunner, Scenario, roads
from tests.support.fault_table import LACKS, TROUBLES

# All scenarios run in the first test's fixture, which takes minutes on a slow machine.
pytestmark = pytest.mark.timeout(1800)

#: Seconds of a run's own clock by which its history was looked at four times.
_FOUR_LOOKS_S = 700.0


def scenarios() -> list[Scenario]:
    found: list[Scenario] = []
    for row in TROUBLES:
        for provider in LACKS:
            for met in [met for stage, met in row.stages(provider) if stage == "history"]:
                if met.passing is REJECTED:
                    continue  # it was never sent
                found.append(Scenario(len(found), row, "history", met, provider, False))
                if met.lasting is not None and provider == "segmind":
                    found.append(Scenario(len(found), row, "history", met, provider, True))
    return found


SCENARIOS = scenarios()


@pytest.fixture(scope="module")
def ended(
    tmp_path_factory: pytest.TempPathFactory, clip_cache: Path
) -> Iterator[tuple[dict[int, Record], Counter[str]]]:
    choices = options(
        clip_cache,
        min_polls=0,
        shrink=16,
        segmind_seconds=0.0,
        aimlapi_6s_seconds=0.0,
        fal_seconds=0.0,
        replicate_seconds=0.0,
        runware_seconds=0.0,
        minimax_seconds=0.0,
        history_delay=0.0,
    )
    with pytest.MonkeyPatch.context() as patch, Simulator(choices) as sim, roads(patch) as led:
        folder = tmp_path_factory.mktemp("history")
        lab = FaultRunner(sim, folder, folder / "none.png", led)

        def run(scenario: Scenario) -> Record:
            with lab.settling(scenario) as engine:
                run = engine.run(scenario.run_id)
                if scenario.expected is DONE:
                    eventually(lambda: run.status in DONE.states, 900)
                else:
                    eventually(lambda: scenario.passed > _FOUR_LOOKS_S, 900)
                return run.record

        with ThreadPoolExecutor(6) as pool:
            records = dict(
                zip([s.number for s in SCENARIOS], pool.map(run, SCENARIOS), strict=True)
            )
        yield records, Counter(job.prompt for job in sim.ledger)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_outcome(ended: tuple[dict[int, Record], Counter[str]], scenario: Scenario) -> None:
    records, jobs = ended
    record, problem = records[scenario.number], records[scenario.number].problem
    assert record.state in scenario.expected.states, problem
    assert jobs[scenario.prompt] == 1, "bought once, and never again"
    if problem is not None:
        assert problem.what
        assert problem.money
        assert problem.todo
    assert scenario.calls["submit"] == 1
    assert scenario.calls["history"] >= 1
    assert scenario.calls["history"] <= scenario.sleeps + 1


def test_every_fault_of_the_history_was_met() -> None:
    assert {"garbage", "history-twin", "log-nulls"} <= {
        each.name for scenario in SCENARIOS for each in scenario.row.faults
    }
