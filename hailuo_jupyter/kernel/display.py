"""One display of one or several runs, kept true until they have ended.

From the engine's thread goes out only what is routed by id: updates of a display and messages of a
widget. Never a print and never a new display: they would land in whichever cell runs then.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from hailuo_jupyter import media
from hailuo_jupyter.engine import process, waiting
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.kernel import bridge, origin
from hailuo_jupyter.kernel.bundle import bundle
from hailuo_jupyter.kernel.origin import Audience
from hailuo_jupyter.kernel.view import RunView, view
from hailuo_jupyter.runlog.log import Row
from hailuo_jupyter.states import SETTLED, State

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.card import Card

logger = logging.getLogger(__name__)

#: Seconds between two looks at a card's clock, at least; and clocks of all cards together that are set
#: in a second. With many runs each clock ticks slower, and the kernel stays as quick as ever.
_TICK_S, _CLOCKS_A_SECOND = 1.0, 20.0

#: Clocks that are set at a time: with more, an output of many runs would hold the kernel up.
_CLOCKS_AT_ONCE = 4

#: Seconds, for each further run of an output, before it is sent again: it holds all their records.
_GAP_S = 0.02


#: Displays of an executor that lets cells return at once; its last cell brings them up to date.
_kept: list[Follows] = []

#: Displays that follow their runs just now, by these runs.
_kept_up: dict[tuple[str, ...], Showing] = {}


class Follows(Protocol):
    """An output that an executor's last cell brings up to date."""

    def follow(self) -> None:
        """Wait until what it shows has ended, and show the end."""


class Surface(Protocol):
    """Where a `Showing` puts what it shows, if not into a display of its own."""

    def put(self, views: Sequence[RunView], card: Card | None) -> None:
        """Take the runs as they stand now, and their live card while there is one."""


def show(
    engine: Engine,
    runs: Sequence[Run],
    ip: Any | None,
    *,
    wait: bool = False,
    embed: bool = False,
    saved: frozenset[str] = frozenset(),
) -> None:
    """Show runs in the running cell, as suits whoever reads its output.

    A front end gets a live card, which goes on after the cell. Under an executor the cell waits, or
    (`jupyter hailuo execute`) `bring_up_to_date` does at the notebook's end. A terminal gets a line
    for each run.

    Parameters
    ----------
    engine, runs
        What is shown.
    ip
        The shell, or None in a script.
    wait
        Return when the runs have ended.
    embed, saved
        See `Showing`.
    """
    audience = origin.audience(ip)
    if audience is Audience.SCRIPT:
        return
    folder = origin.notebook().folder
    bridge.follow(engine)
    showing = Showing(engine, runs, audience, folder, embed=embed, saved=saved)
    showing.open()
    if audience is Audience.PARALLEL and not wait:
        _kept.append(showing)
    elif wait or audience is Audience.HEADLESS:
        showing.follow()


def show_run(run: Run) -> None:
    """Show one run, for IPython's display of a `Run`."""
    show(process.engine(), [run], origin.shell())


def bundle_now(
    engine: Engine, runs: Sequence[Run], base: Path, *, embed: bool = False
) -> dict[str, Any]:
    """Give what an output of these runs is to hold now, with its live card where it has one.

    Parameters
    ----------
    engine, runs, base, embed
        See `Showing`.
    """
    found = _kept_up.get(tuple(run.run_id for run in runs))
    showing = found or Showing(engine, runs, Audience.FRONT_END, base, embed=embed)
    return showing.bundle()


def follow_at_the_end(output: Follows) -> None:
    """Have `bring_up_to_date` wait for an output, too."""
    _kept.append(output)


def _tick_s() -> float:
    """Give the seconds until a card's clock is set again."""
    clocks = sum(len(key) for key, each in tuple(_kept_up.items()) if each.ticks)
    return max(_TICK_S, clocks / _CLOCKS_A_SECOND)


