"""The run log itself: one SQLite file, used by many threads and processes at once."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hailuo_jupyter import home
from hailuo_jupyter.errors import NOTHING_SENT, RunLogError
from hailuo_jupyter.runlog import accounts, deliveries, heartbeats, key_choices, notebooks, spending
from hailuo_jupyter.runlog.accounts import Account
from hailuo_jupyter.runlog.connection import (
    connect,
    sqlite_in_words,
    system_in_words,
    transaction,
    unsynced,
)
from hailuo_jupyter.runlog.notebooks import NotebookQueries
from hailuo_jupyter.runlog.queries import RunQueries, SweepQueries, SweepRow
from hailuo_jupyter.runlog.rate_limits import RateLimitRows
from hailuo_jupyter.runlog.row import UNFINISHED, Row, columns, folder_value
from hailuo_jupyter.runlog.schema import migrate
from hailuo_jupyter.runlog.search import SearchQueries
from hailuo_jupyter.runlog.spending import SpendingQueries
from hailuo_jupyter.states import AT_PROVIDER, FINAL, RESUMABLE, UNSENT, State

if TYPE_CHECKING:
    from hailuo_jupyter.catalogue.types import Price
    from hailuo_jupyter.ids import Notebook
    from hailuo_jupyter.keys import Key
    from hailuo_jupyter.record import Record

__all__ = ["Row", "RunLog"]

# Two changes with the same clock reading still have an order.
_TICK_S = 1e-6


class RunLog(RunQueries, SweepQueries, SearchQueries, SpendingQueries, NotebookQueries):
    """All runs of this user on this machine: the methods that change the log. The base classes read it.

    Every method that changes something is one transaction, on disk when the method returns. All
    methods may be called from any thread, block for a few milliseconds, and raise
    `RunLogError` or `hailuo_jupyter.errors.DiskError` instead of SQLite's errors.

    Parameters
    ----------
    path
        The file; created if missing.
    clock
        Returns seconds since 1970.
    vfs
        SQLite's access layer; see `hailuo_jupyter.runlog.connection.connect`.

    Raises
    ------
    RunLogError
        If the file is not a run log, or a newer version's.
    FolderNotWritable, DiskFull
        If it cannot be created or changed.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def insert(self, record: Record, *, folder: Path, kind: str, owner: str | None) -> Row:
        """Add a run.

        Parameters
        ----------
        record
            Its first revision.
        folder
            Output folder; stored as an absolute path.
        kind
            The key under which durations are learned, from the request.
        owner
            Id of the process that works on it, if any.

        Raises
        ------
        RunLogError
            If a run of this id exists, or the log's file was removed or replaced.
        """
        values = {**columns(record), "folder": folder_value(folder), "kind": kind, "owner": owner}
        with self._writing() as connection:
            self._check_in_place()
            values["created"] = self._clock()
            values["updated"] = self._tick(connection)
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            connection.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", values)  # noqa: S608
            spending.drop_paid(connection, record.run_id)
            return self.get(record.run_id)

    def update(
        self,
        run_id: str,
        change: Callable[[Record], Record],
        *,
        only_from: Collection[State] | None = None,
        only_by: str | None = None,
        owner: str | None = None,
        sent_by: Account | None = None,
    ) -> Row:
        """Change a run's record, as one transaction from reading to writing.

        Parameters
        ----------
        run_id
            Its id, or a part accepted by `get`.
        change
            Returns the next record for the current one, without delay; the same one to change
            nothing.
        only_from
            If set, states in which the change still makes sense. In any other one nothing
            happens: compare the row returned.
        only_by
            If set, the owner who changes it. If another one owns the run by now, or none,
            nothing happens.
        owner
            If set, the new owner of the run.
        sent_by
            If set, the account that the run is sent with.

        Returns
        -------
        Row
            The row afterwards, changed or not.

        Raises
        ------
        RunNotFound
            If the run does not exist.
        ValueError
            If `change` returns another run's record or an old revision; the log is unchanged.
        """
        with self._writing() as connection:
            before = self.get(run_id)
            if only_from is not None and before.state not in only_from:
                return before
            if only_by is not None and before.owner != only_by:
                return before
            after = change(before.record)
            if after == before.record:
                return before
            if after.run_id != before.run_id or after.revision <= before.revision:
                raise ValueError(f"not a later revision of run {before.run_id}")
            # Unchanged columns are not written: their indexes would be rewritten, too.
            old, values = columns(before.record), columns(after)
            values = {name: value for name, value in values.items() if value != old[name]}
            # Whether the person was notified is not in the record; only a new state resets that.
            values.pop("unfinished", None)
            if after.state != before.state:
                # Its owner still has to write the record next to the clip (see `release`).
                held = (owner or before.owner) is not None
                values["unfinished"] = int(held or after.state in UNFINISHED)
            values["updated"] = self._tick(connection)
            if owner is not None:
                values["owner"] = owner
            names = ", ".join(f"{name} = :{name}" for name in values)
            values["run_id"] = before.run_id
            connection.execute(f"UPDATE runs SET {names} WHERE run_id = :run_id", values)  # noqa: S608
            if sent_by is not None:
                accounts.prove(connection, before.run_id, sent_by)
            return self.get(before.run_id)

    def tell(self, run_ids: Iterable[str]) -> None:
        """Record that the person knows about these unsent runs: they are no longer `unfinished`."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE runs SET unfinished = 0 WHERE run_id = ? AND state = ?",
                [(run_id, State.PREPARED.value) for run_id in run_ids],
            )

    def relocate(self, run_id: str, folder: Path, *, was: Path) -> Row:
        """Record that a run's output folder has moved; nothing if its folder in the log is not `was`.

        Its revision is unchanged, since the record has no absolute path. Returns the row afterwards.
        """
        with self._writing() as connection:
            connection.execute(
                "UPDATE runs SET folder = ?, updated = ? WHERE run_id = ? AND folder = ?",
                (folder_value(folder), self._tick(connection), run_id, folder_value(was)),
            )
            return self.get(run_id)

    def keep_notebook(self, notebook: Notebook) -> None:
        """Save where a notebook is, and its earlier ids."""
        with self._writing() as connection:
            notebooks.keep(connection, notebook)

    def include_notebook(self, notebook_id: str, alias: str) -> None:
        """Record that a notebook had another id before."""
        with self._writing() as connection:
            notebooks.include(connection, notebook_id, [alias])

    def replace(self, run_id: str, by: str, change: Callable[[Record], Record]) -> Row:
        """Record that another run is bought instead of one that was never sent.

        The owner, if still alive, notices that it no longer owns the run.

        Parameters
        ----------
        run_id, by
            The run, and the one that is bought.
        change
            As for `update`.
        """
        with self._writing() as connection:
            row = self.update(run_id, change, only_from=UNSENT)
            if row.state in UNSENT:
                connection.execute(
                    "UPDATE runs SET owner = NULL, unfinished = 0, replaced_by = ?, updated = ? "
                    "WHERE run_id = ?",
                    (by, self._tick(connection), run_id),
                )
            return self.get(run_id)

    def go_on_with(self, run_id: str) -> None:
        """Record that a person has requested a run of unknown origin: from now on it is `unfinished`."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE runs SET unfinished = 1 WHERE run_id = ? AND unfinished = 0", (run_id,)
            )

    def take_as_own(self, run_id: str, price: Price) -> Row:
        """Record that the provider has answered this user's own key for a run's job: from now on it counts.

        No change if it already counts as the user's own. The cost in its record is not trusted:
        the estimate is replaced, and a charge has to be confirmed.

        Parameters
        ----------
        run_id
            Its full id.
        price
            The current estimate for such a run.
        """
        estimate = {
            "estimate_low": price.low,
            "estimate_high": price.counted,
            "kind": price.kind,
            "source": price.source,
            "as_of": price.as_of,
            "confirmed": False,
        }
        with self._writing() as connection:
            row = self.get(run_id)
            job = [row.job_id] if row.job_id is not None else []
            # A record that claims the job of another run is not counted twice.
            if row.elsewhere and not spending.own_jobs(connection, row.provider, job):
                connection.execute("UPDATE runs SET elsewhere = 0 WHERE run_id = ?", (run_id,))
                row = self.update(run_id, lambda record: record.changed(cost=estimate))
            return row

    def prove(self, run_id: str, by: Account, price: Price) -> Row:
        """Record that the provider has answered an account's key for a run's job; see `take_as_own`."""
        with self._writing() as connection:
            accounts.prove(connection, run_id, by)
            return self.take_as_own(run_id, price)

    def forget(self, run_id: str) -> bool:
        """Remove a finished run permanently; False if it does not exist or is not finished.

        Its cost stays in every sum.
        """
        with self._writing() as connection:
            row = self.find(run_id)
            if row is None or row.state not in FINAL:
                return False
            spending.keep_paid(connection, run_id)
            connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
            return True

    def keep_sweep(self, row: SweepRow) -> None:
        """Store a sweep's plan; one with the same id is replaced."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO sweeps (sweep, notebook_id, digest, created, stopped, plan_json) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (row.sweep, row.notebook_id, row.digest, row.created, row.stopped, row.plan_json),
            )

    def stop_sweep(self, sweep: str, *, stopped: bool = True) -> None:
        """Record whether anything more of a sweep is to be sent."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE sweeps SET stopped = ? WHERE sweep = ?", (int(stopped), sweep)
            )

    @contextmanager
    def exclusive(self) -> Iterator[sqlite3.Connection]:
        """Run several calls in one transaction: read, decide and insert.

        All other threads and processes wait meanwhile (up to 5 s before they give up), so nothing
        slow may be inside. An exception undoes all changes made in the block.
        """
        with self._writing() as connection:
            yield connection

    def beat(self, owner: str) -> None:
        """Count a heartbeat of an owner; see `hailuo_jupyter.runlog.heartbeats`. No wait for the disk."""
        with self._writing(synced=False) as connection:
            heartbeats.beat(connection, owner, self._clock())

    def claim(
        self, run_ids: Iterable[str], owner: str, *, stopped: Mapping[str, int] | None = None
    ) -> list[str]:
        """Claim runs that no live process owns; of several processes, one wins each.

        Parameters
        ----------
        run_ids
            Full ids. Unknown ones are left out.
        owner
            `hailuo_jupyter.runlog.Owner.id` of this process.
        stopped
            Owners that are alive but stopped, with the numbers of their last heartbeats. Their runs are
            claimed only if nothing but polling and downloading is left, and if their count still has not
            changed.

        Returns
        -------
        list of str
            The ids that this owner owns now, in the order of `run_ids`.
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
                        last = heartbeats.beats(connection, [holder])[holder].count
                        if state not in RESUMABLE or (stopped or {}).get(holder) != last:
                            continue
                    connection.execute(
                        "UPDATE runs SET owner = ?, interrupted = max(interrupted, ?) "
                        "WHERE run_id = ?",
                        (owner, int(state in AT_PROVIDER), run_id),
                    )
                won.append(run_id)
        return won

    def release(self, run_id: str, owner: str) -> Row:
        """Release a run, if `owner` owns it; returns the row afterwards.

        Until then it is `unfinished`, so that the remaining work of a killed process is found.
        """
        with self._writing() as connection:
            row = self.get(run_id)
            connection.execute(
                "UPDATE runs SET owner = NULL, unfinished = unfinished AND ? "
                "WHERE run_id = ? AND owner = ?",
                (int(row.state in UNFINISHED), run_id, owner),
            )
            return self.get(run_id)

    @contextmanager
    def rate_limit(
        self, account: str, owner: str, now: float | None = None
    ) -> Iterator[RateLimitRows]:
        """Read and change an account's stored rate limit, as one transaction.

        It does not wait for the disk: each poll is one such transaction, and after a power failure
        earlier requests do not matter.

        Parameters
        ----------
        account
            Its name; see `hailuo_jupyter.runlog.accounts`.
        owner
            Id of this process, which has its own queue.
        now
            Seconds since 1970; this log's clock if None.
        """
        with self._writing(synced=False) as connection:
            yield RateLimitRows(connection, account, owner, self._clock() if now is None else now)

    def account(self, provider: str, address: str, key: Key) -> Account:
        """Return the account of a key; see `hailuo_jupyter.runlog.accounts`."""
        with self._reading() as connection:
            return accounts.account(connection, provider, address, key)

    def keep_key_choice(self, folder: Path, provider: str, place: str) -> None:
        """Save which key to use in a folder; see `hailuo_jupyter.runlog.key_choices`."""
        with self._writing() as connection:
            key_choices.keep(connection, folder, provider, place)

    def put_on_list(self, sink: str, run_ids: Iterable[str]) -> None:
        """Add runs to a sink's list; see `hailuo_jupyter.runlog.deliveries`."""
        with self._writing() as connection:
            deliveries.put_on_list(connection, sink, run_ids)

    def note_delivery(self, sink: str, run_id: str, revision: int) -> None:
        """Record that a sink has a revision of a run."""
        with self._writing() as connection:
            deliveries.note_delivery(connection, sink, run_id, revision)

    def leave_duration_out(self, run_id: str) -> None:
        """Record that a job's end was noticed late, so that its duration is not used for estimates."""
        with self._writing() as connection:
            connection.execute("UPDATE runs SET interrupted = 1 WHERE run_id = ?", (run_id,))

    def _open(self) -> sqlite3.Connection:
        connection = connect(self.path, vfs=self._vfs)
        try:
            with sqlite_in_words(self.path), system_in_words(self.path):
                migrate(connection)
                self._file = self.path.stat()
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_in_place(self) -> None:
        """Refuse a new run if the open file is no longer at its path, where the next process looks for it.

        SQLite would write on to the removed file. Changes of runs that it already has are still made: this
        process alone knows them.
        """
        try:
            same = os.path.samestat(self._file, self.path.stat())
        except OSError:
            same = False
        if not same:
            raise RunLogError(
                f"The run log {home.shorten(self.path)} was removed or replaced while it was in use.",
                money=NOTHING_SENT,
                todo="Put it back, or restart the kernel to use the file that is there now.",
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, sqlite_in_words(self.path):
            if self._closed:
                raise RunLogError("The run log is closed.", todo="Open it again.")
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

    def _tick(self, connection: sqlite3.Connection) -> float:
        # Read inside the transaction, and never before another change: so a query for
        # changes since some row misses nothing, even after the clock was set back.
        # SQLite sorts text above all numbers: the text of a damaged row is ignored.
        newest = "SELECT max(updated) FROM runs WHERE updated < 1e300"
        (latest,) = connection.execute(newest).fetchone()
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
        log._after_fork()  # noqa: SLF001 -- same module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
