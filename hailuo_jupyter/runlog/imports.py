"""Records from outside, taken into the log: a log that was lost comes back from sidecars and notebooks.

A record that lies in a folder, or in a notebook, is foreign input: a cloned repository may hold any.
What it can do here, and what it cannot:

- It is read by `Record.from_json` alone. A revision, a price or a time that no run comes to is
  refused: a negative price would make room in a budget, a huge one would use it up. What is imported
  teaches nothing about durations.
- It never replaces a newer revision, nor a run that a living process has in hand, nor makes one run
  another (request, provider, job), nor changes the state of a run that has ended. A run on
  its way is ended only by a completed record of the same job whose clip is there: a paid clip is
  forged away by nobody who has not seen its record, and it is at the provider still.
- Nothing is asked, fetched or sent for it. An unfinished run from outside is not among
  `RunLog.unfinished`, so nothing goes on with it by itself: its job's id is a stranger's until a
  person names the run (``jupyter hailuo wait RUN``) or runs its cell. The id then goes to the
  provider of that name, at the address of this machine's settings, quoted as one part of a path:
  a free question, which buys nothing.
- What a forger gains is that a clip of his is shown where one would have been bought, for a request
  that he knew word for word, in a notebook whose id or name he knew, out of that notebook's own output
  folder. ``--new`` buys it anyway.
"""

from __future__ import annotations

from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.runlog.log import RunLog
from hailuo_jupyter.runlog.schema import Row
from hailuo_jupyter.states import FINAL, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record

_HIGHEST_REVISION = 1_000_000
_HIGHEST_PRICE_USD = 1000.0


class Adopted(StrEnum):
    """What became of a record that was offered to a log."""

    NEW = "new"
    NEWER = "newer"
    MOVED = "moved"
    KNOWN = "known"


def adopt(record: Record, folder: Path, log: RunLog, *, clip_here: bool) -> Adopted:
    """Put a record from outside into a log, if the log has nothing better.

    Parameters
    ----------
    record
        Of a run whose provider's runs this log holds.
    folder
        Where its clip and its sidecar lie.
    log
        The log.
    clip_here
        Whether its very clip lies in `folder`.

    Raises
    ------
    ValueError
        In one line, if it claims what cannot be, or contradicts the log.
    """
    created = _check(record)
    with log.exclusive() as connection:
        row = log.find(record.run_id)
        if row is None:
            log.insert(record, folder=folder, kind="", owner=None)
            connection.execute(
                "UPDATE runs SET created = min(created, ?), unfinished = 0, interrupted = 1 "
                "WHERE run_id = ?",
                (created, record.run_id),
            )
            return Adopted.NEW
        _check_same(record, row)
        adopted = Adopted.KNOWN
        if record.revision > row.revision:
            _check_follows(record, row, log, clip_here=clip_here)
            log.update(record.run_id, lambda _before: record)
            adopted = Adopted.NEWER
        if clip_here and row.folder != folder and not (row.folder / f"{row.run_id}.mp4").is_file():
            log.relocate(row.run_id, folder, was=row.folder)
            adopted = Adopted.MOVED if adopted is Adopted.KNOWN else adopted
        return adopted


def _check(record: Record) -> float:
    """Refuse what no run comes to; gives when the run was made, in seconds since 1970."""
    try:
        catalogue.provider(record.provider, demo_dialect=record.dialect)
    except HailuoError as error:
        raise ValueError(error.what) from None
    if record.revision > _HIGHEST_REVISION:
        raise ValueError("Its revision is no number that a run comes to.")
    cost = record.cost
    for price in (cost.estimate_low, cost.estimate_high, cost.actual):
        if price is not None and not (isfinite(price) and 0 <= price <= _HIGHEST_PRICE_USD):
            raise ValueError("Its price is none that a clip has.")
    try:
        moments = [record.entered(state) for state in State]
    except (ValueError, OverflowError):  # a month 13
        raise ValueError("Its times are none.") from None
    return min((each for each in moments if each is not None), default=0.0)


def _check_same(record: Record, row: Row) -> None:
    known, job_ids = row.record, {row.record.job.id, record.job.id} - {None}
    if len(job_ids) > 1 or _what(known) != _what(record):
        raise ValueError("The log has another run by this id.")


def _what(record: Record) -> tuple[str, ...]:
    return (
        record.fingerprint,
        record.provider,
        record.dialect,
        record.wire,
        record.job.client_request_id,
    )


def _check_follows(record: Record, row: Row, log: RunLog, *, clip_here: bool) -> None:
    if row.owner is not None and log.alive(row.owner):
        raise ValueError("A process works on this run just now.")
    annotated = record.state is row.state and row.state in FINAL
    if not annotated and not (record.state is State.COMPLETED and clip_here):
        raise ValueError(
            f"The log has this run as {row.state.value}; that counts unless its clip is there."
        )
