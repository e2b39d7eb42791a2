"""Answers about a job in shapes and under codes that nobody documents: what ends a run, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_checks import Ended, let_happen
from tests.support.fault_outcomes import ANOTHER_WAY, DONE, FAILED, UNANSWERED, Outcome
from tests.support.fault_runner import Scenario
from tests.support.fault_table import JOBS, Injected, Met, Trouble


def answer(count: int | None, code: int, **body: Any) -> tuple[Injected, ...]:
    return (Injected("answer", count, {"status": code, "body": body}),)


def _scenario(
    number: int, name: str, outcome: Outcome, *faults: Injected, provider: str = "segmind",
    besides: bool = False, stage: Any = "poll",
) -> Scenario:  # fmt: skip
    failing = (Injected("job-fails", 1),) if besides else ()
    met = Met(outcome)
    row = Trouble(JOBS, name, {stage: met}, faults, failing)
    return Scenario(number, row, stage, met, provider, lasting=False)


def _scenarios() -> list[Scenario]:
    made: list[Scenario] = []

    def add(name: str, outcome: Outcome, *faults: Injected, **how: Any) -> None:
        made.append(_scenario(len(made), name, outcome, *faults, **how))

    for provider in ("segmind", "aimlapi"):
        for status in (401, 404, 406, 429, 500):
            failed = Injected("failed-under", None, {"status": status})
            add(f"failed under {status}", FAILED, failed, provider=provider, besides=True)
    said_once = answer(1, 500, status="FAILED", error="a node was lost")
    add("one failure", DONE, *said_once)
    # There is no other way to a clip at AI/ML API.
    add("no link", UNANSWERED, Injected("no-link", None), provider="aimlapi")
    cancelled = answer(None, 200, status="CANCELLED")
    add("cancelled", UNANSWERED, *cancelled, provider="aimlapi")
    add("cancelled with a history", ANOTHER_WAY, *cancelled)
    add("cancelled with a history that says why", FAILED, *cancelled, besides=True)
    add("cancelled for a while", DONE, *answer(4, 200, status="CANCELLED"))
    add("queued", UNANSWERED, *answer(None, 200, status="queued"), provider="aimlapi")
    return made


SCENARIOS = _scenarios()


@pytest.fixture(scope="module")
def ended(clip_cache: Path) -> Iterator[Ended]:
    with let_happen(SCENARIOS, clip_cache) as all_of_them:
        yield all_of_them


def named(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.row.name == name)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: f"{each.row.name}-{each.provider}")
def test_what_becomes_of_it(ended: Ended, scenario: Scenario) -> None:
    record = ended.records[scenario.number]
    assert record.state in scenario.expected.states, record.problem


@pytest.mark.parametrize(
    "scenario",
    [each for each in SCENARIOS if each.row.name.startswith("failed under")],
    ids=lambda each: f"{each.row.name}-{each.provider}",
)
def test_a_failure_under_an_errors_code_is_asked_for_again_a_minute_later(
    ended: Ended, scenario: Scenario
) -> None:
    record = ended.records[scenario.number]
    assert record.problem is not None
    assert "not generate the clip" in record.problem.what
    assert scenario.passed >= 60.0
    assert scenario.calls["poll"] <= 4, "two that count, and one or two before the end"


def test_an_undocumented_state_is_shown_as_it_came_and_asked_about_less_often(ended: Ended) -> None:
    scenario = named("cancelled")
    told = [problem.what for problem in scenario.problems]
    assert any("'CANCELLED'" in what for what in told), told
    problem = ended.records[scenario.number].problem
    assert problem is not None
    assert "'CANCELLED'" in problem.what, "also where the run is left to the person"
    assert scenario.calls["poll"] < named("queued").calls["poll"] / 2
    assert ended.records[named("cancelled for a while").number].problem is None


def test_an_answer_without_a_link_is_shown(ended: Ended) -> None:
    told = [problem.what for problem in named("no link").problems]
    assert any('"status": "completed"' in what and '"id"' in what for what in told), told
