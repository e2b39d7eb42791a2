"""Row 6: how long after a job's end its clip is on the disk, while the kernel is busy with a cell.

With a loop of Python, which gives the interpreter away every 5 ms, and with one long call into C that
keeps it: nothing in the process runs meanwhile, so the clip comes when the call has ended.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import httpx
from bench import Figure, Kernel, median, simulated

_SETUP = """
import time, hailuo_jupyter as h
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.states import State
timings.DEFAULT = timings.Timings(expected_duration=DurationEstimate({takes}, 0.1))
began = time.perf_counter(); sum(range(10_000_000)); per_call = time.perf_counter() - began
0
"""

_IDLE = "time.sleep(0)"
_LOOP = (
    "end = time.monotonic() + {busy}\nwhile time.monotonic() < end: sum(i * i for i in range(100))"
)
#: The sum of a range is one call into C, which looks at no other thread.
_CALLS = "_ = [sum(range(int(10_000_000 * 3.0 / per_call))) for _ in range({calls})]"


def delay(cell: str, takes: float, runs: int, folder: Path) -> list[float]:
    """Run a cell while clips are made; gives the seconds from each job's end to its clip."""
    with simulated(segmind_seconds=takes) as env, Kernel(folder, env) as kernel:
        kernel.value(_SETUP.format(takes=takes))
        kernel.value(f"runs = [h.generate(f'heron {{n}}', 'segmind') for n in range({runs})]\n0")
        kernel.run(cell, timeout=300)
        while not kernel.value("all(run.done for run in runs)"):
            time.sleep(0.2)
        times = kernel.value("{r.record.job.id: r.record.entered(State.COMPLETED) for r in runs}")
        jobs = httpx.get(f"{env['HAILUO_SIMULATOR_URL']}/_sim/ledger").json()["jobs"]
        return [times[job["id"]] - job["time"] - takes for job in jobs]


def measure(*, full: bool) -> list[Figure]:
    """Do nothing, compute, and call, in turn."""
    busy = 60.0 if full else 14.0
    takes, call_s = busy / 2.0, 3.0
    found: dict[str, list[float]] = {"idle": [], "loop": [], "calls": []}
    with tempfile.TemporaryDirectory() as name:
        cells = {
            "idle": _IDLE,
            "loop": _LOOP.format(busy=busy),
            "calls": _CALLS.format(calls=int(busy / call_s)),
        }
        for turn in range(2):
            for kind, cell in cells.items():
                found[kind] += delay(cell, takes, 3, Path(name) / f"{kind}{turn}")
    idle, loop = median(found["idle"]), median(found["loop"])
    later, bound = loop - idle, idle + 2 * call_s
    return [
        Figure(6, f"busy {busy:g} s in Python: end to clip on disk; idle", loop, idle, "s",
               f"within 1 s of idle (here {later:+.2f} s)", later <= 1.0),
        Figure(6, f"busy {busy:g} s in calls of {call_s:g} s into C; idle", max(found["calls"]), idle, "s",
               "bounded by the call: two of them", max(found["calls"]) <= bound),
    ]  # fmt: skip
