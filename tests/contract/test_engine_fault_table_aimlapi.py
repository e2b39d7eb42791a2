"""Every fault at every stage of AI/ML API's runs; see `test_engine_fault_table` for the table itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .fault_checks import (
    Ended,
    check,
    check_all_were_met,
    check_nothing_is_left,
    let_happen,
    scenarios,
)
from .fault_lab import Scenario

SCENARIOS = scenarios("aimlapi")


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
