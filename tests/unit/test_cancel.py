"""What a cancelled job costs, by what the provider documents and by whether its work had started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue.types import Cancellation
from hailuo_jupyter.engine.job_news import CANCEL, cancelled_problem, job_changes
from hailuo_jupyter.providers.base import News
from hailuo_jupyter.record import Record
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown, shown_row

PROVIDER = replace(
    catalogue.provider("segmind"),
    cancellation=Cancellation(False, None, "https://example.com", "2026-11-01"),
)


def record(**answer: Any) -> Record:
    found = shown_row(State.QUEUED).record
    return found.changed(job={"answers": {CANCEL: answer}} if answer else {})


@pytest.mark.parametrize(
    ("queued", "started", "when", "charged"),
    [
        (False, True, True, True),
        (False, True, False, False),
        (False, True, None, None),
        (False, False, None, False),
        (False, None, True, None),
    ],
)
def test_what_is_charged(
    queued: bool | None, started: bool | None, when: bool | None, charged: bool | None
) -> None:
    assert Cancellation(queued, started, "a page", "2026-11-01").charged(when) is charged


def test_a_job_that_left_the_queue_is_free_and_says_so() -> None:
    news = News("failed", cancelled=True)
    problem = cancelled_problem(record(started=False), PROVIDER, news)
    assert "Not charged, according to Segmind's documentation" in problem.money
    changes = job_changes(record(started=False), PROVIDER, "status", news)
    assert (changes["cost"]["actual"], changes["cost"]["confirmed"]) == (0.0, True)


@pytest.mark.parametrize("answer", [{}, {"started": None}, {"started": True}, {"started": "no"}])
def test_an_unknown_cost_is_said_and_still_counts(answer: dict[str, Any]) -> None:
    news = News("failed", cancelled=True)
    assert "undocumented" in cancelled_problem(record(**answer), PROVIDER, news).money
    assert "cost" not in job_changes(record(**answer), PROVIDER, "status", news)


def test_what_the_answer_says_of_its_start_comes_first() -> None:
    news = News("failed", cancelled=True, started=True)
    assert "undocumented" in cancelled_problem(record(started=False), PROVIDER, news).money


def test_the_card_tells_of_cancellation_and_queue() -> None:
    row = shown_row(State.QUEUED, job={"answers": {"status": {"queue_position": 3}}})
    assert "3 jobs ahead in the queue" in str(shown(row, can_cancel=True).progress)
    asked = shown_row(State.QUEUED, job={"answers": {CANCEL: {"started": None}}})
    assert shown(asked, can_cancel=True).hint == "Segmind was asked to cancel it."
    assert shown(row, can_cancel=True).can_cancel
    assert not shown(row).can_cancel
    assert not shown(asked, can_cancel=True).can_cancel
    problem = ("cancelled", "The job was cancelled at Segmind.", "Not charged.", "Rerun the cell.")
    assert shown(shown_row(State.FAILED, problem=problem)).state == "Cancelled"
