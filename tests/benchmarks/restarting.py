"""Row 10: from a new kernel's `%load_ext` until 500 unfinished runs are all watched again."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from bench import Figure, Kernel, median, simulated

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.states import State

_RUNS = 500

#: All are watched when each has a hand that rests until its next look.
_WATCHED = f"""
import threading, time
found = []
began = time.perf_counter()
%load_ext hailuo_jupyter
from hailuo_jupyter.engine import process
while process.started() is None or len(process.started().active_runs()) < {_RUNS}:
    time.sleep(0.01)
time.perf_counter() - began
"""


def left_behind(path: Path, folder: Path) -> None:
    """Write a log as a kernel leaves it that was killed with clips under way."""
    provider = catalogue.provider("segmind")
    with RunLog(path) as log, log.exclusive():
        for number in range(_RUNS):
            asked = request.build(f"A heron lifts off lake {number}.", provider, options={})
            at = time.time()
            record = prepare(asked, provider, origin={"notebook_id": "n"}, at=at)
            record = record.moved(State.SUBMITTING, at=at).moved(
                State.SUBMITTED, at=at, job={"id": f"job-{number}"}
            )
            dead = f"{os.getpid()}-00000000"
            log.insert(record, folder=folder, kind=asked.kind, owner=dead)


def measure(*, full: bool) -> list[Figure]:
    """Load the extension in new kernels, each beside such a log."""
    found = []
    with simulated() as env, tempfile.TemporaryDirectory() as name:
        for turn in range(5 if full else 3):
            folder = Path(name) / f"{turn}"
            left_behind(folder / "log" / "runs.sqlite3", folder / "hailuo")
            with Kernel(folder, env) as kernel:
                kernel.run("1 + 1")
                found.append(kernel.value(_WATCHED))
    seconds = median(found)
    what = f"restart until {_RUNS} runs are watched again"
    return [Figure(10, what, seconds, None, "s", "at most 2 s", seconds <= 2.0)]
