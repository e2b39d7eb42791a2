"""A page of runs in words: plain data for the table's template, or lines of text.

All untrusted text has passed `formatting.escape_control` here; the template escapes HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import catalogue, formatting
from hailuo_jupyter.clip_file import Condition, clip_file
from hailuo_jupyter.formatting import escape_control, shorten
from hailuo_jupyter.kernel.display.run_status import (
    MARKS,
    Severity,
    cost_text,
    severity,
    state_text,
)
from hailuo_jupyter.kernel.display.run_view import ClipView, clip_view
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.row import took_s
from hailuo_jupyter.states import SETTLED, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record

_PROMPT, _LINE = 160, 48
#: Of prompts that begin alike: how much of the beginning is shown, and of the end if that is all there is.
_HEAD, _TAIL = 24, 16
_BEST = 5


@dataclass(frozen=True)
class RunLine:
    """One run of a table, in words.

    Parameters
    ----------
    run_id, severity, state
        The run, and its state.
    prompt
        Shortened, so that it shows where it differs from the others shown.
    differs
        The options in which it differs from the others shown.
    provider, demo
        Its provider, and whether that is the simulator.
    took, cost
        Duration and cost of the clip; empty if unknown.
    when, notebook
        When and where it was requested.
    name, tags, rating, note
        The person's annotations; the rating in words.
    clip
        The clip's location; None if there is none.
    absent
        Why the clip cannot be opened from here; empty if it can.
    revision, created, took_s, amount, stars_given
        The record's revision, and what a front end sorts by: seconds since 1970, seconds, USD and stars; None
        if unknown.
    """

    run_id: str
    severity: Severity
    state: str
    prompt: str
    differs: tuple[str, ...]
    provider: str
    demo: bool
    took: str
    cost: str
    when: str
    notebook: str
    name: str
    tags: tuple[str, ...]
    rating: str
    stars: str
    note: str
    clip: ClipView | None
    absent: str
    revision: int = 0
    created: float = 0.0
    took_s: float | None = None
    amount: float | None = None
    stars_given: int | None = None


@dataclass(frozen=True)
class RunsView:
    """A table.

    Parameters
    ----------
    caption
        How many of how many runs are shown, and in which order.
    lines
        The runs, in order.
    common
        What all of them have in common.
    next_page
        How to see the next page; empty if there is none.
    pictures
        A note about missing posters; else empty.
    order
        The order as the caption has it.
    """

    caption: str
    lines: tuple[RunLine, ...]
    common: tuple[str, ...]
    next_page: str
    pictures: str = ""
    order: str = ""


def build_lines(
    rows: Sequence[Row],
    *,
    base: Path | None,
    now: float,
    posters: Mapping[str, bytes] | None = None,
    tz: tzinfo | None = None,
) -> tuple[tuple[RunLine, ...], tuple[str, ...]]:
    """Return a line per run, and what all of them have in common.

    Parameters
    ----------
    rows
        The runs, in order.
    base
        The notebook's folder, to which links are relative; None if there is no notebook.
    now
        Seconds since 1970.
    posters
        Small JPEGs by run id.
    tz
        The reader's time zone; the system's if None.
    """
    requested = {row.run_id: requested_values(row.record) for row in rows if row.is_readable}
    differing = _differing(list(requested.values()))
    prompts = _prompts([row for row in rows if row.run_id in requested])
    notebooks = {_notebook(row.record) for row in rows if row.run_id in requested}
    lines = tuple(
        _unread_line(row, now, tz) if row.run_id not in requested else
        _line(row, prompts[row.run_id], _shown(requested[row.run_id], differing), base=base,
              now=now, poster=(posters or {}).get(row.run_id), tz=tz)
        for row in rows
    )  # fmt: skip
    common: list[str] = []
    if len(requested) > 1:
        first, *_ = requested.values()
        # What none of them has is not mentioned.
        common = [
            value
            for name, value in first.items()
            if name not in differing
            and value != catalogue.DEFAULT_MODEL
            and not value.startswith("no ")
            and all(name in each for each in requested.values())
        ]
        if len(notebooks) == 1 and (only := notebooks.pop()):
            common.append(f"notebook {only}")
    return lines, tuple(common)


def render_text(view: RunsView) -> str:
    """Return a table as text, a line for each run, for a terminal or a file."""
    cells = [(each.run_id, f"{MARKS[each.severity]} {each.state}", provider(each), each.took, each.cost,
              each.when) for each in view.lines]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [view.caption]
    for each, row in zip(view.lines, cells, strict=True):
        head = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        more = " · ".join(remarks(each))
        lines.append("  ".join(filter(None, (head, shorten(each.prompt, _LINE), more))))
    return "\n".join([*lines, *footer(view)])


def table_json(view: RunsView) -> dict[str, Any]:
    """Return a table as JSON, for a front end that builds its own; it has no more than the HTML.

    Pictures are in the HTML alone.
    """
    return {
        "caption": view.caption,
        "order": view.order,
        "common": list(view.common),
        "remarks": [each for each in (view.pictures, view.next_page) if each],
        "runs": [_line_json(line) for line in view.lines],
    }


def _line_json(line: RunLine) -> dict[str, Any]:
    values = {
        "run_id": line.run_id,
        "revision": line.revision,
        "tone": line.severity.name.lower(),
        "state": line.state,
        "name": line.name,
        "prompt": line.prompt,
        "differs": list(line.differs),
        "provider": provider(line),
        "took": line.took,
        "took_s": line.took_s,
        "cost": line.cost,
        "amount": line.amount,
        "when": line.when,
        "created": line.created,
        "notebook": line.notebook,
        "tags": list(line.tags),
        "rating": line.stars_given,
        "note": line.note,
        "clip": line.clip.href if line.clip else None,
        "absent": line.absent,
    }
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def remarks(line: RunLine) -> list[str]:
    """Return the text after a run's prompt, if there is no room for columns."""
    tags = [f"#{tag}" for tag in line.tags]
    rated = [f"rated {line.rating}"] if line.rating else []
    return [*line.differs, *tags, *rated, *([line.absent] if line.absent else [])]


