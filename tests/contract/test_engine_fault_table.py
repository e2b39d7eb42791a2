"""Every fault at every stage of Segmind's runs: what becomes of the run, the money, and the words."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from hailuo_jupyter.providers.base import Dialect

from .fault_checks import (
    Ended,
    check,
    check_all_were_met,
    check_nothing_is_left,
    let_happen,
    scenarios,
)
from .fault_lab import Scenario
from .fault_page import PAGE, page
from .fault_table import STAGES, unmet

SCENARIOS = scenarios("segmind")


@pytest.fixture(scope="module")
def ended(clip_cache: Path) -> Iterator[Ended]:
    with let_happen(SCENARIOS, clip_cache) as all_of_them:
        yield all_of_them


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_outcome(ended: Ended, scenario: Scenario) -> None:
    check(ended, scenario)


def test_every_fault_was_really_met(ended: Ended) -> None:
    check_all_were_met(ended, SCENARIOS)


def test_nothing_is_left_of_broken_downloads(ended: Ended) -> None:
    check_nothing_is_left(ended)


# ── the table itself ───────────────────────────────────────────────────────────────────────────


def test_every_fault_of_the_simulator_has_a_row_and_every_stage_an_outcome() -> None:
    assert not unmet()


def test_every_call_of_an_adapter_is_a_stage() -> None:
    """A new kind of call needs a column."""
    known = {
        "submit": "submit", "status": "poll", "result": "result", "upload": "upload",
        "history": "history",
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
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.contract.fault_page"
