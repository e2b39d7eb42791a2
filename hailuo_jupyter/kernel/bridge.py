"""The kernel's end of the comm ``hailuo.sync``: how records get into a notebook's metadata.

Only a front end can change an open notebook. Ours attaches to this comm whenever it connects, says
which notebook it has open and what that knows already, and is answered with what is newer; later it
is told of each run that is submitted or ends. A person's rating comes the same way, and a cell that
is to be inserted goes it. Nothing of it is needed for a run to go on.

The messages, and how they may change without a new version of the protocol: `bridge_messages`. What
each notebook lacks: `open_notebooks`.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import __version__
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.kernel.bridge_messages import CAN, TARGET, Hello, Other, Rate, message, read
from hailuo_jupyter.kernel.open_notebooks import Draw, OpenNotebooks, located
from hailuo_jupyter.kernel.origin import Audience
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import BOUGHT, SETTLED

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.runlog import Row

logger = logging.getLogger(__name__)

#: Seconds of an idle kernel after which a front end's extension would have said hello.
_SILENCE_S = 4.0

_UNSEEN = (
    "Record not in the notebook's metadata: JupyterLab extension not seen. "
    "'jupyter hailuo sync NOTEBOOK' puts it there later."
)


class Bridge:
    """One kernel's comm, and the front ends that have attached to it.

    Parameters
    ----------
    ip
        The shell.
    draw
        Draws anew the outputs that a front end shows.
    """

    def __init__(self, ip: Any, draw: Draw) -> None:
        self._ip = ip
        self._comm: Any = None
        self._context = contextvars.copy_context()
        self._open = OpenNotebooks(draw)
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

    def insert_below(self, text: str, cell_id: str | None) -> bool:
        """Ask the front end whose request runs just now for a cell (see the module's function)."""
        client = origin.parent(self._ip).get("header", {}).get("session", "")
        heard = _heard.get(client)
        if self._comm is None or heard is None or "insert" not in heard.can:
            return False
        self._send("insert", client=client, text=text, cell=cell_id)
        return True

    def shows(self, runs: tuple[str, ...]) -> None:
        """Take in an output of the running cell's (see the module's function)."""
        notebook = origin.notebook()
        self._in_turn(lambda: self._open.shows(notebook, runs))

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
        self._comm = comm.create_comm(target_name=TARGET, data=message("open"))
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

    def _send(self, op: str, **content: Any) -> None:
        self._context.copy().run(self._comm.send, data=message(op, **content))

    def _received(self, received: dict[str, Any]) -> None:
        """Take a front end's message; may be called on a thread of the kernel's own."""
        said = read(received.get("content", {}).get("data"))
        client = received.get("header", {}).get("session")
        if said is None or not isinstance(client, str):
            return
        if isinstance(said, Other):
            self._mismatch = (
                f"Record not in the notebook's metadata: JupyterLab has hailuo-jupyter "
                f"{said.version}, the kernel has {__version__}. Install the same in both."
            )
            self._send("other")  # by its version the front end knows, too
        elif isinstance(said, Hello):
            notebook = located(said)
            _heard.pop(client, None)  # the last one heard stands last
            _heard[client] = said
            origin.tell(client, notebook)
            self._in_turn(
                lambda: self._send(
                    "welcome",
                    client=client,
                    can=CAN,
                    **self._open.answer(notebook, said, self._with_log()),
                )
            )
        else:
            self._in_turn(lambda: self._rate(client, said))

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

    # ── on the worker's thread ─────────────────────────────────────────────────────────────────

    def _with_log(self) -> Engine | None:
        """Give the engine, which is followed from here on; None where there is no log yet."""
        settings = Hailuo.instance()
        if not any(settings.run_log_path(demo=demo).is_file() for demo in (False, True)):
            return None
        from hailuo_jupyter.engine import process

        engine = process.engine()
        self.follow(engine)
        return engine

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
        for content in self._open.news(row, self._engine):
            self._send("news", client=None, **content)

    def _rate(self, client: str, said: Rate) -> None:
        """Keep a person's rating; whoever shows the run is told of its new record."""
        from hailuo_jupyter.engine import process

        try:
            engine = process.engine()
            self.follow(engine)
            engine.run(said.run_id).rate(said.rating)
        except (HailuoError, ValueError) as error:
            self._send("notice", client=client, sentence=f"The rating is not kept. {error}")
            return
        self._changed(engine.row(said.run_id))


_bridge: Bridge | None = None

#: What each front end said last, by client session.
_heard: dict[str, Hello] = {}


def heard_version() -> str:
    """Give the version of the front end that was heard last; empty where none was."""
    return next(reversed(_heard.values())).version if _heard else ""


def open_bridge(ip: Any, draw: Draw) -> None:
    """Open this kernel's bridge, where the shell belongs to a kernel; may be repeated.

    Parameters
    ----------
    ip
        The shell.
    draw
        Draws anew the outputs that a front end shows.
    """
    global _bridge  # noqa: PLW0603 - there is one a kernel
    if _bridge is None and hasattr(ip, "kernel"):
        _bridge = Bridge(ip, draw)


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


def shows(runs: Sequence[str]) -> None:
    """Have an output that nobody keeps up drawn anew when one of its runs changes, as by a rating.

    Parameters
    ----------
    runs
        Their ids, in the output's order. It is the running cell's.
    """
    if _bridge is not None:
        _bridge.shows(tuple(runs))


def remark(speaker: object) -> str:
    """Say once what keeps records out of the notebook's metadata (see `Bridge.remark`)."""
    return "" if _bridge is None else _bridge.remark(speaker)


def insert_below(text: str, cell_id: str | None) -> bool:
    """Ask the front end for a new code cell. It is inserted and shown, and never run.

    It goes into the notebook whose front end has sent what the kernel works on just now: a cell, or
    a click in a widget. Call it on the thread that has been given that to do.

    Parameters
    ----------
    text
        The cell's source.
    cell_id
        Of the cell that it is to follow; None, or an id that is not there: below the active one.

    Returns
    -------
    bool
        Whether a front end that can do it was asked. False where none has said hello.
    """
    return False if _bridge is None else _bridge.insert_below(text, cell_id)
