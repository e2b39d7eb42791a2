"""The context of a cell: its notebook, its id, and the reader of its output.

A kernel may serve several notebooks, and identifies them at different times: a request names one, a front end
says hello or reports a rename. So a session's identity stays until a source of the same or higher rank
reports another one, and the new identity includes the earlier one.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import Enum, IntEnum, auto
from pathlib import Path
from typing import Any

from hailuo_jupyter import startup
from hailuo_jupyter.ids import (
    Notebook,
    is_cell_id,
    is_file,
    made_of_colab,
    made_of_folder,
    notebook_at,
    notebook_path,
)
from hailuo_jupyter.kernel import frontends
from hailuo_jupyter.kernel.session import SessionState, session


class IdentitySource(IntEnum):
    """Sources of a notebook's identity, the best first."""

    EXECUTOR = 0  # `jupyter hailuo execute`, our papermill engine
    FRONT_END = 1  # our lab extension, over `hailuo.sync`
    VSCODE = 2
    SERVER = 3  # Jupyter Server, when it started the kernel
    COLAB = 4
    FOLDER = 5  # no source: the folder that the process was started in


@dataclass(frozen=True)
class _Identity:
    source: IdentitySource
    notebook: Notebook

    def then(self, new: _Identity) -> _Identity:
        """Return the identity of a session after a report of a source."""
        if new.source > self.source:
            return self
        return replace(new, notebook=new.notebook.after(self.notebook))


class Sessions(SessionState):
    """The notebook of each client session of this process. Thread-safe."""

    keep = True

    def __init__(self) -> None:
        self._known: dict[str, _Identity] = {}
        self._process: _Identity | None = None
        self._lock = threading.Lock()

    def notebook(self, request: Mapping[str, Any], namespace: Mapping[str, Any]) -> Notebook:
        """Return the notebook that a request belongs to.

        Parameters
        ----------
        request
            The message whose code is running; empty outside a kernel.
        namespace
            The user's variables.
        """
        session = str(request.get("header", {}).get("session", ""))
        with self._lock:
            current = self._known.get(session)
            found = self._of_process()
            if path := _vscode_path(request, namespace, current):
                found = min(found, _Identity(IdentitySource.VSCODE, notebook_at(path)), key=_rank)
            self._known[session] = found if current is None else current.then(found)
            return self._known[session].notebook

    def report(self, session: str, notebook: Notebook) -> Notebook:
        """Register which notebook a front end has open; return it with its earlier ids."""
        reported = _Identity(IdentitySource.FRONT_END, notebook)
        with self._lock:
            current = self._known.pop(session, None)
            # The latest is last.
            self._known[session] = reported if current is None else current.then(reported)
            return self._known[session].notebook

    def has_reported(self) -> bool:
        """Return whether a front end has reported which notebook it has open."""
        with self._lock:
            return any(each.source is IdentitySource.FRONT_END for each in self._known.values())

    def session_of(self, notebook_id: str) -> str | None:
        """Return the only session whose notebook has this id, and a file; else None."""
        with self._lock:
            found = [
                session
                for session, each in self._known.items()
                if each.notebook.id == notebook_id and each.notebook.path is not None
            ]
        return found[0] if len(found) == 1 else None

    def latest(self, notebook: Notebook) -> Notebook:
        """Return a notebook's current identity: it may have been renamed since."""
        with self._lock:
            for each in reversed(tuple(self._known.values())):
                if notebook.id in {each.notebook.id, *each.notebook.aliases}:
                    return each.notebook
        return notebook

    def after_fork(self) -> None:
        """Create a new lock: a thread of the parent process may hold the old one."""
        self._lock = threading.Lock()

    def _of_process(self) -> _Identity:
        """Return the identity that this process was started with; a path once found is kept."""
        found = _from_startup()
        self._process = found if self._process is None else self._process.then(found)
        return self._process


def _rank(identity: _Identity) -> IdentitySource:
    return identity.source


def _from_startup() -> _Identity:
    folder = startup.folder()
    if notebook_id := startup.variable(startup.NOTEBOOK_ID):
        path = notebook_path(startup.variable(startup.NOTEBOOK_PATH))
        name = path.name if path else None
        return _Identity(IdentitySource.EXECUTOR, Notebook(notebook_id, path, folder, name))
    path = notebook_path(startup.variable(startup.SESSION_NAME))
    # On a remote server VS Code makes up a name, for which there is no file.
    if path is not None and is_file(path):
        return _Identity(IdentitySource.SERVER, notebook_at(path))
    if colab := startup.variable(startup.COLAB_ID):
        return _Identity(IdentitySource.COLAB, Notebook(made_of_colab(colab), None, folder))
    return _Identity(IdentitySource.FOLDER, Notebook(made_of_folder(folder), None, folder))


def _vscode_path(
    request: Mapping[str, Any], namespace: Mapping[str, Any], current: _Identity | None
) -> Path | None:
    """Return the notebook's path set by VS Code, if that file exists here."""
    path = frontends.path_in_cell_id(request.get("metadata", {}).get("cellId"))
    if is_file(path):
        return path
    if current is not None and current.source is IdentitySource.VSCODE:
        return None  # the variable is set once and does not follow a rename
    value = namespace.get(frontends.VSCODE_VARIABLE)
    path = notebook_path(value) if isinstance(value, str) else None
    return path if is_file(path) else None


