"""The process in which one sink lives: ``python -m hailuo_jupyter.sinks.worker NAME LOCK``.

It reads a line of JSON for each run, and answers each with a line: ``{"problem": ""}`` where all went
well. When no more lines come it does what it was given, within bounds, and ends; so a kernel that
ends need not wait for an upload.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hailuo_jupyter import redact

if TYPE_CHECKING:
    from hailuo_jupyter.sinks.base import Sink

#: Seconds that it goes on when whoever started it is gone.
LINGER_S = 60.0

#: Most characters of what a library says of its failure.
_MOST_WORDS = 300


def main(name: str, lock: Path) -> None:
    """Serve until there are no more lines.

    Parameters
    ----------
    name
        The sink.
    lock
        A file that is locked while a run is taken, so that two processes never take one at once.
    """
    lines, answers = _own_streams()
    given: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(lines, given), daemon=True).start()
    sink: Sink | None = None
    while (line := given.get()) is not None:
        problem = ""
        try:
            if sink is None:
                from hailuo_jupyter.sinks.offered import load

                sink = load(name)
            _take(sink, line, lock)
        except Exception as error:  # noqa: BLE001 - whatever a foreign library raises
            problem = _words(error)
        try:
            answers.write(json.dumps({"problem": problem}) + "\n")
            answers.flush()
        except OSError:
            continue  # nobody is there to be told; the rest is done all the same
    if sink is not None:
        sink.close()


def _take(sink: Sink, line: str, lock: Path) -> None:
    from hailuo_jupyter.record import Record
    from hailuo_jupyter.runlog.ownership import alone

    job = json.loads(line)
    with alone(lock):
        sink.ended(Record.from_json(job["record"]), Path(job["folder"]))


def _own_streams() -> tuple[TextIO, TextIO]:
    """Take standard input and output away from libraries, which print and ask."""
    streams = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nothing, each)
    return streams


def _read(lines: TextIO, given: queue.Queue[str | None]) -> None:
    for line in lines:
        if not line.strip():  # the end, told where a fork keeps the pipe open
            break
        given.put(line)
    given.put(None)
    end = threading.Timer(LINGER_S, os._exit, (1,))
    end.daemon = True
    end.start()


def _words(error: Exception) -> str:
    from hailuo_jupyter.errors import HailuoError

    said = " ".join(str(error).split())
    if not isinstance(error, HailuoError):
        said = f"{type(error).__name__}: {said}"
    # Redacted first: a link that is cut in two is no link any more.
    return redact.text(said)[:_MOST_WORDS]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
