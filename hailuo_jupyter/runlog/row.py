"""One row of the log, and its columns derived from the record."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.errors import RecordUnreadable
from hailuo_jupyter.states import IN_FLIGHT, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record

#: States that need action: by a process, or by the person for an unsent run.
UNFINISHED = IN_FLIGHT | {State.PREPARED}

_TEXT, _NUMBER = (str,), (int, float)
_TEXT_OR_NONE = (str, type(None))

#: The columns of `Row`, in its order: the types of their values, and the replacement for a damaged one.
_COLUMNS: dict[str, tuple[tuple[type, ...], Any]] = {
    "run_id": (_TEXT, ""),
    "state": (_TEXT, ""),
    "revision": ((int,), 0),
    "provider": (_TEXT, ""),
    "kind": (_TEXT, ""),
    "fingerprint": (_TEXT, ""),
    "notebook_id": (_TEXT_OR_NONE, None),
    "cell_id": (_TEXT_OR_NONE, None),
    "folder": ((str, bytes), os.sep),
    "job_id": (_TEXT_OR_NONE, None),
    "owner": (_TEXT_OR_NONE, None),
    "created": (_NUMBER, 0.0),
    "updated": (_NUMBER, 0.0),
    "record_json": (_TEXT, ""),
    "elsewhere": ((int,), 0),
    "notebook_path": (_TEXT_OR_NONE, None),
    "address": (_TEXT_OR_NONE, None),
    "account": (_TEXT_OR_NONE, None),
    "imported": ((*_NUMBER, type(None)), None),
}

#: For a query whose results `row` reads.
ROW_COLUMNS = ", ".join(_COLUMNS)


@dataclass(frozen=True)
class Row:
    """One run as stored in the log.

    Parameters
    ----------
    run_id, state, revision, provider, fingerprint, notebook_id, cell_id, job_id, notebook_path
        From the record, so that no query has to parse it.
    kind
        The key under which durations are learned.
    folder
        Absolute output folder; the record itself has relative paths only.
    owner
        Id of the process that owns the run, or of the last one.
    created, updated
        Seconds since 1970 by this machine's clock. `updated` grows with every change in this log.
    record_json
        The record, as text.
    elsewhere
        Whether it came from outside (an imported record), and the provider has not answered this
        user's own key for its job. It counts toward no budget then.
    address, account
        Base address that it was sent to, and the account that it was bought with; None if
        unknown. See `hailuo_jupyter.runlog.accounts`.
    imported
        When it was imported into this log, in seconds since 1970; None if it was created here.
    flaw
        The problem of the row itself, if any; then its record is unreadable.
    """

    run_id: str
    state: State
    revision: int
    provider: str
    kind: str
    fingerprint: str
    notebook_id: str | None
    cell_id: str | None
    folder: Path
    job_id: str | None
    owner: str | None
    created: float
    updated: float
    record_json: str
    elsewhere: bool = False
    notebook_path: str | None = None
    address: str | None = None
    account: str | None = None
    imported: float | None = None
    flaw: str = ""

    @cached_property
    def is_readable(self) -> bool:
        """Whether the record is readable: a newer version's is not, nor a damaged one."""
        try:
            _ = self.record
        except RecordUnreadable:
            return False
        return True

    @cached_property
    def record(self) -> Record:
        """The record, parsed on first use.

        Raises
        ------
        RecordUnreadable
            If a newer version wrote it in a format that this one does not know, or it is damaged.
        """
        from hailuo_jupyter.record import Record, UnknownFormatError

        if self.flaw:
            raise self._damaged(self.flaw)
        try:
            return Record.from_json(self.record_json)
        except UnknownFormatError:
            raise RecordUnreadable(
                f"Run {self.run_id} was written by a newer version of hailuo-jupyter.",
                money="Nothing was changed or sent.",
                todo="Install the newest version.",
            ) from None
        except ValueError as error:
            raise self._damaged(str(error)) from None

    def _damaged(self, why: str) -> RecordUnreadable:
        return RecordUnreadable(
            f"The record of run {self.run_id} in the run log is damaged: {why.rstrip('.')}.",
            money="Nothing was changed or sent.",
            todo=f"Its clip, if any, is in the folder {self.folder.name!r}.",
        )


def row(values: tuple[Any, ...]) -> Row:
    """Return the `Row` for a query result of `ROW_COLUMNS`, even of a damaged row.

    A query returns many runs, and an unreadable one must not hide the others: access to its
    record raises the error. It counts as one that may have been bought.
    """
    flaws = []
    read: dict[str, Any] = {}
    for (name, (types, usual)), value in zip(_COLUMNS.items(), values, strict=True):
        read[name] = value
        if not isinstance(value, types):
            flaws.append(f"its {name} is {type(value).__name__}")
            read[name] = usual
    try:
        read["state"] = State(read["state"])
    except ValueError:
        flaws.append(f"its state {read['state']!a} is not known")
        read["state"] = State.UNCONFIRMED
    read["folder"] = Path(os.fsdecode(read["folder"]))
    read["elsewhere"] = bool(read["elsewhere"])
    return Row(**read, flaw=", ".join(flaws))


def columns(record: Record) -> dict[str, object]:
    """Return the values of the log's columns for a record."""
    took = took_s(record)
    return {
        "run_id": record.run_id,
        "state": record.state.value,
        "revision": record.revision,
        "provider": record.provider,
        "fingerprint": record.fingerprint,
        "notebook_id": record.origin.notebook_id if record.origin else None,
        "cell_id": record.origin.cell_id if record.origin else None,
        "job_id": record.job.id,
        "unfinished": int(record.state in UNFINISHED),
        "duration": None if record.provider == "demo" else took,  # the demo's would spoil estimates
        "took": took,
        "prompt": record.request.prompt,
        "note": record.note,
        "name": record.name,
        "tags": json.dumps(record.tags, ensure_ascii=False),
        "rating": record.rating,
        "sweep": record.sweep,
        "notebook_path": record.origin.notebook_path if record.origin else None,
        "cost_kind": record.cost.kind,
        "cost_low": record.cost.estimate_low,
        "cost_high": record.cost.estimate_high,
        "cost_actual": record.cost.actual,
        "cost_confirmed": int(record.cost.confirmed),
        "record_json": record.to_json(),
    }


def folder_value(folder: Path) -> str | bytes:
    """Return a folder for SQLite: as text, or as bytes if its name is not UTF-8."""
    absolute = str(folder.absolute())
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return os.fsencode(absolute)
    return absolute


def took_s(record: Record) -> float | None:
    """Return the duration of a run's job, in seconds: from submit to the job's known end; else None."""
    # The download starts when the job's end is known.
    begin, end = record.entered(State.SUBMITTED), record.entered(State.DOWNLOADING)
    if begin is None or end is None:
        return None
    seconds = round(end - begin, 3)
    return seconds if seconds > 0 else None  # unknown if the clock was set back in between
