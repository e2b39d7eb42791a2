"""Where a run was asked for: which notebook, which cell, and whether anybody looks on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from hailuo_jupyter.notebook_id import made_of_folder, made_of_path, written_in

#: `jupyter hailuo execute` tells the kernel by these whose notebook it runs.
NOTEBOOK_ID = "HAILUO_NOTEBOOK_ID"
NOTEBOOK_PATH = "HAILUO_NOTEBOOK_PATH"

#: Set by `jupyter hailuo execute`: cells return at once, and the end waits for all runs.
PARALLEL = "HAILUO_PARALLEL"

#: What front ends have said by `hailuo.sync`: the notebook of each client session.
_told: dict[str, Notebook] = {}


class Audience(Enum):
    """Who reads the outputs."""

    FRONT_END = auto()  # a person with a notebook open: outputs change while cells are done
    HEADLESS = auto()  # nbclient and its kin: what comes after a cell's end is dropped
    PARALLEL = auto()  # our own `execute`: headless, but a last cell brings every output up to date
    TERMINAL = auto()  # IPython in a terminal
    SCRIPT = auto()  # no IPython at all


@dataclass(frozen=True)
class Notebook:
    """The notebook that a kernel belongs to, as far as can be known.

    Parameters
    ----------
    id
        The scope in which runs are looked for again.
    path
        Absolute path of the file, or None.
    folder
        The folder that relative paths start from.
    """

    id: str
    path: Path | None
    folder: Path


@dataclass(frozen=True)
class Place:
    """A cell of a notebook, which a form in its output speaks for long after it was run.

    Parameters
    ----------
    notebook
        As it was when the cell ran.
    cell_id, source
        Its id, and the sha256 of its source, as far as they are known.
    """

    notebook: Notebook
    cell_id: str | None
    source: str | None


#: For whom a form's handlers and threads act; they have no running cell of their own.
_acting_for: ContextVar[Place | None] = ContextVar("hailuo_acting_for", default=None)


def here(ip: Any | None) -> Place:
    """Give the running cell."""
    return Place(notebook(), *cell(ip))


@contextmanager
def acting_for(place: Place) -> Iterator[None]:
    """Have `notebook` and `cell` answer for another cell than the running one, in this context.

    Parameters
    ----------
    place
        The cell. Its notebook may have been renamed since; then a front end has told of it.
    """
    told = (each for each in reversed(tuple(_told.values())) if each.id == place.notebook.id)
    now = Place(next(told, place.notebook), place.cell_id, place.source)
    token = _acting_for.set(now)
    try:
        yield
    finally:
        _acting_for.reset(token)


def shell() -> Any | None:
    """Give the running IPython shell, or None in a plain script."""
    import sys

    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def parent(ip: Any) -> dict[str, Any]:
    """Give the header of the request whose code runs just now; empty outside a kernel."""
    try:
        found = ip.get_parent()
    except (AttributeError, LookupError):  # LookupError: ipykernel 7.0 outside a cell
        return {}
    return found if isinstance(found, dict) else {}


def audience(ip: Any | None) -> Audience:
    """Tell who reads the outputs.

    A front end lets a cell ask for input and is started by Jupyter Server, which sets
    ``JPY_SESSION_NAME``; nbclient does neither (measured with nbclient 0.11, papermill 2.7).
    """
    if ip is None:
        return Audience.SCRIPT
    if not hasattr(ip, "kernel"):
        return Audience.TERMINAL
    if os.environ.get(PARALLEL):
        return Audience.PARALLEL
    content = parent(ip).get("content", {})
    if content.get("allow_stdin") is False and not os.environ.get("JPY_SESSION_NAME"):
        return Audience.HEADLESS
    return Audience.FRONT_END


def tell(session: str, open_notebook: Notebook) -> None:
    """Note which notebook a front end has open.

    Parameters
    ----------
    session
        By which its requests are known; each of several notebooks on one kernel has its own.
    open_notebook
        What it says.
    """
    _told[session] = open_notebook


def heard() -> bool:
    """Tell whether a front end of this kernel has said which notebook it has open."""
    return bool(_told)


def notebook() -> Notebook:
    """Find out which notebook the running cell belongs to.

    In order: what `jupyter hailuo execute` said; what the front end said (`tell`); the path in
    ``JPY_SESSION_NAME`` (Jupyter Server) with the id in the file's own metadata, or else one made of
    the path; or else one made of the working folder, which is the scope of scripts and of executors
    that tell nothing.
    """
    if (place := _acting_for.get()) is not None:
        return place.notebook
    folder = Path.cwd()
    named = os.environ.get(NOTEBOOK_PATH) or os.environ.get("JPY_SESSION_NAME", "")
    path = Path(named) if named.endswith(".ipynb") else None
    if path is not None and path.is_absolute():
        folder = path.parent if path.parent.is_dir() else folder
    else:
        path = None
    if given := os.environ.get(NOTEBOOK_ID):
        return Notebook(given, path, folder)
    if told := _told.get(parent(shell()).get("header", {}).get("session", "")):
        return told
    if path is None:
        return Notebook(made_of_folder(folder), None, folder)
    return Notebook(written_in(path) or made_of_path(path), path, folder)


def new_take(ip: Any) -> bool:
    """Tell whether the running cell was run by "New take", which stands for ``--new``."""
    return parent(ip).get("metadata", {}).get("hailuo_new") is True


def notebook_at(path: Path) -> Notebook:
    """Give the notebook that a file holds, by the id written in it or else the one it goes by."""
    return Notebook(written_in(path) or made_of_path(path), path, path.parent)


def cell(ip: Any | None) -> tuple[str | None, str | None]:
    """Give the running cell's id and the sha256 of its source, as far as the front end tells."""
    if (place := _acting_for.get()) is not None:
        return place.cell_id, place.source
    if ip is None:
        return None, None
    header = parent(ip)
    cell_id = header.get("metadata", {}).get("cellId")
    code = header.get("content", {}).get("code")
    digest = (
        hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
        if isinstance(code, str)
        else None
    )
    return (cell_id if isinstance(cell_id, str) else None), digest
