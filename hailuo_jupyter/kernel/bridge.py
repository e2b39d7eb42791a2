"""The kernel's end of the comm ``hailuo.sync``: how records get into a notebook's metadata.

Only a front end can change an open notebook. Ours attaches to this comm whenever it connects, says
which notebook it has open and what that knows already, and is answered with what is newer; later it
is told of each run that is submitted or ends. Nothing of it is needed for a run to go on.

Messages, all with ``{"hailuo.sync": PROTOCOL, "version": …}``:

- ``hello`` from a front end, on every connect and rename: ``id`` (the notebook's, or null), ``root``
  and ``path``, ``known`` (revision by run id), ``shown`` (the runs of each output).
- ``welcome`` to the front end whose session is ``client``, ``news`` to all that have ``notebook``
  open: ``records``, and ``bundles`` for outputs that are behind.
"""

from __future__ import annotations

import contextvars
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import __version__
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.kernel.origin import Audience, Notebook
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import BOUGHT, SETTLED

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.runlog import Row

logger = logging.getLogger(__name__)

TARGET = "hailuo.sync"
PROTOCOL = 1

#: Seconds of an idle kernel after which a front end's extension would have said hello.
_SILENCE_S = 4.0

#: Runs of one notebook that are looked for in the log.
_MOST_RUNS = 1000

_UNSEEN = (
    "Record not in the notebook's metadata: JupyterLab extension not seen. "
    "'jupyter hailuo sync NOTEBOOK' puts it there later."
)


@dataclass
class _Open:
    """A notebook that some front end has open."""

    folder: Path
    known: set[str] = field(default_factory=set)
    shown: dict[tuple[str, ...], bool] = field(default_factory=dict)  # runs of an output: embedded


