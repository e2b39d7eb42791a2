"""The run log itself: one SQLite file, used by many threads and processes at once."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter.closing import Closing
from hailuo_jupyter.errors import RunLogError
from hailuo_jupyter.runlog import pacing, queries, spending, sweeps, text
from hailuo_jupyter.runlog.connection import connect, sqlite_in_words, transaction, unsynced
from hailuo_jupyter.runlog.migrations import migrate
from hailuo_jupyter.runlog.reader import LogReader
from hailuo_jupyter.runlog.schema import UNFINISHED, Row, columns, folder_value
from hailuo_jupyter.runlog.sweeps import SweepRow
from hailuo_jupyter.states import AT_PROVIDER, FINAL, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record

__all__ = ["Row", "RunLog"]

# Two changes at the same reading of the clock still get an order.
_TICK_S = 1e-6


class RunLog(LogReader, Closing):
    """All runs of this user on this machine.

    Every method that changes something is one transaction, on disk when the method returns. All
    methods may be called from any thread, block for a few milliseconds, and raise
    `RunLogError` or `hailuo_jupyter.errors.DiskError` in place of SQLite's errors.

    Parameters
    ----------
    path
        The file; made if it is not there.
    clock
        Gives seconds since 1970.
    vfs
        SQLite's access layer; see `hailuo_jupyter.runlog.connection.connect`.

    Raises
    ------
    RunLogError
        If the file is no run log, or a newer version's.
    FolderNotWritable, DiskFull
        If it cannot be made or changed.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.time, vfs: str | None = None
    ) -> None:
        self.path = Path(path)
        self._clock, self._vfs = clock, vfs
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = self._open()
        self._closed = False
        _logs.add(self)

    def close(self) -> None:
        """Close the file; may be repeated."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def insert(self, record: Record, *, folder: Path, kind: str, owner: str | None) -> Row:
        """Add a run.

        Parameters
        ----------
        record
            Its first revision.
        folder
            Output folder; kept as an absolute path.
        kind
            The key under which durations are learned, from the request.
        owner
            Id of the process that watches it, if any.

        Raises
        ------
        RunLogError
            If a run of this id is there.
        """
        values = {**columns(record), "folder": folder_value(folder), "kind": kind, "owner": owner}
        with self._writing() as connection:
            values["created"] = self._clock()
            values["updated"] = self._tick(connection)
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            connection.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", values)  # noqa: S608
            spending.drop_paid(connection, record.run_id)
            return queries.get(connection, record.run_id)

    def update(
        self,
        run_id: str,
        change: Callable[[Record], Record],
        *,
        only_from: Collection[State] | None = None,
        only_by: str | None = None,
        owner: str | None = None,
    ) -> Row:
        """Change a run's record, as one transaction from reading to writing.

        Parameters
        ----------
        run_id
            Its id, or what `get` takes for one.
        change
            Gives the next record for the present one, without delay; the same one to change
            nothing.
        only_from
            If given, states in which the change still makes sense. In any other one nothing
            happens: compare the row returned.
        only_by
            If given, the owner who changes it. Where another one watches the run by now, or nobody,
            nothing happens.
        owner
            If given, who watches the run from now on.

        Returns
        -------
        Row
            As it stands afterwards, changed or not.

        Raises
        ------
        RunNotFound
            If there is no such run.
        ValueError
            If `change` gives another run's record or an old revision; the log is as before.
        """
        with self._writing() as connection:
            before = queries.get(connection, run_id)
            if only_from is not None and before.state not in only_from:
                return before
            if only_by is not None and before.owner != only_by:
                return before
            after = change(before.record)
            if after == before.record:
                return before
            if after.run_id != before.run_id or after.revision <= before.revision:
                raise ValueError(f"not a later revision of run {before.run_id}")
            # What stays is not written again: each index on it would be, too.
            old, values = columns(before.record), columns(after)
            values = {name: value for name, value in values.items() if value != old[name]}
            # The person may have been told, which is in no record; only another state is news.
            values.pop("unfinished", None)
            if after.state != before.state:
                # Whoever has it in hand has still to write it down beside the clip (see `release`).
                held = (owner or before.owner) is not None
                values["unfinished"] = int(held or after.state in UNFINISHED)
            values["updated"] = self._tick(connection)
            if owner is not None:
                values["owner"] = owner
            names = ", ".join(f"{name} = :{name}" for name in values)
            values["run_id"] = before.run_id
            connection.execute(f"UPDATE runs SET {names} WHERE run_id = :run_id", values)  # noqa: S608
            return queries.get(connection, before.run_id)

    def tell(self, run_ids: Iterable[str]) -> None:
        """Note that the person knows of these runs, never sent: they are `unfinished` no more."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE runs SET unfinished = 0 WHERE run_id = ? AND state = ?",
                [(run_id, State.PREPARED.value) for run_id in run_ids],
            )

    def relocate(self, run_id: str, folder: Path, *, was: Path) -> Row:
        """Note that a run's output folder has moved; nothing where the log has not `was` for it.

        Its revision stays, since the record knows no absolute path. Gives the row as it stands then.
        """
        with self._writing() as connection:
            connection.execute(
                "UPDATE runs SET folder = ?, updated = ? WHERE run_id = ? AND folder = ?",
                (folder_value(folder), self._tick(connection), run_id, folder_value(was)),
            )
            return queries.get(connection, run_id)

    def forget(self, run_id: str) -> bool:
        """Remove a run that has ended for good; False where there is none, or it has not ended.

        What was paid for it stays in every sum.
        """
        with self._writing() as connection:
            row = queries.find(connection, run_id)
            if row is None or row.state not in FINAL:
                return False
            spending.keep_paid(connection, run_id)
            connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
            return True

    def keep_sweep(self, row: SweepRow) -> None:
        """Write a sweep's plan down; one of the same id is replaced."""
        with self._writing() as connection:
            sweeps.keep(connection, row)

    def stop_sweep(self, sweep: str, *, stopped: bool = True) -> None:
        """Note whether anything more of a sweep is to be sent."""
        with self._writing() as connection:
            sweeps.stop(connection, sweep, stopped=stopped)

    @contextmanager
    def exclusive(self) -> Iterator[sqlite3.Connection]:
        """Make several calls one transaction: read, decide and insert, with no one in between.

        All other threads and processes wait meanwhile (up to 5 s before they give up), so nothing
        slow belongs inside. An exception undoes all changes made in the block.
        """
        with self._writing() as connection:
            yield connection

    def claim(self, run_ids: Iterable[str], owner: str) -> list[str]:
        """Become the watcher of runs that nobody living watches; of several, one process wins each.

        Parameters
        ----------
        run_ids
            Full ids. Unknown ones are left out.
        owner
            `hailuo_jupyter.runlog.Owner.id` of this process.

        Returns
        -------
        list of str
            The ids that are this owner's now, in the order given.
        """
        won: list[str] = []
        living: dict[str, bool] = {}
        with self._writing() as connection:
            for run_id in run_ids:
                found = connection.execute(
                    "SELECT owner, state FROM runs WHERE run_id = ?", (run_id,)
                ).fetchone()
                if found is None:
                    continue
                holder, state = found
                if holder != owner:
                    if holder is not None and living.setdefault(holder, self.alive(holder)):
                        continue
                    connection.execute(
                        "UPDATE runs SET owner = ?, interrupted = max(interrupted, ?) "
                        "WHERE run_id = ?",
                        (owner, int(state in AT_PROVIDER), run_id),
                    )
                won.append(run_id)
        return won

    def release(self, run_id: str, owner: str) -> Row:
        """Stop watching a run, if `owner` is the one who does; gives the row as it stands then.

        Until then it is `unfinished`, so that whatever a killed process had still to do is found.
        """
        with self._writing() as connection:
            row = queries.get(connection, run_id)
            connection.execute(
                "UPDATE runs SET owner = NULL, unfinished = unfinished AND ? "
                "WHERE run_id = ? AND owner = ?",
                (int(row.state in UNFINISHED), run_id, owner),
            )
            return queries.get(connection, run_id)

    def reserve(self, provider: str, *, per_minute: int | None, now: float | None = None) -> float:
        """Take a slot for one request, counted over all processes.

        Parameters
        ----------
        provider
            Name of the provider.
        per_minute
            Requests allowed within 60 s, 1 or more; None for no limit but the provider's own word.
        now
            Seconds since 1970; this log's clock if None.

        Returns
        -------
        float
            0.0 if the slot is taken and the request may leave; else seconds to wait before asking
            again.
        """
        # Each look at a job takes one, and after a power failure nobody asks for those of before.
        with self._writing(synced=False) as connection:
            moment = self._clock() if now is None else now
            return pacing.reserve(connection, provider, per_minute=per_minute, now=moment)

    def block_until(self, provider: str, until: float, *, now: float | None = None) -> None:
        """Give no slot before a moment that the provider named; all in seconds since 1970."""
        with self._writing() as connection:
            moment = self._clock() if now is None else now
            pacing.block_until(connection, provider, until, now=moment)

    def _open(self) -> sqlite3.Connection:
        connection = connect(self.path, vfs=self._vfs)
        try:
            with sqlite_in_words(self.path):
                migrate(connection)
                self._indexed = text.prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, sqlite_in_words(self.path):
            if self._closed:
                raise RunLogError("The run log was closed.", todo="Open it again.")
            if self._connection is None:
                self._connection = self._open()
            yield self._connection

    @contextmanager
    def _writing(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            if connection.in_transaction:  # this thread's own, by `exclusive`
                yield connection
            else:
                with nullcontext() if synced else unsynced(connection), transaction(connection):
                    yield connection
                if self._indexed:
                    self._indexed = text.keep_up(connection)

    def _tick(self, connection: sqlite3.Connection) -> float:
        # Read inside of the transaction, and never before another change: so who asks for what
        # changed since some row misses nothing, even after the clock was set back.
        (latest,) = connection.execute("SELECT max(updated) FROM runs").fetchone()
        return max(self._clock(), (latest or 0.0) + _TICK_S)

    def _after_fork(self) -> None:
        # SQLite's connections do not survive a fork. The parent's is neither used nor closed here,
        # since closing it could take the parent's files away.
        self._lock = threading.RLock()
        if self._connection is not None:
            _left_alone.append(self._connection)
            self._connection = None


_logs: weakref.WeakSet[RunLog] = weakref.WeakSet()
_left_alone: list[sqlite3.Connection] = []


def _after_fork_in_child() -> None:
    for log in list(_logs):
        log._after_fork()  # noqa: SLF001 -- one module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
