"""How a run stands at a moment, in words: its state, its clock, what one has to know."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING

from hailuo_jupyter import formatting
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import job_news
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.limit_status import Delay
from hailuo_jupyter.engine.request_queue import Purpose
from hailuo_jupyter.errors import (
    Cancelled,
    HailuoError,
    KeyMissing,
    KeyRefused,
    Moderated,
    NotSent,
    OwnerStopped,
    RateLimited,
)
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.runlog.log import Row
from hailuo_jupyter.states import AT_PROVIDER, FINAL, IN_FLIGHT, SETTLED, UNSENT, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record

#: The bar of a clip that is done at the provider and is being fetched.
_FETCHING_SHARE = 0.98

#: A shorter wait than this, in seconds, is not worth a word.
_MOMENT_S = 3.0

#: A provider that is faster than this needs clock times with seconds.
_FAST_S = 120.0

_KEY_CODES = frozenset({KeyMissing.code, KeyRefused.code})
_FETCHING = frozenset({State.DOWNLOADING, State.UNDOWNLOADED})

#: States in which a run without a process makes no progress.
_TRACKED = IN_FLIGHT - {State.UNDOWNLOADED}

NEEDS_KEY = "Needs another key"


class Severity(StrEnum):
    """What a state means for the person; the templates give it a colour."""

    WORKING = "working"
    WAITING = "waiting"
    DONE = "done"
    BROKEN = "broken"


@dataclass(frozen=True)
class Progress:
    """What changes each second while a run is on its way.

    Parameters
    ----------
    elapsed
        A running clock.
    usual
        How long such runs take, to follow the clock; empty where that is not known or no longer true.
    next
        What happens next, or why nothing does.
    share
        Of the bar, 0 to 1; None where nobody can tell.
    """

    elapsed: str
    usual: str
    next: str
    share: float | None


class RunStatus:
    """One run at one moment.

    Parameters
    ----------
    row
        The run.
    provider, timing
        Where it runs, and how long such runs take.
    now
        Seconds since 1970.
    tz
        The reader's time zone; the machine's if None.
    deadline_s
        Seconds after which a run counts as overdue.
    delay
        Why its next request waits, if a rate limit is the reason.
    next_poll
        When it is polled next, in seconds since 1970; None if that is not known here.
    hindrance
        Why nobody here goes on with it, if it waits for its own key.
    """

    def __init__(
        self,
        row: Row,
        provider: Provider,
        timing: DurationEstimate,
        *,
        now: float,
        tz: tzinfo | None,
        deadline_s: float,
        delay: Delay | None = None,
        next_poll: float | None = None,
        hindrance: HailuoError | None = None,
    ) -> None:
        self._hindrance, self._next_poll = hindrance, next_poll
        self._row, self._record, self._provider, self._timing = row, row.record, provider, timing
        self._now, self._tz, self._deadline_s = now, tz, deadline_s
        self._at = {name: _seconds(moment) for name, moment in row.record.times.items()}
        self.live = row.state not in SETTLED and row.owner is not None
        self.began = self._at.get(State.SUBMITTED, self._at.get(State.PREPARED, row.created))
        # A clip that was completed once is fetched again: its first run's clock tells nothing.
        again = row.state in _FETCHING and State.COMPLETED in self._at
        self._elapsed = max(0.0, now - (row.updated if again else self.began))
        watched = self.live and row.state in AT_PROVIDER
        # Where a limit puts the next look off, the run is as late as it was at the last one.
        known = min(delay.asked_s, self._elapsed) if delay else self._elapsed
        self._overdue = watched and known > deadline_s
        self._late = watched and timing.late(known)
        problem = row.record.problem
        # After a refusal the reason stays, between two requests as well.
        self._refused = problem is not None and problem.code == RateLimited.code
        self._limit = ""
        if self.live and delay:
            self._limit = rate_limit_text(provider.title, delay, now)
        if self.live and self._refused and row.state in UNSENT and not self._limit:
            self._limit = f"{provider.title} limits requests; your turn is next"

    @property
    def severity(self) -> Severity:
        """What the state means for the person."""
        if self._hindrance is not None:
            return Severity.WAITING
        if self._given_up:
            return Severity.BROKEN
        stuck = self._record.problem is not None or self._late or self._overdue
        return severity(self._row.state, active=self.live, stuck=stuck)

    @property
    def _given_up(self) -> bool:
        """Whether it was never sent, and not because the person or the kernel's end has kept it back."""
        problem = self._record.problem
        unsent = self._row.state is State.PREPARED and not self.live
        return unsent and problem is not None and problem.code != NotSent.code

    @property
    def state(self) -> str:
        """The state, and whether it lasts longer than it should."""
        state = self._row.state
        code = self._record.problem.code if self._record.problem else ""
        if self._hindrance is not None:
            stopped = isinstance(self._hindrance, OwnerStopped)
            return "Held by a suspended process" if stopped else NEEDS_KEY
        if not self.live and state not in FINAL | {State.PREPARED} and code in _KEY_CODES:
            return "Waiting for a key"
        if state is State.FAILED and code == Cancelled.code:
            return "Cancelled"
        if state in {State.FAILED, State.REJECTED} and code == Moderated.code:
            return "Blocked by content filter"
        if state is State.PREPARED and self.live:
            return "Waiting to be sent"
        if self._overdue:
            return f"{state.words} - overdue"
        if self._late:
            return f"{state.words} - slower than usual"
        return state_text(state, active=self.live)

    @property
    def progress(self) -> Progress | None:
        """The running clock; None where none runs."""
        if not self.live:
            return None
        elapsed, limit = formatting.stopwatch(self._elapsed), self._limit
        if self._row.state in AT_PROVIDER:
            late = self._late or self._overdue
            usual = f"of about {formatting.approx_duration(self._timing.median_s)}"
            share = self._timing.progress(self._elapsed)
            return Progress(elapsed, "" if late else usual, limit or self._next(), share)
        if self._row.state in _FETCHING:
            fetching = limit or "downloading"
            return Progress(elapsed, "", f"Finished; {fetching}", _FETCHING_SHARE)
        return Progress(elapsed, "", limit or "Sending soon", None)

    def _next(self) -> str:
        """Return what to expect, and when the provider is asked again."""
        expected, ahead = "", self._record.job.queue_position
        if self._overdue:
            expected = "Checked less often"
        elif self._row.state is State.QUEUED and ahead is not None:
            jobs = formatting.count(ahead, "job")
            expected = f"{jobs} ahead in the queue" if ahead else "Next in the queue"
        elif self._late:
            expected = "Longer than usual"
        elif self._elapsed > self._timing.median_s:
            longest = formatting.approx_duration(self._timing.quantile(0.9))
            expected = f"Usually under {longest}"
        check = ""
        if self._next_poll is not None:
            left = math.ceil(self._next_poll - self._now)
            check = f"next check in {formatting.duration(left)}" if left > 0 else "checking now"
        said = " · ".join(filter(None, (expected, check)))
        return said[:1].upper() + said[1:]

    @property
    def when(self) -> str:
        """Clock times, true whenever they are read."""
        state, began = self._row.state, self._clock(self.began)
        ended = self._clock(self._at.get(state, self._row.updated))
        if state is State.COMPLETED:
            return f"{self.day} (took {self.took})"
        if state in AT_PROVIDER:
            soon = self._by(self.began + self._timing.median_s)
            nearly = self._by(self.began + self._timing.quantile(0.9))
            return f"Submitted {began}, expected around {soon} ({nearly} at the latest, usually)."
        if state in _FETCHING:
            kept = self._clock(self.began + self._provider.retention_s)
            doubt = " (estimate)" if self._provider.retention_kind == "inferred" else ""
            keeps = f"{self._provider.title} keeps the clip until about {kept}{doubt}"
            return f"Submitted {began}; {keeps}."
        if state is State.UNCONFIRMED:
            sent = self._clock(self._at.get(State.SUBMITTING, self.began))
            return f"Sent {sent}; no valid response."
        if state in {State.FAILED, State.EXPIRED}:
            return f"Submitted {began}, {state.words.lower()} {ended}."
        return f"Rejected {ended}." if state is State.REJECTED else f"Prepared {began}."

    @property
    def day(self) -> str:
        """Date and time of its start."""
        return f"{formatting.local_time(self.began, self._tz):%Y-%m-%d %H:%M}"

    @property
    def took(self) -> str:
        """How long a finished clip took; empty for others."""
        if self._row.state is not State.COMPLETED:
            return ""
        return formatting.duration(self._at.get(State.DOWNLOADING, self._row.updated) - self.began)

    def _clock(self, at: float) -> str:
        return formatting.clock_time(
            at, self._now, self._tz, seconds=self._timing.median_s < _FAST_S
        )

    def _by(self, at: float) -> str:
        # Rounded up: what comes within the minute of 12:05 is there by 12:06.
        grain = 1 if self._timing.median_s < _FAST_S else 60
        return self._clock(math.ceil(at / grain) * grain)

    @property
    def problem(self) -> tuple[str, ...]:
        """Up to three sentences: what happened, what it means for the money, what to do."""
        problem, title = self._hindrance or self._record.problem, self._provider.title
        if problem is not None:
            # The demo's wire is a provider's, whose history there is to be looked at.
            free = self._record.cost.kind == "free" and self._row.state is State.FAILED
            money = "No clip was made; the demo is free."
            parts = (problem.what, money if free else problem.money, problem.todo)
            return tuple(escape_control(part) for part in parts if part.strip())
        if self._overdue:
            due = self._clock(self.began + self._deadline_s)
            until = self._clock(self.began + self._provider.retention_s)
            return (
                f"{title} hadn't finished this clip by {due}, far later than usual.",
                f"It is checked about once a minute until about {until}.",
            )
        if not self.live and self._row.state in AT_PROVIDER | _FETCHING:
            return (
                "Not being tracked.",
                "Run '%hailuo resume' to continue (free).",
            )
        return ()

    @property
    def hint(self) -> str:
        """What the user can or cannot do while the run is active."""
        state, title = self._row.state, self._provider.title
        if not self.live:
            return ""
        if state in {State.PREPARED, State.UPLOADING}:
            return "Not sent yet - run.cancel() will stop it."
        # In each state, so that nothing moves when one follows another.
        if state is State.SUBMITTING:
            return "Sending the request (once)."
        paid = "free" if self._record.cost.kind == "free" else "paid for"
        if state is State.DOWNLOADING:
            return f"{title} finished the clip ({paid}); downloading."
        if state not in AT_PROVIDER:
            return ""
        if self._provider.can_cancel:
            if job_news.CANCEL in self._record.job.answers:
                return f"{title} was asked to cancel it."
            return f"run.cancel() cancels it at {title}."
        return "Can't be cancelled."

    @property
    def can_cancel(self) -> bool:
        """Whether cancelling it is worth an offer: while it waits to be sent, or at such a provider."""
        if not self.live or job_news.CANCEL in self._record.job.answers:
            return False
        if self._row.state in UNSENT:
            return self._provider.can_cancel or bool(self._limit or self._record.problem)
        return self._provider.can_cancel and self._row.state in AT_PROVIDER

    @property
    def cost(self) -> str:
        """What it costs; empty where nothing was bought."""
        return cost_text(self._record)

    @property
    def saved(self) -> str:
        """The line shown when an existing clip is reused."""
        price = self._provider.price(self._record.request.options).text.removesuffix(" (demo)")
        shown = formatting.clock_time(self.began, self._now, self._tz)
        return f"Existing clip from {shown}, no charge. Add --new for another take ({price})."


