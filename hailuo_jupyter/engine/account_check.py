"""Runs that were bought with another key than the one found now.

The key may have been rotated, and then its account knows the job; or it belongs to another account, and its
answers are meaningless for this job. So such a run is polled at intervals without being claimed: a good
answer proves that the account is the same, and only then does this process continue the run. Any other answer
changes nothing. Until then the run is waiting for its own key. Polling is free.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from random import SystemRandom
from urllib.parse import urlsplit

from hailuo_jupyter.engine.clip_sources import read_history_row
from hailuo_jupyter.engine.lifecycle import internal_error
from hailuo_jupyter.engine.request_queue import Purpose
from hailuo_jupyter.engine.resources import OwnedLog, Resources
from hailuo_jupyter.engine.run_task import RunTask
from hailuo_jupyter.errors import HailuoError, JobExpired, KeyMissing, KeyRefused, WaitsForItsKey
from hailuo_jupyter.providers.http import Lost, Unsent
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.accounts import Account, Match
from hailuo_jupyter.states import RESUMABLE, State

logger = logging.getLogger(__name__)

#: Not reset by `random.seed`.
_random = SystemRandom()

#: States that can be polled: the provider's id is known, and the clip may still exist.
_ASKED_ABOUT = RESUMABLE | {State.COMPLETED}


class AccountChecker:
    """Polls such runs on the engine's loop. All methods are thread-safe.

    Parameters
    ----------
    resources
        The engine's.
    make_task
        Creates the task that polls a run; the run's owner is unchanged.
    resume_one
        Continues a run whose account is proved; receives the owners that are stopped.
    """

    def __init__(
        self,
        resources: Resources,
        *,
        make_task: Callable[[Row, OwnedLog], Awaitable[RunTask]],
        resume_one: Callable[[Row, OwnedLog, Mapping[str, int]], object],
    ) -> None:
        self._thread, self._events = resources.thread, resources.events
        self._timings = resources.timings
        self._make_task, self._resume_one = make_task, resume_one
        self._waiting: dict[str, _Waiting] = {}

    def add(self, row: Row, owned: OwnedLog, stopped: Mapping[str, int] | None = None) -> None:
        """Poll a run from now on; at once if it is polled already.

        Parameters
        ----------
        row, owned
            The run, and the log it is in.
        stopped
            Owners that are alive but stopped; see `hailuo_jupyter.runlog.RunLog.claim`.
        """
        waiting = self._waiting.setdefault(row.run_id, _Waiting())
        waiting.stopped = stopped or {}
        if waiting.is_asked_about:
            self._thread.call(waiting.wake)
            return
        waiting.problem = None
        waiting.asking = self._thread.spawn(self._ask(row, owned, waiting))

    def discard(self, run_id: str) -> None:
        """Record that this process works on a run: its key is available again, or it needs none."""
        if (waiting := self._waiting.get(run_id)) is None:
            return
        waiting.problem = None
        if waiting.is_asked_about:
            self._thread.call(waiting.wake)  # it checks who owns the run, and ends
        else:
            self._waiting.pop(run_id, None)

    def asked_ids(self) -> list[str]:
        """Return the ids of the runs that are polled."""
        return [run_id for run_id, each in tuple(self._waiting.items()) if each.is_asked_about]

    def is_waiting(self, run_id: str) -> bool:
        """Return whether a run waits for its own key."""
        return run_id in self._waiting

    def problem(self, run_id: str) -> HailuoError | None:
        """Return why no process works on a run; None if it does not wait, or is being polled now."""
        waiting = self._waiting.get(run_id)
        return waiting.problem if waiting else None

    async def _ask(self, row: Row, owned: OwnedLog, waiting: _Waiting) -> None:
        try:
            outcome, row = await self._check(row, owned, waiting)
        except Exception as error:
            logger.exception("run %s could not be checked", row.run_id)
            waiting.problem = error if isinstance(error, HailuoError) else internal_error(error)
            outcome = _Outcome.GIVEN_UP
        finally:
            owned.limiter.leave(row.run_id)
        if outcome is _Outcome.PROVED:
            # First, so that the run never seems to be abandoned in between.
            self._resume_one(row, owned, waiting.stopped)
        if outcome is not _Outcome.GIVEN_UP:
            self._waiting.pop(row.run_id, None)
        self._publish(owned.log.find(row.run_id) or row)

    async def _check(self, row: Row, owned: OwnedLog, waiting: _Waiting) -> tuple[_Outcome, Row]:
        """Poll until a good answer arrives, nothing is left to do, or polling is given up."""
        for attempt in count(1):
            task = waiting.task = await self._make_task(row, owned)
            try:
                if (match := task.match(task.key()[1])) is Match.SAME:
                    return _Outcome.PROVED, row
                if match is Match.OTHER_ADDRESS:
                    waiting.problem = _other_address(row, task)
                elif account := await _ask_once(task):
                    task.prove(account)
                    return _Outcome.PROVED, task.row
            except (KeyMissing, KeyRefused, JobExpired):
                waiting.problem = _unknown(task)
            except (HailuoError, Unsent, Lost) as error:
                logger.debug("run %s could not be checked: %s", row.run_id, error)
            enough = waiting.problem or attempt >= self._timings.last_attempts
            if task.is_past_retention() and enough:
                waiting.problem = waiting.problem or _unknown(task)
                break
            self._publish(row)
            await task.sleep(self._timings.account_check_s * _random.uniform(0.8, 1.0))
            row = owned.log.find(row.run_id) or row
            if row.state not in _ASKED_ABOUT or _has_active_owner(row, owned, waiting.stopped):
                return _Outcome.OVER, row
        return _Outcome.GIVEN_UP, row

    def _publish(self, row: Row) -> None:
        self._events.publish(row)
        self._events.recheck()


def _has_active_owner(row: Row, owned: OwnedLog, stopped: Mapping[str, int]) -> bool:
    """Return whether a run's owner is alive, and its heartbeat advances if it was stopped."""
    if row.owner is None or not owned.log.alive(row.owner):
        return False
    return owned.log.beats([row.owner])[row.owner].count != stopped.get(row.owner)


