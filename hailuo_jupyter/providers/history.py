"""Requests in a provider's history, in a common form for all providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from hailuo_jupyter.providers.reply import Call

#: The outcome of a request in a history; ``unknown`` is an undocumented one.
Outcome = Literal["active", "completed", "failed", "unknown"]


@dataclass(frozen=True)
class HistoryRow:
    """One request in a provider's history.

    Parameters
    ----------
    job_id
        The provider's id of the job; None if missing.
    client_request_id
        Our id of the attempt, if the provider stores it.
    at
        When it was requested, in seconds since 1970; None if unreadable.
    outcome
        Its outcome.
    cost_usd
        The final charge, in USD; None if it is not reported, or not yet.
    body
        The request's JSON, if the history shows it.
    words
        Why it failed, redacted.
    link
        The link to its clip, if shown. It is only requested without a key.
    """

    job_id: str | None
    client_request_id: str | None = None
    at: float | None = None
    outcome: Outcome = "unknown"
    cost_usd: float | None = None
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    words: str = ""
    link: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class HistoryPage:
    """One page of a history.

    Parameters
    ----------
    rows
        Its requests.
    more
        Whether more pages follow.
    following
        The call for the next page, if its number is not enough.
    """

    rows: tuple[HistoryRow, ...]
    more: bool
    following: Call | None = None


def moment(value: Any) -> float | None:
    """Read an ISO 8601 time, in UTC if it has no zone; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
