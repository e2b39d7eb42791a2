"""Which waiting request goes first if requests are scarce: pure, without clock or storage.

A clip that is paid for and not downloaded yet can be lost: its record at the provider expires. So bought jobs
go before new ones: first the result of a job that is known to be done, one request per clip; then polls of
the jobs that expire soonest; then polls of the jobs most likely done. A submit follows when all of these are
served, and only if the bought clips, and this one too, can be downloaded in half of the time that is left for
them. Polls that are not due yet use spare requests.

A poll is due when the job is done with probability `DUE`: waiting some seconds longer costs less than a
second request. If the limit leaves more requests for each clip, and nothing else needs them, polls come
earlier accordingly.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum, StrEnum
from functools import cached_property, lru_cache
from typing import Any

from hailuo_jupyter.engine.eta import DurationEstimate

#: Probability that the job is done at which its first poll is due, and a later one.
DUE, DUE_AGAIN = 0.95, 0.5

#: A job is at risk in the last quarter of the time for which it is kept. It is polled again after
#: this many seconds at the latest.
_AT_RISK, _AT_RISK_EVERY_S = 0.25, 120.0

#: Bought clips have to be downloaded within this share of the remaining time.
_IN_TIME = 0.5

#: Requests for each clip that are enough for the usual schedule.
_PLENTY = 25.0

#: Average requests per poll, since some fail.
_LOOKS = 1.2

#: Maximum send times that are computed.
_TURNS = 3000


class Purpose(StrEnum):
    """What a request is for."""

    SUBMIT = "submit"
    POLL = "poll"
    RESULT = "result"


class Group(IntEnum):
    """Groups of requests, served in this order."""

    RESULT = 0
    AT_RISK = 1
    DUE = 2
    SUBMIT = 3
    LIKELY = 4
    SPARE = 5
    NOT_YET = 6
    #: Nothing waits; a job will need a request later.
    RESTING = 7


@dataclass(frozen=True)
class Wanted:
    """A request that a run needs.

    Parameters
    ----------
    run_id, purpose
        The run, and the purpose of the request.
    since
        When the job was submitted, or for a submit when the run was made, in seconds since 1970.
    lifetime_s
        Seconds after its submit for which the provider keeps a job.
    timing
        The expected duration of such jobs.
    calls
        Requests to fetch a finished job: 2 if its link needs a separate call.
    asked_s
        The job's age at the last poll that found it unfinished, in seconds; 0 if there was none.
    failures
        Requests in a row without a useful answer.
    """

    run_id: str
    purpose: Purpose
    since: float
    lifetime_s: float
    timing: DurationEstimate
    calls: int = 1
    asked_s: float = 0.0
    failures: int = 0


@dataclass(frozen=True)
class Entry:
    """A request in the queue, shared with all processes.

    Parameters
    ----------
    run_id, purpose
        As in `Wanted`.
    group, key
        Its place: by group, then by key, the lowest first.
    due
        When it should be sent; for a submit, when the run was created. In seconds since 1970.
    expires
        When the provider forgets the job; for a submit, if it were sent now.
    requests
        How many requests are needed until the clip is fetched.
    lasts_s
        Seconds from a submit until the first poll of its job is due.
    asked_s
        The job's age at the last poll that found it unfinished, in seconds.
    turn
        When it will probably be sent; None if not computed yet.
    """

    run_id: str
    purpose: str
    group: int
    key: float
    due: float
    expires: float
    requests: float
    lasts_s: float
    asked_s: float
    turn: float | None = None

    @property
    def place(self) -> tuple[int, float, str]:
        """The sort key."""
        return self.group, self.key, self.run_id

    def dump(self, turn: float | None) -> list[Any]:
        """Return the entry as JSON, with the time at which it will probably be sent."""
        return [*[*vars(self).values()][:-1], turn]

    @classmethod
    def load(cls, dumped: Iterable[Sequence[Any]]) -> tuple[Entry, ...]:
        """Read the JSON of `dump`; entries of another version of this package are skipped."""
        length = len(fields(cls))
        return tuple(cls(*values) for values in dumped if len(values) == length)


def looks_per_clip(per_minute: float, bought: int, median_s: float) -> float:
    """Return how many requests the limit leaves for each clip while its job runs.

    Parameters
    ----------
    per_minute
        Requests per minute of the account.
    bought
        Its jobs that are not fetched yet.
    median_s
        Median duration of a job, in seconds.
    """
    return per_minute / 60.0 * median_s / max(bought, 1)


def entry(wanted: Wanted, now: float, *, per_minute: float, bought: int) -> Entry:
    """Return a request's entry in the queue.

    Parameters
    ----------
    wanted
        The request.
    now
        Seconds since 1970.
    per_minute, bought
        See `looks_per_clip`.

    Returns
    -------
    Entry
        A submit is in its group here, whether or not it may leave; see `may_submit`.
    """
    timing, expires = wanted.timing, wanted.since + wanted.lifetime_s
    requests = 1.0 if wanted.purpose is Purpose.RESULT else _LOOKS + wanted.calls - 1
    lasts = _until(timing, DUE, 0.0)

    def at(group: Group, key: float, due: float) -> Entry:
        return Entry(
            wanted.run_id,
            wanted.purpose.value,
            group,
            key,
            due,
            expires,
            requests,
            lasts,
            wanted.asked_s,
        )

    if wanted.purpose is Purpose.SUBMIT:
        expires, requests = now + wanted.lifetime_s, requests + 1.0
        return at(Group.SUBMIT, wanted.since, wanted.since)
    at_risk = now < expires < now + _AT_RISK * wanted.lifetime_s
    if wanted.purpose is Purpose.RESULT:
        # A request that keeps failing must not delay all others.
        failing = Group.AT_RISK if at_risk else Group.DUE
        return at(Group.RESULT if wanted.failures < 2 else failing, expires, now)
    due = wanted.since + _until(timing, DUE_AGAIN if wanted.asked_s else DUE, wanted.asked_s)
    if at_risk:
        due = min(due, wanted.since + wanted.asked_s + _AT_RISK_EVERY_S)
        if now >= due:
            return at(Group.AT_RISK, expires, due)
    if now >= due:
        return at(Group.DUE, due, due)
    left = looks_per_clip(per_minute, bought, timing.median_s)
    if left >= _PLENTY:
        return at(Group.SPARE, due, now)
    # One is for the result. If half of the polls fail, each job needs two of them.
    looks = max(round(left) - 1, 2)
    spare = wanted.since + _until(timing, 1.0 / looks, wanted.asked_s)
    if now < spare:
        return at(Group.NOT_YET, due, due)
    return at(Group.LIKELY if looks == 2 else Group.SPARE, spare, due)


@lru_cache(maxsize=4096)  # the queue is checked often
def _until(timing: DurationEstimate, share: float, since: float) -> float:
    return timing.until(share, since=since)


def of_no_job(since: float) -> Entry:
    """Return the entry of a request without a job: it uses spare requests."""
    return Entry("", "", Group.SPARE, since, since, math.inf, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Queue:
    """All that waits for one account, and the jobs that will need requests.

    Parameters
    ----------
    waiting
        Waiting entries of this process.
    jobs
        Entries of jobs without a waiting request.
    others
        Entries of the other processes.
    """

    waiting: tuple[Entry, ...]
    jobs: tuple[Entry, ...]
    others: tuple[Entry, ...]

    @cached_property
    def submits(self) -> list[Entry]:
        """The waiting submits of all processes, the first one first."""
        found = (e for e in (*self.waiting, *self.others) if e.purpose == Purpose.SUBMIT)
        return sorted(found, key=lambda each: (each.due, each.run_id))

    @cached_property
    def bought(self) -> list[Entry]:
        """The bought jobs that are not downloaded yet, the first to expire first."""
        found = (
            e
            for e in (*self.waiting, *self.jobs, *self.others)
            if e.purpose in {Purpose.POLL, Purpose.RESULT}
        )
        return sorted(found, key=lambda each: each.expires)

    def with_submits_held(self, now: float, per_minute: float) -> Queue:
        """Return the queue without submits whose clips could not be downloaded in time; see `may_submit`."""
        if not self.submits or may_submit(self.submits[0], self.bought, now, per_minute):
            return self
        waiting = (
            replace(e, group=Group.NOT_YET) if e.purpose == Purpose.SUBMIT else e
            for e in self.waiting
        )
        return replace(self, waiting=tuple(waiting))

    def first(self) -> int | None:
        """Return the next of the waiting entries; None if nothing is due."""
        places = [(e.place, i) for i, e in enumerate(self.waiting) if e.group < Group.NOT_YET]
        return min(places)[1] if places else None

    def precedes(self, entry: Entry) -> bool:
        """Check whether a request of another process goes before an entry."""
        return any(e.group < Group.NOT_YET and e.place < entry.place for e in self.others)

    def turns(self, now: float, *, next_at: float, per_minute: float) -> dict[str, float]:
        """Compute when waiting requests will probably be sent, at a constant rate.

        Parameters
        ----------
        now, next_at
            The current time, and when the next request may be sent, in seconds since 1970.
        per_minute
            Requests per minute of the account.

        Returns
        -------
        dict
            By run id, seconds since 1970. The end of a long queue may be missing.
        """
        pause = 60.0 / per_minute
        submits = self.submits[::-1]
        jobs = [(max(each.due, now), each.run_id, each.requests) for each in self.bought]
        heapq.heapify(jobs)
        found: dict[str, float] = {}
        next_free = max(next_at, now)
        for _ in range(_TURNS):
            if jobs and (jobs[0][0] <= next_free or not submits):
                due, run_id, requests = heapq.heappop(jobs)
                next_free = max(next_free, due)
                found.setdefault(run_id, next_free)
                next_free += pause * requests
            elif submits:
                submit = submits.pop()
                found[submit.run_id] = next_free
                next_free += pause
                heapq.heappush(
                    jobs, (next_free + submit.lasts_s, submit.run_id, submit.requests - 1.0)
                )
            else:
                break
        return found


def may_submit(submit: Entry, bought: Iterable[Entry], now: float, per_minute: float) -> bool:
    """Check whether all bought clips, and the one that the submit buys, can be downloaded in time.

    Parameters
    ----------
    submit
        The next submit.
    bought
        The bought jobs of all processes that are not downloaded yet, the first to expire first.
    now
        Seconds since 1970.
    per_minute
        Requests per minute of the account.
    """
    spent = 1.0
    for each in bought:
        if each.expires <= now:
            continue  # already expired, whatever is sent first
        spent += each.requests
        if 60.0 * spent / per_minute > _IN_TIME * (each.expires - now):
            return False
    spent += submit.requests - 1.0
    return 60.0 * spent / per_minute <= _IN_TIME * (submit.expires - now)
