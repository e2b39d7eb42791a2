"""The runs that this process works on: start, resume, claim from dead owners, abandon, cancel."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any

from hailuo_jupyter import startup
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine.account_check import AccountChecker
from hailuo_jupyter.engine.annotations import record_of
from hailuo_jupyter.engine.cancel import cancel_job
from hailuo_jupyter.engine.clip_sources import needs_no_key
from hailuo_jupyter.engine.clock import back_off
from hailuo_jupyter.engine.fetch import may_have_arrived
from hailuo_jupyter.engine.lifecycle import cancelled, internal_error, run_to_end
from hailuo_jupyter.engine.recovery import mark_interrupted
from hailuo_jupyter.engine.resources import OwnedLog, Resources
from hailuo_jupyter.engine.run_task import (
    OtherAccount,
    OwnershipLost,
    RunTask,
    TaskContext,
    problem_for_state,
)
from hailuo_jupyter.engine.submit_outcome import hinted_job
from hailuo_jupyter.errors import HailuoError, OwnerStopped, RunLogError, SettingsError
from hailuo_jupyter.providers.base import Dialect
from hailuo_jupyter.request import Request
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.accounts import Match, match
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import AT_PROVIDER, RESUMABLE, State

logger = logging.getLogger(__name__)


class RunSupervisor:
    """Starts and counts the tasks that drive runs on the engine's loop. All methods are thread-safe.

    Parameters
    ----------
    resources
        The engine's.

    Attributes
    ----------
    held
        Runs that only a stopped process may send, and the error that says so.
    account_checks
        Runs that were bought with another key than the current one.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._thread, self._logs, self._events = (
            resources.thread,
            resources.logs,
            resources.events,
        )
        self._providers, self._settings, self._clock = (
            resources.providers,
            resources.settings,
            resources.clock,
        )
        self._active: dict[str, Future[None]] = {}
        self._asyncio_tasks: dict[str, asyncio.Task[Any]] = {}
        self._run_tasks: dict[str, RunTask] = {}
        #: Runs whose task has ended, though the log could not be updated.
        self._unreleased: set[str] = set()
        self._unreadable: dict[str, str] = {}
        self._key_folders: dict[str, Path] = {}
        self.held: dict[str, OwnerStopped] = {}
        self.account_checks = AccountChecker(
            resources,
            make_task=self._make_task,
            resume_one=lambda row, owned, stopped: self.resume_one(row, owned, stopped=stopped),
        )
        self._claiming = threading.Lock()

    def active_ids(self) -> list[str]:
        """Return the ids of the runs that this process is working on."""
        return [run_id for run_id in tuple(self._active) if self.is_active(run_id)]

    def is_active(self, run_id: str) -> bool:
        """Return whether this process is working on a run."""
        future = self._active.get(run_id)
        return future is not None and not future.done()

    def has_stopped(self, run_id: str) -> bool:
        """Return whether nothing more happens to a run here, though it has an owner in the log.

        That is so if the log could not be written when the run was released, or if a newer version
        wrote the run.
        """
        return run_id in self._unreadable or (
            run_id in self._unreleased and not self.is_active(run_id)
        )

    @property
    def unreadable(self) -> dict[str, str]:
        """Why runs were skipped, by their ids: a newer version wrote them, or they are damaged."""
        return dict(self._unreadable)

    # ── resuming runs ────────────────────────────────────────────────────────────

    def resume_one(
        self,
        row: Row,
        owned: OwnedLog,
        key_folder: Path | None = None,
        *,
        stopped: Mapping[str, int] | None = None,
    ) -> bool:
        """Resume one run; return False if another process works on it, or nothing is to be done.

        The clip of a completed run is downloaded again.

        Parameters
        ----------
        row, owned
            The run, and the log it is in.
        key_folder
            Where a ``.env`` may be; if None, the folder named last, or that of this process.
        stopped
            As in `claim`.
        """
        if key_folder is not None:
            self._key_folders[row.run_id] = key_folder
        if row.state is State.COMPLETED:
            if self._needs_other_key(row, owned, stopped):
                self.account_checks.add(row, owned, stopped)
                return True
            row = self._to_fetch_again(row, owned)
        return bool(self.claim([row], owned, stopped))

    def claim(
        self, rows: Sequence[Row], owned: OwnedLog, stopped: Mapping[str, int] | None = None
    ) -> list[str]:
        """Claim and resume runs that no other process works on; return the ids of all that continue here.

        This includes runs that were bought with another key: the provider is asked about them, and they
        are claimed when the account is proved (see `hailuo_jupyter.engine.account_check`).

        A run that a newer version wrote, or whose provider is not known here, is neither claimed nor
        changed.

        Parameters
        ----------
        rows, owned
            The runs, and the log they are in.
        stopped
            Owners that are alive but stopped, with the counts of their last heartbeats; see
            `hailuo_jupyter.runlog.RunLog.claim`.
        """
        # One at a time: a cell that resumes runs and the watch on the log call this from two threads.
        with self._claiming:
            ours = [row.run_id for row in rows if self.is_active(row.run_id)]
            # A task may outlive its claim briefly; it no longer touches the run.
            active = {row.run_id for row in owned.log.rows(ours) if row.owner is not None}
            for run_id in active:
                self._thread.call(self._wake, run_id)
            others = [row for row in rows if row.run_id not in active and self._is_readable(row)]
            # Claiming a run means polling it with the key found now. Another account's answers
            # say nothing about its job, so such a run stays with its owner, dead or stopped, until the
            # provider has shown that it knows the job.
            other_key = {
                row.run_id
                for row in others
                if row.state in RESUMABLE and self._needs_other_key(row, owned, stopped)
            }
            for row in others:
                if row.run_id in other_key:
                    self.account_checks.add(row, owned, stopped)
            active |= other_key
            owners = {row.run_id: row.owner for row in others if row.run_id not in other_key}
            # One transaction for all, since each waits for the disk. Of several concurrent processes, one
            # gets each run: SQLite lets one write at a time (https://sqlite.org/isolation.html). An owner
            # is alive as long as its lock is held, which ends with the process however that ends, but not
            # while it is stopped (https://man7.org/linux/man-pages/man2/flock.2.html).
            claimed = owned.claim(owners, stopped)
            try:
                # A run is removed from the list when its task has started, so that after any error the
                # rest is released below and not kept by an owner that does not work on it.
                while claimed:
                    row = claimed[0]
                    if row.state in RESUMABLE or self._has_hinted_job(row, owned):
                        # Published before its task starts: waiters see its new owner.
                        self._restart(row)
                        active.add(row.run_id)
                    else:
                        # It was never sent, or that is unknown: its state shows that from now
                        # on, and only the user can send it again.
                        died = owners[row.run_id] is not None
                        mark_interrupted(row, owned.log, timestamp=self._clock.wall(), died=died)
                        self._events.publish(owned.release(row.run_id))
                    del claimed[0]
            finally:
                for row in claimed:
                    owned.release(row.run_id)
            return [row.run_id for row in rows if row.run_id in active]

    def _is_readable(self, row: Row) -> bool:
        """Return whether a run can be resumed; if not, that is logged once."""
        try:
            self._providers.of_record(record_of(row))
        except RunLogError as error:
            what, todo = error.what, error.todo
        except SettingsError:
            what = f"Run {row.run_id} uses a provider that this version does not support."
            todo = "Install the newest version."
        else:
            self._unreadable.pop(row.run_id, None)
            return True
        if row.run_id not in self._unreadable:
            self._unreadable[row.run_id] = f"{what} Skipped. {todo}"
            logger.warning("%s", self._unreadable[row.run_id])
        return False

    def _has_hinted_job(self, row: Row, owned: OwnedLog) -> bool:
        """Return whether the provider can be asked about a job of a run that was being sent."""
        if row.state is not State.SUBMITTING:
            return False
        provider = self._providers.of_record(row.record)
        return hinted_job(row, owned.log, provider) is not None

    def _restart(self, row: Row) -> None:
        self._events.publish(row)
        provider = self._providers.of_record(row.record)
        self.start(row, provider, self._key_folder(row), None)

    def _key_folder(self, row: Row) -> Path:
        return self._key_folders.get(row.run_id, startup.folder())

    def _to_fetch_again(self, row: Row, owned: OwnedLog) -> Row:
        now = self._clock.wall()
        return owned.log.update(
            row.run_id,
            lambda record: record.moved(State.DOWNLOADING, at=now),
            only_from={row.state},
        )

    def _needs_other_key(
        self, row: Row, owned: OwnedLog, stopped: Mapping[str, int] | None = None
    ) -> bool:
        """Return whether a run that no process works on was bought with a key that is not found here."""
        if row.provider == "demo" or row.job_id is None:
            return False
        if (
            row.owner is not None
            and row.owner not in (stopped or {})
            and owned.log.alive(row.owner)
        ):
            return False
        done = row.state in {State.DOWNLOADING, State.UNDOWNLOADED}
        if done and (may_have_arrived(row) or needs_no_key(row)):
            return False  # that is tried first, whatever the key
        provider = self._providers.of_record(row.record)
        try:
            dialect = self._providers.dialect(provider)
            key = self._providers.key_for(row, owned.log, dialect, self._key_folder(row))
        except HailuoError:
            return False  # its task reports what is missing
        account = owned.log.account(provider.name, dialect.addresses["api"], key)
        return match(row, account) is not Match.SAME

    def _wake(self, run_id: str) -> None:
        """Poll a run at once: the user may have resolved what it waits for."""
        if (task := self._run_tasks.get(run_id)) is not None:
            task.wake()

    # ── one run ────────────────────────────────────────────────────────────────────────────────

    def start(
        self, row: Row, provider: Provider, key_folder: Path, request: Request | None
    ) -> None:
        """Process a run that this process owns, until it has finished or waits for the user.

        Parameters
        ----------
        row, provider
            The run, and its provider.
        key_folder
            Where a ``.env`` may be.
        request
            The request; needed only before it is sent.
        """
        run_id, owned = row.run_id, self._logs.of(row.provider)
        self.account_checks.discard(run_id)
        self._unreleased.discard(run_id)
        self._key_folders[run_id] = key_folder
        work = self._work(row, owned, provider, request)
        future = self._active[run_id] = self._thread.spawn(work)
        future.add_done_callback(lambda ended: self._finish(run_id, owned, ended))

    def _finish(self, run_id: str, owned: OwnedLog, future: Future[None]) -> None:
        if self._active.get(run_id) is future:  # not a newer one
            latest = self._events.get(run_id)
            if latest is not None and owned.owns(latest):
                self._unreleased.add(run_id)
            del self._active[run_id]
        self._events.recheck()

    async def _work(
        self, row: Row, owned: OwnedLog, provider: Provider, request: Request | None
    ) -> None:
        if (current := asyncio.current_task()) is not None:
            self._asyncio_tasks[row.run_id] = current
        try:
            try:
                task = await self._make_task(row, owned, provider)
            except HailuoError as error:
                self._abandon(row, owned, provider, error)
                return
            except asyncio.CancelledError:
                self._abandon(row, owned, provider, None if request is None else cancelled())
                raise
            except Exception as error:
                logger.exception("run %s could not be started", row.run_id)
                self._abandon(row, owned, provider, internal_error(error))
                return
            self._run_tasks[row.run_id] = task
            try:
                await run_to_end(task, request)
            except OtherAccount:
                self.account_checks.add(task.row, owned)
        finally:
            self._run_tasks.pop(row.run_id, None)
            owned.limiter.leave(row.run_id)
            if self._asyncio_tasks.get(row.run_id) is current:
                del self._asyncio_tasks[row.run_id]

    async def _make_task(
        self, row: Row, owned: OwnedLog, provider: Provider | None = None
    ) -> RunTask:
        provider = provider or self._providers.of_record(row.record)
        dialect = await self._dialect(row, provider)
        context = TaskContext(
            self._thread.http(),
            owned,
            self._clock,
            self._events.publish,
            deadline_s(self._settings),
            self._settings.largest_clip,
            active_count=lambda: len(self._active),
            ceiling=self._settings.requests_per_minute.get(provider.name),
            disk=self._thread.disk,
            timings=self._resources.timings,
            asks_history=self._settings.ask_history,
        )
        folder = self._key_folder(row)
        task = RunTask(
            context,
            row,
            provider,
            dialect,
            lambda: self._providers.key_for(task.row, owned.log, dialect, folder),
        )
        return task

    async def _dialect(self, row: Row, provider: Provider) -> Dialect:
        for attempt in count(1):
            try:
                return await asyncio.to_thread(self._providers.dialect, provider)
            except HailuoError:
                raise
            except Exception:
                if row.state not in RESUMABLE:
                    raise
                # Out of threads or memory: neither ends a bought run.
                logger.warning("run %s is started again", row.run_id, exc_info=True)
                await self._clock.sleep(back_off(attempt))
        raise AssertionError("unreachable")

    def _abandon(
        self, row: Row, owned: OwnedLog, provider: Provider, error: HailuoError | None
    ) -> None:
        """Release a run whose task could not be created."""
        if error is not None:
            problem = problem_for_state(error, row.state, provider)
            owned.log.update(
                row.run_id,
                lambda record: record.changed(problem=problem),
                only_from={row.state},
                only_by=owned.owner.id,
            )
        self._events.publish(owned.release(row.run_id))

    async def cancel_unsent(self, run_id: str) -> bool:
        """Cancel on the loop itself: there, nothing can be sent between the check and the cancellation."""
        row, task = self._events.get(run_id), self._asyncio_tasks.get(run_id)
        unsent = row is not None and row.state in {State.PREPARED, State.UPLOADING}
        return unsent and task is not None and task.cancel()

    async def cancel_job(self, run_id: str) -> bool:
        """Ask the provider to cancel the job of a run that this process works on; False if it does not.

        Raises
        ------
        CannotCancel, ProviderError, KeyMissing, SettingsError
            As `hailuo_jupyter.engine.cancel.cancel_job`.
        """
        task = self._run_tasks.get(run_id)
        if task is None or task.row.state not in AT_PROVIDER:
            return False
        try:
            await cancel_job(task)
        except (OwnershipLost, OtherAccount):
            return False
        return True


def deadline_s(settings: Hailuo) -> float:
    """Return the seconds after which a run counts as overdue, by the settings."""
    return float(settings.deadline_minutes) * 60.0
