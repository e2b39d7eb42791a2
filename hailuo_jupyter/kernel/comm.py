"""The kernel's end of the comm ``hailuo.sync``: how records get into a notebook's metadata.

Only a front end can change an open notebook. Our extension attaches to this comm whenever it connects,
reports which notebook it has open and which records that has, and receives newer ones; later it receives each
run that is submitted or finishes. The same comm carries a person's ratings, and cells to insert. No run
depends on it.

The messages, and how they may change without a new protocol version, are in `comm_messages`; what
each notebook lacks is in `open_notebooks`.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from hailuo_jupyter import __version__
from hailuo_jupyter.errors import INTERNAL_ERROR, HailuoError
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel import context, frontends
from hailuo_jupyter.kernel.comm_messages import (
    CAN,
    TARGET,
    Act,
    ActOnSweep,
    AskPrice,
    Hello,
    PageMessage,
    Rate,
    UnknownMessage,
    UnreadableRequest,
    message,
    read,
)
from hailuo_jupyter.kernel.context import CellContext, Frontend
from hailuo_jupyter.kernel.frontends import Host
from hailuo_jupyter.kernel.open_notebooks import Draw, OpenNotebooks, located
from hailuo_jupyter.kernel.session import SessionState, session
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import BOUGHT, SETTLED

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.ids import Notebook
    from hailuo_jupyter.record import Record
    from hailuo_jupyter.runlog import Row

logger = logging.getLogger(__name__)

#: Seconds in which a front end's extension says hello to an idle kernel.
_SILENCE_S = 4.0

_UNSEEN = (
    "Record not in the notebook's metadata: JupyterLab extension not seen. "
    "Use 'jupyter hailuo sync NOTEBOOK' to add it later."
)


#: The problem of any request if only a panel was opened.
_NO_MAGICS = "Run %load_ext hailuo_jupyter first."

#: The problem of a request whose page has not said which notebook it has open.
_NO_HELLO = "The kernel doesn't know this page's notebook. Reload the page, and try again."

_UNREADABLE = (
    f"The kernel's version of hailuo-jupyter, {__version__}, can't read this request. Install the same "
    "version in JupyterLab and the kernel."
)


class Quotes(Protocol):
    """Returns what running a cell again would buy: `new_take.quote`, in a layer above this one."""

    def __call__(self, source: str, record: Record | None, ip: Any) -> dict[str, Any]:
        """Return the answer to a front end's price request."""


class Actions(Protocol):
    """Does something with a run or a sweep: `run_actions` and `sweep_actions`, in a layer above this one."""

    def __call__(self, message: Act | ActOnSweep) -> dict[str, Any]:
        """Return the answer to a front end's request."""


