"""The notebooks that front ends have open: where they lie, and which records and outputs they lack."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.kernel.bridge_messages import Hello
from hailuo_jupyter.kernel.origin import Notebook
from hailuo_jupyter.notebook_id import made_of_path
from hailuo_jupyter.states import BOUGHT, SETTLED

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.engine.run import Run
    from hailuo_jupyter.runlog import Row

logger = logging.getLogger(__name__)

#: Runs of one notebook that are looked for in the log.
_MOST_RUNS = 1000


class Draw(Protocol):
    """Who draws outputs anew: `outputs.bundles_now`, which lies above this module."""

    def __call__(
        self, engine: Engine, runs: Sequence[Run], base: Path, *, embed: bool = False
    ) -> list[dict[str, Any]]:
        """Give what outputs of these runs may have to hold now."""


@dataclass
class _Open:
    """One notebook, as far as its front ends have told of it and have been told."""

    folder: Path
    known: set[str] = field(default_factory=set)
    shown: dict[tuple[str, ...], bool] = field(default_factory=dict)  # runs of an output: embedded


class OpenNotebooks:
    """What is open, and what each has to be told. It sends nothing itself.

    Parameters
    ----------
    draw
        Draws the outputs that are behind.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._open: dict[str, _Open] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def answer(self, notebook: Notebook, hello: Hello, engine: Engine | None) -> dict[str, Any]:
        """Take in what a front end says, and give what it lacks.

        Parameters
        ----------
        notebook, hello
            Which notebook it has open, and what that knows and shows.
        engine
            Its logs are asked; None where there is no log yet.

        Returns
        -------
        dict
            The content of a welcome: notebook, records, bundles.
        """
        place = self._open.setdefault(notebook.id, _Open(notebook.folder))
        place.folder = notebook.folder
        place.known |= set(hello.known)
        place.shown |= {shown.runs: shown.embed for shown in hello.shown}
        rows = [] if engine is None else _rows(engine, notebook.id, hello.known)
        latest = {row.run_id: row.revision for row in rows}
        behind = {
            shown.runs: shown.embed
            for shown in hello.shown
            if any(
                latest.get(run, 0) > at for run, at in zip(shown.runs, shown.revisions, strict=True)
            )
        }
        return {
            "notebook": notebook.id,
            "records": [
                json.loads(row.record_json)
                for row in rows
                if row.revision > hello.known.get(row.run_id, 0)
            ],
            "bundles": self._bundles(engine, behind, notebook.folder),
        }

    def shows(self, notebook: Notebook, runs: tuple[str, ...]) -> None:
        """Take in that an output shows runs, in a notebook that a front end has told of."""
        if (place := self._open.get(notebook.id)) is not None:
            place.shown.setdefault(runs, False)

    def news(self, row: Row, engine: Engine | None) -> Iterator[dict[str, Any]]:
        """Give what is to be said of a run that has changed, for each notebook it concerns."""
        record = json.loads(row.record_json)
        others = [key for key, place in self._open.items() if row.run_id in place.known]
        for notebook_id in dict.fromkeys((row.notebook_id, *others)):
            place = self._open.get(notebook_id or "")
            bundles: list[dict[str, Any]] = []
            if place is not None:
                place.known.add(row.run_id)
                if row.state in SETTLED:
                    behind = {key: how for key, how in place.shown.items() if row.run_id in key}
                    bundles = self._bundles(engine, behind, place.folder)
            yield {"notebook": notebook_id, "records": [record], "bundles": bundles}

    def _bundles(
        self, engine: Engine | None, shown: dict[tuple[str, ...], bool], folder: Path
    ) -> list[dict[str, Any]]:
        """Draw outputs anew, as far as the log knows their runs."""
        if engine is None or not shown:
            return []
        found: list[dict[str, Any]] = []
        for ids, embed in shown.items():
            try:
                runs = [engine.run(run_id) for run_id in ids]
                found.extend(self._draw(engine, runs, folder, embed=embed))
            except (HailuoError, ValueError):
                logger.debug("an output of runs %s was not drawn", ", ".join(ids))
        return found


def _rows(engine: Engine, notebook_id: str, known: Iterable[str]) -> list[Row]:
    """Give the runs of a notebook, and those of others that it shows."""
    found: dict[str, Row] = {}
    for log in engine.logs():
        for row in log.recent(_MOST_RUNS, notebook_id=notebook_id, states=BOUGHT | SETTLED):
            found[row.run_id] = row
        for run_id in known:
            if run_id not in found and (shown := log.find(run_id)):
                found[run_id] = shown
    return list(found.values())


def located(hello: Hello) -> Notebook:
    """Find the notebook that a front end tells of on this machine.

    Its path starts at the server's root. The kernel has been told its whole path once, at its
    start, which stays true until somebody renames the notebook.
    """
    found = _file(hello.root, hello.path) if hello.path.endswith(".ipynb") else None
    if found is None:
        known = origin.notebook()
        return Notebook(hello.id or known.id, known.path, known.folder)
    return Notebook(hello.id or made_of_path(found), found, found.parent)


def _file(root: str, path: str) -> Path | None:
    first = os.environ.get("JPY_SESSION_NAME", "")
    for whole in (Path(first), Path(os.path.expanduser(root or "/")) / path):  # noqa: PTH111 - below
        # os.path's leaves a folder of an unknown user as it is; pathlib's raises.
        if whole.is_absolute() and whole.as_posix().endswith(f"/{path}"):
            try:
                if whole.is_file():
                    return whole
            except OSError:  # a name that is too long
                continue
    return None