class Frontend(Enum):
    """The reader of the outputs."""

    INTERACTIVE = auto()  # a person with a notebook open: outputs can change after a cell is done
    HEADLESS = auto()  # nbclient and similar: messages after a cell's end are dropped
    PARALLEL = auto()  # our own `execute`: headless, but a last cell updates every output
    TERMINAL = auto()  # IPython in a terminal
    SCRIPT = auto()  # no IPython at all


@dataclass(frozen=True)
class CellContext:
    """A cell of a notebook, for which a form in its output acts long after it was run.

    Parameters
    ----------
    notebook
        Its notebook when the cell ran.
    cell_id, source
        Its id, and the sha256 of its source, if known.
    """

    notebook: Notebook
    cell_id: str | None
    source: str | None


#: The cell of a form's handlers and threads, which have no running cell.
_acting_for: ContextVar[CellContext | None] = ContextVar("hailuo_acting_for", default=None)


def _sessions() -> Sessions:
    return session.state(Sessions)


def current_cell(ip: Any | None) -> CellContext:
    """Return the running cell."""
    return CellContext(notebook(), *cell(ip))


@contextmanager
def override_cell(place: CellContext) -> Iterator[None]:
    """Make `notebook` and `cell` return another cell than the running one, in this context.

    Parameters
    ----------
    place
        The cell. Its notebook may have been renamed since.
    """
    now = CellContext(_sessions().latest(place.notebook), place.cell_id, place.source)
    token = _acting_for.set(now)
    try:
        yield
    finally:
        _acting_for.reset(token)


def shell() -> Any | None:
    """Return the running IPython shell, or None in a plain script."""
    import sys

    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def parent(ip: Any) -> dict[str, Any]:
    """Return the header of the request whose code is running; empty outside a kernel."""
    try:
        found = ip.get_parent()
    except (AttributeError, LookupError):  # LookupError: ipykernel 7.0 outside a cell
        return {}
    return found if isinstance(found, dict) else {}


def frontend(ip: Any | None) -> Frontend:
    """Return the reader of the outputs.

    A front end allows input requests, and its kernel is started by Jupyter Server, which sets
    ``JPY_SESSION_NAME``; nbclient does neither (measured with nbclient 0.11, papermill 2.7).
    """
    if ip is None:
        return Frontend.SCRIPT
    if not hasattr(ip, "kernel"):
        return Frontend.TERMINAL
    if startup.variable(startup.PARALLEL):
        return Frontend.PARALLEL
    content = parent(ip).get("content", {})
    if content.get("allow_stdin") is False and not startup.variable(startup.SESSION_NAME):
        # Voila runs the cells by nbclient before it shows the page, whose widgets stay active.
        return Frontend.INTERACTIVE if host(ip) is frontends.VOILA else Frontend.HEADLESS
    return Frontend.INTERACTIVE


def host(ip: Any | None) -> frontends.Host:
    """Return the front end of the running cell's request."""
    return frontends.detect(parent(ip), getattr(ip, "user_ns", {}), os.environ)


def set_notebook(session: str, open_notebook: Notebook) -> Notebook:
    """Register which notebook a front end has open.

    Parameters
    ----------
    session
        Session of its requests; each of several notebooks on one kernel has its own.
    open_notebook
        The notebook that it reports.

    Returns
    -------
    Notebook
        The same notebook, with its earlier ids in this session.
    """
    return _sessions().report(session, open_notebook)


def session_of(notebook_id: str) -> str | None:
    """Return the session of the only front end that runs cells of a notebook.

    Parameters
    ----------
    notebook_id
        The notebook, which has a file.

    Returns
    -------
    str or None
        None if there is none, or several: before its hello, every page of this kernel counts as one
        of the notebook that the kernel was started for.
    """
    return _sessions().session_of(notebook_id)


def has_frontend() -> bool:
    """Return whether a front end of this kernel has reported which notebook it has open."""
    return _sessions().has_reported()


def notebook() -> Notebook:
    """Return the notebook that the running cell belongs to, by its client session.

    It does not depend on the working directory.
    """
    if (place := _acting_for.get()) is not None:
        return place.notebook
    ip = shell()
    return _sessions().notebook(parent(ip), getattr(ip, "user_ns", {}))


def working_folder() -> Path:
    """Return the folder to which a person's relative paths refer: the one set by ``%cd``."""
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return notebook().folder


def written_path(value: Any) -> Any:
    """Return a path written by a person, resolved against the folder that has the file.

    Parameters
    ----------
    value
        A relative path refers to the working directory, or to the notebook's folder if there is
        no such file. Anything else is returned as it is.
    """
    if not isinstance(value, str | os.PathLike) or isinstance(fspath := os.fspath(value), bytes):
        return value
    try:
        path = Path(fspath).expanduser()
        candidate = notebook().folder / path
        if not (working_folder() / path).exists() and candidate.is_file():
            return candidate
    except (OSError, ValueError, RuntimeError):  # not a valid path: reported when it is opened
        pass
    return value


def cell(ip: Any | None) -> tuple[str | None, str | None]:
    """Return the running cell's id and the sha256 of its source, if the front end sends them."""
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
    return (cell_id if is_cell_id(cell_id) else None), digest
