"""What is shown of a run, already in words: plain data for the templates.

Everything foreign (prompts, providers' words, names of files) has passed `words.harmless` here;
escaping is the templates' part.
"""

from __future__ import annotations

import base64
import math
import os
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hailuo_jupyter.catalogue import Provider
from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.errors import KeyMissing, KeyRefused, Moderated
from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.runlog.log import Row
from hailuo_jupyter.states import AT_PROVIDER, FINAL, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import FrameRecord, Record

#: The bar of a clip that is done at the provider and is being fetched.
_FETCHING_SHARE = 0.98

#: A provider that is faster than this needs clock times with seconds.
_FAST_S = 120.0

_KEY_CODES = frozenset({KeyMissing.code, KeyRefused.code})
_BEFORE_SENDING = frozenset({State.PREPARED, State.UPLOADING})
_SHORT, _LONG = 120, 280


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


@dataclass(frozen=True)
class ClipView:
    """Where a clip is, and how it can be shown.

    Parameters
    ----------
    name
        The file, with its folder as far as the reader needs it.
    href, sidecar
        Links to clip and record, relative to the notebook and quoted; None where there are none.
    file
        The file to put into the output itself; None to link it.
    width, height
        Pixels of the clip.
    poster
        A small JPEG as a ``data:`` URI; empty if there is none.
    absent
        Why the clip cannot be played here; empty if it can.
    """

    name: str
    href: str | None
    sidecar: str | None
    file: Path | None
    width: int
    height: int
    poster: str
    absent: str


@dataclass(frozen=True)
class RunView:
    """One run, in words.

    Parameters
    ----------
    run_id, revision, record_json
        Which run, and its whole record.
    tone, state, live
        How it stands. Live: somebody works on it, so that its clock runs.
    source
        Provider, model, options.
    prompt, prompt_long, prompt_short
        As written, and on one line.
    when
        Clock times and dates, true whenever they are read.
    tick
        None where no clock runs.
    problem
        Up to three sentences: what happened, what it means for the money, what to do.
    hint
        What one can or cannot do now.
    caption
        The clip's facts, time and cost, piece by piece.
    clip
        None while there is none.
    saved
        For a run that was shown again instead of bought: what that saved.
    cost
        Empty where nothing was bought.
    facts, statement
        What the fold holds: names with values, and what can be repeated.
    """

    run_id: str
    revision: int
    record_json: str
    tone: Tone
    state: str
    live: bool
    source: str
    prompt: str
    prompt_long: str
    prompt_short: str
    when: str
    tick: Tick | None
    problem: tuple[str, ...]
    hint: str
    caption: tuple[str, ...]
    clip: ClipView | None
    saved: str
    cost: str
    facts: tuple[tuple[str, str], ...]
    statement: str


def view(
    row: Row,
    provider: Provider,
    timing: Timing,
    *,
    now: float,
    base: Path | None,
    embed: bool = False,
    poster: bytes | None = None,
    saved: bool = False,
    tz: tzinfo | None = None,
    deadline_s: float = 1800.0,
) -> RunView:
    """Put a run into words.

    Parameters
    ----------
    row
        The run as the log has it.
    provider, timing
        Where it runs, and how long such runs take.
    now
        Seconds since 1970.
    base
        The notebook's folder, which links are relative to; None if there is no notebook.
    embed
        Put the clip itself into the output.
    poster
        A small JPEG of the clip.
    saved
        The run is shown again instead of bought.
    tz
        The reader's time zone; the machine's if None.
    deadline_s
        Seconds after which a run counts as overdue.
    """
    told = _Telling(row, provider, timing, now, tz, deadline_s)
    record = row.record
    clip = told.clip(base, poster, embed=embed)
    return RunView(
        run_id=row.run_id,
        revision=row.revision,
        record_json=row.record_json,
        tone=told.tone(),
        state=told.state(),
        live=told.live,
        source=told.source(),
        prompt=harmless(record.request.prompt),
        prompt_long=words.shortened(harmless(record.request.prompt), _LONG),
        prompt_short=words.shortened(harmless(record.request.prompt), _SHORT),
        when=told.when(),
        tick=told.tick(),
        problem=told.problem(),
        hint=told.hint(),
        caption=told.caption(),
        clip=clip,
        saved=told.saved() if saved else "",
        cost=told.cost(),
        facts=told.facts(),
        statement=harmless(record.reproducibility.statement),
    )


