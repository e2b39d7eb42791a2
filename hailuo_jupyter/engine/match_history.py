"""Match requests in a provider's history to our runs: one pure function.

There are two ways: our own id, if the provider records it (AI/ML API), or the time and the inputs (Segmind).
The address of an upload is in no record, so only the presence of an uploaded frame can be compared; that is
another reason why ambiguous matches are rejected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from hailuo_jupyter import redact
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.parts import PROMPT_FIELDS
from hailuo_jupyter.states import State

#: Seconds by which the provider's clock, or its row, may be earlier and later than our own record.
BEFORE_S, AFTER_S = 120.0, 120.0

#: No request is still in flight after this many seconds: HTTP times out long before.
_ON_ITS_WAY_S = 900.0


class MatchKind(StrEnum):
    """The result of a history for a run whose answer was lost."""

    YES = "yes"
    SEVERAL = "several"
    UNREADABLE = "unreadable"
    NO = "no"


@dataclass(frozen=True)
class LostRequest:
    """A run that was sent, and whose job is not known.

    Parameters
    ----------
    run_id, client_request_id
        The run, and our id of the attempt.
    sent
        When it was sent, in seconds since 1970.
    first, last
        Earliest and latest time at which its request can have arrived, in seconds since 1970, including clock
        differences.
    body
        The body that was sent, as stored in the record.
    """

    run_id: str
    client_request_id: str
    sent: float
    first: float
    last: float
    body: Mapping[str, Any] | None = field(default=None, repr=False)

    def widened(self, seconds: float) -> LostRequest:
        """Return the same, sent by this clock or by one that is ahead by so many seconds.

        It is not known which: the clock here may have been set since the request.
        """
        return replace(
            self,
            first=min(self.first, self.first + seconds),
            last=max(self.last, self.last + seconds),
        )


@dataclass(frozen=True)
class HistoryMatch:
    """The result for one run.

    Parameters
    ----------
    kind
        Whether it was found.
    row
        Its row, if it is.
    several
        How many requests, or how many of our runs, match each other.
    """

    kind: MatchKind
    row: HistoryRow | None = None
    several: int = 0


def lost_request(record: Record) -> LostRequest | None:
    """Return the search terms for a run's record; None for one that was never sent."""
    sent = record.entered(State.SUBMITTING)
    if sent is None:
        return None
    lost = record.entered(State.UNCONFIRMED)
    # A kernel's death is noticed when the next one starts, maybe days later.
    latest = sent + _ON_ITS_WAY_S if lost is None else min(lost, sent + _ON_ITS_WAY_S)
    latest = max(latest, sent)
    return LostRequest(
        record.run_id,
        record.job.client_request_id,
        sent,
        sent - BEFORE_S,
        latest + AFTER_S,
        record.body,
    )


def match_history(
    runs: Sequence[LostRequest],
    rows: Iterable[HistoryRow],
    *,
    taken: Collection[str],
    by_our_id: bool,
) -> dict[str, HistoryMatch]:
    """Find runs in a history; only unique matches are accepted.

    Parameters
    ----------
    runs
        All runs of this log whose job is not known, including those being sent now.
    rows
        The complete history of the period.
    taken
        Job ids of other runs.
    by_our_id
        Whether the history contains our own id.

    Returns
    -------
    dict
        The result for each run id.
    """
    free = [row for row in rows if row.job_id is None or row.job_id not in taken]
    fits = {run.run_id: [row for row in free if _fits(run, row, by_our_id)] for run in runs}
    wanted_by: dict[int, int] = {}
    for each in fits.values():
        for row in each:
            wanted_by[id(row)] = wanted_by.get(id(row), 0) + 1
    matches: dict[str, HistoryMatch] = {}
    for run in runs:
        mine = fits[run.run_id]
        if len(mine) == 1 and wanted_by[id(mine[0])] == 1:
            matches[run.run_id] = HistoryMatch(MatchKind.YES, mine[0])
        elif mine:
            several = max(len(mine), *(wanted_by[id(row)] for row in mine))
            matches[run.run_id] = HistoryMatch(MatchKind.SEVERAL, several=several)
        elif any(_is_ambiguous(run, row, by_our_id) for row in free):
            matches[run.run_id] = HistoryMatch(MatchKind.UNREADABLE)
        else:
            matches[run.run_id] = HistoryMatch(MatchKind.NO)
    return matches


def _fits(run: LostRequest, row: HistoryRow, by_our_id: bool) -> bool:
    if by_our_id:
        return row.client_request_id == run.client_request_id
    if row.at is None or row.body is None or run.body is None or row.job_id is None:
        return False
    return run.first <= row.at <= run.last and same_inputs(run.body, row.body)


def _is_ambiguous(run: LostRequest, row: HistoryRow, by_our_id: bool) -> bool:
    """Return whether nothing in a row shows that it is another request.

    Equal inputs at another time count: this machine's clock may have been corrected since the request.
    """
    if row.at is not None and not run.first <= row.at <= run.last:
        known = row.body is not None and run.body is not None
        return not by_our_id and known and same_inputs(run.body or {}, row.body or {})
    if by_our_id:
        return row.client_request_id is None
    if row.at is None or row.job_id is None:
        return True
    return row.body is None or run.body is None


def same_inputs(sent: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Return whether a body in a history matches the body in a record.

    Parameters
    ----------
    sent
        As stored in the record: local frames by their hash, links without their signatures.
    shown
        As shown in the history. It may contain more, such as the provider's defaults, and omit
        null values.
    """
    return all(_same(name, value, shown.get(name)) for name, value in sent.items())


def _same(name: str, sent: Any, shown: Any) -> bool:
    if sent is None:
        return shown in (None, "")
    if isinstance(sent, Mapping):
        if isinstance(shown, Mapping):
            return same_inputs(sent, shown)
        # A local frame; its address at the provider is not known.
        return "frame" in sent and isinstance(shown, str) and shown != ""
    if isinstance(sent, str) and isinstance(shown, str) and name not in PROMPT_FIELDS:
        return redact.link(shown) == sent if sent.startswith("http") else shown == sent
    return type(shown) is type(sent) and bool(shown == sent)
