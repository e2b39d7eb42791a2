"""When a request may be sent: one limit and one queue per account, shared by all processes.

`hailuo_jupyter.engine.rate_limit` decides how many requests are sent, `hailuo_jupyter.engine.request_queue`
which one is next, and the run log shares both among all processes of this user.

Without a limit nothing waits, except at the very beginning: of many concurrent requests only a few are sent
before the first is answered, and each accepted one allows more. So an unknown limit refuses a few of a
hundred and not ninety.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from hailuo_jupyter.engine import rate_limit, request_queue
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.limit_status import Delay, delays, stored_delays
from hailuo_jupyter.engine.rate_limit import RateLimit
from hailuo_jupyter.engine.request_queue import (
    Entry,
    Group,
    Purpose,
    Queue,
    Wanted,
    of_no_job,
)
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.providers.retry_after import requested_wait
from hailuo_jupyter.runlog.log import RunLog
from hailuo_jupyter.runlog.rate_limits import RateLimitRows

logger = logging.getLogger(__name__)

#: Concurrent requests before any was answered, and how many more each accepted one allows.
_FIRST_IN_FLIGHT, _MORE_IN_FLIGHT = 4.0, 0.5

#: A request that takes longer than this, in seconds, no longer holds back others. After as long without
#: any request, sending starts slowly again.
_HANGING_S, _IDLE_S = 10.0, 120.0

#: Window of a limit set by the user, in seconds. The provider counts a minute by its own clock when
#: requests arrive, and one may travel longer than the next.
_WINDOW_S = 62.0

#: A limit set higher than this, in requests per minute, counts as none.
_NO_LIMIT = 6000.0

#: Seconds between checks of a queue: the maximum, and while another process is first.
_ROUND_S, _OTHERS_S = 4.0, 0.5

#: Seconds between computations of the expected send times.
_TURNS_S = 2.0


@dataclass(frozen=True)
class Plan:
    """The account and plan whose limit applies to a request.

    Parameters
    ----------
    provider
        The provider's name.
    account
        Id of provider, account and host, without the key.
    lowest
        Requests per minute of the provider's lowest published plan.
    ceiling
        Requests per minute set by the user; None for no such limit.
    """

    provider: str
    account: str
    lowest: float
    ceiling: int | None = None

    def of(self, part: str, ceiling: int | None = None) -> Plan:
        """Return the plan of another host of the account, which has separate limits."""
        return replace(self, account=f"{self.account}/{part}", ceiling=ceiling)


@dataclass(eq=False)
class Permit:
    """A request that may be sent now, or was sent.

    Parameters
    ----------
    sent_at
        When, in seconds since 1970.
    due
        Whether requests are scarce and the job is probably done, so that the request should return as
        much as possible.
    probing
        Whether it probes if the provider accepts requests again.
    refused_for
        After a refusal, the seconds in which nothing of the account was accepted, until the provider
        will be asked again.
    """

    sent_at: float
    due: bool = False
    probing: bool = False
    refused_for: float = 0.0


@dataclass(eq=False)
class _Waiting:
    wanted: Wanted | None
    plan: Plan
    since: float
    granted: asyncio.Future[Permit]


@dataclass
class _Lane:
    """One account's requests in this process."""

    account: str
    waiting: list[_Waiting] = field(default_factory=list)
    #: The bought jobs that are not downloaded yet, by run id.
    jobs: dict[str, Wanted] = field(default_factory=dict)
    #: Unanswered requests, and when they were sent, in seconds since 1970.
    in_flight: dict[_Waiting, float] = field(default_factory=dict)
    most_in_flight: float = _FIRST_IN_FLIGHT
    sent_at: float = -math.inf
    delays: Mapping[str, Delay] = field(default_factory=dict)
    turns: dict[str, float] = field(default_factory=dict)
    turns_at: float = -math.inf
    #: Bought jobs that no live process is working on.
    orphans: tuple[Entry, ...] = ()
    orphans_at: float = -math.inf
    queue_written: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    serving: asyncio.Task[None] | None = None

    def room(self, now: float) -> int:
        """Return how many more concurrent requests are allowed while no limit is known."""
        if _passed(self.sent_at, now, _IDLE_S):
            self.most_in_flight = _FIRST_IN_FLIGHT
        hanging = now - _HANGING_S
        under_way = sum(sent_at > hanging for sent_at in self.in_flight.values())
        return max(int(self.most_in_flight) - under_way, 0)


