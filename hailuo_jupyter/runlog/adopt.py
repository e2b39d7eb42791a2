"""Import records into the log: a lost log is restored from sidecars and notebooks.

A record in a folder, or in a notebook, is untrusted input: a cloned repository may contain any.
What it can and cannot do:

- It is parsed by `Record.from_json` alone, so that its id has our format. An impossible size, revision, price
  or time is rejected: a negative price would make room in a budget, a huge one would use it up. An imported
  run does not affect estimates of durations.
- It names no other file. A clip may have any name (``jupyter hailuo relink`` follows one that was renamed) if
  exactly its bytes are there, and no other run's record is beside them. Else the run is imported as if its
  clip had its usual name: it is paid for, whatever its clip is called.
- Its cost is shown, but counts toward no budget until the provider answers this user's own key for its job
  (`RunLog.take_as_own`). It does not change the cost of a run that is this user's own: a price of 0 would
  make room in a budget.
- It never replaces a newer revision or a run that a live process is working on, never turns one run into
  another (request, provider, job), and never changes the state of a finished run. An active run is ended only
  by a completed record of the same job whose clip exists: only someone who has seen the run's record could
  forge that, and the paid clip is still at the provider.
- Nothing is requested, downloaded or sent for it. An unfinished imported run is not in `RunLog.unfinished`,
  so it is not continued automatically: its job's id is untrusted until a person names the run (``jupyter
  hailuo wait RUN``) or runs its cell. The id then goes to the provider of that name, at the address in this
  machine's settings, quoted as one path segment: a free request, which buys nothing.
- A forger only achieves that a forged clip is shown instead of buying one, for a request whose exact text the
  forger knew, in a notebook whose id or name the forger knew, from that notebook's own output folder.
  ``--new`` buys it anyway.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter import catalogue
from hailuo_jupyter.container import DEFAULT_SUFFIX, SUFFIXES
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.links import shared
from hailuo_jupyter.record.paths import clip_name, is_stem, stem_of
from hailuo_jupyter.runlog import spending
from hailuo_jupyter.runlog.log import RunLog
from hailuo_jupyter.runlog.row import Row
from hailuo_jupyter.states import FINAL, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import ClipRecord, Record

_HIGHEST_REVISION = 1_000_000
_HIGHEST_PRICE_USD = 1000.0
_MOST_PIXELS, _MOST_BYTES = 100_000, 10**12


class Adopted(StrEnum):
    """The result of importing a record."""

    NEW = "new"
    NEWER = "newer"
    MOVED = "moved"
    KNOWN = "known"


def adopt(record: Record, folder: Path, log: RunLog, *, clip_here: bool) -> Adopted:
    """Add an imported record to a log, unless the log has a better one.

    Parameters
    ----------
    record
        The record; this log must be the one for its provider.
    folder
        Where its clip and its sidecar are.
    log
        The log.
    clip_here
        Whether exactly its clip is in `folder`.

    Raises
    ------
    ValueError
        In one line, if it has impossible values, or contradicts the log.
    """
    created = _check(record)
    record = record if clip_here else _usually_named(record)
    with log.exclusive() as connection:
        row = log.find(record.run_id)
        if row is None:
            # A run that this user has bought and removed from the log still counts, as before.
            own = spending.paid(connection, record.run_id)
            if own and (record.state.value, record.job.id) != (own.state, own.job_id):
                raise ValueError(
                    f"The log had this run as {own.state} when it was removed, or with another job."
                )
            record = record.costing(**(own.cost if own else {"confirmed": False}))
            row = log.insert(record, folder=folder, kind="", owner=None)
            connection.execute(
                "UPDATE runs SET created = ?, notebook_id = ?, unfinished = 0, interrupted = 1, "
                "elsewhere = ?, imported = ? WHERE run_id = ?",
                (
                    own.created if own else min(row.created, created),
                    own.notebook_id if own else row.notebook_id,
                    own is None,
                    row.created,
                    record.run_id,
                ),
            )
            return Adopted.NEW
        _check_same(record, row)
        record = record.costing(
            **({"confirmed": False} if row.elsewhere else dict(row.record.cost))
        )
        adopted = Adopted.KNOWN
        if record.revision > row.revision:
            _check_follows(record, row, log, clip_here=clip_here)
            log.update(record.run_id, partial(_with_whole_links, record))
            adopted = Adopted.NEWER
        has_clip = any((row.folder / name).is_file() for name in row.record.clip_paths)
        if clip_here and row.folder != folder and not has_clip:
            log.relocate(row.run_id, folder, was=row.folder)
            adopted = Adopted.MOVED if adopted is Adopted.KNOWN else adopted
        return adopted


def _with_whole_links(record: Record, stored: Record) -> Record:
    """Return a record with the log's data about the job, if a notebook's copy agrees."""
    before, after = ({"job": each.job.model_dump(mode="json")} for each in (stored, record))
    return record.model_copy(update={"job": stored.job}) if shared(before) == after else record


def _check(record: Record) -> float:
    """Reject impossible values; return when the run was created, in seconds since 1970."""
    try:
        catalogue.provider(record.provider, demo_dialect=record.dialect)
    except HailuoError as error:
        raise ValueError(error.what) from None
    if record.revision > _HIGHEST_REVISION:
        raise ValueError("Invalid revision.")
    clip = record.clip
    if clip is not None and not _is_possible(clip):
        raise ValueError("Invalid size of its clip.")
    cost = record.cost
    for price in (cost.estimate_low, cost.estimate_high, cost.actual):
        if price is not None and not (isfinite(price) and 0 <= price <= _HIGHEST_PRICE_USD):
            raise ValueError("Invalid price.")
    try:
        moments = [record.entered(state) for state in State]
    except (ValueError, OverflowError):  # a month 13
        raise ValueError("Invalid times.") from None
    return min((each for each in moments if each is not None), default=0.0)


def _usually_named(record: Record) -> Record:
    """Return a record whose clip has one of the names that a run's clip has without a person's doing."""
    clip = record.clip
    if clip is None or _fits(clip.path, record.run_id):
        return record
    suffix = next((each for each in SUFFIXES if clip.path.endswith(each)), DEFAULT_SUFFIX)
    named = clip.model_copy(update={"path": clip_name(record.file_stem, suffix)})
    return record.model_copy(update={"clip": named})


def _fits(name: str, run_id: str) -> bool:
    """Return whether a file name is a run's clip: a record may name any other file."""
    own = run_id in name or is_stem(stem_of(name), run_id)
    return own and name.endswith(SUFFIXES) and not {"/", "\\"} & set(name)


def _is_possible(clip: ClipRecord) -> bool:
    """Return whether there can be a clip of this size: what shows it divides by its height."""
    sides = (clip.width, clip.height)
    return all(1 <= each <= _MOST_PIXELS for each in sides) and 0 <= clip.bytes <= _MOST_BYTES


def _check_same(record: Record, row: Row) -> None:
    stored, job_ids = row.record, {row.record.job.id, record.job.id} - {None}
    if len(job_ids) > 1 or _what(stored) != _what(record):
        raise ValueError("The log has a different run with this id.")


def _what(record: Record) -> tuple[str, ...]:
    return (
        record.fingerprint,
        record.provider,
        record.dialect,
        record.wire,
        record.job.client_request_id,
        record.file_stem,
    )


def _check_follows(record: Record, row: Row, log: RunLog, *, clip_here: bool) -> None:
    if row.owner is not None and log.alive(row.owner):
        raise ValueError("A process is working on this run.")
    annotated = record.state is row.state and row.state in FINAL
    if not annotated and not (record.state is State.COMPLETED and clip_here):
        raise ValueError(
            f"The log has this run as {row.state.value}, which counts unless its clip exists."
        )
