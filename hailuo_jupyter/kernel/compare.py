"""In what runs differ, and what they have in common: requests, clips, time, cost, what a person thinks.

Everything foreign has passed `words.harmless` here; escaping is the template's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hailuo_jupyter.kernel import words
from hailuo_jupyter.runlog.schema import took_s
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.record import FrameRecord, Record

#: How many clips can be looked at side by side.
LEAST, MOST = 2, 6

_PROMPT, _NOTE = 600, 200

#: Stands where a run has nothing of the kind.
NOTHING = "\N{EN DASH}"

_UNITS = {"duration": " s"}


@dataclass(frozen=True)
class Line:
    """One property: its name, and what it is in each run, in their order."""

    name: str
    values: tuple[str, ...]


def lines_of(records: Sequence[Record]) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Give in what runs differ, and what is equal in all; what none of them has is left out.

    Parameters
    ----------
    records
        The runs, in order.
    """
    found = [_facts(record) for record in records]
    # A run may have an option that another one's provider does not know.
    names = dict.fromkeys(name for facts in found for name in facts)
    lines = [Line(name, tuple(facts.get(name) or NOTHING for facts in found)) for name in names]
    lines = [line for line in lines if set(line.values) != {NOTHING}]
    equal = {line.name for line in lines if len(set(line.values)) == 1}
    return (
        tuple(line for line in lines if line.name not in equal),
        tuple(line for line in lines if line.name in equal),
    )


def _facts(record: Record) -> dict[str, str]:
    request, clip, took = record.request, record.clip, took_s(record)
    found = {
        "Prompt": words.shortened(request.prompt, _PROMPT),
        "Provider": record.provider,
        "Model": record.model,
        **{
            name.replace("_", " ").capitalize(): f"{value}{_UNITS.get(name, '')}"
            for name, value in request.options.items()
        },
        "Prompt optimizer": "on" if request.prompt_optimizer else "off",
        "First frame": _frame(request.first_frame),
        "Last frame": _frame(request.last_frame),
        "State": record.state.words,
        "Size": words.pixels(clip.width, clip.height) if clip else "",
        "Frame rate": f"{clip.fps:.2f}".rstrip("0").rstrip(".") + " fps" if clip else "",
        "Length": f"{clip.duration_s:.2f} s" if clip else "",
        "File": f"{clip.bytes / 1e6:.1f} MB {clip.codec}" if clip else "",
        "Took": words.span(took) if took is not None and record.state is State.COMPLETED else "",
        "Cost": words.cost(record.cost),
        "Rating": "" if record.rating is None else f"{record.rating} of 5",
        "Tags": ", ".join(record.tags),
        "Note": words.shortened(record.note or "", _NOTE),
        "Repeats": record.parent or "",
        "Sweep": record.sweep or "",
    }
    return {words.harmless(name): words.harmless(value) for name, value in found.items()}


def _frame(frame: FrameRecord | None) -> str:
    if frame is None:
        return ""
    if frame.from_run and frame.at_s is not None:
        return f"run {frame.from_run} at {frame.at_s:.2f} s"
    # Two files of one name are not one picture.
    mark = f" ({frame.sha256[:8]})" if frame.sha256 else ""
    return f"{frame.url or frame.source}{mark}"