def footer(view: RunsView) -> list[str]:
    """Return the lines below the runs."""
    common = [f"Same for all: {' · '.join(view.common)}."] if view.common else []
    return [*common, *([view.next_page] if view.next_page else [])]


def provider(line: RunLine) -> str:
    """Return a run's provider."""
    return f"{line.provider} (simulated)" if line.demo else line.provider


def _unread_line(row: Row, now: float, tz: tzinfo | None) -> RunLine:
    """Return a line from the log's columns for a run whose record is unreadable."""
    state, level = _state(row)
    return RunLine(
        run_id=row.run_id,
        severity=level,
        state=state,
        prompt="",
        differs=(),
        provider=shorten(escape_control(row.provider), _LINE),
        demo=row.provider == "demo",
        took="",
        cost="",
        when=formatting.clock_time(row.created, now, tz),
        notebook="",
        name="",
        tags=(),
        rating="",
        stars="",
        note="",
        clip=None,
        absent="record unreadable; see 'jupyter hailuo show RUN'",
        created=row.created,
    )


def _line(
    row: Row,
    prompt: str,
    differs: Sequence[str],
    *,
    base: Path | None,
    now: float,
    poster: bytes | None,
    tz: tzinfo | None,
) -> RunLine:
    record = row.record
    clip = clip_view(row, base, poster=poster)
    took = took_s(record)
    rating = record.rating
    state, level = _state(row)
    return RunLine(
        run_id=row.run_id,
        severity=level,
        state=state,
        prompt=prompt,
        differs=tuple(differs),
        provider=shorten(escape_control(row.provider), _LINE),
        demo=row.provider == "demo",
        took="" if took is None else formatting.duration(took),
        # Who reported the charge is in the record, and would be repeated in every row.
        cost=shorten(cost_text(record.costing(actual_source=None)), _PROMPT),
        when=formatting.clock_time(row.created, now, tz),
        notebook=_notebook(record),
        name=shorten(escape_control(record.name or ""), _PROMPT),
        tags=tuple(shorten(escape_control(tag), 60) for tag in record.tags),
        rating="" if rating is None else f"{rating} of {_BEST}",
        stars="" if rating is None else "★" * rating + "☆" * (_BEST - rating),
        note=shorten(escape_control(record.note or ""), _PROMPT),
        clip=clip,
        absent=_absent(row, clip, base),
        revision=row.revision,
        created=row.created,
        took_s=took,
        amount=_amount(record),
        stars_given=rating,
    )


