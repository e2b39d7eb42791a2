"""One row of the log, and how its columns follow from the record that it holds."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.states import IN_FLIGHT, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record

#: Somebody has still to do something about these: a process, or the person for one never sent.
UNFINISHED = IN_FLIGHT | {State.PREPARED}

#: The columns of `Row`, in its order.
ROW_COLUMNS = (
    "run_id, state, revision, provider, kind, fingerprint, notebook_id, cell_id, folder, job_id, "
    "owner, created, updated, record_json"
)


@dataclass(frozen=True)
class Row:
    """One run as the log holds it.

    Parameters
    ----------
    run_id, state, revision, provider, fingerprint, notebook_id, cell_id, job_id
        From the record, so that no query has to parse it.
    kind
        The key under which durations are learned.
    folder
        Absolute output folder; the record itself holds relative paths only.
    owner
        Id of the process that watches the run, or of the last one that did.
    created, updated
        Seconds since 1970 by this machine's clock. `updated` grows with every change in this log.
    record_json
        The record, as text.
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

    @cached_property
    def record(self) -> Record:
        """The record, parsed at the first use.

        Raises
        ------
        ValueError
            If a newer version wrote it in a format that this one does not know.
        """
        from hailuo_jupyter.record import Record

        return Record.from_json(self.record_json)


def row(values: tuple[Any, ...]) -> Row:
    """Make a `Row` of what a query with `ROW_COLUMNS` gave."""
    (run_id, state, revision, provider, kind, fingerprint, notebook_id, cell_id, folder, job_id,
     owner, created, updated, record_json) = values  # fmt: skip
    return Row(
        run_id, State(state), revision, provider, kind, fingerprint, notebook_id, cell_id,
        Path(os.fsdecode(folder)), job_id, owner, created, updated, record_json,
    )  # fmt: skip


def columns(record: Record) -> dict[str, object]:
    """Extract from a record what the log's columns hold of it."""
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
        "duration": None if record.provider == "demo" else took,  # the demo teaches no times
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
        "record_json": record.to_json(),
    }


def folder_value(folder: Path) -> str | bytes:
    """Give a folder as SQLite can hold it: as text, or as bytes where its name is no UTF-8."""
    absolute = str(folder.absolute())
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return os.fsencode(absolute)
    return absolute


def took_s(record: Record) -> float | None:
    """Give how long a run's clip took, in seconds: from submit to the job's known end; else None."""
    # The download begins when the job's end is known.
    begin, end = record.entered(State.SUBMITTED), record.entered(State.DOWNLOADING)
    if begin is None or end is None:
        return None
    seconds = round(end - begin, 3)
    return seconds if seconds > 0 else None  # a clock set back in between tells nothing
