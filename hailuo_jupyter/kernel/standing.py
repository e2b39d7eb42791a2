"""How a run stands at a moment, in words: its state, its clock, what one has to know."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING

from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.errors import KeyMissing, KeyRefused, Moderated
from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.runlog.log import Row
from hailuo_jupyter.states import AT_PROVIDER, FINAL, SETTLED, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record

#: The bar of a clip that is done at the provider and is being fetched.
_FETCHING_SHARE = 0.98

#: A provider that is faster than this needs clock times with seconds.
_FAST_S = 120.0

_KEY_CODES = frozenset({KeyMissing.code, KeyRefused.code})
_FETCHING = frozenset({State.DOWNLOADING, State.UNDOWNLOADED})


class Tone(StrEnum):
    """What a state means for the person; the templates give it a colour."""

    WORKING = "working"
    WAITING = "waiting"
    DONE = "done"
    BROKEN = "broken"


@dataclass(frozen=True)
class Tick:
    """What changes each second while a run is on its way.

    Parameters
    ----------
    elapsed
        A running clock.
    expected
        How long such runs take, or that this one takes longer.
    share
        Of the bar, 0 to 1; None where nobody can tell.
    """

    elapsed: str
    expected: str
    share: float | None


class Standing:
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
    """

    def __init__(
        self,
        row: Row,
        provider: Provider,
        timing: Timing,
        *,
        now: float,
        tz: tzinfo | None,
        deadline_s: float,
    ) -> None:
        self._row, self._record, self._provider, self._timing = row, row.record, provider, timing
        self._now, self._tz, self._deadline_s = now, tz, deadline_s
        self._at = {name: _seconds(moment) for name, moment in row.record.times.items()}
        self.live = row.state not in SETTLED and row.owner is not None
        self.began = self._at.get(State.SUBMITTED, self._at.get(State.PREPARED, row.created))
        # A clip that was completed once is fetched again: its first run's clock tells nothing.
        again = row.state in _FETCHING and State.COMPLETED in self._at
        self._elapsed = max(0.0, now - (row.updated if again else self.began))
        watched = self.live and row.state in AT_PROVIDER
        self._overdue = watched and self._elapsed > deadline_s
        self._late = watched and timing.late(self._elapsed)

    @property
    def tone(self) -> Tone:
        """What the state means for the person."""
        if self._row.state is State.COMPLETED:
            return Tone.DONE
        if self._row.state in FINAL:
            return Tone.BROKEN
        stuck = not self.live or self._record.problem is not None or self._late or self._overdue
        return Tone.WAITING if stuck else Tone.WORKING

    @property
    def state(self) -> str:
        """The state, and whether it lasts longer than it should."""
        state = self._row.state
        code = self._record.problem.code if self._record.problem else ""
        if not self.live and state not in FINAL and code in _KEY_CODES:
            return "Waiting for a key"
        if state in {State.FAILED, State.REJECTED} and code == Moderated.code:
            return "Moderated"
        if state is State.UNCONFIRMED:
            return "Unconfirmed, maybe bought"
        if state is State.PREPARED and self.live:
            return "Not sent yet"
        if self._overdue:
            return f"{state.words}, overdue"
        if self._late:
            return f"{state.words}, later than usual"
        if not self.live and state in AT_PROVIDER | {State.DOWNLOADING}:
            return f"{state.words}, not watched"
        return state.words

    @property
    def tick(self) -> Tick | None:
        """The running clock; None where none runs."""
        if not self.live:
            return None
        elapsed = words.stopwatch(self._elapsed)
        if self._row.state in AT_PROVIDER:
            return Tick(elapsed, self._expected(), self._timing.progress(self._elapsed))
        if self._row.state in _FETCHING:
            return Tick(elapsed, "done at the provider, fetching the clip", _FETCHING_SHARE)
        return Tick(elapsed, "not at the provider yet", None)

    def _expected(self) -> str:
        """Say what to expect, in words that stand still for minutes."""
        if self._overdue:
            return "asked about less often from now on"
        if self._late:
            return "longer than 9 of 10 such runs"
        if self._elapsed > self._timing.median_s:
            return f"9 of 10 such runs are done by {words.about(self._timing.quantile(0.9))}"
        return f"usually about {words.about(self._timing.median_s)}"

    @property
    def when(self) -> str:
        """Clock times, true whenever they are read."""
        state, began = self._row.state, self._clock(self.began)
        ended = self._clock(self._at.get(state, self._row.updated))
        if state is State.COMPLETED:
            end = self._at.get(State.DOWNLOADING, self._row.updated)
            fast = self._timing.median_s < _FAST_S
            start, until = (
                words.clock(at, self.began, self._tz, seconds=fast) for at in (self.began, end)
            )
            took = words.span(end - self.began)
            return f"{words.local(self.began, self._tz):%Y-%m-%d}, {start} to {until} ({took})"
        if state in AT_PROVIDER:
            soon = self._by(self.began + self._timing.median_s)
            nearly = self._by(self.began + self._timing.quantile(0.9))
            return f"Submitted {began}, expected by {soon}, 9 of 10 by {nearly}."
        if state in _FETCHING:
            kept = self._clock(self.began + self._provider.retention_s)
            doubt = " (inferred)" if self._provider.retention_kind == "inferred" else ""
            keeps = f"{self._provider.title} keeps the clip until about {kept}{doubt}"
            return f"Submitted {began}; {keeps}."
        if state is State.UNCONFIRMED:
            sent = self._clock(self._at.get(State.SUBMITTING, self.began))
            return f"Sent {sent}, and no readable answer came."
        if state in {State.FAILED, State.EXPIRED}:
            return f"Submitted {began}, {state.words.lower()} {ended}."
        return f"Rejected {ended}." if state is State.REJECTED else f"Prepared {began}."

    def _clock(self, at: float) -> str:
        return words.clock(at, self._now, self._tz, seconds=self._timing.median_s < _FAST_S)

    def _by(self, at: float) -> str:
        # Rounded up: what comes within the minute of 12:05 is there by 12:06.
        grain = 1 if self._timing.median_s < _FAST_S else 60
        return self._clock(math.ceil(at / grain) * grain)

    @property
    def problem(self) -> tuple[str, ...]:
        """Up to three sentences: what happened, what it means for the money, what to do."""
        problem, title = self._record.problem, self._provider.title
        if problem is not None:
            # The demo's wire is a provider's, whose history there is to be looked at.
            free = self._record.cost.kind == "free" and self._row.state is State.FAILED
            money = "There is no clip, and nothing was paid: the demo is free."
            parts = (problem.what, money if free else problem.money, problem.todo)
            return tuple(harmless(part) for part in parts if part.strip())
        if self._overdue:
            due = self._clock(self.began + self._deadline_s)
            until = self._clock(self.began + self._provider.retention_s)
            return (
                f"{title} had not finished this clip by {due}, far later than usual.",
                f"It is still asked, about once a minute, until about {until}.",
            )
        if not self.live and self._row.state in AT_PROVIDER | _FETCHING:
            return (
                "Nobody watches this run now.",
                "Run '%hailuo resume' to go on; asking is free.",
            )
        return ()

    @property
    def hint(self) -> str:
        """What one can or cannot do while the run goes on."""
        state, title = self._row.state, self._provider.title
        if not self.live:
            return ""
        if state in {State.PREPARED, State.UPLOADING}:
            return "Nothing is sent yet; run.cancel() still stops it."
        # A line in each state, so that nothing moves when one follows another.
        if state is State.SUBMITTING:
            return "The request is on its way; it is sent once."
        paid = "free" if self._record.cost.kind == "free" else "paid for"
        if state is State.DOWNLOADING:
            return f"{title} has made the clip; it is {paid} and is being fetched."
        if state not in AT_PROVIDER:
            return ""
        if self._provider.can_cancel:
            return f"run.cancel() stops it at {title}."
        return f"{title} cannot cancel a job: the clip is {paid} and will be fetched."

    @property
    def cost(self) -> str:
        """What it costs; empty where nothing was bought."""
        return cost_of(self._record)

    @property
    def saved(self) -> str:
        """What showing the run again instead of buying it has saved."""
        price = words.price(self._provider.price(self._record.request.options))
        shown = words.clock(self.began, self._now, self._tz)
        return f"Shown again from {shown}: nothing was paid. For a new take: --new ({price})."


def cost_of(record: Record) -> str:
    """Say what a run costs, as its state has it; empty where nothing was bought."""
    cost, state = record.cost, record.state
    if state in {State.REJECTED, State.FAILED} and cost.actual is None:
        return ""
    doubt = {State.UNCONFIRMED: ", if it was bought", State.PREPARED: ", if sent"}
    free = cost.kind == "free"
    return harmless(words.cost(cost)) + ("" if free else doubt.get(state, ""))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
