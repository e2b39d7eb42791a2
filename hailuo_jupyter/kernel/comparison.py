"""Clips side by side: a static output, whose clips the lab extension plays in step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import media
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import ClipError, OptionError
from hailuo_jupyter.kernel import bridge, origin
from hailuo_jupyter.kernel.bundle import MIME, line, templates
from hailuo_jupyter.kernel.compare import LEAST, MOST, lines_of
from hailuo_jupyter.kernel.origin import Audience
from hailuo_jupyter.kernel.view import RunView, view
from hailuo_jupyter.record import Record
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.runlog import Row

#: Of a clip's picture, in bytes: six of them are to stay small in a notebook.
_PICTURE = 4500


def compare(*runs: Run | str | Iterable[Run | str]) -> None:
    """Show clips side by side, and below them a table of what differs. Sends nothing.

    Parameters
    ----------
    runs
        2 to 6 runs, or their ids or parts of these; a list of them counts as its runs.

    Raises
    ------
    OptionError
        If they are too few, too many, or one is named twice.
    RunNotFound
        If there is no such run.
    """
    engine = process.engine()
    found = [_run(each, engine) for each in _flat(runs)]
    ids = [run.run_id for run in found]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise OptionError(f"Run {twice} is named twice.", todo="Name each run once.")
    if not LEAST <= len(ids) <= MOST:
        raise OptionError(
            f"{len(ids)} run(s) are named, and {LEAST} to {MOST} can be compared.",
            todo=f"Name {LEAST} to {MOST} runs.",
        )
    ip = origin.shell()
    data = bundle(views([engine.row(run_id) for run_id in ids], engine, origin.notebook().folder))
    if origin.audience(ip) in {Audience.SCRIPT, Audience.TERMINAL}:
        print(data["text/plain"])  # noqa: T201 - a terminal's display
        return
    from IPython.display import display

    display(data, raw=True)  # type: ignore[no-untyped-call]
    bridge.follow(engine)
    bridge.shows(ids)


def _flat(runs: Iterable[Run | str | Iterable[Run | str]]) -> Iterable[Run | str]:
    for each in runs:
        if isinstance(each, Run | str):
            yield each
        else:
            yield from each


def _run(named: Run | str, engine: Engine) -> Run:
    # Asked for anew: another process may have told the log meanwhile what a person thinks of it.
    return engine.run(named.run_id if isinstance(named, Run) else named)


def views(rows: Sequence[Row], engine: Engine, base: Path) -> list[RunView]:
    """Put runs into words. Blocks while pictures of their clips are made.

    Parameters
    ----------
    rows, engine
        The runs, and who knows them.
    base
        The notebook's folder, which links are relative to.
    """
    now = engine.now()
    return [
        view(
            row,
            engine.wires.provider(row.provider, row.record.dialect),
            engine.timing(row),
            now=now,
            base=base,
            poster=poster(row),
            deadline_s=engine.deadline_s,
        )
        for row in rows
    ]


def poster(row: Row) -> bytes | None:
    """Give a small picture of a run's clip; None where there is no clip."""
    if row.state is not State.COMPLETED or row.record.clip is None:
        return None
    try:
        return media.poster(row.folder / row.record.clip.path, max_bytes=_PICTURE)
    except ClipError:
        return None


def bundle(shown: Sequence[RunView]) -> dict[str, Any]:
    """Make the bundle of a comparison; it is static.

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
