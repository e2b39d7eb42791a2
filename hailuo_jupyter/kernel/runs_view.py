"""A page of runs in words: plain data for the table's template, and the same as lines of text.

Everything foreign has passed `words.harmless` here; escaping is the template's part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.clip_view import ClipView, clip_view
from hailuo_jupyter.kernel.standing import Tone, cost_of
from hailuo_jupyter.kernel.words import harmless, shortened
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.runlog.schema import took_s
from hailuo_jupyter.states import FINAL, IN_FLIGHT, State

if TYPE_CHECKING:
    from hailuo_jupyter.record import FrameRecord, Record

_PROMPT, _LINE = 160, 48
_BEST = 5

#: A mark for each tone beside its colour; the words beside them say all.
MARKS = {Tone.DONE: "✓", Tone.WORKING: "…", Tone.WAITING: "!", Tone.BROKEN: "✗"}


@dataclass(frozen=True)
class RunLine:
    """One run of a table, in words.

    Parameters
    ----------
    run_id, tone, state
        Which run, and how it stands.
    prompt
        Shortened.
    differs
        What it was asked for otherwise than the others that are shown.
    provider, demo
        Whom it asked, and whether that is the simulator.
    took, cost
        How long the clip took, and what it costs; empty where that is not known.
    when, notebook
        When and where it was asked for.
    name, tags, rating, note
        The person's own; the rating in words.
    clip
        Where the clip lies; None where there is none.
    absent
        Why the clip cannot be opened from here; empty if it can.
    """

    run_id: str
    tone: Tone
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


@dataclass(frozen=True)
class RunsView:
    """A table.

    Parameters
    ----------
    caption
        What is shown of how much, and in which order.
    lines
        The runs, in order.
    common
        What all of them have in common.
    next_page
        How to see the next page; empty where there is none.
    pictures
        What has to be known of pictures that are not there yet; else empty.
    """

    caption: str
    lines: tuple[RunLine, ...]
    common: tuple[str, ...]
    next_page: str
    pictures: str = ""


def lines_of(
    rows: Sequence[Row],
    *,
    base: Path | None,
    now: float,
    posters: Mapping[str, bytes] | None = None,
    tz: tzinfo | None = None,
) -> tuple[tuple[RunLine, ...], tuple[str, ...]]:
    """Put runs into words; gives them and what all of them have in common.

    Parameters
    ----------
    rows
        The runs, in order.
    base
        The notebook's folder, which links are relative to; None if there is no notebook.
    now
        Seconds since 1970.
    posters
        Small JPEGs by run id.
    tz
        The reader's time zone; the machine's if None.
    """
    said = [asked(row.record) for row in rows]
    differing = _differing(said)
    notebooks = {_notebook(row.record) for row in rows}
    lines = tuple(
        _line(row, [each[name] for name in differing if name in each],
              base=base, now=now, poster=(posters or {}).get(row.run_id), tz=tz)
        for row, each in zip(rows, said, strict=True)
    )  # fmt: skip
    common: list[str] = []
    if len(rows) > 1:
        # What none of them has goes without saying.
        common = [
            value
            for name, value in said[0].items()
            if name not in differing
            and not value.startswith("no ")
            and all(name in each for each in said)
        ]
        if len(notebooks) == 1 and (only := notebooks.pop()):
            common.append(f"notebook {only}")
    return lines, tuple(common)


def text(view: RunsView) -> str:
    """Give a table as text, a line for each run, for a terminal or a file."""
    cells = [(each.run_id, f"{MARKS[each.tone]} {each.state}", provider(each), each.took, each.cost,
              each.when) for each in view.lines]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    said = [view.caption]
    for each, row in zip(view.lines, cells, strict=True):
        head = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        more = " · ".join(remarks(each))
        said.append("  ".join(filter(None, (head, shortened(each.prompt, _LINE), more))))
    return "\n".join([*said, *closing(view)])


def remarks(line: RunLine) -> list[str]:
    """Give what stands behind a run's prompt, where there is no room for columns."""
    tags = [f"#{tag}" for tag in line.tags]
    rated = [f"rated {line.rating}"] if line.rating else []
    return [*line.differs, *tags, *rated, *([line.absent] if line.absent else [])]


