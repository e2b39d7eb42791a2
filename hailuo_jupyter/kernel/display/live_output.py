"""One output of a cell, kept current for as long as what it shows changes.

From the engine's thread goes out only what is routed by id: updates of a display and messages of a
widget. Never a print and never a new display: they would land in whichever cell runs then.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid4, uuid5

from hailuo_jupyter.engine import wait
from hailuo_jupyter.formatting import print_safely
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.context import Frontend
from hailuo_jupyter.kernel.display.bundle import WIDGET
from hailuo_jupyter.kernel.session import SessionState, session

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine

logger = logging.getLogger(__name__)

#: Given the ids of an output's runs, returns the bundle of an output that shows them among others.
Renderer = Callable[[tuple[str, ...]], dict[str, Any] | None]


class Watcher(Protocol):
    """An output that an executor's last cell brings up to date."""

    def follow(self) -> None:
        """Wait until what it shows has ended, and show the end."""


class Content(Protocol):
    """What an output shows."""

    #: Seconds between two bundles at least.
    pause_s: float
    #: Whether what happens before the end is of interest where a cell waits for it.
    shows_progress: bool

    @property
    def run_ids(self) -> tuple[str, ...] | None:
        """The runs whose changes concern it; None for all runs."""

    @property
    def done(self) -> bool:
        """Whether nothing more happens by itself."""

    @property
    def clocks(self) -> int:
        """How many clocks it shows that run just now."""

    def update(self) -> object:
        """Update it; return what its bundle depends on, compared by equality."""

    def bundle(self) -> dict[str, Any]:
        """Return its MIME bundle, as of the last update."""

    def after_put(self) -> None:
        """Free what the last bundle does not name any more."""

    def prepare(self) -> bool:
        """Make what the next bundle may hold and takes seconds; return whether there was any.

        Never called on the kernel's thread or on an event loop.
        """

    def tick_s(self) -> float | None:
        """Return the seconds until the next `tick`; None where nothing changes but runs."""

    def tick(self) -> bool:
        """Advance its clocks; return whether the bundle may have changed, too."""


class Handle(Protocol):
    """Where an output is shown."""

    def put(self, content: Any) -> None:
        """Show a content as of its last update; called on any thread."""


class DisplayHandle:
    """A display of the running cell, which is updated by its id from any thread.

    Parameters
    ----------
    frontend
        Who reads it. A terminal is printed to, on the main thread.
    display_id
        Its id; None for a new one. See `display_id_of`.
    request
        For a display that exists: the request in whose name updates are sent.
    """

    def __init__(
        self,
        frontend: Frontend,
        display_id: str | None = None,
        *,
        request: Mapping[str, Any] | None = None,
    ) -> None:
        self.display_id = display_id or uuid4().hex
        self._frontend, self._request = frontend, request
        self._place: WidgetPlace | None = None

    def put(self, content: Content) -> None:
        """Show a content as of its last update."""
        self.send(content.bundle())

    def open(self, data: dict[str, Any]) -> None:
        """Show a bundle in the running cell."""
        from IPython.display import display

        self._request = context.parent(context.shell())
        if not context.host(context.shell()).updates_outputs:
            self._place = _make_place(data)
            data = self._place.bundle(data) if self._place else data
        display(data, raw=True, display_id=self.display_id)  # type: ignore[no-untyped-call]

    def send(self, data: dict[str, Any]) -> None:
        """Show a bundle: at first in the running cell, then in the same display."""
        if self._frontend is Frontend.TERMINAL:
            print_safely(data["text/plain"])
        elif self._request is None:
            self.open(data)
        elif self._place is not None:
            self._place.put(data)
        else:
            self._update(data, self._request)

    def _update(self, data: dict[str, Any], request: Mapping[str, Any]) -> None:
        """Send an update in the name of the request that made the display.

        ipykernel 6 gives what a thread sends the latest shell request as its parent, were it one for a
        completion, and ipykernel 7.0 has none there. VS Code takes only what belongs to a cell's request
        (``ownedRequestMsgIds`` in ``cellExecutionMessageHandler.ts``) and drops all else.
        """
        publisher = getattr(context.shell(), "display_pub", None)
        socket, session = (getattr(publisher, name, None) for name in ("pub_socket", "session"))
        # An executor such as nbclient takes only what belongs to the cell that runs now. The rest: another
        # kernel than ipykernel, or `%%capture`.
        if self._frontend is not Frontend.INTERACTIVE or socket is None or session is None:
            from IPython.display import update_display

            update_display(data, raw=True, display_id=self.display_id)  # type: ignore[no-untyped-call]
            return
        content = {"data": data, "metadata": {}, "transient": {"display_id": self.display_id}}
        topic = getattr(publisher, "topic", None)
        session.send(socket, "update_display_data", content, parent=dict(request), ident=topic)


