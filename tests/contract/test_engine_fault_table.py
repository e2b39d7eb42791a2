"""Every fault at every stage of both providers' runs: what becomes of the run, the money, and the words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from hailuo_jupyter.providers.base import Dialect
from tests.support.fault_checks import (
    Ended,
    check,
    check_all_were_met,
    check_nothing_is_left,
    let_happen,
    scenarios,
)
from tests.support.fault_page import PAGE, page
from tests.support.fault_runner import Scenario
from tests.support.fault_table import LACKS, STAGES, unmet

PROVIDERS = tuple(LACKS)
SCENARIOS = {provider: scenarios(provider) for provider in PROVIDERS}
BOTH = pytest.mark.parametrize("provider", PROVIDERS)

EndedAt = Callable[[str], Ended]

# The first test of a provider waits for all its scenarios.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def ended(clip_cache: Path) -> Iterator[EndedAt]:
    """Give what has become of a provider's scenarios; they happen when that is first asked."""
    with ExitStack() as stack:
        yield cache(
            lambda provider: stack.enter_context(let_happen(SCENARIOS[provider], clip_cache))
        )


@pytest.mark.parametrize("scenario", [*chain.from_iterable(SCENARIOS.values())], ids=str)
def test_outcome(ended: EndedAt, scenario: Scenario) -> None:
    check(ended(scenario.provider), scenario)


@BOTH
def test_every_fault_was_really_met(ended: EndedAt, provider: str) -> None:
    check_all_were_met(ended(provider), SCENARIOS[provider])


@BOTH
def test_nothing_is_left_of_broken_downloads(ended: EndedAt, provider: str) -> None:
    check_nothing_is_left(ended(provider))


# ── the table itself ───────────────────────────────────────────────────────────────────────────


def test_every_fault_of_the_simulator_has_a_row_and_every_stage_an_outcome() -> None:
    assert not unmet()


def test_every_call_of_an_adapter_is_a_stage() -> None:
    """A new kind of call needs a column."""
    known = {
        "submit": "submit", "status": "poll", "result": "result", "upload": "upload",
        "upload_content": "upload",
        "history": "history",
        "history_row": "history",
        "cancel": "",  # asked for by a person, and answered to them
        "price_list": "",  # without a key, of no run, and whatever goes wrong changes nothing
        "balance": "",  # asked for by a person, shown, and of no run
    }  # fmt: skip
    calls = {
        name
        for name, member in inspect.getmembers(Dialect, inspect.isfunction)
        if "Call" in str(inspect.signature(member).return_annotation)
    }
    assert calls == set(known)
    assert {stage for stage in known.values() if stage} | {"download"} == set(STAGES)


def test_the_page_for_users_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.support.fault_page"


def test_the_page_names_an_outcome_once_in_a_cell() -> None:
    cells = [cell.strip() for line in page().splitlines() for cell in line.split(" | ")]
    named = [part.split(": ")[-1].split(", or ") for cell in cells for part in cell.split("; ")]
    assert [both for both in named if len(both) != len(set(both))] == []