#: A mark for each severity besides its colour; the text next to it says the same.
MARKS = {Severity.DONE: "✓", Severity.WORKING: "…", Severity.WAITING: "!", Severity.BROKEN: "✗"}


def price_note(record: Record) -> str:
    """Return where a run's price comes from; empty if there is nothing to say."""
    cost = record.cost
    if cost.kind == "free" or not cost.source:
        return ""
    if cost.actual is not None:
        estimate = formatting.price_range(cost.estimate_low, cost.estimate_high, cost.kind)
        return escape_control(f"By {cost.actual_source or 'the provider'}; before: {estimate}")
    return escape_control(
        f"{formatting.price_source(cost.kind).capitalize()}, {cost.as_of}: {cost.source}"
    )


def state_text(state: State, *, active: bool) -> str:
    """Return a state as people read it; `active` is whether a process works on the run."""
    if state is State.UNCONFIRMED:
        return "Unconfirmed - may have been charged"
    if not active and state in _TRACKED:
        return f"{state.words} - not tracked"
    return state.words


def severity(state: State, *, active: bool, stuck: bool = False) -> Severity:
    """Return what a state means for the person; `stuck` runs wait although a process works on them."""
    if state is State.COMPLETED:
        return Severity.DONE
    if state in FINAL:
        return Severity.BROKEN
    return Severity.WORKING if active and not stuck else Severity.WAITING