def bring_up_to_date() -> None:
    """Wait, on the main thread, for the runs of every display that was kept, and update it.

    nbclient applies an update only while a cell runs, and then to whichever earlier output has its
    display id.
    """
    while _kept:
        _kept.pop(0).follow()


def _card(views: Sequence[RunView]) -> Card | None:
    try:
        from hailuo_jupyter.kernel.card import Card
    except ImportError:  # a kernel without ipywidgets: the bundle alone follows the run
        logger.debug("there is no live card without ipywidgets")
        return None
    return Card(views)


class Showing:
    """The output of a cell: its runs, in a bundle that is complete at every moment.

    Parameters
    ----------
    engine
        Tells how the runs do.
    runs
        What is shown, in order.
    audience
        Who reads: only a front end gets the live card.
    base
        The notebook's folder, which links are relative to.
    embed
        Put the clips themselves into the output.
    saved
        Ids of runs that are shown again instead of bought.
    surface
        Where it is shown; None for a display of its own in the running cell.
    """

    def __init__(
        self,
        engine: Engine,
        runs: Sequence[Run],
        audience: Audience,
        base: Path,
        *,
        embed: bool = False,
        saved: frozenset[str] = frozenset(),
        surface: Surface | None = None,
    ) -> None:
        self._engine, self._runs, self._audience = engine, tuple(runs), audience
        self._surface = surface
        self._base, self._embed, self._saved = base, embed, saved
        self._display_id = uuid4().hex
        self._posters: dict[str, bytes | None] = {}
        self._timings = {run.run_id: engine.timing(engine.row(run.run_id)) for run in runs}
        self._shown: tuple[tuple[str, int, bool], ...] = ()
        self._card: Card | None = None
        self._following: Future[None] | None = None
        self._lock = threading.Lock()

    @property
    def ticks(self) -> bool:
        """Whether it has a live card, whose clocks are set again and again."""
        return self._card is not None

    # ── what is shown ──────────────────────────────────────────────────────────────────────────

    def _rows(self) -> list[Row]:
        return [self._engine.row(run.run_id) for run in self._runs]

    def _views(self, rows: Sequence[Row], *, first: int = 0) -> list[RunView]:
        now = self._engine.now()
        views = [
            view(
                row,
                self._engine.wires.provider(row.provider, row.record.dialect),
                self._timings[row.run_id],
                now=now,
                base=self._base,
                embed=self._embed,
                poster=self._poster(row),
                saved=row.run_id in self._saved,
                deadline_s=self._engine.deadline_s,
            )
            for row in rows
        ]
        if first == 0 and views[0].live and (remark := bridge.remark(self._display_id)):
            views[0] = replace(views[0], hint=f"{views[0].hint} {remark}".strip())
        return views

    def bundle(self) -> dict[str, Any]:
        """Give the bundle as it stands now, with the live card if there is one."""
        with self._lock:
            rows = self._rows()
            card = self._card if self._live(rows) else None
            return bundle(self._views(rows), card_model_id=card.model_id if card else None)

    def _poster(self, row: Row) -> bytes | None:
        if row.state is not State.COMPLETED or row.record.clip is None:
            return None
        if row.run_id not in self._posters:
            try:
                self._posters[row.run_id] = media.poster(row.folder / row.record.clip.path)
            except ClipError:
                self._posters[row.run_id] = None
        return self._posters[row.run_id]

    @staticmethod
    def _live(rows: Sequence[Row]) -> bool:
        return any(row.state not in SETTLED and row.owner is not None for row in rows)

    def _refresh(
        self, publish: Callable[[Sequence[RunView], Card | None], None], *, opening: bool = False
    ) -> bool:
        """Bring card and bundle up to date; the bundle only where a revision has changed."""
        with self._lock:
            rows = self._rows()
            live = self._live(rows)
            views = self._views(rows)
            if self._card is not None:
                self._card.update(views)
            elif opening and live and self._audience is Audience.FRONT_END:
                self._card = _card(views)
            shown = tuple((row.run_id, row.revision, row.owner is not None) for row in rows)
            if shown != self._shown:
                self._shown = shown
                publish(views, self._card if live else None)
            if not live and self._card is not None:
                # Only now, since a page would show a gap where a model is gone too early.
                self._card.close()
                self._card = None
            return live

    def _tick(self, turn: int) -> None:
        """Set the clocks of the next few runs' cards."""
        with self._lock:
            if self._card is None:
                return
            first = turn * _CLOCKS_AT_ONCE % len(self._runs)
            some = self._runs[first : first + _CLOCKS_AT_ONCE]
            rows = [self._engine.row(run.run_id) for run in some]
            self._card.update(self._views(rows, first=first), first)

    # ── showing it ─────────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        """Show the runs in the running cell, and keep the output true from now on."""
        self._refresh(self._first, opening=True)
        if self._audience is Audience.FRONT_END:
            # Spawned from the cell, the coroutine carries the cell's context, by which ipykernel 7
            # finds the parent header of what is sent.
            self._following = self._engine.spawn(self._keep_up())

    def stop(self) -> None:
        """Keep the output up to date no longer; its runs go on."""
        if self._following is not None:
            self._following.cancel()

    def follow(self) -> None:
        """Wait, on the main thread, until the runs have ended, updating the output meanwhile.

        An executor such as nbclient applies only what is sent while a cell runs.
        """
        for run in self._runs:
            waiting.block_until(lambda run=run: self._refreshed(run))  # type: ignore[misc]
        self._refresh(self._again)

    def _refreshed(self, run: Run) -> bool:
        self._refresh(self._again)
        return run.done

    def _first(self, views: Sequence[RunView], card: Card | None) -> None:
        from IPython.display import display

        if self._surface is not None:
            self._surface.put(views, card)
            return
        data = bundle(views, card_model_id=card.model_id if card else None)
        if self._audience is Audience.TERMINAL:
            print(data["text/plain"])  # noqa: T201 - a terminal's display, on the main thread
        else:
            display(data, raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]

    def _again(self, views: Sequence[RunView], card: Card | None) -> None:
        from IPython.display import update_display

        if self._surface is not None:
            self._surface.put(views, card)
            return
        data = bundle(views, card_model_id=card.model_id if card else None)
        try:
            update_display(data, raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]
        except LookupError:
            # ipykernel 7.0 has no parent header outside a cell; the next update may have one.
            logger.debug("an update of display %s was not sent", self._display_id)

    async def _keep_up(self) -> None:
        """Follow the runs on the engine's loop: at once when a state changes, else each second."""
        wake = asyncio.Event()
        leave = [self._engine.listen(run.run_id, lambda _row: wake.set()) for run in self._runs]
        key = tuple(run.run_id for run in self._runs)
        if self._surface is None:
            _kept_up[key] = self
        try:
            while True:
                # PyAV makes the poster, and messages are sent: neither belongs on the loop's thread.
                live = await asyncio.to_thread(self._refresh, self._again)
                await asyncio.sleep(_GAP_S * (len(self._runs) - 1))
                if live:
                    await self._ticking(wake)
                # A run that waits for the person may be resumed, and one that has ended may be
                # rated, tagged or fetched again: its output then goes on.
                await wake.wait()
                wake.clear()
        except Exception:
            logger.exception("an output could not be kept up to date")
        finally:
            if _kept_up.get(key) is self:
                del _kept_up[key]
            for go in leave:
                go()

    async def _ticking(self, wake: asyncio.Event) -> None:
        """Let the clocks go on until something happens."""
        turns = math.ceil(len(self._runs) / _CLOCKS_AT_ONCE)
        for turn in count():
            try:
                await asyncio.wait_for(wake.wait(), _tick_s() / turns)
            except TimeoutError:
                await asyncio.to_thread(self._tick, turn % turns)
            else:
                return
