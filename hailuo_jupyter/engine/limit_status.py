"""Messages about rate limits: why a run waits, and which limits are in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hailuo_jupyter.engine.rate_limit import RateLimit
from hailuo_jupyter.engine.request_queue import Entry, Group, Purpose, Queue
from hailuo_jupyter.runlog.rate_limits import StoredLimit

#: Suffixes of account names for a provider's other hosts, which have separate limits.
ELSEWHERE = ("/storage", "/history")


@dataclass(frozen=True)
class Delay:
    """Why a run's next request waits: the rate limit.

    Parameters
    ----------
    purpose
        What the request is for.
    turn
        When it will probably be sent, in seconds since 1970; None if that is far away or unknown.
    place
        Of a submit, its place among the waiting submits of all processes, from 1.
    held
        Whether a submit waits until bought clips are downloaded.
    asked_s
        The job's age at the last poll that found it unfinished, in seconds. Only then is it known to be
        late.
    ceiling
        Requests per minute set by the user, if that is the limit; None if the provider limits.
    """

    purpose: Purpose
    turn: float | None
    place: int | None = None
    held: bool = False
    asked_s: float = 0.0
    ceiling: int | None = None


@dataclass(frozen=True)
class LimitStatus:
    """A limit learned from a provider's refusals, and what waits for it.

    Parameters
    ----------
    provider
        The provider's name.
    per_minute
        Requests per minute.
    refused_at
        When the provider last refused a request, in seconds since 1970.
    submits, others
        How many submits wait, and how many other requests are due.
    last_turn
        When the last submit will probably be sent; None if unknown.
    """

    provider: str
    per_minute: float
    refused_at: float
    submits: int
    others: int
    last_turn: float | None

    def words(self, title: str, now: float) -> str:
        """Return a sentence on which limit is in force and what waits for it.

        Parameters
        ----------
        title
            The provider's, for display.
        now
            Seconds since 1970.
        """
        sentence = (
            f"{title} limits requests: it refused one {_minutes(now - self.refused_at)} ago, and about "
            f"{max(round(self.per_minute), 1)} a minute are sent now."
        )
        waiting: list[str] = []
        if self.submits:
            clips = "1 clip waits" if self.submits == 1 else f"{self.submits} clips wait"
            last = ""
            if self.last_turn is not None and self.last_turn > now:
                last = f"; the last one leaves in about {_minutes(self.last_turn - now)}"
            waiting.append(f"{clips} to be sent{last}")
        if self.others:
            looks = "1 look" if self.others == 1 else f"{self.others} looks"
            waiting.append(f"{looks} at jobs {'is' if self.others == 1 else 'are'} due")
        return " ".join([sentence, *(f"{each}." for each in waiting)])


def _minutes(seconds: float) -> str:
    return f"{max(round(seconds), 0)} s" if seconds < 90 else f"{round(seconds / 60)} min"


def delays(
    queue: Queue, turns: Mapping[str, float], ceiling: int | None = None
) -> dict[str, Delay]:
    """Return why each run of a process waits, by run id.

    Parameters
    ----------
    queue
        The queue of the process.
    turns
        When requests will probably be sent; see `Queue.turns`.
    ceiling
        See `Delay`.
    """
    places = {each.run_id: place for place, each in enumerate(queue.submits, 1)}
    return {
        each.run_id: Delay(
            Purpose(each.purpose),
            turns.get(each.run_id),
            places.get(each.run_id),
            held=each.purpose == Purpose.SUBMIT and each.group == Group.NOT_YET,
            asked_s=each.asked_s,
            ceiling=ceiling,
        )
        for each in queue.waiting
        if each.run_id and each.group != Group.RESTING
    }


def stored_delays(stored: Iterable[StoredLimit]) -> dict[str, Delay]:
    """Return why runs wait, by run id, as written by their processes.

    Parameters
    ----------
    stored
        The entries of a log.
    """
    found: dict[str, Delay] = {}
    for each in stored:
        entries = Entry.load(each.queue)
        turns = {e.run_id: e.turn for e in entries if e.turn is not None}
        found |= delays(Queue(entries, (), ()), turns)
    return found


def statuses(stored: Iterable[StoredLimit], now: float) -> list[LimitStatus]:
    """Return the limits in force; without those set by the user.

    Parameters
    ----------
    stored
        The entries of a log.
    now
        Seconds since 1970.
    """
    found: list[LimitStatus] = []
    for each in stored:
        limit = RateLimit.load(each.state, now)
        if limit is None or (per_minute := limit.rate(now)) is None:
            continue
        if each.account.endswith(ELSEWHERE):
            continue  # it does not delay runs for long
        queue = Entry.load(each.queue)
        turns = [e.turn for e in queue if e.purpose == Purpose.SUBMIT]
        times = [turn for turn in turns if turn is not None]
        others = sum(e.purpose != Purpose.SUBMIT and e.due <= now for e in queue)
        last = max(times) if turns and len(times) == len(turns) else None
        provider = each.account.partition("/")[0]
        found.append(LimitStatus(provider, per_minute, limit.episode_at, len(turns), others, last))
    return found