def _prompts(rows: Sequence[Row]) -> dict[str, str]:
    """Return the prompts by run id, shortened so that similar ones show where they differ."""
    texts = {
        row.run_id: " ".join(escape_control(row.record.request.prompt).split()) for row in rows
    }
    ordered = sorted(set(texts.values()))
    shared = dict.fromkeys(ordered, 0)
    # In this order, the prompts before and after one have the most in common with it.
    for pair in pairwise(ordered):
        unlike = (at for at, (one, other) in enumerate(zip(*pair, strict=False)) if one != other)
        length = next(unlike, min(map(len, pair)))
        shared |= {text: max(length, shared[text]) for text in pair}
    return {run_id: _short_prompt(text, shared[text]) for run_id, text in texts.items()}


def _short_prompt(text: str, shared: int) -> str:
    """Shorten a prompt, of which the first `shared` characters are those of another one, too."""
    if shared <= _LINE - _TAIL // 2:
        return shorten(text, _PROMPT)
    # Another prompt may go on where this one ends.
    start = shared if shared < len(text) else shared - _TAIL
    word = text.rfind(" ", 0, start + 1) + 1
    # A language without spaces is cut anywhere.
    rest = text[word if start - word < _TAIL else start :]
    return shorten(f"{shorten(text, _HEAD)} {rest}", _PROMPT)


def _amount(record: Record) -> float | None:
    """Return what a run cost, as `Sort.COST` orders it; None if nothing was bought, or it is unknown."""
    if not cost_text(record):
        return None
    cost = record.cost
    if cost.kind == "free":
        return 0.0
    return cost.estimate_high if cost.actual is None else cost.actual


def _absent(row: Row, clip: ClipView | None, base: Path | None) -> str:
    if clip is None or row.record.clip is None:
        return ""
    file = clip_file(row.folder / row.record.clip.path, row.record.clip)
    if file.condition is Condition.DAMAGED:
        return f"clip damaged: its file {file.why}"
    if not file.usable:
        if (deleted := row.record.clip.deleted) is not None:
            return f"clip deleted on {deleted[:10]}"
        return "clip no longer in its folder"
    if file.condition is Condition.CHANGED:
        return "clip's file changed since download"
    return "clip outside this folder" if base is not None and clip.href is None else ""


def _state(row: Row) -> tuple[str, Severity]:
    active = row.state not in SETTLED and row.owner is not None
    stuck = row.state is State.UNDOWNLOADED
    return state_text(row.state, active=active), severity(row.state, active=active, stuck=stuck)


def _notebook(record: Record) -> str:
    path = (record.origin.notebook_path if record.origin else None) or ""
    return shorten(escape_control(path), _PROMPT)


def requested_values(record: Record) -> dict[str, str]:
    """Return what a run requested, except its prompt: a few words by name."""
    request = record.request
    values = {"model": catalogue.model_name(record.provider, record.dialect, record.model)}
    values |= {
        name: f"{value} s" if name == "duration" else f"{name} {value}"
        for name, value in request.options.items()
    }
    values["prompt optimizer"] = f"optimizer {'on' if request.prompt_optimizer else 'off'}"
    for name, frame in (("first frame", request.first_frame), ("last frame", request.last_frame)):
        values[name] = f"{name}: {frame.words}" if frame else f"no {name}"
    values["sweep"] = record.sweep or "no sweep"
    values["parent"] = f"repeats {record.parent}" if record.parent else "no parent"
    return {name: shorten(escape_control(value), 60) for name, value in values.items()}


def _shown(values: Mapping[str, str], differing: Sequence[str]) -> list[str]:
    """Return the values in which a run differs; what it does not have is not mentioned."""
    found = [values[name] for name in differing if name in values]
    return [value for value in found if not value.startswith("no ")]


def _after_options(name: str) -> bool:
    return name in {"prompt optimizer", "first frame", "last frame", "sweep", "parent"}


def _differing(requested: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the names of the properties that differ between runs that have them."""
    names = sorted(
        dict.fromkeys(name for values in requested for name in values), key=_after_options
    )
    return [
        name for name in names if len({values[name] for values in requested if name in values}) > 1
    ]
