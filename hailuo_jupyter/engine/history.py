"""Which request of a provider's history is which of our runs: one pure function.

Two ways to tell: our own id, where the provider writes it down (AI/ML API), or else the moment and
the inputs (Segmind). An upload's address is in no record, so of an uploaded frame only its presence
can be compared; that is one more reason why nothing is taken that fits twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hailuo_jupyter import redact
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.record import Record
from hailuo_jupyter.states import State

#: Seconds by which the provider's clock, or its row, may be earlier and later than our own notes.
BEFORE_S, AFTER_S = 120.0, 120.0

#: Nothing that was sent is still on its way after so many seconds: HTTP gives up long before.
_ON_ITS_WAY_S = 900.0


class Found(StrEnum):
    """What a history tells of a run whose answer was lost."""

    YES = "yes"
    SEVERAL = "several"
    UNREADABLE = "unreadable"
    NO = "no"


@dataclass(frozen=True)
class Sought:
    """A run that was sent, and whose job is not known.

    Parameters
    ----------
    run_id, client_request_id
        The run, and our name for its attempt.
    sent
        When it was sent, in seconds since 1970.
    first, last
        Between when its request can have arrived, in seconds since 1970, clocks' differences
        included.
    body
        What was sent, as the record keeps it.
    """

    run_id: str
    client_request_id: str
    sent: float
    first: float
    last: float
    body: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Finding:
    """What the history tells of one run.

    Parameters
    ----------
    found
        Whether it is there.
    row
        Its row, if it is.
    several
        How many requests, or how many of our runs, fit each other.
    """

    found: Found
    row: HistoryRow | None = None
    several: int = 0


def sought(record: Record) -> Sought | None:
    """Make what is looked for of a run's record; None for one that was never sent."""
    sent = record.entered(State.SUBMITTING)
    if sent is None:
        return None
    lost = record.entered(State.UNCONFIRMED)
    # A kernel that died is known of when the next one starts, maybe days later.
    latest = sent + _ON_ITS_WAY_S if lost is None else min(lost, sent + _ON_ITS_WAY_S)
    latest = max(latest, sent)
    return Sought(
        record.run_id,
        record.job.client_request_id,
        sent,
        sent - BEFORE_S,
        latest + AFTER_S,
        record.body,
    )


def find(
    runs: Sequence[Sought],
    rows: Iterable[HistoryRow],
    *,
    taken: Collection[str],
    by_our_id: bool,
) -> dict[str, Finding]:
    """Find runs in a history; only what fits one run alone, and fits it alone, is taken.

    Parameters
    ----------
    runs
        All runs of this log whose job is not known, those included that are on their way just now.
    rows
        The whole history of the time in question.
    taken
        Job ids that other runs have.
    by_our_id
        Whether the history names requests by our own id.

    Returns
    -------
    dict
        From run id to what the history tells of it.
    """
    free = [row for row in rows if row.job_id is None or row.job_id not in taken]
    fits = {run.run_id: [row for row in free if _fits(run, row, by_our_id)] for run in runs}
    wanted_by: dict[int, int] = {}
    for each in fits.values():
        for row in each:
            wanted_by[id(row)] = wanted_by.get(id(row), 0) + 1
    findings: dict[str, Finding] = {}
    for run in runs:
        mine = fits[run.run_id]
        if len(mine) == 1 and wanted_by[id(mine[0])] == 1:
            findings[run.run_id] = Finding(Found.YES, mine[0])
        elif mine:
            several = max(len(mine), *(wanted_by[id(row)] for row in mine))
            findings[run.run_id] = Finding(Found.SEVERAL, several=several)
        elif any(_cannot_be_told(run, row, by_our_id) for row in free):
            findings[run.run_id] = Finding(Found.UNREADABLE)
        else:
            findings[run.run_id] = Finding(Found.NO)
    return findings


def _fits(run: Sought, row: HistoryRow, by_our_id: bool) -> bool:
    if by_our_id:
        return row.client_request_id == run.client_request_id
    if row.at is None or row.body is None or run.body is None or row.job_id is None:
        return False
    return run.first <= row.at <= run.last and same_inputs(run.body, row.body)


def _cannot_be_told(run: Sought, row: HistoryRow, by_our_id: bool) -> bool:
    """Tell whether a row lacks what would show that it is another request."""
    if row.at is not None and not run.first <= row.at <= run.last:
        return False
    if by_our_id:
        return row.client_request_id is None
    if row.at is None or row.job_id is None:
        return True
    return row.body is None or run.body is None


def same_inputs(sent: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Tell whether a body in a history asks for what a record says was sent.

    Parameters
    ----------
    sent
        As the record keeps it: local frames by their hash, links without their signatures.
    shown
        As the history shows it. It may hold more, such as the provider's defaults, and leave out
        what was null.
    """
    return all(_same(name, value, shown.get(name)) for name, value in sent.items())


def _same(name: str, sent: Any, shown: Any) -> bool:
    if sent is None:
        return shown in (None, "")
    if isinstance(sent, Mapping):  # a local frame; its address at the provider is not known
        return isinstance(shown, str) and shown != ""
    if isinstance(sent, str) and isinstance(shown, str) and name != "prompt":
        return redact.link(shown) == sent if sent.startswith("http") else shown == sent
    return type(shown) is type(sent) and bool(shown == sent)