class WidgetPlace:
    """A display as a widget, on a page that changes nothing else once the cells have run.

    Parameters
    ----------
    data
        The bundle that it shows at first.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        from ipywidgets import Output

        self._shown = Output(outputs=_as_outputs(data))
        self._widget = data.get(WIDGET)

    def bundle(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return a bundle with this widget in it."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self._shown.model_id}
        return {**data, WIDGET: view}

    def put(self, data: dict[str, Any]) -> None:
        """Show another bundle; a card or a form that is shown already is left alone."""
        widget = data.get(WIDGET)
        if widget is None or widget != self._widget:
            self._widget = widget
            self._shown.outputs = _as_outputs(data)


def _as_outputs(data: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return ({"output_type": "display_data", "metadata": {}, "data": data},)


def _make_place(data: dict[str, Any]) -> WidgetPlace | None:
    try:
        return WidgetPlace(data)
    except ImportError:  # a kernel without ipywidgets
        return None


class _Outputs(SessionState):
    """The outputs of this session."""

    def __init__(self) -> None:
        #: Those that an executor's last cell brings up to date.
        self.watchers: list[Watcher] = []
        #: Those that are kept current just now, by the kind of their content and the runs that they show.
        self.current: dict[tuple[type, tuple[str, ...]], LiveOutput] = {}
        #: How many displays there are of the same kind and runs.
        self.made: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.renderers: list[Renderer] = []


async def prepared(content: Content) -> None:
    """Prepare a content in a thread; of a coroutine the engine's loop can take."""
    await asyncio.to_thread(content.prepare)


