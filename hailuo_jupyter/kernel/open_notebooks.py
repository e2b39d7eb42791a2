"""The notebooks that front ends have open: where they are, and which records and outputs they lack."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from hailuo_jupyter import startup
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.ids import Notebook, is_file, made_of_path
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.comm_messages import REFERENCES, Hello
from hailuo_jupyter.links import shared
from hailuo_jupyter.states import BOUGHT, SETTLED

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.runlog import Row

logger = logging.getLogger(__name__)

#: Maximum runs of one notebook that are looked up in the log.
_MOST_RUNS = 1000


class Draw(Protocol):
    """Renders outputs: `render_outputs.render_outputs`, in a layer above this module."""

    def __call__(
        self, engine: Engine, runs: Sequence[Run], base: Path, *, embed: bool = False
    ) -> list[dict[str, Any]]:
        """Return the current content for outputs of these runs."""


@dataclass
class _Open:
    """One notebook: what its front ends have reported and received."""

    folder: Path
    ids: frozenset[str] = frozenset()
    known: set[str] = field(default_factory=set)
    shown: dict[tuple[str, ...], bool] = field(default_factory=dict)  # runs of an output: embedded


class OpenNotebooks:
    """The open notebooks, and what each has to receive. It sends nothing itself.

    Parameters
    ----------
    draw
        Renders the outdated outputs.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._open: dict[str, _Open] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def answer(self, notebook: Notebook, hello: Hello, engine: Engine | None) -> dict[str, Any]:
        """Register what a front end reports, and send what it is missing.

        Parameters
        ----------
        notebook, hello
            The open notebook, and the records and outputs in it.
        engine
            The engine with the logs; None if there is no log yet.

        Returns
        -------
        dict
            The content of a welcome: notebook, records, bundles.
        """
        place = self._open.setdefault(notebook.id, _Open(notebook.folder))
        place.folder, place.ids = notebook.folder, frozenset((notebook.id, *notebook.aliases))
        place.known |= set(hello.known)
        place.shown |= {shown.runs: shown.embed for shown in hello.shown}
        # The id of a notebook that is not trusted is its author's: it may be another notebook's id.
        whole = notebook.id if hello.trusted else None
        rows = [] if engine is None else _rows(engine, whole, hello.known)
        latest = {row.run_id: row.revision for row in rows}
        behind = {
            shown.runs: shown.embed
            for shown in hello.shown
            if any(
                latest.get(run, 0) > revision
                for run, revision in zip(shown.runs, shown.revisions, strict=True)
            )
        }
        return {
            "notebook": notebook.id,
            "records": [
                shared(json.loads(row.record_json))
                for row in rows
                if row.revision > hello.known.get(row.run_id, 0)
            ],
            "bundles": [
                _referring(bundle, hello)
                for bundle in self._bundles(engine, behind, notebook.folder)
            ],
        }

    def shows(self, notebook: Notebook, runs: tuple[str, ...]) -> None:
        """Register that an output shows runs, in a notebook that a front end reported."""
        if (place := self._open.get(notebook.id)) is not None:
            place.shown.setdefault(runs, False)

    def news(self, row: Row, engine: Engine | None) -> Iterator[dict[str, Any]]:
        """Yield the messages about a changed run, for each notebook with it."""
        record = shared(json.loads(row.record_json))
        others = [
            key
            for key, place in self._open.items()
            if row.run_id in place.known or row.notebook_id in place.ids
        ]
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
        """Render outputs whose runs are in the log."""
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


def _referring(bundle: dict[str, Any], hello: Hello) -> dict[str, Any]:
    """Return a bundle for a front end, which may have reported the records in its metadata."""
    # Whoever has drawn it has loaded these; the extension alone does not.
    from hailuo_jupyter.kernel.display.bundle import MIME
    from hailuo_jupyter.record.reference import with_references

    if REFERENCES not in hello.can or MIME not in bundle:
        return bundle
    return {**bundle, MIME: with_references(bundle[MIME], hello.known)}


def _rows(engine: Engine, notebook_id: str | None, run_ids: Iterable[str]) -> list[Row]:
    """Return the runs of a notebook, if it has an id, and those of others that it shows."""
    found: dict[str, Row] = {}
    for log in engine.logs():
        if notebook_id is not None:
            for row in log.recent(_MOST_RUNS, notebook_id=notebook_id, states=BOUGHT | SETTLED):
                found[row.run_id] = row
        for run_id in run_ids:
            if run_id not in found and (shown := log.find(run_id)):
                found[run_id] = shown
    return list(found.values())


def located(hello: Hello) -> Notebook:
    """Find the notebook that a front end reports on this machine.

    Its path starts at the server's root. The kernel receives its full path once, at its
    start, which is valid until the notebook is renamed. A file that is not on this machine
    still has its name.
    """
    notebook = context.notebook()
    if not hello.path.endswith(".ipynb"):
        return replace(notebook, id=hello.id or notebook.id, aliases=())
    if found := _file(hello.root, hello.path):
        return Notebook(hello.id or made_of_path(found), found, found.parent, found.name)
    name = PurePosixPath(hello.path).name
    if notebook.name == name:
        return replace(notebook, id=hello.id or notebook.id, aliases=())
    made = made_of_path(Path(hello.root or "/") / hello.path)
    return Notebook(hello.id or made, None, notebook.folder, name)


def _file(root: str, path: str) -> Path | None:
    first = startup.variable(startup.SESSION_NAME)
    for whole in (Path(first), Path(os.path.expanduser(root or "/")) / path):  # noqa: PTH111 - below
        # os.path's leaves a folder of an unknown user as it is; pathlib's raises.
        if whole.is_absolute() and whole.as_posix().endswith(f"/{path}") and is_file(whole):
            return whole
    return None
