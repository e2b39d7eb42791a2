"""A sweep's contact sheet as the content of an output."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.kernel.context import Frontend
from hailuo_jupyter.kernel.display.live_output import (
    DisplayHandle,
    LiveOutput,
    new_display_id,
    register_renderer,
)
from hailuo_jupyter.kernel.sweep.sheet import Sheet, bundle
from hailuo_jupyter.kernel.sweep.sheet_views import views

#: Seconds between checks of a sweep that is being sent, whose clips may wait without any change.
_LOOK_S = 2.0


class HasSheet(Protocol):
    """The part of a sweep that its output uses."""

    @property
    def sweep_id(self) -> str:
        """Its id."""

    @property
    def engine(self) -> Engine:
        """The engine that has its runs."""

    @property
    def done(self) -> bool:
        """Whether nothing changes without user action."""

    def sheet(self) -> Sheet:
        """Return the current content of its contact sheet."""


def new_handle(frontend: Frontend, sweep_id: str) -> DisplayHandle:
    """Return the place for a sweep's sheet in the running cell."""
    return DisplayHandle(frontend, new_display_id("sheet", [sweep_id]))


class SheetContent:
    """The sheet of a sweep, with all its runs, whose number grows while it is sent.

    Parameters
    ----------
    sweep
        The sweep to show.
    base
        The folder to which links are relative; None if no link resolves.
    """

    #: A whole sheet is sent each time.
    pause_s = 0.7
    #: An executor stores each update in the file; intermediate ones are useless.
    shows_progress = False
    run_ids = None
    clocks = 0

    def __init__(self, sweep: HasSheet, base: Path | None) -> None:
        self._sweep, self._base = sweep, base
        self._sheet = sweep.sheet()

    @property
    def done(self) -> bool:
        """Whether nothing changes without user action."""
        return self._sweep.done

    def update(self) -> object:
        """Ask the sweep for its sheet; return the inputs of the bundle."""
        sheet = self._sheet = self._sweep.sheet()
        rows = [self._sweep.engine.row(run_id) for run_id in sheet.runs]
        hindered = [self._sweep.engine.hindrance(row.run_id) is not None for row in rows]
        return (
            tuple(
                (row.run_id, row.revision, row.owner is not None, waits)
                for row, waits in zip(rows, hindered, strict=True)
            ),
            tuple((cell.waits, cell.problem) for cell in sheet.cells),
            sheet.sending,
            sheet.price,
        )

    def bundle(self) -> dict[str, Any]:
        """Return the sheet's bundle. Blocks while posters of finished clips are made."""
        return bundle(self._sheet, views(self._sweep.engine, self._sheet.runs, self._base))

    def after_put(self) -> None:
        """Do nothing: a sheet has no card."""

    def prepare(self) -> bool:
        """Return False: clips are linked or shown as posters. A sheet has too many to embed them."""
        return False

    def tick_s(self) -> float | None:
        """Return the seconds until the next check; None if nothing changes without user action."""
        return None if self.done else _LOOK_S

    def tick(self) -> bool:
        """Return True: a sheet has no clocks, but waiting points may have been blocked or sent."""
        return True


class SheetOutput(LiveOutput):
    """One display of a sweep.

    Parameters
    ----------
    sweep
        The sweep to show.
    frontend
        The front end.
    base
        The notebook's folder.
    handle
        Handle of an existing output; None for a new one in the running cell.
    """

    def __init__(
        self,
        sweep: HasSheet,
        frontend: Frontend,
        base: Path | None,
        *,
        handle: DisplayHandle | None = None,
    ) -> None:
        content = SheetContent(sweep, base)
        super().__init__(sweep.engine, content, handle or new_handle(frontend, sweep.sweep_id))
        self._sweep, self._base = sweep, base
        self._unregister = register_renderer(self._render)

    def stop(self) -> None:
        """Stop updating the output."""
        self._unregister()
        super().stop()

    def _render(self, run_ids: tuple[str, ...]) -> dict[str, Any] | None:
        sheet = self._sweep.sheet()
        if not run_ids or not set(run_ids) <= set(sheet.runs):
            return None
        return bundle(sheet, views(self._sweep.engine, sheet.runs, self._base))