def cost_text(record: Record) -> str:
    """Return what a run costs, given its state; empty if nothing was bought."""
    cost, state = record.cost, record.state
    if state in {State.REJECTED, State.FAILED} and cost.actual is None:
        return ""
    doubt = {State.UNCONFIRMED: ", if charged", State.PREPARED: ", if sent"}
    free = cost.kind == "free"
    said = cost.text(ended=state not in AT_PROVIDER)
    return escape_control(said) + ("" if free else doubt.get(state, ""))


def rate_limit_text(title: str, delay: Delay, now: float) -> str:
    """Return why a rate limit delays a run; empty for a short wait.

    Parameters
    ----------
    title
        The provider's.
    delay
        What waits.
    now
        Seconds since 1970.
    """
    limits = f"{title} limits requests"
    if delay.ceiling is not None:
        limits = f"Hailuo.requests_per_minute allows {delay.ceiling}"
    if delay.held:
        return f"{limits}; this clip is sent after earlier ones have been downloaded"
    left = None if delay.turn is None else delay.turn - now
    if left is not None and left < _MOMENT_S:
        return ""
    when = "" if left is None else f" in {formatting.approx_duration(left)}"
    if delay.purpose is Purpose.SUBMIT:
        place = f"number {delay.place} in the queue" if (delay.place or 0) > 1 else ""
        turn = f"your turn{when}" if when else ""
        return f"{limits}; {', '.join(filter(None, (place, turn))) or 'your turn is next'}"
    if delay.purpose is Purpose.RESULT:
        return f"{limits}; requesting the link{when or ' next'}"
    return f"{limits}; next check{when or ' later'}"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