class LiveOutput:
    """An output, complete at every moment and updated when what it shows changes.

    Parameters
    ----------
    engine
        Knows the runs.
    content
        What is shown.
    handle
        Where.
    """

    def __init__(self, engine: Engine, content: Content, handle: Handle) -> None:
        self._engine, self.content, self._handle = engine, content, handle
        self._version: object = None
        self._lock = threading.RLock()
        self._task: Future[None] | None = None

    def open(self, *, keep_current: bool) -> None:
        """Show it in the running cell.

        Parameters
        ----------
        keep_current
            Keep it current from now on. Spawned from the cell, the task carries the cell's context, by
            which ipykernel 7 finds the parent header of what is sent.
        """
        self.refresh()
        if keep_current:
            self._task = self._engine.spawn(self._keep_current())

    def stop(self) -> None:
        """Stop updating it; its runs continue."""
        if self._task is not None:
            self._task.cancel()

    def follow(self) -> None:
        """Wait, on the main thread, until all has ended, updating the output meanwhile.

        An executor such as nbclient applies only what is sent while a cell runs.
        """
        wait.block_until(self._is_done)
        with self._lock:
            self.content.update()
        self.complete()

    def complete(self) -> None:
        """Make, on the main thread, what the bundle holds and takes seconds, and update the output."""
        made = self._engine.spawn(prepared(self.content))
        wait.block_until(made.done)
        self.refresh()

    def _is_done(self) -> bool:
        if self.content.shows_progress:
            self.refresh()
        return self.content.done

    def bundle(self) -> dict[str, Any]:
        """Return what it is to hold now."""
        with self._lock:
            self.content.update()
            return self.content.bundle()

    def refresh(self) -> None:
        """Update it; the bundle is sent only if it has changed."""
        with self._lock:
            version = self.content.update()
            if version != self._version:
                self._version = version
                self._handle.put(self.content)
            # Only now, since a page would show a gap where a model is gone too early.
            self.content.after_put()

    def _prepare(self) -> None:
        if self.content.prepare():
            self.refresh()

    def _tick(self) -> None:
        with self._lock:
            if self.content.tick():
                self.refresh()

    async def _keep_current(self) -> None:
        """Follow the runs on the engine's loop: at once when a state changes, else at each tick."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake(_row: object) -> None:
            with suppress(RuntimeError):  # the engine has ended
                loop.call_soon_threadsafe(changed.set)

        outputs, run_ids = session.state(_Outputs), self.content.run_ids
        listened: tuple[str | None, ...] = (None,) if run_ids is None else run_ids
        leave = [self._engine.events.listen(run_id, wake) for run_id in listened]
        key = None
        if run_ids is not None and isinstance(self._handle, DisplayHandle):
            key = (type(self.content), run_ids)
            outputs.current[key] = self
        try:
            # A run that waits for the person may be resumed, and one that has ended may be rated,
            # tagged or fetched again: its output then goes on.
            while True:
                changed.clear()
                # PyAV makes the poster, and messages are sent: neither belongs on the loop's thread.
                await asyncio.to_thread(self.refresh)
                await asyncio.to_thread(self._prepare)
                await asyncio.sleep(self.content.pause_s)
                while not changed.is_set():
                    try:
                        await asyncio.wait_for(changed.wait(), self.content.tick_s())
                    except TimeoutError:
                        await asyncio.to_thread(self._tick)
        except Exception:
            logger.exception("an output could not be kept up to date")
        finally:
            if key is not None and outputs.current.get(key) is self:
                del outputs.current[key]
            for end in leave:
                end()


#: The namespace of displays' ids.
_DISPLAYS = UUID("0d0f3b2c-5b0e-4c55-9e0f-6f1a8f2f6f42")

#: Displays of the same runs that a later kernel still finds.
_FOUND_AGAIN = 3


def new_display_id(kind: str, ids: Sequence[str]) -> str:
    """Return the id of a new display.

    It follows from what is shown, so that the kernel after a restart can still update the display. A
    second display of the same runs has another one: front ends such as VS Code update but one display
    of an id.

    Parameters
    ----------
    kind
        What it is: a card, a comparison or a sheet.
    ids
        The runs, in order, or the sweep.
    """
    made, key = session.state(_Outputs).made, (kind, tuple(ids))
    made[key] += 1
    return _display_id(kind, ids, made[key])


class EarlierDisplays:
    """The displays that an earlier kernel of this notebook may have made of the same runs.

    An id that no page knows is ignored there.

    Parameters
    ----------
    kind, ids
        See `new_display_id`.
    request
        The request in whose name updates are sent.
    """

    def __init__(self, kind: str, ids: Sequence[str], request: Mapping[str, Any]) -> None:
        self._key = (kind, tuple(ids))
        self._handles = [
            DisplayHandle(Frontend.INTERACTIVE, _display_id(kind, ids, number), request=request)
            for number in range(1, _FOUND_AGAIN + 1)
        ]

    def put(self, content: Content) -> None:
        """Show a content, unless this kernel has a display of the same runs: it has the first one's id."""
        if session.state(_Outputs).made[self._key]:
            return
        data = content.bundle()
        for handle in self._handles:
            handle.send(data)


def _display_id(kind: str, ids: Sequence[str], number: int) -> str:
    return uuid5(_DISPLAYS, "\n".join((kind, *ids, str(number)))).hex


def current_output(kind: type, run_ids: tuple[str, ...]) -> LiveOutput | None:
    """Return the output with such a content of these runs that is kept current just now."""
    return session.state(_Outputs).current.get((kind, run_ids))


def clocks() -> int:
    """Count the clocks of all outputs that run just now."""
    return sum(each.content.clocks for each in tuple(session.state(_Outputs).current.values()))


def refresh_at_the_end(output: Watcher) -> None:
    """Make `refresh_all` wait for an output."""
    session.state(_Outputs).watchers.append(output)


def refresh_all() -> None:
    """Wait, on the main thread, for the runs of every output that asked for it, and update it.

    nbclient applies an update only while a cell runs, and then to whichever earlier output has its
    display id.
    """
    watchers = session.state(_Outputs).watchers
    while watchers:
        watchers.pop(0).follow()


def register_renderer(render: Renderer) -> Callable[[], None]:
    """Answer a front end's request for some runs' output with an output that holds more.

    Parameters
    ----------
    render
        Given the ids of an output's runs, returns the bundle if that shows them, else None.

    Returns
    -------
    callable
        Ends it; may be repeated.
    """
    renderers = session.state(_Outputs).renderers
    renderers.append(render)

    def leave() -> None:
        if render in renderers:
            renderers.remove(render)

    return leave


def rendered(run_ids: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the bundles of outputs, such as a form's or a sweep's, that show these runs."""
    renderers = tuple(session.state(_Outputs).renderers)
    return [data for render in renderers if (data := render(run_ids)) is not None]
