"""The runs below the form, and the one output that holds all: form, cards, records, twin."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ipywidgets import VBox

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.kernel import outputs
from hailuo_jupyter.kernel.bundle import bundle
from hailuo_jupyter.kernel.origin import Place
from hailuo_jupyter.kernel.panel import look
from hailuo_jupyter.kernel.panel.card_slot import Acts, CardSlot

logger = logging.getLogger(__name__)


class Shelf:
    """Cards in a row, the newest first, within one display whose bundle is complete at every moment.

    Parameters
    ----------
    place
        The panel's cell.
    acts
        What the cards' buttons do; its `changed` is this shelf's own.
    embed
        Put the clips themselves into the output.
    """

    def __init__(self, place: Place, acts: Acts, *, embed: bool) -> None:
        self.panel_id = uuid4().hex
        self._place, self._embed = place, embed
        self._acts = Acts(acts.repeat, acts.take, self.publish)
        self._slots: dict[str, CardSlot] = {}
        self._order = 0
        self._root: VBox | None = None
        self._lock, self._publishing = threading.Lock(), threading.Lock()
        # By it ipykernel finds the parent header of what is sent later.
        self._context = contextvars.copy_context()
        self.box: VBox = look.box("hailuo-shelf")
        self._leave = outputs.within(self._drawn)

    def open(self, root: VBox) -> None:
        """Show a widget that holds this shelf, in the running cell.

        Parameters
        ----------
        root
            The whole panel.
        """
        from IPython.display import display

        self._root, self._context = root, contextvars.copy_context()
        display(self._bundle(), raw=True, display_id=self.panel_id)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Follow the runs no longer."""
        self._leave()
        with self._lock:
            slots = tuple(self._slots.values())
        for slot in slots:
            slot.close()

    def add(self, engine: Engine, runs: Sequence[Run], saved: frozenset[str]) -> None:
        """Show runs in front of the others; one that is there already is brought to the front.

        Blocks while pictures of finished clips are made; never called by a handler.

        Parameters
        ----------
        engine, runs
            What is shown.
        saved
            Ids of those that are shown again instead of bought.
        """
        fresh = []
        with self._lock:
            for run in runs:
                slot = self._slots.get(run.run_id)
                if slot is None:
                    slot = CardSlot(
                        engine,
                        run,
                        self._place,
                        self.panel_id,
                        self._acts,
                        saved=run.run_id in saved,
                        embed=self._embed,
                    )
                    fresh.append(slot)
                # In front of the others, and yet no card is taken away and made anew for that: a
                # clip that plays goes on.
                self._order -= 1
                slot.box.layout.order = str(self._order)
                self._slots[run.run_id] = slot
            several = len(self._slots) > 1
        for slot in fresh:
            slot.open()
        with self._lock:
            self.box.children = tuple(slot.box for slot in self._slots.values() if slot.views)
        if self._root is not None and several:
            self._root.add_class("hailuo-mod-several")

    # ── the output ─────────────────────────────────────────────────────────────────────────────

    def _bundle(self) -> dict[str, Any]:
        views = [view for slot in reversed(tuple(self._slots.values())) for view in slot.views]
        model = self._root.model_id if self._root is not None else None
        return bundle(views, card_model_id=model, panel=self.panel_id)

    def _drawn(self, ids: tuple[str, ...]) -> dict[str, Any] | None:
        return self._bundle() if ids and set(ids) <= set(self._slots) else None

    def publish(self) -> None:
        """Bring the cell's output up to date; routed by its display id, from any thread."""
        from IPython.display import update_display

        if self._root is None:
            return
        with self._publishing:  # what is sent last is what is true last
            data = self._bundle()
            try:
                self._context.copy().run(update_display, data, raw=True, display_id=self.panel_id)
            except LookupError:
                # ipykernel 7.0 has no parent header outside a cell; the next update may have one.
                logger.debug("the panel's output was not updated")
