"""Clips side by side, played in step by the lab extension, with a table of differences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import formatting
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.formatting import print_safely
from hailuo_jupyter.kernel import comm, context
from hailuo_jupyter.kernel.context import Frontend
from hailuo_jupyter.kernel.display import poster as posters
from hailuo_jupyter.kernel.display.bundle import MIME, line, templates
from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
from hailuo_jupyter.kernel.display.live_output import DisplayHandle, LiveOutput, new_display_id
from hailuo_jupyter.kernel.display.run_view import RunView
from hailuo_jupyter.kernel.run_names import find_run
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog.row import took_s
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.runlog import Row


#: How many clips can be compared side by side.
LEAST, MOST = 2, 6

_PROMPT, _NOTE = 600, 200

#: Shown if a run does not have the property.
NOTHING = "\N{EN DASH}"

_UNITS = {"duration": " s"}


@dataclass(frozen=True)
class Line:
    """One property: its name, and what it is in each run, in their order."""

    name: str
    values: tuple[str, ...]


def lines_of(records: Sequence[Record]) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Return the differences of runs, and what they have in common; properties that no run has are left out.

    Parameters
    ----------
    records
        The runs, in order.
    """
    found = [_facts(record) for record in records]
    # A run may have an option that another run's provider lacks.
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
        "Prompt": formatting.shorten(request.prompt, _PROMPT),
        "Provider": record.provider,
        "Model": record.model,
        **{
            name.replace("_", " ").capitalize(): f"{value}{_UNITS.get(name, '')}"
            for name, value in request.options.items()
        },
        "Prompt optimizer": "on" if request.prompt_optimizer else "off",
        "First frame": request.first_frame.words if request.first_frame else "",
        "Last frame": request.last_frame.words if request.last_frame else "",
        "State": record.state.words,
        "Size": formatting.pixels(clip.width, clip.height) if clip else "",
        "Frame rate": f"{clip.fps:.2f}".rstrip("0").rstrip(".") + " fps" if clip else "",
        "Length": f"{clip.duration_s:.2f} s" if clip else "",
        "File": f"{clip.bytes / 1e6:.1f} MB {clip.codec}" if clip else "",
        "Took": formatting.duration(took)
        if took is not None and record.state is State.COMPLETED
        else "",
        "Cost": record.cost.text(),
        "Rating": "" if record.rating is None else f"{record.rating} of 5",
        "Tags": ", ".join(record.tags),
        "Note": formatting.shorten(record.note or "", _NOTE),
        "Repeats": record.parent or "",
        "Sweep": record.sweep or "",
    }
    return {
        formatting.escape_control(name): formatting.escape_control(value)
        for name, value in found.items()
    }


#: Pixels of a poster's longer side, and its maximum bytes: six of them should stay small in a notebook.
_SIDE, _PICTURE = 320, 4500


def compare(*runs: Run | str | Iterable[Run | str]) -> None:
    """Show clips side by side, and below them a table of what differs. Sends nothing.

    Parameters
    ----------
    runs
        2 to 6 runs, or their ids or parts of these; a list of them counts as its runs.

    Raises
    ------
    OptionError
        If there are too few or too many, or one is named twice.
    RunNotFound
        If a run does not exist.

    Examples
    --------
    >>> from hailuo_jupyter import compare, generate
    >>> heron = generate("A heron lifts off a lake.", "demo").wait()
    >>> swan = generate("A swan lifts off a lake.", "demo").wait()
    >>> compare(heron, swan)  # doctest: +ELLIPSIS
    Hailuo run ...
    Prompt: A heron lifts off a lake. | A swan lifts off a lake...
    """
    engine = process.get_engine()
    found = [_run(each, engine) for each in _flat(runs)]
    ids = [run.run_id for run in found]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise OptionError(f"Run {twice} was given twice.", todo="Give each run once.")
    if not LEAST <= len(ids) <= MOST:
        raise OptionError(
            f"{LEAST} to {MOST} runs can be compared (got {len(ids)}).",
            todo=f"Give {LEAST} to {MOST} runs.",
        )
    ip = context.shell()
    content = ComparisonContent(engine, ids, OutputPlace.here())
    frontend = context.frontend(ip)
    if frontend in {Frontend.SCRIPT, Frontend.TERMINAL}:
        content.update()
        print_safely(content.bundle()["text/plain"])
        return
    interactive = frontend is Frontend.INTERACTIVE
    output = LiveOutput(engine, content, DisplayHandle(frontend, new_display_id("comparison", ids)))
    output.open(keep_current=interactive)
    if not interactive:  # an executor drops what comes after the cell
        output.complete()
    comm.follow(engine)
    comm.shows(ids)