class _Telling:
    """One run and the moment at which it is told of."""

    def __init__(
        self,
        row: Row,
        provider: Provider,
        timing: Timing,
        now: float,
        tz: tzinfo | None,
        deadline_s: float,
    ) -> None:
        self.row, self.record, self.provider, self.timing = row, row.record, provider, timing
        self.now, self.tz = now, tz
        self.at = {State(k): _seconds(v) for k, v in row.record.times.items() if k in set(State)}
        self.live = row.state not in FINAL | {State.UNCONFIRMED} and row.owner is not None
        code = row.record.problem.code if row.record.problem else ""
        self.needs_key = not self.live and row.state not in FINAL and code in _KEY_CODES
        self.moderated = code == Moderated.code
        self.began = self.at.get(State.SUBMITTED, self.at.get(State.PREPARED, row.created))
        self.elapsed = max(0.0, now - self.began)
        watched = self.live and row.state in AT_PROVIDER
        self.overdue = watched and self.elapsed > deadline_s
        self.late = watched and timing.late(self.elapsed)

    # ── how it stands ──────────────────────────────────────────────────────────────────────────

    def tone(self) -> Tone:
        state = self.row.state
        if state is State.COMPLETED:
            return Tone.DONE
        if state in FINAL:
            return Tone.BROKEN
        stuck = not self.live or self.record.problem is not None or self.late or self.overdue
        return Tone.WAITING if stuck else Tone.WORKING

    def state(self) -> str:
        state = self.row.state
        if self.needs_key:
            return "Waiting for a key"
        if state in {State.FAILED, State.REJECTED} and self.moderated:
            return "Moderated"
        if state is State.UNCONFIRMED:
            return "Unconfirmed, maybe bought"
        if state is State.PREPARED and self.live:
            return "Not sent yet"
        if self.overdue:
            return f"{state.words}, overdue"
        if self.late:
            return f"{state.words}, later than usual"
        if not self.live and state in AT_PROVIDER | {State.DOWNLOADING}:
            return f"{state.words}, not watched"
        return state.words

    def source(self) -> str:
        options = self.record.request.options
        chosen = [f"{name} {value}" for name, value in options.items() if name != "duration"]
        if "duration" in options:
            chosen.append(f"{options['duration']} s")
        return harmless(" · ".join([self.provider.title, self.record.model, *chosen]))

    def tick(self) -> Tick | None:
        state = self.row.state
        if not self.live:
            return None
        elapsed = words.stopwatch(self.elapsed)
        if state in AT_PROVIDER:
            return Tick(elapsed, self._expected(), self.timing.progress(self.elapsed))
        if state in {State.DOWNLOADING, State.UNDOWNLOADED}:
            return Tick(elapsed, "done at the provider, fetching the clip", _FETCHING_SHARE)
        return Tick(elapsed, "not at the provider yet", None)

    def _expected(self) -> str:
        nine = words.about(self.timing.quantile(0.9))
        if self.overdue:
            return "asked about less often from now on"
        if self.late:
            return f"longer than 9 of 10 such runs (usually {nine})"
        if self.elapsed > self.timing.median_s:
            return f"9 of 10 such runs are done by {nine}"
        return f"usually about {words.about(self.timing.median_s)}"

    # ── clock times ────────────────────────────────────────────────────────────────────────────

    def _clock(self, at: float) -> str:
        return words.clock(at, self.now, self.tz, seconds=self.timing.median_s < _FAST_S)

    def _by(self, at: float) -> str:
        """Round up: "by 12:06" must hold for a moment in the minute before."""
        grain = 1 if self.timing.median_s < _FAST_S else 60
        return self._clock(math.ceil(at / grain) * grain)

    def when(self) -> str:
        state, began = self.row.state, self._clock(self.began)
        ended = self._clock(self.at.get(state, self.row.updated))
        if state is State.COMPLETED:
            return f"{words.local(self.began, self.tz):%Y-%m-%d}, {self._span()}"
        if state in AT_PROVIDER:
            soon = self._by(self.began + self.timing.median_s)
            late = self._by(self.began + self.timing.quantile(0.9))
            return f"Submitted {began}, expected by {soon}, 9 of 10 by {late}."
        if state in {State.DOWNLOADING, State.UNDOWNLOADED}:
            kept = self._clock(self.began + self.provider.retention_s)
            doubt = " (inferred)" if self.provider.retention_kind == "inferred" else ""
            return f"Submitted {began}; {self.provider.title} keeps the clip until about {kept}{doubt}."
        if state is State.UNCONFIRMED:
            sent = self._clock(self.at.get(State.SUBMITTING, self.began))
            return f"Sent {sent}, and no readable answer came."
        if state in {State.FAILED, State.EXPIRED}:
            return f"Submitted {began}, {state.words.lower()} {ended}."
        return f"Rejected {ended}." if state is State.REJECTED else f"Prepared {began}."

    def _span(self) -> str:
        """Say from when to when the provider worked; the download may come much later."""
        end = self.at.get(State.DOWNLOADING, self.at.get(State.COMPLETED, self.began))
        days = words.clock(self.began, self.began, self.tz, seconds=self.timing.median_s < _FAST_S)
        until = words.clock(end, self.began, self.tz, seconds=self.timing.median_s < _FAST_S)
        return f"{days} to {until} ({words.span(end - self.began)})"

    # ── what one has to know ───────────────────────────────────────────────────────────────────

    def problem(self) -> tuple[str, ...]:
        problem = self.record.problem
        if problem is not None:
            return tuple(
                harmless(part) for part in (problem.what, problem.money, problem.todo) if part.strip()
            )
        if self.overdue:
            until = self._clock(self.began + self.provider.retention_s)
            return (
                f"{self.provider.title} has not finished this clip after {words.span(self.elapsed // 60 * 60)}.",
                f"It is still asked, about once a minute, until about {until}.",
            )
        if not self.live and self.row.state in AT_PROVIDER | {State.DOWNLOADING, State.UNDOWNLOADED}:
            return ("Nobody watches this run now.", "Run '%hailuo resume' to go on; asking is free.")
        return ()

    def hint(self) -> str:
        state = self.row.state
        if not self.live:
            return ""
        if state in _BEFORE_SENDING:
            return "Nothing is sent yet; run.cancel() still stops it."
        if self.provider.can_cancel:
            return "run.cancel() stops it."
        if state in AT_PROVIDER:
            paid = "nothing is paid" if self.record.cost.kind == "free" else "the clip is paid for"
            return f"{self.provider.title} cannot cancel a job: {paid}, and the clip will be fetched."
        return ""

    def cost(self) -> str:
        unpaid = {State.REJECTED, State.FAILED}
        if self.row.state in unpaid and self.record.cost.actual is None:
            return ""
        doubt = {State.UNCONFIRMED: ", if it was bought", State.PREPARED: ", if sent"}
        return harmless(words.cost(self.record.cost)) + doubt.get(self.row.state, "")

    def saved(self) -> str:
        price = words.price(self.provider.price(self.record.request.options))
        shown = words.clock(self.began, self.now, self.tz)
        return f"Shown again from {shown}: nothing was paid. For a new take: --new ({price})."

    # ── the clip ───────────────────────────────────────────────────────────────────────────────

    def caption(self) -> tuple[str, ...]:
        clip = self.record.clip
        if self.row.state is not State.COMPLETED or clip is None:
            return ()
        return (words.measured(clip, self.record.request.options), self.when(), self.cost())

    def clip(self, base: Path | None, poster: bytes | None, *, embed: bool) -> ClipView | None:
        clip = self.record.clip
        if self.row.state is not State.COMPLETED or clip is None:
            return None
        path = self.row.folder / clip.path
        relative = words.inside(path, base)
        there = path.is_file()
        absent = ""
        if not there:
            absent = "The clip's file is no longer in its folder. Run the cell again to fetch it."
        elif relative is None and not embed:
            absent = (
                "The clip lies outside this notebook's folder, so it cannot be played here. "
                "Run the cell with --embed to store it in the notebook."
            )
        sidecar = words.inside(path.with_name(f"{self.row.run_id}.json"), base)
        return ClipView(
            name=harmless(relative or f"{path.parent.name}/{path.name}"),
            href=_href(relative) if relative and there else None,
            sidecar=_href(sidecar) if sidecar else None,
            file=path if embed and there else None,
            width=clip.width,
            height=clip.height,
            poster=f"data:image/jpeg;base64,{base64.b64encode(poster).decode()}" if poster else "",
            absent=absent,
        )

    # ── the fold ───────────────────────────────────────────────────────────────────────────────

    def facts(self) -> tuple[tuple[str, str], ...]:
        record, request, price = self.record, self.record.request, self.record.cost
        zone = words.local(self.began, self.tz)
        found = [
            ("Run", f"{record.run_id}, revision {record.revision}"),
            ("Job", record.job.id or ""),
            ("First frame", _frame(request.first_frame)),
            ("Last frame", _frame(request.last_frame)),
            ("Prompt optimizer", record.reproducibility.prompt_optimizer),
            ("Begun", f"{zone:%Y-%m-%d %H:%M:%S} (UTC{zone:%z})"),
            ("Cost", self.cost()),
            ("Price from", f"{price.source} ({price.as_of})" if price.source else ""),
            ("Clip", _file(record)),
            ("Tags", ", ".join(record.tags)),
            ("Note", record.note or ""),
        ]
        return tuple((name, harmless(value)) for name, value in found if value)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _href(relative: str) -> str:
    # A colon or a question mark in a folder's name must stay part of the path.
    return quote(os.fsencode(relative), safe="/")


def _frame(frame: FrameRecord | None) -> str:
    if frame is None:
        return ""
    size = f", {frame.width} × {frame.height}" if frame.width and frame.height else ""
    return f"{frame.url or frame.source}{size}"


def _file(record: Record) -> str:
    clip = record.clip
    return f"{clip.bytes / 1e6:.1f} MB {clip.codec}, sha256 {clip.sha256}" if clip else ""
