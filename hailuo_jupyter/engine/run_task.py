"""The task that drives one run: every step is committed before the next request is sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NoReturn

from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.clock import Clock, Stopwatch
from hailuo_jupyter.engine.disk import Disk
from hailuo_jupyter.engine.eta import DurationEstimate, forecast
from hailuo_jupyter.engine.job_news import (
    CANCEL,
    SecondLook,
    cancelled_problem,
    job_changes,
    unsure,
)
from hailuo_jupyter.engine.rate_limiter import Plan
from hailuo_jupyter.engine.request_queue import Purpose, Wanted
from hailuo_jupyter.engine.resources import OwnedLog
from hailuo_jupyter.engine.sidecar_sync import write_to_the_end
from hailuo_jupyter.engine.timings import Timings
from hailuo_jupyter.errors import (
    NOTHING_SENT,
    HailuoError,
    JobExpired,
    KeyMissing,
    KeyRefused,
    ProviderDown,
    RateLimited,
)
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers.base import (
    NOTHING_BOUGHT,
    PAID_AND_KEPT,
    Call,
    Dialect,
    News,
    Reply,
)
from hailuo_jupyter.providers.http import Http, Lost, Unsent
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.accounts import Account, Match, match
from hailuo_jupyter.states import RESUMABLE, State, may_follow

logger = logging.getLogger(__name__)

_PAID = "The clip stays paid for; the provider keeps it only for a while."

#: Refusals (429) of one request after which the record shows that.
_MANY_REFUSALS = 3

#: Requests per minute after a single refusal if the provider publishes no limit.
_CAUTIOUS = 10


#: Refusals of a key in a row, after which a run may wait for another key (see `Timings.key_refused_for_s`).
_KEY_REFUSALS = 3


class NeedsUser(Exception):
    """The run waits for the person; its problem says why."""


class JobForgotten(Exception):
    """The provider no longer knows the job, after its retention has ended.

    Parameters
    ----------
    problem
        The provider's error.
    """

    def __init__(self, problem: JobExpired) -> None:
        super().__init__(problem.what)
        self.problem = problem


class OwnershipLost(Exception):
    """Another process has claimed this run."""


class OtherAccount(Exception):
    """The key found now is not the one that the run was bought with."""


@dataclass(frozen=True)
class TaskContext:
    """What a task needs to process a run.

    ``active_count`` returns how many runs this process works on, ``ceiling`` the requests per minute that
    the user allows, if set, and ``asks_history`` whether the provider's history is read automatically.
    """

    http: Http
    owned: OwnedLog
    clock: Clock
    publish: Callable[[Row], None]
    deadline_s: float
    largest_clip: int
    active_count: Callable[[], int]
    ceiling: int | None = None
    disk: Disk = field(default_factory=Disk)
    timings: Timings = timings.DEFAULT
    asks_history: bool = True


class RunTask:
    """A run and its context, with methods to commit its changes.

    Parameters
    ----------
    context
        Its context.
    row
        The run's row; this process must own it.
    provider, dialect
        The provider, and its adapter.
    key
        Looks the key up again, since it may change while a run waits.
    """

    def __init__(
        self,
        context: TaskContext,
        row: Row,
        provider: Provider,
        dialect: Dialect,
        key: Callable[[], Key],
    ) -> None:
        self.context, self.row, self.provider, self.dialect = context, row, provider, dialect
        self.log, self.limiter = context.owned.log, context.owned.limiter
        self.clock, self.timings = context.clock, context.timings
        self._key = key
        self._sleeping: asyncio.Future[None] | None = None
        self._key_refusals: list[Stopwatch] = []
        self._active_at = self.clock.monotonic()
        self._second_look = SecondLook(self.clock)

    @property
    def owner_id(self) -> str:
        """The id of this process in the run log."""
        return self.context.owned.owner.id

    @property
    def is_owned(self) -> bool:
        """Whether this process owns the run, by the row last read."""
        return self.context.owned.owns(self.row)

    @property
    def job_id(self) -> str:
        """The provider's id of a run that was bought."""
        if self.row.job_id is None:
            raise ValueError(f"run {self.row.run_id} has no job at the provider")
        return self.row.job_id

    def sent_at(self) -> float:
        """Return when the run was sent, in seconds since 1970: the provider's retention starts then."""
        sent = self.row.record.entered(State.SUBMITTING)
        return self.clock.wall() if sent is None else sent

    def since_submit(self) -> Stopwatch:
        """Return a stopwatch that began when the provider accepted the job."""
        submitted = self.row.record.entered(State.SUBMITTED)
        since = self.row.created if submitted is None else submitted
        # An imported record may have a time in the future.
        imported = self.row.imported
        return Stopwatch(self.clock, since if imported is None else min(since, imported))

    def is_past_retention(self) -> bool:
        """Return whether the provider's retention, and some grace after it, have passed."""
        return (
            self.since_submit().passed()
            > self.provider.retention_s + self.timings.retention_grace_s
        )

    # ── committing ───────────────────────────────────────────────────────────────────────────

    def commit(
        self,
        change: Callable[[Record], Record],
        only_from: set[State],
        *,
        only_mine: bool = True,
        sent_by: Account | None = None,
    ) -> None:
        """Commit a change if the run is still in one of these states, and notify listeners.

        With `only_mine` nothing is changed if another process owns the run, because it found this process
        dead or stopped.

        Raises
        ------
        OwnershipLost
            If another process owns it.
        """
        only_by = self.owner_id if only_mine else None
        self.row = self.log.update(
            self.row.run_id, change, only_from=only_from, only_by=only_by, sent_by=sent_by
        )
        self.context.publish(self.row)
        if only_mine and not self.is_owned:
            raise OwnershipLost

    def check_owner(self) -> None:
        """Check that this process still owns the run.

        A process that was stopped for a while (a debugger, a paused container) may find that other
        processes have claimed its runs.

        Raises
        ------
        OwnershipLost
            If another process owns it now, or none.
        """
        row = self.log.find(self.row.run_id)
        if row is None or not self.context.owned.owns(row):
            self.row = row or self.row
            self.context.publish(self.row)
            raise OwnershipLost

    def check_after_a_gap(self, _got: int = 0, _whole: int | None = None) -> None:
        """Check the owner if this process was idle for a while; called for each chunk of a clip.

        Raises
        ------
        OwnershipLost
            As in `check_owner`.
        """
        now = self.clock.monotonic()
        if now - self._active_at > self.timings.ownership_gap_s:
            self.check_owner()
        self._active_at = now

    def take_back(self) -> None:
        """Reclaim a run after this process has received the answer to its submit.

        Raises
        ------
        OwnershipLost
            If another process owns it now.
        """
        self.context.owned.claim([self.row.run_id])
        self.check_owner()
        self.row = self.log.get(self.row.run_id)

    def move(
        self,
        state: State,
        problem: HailuoError | None = None,
        *,
        sent_by: Account | None = None,
        **changes: Any,
    ) -> None:
        """Commit a state transition, and the account that the run is sent with.

        Raises
        ------
        OwnershipLost
            If the run is no longer in the state known here, or no longer owned by this process.
        """
        recorded = self._problem(problem)
        # The answer to a submit is recorded even if another process owns the run now.
        answered = self.row.state is State.SUBMITTING
        expected = {State.SUBMITTING, State.UNCONFIRMED} if answered else {self.row.state}
        self.commit(
            lambda record: record.moved(state, at=self.clock.wall(), problem=recorded, **changes),
            {each for each in expected if may_follow(each, state)},
            only_mine=not answered,
            sent_by=sent_by,
        )
        if self.row.state is not state:
            raise OwnershipLost

    def set_problem(self, problem: HailuoError | None, *, verbatim: bool = False) -> None:
        """Commit a problem, or that it is resolved, unless that is recorded already.

        With `verbatim` a problem of the same kind is replaced, unless its text is the same.
        """
        old, new = self.row.record.problem, self._problem(problem)
        new_kind = (old.code if old else None) != (new["code"] if new else None)
        if new_kind or (verbatim and old and new and old.what != new["what"]):
            self.commit(lambda record: record.changed(problem=new), {self.row.state})

    def pause_for_user(self, problem: HailuoError) -> NoReturn:
        """Leave the run to the user, with a problem that explains why.

        Raises
        ------
        NeedsUser
            Always.
        """
        recorded = self._problem(problem)
        self.commit(lambda record: record.changed(problem=recorded), {self.row.state})
        raise NeedsUser

    def _problem(self, problem: HailuoError | None) -> dict[str, str] | None:
        return problem_for_state(problem, self.row.state, self.provider) if problem else None

    def record_news(self, state: State, step: str, news: News) -> None:
        """Commit what an answer about the job changes."""
        problem = news.problem
        if news.cancelled:
            problem = cancelled_problem(self.row.record, self.provider, news)
        self.move(state, problem, **job_changes(self.row.record, self.provider, step, news))

    def record_no_change(self, news: News) -> None:
        """Commit that the job is in the same state without a problem, and its place in the queue."""
        if news.queue_position != self.row.record.job.queue_position:
            changes = job_changes(self.row.record, self.provider, "status", news)
            self.commit(lambda record: record.changed(**changes), {self.row.state})
        self.set_problem(None)

    async def write_sidecar(self) -> None:
        """Write the record next to the clip; if that fails, the log still has it."""
        await write_to_the_end([self.row], self.log, self.context.disk)

    def release(self) -> None:
        """Release the run, so that any process can continue it."""
        try:
            self.context.publish(self.context.owned.release(self.row.run_id))
        except HailuoError:
            logger.warning("the run log could not be written", exc_info=True)

    # ── waiting ────────────────────────────────────────────────────────────────────────────────

    async def sleep(self, seconds: float) -> None:
        """Wait before the next free request, by the clock, or until `wake` is called."""
        seconds = max(seconds, self._second_look.due_s)
        self._sleeping = asyncio.ensure_future(self.clock.sleep(seconds))
        next_polls = self.context.owned.next_polls
        next_polls[self.row.run_id] = self.clock.wall() + seconds
        try:
            await asyncio.wait({self._sleeping})
        finally:
            next_polls.pop(self.row.run_id, None)
            self._sleeping.cancel()
            self._sleeping = None

    def wake(self) -> None:
        """End a `sleep`; a wait requested by the provider continues. Call it on the engine's loop."""
        if self._sleeping is not None:
            self._sleeping.cancel()

    # ── requests ─────────────────────────────────────────────────────────────────────────────────

    def key(self) -> tuple[KeyHeader, Account]:
        """Return the header with the key, which is looked up each time, and the key's account.

        Raises
        ------
        KeyMissing, SettingsError
            If it is no longer available.
        """
        key = self._key()
        account = self.log.account(self.provider.name, self.dialect.addresses["api"], key)
        return self.dialect.key_header(key), account

    def match(self, account: Account) -> Match:
        """Return whether the run was bought with an account. The demo has only one."""
        return Match.SAME if self.row.provider == "demo" else match(self.row, account)

    def own_key(self) -> KeyHeader:
        """Return the header with the key that the run was bought with.

        Raises
        ------
        OtherAccount
            If the key has changed. Another account's answers say nothing about the job.
        KeyMissing, SettingsError
            If it is no longer available.
        """
        header, account = self.key()
        if self.match(account) is not Match.SAME:
            raise OtherAccount
        return header

    def prove(self, account: Account) -> None:
        """Save the account that has the run's job."""
        if self.row.provider != "demo" and self.match(account) is not Match.SAME:
            price = self.provider.price(self.row.record.request.options)
            self.row = self.log.prove(self.row.run_id, account, price)

    async def call(self, call: Call) -> Reply:
        """Send one free call that does not belong to a job yet.

        Raises
        ------
        Unsent, Lost
            As `Http.send`.
        KeyMissing, SettingsError
            If the key is no longer available.
        """
        return await self.send(call, self.key()[0])

    async def send(self, call: Call, key: KeyHeader, *, fresh: bool = False) -> Reply:
        """Send a call, as `Http.send`, and return its answer in the terms of HTTP."""
        return self.dialect.translated(await self.context.http.send(call, key, fresh=fresh))

    def wanted(
        self, purpose: Purpose, timing: DurationEstimate, *, asked_s: float = 0.0, failures: int = 0
    ) -> Wanted:
        """Describe the run's next request for the queue; see `request_queue.Wanted`."""
        since = self.row.created
        if purpose is not Purpose.SUBMIT:
            since = self.clock.wall() - self.since_submit().passed()
        return Wanted(
            self.row.run_id,
            purpose,
            since=since,
            lifetime_s=self.provider.retention_s,
            timing=timing,
            calls=2 if self.dialect.link_apart else 1,
            asked_s=asked_s,
            failures=failures,
        )

    def estimate(self) -> DurationEstimate:
        """Return the expected duration of such a run."""
        expected = self.timings.expected_duration
        return expected or estimate_duration(self.log, self.provider, self.row.record)

    def plan(self) -> Plan:
        """Return the rate limit plan for the run's requests: that of the key found now.

        Raises
        ------
        KeyMissing, SettingsError
            If the key is no longer available.
        """
        lowest = self.provider.requests_per_minute or _CAUTIOUS
        return Plan(self.provider.name, self.key()[1].name, lowest, self.context.ceiling)

    async def ask(
        self, call: Callable[[bool], Call], since: Stopwatch, wanted: Wanted
    ) -> News | None:
        """Ask about the job once; None if the answer was not usable.

        A failed poll never fails a run: it is free, and repeated. While the provider keeps the
        job, a refused one (429) is repeated here: the rate was the cause, not the job.

        Parameters
        ----------
        call
            Builds the call when it may be sent. Its argument is whether requests are scarce and the job is
            probably done: then a call that also returns the link is better than the usual one.
        since
            Seconds since the submit.
        wanted
            Its place in the queue, with the failures before.

        Raises
        ------
        NeedsUser
            If only the person can continue: the key is refused repeatedly.
        JobForgotten
            If the provider has forgotten the job, after the time for which it keeps one.
        OtherAccount
            If the key has changed. Another account's answers say nothing about the job.
        """
        self.check_owner()
        problem: HailuoError
        refusals, self._key_refusals = self._key_refusals, []
        try:
            reply = await self._send_until_accepted(call, since, wanted)
            news = self.dialect.news(reply, self.job_id)
            if self._second_look.counts(news):
                return self._answered(news)
            problem = unsure(self.provider.title, news)
        except (Unsent, Lost) as error:
            problem = ProviderDown(
                f"Can't reach {self.provider.title} ({error}).",
                money=PAID_AND_KEPT,
                todo="Retrying automatically.",
            )
        except KeyRefused as error:
            problem = error
            self._key_refusals = [*refusals, Stopwatch(self.clock, self.clock.wall())]
            if self._refused_too_long():
                if self.row.state is State.DOWNLOADING:
                    self.move(State.UNDOWNLOADED, error)
                    raise NeedsUser from None
                self.pause_for_user(error)
        except JobExpired as error:
            # Before the retention has ended a 404 may be a temporary fault, so it proves nothing.
            if since.passed() >= self.provider.retention_s:
                raise JobForgotten(error) from None
            problem = error
            if CANCEL in self.row.record.job.answers:
                # A job that left the queue may be unknown from then on. One such answer proves nothing.
                gone = News("failed", cancelled=True, sure=False)
                if self._second_look.counts(gone):
                    return gone
        except (ProviderDown, RateLimited) as error:
            problem = error
        if wanted.failures >= 2:
            self.set_problem(problem)
        return None

    def _refused_too_long(self) -> bool:
        refusals = self._key_refusals
        passed = refusals[0].passed() if refusals else 0.0
        return len(refusals) >= _KEY_REFUSALS and passed >= self.timings.key_refused_for_s

    async def _send_until_accepted(
        self, call: Callable[[bool], Call], since: Stopwatch, wanted: Wanted
    ) -> Reply:
        for refusals in count(1):
            plan = self.plan()
            async with self.limiter.acquire(plan, wanted) as permit:
                header = self.own_key()
                reply = await self.send(call(permit.due), header)
                self.limiter.answered(plan, permit, reply)
            late = since.passed() > self.provider.retention_s
            if reply.status != 429 or late or self.dialect.ends(reply, self.job_id):
                break
            if refusals == _MANY_REFUSALS:
                self.set_problem(self.dialect.down(reply))
        return reply

    def _answered(self, news: News) -> News:
        """Count an imported run from now on: its job answered to this key, so it is this user's own."""
        if self.row.elsewhere:
            price = self.provider.price(self.row.record.request.options)
            self.row = self.log.take_as_own(self.row.run_id, price)
            self.context.publish(self.row)
        return news

    async def expire(self, problem: HailuoError) -> NoReturn:
        """Commit that the provider has forgotten the job.

        A run whose clip was downloaded stays completed: the file may come back, e.g. by ``git lfs pull``.

        Raises
        ------
        NeedsUser
            Always.
        """
        if self.row.state is State.DOWNLOADING:
            self.move(State.UNDOWNLOADED, problem)
        fetched = self.row.record.clip is not None
        self.move(State.COMPLETED if fetched else State.EXPIRED, problem)
        await self.write_sidecar()
        raise NeedsUser


def estimate_duration(log: RunLog, provider: Provider, record: Record) -> DurationEstimate:
    """Return the expected duration of such a run: the catalogue's prior and the log's durations."""
    options = record.request.options
    prior = provider.expected(options)
    return forecast(prior.median_s, prior.sigma, log.durations(provider.kind(options)))


def problem_for_state(problem: HailuoError, state: State, provider: Provider) -> dict[str, str]:
    """Return a problem as stored in the record, worded for its run's state.

    An error before any call, a missing key or a proxy, says that nothing was sent. That is true of a
    request that is to be sent, but not of a clip that is to be polled or fetched.
    """
    if state not in RESUMABLE or problem.money not in {NOTHING_SENT, NOTHING_BOUGHT}:
        return problem.as_problem()
    first = problem.todo.rstrip(".")
    if isinstance(problem, KeyMissing):
        first = f"Set {provider.key_variables[0]}, or run '%hailuo key {provider.name}'"
    todo = f"{first}, then run '%hailuo resume'." if first else "Run '%hailuo resume'."
    return type(problem)(problem.what, money=_PAID, todo=todo).as_problem()
