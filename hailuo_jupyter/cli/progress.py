"""Progress display: a live table in a terminal, one line per change elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hailuo_jupyter.formatting import escape_control, shorten
from hailuo_jupyter.ipynb.events import CellBegins, Event, KernelStarts, RunMoved, WaitBegins
from hailuo_jupyter.record import Record
from hailuo_jupyter.states import FINAL, State

_COLOURS = {
    State.COMPLETED: "green",
    State.FAILED: "red",
    State.REJECTED: "red",
    State.EXPIRED: "red",
    State.UNCONFIRMED: "yellow",
    State.UNDOWNLOADED: "yellow",
}


class Progress:
    """Shows events as they arrive; a context manager.

    Parameters
    ----------
    console
        Where to print; standard output if None.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._began = time.monotonic()
        self._doing = ""
        self._runs: dict[str, tuple[Record, float, float | None]] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._table,
                console=self._console,
                refresh_per_second=4,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._doing = ""
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case KernelStarts(name):
                self._do(f"Starting kernel {escape_control(name)}")
            case CellBegins(number, of, line):
                self._do(f"Cell {number} of {of}: {shorten(escape_control(line), 60)}")
            case WaitBegins():
                self._do("All cells have run; waiting for clips")
            case RunMoved(record):
                self._moved(record)

    def _do(self, text: str) -> None:
        self._doing = text
        self._line(text)

    def _moved(self, record: Record) -> None:
        now = time.monotonic()
        _, since, _ = self._runs.get(record.run_id, (record, now, None))
        self._runs[record.run_id] = (record, since, now if record.state in FINAL else None)
        self._line(
            f"Run {record.run_id}: {_words(record.state):<14} {_prompt(record, 44)}".rstrip()
        )

    def _line(self, text: str) -> None:
        if self._live is None:
            # Written at once and never wrapped: a log file is read line by line.
            sys.stdout.write(f"{time.monotonic() - self._began:6.1f} s  {text}\n")
            sys.stdout.flush()

    def _table(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for run_id, (record, since, until) in tuple(self._runs.items()):
            seconds = (until or time.monotonic()) - since
            state = Text(_words(record.state), style=_COLOURS.get(record.state, "cyan"))
            prompt = Text(_prompt(record, 44), style="dim", overflow="ellipsis", no_wrap=True)
            table.add_row(Text(run_id), state, Text(f"{seconds:.0f} s"), prompt)
        seconds = time.monotonic() - self._began
        doing = [Text(f"{self._doing} ({seconds:.0f} s)", style="bold")] if self._doing else []
        return Group(*doing, table)


def _words(state: State) -> str:
    return "Preparing" if state is State.PREPARED else state.words


def _prompt(record: Record, most: int) -> str:
    return shorten(escape_control(record.request.prompt), most)
