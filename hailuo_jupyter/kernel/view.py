"""What is shown of a run, already in words: plain data for the templates.

Everything foreign (prompts, providers' words, names of files) has passed `words.harmless` here;
escaping is the templates' part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.clip_view import ClipView, clip_view
from hailuo_jupyter.kernel.standing import Standing, Tick, Tone
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.runlog.log import Row

if TYPE_CHECKING:
    from hailuo_jupyter.record import FrameRecord, Record

_SHORT, _LONG = 120, 280


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
        A finished clip's facts, time and cost, and what the person thinks of it.
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
    record, clip = row.record, clip_view(row, base, poster=poster, embed=embed)
    standing = Standing(row, provider, timing, now=now, tz=tz, deadline_s=deadline_s)
    prompt = harmless(record.request.prompt)
    caption: tuple[str, ...] = ()
    if clip and record.clip:
        options = record.request.options
        caption = (words.measured(record.clip, options), standing.when, standing.cost)
        caption += words.thoughts(record)
    return RunView(
        run_id=row.run_id,
        revision=row.revision,
        record_json=row.record_json,
        tone=standing.tone,
        state=standing.state,
        live=standing.live,
        source=_source(record, provider),
        prompt=prompt,
        prompt_long=words.shortened(prompt, _LONG),
        prompt_short=words.shortened(prompt, _SHORT),
        when=standing.when,
        tick=standing.tick,
        problem=standing.problem,
        hint=standing.hint,
        caption=caption,
        clip=clip,
        saved=standing.saved if saved else "",
        cost=standing.cost,
        facts=_facts(record, standing, tz),
        statement=harmless(record.reproducibility.statement),
    )


def _source(record: Record, provider: Provider) -> str:
    options = record.request.options
    # A record's options are sorted by name; a reader knows the provider's order.
    order = dict.fromkeys([*(choice.name for choice in provider.choices), *options])
    chosen = [
        f"{options[name]} s" if name == "duration" else f"{name} {options[name]}"
        for name in order
        if name in options
    ]
    return harmless(" · ".join([provider.title, record.model, *chosen]))


def _facts(record: Record, standing: Standing, tz: tzinfo | None) -> tuple[tuple[str, str], ...]:
    request, cost = record.request, record.cost
    begun = words.local(standing.began, tz)
    found = [
        ("Run", f"{record.run_id}, revision {record.revision}"),
        ("Job", record.job.id or ""),
        ("First frame", _frame(request.first_frame)),
        ("Last frame", _frame(request.last_frame)),
        ("Prompt optimizer", record.reproducibility.prompt_optimizer),
        ("Begun", f"{begun:%Y-%m-%d %H:%M:%S} (UTC{begun:%z})"),
        ("Price from", f"{cost.source} ({cost.as_of})" if cost.source else ""),
        ("Clip", _file(record)),
        ("Repeats", record.parent or ""),
        ("Rating", "" if record.rating is None else f"{record.rating} of 5"),
        ("Tags", ", ".join(record.tags)),
        ("Note", record.note or ""),
    ]
    return tuple((name, harmless(value)) for name, value in found if value)


def _frame(frame: FrameRecord | None) -> str:
    if frame is None:
        return ""
    said = frame.url or frame.source
    if frame.width and frame.height:
        said += f", {words.pixels(frame.width, frame.height)}"
    if frame.from_run and frame.at_s is not None:
        said += f", from the clip of run {frame.from_run} at {frame.at_s:.2f} s"
    return said


def _file(record: Record) -> str:
    clip = record.clip
    return f"{clip.bytes / 1e6:.1f} MB {clip.codec}, sha256 {clip.sha256}" if clip else ""
