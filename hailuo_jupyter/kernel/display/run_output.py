"""The output of a cell that shows runs: a live card while they are active, then clips and records."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.engine.wait import block_until
from hailuo_jupyter.kernel import comm, context, frontends
from hailuo_jupyter.kernel.context import Frontend
from hailuo_jupyter.kernel.display import live_output
from hailuo_jupyter.kernel.display.bundle import bundle
from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
from hailuo_jupyter.kernel.display.live_output import DisplayHandle, LiveOutput, new_display_id
from hailuo_jupyter.kernel.display.poster import frame_poster, poster
from hailuo_jupyter.kernel.display.run_view import Inside, RunView, data_uri
from hailuo_jupyter.runlog.log import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import SETTLED, State

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.display.card import Card

logger = logging.getLogger(__name__)

#: Seconds between two updates of a card's clock, at least; and clocks of all cards together that are
#: set in a second. With many runs each clock ticks slower, and the kernel stays as quick as ever.
_TICK_S, _CLOCKS_A_SECOND = 1.0, 20.0

#: Clocks that are set at a time: with more, an output of many runs would hold the kernel up.
_CLOCKS_AT_ONCE = 4

#: Seconds, for each further run of an output, before it is sent again: it holds all their records.
_GAP_S = 0.02


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
    (`jupyter hailuo execute`) `live_output.refresh_all` does at the notebook's end. A terminal gets a
    line for each run.

    Parameters
    ----------
    engine, runs
        What is shown.
    ip
        The shell, or None in a script.
    wait
        Return when the runs have ended.
    embed
        Put the clips themselves into the output.
    saved
        See `RunContent`.
    """
    frontend = context.frontend(ip)
    if frontend is Frontend.SCRIPT:
        return
    comm.follow(engine)
    interactive, place = frontend is Frontend.INTERACTIVE, OutputPlace.here(embed=embed)
    content = RunContent(engine, runs, place, saved=saved, live_card=interactive)
    display_id = new_display_id("card", content.run_ids)
    output = LiveOutput(engine, content, DisplayHandle(frontend, display_id))
    output.open(keep_current=interactive)
    if frontend is Frontend.PARALLEL and not wait:
        live_output.refresh_at_the_end(output)
    elif wait or frontend is Frontend.HEADLESS:
        output.follow()


def show_run(run: Run) -> None:
    """Show one run, for IPython's display of a `Run`."""
    show(process.get_engine(), [run], context.shell())


def bundle_now(engine: Engine, runs: Sequence[Run], place: OutputPlace) -> dict[str, Any]:
    """Return what an output of these runs is to hold now, with its live card where it has one.

    Parameters
    ----------
    engine, runs, place
        See `RunContent`.
    """
    current = live_output.current_output(RunContent, tuple(run.run_id for run in runs))
    if current is not None:
        return current.bundle()
    content = RunContent(engine, runs, place)
    content.update()
    return content.bundle()


def keep_current(engine: Engine, runs: Sequence[Run], place: OutputPlace) -> dict[str, Any]:
    """Keep an output that an earlier kernel made of these runs current, with a live card.

    The page finds it by its runs.

    Parameters
    ----------
    engine, runs, place
        See `RunContent`.

    Returns
    -------
    dict
        What it is to hold now.
    """
    content = RunContent(engine, runs, place, live_card=True)
    current = live_output.current_output(RunContent, content.run_ids)
    if current is None:
        display_id = new_display_id("card", content.run_ids)
        handle = DisplayHandle(Frontend.INTERACTIVE, display_id, request={})
        current = LiveOutput(engine, content, handle)
        current.open(keep_current=True)
    return current.bundle()


def static_bundle(run: Run) -> dict[str, Any]:
    """Return a run's bundle for a front end that renders it once, such as marimo's.

    Nothing can be sent to it later, so a large clip's preview is made first.
    """
    engine, place = process.get_engine(), OutputPlace(frontends.MARIMO, context.notebook())
    content = RunContent(engine, [run], place)
    content.update()
    block_until(engine.spawn(live_output.prepared(content)).done)
    content.update()
    return content.bundle()


