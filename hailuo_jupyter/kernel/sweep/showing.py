"""A sweep's sheet in a cell's output, kept true while its runs go on."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from hailuo_jupyter.engine import waiting
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel import outputs
from hailuo_jupyter.kernel.origin import Audience
from hailuo_jupyter.kernel.sweep.sheet import Sheet, bundle
from hailuo_jupyter.kernel.sweep.views import views

logger = logging.getLogger(__name__)

#: Seconds between two updates at least: a whole sheet is sent each time.
_REST_S = 0.7


class Shown(Protocol):
    """What a sheet is of, as far as its display has to do with it: a sweep."""

    @property
    def engine(self) -> Engine:
        """Who knows its runs."""

    @property
    def done(self) -> bool:
        """Whether nothing more happens by itself."""

    def sheet(self) -> Sheet:
        """Give what its contact sheet shows now."""


class SheetShowing:
    """One display of a sweep.

    Parameters
    ----------
    sweep
        What is shown.
    audience
        Who reads.
    base
        The notebook's folder.
    display_id
        Of an output that is there already; None for a new one in the running cell.
    """

    def __init__(
        self, sweep: Shown, audience: Audience, base: Path, *, display_id: str | None = None
    ) -> None:
        self._sweep, self._audience, self._base = sweep, audience, base
        self._there, self._display_id = display_id is not None, display_id or uuid4().hex
        self._shown: object = None
        self._lock = threading.Lock()
        self._following: Future[None] | None = None
        self._leave = outputs.within(self._drawn)

    def open(self) -> None:
        """Show the sheet, and keep it true from now on; call it in the cell's context."""
        self._refresh()
        if self._audience is Audience.FRONT_END:
            self._following = self._sweep.engine.spawn(self._keep_up())

    def stop(self) -> None:
        """Keep the output up to date no longer."""
        self._leave()
        if self._following is not None:
            self._following.cancel()

    def follow(self) -> None:
        """Wait, on the main thread, until the sweep has ended, updating the output meanwhile."""
        waiting.block_until(self._refreshed)
        self._refresh()

    def _refreshed(self) -> bool:
        # An executor keeps each update in the file's place; what is between the ends is for nobody.
        return self._sweep.done

    def _drawn(self, ids: tuple[str, ...]) -> dict[str, Any] | None:
        sheet = self._sweep.sheet()
        if not ids or not set(ids) <= set(sheet.runs):
            return None
        return bundle(sheet, views(self._sweep.engine, sheet.runs, self._base))

    def _refresh(self) -> None:
        with self._lock:
            sheet, engine = self._sweep.sheet(), self._sweep.engine
            rows = [engine.row(run_id) for run_id in sheet.runs]
            key = (
                tuple((row.run_id, row.revision, row.owner is not None) for row in rows),
                tuple((cell.waits, cell.problem) for cell in sheet.cells),
                sheet.sending,
            )
            if key == self._shown:
                return
            self._shown = key
            self._put(bundle(sheet, views(engine, sheet.runs, self._base)))

    def _put(self, data: dict[str, Any]) -> None:
        from IPython.display import display, update_display

        if self._audience is Audience.TERMINAL:
            print(data["text/plain"])  # noqa: T201 - a terminal's display, on the main thread
        elif not self._there:
            self._there = True
            display(data, raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]
        else:
            try:
                update_display(data, raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]
            except LookupError:
                # ipykernel 7.0 has no parent header outside a cell; the next update may have one.
                logger.debug("the sheet %s was not updated", self._display_id)

    async def _keep_up(self) -> None:
        wake, loop = asyncio.Event(), asyncio.get_running_loop()

        def heard(_row: object) -> None:
            with suppress(RuntimeError):  # the engine has ended
                loop.call_soon_threadsafe(wake.set)

        leave = self._sweep.engine.board.listen(None, heard)
        try:
            while True:
                wake.clear()
                await asyncio.to_thread(self._refresh)
                await asyncio.sleep(_REST_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), None if self._sweep.done else 2.0)
        except Exception:
            logger.exception("a sheet could not be kept up to date")
        finally:
            leave()
