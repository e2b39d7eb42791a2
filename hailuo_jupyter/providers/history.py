"""What a provider's history tells of requests, whatever its wire calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

#: What became of a request, as a history tells it; ``unknown`` is a word that nobody documented.
Outcome = Literal["going on", "completed", "failed", "unknown"]


@dataclass(frozen=True)
class HistoryRow:
    """One request in a provider's history. Links in it are never kept: they are built from the id.

    Parameters
    ----------
    job_id
        The provider's id of the job; None where it names none.
    client_request_id
        Our own name for the attempt, where the provider writes one down.
    at
        When it was asked for, in seconds since 1970; None where that cannot be read.
    outcome
        What became of it.
    cost_usd
        What was charged in the end, in USD; None where that is not told, or not yet.
    body
        The request's JSON, where the history shows it.
    words
        Why it failed, redacted.
    """

    job_id: str | None
    client_request_id: str | None = None
    at: float | None = None
    outcome: Outcome = "unknown"
    cost_usd: float | None = None
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    words: str = ""


@dataclass(frozen=True)
class HistoryPage:
    """One page of a history, and whether there are more."""

    rows: tuple[HistoryRow, ...]
    more: bool


def moment(value: Any) -> float | None:
    """Read an ISO 8601 time, in UTC where it names no zone; None for whatever else stands there."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