class SyncComm:
    """One kernel's comm, and the front ends that have attached to it.

    Parameters
    ----------
    ip
        The shell.
    draw
        Renders the outputs that a front end shows.
    """

    def __init__(self, ip: Any, draw: Draw) -> None:
        self._ip = ip
        self._comm: Any = None
        self._context = contextvars.copy_context()
        self._open = OpenNotebooks(draw)
        self._sent: dict[str, int] = {}
        self._notebooks: dict[str, Notebook] = {}  # by client session
        self._welcomed: set[str] = set()  # client sessions, before their hello
        self._engine: Engine | None = None
        self._leave: Callable[[], None] = lambda: None
        self._mismatch = ""
        self._speaker: object = None
        self._executing = True
        self._since = time.monotonic()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="hailuo-comm")
        ip.events.register("pre_execute", self._begins)
        ip.events.register("post_execute", self._ends)
        self._connect()

    def close(self) -> None:
        """Close the comm, and stop listening."""
        self._ip.events.unregister("pre_execute", self._begins)
        self._ip.events.unregister("post_execute", self._ends)
        self._leave()
        self._worker.shutdown(wait=False, cancel_futures=True)
        if self._comm is not None:
            self._comm.close()

    # ── calls from the rest of the kernel ─────────────────────────────────────────────

    def follow(self, engine: Engine) -> None:
        """Listen to every change of a run from now on, and process the changes so far."""
        if self._comm is None or engine is self._engine:
            return
        self._leave()
        self._engine = engine
        self._leave = engine.events.listen(None, self._changed)
        for row in engine.events.rows():
            self._changed(row)

    def remark(self, speaker: object, host: Host, name: str | None) -> str:
        """Return once why records are not saved in the notebook's metadata; empty if they are.

        Parameters
        ----------
        speaker
            The object that shows it. Only the first one receives it.
        host, name
            The front end, and the notebook's file name if known.
        """
        if self._speaker not in {None, speaker} or self._comm is None:
            return ""
        # A busy kernel may not have read the front end's hello yet.
        idle = not self._executing and time.monotonic() - self._since > _SILENCE_S
        unseen = _UNSEEN if idle and host is frontends.JUPYTER else host.metadata_note(name)
        message = self._mismatch or ("" if self._open else unseen)
        self._speaker = speaker if message else None
        return message

    def insert_below(self, text: str, cell_id: str | None) -> bool:
        """Ask the front end of the running request for a cell (see the module's function)."""
        client = context.parent(self._ip).get("header", {}).get("session", "")
        hello = _state().hellos.get(client)
        if self._comm is None or hello is None or "insert" not in hello.can:
            return False
        self._send("insert", client=client, text=text, cell=cell_id)
        return True

    def shows(self, runs: tuple[str, ...]) -> None:
        """Register an output of the running cell (see the module's function)."""
        notebook = context.notebook()
        self._in_turn(lambda: self._open.shows(notebook, runs))

    # ── the comm ───────────────────────────────────────────────────────────────────────────────

    def _connect(self) -> None:
        """Open the comm if there is a front end; an executor would log an error about it."""
        if self._comm is not None or not context.parent(self._ip):
            return
        if context.frontend(self._ip) is not Frontend.INTERACTIVE:
            return
        # Messages sent later, from other threads, carry the parent header of this cell.
        self._context = contextvars.copy_context()
        self._comm = _make_comm(target_name=TARGET, data=message("open"))
        self._comm.on_msg(self._received)

    def _begins(self) -> None:
        self._executing = True
        self._connect()

    def _ends(self) -> None:
        self._executing, self._since = False, time.monotonic()
        if self._engine is None and "hailuo_jupyter.engine.process" in sys.modules:
            from hailuo_jupyter.engine import process

            if (running := process.started()) is not None:
                self.follow(running)  # runs that `generate` started, and that are not shown

    def _send(self, op: str, **content: Any) -> None:
        self._context.copy().run(self._comm.send, data=message(op, **content))

    def _received(self, received: dict[str, Any]) -> None:
        """Handle a front end's message; may be called on one of the kernel's threads."""
        message = read(received.get("content", {}).get("data"))
        client = received.get("header", {}).get("session")
        if message is None or not isinstance(client, str):
            return
        with self._answering(client, message):
            self._take(client, message)

    def _take(self, client: str, message: PageMessage) -> None:
        if isinstance(message, UnknownMessage):
            self._mismatch = (
                f"Record not in the notebook's metadata: JupyterLab has hailuo-jupyter "
                f"{message.version}, the kernel has {__version__}. Install the same version in both."
            )
            self._send("other")  # the front end sees the version in it, too
        elif isinstance(message, Hello):
            notebook = context.set_notebook(client, located(message))
            hellos = _state().hellos
            hellos.pop(client, None)  # the latest one is last
            hellos[client] = message
            self._notebooks[client] = notebook
            self._answer(client, message, lambda: self._welcome(client, notebook, message))
        elif isinstance(message, UnreadableRequest):
            self._refuse(client, message, _UNREADABLE)
        elif isinstance(message, AskPrice):
            self._answer(client, message, lambda: self._quote(client, message))
        elif isinstance(message, Act | ActOnSweep):
            self._answer(client, message, lambda: self._act(client, message))
        else:
            self._answer(client, message, lambda: self._rate(client, message))

    def _answer(self, client: str, message: PageMessage, work: Callable[[], None]) -> None:
        """Answer a front end in its turn; an error is an answer, too."""

        def answered() -> None:
            with self._answering(client, message):
                work()

        self._in_turn(answered)

    @contextmanager
    def _answering(self, client: str, message: PageMessage) -> Iterator[None]:
        try:
            yield
        except HailuoError as error:
            self._refuse(client, message, str(error))
        except BaseException:  # a cell's variables may be objects that end the process
            logger.exception("a front end's request failed")
            self._refuse(client, message, INTERNAL_ERROR)

    def _refuse(self, client: str, message: PageMessage, problem: str) -> None:
        """Report why a request was not fulfilled: the page waits for an answer."""
        problem = escape_control(problem)
        match message:
            case AskPrice(ask=ask) | UnreadableRequest(op="price", ask=ask):
                content: dict[str, Any] = {"token": "", "count": 0}
                self._send("price", client=client, ask=ask, problem=problem, **content)
            case (
                Act(ask=ask) | ActOnSweep(ask=ask) | UnreadableRequest(op="act" | "sweep", ask=ask)
            ):
                content = {"text": [], "bundles": []}
                self._send("acted", client=client, ask=ask, problem=problem, **content)
            case Rate() | UnreadableRequest():
                sentence = f"The rating wasn't saved. {problem}"
                self._send("notice", client=client, sentence=sentence)
            case Hello():
                sentence = f"The kernel couldn't look up this notebook's runs. {problem}"
                self._send("notice", client=client, sentence=sentence)
                if (notebook := self._notebooks.get(client)) is not None:
                    content = {"notebook": notebook.id, "records": [], "bundles": []}
                    self._send("welcome", client=client, can=CAN, **content)

    def _in_turn(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception:
                logger.exception("records could not be sent to the front end")

        try:
            self._worker.submit(guarded)
        except RuntimeError:  # closed meanwhile
            logger.debug("a change came after the comm was closed")

    # ── on the worker's thread ─────────────────────────────────────────────────────────────────

    def _with_log(self) -> Engine | None:
        """Return the engine, and follow its runs from now on; None if there is no log yet."""
        if not Hailuo.instance().existing_run_logs():
            return None
        from hailuo_jupyter.engine import process

        engine = process.get_engine()
        self.follow(engine)
        return engine

    def _welcome(self, client: str, notebook: Notebook, hello: Hello) -> None:
        # Runs named in a foreign notebook are not looked up.
        engine = self._with_log() if hello.trusted or hello.known else None
        if engine is not None and notebook.aliases:
            # The next kernel of a notebook that was renamed needs its earlier id, too.
            for log in engine.logs():
                log.keep_notebook(notebook)
        answer = self._open.answer(notebook, hello, engine)
        self._send("welcome", client=client, can=CAN, **answer)

    def _changed(self, row: Row) -> None:
        """Send a run that was bought or has finished; not each step in between.

        Two windows on a notebook would otherwise save it alternately.
        """
        before = self._sent.get(row.run_id)
        ended = row.state in SETTLED and row.revision != before
        if ended or (row.state in BOUGHT and before is None):
            self._sent[row.run_id] = row.revision
            self._in_turn(lambda: self._send_run(row))

    def _send_run(self, row: Row) -> None:
        waiting = self._waiting_page(row)
        for content in self._open.news(row, self._engine):
            if waiting is not None and content["notebook"] == row.notebook_id:
                self._send("welcome", client=waiting, can=CAN, **content)
            self._send("news", client=None, **content)

    def _waiting_page(self, row: Row) -> str | None:
        """Return the page that is to hear of its first run before its hello is read; None if none is.

        With Run All the hello waits behind all cells, also behind one that waits for the clip. Until
        then a new notebook has no id, by which its page could know that the news is for it.
        """
        client = context.session_of(row.notebook_id) if row.notebook_id else None
        if client is None or client in self._notebooks or client in self._welcomed:
            return None
        self._welcomed.add(client)
        return client

    def _rate(self, client: str, message: Rate) -> None:
        """Save a rating; every view of the run receives its new record."""
        from hailuo_jupyter.engine import process

        engine = process.get_engine()
        self.follow(engine)
        try:
            engine.run(message.run_id).rate(message.rating)
        except ValueError as error:  # a newer version's record
            self._refuse(client, message, str(error))
            return
        self._changed(engine.row(message.run_id))

    def _quote(self, client: str, message: AskPrice) -> None:
        """Report what rerunning a cell would buy; nothing is sent to a provider."""
        notebook = self._notebooks.get(client)
        if notebook is None:
            self._refuse(client, message, _NO_HELLO)
            return
        try:
            engine = self._with_log()
            record = None if engine is None else engine.row(message.run_id).record
        except (HailuoError, ValueError):  # not in this log, or a newer version's
            record = None
        with context.override_cell(CellContext(notebook, None, None)):
            quote = _state().quote
            if quote is None:
                found: dict[str, Any] = {"problem": _NO_MAGICS, "token": "", "count": 0}
            else:
                found = quote(message.source, record, self._ip)
        self._send("price", client=client, ask=message.ask, **found)

    def _act(self, client: str, message: Act | ActOnSweep) -> None:
        """Perform or describe an action; every view of a changed run receives its new record."""
        notebook, act = self._notebooks.get(client), _state().act
        if notebook is None:
            self._refuse(client, message, _NO_HELLO)
            return
        found: dict[str, Any] = {"problem": _NO_MAGICS, "text": [], "bundles": []}
        if act is not None:
            self._with_log()  # so that a change is sent to all pages

            def answer() -> dict[str, Any]:
                with context.override_cell(CellContext(notebook, None, None)):
                    return act(message)

            # What it opens, such as a live card, is sent in a cell's name, as all messages here.
            found = self._context.copy().run(answer)
        # After the news of the change, whose turn has come by now.
        self._answer(
            client, message, lambda: self._send("acted", client=client, ask=message.ask, **found)
        )


class CommState(SessionState):
    """The kernel's bridge, and the reports of front ends."""

    def __init__(self) -> None:
        self.bridge: SyncComm | None = None
        self.quote: Quotes | None = None
        self.act: Actions | None = None
        #: The last hello of each front end, by client session; the latest is last.
        self.hellos: dict[str, Hello] = {}

    def close(self) -> None:
        """Close the bridge, if there is one."""
        if self.bridge is not None:
            self.bridge.close()


def _state() -> CommState:
    return session.state(CommState)


def front_end_version() -> str:
    """Return the version of the front end that reported last; empty if none did."""
    hellos = _state().hellos
    return next(reversed(hellos.values())).version if hellos else ""


def quotes_by(quote: Quotes) -> None:
    """Answer price requests from now on, since magics were registered.

    Parameters
    ----------
    quote
        Returns what running a cell again would buy.
    """
    _state().quote = quote


def actions_by(act: Actions) -> None:
    """Act on runs and sweeps for pages from now on, since magics were registered.

    Parameters
    ----------
    act
        Does something with a run or a sweep.
    """
    _state().act = act


def open_comm(ip: Any, draw: Draw) -> None:
    """Open this kernel's bridge, if the shell belongs to a kernel; may be repeated.

    Parameters
    ----------
    ip
        The shell.
    draw
        Renders the outputs that a front end shows.
    """
    state = _state()
    if state.bridge is None and hasattr(ip, "kernel"):
        state.bridge = SyncComm(ip, draw)


def _make_comm(**kwargs: Any) -> Any:
    """Return a comm of this kernel.

    ipykernel has put its own comms in the place of the package's silent ones since 6.18
    (https://github.com/ipython/ipykernel/pull/1021).
    """
    import comm

    if comm.create_comm.__module__ != comm.__name__:
        return comm.create_comm(**kwargs)
    from ipykernel.comm import Comm

    return Comm(**kwargs)  # type: ignore[no-untyped-call]


def follow(engine: Engine) -> None:
    """Connect the bridge, if there is one, to an engine's runs."""
    if (bridge := _state().bridge) is not None:
        bridge.follow(engine)


def shows(runs: Sequence[str]) -> None:
    """Redraw an output without a live display when one of its runs changes, for example by a rating.

    Parameters
    ----------
    runs
        Their ids, in the output's order. The output belongs to the running cell.
    """
    if (bridge := _state().bridge) is not None:
        bridge.shows(tuple(runs))


def remark(speaker: object, host: Host, name: str | None) -> str:
    """Return once why records are not saved in the notebook's metadata (see `Bridge.remark`)."""
    bridge = _state().bridge
    return "" if bridge is None else bridge.remark(speaker, host, name)


def insert_below(text: str, cell_id: str | None) -> bool:
    """Ask the front end for a new code cell. It is inserted and shown, but not run.

    It is inserted in the notebook whose front end sent the message that the kernel is processing: a cell's
    code, or a click in a widget. Call it on the thread that processes the message.

    Parameters
    ----------
    text
        The cell's source.
    cell_id
        Id of the cell that it is to follow; None or an unknown id: below the active cell.

    Returns
    -------
    bool
        Whether a front end that supports it was asked. False if none has said hello.
    """
    bridge = _state().bridge
    return False if bridge is None else bridge.insert_below(text, cell_id)