class _Outcome(Enum):
    PROVED = auto()
    OVER = auto()
    GIVEN_UP = auto()


@dataclass
class _Waiting:
    """A run that waits for its own key."""

    asking: Future[None] | None = None
    stopped: Mapping[str, int] = field(default_factory=dict)
    task: RunTask | None = None
    problem: HailuoError | None = None

    @property
    def is_asked_about(self) -> bool:
        """Whether it is polled from time to time."""
        return self.asking is not None and not self.asking.done()

    def wake(self) -> None:
        """Poll at once."""
        if self.task is not None:
            self.task.wake()


async def _ask_once(task: RunTask) -> Account | None:
    """Poll a job once; return the account if a good answer proves it."""
    plan = task.plan()
    async with task.limiter.acquire(plan, task.wanted(Purpose.POLL, task.estimate())) as permit:
        header, account = task.key()
        if task.match(account) is Match.OTHER_ADDRESS:
            return None
        call = task.dialect.status(task.job_id, task.row.record.wire)
        reply = await task.send(call, header)
        task.limiter.answered(plan, permit, reply)
    try:
        news = task.dialect.news(reply, task.job_id)
    except JobExpired:
        # The history shows a request of any age, and to its own account only.
        row = task.dialect.history_row(task.job_id)
        if row is None:
            raise
        await read_history_row(task, row, header)
        return account
    # An undocumented status may be sent for any job, and a refusal may come from any gateway.
    good = reply.ok or task.dialect.documented(reply)
    return account if good and news.state != "unknown" else None


def _unknown(task: RunTask) -> WaitsForItsKey:
    return WaitsForItsKey(
        f"This clip needs another key: your {task.provider.title} key can't access it.",
        money="It stays paid for; nothing was changed.",
        todo=f"Set the key that bought it ({task.provider.key_variables[0]}); '%hailuo resume' checks it.",
    )


def _other_address(row: Row, task: RunTask) -> WaitsForItsKey:
    sent_to, variable = (
        row.address or row.record.endpoint or "",
        task.provider.base_urls["api"].variable,
    )
    return WaitsForItsKey(
        f"This clip needs another address: it was bought at {urlsplit(sent_to).hostname}, but "
        f"{task.provider.title} is set to a different one.",
        money="It stays paid for; nothing was changed or sent.",
        todo=f"If that address is yours, set {variable} to it and set its key.",
    )