def closing(view: RunsView) -> list[str]:
    """Give what stands below the runs."""
    common = [f"All of these: {' · '.join(view.common)}."] if view.common else []
    return [*common, *([view.next_page] if view.next_page else [])]


def provider(line: RunLine) -> str:
    """Say whom a run asked."""
    return f"{line.provider} (simulated)" if line.demo else line.provider


def _line(
    row: Row,
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
    return RunLine(
        run_id=row.run_id,
        tone=_tone(row),
        state=_state(row),
        prompt=shortened(harmless(record.request.prompt), _PROMPT),
        differs=tuple(differs),
        provider=shortened(harmless(row.provider), _LINE),
        demo=row.provider == "demo",
        took="" if took is None else words.span(took),
        cost=shortened(cost_of(record), _PROMPT),
        when=words.clock(row.created, now, tz),
        notebook=_notebook(record),
        name=shortened(harmless(record.name or ""), _PROMPT),
        tags=tuple(shortened(harmless(tag), 60) for tag in record.tags),
        rating="" if rating is None else f"{rating} of {_BEST}",
        stars="" if rating is None else "★" * rating + "☆" * (_BEST - rating),
        note=shortened(harmless(record.note or ""), _PROMPT),
        clip=clip,
        absent=_absent(row, clip, base),
    )


def _absent(row: Row, clip: ClipView | None, base: Path | None) -> str:
    if clip is None or row.record.clip is None:
        return ""
    if not (row.folder / row.record.clip.path).is_file():
        if (deleted := row.record.clip.deleted) is not None:
            return f"clip deleted on {deleted[:10]}"
        return "clip no longer in its folder"
    return "clip outside this folder" if base is not None and clip.href is None else ""


def _state(row: Row) -> str:
    if row.state is State.UNCONFIRMED:
        return "Unconfirmed, maybe bought"
    if row.owner is None and row.state in IN_FLIGHT - {State.UNDOWNLOADED}:
        return f"{row.state.words}, not watched"
    return row.state.words


def _tone(row: Row) -> Tone:
    if row.state is State.COMPLETED:
        return Tone.DONE
    if row.state in FINAL:
        return Tone.BROKEN
    waits = row.owner is None or row.state in {State.UNCONFIRMED, State.UNDOWNLOADED}
    return Tone.WAITING if waits else Tone.WORKING


def _notebook(record: Record) -> str:
    path = (record.origin.notebook_path if record.origin else None) or ""
    return shortened(harmless(path), _PROMPT)


def asked(record: Record) -> dict[str, str]:
    """Say what a run was asked for, but for its prompt: by name, a few words each."""
    request = record.request
    said = {
        name: f"{value} s" if name == "duration" else f"{name} {value}"
        for name, value in request.options.items()
    }
    said["prompt optimizer"] = f"optimizer {'on' if request.prompt_optimizer else 'off'}"
    for name, frame in (("first frame", request.first_frame), ("last frame", request.last_frame)):
        said[name] = f"{name} {_frame(frame)}" if frame else f"no {name}"
    said["sweep"] = record.sweep or "no sweep"
    said["parent"] = f"repeats {record.parent}" if record.parent else "no parent"
    return {name: shortened(harmless(value), 60) for name, value in said.items()}


def _frame(frame: FrameRecord) -> str:
    # Two frames of one name are told apart by their bytes.
    return f"{frame.source} ({frame.sha256[:6]})" if frame.sha256 else frame.url or frame.source


def _after_options(name: str) -> bool:
    return name in {"prompt optimizer", "first frame", "last frame", "sweep", "parent"}


def _differing(asked: Sequence[Mapping[str, str]]) -> list[str]:
    """Give the names of what is not the same for all that have it."""
    names = sorted(dict.fromkeys(name for said in asked for name in said), key=_after_options)
    return [name for name in names if len({said[name] for said in asked if name in said}) > 1]