class RateLimiter:
    """The limits of one run log. All methods but `delay` run on the engine's loop.

    Parameters
    ----------
    log
        Shares limits and queues with all processes.
    owner
        Id of this process.
    clock
        Its wall clock and sleep.
    """

    def __init__(self, log: RunLog, owner: str, clock: Clock) -> None:
        self._log, self._owner, self._clock = log, owner, clock
        self._lanes: dict[str, _Lane] = {}
        self._others: tuple[float, Mapping[str, Delay]] = (-math.inf, {})

    def delay(self, run_id: str) -> Delay | None:
        """Return why a run's next request waits; None if no limit is the reason. Thread-safe."""
        for lane in tuple(self._lanes.values()):
            if (found := lane.delays.get(run_id)) is not None:
                return found
        return self._elsewhere().get(run_id)

    def _elsewhere(self) -> Mapping[str, Delay]:
        """Return the same for the runs of other processes, as written by them recently."""
        now, (read_at, found) = self._clock.wall(), self._others
        if _passed(read_at, now, _ROUND_S):
            try:
                found = stored_delays(self._log.rate_limits(now))
            except HailuoError:
                found = {}
            self._others = now, found
        return found

    def leave(self, run_id: str) -> None:
        """Record that a run needs no more requests."""
        for lane in self._lanes.values():
            lane.jobs.pop(run_id, None)
            lane.delays = {k: v for k, v in lane.delays.items() if k != run_id}

    @asynccontextmanager
    async def acquire(self, plan: Plan, wanted: Wanted | None = None) -> AsyncIterator[Permit]:
        """Wait until a request may be sent. It counts as sent when the block ends.

        Parameters
        ----------
        plan
            Whose limit applies.
        wanted
            What the request is for; None for one without a job, which uses spare capacity.

        Raises
        ------
        RunLogError, DiskError
            If the run log cannot be used.
        """
        lane = self._lanes.setdefault(plan.account, _Lane(plan.account))
        if wanted is not None:
            # A refused submit has bought nothing.
            lane.jobs.pop(wanted.run_id, None)
            if wanted.purpose is not Purpose.SUBMIT:
                lane.jobs[wanted.run_id] = wanted
        loop = asyncio.get_running_loop()
        waiting = _Waiting(wanted, plan, self._clock.wall(), loop.create_future())
        lane.waiting.append(waiting)
        try:
            if lane.serving is not None and not lane.serving.done():
                lane.changed.set()
            else:
                self._step(lane)  # most requests are sent at once
                if lane.waiting:
                    lane.serving = loop.create_task(self._serve(lane))
            yield await waiting.granted
        finally:
            if waiting in lane.waiting:  # it was given up
                lane.waiting.remove(waiting)
                lane.delays = {
                    k: v for k, v in lane.delays.items() if wanted and k != wanted.run_id
                }
            lane.in_flight.pop(waiting, None)
            lane.changed.set()

    def answered(self, plan: Plan, permit: Permit, reply: Reply) -> None:
        """Learn from the answer to a request; nothing is learned while the run log cannot be used.

        Parameters
        ----------
        plan, permit
            As when it was sent.
        reply
            Its answer.
        """
        try:
            self._learn(self._lanes[plan.account], plan, permit, reply)
        except HailuoError:
            logger.warning("the run log could not be written", exc_info=True)

    def _learn(self, lane: _Lane, plan: Plan, permit: Permit, reply: Reply) -> None:
        now = self._clock.wall()
        wait = requested_wait(reply, now)
        if reply.status == 429:
            lane.most_in_flight = _FIRST_IN_FLIGHT
            with self._log.rate_limit(lane.account, self._owner, now) as rows:
                rows.mark_refused(permit.sent_at)
                limit = rate_limit.refused(
                    RateLimit.load(rows.state, now),
                    rows.sent(),
                    sent_at=permit.sent_at,
                    now=now,
                    wait=wait,
                    floor=plan.lowest,
                )
                rows.state = limit.dump(now)
            permit.refused_for = limit.closed_until - limit.refusing_since
            return
        if reply.status == 503 and wait is not None:
            with self._log.rate_limit(lane.account, self._owner, now) as rows:
                present = RateLimit.load(rows.state, now) or rate_limit.closed(now, now)
                rows.state = present.closed(now + wait).dump(now)
            permit.refused_for = wait
            return
        lane.most_in_flight += _MORE_IN_FLIGHT
        if permit.probing:
            with self._log.rate_limit(lane.account, self._owner, now) as rows:
                if (current := RateLimit.load(rows.state, now)) is not None:
                    rows.state = current.accepted(permit.sent_at, now).dump(now)

    # ── serving ────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, lane: _Lane) -> None:
        """Release waiting requests, the most urgent first, until none waits."""
        while lane.waiting:
            lane.changed.clear()
            try:
                pause = self._step(lane)
            except Exception as error:  # noqa: BLE001 -- each run handles it
                for each in lane.waiting:
                    if not each.granted.done():
                        each.granted.set_exception(error)
                lane.waiting.clear()
                return
            if lane.waiting:
                await self._rest(lane, pause)

    async def _rest(self, lane: _Lane, seconds: float) -> None:
        rest = asyncio.ensure_future(self._clock.sleep(seconds))
        change = asyncio.ensure_future(lane.changed.wait())
        try:
            await asyncio.wait({rest, change}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()
            change.cancel()

    def _step(self, lane: _Lane) -> float:
        """Release requests that may be sent now; return the seconds until the next check."""
        now, plan = self._clock.wall(), lane.waiting[0].plan
        with self._log.rate_limit(lane.account, self._owner, now) as rows:
            limit = RateLimit.load(rows.state, now)
            if limit is None and (plan.ceiling is None or plan.ceiling >= _NO_LIMIT):
                if lane.queue_written:
                    rows.write_queue(())
                    lane.queue_written = False
                lane.delays = {}
                return self._release_all(lane, rows)
            return self._release_in_order(lane, rows, limit, plan)

    def _release_all(self, lane: _Lane, rows: RateLimitRows) -> float:
        for waiting in lane.waiting[: lane.room(rows.now)]:
            self._release(lane, rows, waiting, Permit(rows.now))
        return _ROUND_S

    def _release(self, lane: _Lane, rows: RateLimitRows, waiting: _Waiting, permit: Permit) -> None:
        rows.add_sent()
        lane.sent_at = rows.now
        lane.waiting.remove(waiting)
        if waiting.granted.done():  # cancelled at this very moment
            return
        waiting.granted.set_result(permit)
        lane.in_flight[waiting] = rows.now
        if (wanted := waiting.wanted) is not None:
            lane.delays = {k: v for k, v in lane.delays.items() if k != wanted.run_id}
            if wanted.purpose is Purpose.SUBMIT:
                # From now on there is a job to download.
                lane.jobs[wanted.run_id] = replace(wanted, purpose=Purpose.POLL, since=rows.now)

    def _release_in_order(
        self, lane: _Lane, rows: RateLimitRows, limit: RateLimit | None, plan: Plan
    ) -> float:
        now, per_minute = rows.now, _per_minute(limit, plan, rows.now)
        pause = _ROUND_S
        while True:
            queue = self._queue(lane, rows, plan, per_minute)
            if (first := queue.first()) is None:
                break
            entry = queue.waiting[first]
            if (wait := _wait(limit, plan, rows)) > 0:
                pause = wait
                break
            if queue.precedes(entry):
                pause = _OTHERS_S
                break
            if limit is None and not lane.room(now):
                break
            due = entry.group in {Group.AT_RISK, Group.DUE, Group.LIKELY}
            probing = limit is not None and limit.probing
            self._release(lane, rows, lane.waiting[first], Permit(now, due=due, probing=probing))
            limit = limit and limit.sent(now)
        rows.state = limit.dump(now) if limit else None
        self._announce(lane, rows, queue, limit, plan)
        soon = (e.due - now for e in queue.waiting if e.group == Group.NOT_YET and e.due > now)
        return min(pause, _ROUND_S, *soon)

    def _queue(self, lane: _Lane, rows: RateLimitRows, plan: Plan, per_minute: float) -> Queue:
        now = rows.now
        others = Entry.load(rows.others)
        waiting_ids = {each.wanted.run_id for each in lane.waiting if each.wanted}
        resting = [job for run_id, job in lane.jobs.items() if run_id not in waiting_ids]
        bought = len(lane.jobs) + sum(each.purpose != Purpose.SUBMIT for each in others)

        def entry(wanted: Wanted) -> Entry:
            return request_queue.entry(wanted, now, per_minute=per_minute, bought=bought)

        waiting = tuple(
            entry(each.wanted) if each.wanted else of_no_job(each.since) for each in lane.waiting
        )
        jobs = tuple(replace(entry(job), group=Group.RESTING) for job in resting)
        queue = Queue(waiting, jobs, others)
        if queue.submits and _passed(lane.orphans_at, now, _TURNS_S):
            lane.orphans, lane.orphans_at = self._orphans(lane, queue, plan, now), now
        return replace(queue, jobs=jobs + lane.orphans).with_submits_held(now, per_minute)

    def _orphans(self, lane: _Lane, queue: Queue, plan: Plan, now: float) -> tuple[Entry, ...]:
        """Find jobs that will have to be downloaded, though no process is working on them now."""
        wanted = next((each.wanted for each in lane.waiting if each.wanted), None)
        if wanted is None:
            return ()
        bought = {each.run_id for each in queue.bought}
        lost = (
            replace(wanted, run_id=run_id, purpose=Purpose.POLL, since=since, asked_s=0.0)
            for run_id, since in self._log.bought(plan.provider)
            if run_id not in bought and now < since + wanted.lifetime_s
        )
        entries = (request_queue.entry(each, now, per_minute=1.0, bought=1) for each in lost)
        return tuple(replace(each, group=Group.RESTING) for each in entries)

    def _announce(
        self, lane: _Lane, rows: RateLimitRows, queue: Queue, limit: RateLimit | None, plan: Plan
    ) -> None:
        """Share what waits here with other processes, and why with everyone."""
        now = rows.now
        if _passed(lane.turns_at, now, _TURNS_S):
            per_minute, wait = _per_minute(limit, plan, now), _wait(limit, plan, rows)
            lane.turns = queue.turns(now, next_at=now + wait, per_minute=per_minute)
            lane.delays = delays(
                queue, lane.turns, plan.ceiling if per_minute == plan.ceiling else None
            )
            lane.turns_at = now
        own = (*queue.waiting, *(each for each in queue.jobs if each.run_id in lane.jobs))
        rows.write_queue([each.dump(lane.turns.get(each.run_id)) for each in own])
        lane.queue_written = True


def _passed(since: float, now: float, seconds: float) -> bool:
    """Check whether this many seconds have passed, or the clock was set back."""
    return not 0 <= now - since < seconds


def _per_minute(limit: RateLimit | None, plan: Plan, now: float) -> float:
    """Return the allowed requests per minute, by the learned limit and the one set."""
    learned = limit.rate(now) if limit else None
    allowed = [each for each in (learned, plan.ceiling) if each is not None]
    return min(allowed, default=_NO_LIMIT)


def _wait(limit: RateLimit | None, plan: Plan, rows: RateLimitRows) -> float:
    """Return the seconds until the next request may be sent, by the learned limit and the one set."""
    wait = limit.wait(rows.now) if limit else 0.0
    if plan.ceiling is None or plan.ceiling >= _NO_LIMIT:
        return wait
    # When this one is outside the window, one more is allowed.
    leaving = rows.nth_last(plan.ceiling)
    return wait if leaving is None else max(wait, leaving + _WINDOW_S - rows.now)