def _flat(runs: Iterable[Run | str | Iterable[Run | str]]) -> Iterable[Run | str]:
    for each in runs:
        if isinstance(each, Run | str):
            yield each
        else:
            yield from each


def _run(named: Run | str, engine: Engine) -> Run:
    # Read again: another process may have stored a new rating or note.
    return engine.run(named.run_id) if isinstance(named, Run) else find_run(named, strict=False)


class ComparisonContent:
    """A comparison as the content of an output.

    Parameters
    ----------
    engine
        Knows the runs.
    run_ids
        What is compared, in order.
    place
        Where the output is, which decides how it gets its clips.
    """

    #: All records and pictures are sent each time.
    pause_s = 0.7
    shows_progress = False
    clocks = 0

    def __init__(self, engine: Engine, run_ids: Sequence[str], place: OutputPlace) -> None:
        self._engine, self._place = engine, place
        self.run_ids = tuple(run_ids)
        self._rows: list[Row] = []

    @property
    def done(self) -> bool:
        """Whether all of its runs have ended."""
        return all(map(self._engine.settled, self.run_ids))

    def update(self) -> object:
        """Look at the runs; return what the bundle depends on."""
        self._rows = [self._engine.row(run_id) for run_id in self.run_ids]
        return tuple(
            (row.run_id, row.revision, self._place.lacks_preview(row)) for row in self._rows
        )

    def bundle(self) -> dict[str, Any]:
        """Return the comparison's bundle. Blocks while pictures of the clips are made."""
        return bundle(views(self._rows, self._engine, self._place))

    def after_put(self) -> None:
        """Do nothing: a comparison has no card."""

    def prepare(self) -> bool:
        """Make the previews that it holds."""
        return self._place.make_previews(self._rows)

    def tick_s(self) -> float | None:
        """Return None: a comparison has no clocks."""
        return None

    def tick(self) -> bool:
        """Return False: only runs change it."""
        return False


def views(rows: Sequence[Row], engine: Engine, place: OutputPlace) -> list[RunView]:
    """Return a view of runs. Blocks while posters of their clips are made.

    Parameters
    ----------
    rows, engine
        The runs, and their engine.
    place
        Where the output is, which decides how it gets its clips.
    """
    return [
        RunView.of(row, engine, place.base, poster=poster(row), inside=place.inside(row))
        for row in rows
    ]


def poster(row: Row) -> bytes | None:
    """Return a small poster of a run's clip; None if there is no clip."""
    return posters.poster(row, side=_SIDE, max_bytes=_PICTURE)


def bundle(shown: Sequence[RunView]) -> dict[str, Any]:
    """Build the bundle of a comparison; it is static.

    Parameters
    ----------
    shown
        The runs, in order.
    """
    records = [Record.from_json(each.record_json) for each in shown]
    differing, equal = lines_of(records)
    html = (
        templates()
        .get_template("compare.html.j2")
        .render(runs=shown, differing=differing, equal=equal)
    )
    text = [line(each) for each in shown]
    text += [f"{each.name}: {' | '.join(each.values)}" for each in differing]
    return {
        "text/plain": "\n".join(text),
        "text/html": html,
        MIME: {"compare": True, "runs": [json.loads(each.record_json) for each in shown]},
    }
