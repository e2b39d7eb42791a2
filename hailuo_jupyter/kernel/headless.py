"""Outputs under `jupyter hailuo execute`: cells return at once, and the end brings all up to date.

nbclient applies an update only while a cell runs, and then to whichever earlier output has its
display id. So the displays are kept here until the last cell asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.display import Showing

_open: list[Showing] = []


def keep(showing: Showing) -> None:
    """Remember a display whose runs have not ended."""
    _open.append(showing)


def bring_up_to_date() -> None:
    """Wait, on the main thread, for the runs of every display that was kept, and update it."""
    while _open:
        _open.pop(0).follow()
