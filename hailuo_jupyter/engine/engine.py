"""The per-process engine. All methods are thread-safe."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import account
from hailuo_jupyter.engine import timings as default_timings
from hailuo_jupyter.engine.annotations import Change, record_of
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.events import Listener, RunEvents
from hailuo_jupyter.engine.limit_status import Delay, LimitStatus, statuses
from hailuo_jupyter.engine.log_watch import keep_beating, watch_log
from hailuo_jupyter.engine.reconcile import Reconciler
from hailuo_jupyter.engine.recovery import Sidecars
from hailuo_jupyter.engine.resources import OwnedLog, ProviderRegistry, Resources, RunLogs
from hailuo_jupyter.engine.run import Run, RunBackend
from hailuo_jupyter.engine.run_task import estimate_duration
from hailuo_jupyter.engine.sidecar_sync import has_place, write_beside
from hailuo_jupyter.engine.submission import (
    Outdated,
    Reusable,
    Submission,
    SubmittedRun,
    find_reusable,
    preflight,
    reserve,
)
from hailuo_jupyter.engine.supervisor import RunSupervisor, deadline_s
from hailuo_jupyter.engine.thread import EngineThread
from hailuo_jupyter.engine.timings import Timings
from hailuo_jupyter.errors import (
    CannotCancel,
    DiskError,
    DiskFull,
    FolderNotWritable,
    HailuoError,
    JobExpired,
)
from hailuo_jupyter.providers.base import PAID_AND_FETCHED
from hailuo_jupyter.providers.http import Http, Patience
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.ownership import describe_owner
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import AT_PROVIDER, RESUMABLE, SETTLED, State

if TYPE_CHECKING:
    from hailuo_jupyter.request.frames import ClipFrame

_UNANSWERED = frozenset({State.PREPARED, State.UPLOADING, State.SUBMITTING})
_DISK_CODES = frozenset({DiskError.code, DiskFull.code, FolderNotWritable.code})

#: Seconds to wait for the balance; and for prices, which the catalogue has too.
_BALANCE_S, _PRICES_S = 15.0, 5.0

#: Seconds after which a cancellation has ended one way or another.
_CANCEL_S = 60.0

_MAY_HAVE_ARRIVED = "The request may have arrived, and its clip be paid for."

#: Seconds for which a cancellation waits for the answer to a submit, which may be a refusal.
_ANSWER_S = 2.0


class Awaited(Protocol):
    """A run or a sweep."""

    def wait(self, timeout: float | None = None) -> object:
        """Wait until it has ended, and raise what went wrong."""


class Engine(RunBackend):
    """All runs of this process.

    Parameters
    ----------
    settings
        What the user has set.
    clock
        The clocks; tests replace them.
    providers
        Keys and providers; by the settings if None.
    patience
        Network timeouts; the default if None.
    timings
        Intervals and waits; the default if None.

    Attributes
    ----------
    events, providers
        The latest rows of runs, and the providers and keys.
    unreported
        Runs and sweeps that a cell requested without waiting, by id; their end is still to be reported.
    """

    def __init__(
        self,
        settings: Hailuo,
        clock: Clock | None = None,
        providers: ProviderRegistry | None = None,
        patience: Patience | None = None,
        timings: Timings | None = None,
    ) -> None:
        clock, timings = clock or Clock(), timings or default_timings.DEFAULT
        self._resources = resources = Resources(
            settings,
            clock,
            timings,
            EngineThread(patience, timings),
            RunLogs(settings, clock),
            providers or ProviderRegistry(settings),
            RunEvents(),
        )
        self._settings, self._clock, self._thread = settings, clock, resources.thread
        self._logs, self.providers, self.events = (
            resources.logs,
            resources.providers,
            resources.events,
        )
        self.unreported: dict[str, Awaited] = {}
        self._sidecars = Sidecars()
        self._supervisor = RunSupervisor(resources)
        self._reconciler = Reconciler(resources, self._supervisor.resume_one)
        self.spawn(watch_log(resources, self._supervisor))
        self.spawn(keep_beating(resources, self._supervisor))
        self.spawn(self._reconciler.keep_on())

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self._thread.alive

    @property
    def deadline_s(self) -> float:
        """Seconds after which a run counts as overdue, by the settings."""
        return deadline_s(self._settings)

    def now(self) -> float:
        """Return seconds since 1970 by the engine's clock."""
        return self._clock.wall()

    def spawn(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Run a coroutine on the engine's loop; the caller's context is passed on."""
        return self._thread.spawn(work)

    def stop(self) -> None:
        """Stop the engine. Active runs stay in the log, and the next engine continues them."""
        self._thread.stop()
        self._logs.close()

    def http(self) -> Http:
        """Return the engine's connections; only for its own loop.

        Raises
        ------
        SettingsError
            If the environment names a proxy that cannot be used.
        """
        return self._thread.http()

    def limits(self) -> list[LimitStatus]:
        """Return the rate limits in force, those learned from the providers' refusals."""
        now = self.now()
        return [each for log in self.logs() for each in statuses(log.rate_limits(now), now)]

    # ── reading ────────────────────────────────────────────────────────────────────────────────

    def logs(self) -> list[RunLog]:
        """Return the run logs: the user's, and the demo's if it was ever used."""
        return [owned.log for owned in self._logs.all()]

    def row(self, run_id: str) -> Row:
        """Return a run's current row: from memory if it is followed here, else from the log.

        Raises
        ------
        RunNotFound
            If no log has it.
        """
        return self.events.get(run_id) or self._logs.find(run_id)

    def run(self, run_id: str) -> Run:
        """Return the handle of a run by its id, or by an unambiguous part of it.

        Raises
        ------
        RunNotFound
            If no log has it.
        """
        row = self._logs.find(run_id)
        cached = self.events.get(row.run_id)
        if cached is not None and cached != row and cached.state in SETTLED:
            # Finished runs are not followed, and another process may have rated or moved this one.
            self.events.publish(row)
        return Run.of(row.run_id, self)

    def active_runs(self) -> list[Run]:
        """Return the runs that this process is working on."""
        return [Run.of(run_id, self) for run_id in self._supervisor.active_ids()]

    @property
    def unreadable_runs(self) -> dict[str, str]:
        """Why runs were not taken over, by their ids: newer versions wrote them, or they are damaged."""
        return self._supervisor.unreadable

    def holders(self) -> dict[str, str]:
        """Return, by run id, which other live process is working on an unfinished run."""
        holders: dict[str, str] = {}
        for owned in self._logs.all():
            rows = [
                row for row in owned.log.unfinished() if row.owner not in {None, owned.owner.id}
            ]
            living = {owner for row in rows if (owner := row.owner) and owned.log.alive(owner)}
            beats = owned.log.beats(living)
            holders |= {
                row.run_id: describe_owner(row, beats[row.owner], time.time())
                for row in rows
                if row.owner in living
            }
        return holders

    def estimate(self, row: Row) -> DurationEstimate:
        """Return the expected duration of such a run."""
        provider = self.providers.of_record(row.record)
        expected = self._resources.timings.expected_duration
        log = self._logs.of(row.provider).log
        return expected or estimate_duration(log, provider, row.record)

    def waits_for_its_key(self, run_id: str) -> bool:
        """Return whether a run was bought with another key than the one found now."""
        return self._supervisor.account_checks.is_waiting(run_id)

    def hindrance(self, run_id: str) -> HailuoError | None:
        """Return why this process does not continue a run; None if it may.

        The run waits for its own key and is not polled, or it was not sent and a stopped process owns it.
        """
        return self._supervisor.account_checks.problem(run_id) or self._supervisor.held.get(run_id)

    def asked_about(self) -> list[str]:
        """Return the ids of the runs that wait for their own key and are polled meanwhile."""
        return self._supervisor.account_checks.asked_ids()

    def delay(self, row: Row) -> Delay | None:
        """Return why a run's next request waits; None if no rate limit is the reason."""
        return self._logs.of(row.provider).limiter.delay(row.run_id)

    def next_poll(self, row: Row) -> float | None:
        """Return when this process polls a run next, in seconds since 1970; None if it is not waiting to."""
        return self._logs.of(row.provider).next_polls.get(row.run_id)

    def settled(self, run_id: str) -> bool:
        """Return whether a run changes no more without user action, so that waiting for it may end."""
        row = self.row(run_id)
        if self.events.get(run_id) is None:
            # A caller that waits follows it, and claims it if its owner dies.
            self.events.publish(row)
        if self.waits_for_its_key(run_id):
            return self.hindrance(run_id) is not None
        if row.state in SETTLED or row.owner is None:
            # Its record is written next to the clip before the run is reported as complete.
            return not self._supervisor.is_active(run_id)
        if self._supervisor.has_stopped(run_id) or self.hindrance(run_id) is not None:
            return True
        # The download is retried, but only the person can free disk space.
        problem = row.record.problem if row.state is State.UNDOWNLOADED else None
        return problem is not None and problem.code in _DISK_CODES

    def wait_answers(self, runs: Iterable[Run], timeout: float | None) -> bool:
        """Wait, at most `timeout` seconds (None: no limit), until the submits of these runs are answered."""
        ids = [run.run_id for run in runs]
        return self.events.wait_for(lambda: all(map(self.answered, ids)), timeout)

    def answered(self, run_id: str) -> bool:
        """Return whether the submit of a run was answered, or the run is no longer being sent."""
        # By the same rule as `settled`: a run that was given up unsent is released by its owner shortly
        # before it counts as settled, and a query in between would take it for a run being sent.
        return self.row(run_id).state not in _UNANSWERED or self.settled(run_id)

    def reported(self, run_id: str) -> None:
        """Record that the person has seen how a run ended; see `unreported`."""
        self.unreported.pop(run_id, None)

    def unsent(self) -> list[str]:
        """Return the ids of the unreported runs for which nothing was sent."""
        return [each for each in self.unreported if self._is_unsent(each)]

    def _is_unsent(self, run_id: str) -> bool:
        row = self.events.get(run_id)  # None for a sweep
        return row is not None and row.state in {State.PREPARED, State.UPLOADING}

    def _is_submitting(self, run_id: str) -> bool:
        row = self.events.get(run_id)
        return row is not None and row.state is State.SUBMITTING

    def listen(self, run_id: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each change of a run (see `RunEvents.listen`)."""
        if self.events.get(run_id) is None:
            self.events.publish(self.row(run_id))
        return self.events.listen(run_id, listener)

    # ── submitting ─────────────────────────────────────────────────────────────────────────────

    def submit(self, submission: Submission) -> list[SubmittedRun]:
        """Decide what a submission needs, and start it.

        Returns
        -------
        list of SubmittedRun
            ``submission.count`` runs, the oldest first. None of them is awaited.

        Raises
        ------
        NotBought
            If an earlier run blocks the purchase.
        BudgetExceeded
            If it would exceed a budget.
        KeyMissing, SettingsError, DiskError, RunLogError
            Before anything is sent.
        """
        owned = self._logs.of(submission.provider.name)
        while True:
            reusable = self.find_reusable(submission)
            if reusable.missing:
                preflight(submission, self.providers)
            with suppress(Outdated):
                return self._thread.run_uninterrupted(partial(self._reserve, reusable, owned))

    def _reserve(self, reusable: Reusable, owned: OwnedLog) -> list[SubmittedRun]:
        """Buy the missing runs of a submission, and ensure that each of its runs is worked on."""
        submission = reusable.submission
        reserved = reserve(reusable, owned, self._settings, self._clock.wall())
        for row in reserved.replaced:
            self.events.publish(row)
        kept = sorted(reserved.kept, key=lambda each: each[1])  # the oldest first
        runs = [
            SubmittedRun(act, self._take(run_id, act, owned, submission.key_folder), remark)
            for act, run_id, remark in kept
        ]
        for row in reserved.rows:
            self.events.publish(row)
            self._supervisor.start(
                row, submission.provider, submission.key_folder, submission.request
            )
            runs.append(SubmittedRun(Action.BUY, Run.of(row.run_id, self)))
        return runs

    def find_reusable(self, submission: Submission) -> Reusable:
        """Find reusable runs for a submission, and how many are missing; nothing is bought.

        Raises
        ------
        NotBought
            If an earlier run blocks the purchase.
        RunLogError, DiskError
            If the log cannot be used.
        """
        log = self._logs.of(submission.provider.name).log
        return find_reusable(submission, log, self._clock.wall(), self._sidecars)

    def _take(self, run_id: str, act: Action, owned: OwnedLog, key_folder: Path) -> Run:
        """Ensure that a process works on a run that a submission reuses."""
        row = owned.log.get(run_id)
        problem = row.record.problem
        if act is Action.SHOW and problem is not None and problem.code == JobExpired.code:
            # The missing file was put back, and could not be downloaded again.
            row = owned.log.update(run_id, lambda record: record.changed(problem=None))
        self.events.publish(row)
        if row.state in RESUMABLE:
            owned.log.go_on_with(run_id)
        if row.state in RESUMABLE or (act is Action.FETCH and row.state is State.COMPLETED):
            self._supervisor.resume_one(row, owned, key_folder)
        return Run.of(run_id, self)

    def resume(
        self, only: Iterable[str] | None = None, *, stopped: Mapping[str, int] | None = None
    ) -> list[Run]:
        """Claim every unfinished run that no live process works on; nothing is sent.

        Unreadable runs are skipped (see `unreadable_runs`) and not changed.

        If `only` is None, lost answers are also looked up in the providers' histories, in the
        background.

        Parameters
        ----------
        only
            Ids of the runs to claim, including imported ones; every unfinished run if None.
        stopped
            Owners that are alive but stopped; see `hailuo_jupyter.runlog.RunLog.claim`.

        Returns
        -------
        list of Run
            The runs that are watched or fetched from now on.
        """
        if only is None:
            self._reconciler.soon()
        ids = None if only is None else tuple(only)
        resumed: list[Run] = []
        for owned in self._logs.all():
            rows = owned.log.unfinished() if ids is None else owned.log.rows(ids)
            unfinished = [
                row
                for row in rows
                if row.state not in SETTLED or row.owner is not None or not row.is_readable
            ]
            resumed += [
                Run.of(run_id, self)
                for run_id in self._supervisor.claim(unfinished, owned, stopped)
            ]
        return resumed

    def choose_key(self, provider: Provider, folder: Path, place: str) -> None:
        """Save which key to use in a folder whose ``.env`` has another key than the keyring.

        Parameters
        ----------
        provider, folder
            Whose key, and the notebook's folder.
        place
            `keys.DOTENV` or `keys.KEYRING`.
        """
        self._logs.of(provider.name).log.keep_key_choice(folder, provider.name, place)

    # ── the account at a provider ──────────────────────────────────────────────────────────────

    def balance(self, provider: Provider, folder: Path) -> str:
        """Describe what is left in an account, or why that is unknown. Blocks; costs nothing.

        Parameters
        ----------
        provider
            Whose account.
        folder
            The notebook's folder, where a ``.env`` may be.

        Returns
        -------
        str
            Text for the user; never the key.
        """
        asking = self._thread.spawn(account.balance(self._resources, provider, folder))
        try:
            return asking.result(_BALANCE_S)
        except WaitedTooLong:
            asking.cancel()
            return f"unknown: {provider.title} did not answer within {_BALANCE_S:.0f} s"

    def refresh_prices(self, *providers: Provider) -> None:
        """Read the price lists of providers, unless that was done in the last day.

        Blocks for a few seconds.
        """
        with suppress(WaitedTooLong):
            self.spawn(account.refresh_all_prices(self._resources, providers)).result(_PRICES_S)

    def frame(self, run_id: str, where: str | float) -> ClipFrame:
        """Extract a picture from a run's clip; see `hailuo_jupyter.engine.clip_frame.clip_frame`."""
        from hailuo_jupyter.engine.clip_frame import clip_frame

        return clip_frame(self.row(run_id), where, self.logs())

    # ── changes of an existing run ────────────────────────────────────────────────────────────

    def annotate(self, run_id: str, change: Change) -> Row:
        """Annotate a run in the log and in the record next to its clip.

        Parameters
        ----------
        run_id
            Its id, or an unambiguous part of it.
        change
            One of `hailuo_jupyter.engine.annotations`.

        Returns
        -------
        Row
            The changed row.

        Raises
        ------
        RunNotFound
            If no log has it.
        RunLogError
            If the log could not be changed, or a newer version wrote the run.
        DiskError
            If the record next to the clip could not be written; the log has the change.
        """
        row = self._logs.find(run_id)
        log = self._logs.of(row.provider).log
        record_of(row)
        row = log.update(row.run_id, change)
        self.events.publish(row)
        if has_place(row):
            write_beside(row, log)
        return row

    def relocate(self, row: Row, folder: Path) -> None:
        """Record that a run's files are in another folder than the log says.

        Parameters
        ----------
        row
            The run, with the folder in the log.
        folder
            Where they are.
        """
        log = self._logs.of(row.provider).log
        self.events.publish(log.relocate(row.run_id, folder, was=row.folder))

    def cancel(self, run_id: str, *, only_in: Collection[State] | None = None) -> str:
        """Cancel a run before it is sent, or at a provider that can (see `Run.cancel`).

        Parameters
        ----------
        run_id
            Its id.
        only_in
            States in which its job may be cancelled; any if None.

        Returns
        -------
        str
            What was cancelled, and what that means for the money.

        Raises
        ------
        CannotCancel
            If it was sent and can't be cancelled, or not yet: its job is unknown while it is submitted.
        ProviderError
            If the provider did not accept the cancellation; the job continues.
        """
        self.events.wait_for(lambda: not self._is_submitting(run_id), _ANSWER_S)
        if self._thread.spawn(self._supervisor.cancel_unsent(run_id)).result(10):
            self.events.wait_for(lambda: self.settled(run_id), 10)
            return f"Run {run_id} was cancelled; nothing was sent; no charge."
        row = self.row(run_id)
        provider = self.providers.of_record(row.record)
        if row.state in AT_PROVIDER and provider.can_cancel:
            if only_in is not None and row.state not in only_in:
                raise CannotCancel(
                    f"The run has moved on: it is {row.state.words.lower()} now.",
                    todo="Cancel again to see what that costs.",
                )
            if self._thread.spawn(self._supervisor.cancel_job(run_id)).result(_CANCEL_S):
                return (
                    f"{provider.title} accepted the cancellation of run {run_id}. Its state will say "
                    "whether it was in time, and what it costs."
                )
            raise CannotCancel(
                f"This process does not work on run {run_id}.",
                money="Its job continues, and its clip is paid for.",
                todo="Cancel it in the kernel that works on it, or run '%hailuo resume' first.",
            )
        if row.state is State.SUBMITTING and provider.can_cancel:
            raise CannotCancel(
                f"Run {run_id} is being submitted, so {provider.title} hasn't named its job yet.",
                money=_MAY_HAVE_ARRIVED,
                todo="Wait until the run is submitted, then cancel it again.",
            )
        if row.state in RESUMABLE and provider.can_cancel:
            raise CannotCancel(
                f"The job of run {run_id} has ended ({row.state.words.lower()}).",
                money=PAID_AND_FETCHED,
            )
        if row.state in RESUMABLE or row.state is State.SUBMITTING:
            unanswered = row.state is State.SUBMITTING
            raise CannotCancel(
                f"{provider.title} can't cancel a job.",
                money=_MAY_HAVE_ARRIVED if unanswered else PAID_AND_FETCHED,
            )
        raise CannotCancel(f"Run {run_id} is not active ({row.state.words.lower()}).")