class Bridge:
    """One kernel's comm, and the front ends that have attached to it.

    Parameters
    ----------
    ip
        The shell.
    """

    def __init__(self, ip: Any) -> None:
        self._ip = ip
        self._comm: Any = None
        self._context = contextvars.copy_context()
        self._open: dict[str, _Open] = {}
        self._sent: dict[str, int] = {}
        self._engine: Engine | None = None
        self._leave: Callable[[], None] = lambda: None
        self._mismatch = ""
        self._speaker: object = None
        self._executing = True
        self._since = time.monotonic()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="hailuo-bridge")
        ip.events.register("pre_execute", self._begins)
        ip.events.register("post_execute", self._ends)
        self._connect()

    def close(self) -> None:
        """Close the comm, and hear of nothing any more."""
        self._ip.events.unregister("pre_execute", self._begins)
        self._ip.events.unregister("post_execute", self._ends)
        self._leave()
        self._worker.shutdown(wait=False, cancel_futures=True)
        if self._comm is not None:
            self._comm.close()

    # ── what the rest of the kernel tells and asks ─────────────────────────────────────────────

    def follow(self, engine: Engine) -> None:
        """Hear of every change of a run from now on, and of what has happened so far."""
        if self._comm is None or engine is self._engine:
            return
        self._leave()
        self._engine = engine
        self._leave = engine.board.listen(None, self._changed)
        for row in engine.board.rows():
            self._changed(row)

    def remark(self, speaker: object) -> str:
        """Say once what keeps records out of the notebook's metadata; empty where nothing does.

        Parameters
        ----------
        speaker
            Who shows it. The first one that is told is the only one that is.
        """
        if self._speaker not in {None, speaker} or self._comm is None:
            return ""
        # A busy kernel has not read the front end's hello yet.
        idle = not self._executing and time.monotonic() - self._since > _SILENCE_S
        said = self._mismatch or (_UNSEEN if idle and not self._open else "")
        self._speaker = speaker if said else None
        return said

    # ── the comm ───────────────────────────────────────────────────────────────────────────────

    def _connect(self) -> None:
        """Open the comm where there is a front end; an executor would complain about it."""
        if self._comm is not None or not origin.parent(self._ip):
            return
        if origin.audience(self._ip) is not Audience.FRONT_END:
            return
        import comm

        # Messages sent later, from other threads, carry the parent header of this cell.
        self._context = contextvars.copy_context()
        self._comm = comm.create_comm(target_name=TARGET, data=self._message("open"))
        self._comm.on_msg(self._received)

    def _begins(self) -> None:
        self._executing = True
        self._connect()

    def _ends(self) -> None:
        self._executing, self._since = False, time.monotonic()
        if self._engine is None and "hailuo_jupyter.engine.process" in sys.modules:
            from hailuo_jupyter.engine import process

            if (running := process.started()) is not None:
                self.follow(running)  # runs that `generate` began, and nobody has shown

    def _message(self, op: str, **content: Any) -> dict[str, Any]:
        return {TARGET: PROTOCOL, "version": __version__, "op": op, **content}

    def _send(self, op: str, **content: Any) -> None:
        message = self._message(op, **content)
        self._context.copy().run(self._comm.send, data=message)

    def _received(self, message: dict[str, Any]) -> None:
        """Take a front end's message; may be called on a thread of the kernel's own."""
        data = message.get("content", {}).get("data", {})
        client = message.get("header", {}).get("session")
        if TARGET not in data or not isinstance(client, str):
            return
        if data[TARGET] != PROTOCOL:
            self._mismatch = (
                f"Record not in the notebook's metadata: JupyterLab has hailuo-jupyter "
                f"{data.get('version')}, the kernel has {__version__}. Install the same in both."
            )
            self._send("other")  # by its version the front end knows, too
        elif data.get("op") == "hello":
            notebook = _notebook(data)
            _heard[client] = str(data.get("version") or "")
            origin.tell(client, notebook)
            self._in_turn(lambda: self._answer(client, notebook, data))

    def _in_turn(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception:
                logger.exception("records could not be sent to the front end")

        try:
            self._worker.submit(guarded)
        except RuntimeError:  # closed meanwhile
            logger.debug("a change came after the bridge was closed")

    # ── answers and news ───────────────────────────────────────────────────────────────────────

    def _answer(self, client: str, notebook: Notebook, data: dict[str, Any]) -> None:
        known, shown = _known(data.get("known")), list(_shown(data.get("shown")))
        place = self._open.setdefault(notebook.id, _Open(notebook.folder))
        place.folder = notebook.folder
        place.known |= set(known)
        place.shown |= {runs: embed for runs, _, embed in shown}
        rows = self._rows(notebook.id, known)
        newer = {row.run_id: row for row in rows if row.revision > known.get(row.run_id, 0)}
        latest = {row.run_id: row.revision for row in rows}
        behind = {
            runs: embed
            for runs, revisions, embed in shown
            if any(latest.get(run, 0) > at for run, at in zip(runs, revisions, strict=True))
        }
        self._send(
            "welcome",
            client=client,
            notebook=notebook.id,
            records=[json.loads(row.record_json) for row in newer.values()],
            bundles=self._bundles(behind, notebook.folder),
        )

    def _rows(self, notebook_id: str, known: Iterable[str]) -> list[Row]:
        """Give the runs of a notebook, and those of others that it shows."""
        settings = Hailuo.instance()
        if not any(settings.run_log_path(demo=demo).is_file() for demo in (False, True)):
            return []
        from hailuo_jupyter.engine import process

        engine = process.engine()
        self.follow(engine)
        found: dict[str, Row] = {}
        for log in engine.logs():
            for row in log.recent(_MOST_RUNS, notebook_id=notebook_id, states=BOUGHT | SETTLED):
                found[row.run_id] = row
            for run_id in known:
                if run_id not in found and (shown := log.find(run_id)):
                    found[run_id] = shown
        return list(found.values())

    def _changed(self, row: Row) -> None:
        """Tell of a run that was bought or has ended; not of each step in between.

        Two windows on a notebook would otherwise save it by turns.
        """
        before = self._sent.get(row.run_id)
        ended = row.state in SETTLED and row.revision != before
        if ended or (row.state in BOUGHT and before is None):
            self._sent[row.run_id] = row.revision
            self._in_turn(lambda: self._tell(row))

    def _tell(self, row: Row) -> None:
        record = json.loads(row.record_json)
        others = [key for key, place in self._open.items() if row.run_id in place.known]
        for notebook_id in dict.fromkeys((row.notebook_id, *others)):
            place = self._open.get(notebook_id or "")
            behind = {}
            if place is not None:
                place.known.add(row.run_id)
                if row.state in SETTLED:
                    behind = {key: how for key, how in place.shown.items() if row.run_id in key}
            bundles = self._bundles(behind, place.folder) if place else []
            self._send("news", client=None, notebook=notebook_id, records=[record], bundles=bundles)

    def _bundles(self, shown: dict[tuple[str, ...], bool], folder: Path) -> list[dict[str, Any]]:
        """Draw outputs anew, as far as the log knows their runs."""
        if self._engine is None or not shown:
            return []
        from hailuo_jupyter.kernel.display import bundle_now

        found = []
        for ids, embed in shown.items():
            try:
                runs = [self._engine.run(run_id) for run_id in ids]
                found.append(bundle_now(self._engine, runs, folder, embed=embed))
            except (HailuoError, ValueError):
                logger.debug("an output of runs %s was not drawn", ", ".join(ids))
        return found


_bridge: Bridge | None = None

#: Version of the lab extension in each front end that has said hello, by client session.
_heard: dict[str, str] = {}


def heard_version() -> str:
    """Give the version of the front end that was heard last; empty where none was."""
    return next(reversed(_heard.values()), "")


def open_bridge(ip: Any) -> None:
    """Open this kernel's bridge, where the shell belongs to a kernel; may be repeated."""
    global _bridge  # noqa: PLW0603 - there is one a kernel
    if _bridge is None and hasattr(ip, "kernel"):
        _bridge = Bridge(ip)


def close_bridge() -> None:
    """Close this kernel's bridge, if there is one."""
    global _bridge
    closing, _bridge = _bridge, None
    if closing is not None:
        closing.close()


def follow(engine: Engine) -> None:
    """Have the bridge, if there is one, hear of an engine's runs."""
    if _bridge is not None:
        _bridge.follow(engine)


def remark(speaker: object) -> str:
    """Say once what keeps records out of the notebook's metadata (see `Bridge.remark`)."""
    return "" if _bridge is None else _bridge.remark(speaker)


def _notebook(data: dict[str, Any]) -> Notebook:
    """Find the notebook that a front end tells of on this machine.

    Its path starts at the server's root. The kernel has been told its whole path once, at its
    start, which stays true until somebody renames the notebook.
    """
    root, path, given = data.get("root"), data.get("path"), data.get("id")
    first = os.environ.get("JPY_SESSION_NAME", "")
    found: Path | None = None
    if isinstance(path, str) and path.endswith(".ipynb") and isinstance(root, str):
        for whole in (Path(first), Path(root or "/").expanduser() / path):
            if whole.is_absolute() and whole.as_posix().endswith(f"/{path}") and whole.is_file():
                found = whole
                break
    notebook_id = given if isinstance(given, str) and 0 < len(given) <= 64 else None
    if found is None:
        known = origin.notebook()
        return Notebook(notebook_id or known.id, known.path, known.folder)
    return Notebook(notebook_id or origin.made_of_path(found), found, found.parent)


def _known(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    return {run_id: at for run_id, at in value.items() if isinstance(at, int)}


def _shown(value: Any) -> Iterator[tuple[tuple[str, ...], list[int], bool]]:
    """Give the runs of each output, their revisions, and whether the clips are embedded."""
    for each in value if isinstance(value, list) else ():
        try:
            runs = tuple(str(run_id) for run_id, _ in each["runs"])
            yield runs, [int(at) for _, at in each["runs"]], each.get("embed") is True
        except (TypeError, ValueError, KeyError, AttributeError):
            logger.debug("an output was told of in an unknown way")