class RunContent:
    """Runs, in a bundle that is complete at every moment.

    Parameters
    ----------
    engine
        Knows the runs.
    runs
        What is shown, in order.
    place
        Where the output stands, which decides how it gets its clips.
    saved
        Ids of runs that are shown again instead of bought.
    live_card
        Whether runs get a live card while they are active, where the front end redraws one.
    """

    shows_progress = True

    def __init__(
        self,
        engine: Engine,
        runs: Sequence[Run],
        place: OutputPlace,
        *,
        saved: frozenset[str] = frozenset(),
        live_card: bool = False,
    ) -> None:
        self._engine, self._runs = engine, tuple(runs)
        self._place, self._saved = place, saved
        self._wants_card, self._turn = live_card and place.host.live_widgets, 0
        self._posters: dict[str, bytes | None] = {}
        self._frames: dict[str, bytes | None] = {}
        self._timings = {run.run_id: engine.estimate(engine.row(run.run_id)) for run in runs}
        self._card: Card | None = None
        self._active = False
        self.views: list[RunView] = []
        self.pause_s = _GAP_S * (len(self._runs) - 1)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs."""
        return tuple(run.run_id for run in self._runs)

    @property
    def done(self) -> bool:
        """Whether all of them have ended."""
        return all(run.done for run in self._runs)

    @property
    def clocks(self) -> int:
        """How many cards have a clock."""
        return 0 if self._card is None else len(self._runs)

    @property
    def card(self) -> Card | None:
        """The live card, while it is to be shown."""
        return self._card if self._active else None

    def update(self) -> object:
        """Update views and card; return what the bundle depends on."""
        rows = [self._engine.row(run.run_id) for run in self._runs]
        # Before the views: what changes in between makes the next update differ from this one.
        hindered = tuple(self._engine.hindrance(row.run_id) is not None for row in rows)
        self._active = any(row.state not in SETTLED and row.owner is not None for row in rows)
        self.views = self._views(rows)
        if self._card is not None:
            self._card.update(self.views)
        elif self._wants_card and self._active:
            self._card = _make_card(self.views)
            self._wants_card = self._card is not None
        if (card := self.card) is not None and not context.has_frontend():
            # The card tells the states between. VS Code takes each update of a display for an execution:
            # the cell spins, and loses the time that it took. That a run waits for its user is no such state.
            return card.model_id, hindered
        return tuple(
            (
                row.run_id,
                row.revision,
                row.state not in SETTLED and row.owner is not None,
                waits,
                view.clip is not None and (view.clip.file, view.clip.preview is not None),
            )
            for row, view, waits in zip(rows, self.views, hindered, strict=True)
        )

    def bundle(self) -> dict[str, Any]:
        """Return the bundle, with the live card if there is one."""
        card = self.card
        return bundle(self.views, card_model_id=card.model_id if card else None)

    def after_put(self) -> None:
        """Close the card of runs that have ended."""
        if not self._active and self._card is not None:
            self._card.close()
            self._card = None

    def prepare(self) -> bool:
        """Make the previews that the output holds once all of its runs have ended."""
        return not self._active and self._place.make_previews(
            [self._engine.row(run.run_id) for run in self._runs]
        )

    def tick_s(self) -> float | None:
        """Return the seconds until the next few clocks are set."""
        if self._card is None:
            return None
        turns = math.ceil(len(self._runs) / _CLOCKS_AT_ONCE)
        return max(_TICK_S, live_output.clocks() / _CLOCKS_A_SECOND) / turns

    def tick(self) -> bool:
        """Set the clocks of the next few runs' cards, which the bundle does not have."""
        if self._card is not None:
            first = self._turn * _CLOCKS_AT_ONCE
            some = self._runs[first : first + _CLOCKS_AT_ONCE]
            rows = [self._engine.row(run.run_id) for run in some]
            self._card.update(self._views(rows, first=first), first)
            self._turn = 0 if first + _CLOCKS_AT_ONCE >= len(self._runs) else self._turn + 1
        return False

    def _views(self, rows: Sequence[Row], *, first: int = 0) -> list[RunView]:
        views = [
            RunView.of(
                row,
                self._engine,
                self._place.base,
                timing=self._timings[row.run_id],
                # Once, at the end: each update sends the whole bundle.
                inside=Inside() if self._active else self._place.inside(row),
                poster=self._poster(row),
                saved=row.run_id in self._saved,
                player_width=Hailuo.instance().player_width,
                first_frame=self._first_frame(row),
            )
            for row in rows
        ]
        host, name = self._place.host, self._place.notebook.name
        if first == 0 and views[0].live and (remark := comm.remark(self, host, name)):
            views[0] = replace(views[0], hint=f"{views[0].hint} {remark}".strip())
        return views

    def _poster(self, row: Row) -> bytes | None:
        if row.state is State.COMPLETED and row.run_id not in self._posters:
            self._posters[row.run_id] = poster(row)
        return self._posters.get(row.run_id)

    def _first_frame(self, row: Row) -> str:
        """Return a picture of the first frame for the live card; empty where there is none."""
        if row.state in SETTLED or not (self._wants_card or self._card):
            return ""
        if row.run_id not in self._frames:
            self._frames[row.run_id] = frame_poster(row)
        picture = self._frames[row.run_id]
        return data_uri(picture) if picture else ""


def _make_card(views: Sequence[RunView]) -> Card | None:
    try:
        from hailuo_jupyter.kernel.display.card import Card
    except ImportError:  # a kernel without ipywidgets: the bundle alone follows the run
        logger.debug("there is no live card without ipywidgets")
        return None
    return Card(views)
