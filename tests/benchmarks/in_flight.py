"""Row 5: 10, 100 and 1,000 runs in flight in one kernel, as a curve, beside segmind's waiting threads.

The time that a job takes is set to be a minute or two on both sides, so that looks come thick. What a
kernel takes for each look is its CPU time less that of an idle one, over the looks that the server has
seen. The bare GET is httpx's asynchronous client on a kept connection, in the same kernel, to the same
address, fifty times a second at most: it wakes for each, as looks do.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from bench import KEYS, Figure, Kernel, p99, simulated

_TAKES_S = {10: 40.0, 100: 40.0, 1000: 120.0}

_SETUP = """
import psutil, time, hailuo_jupyter as h
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.states import State
timings.DEFAULT = timings.Timings(expected_duration=DurationEstimate({takes}, 0.2))
process = psutil.Process()

def cpu():
    spent = process.cpu_times()
    return spent.user + spent.system

def memory():
    import gc
    gc.collect()
    return process.memory_info().rss
"""

_BARE = """
import asyncio, httpx, os, threading
def bare(path, key, times):
    async def ask():
        async with httpx.AsyncClient(base_url=os.environ["SEGMIND_BASE_URL"]) as client:
            for count in (20, times):
                before = cpu()
                for _ in range(count):
                    await asyncio.sleep(0.02)  # as looks come: one by one
                    answer = await client.get(path, headers={"x-api-key": key})
                    answer.json()
            spent.append((cpu() - before) / times)
    spent = []
    thread = threading.Thread(target=lambda: asyncio.run(ask()))
    thread.start()
    thread.join()
    return spent[0]
"""

_SEGMIND = """
import os, threading
from segmind import SegmindClient
client = SegmindClient(base_url=os.environ["SEGMIND_BASE_URL"] + "/v1")
jobs = [client.submit_async("minimax-hailuo-2", **body) for _ in range(count)]
for job in jobs:
    threading.Thread(target=job.wait, kwargs={"timeout": 900, "interval": 2.0}, daemon=True).start()
len(jobs)
"""


@dataclass
class Flight:
    """What was measured of so many runs at once."""

    runs: int
    cpu_ms: float
    bare_ms: float
    looks: int
    kb_a_run: float
    delays_s: list[float]
    echo_idle_ms: list[float]
    echo_ms: list[float]


def echoes(kernel: Kernel, times: int) -> list[float]:
    """Run ``1+1`` again and again, as fast as a person might; gives milliseconds."""
    found = []
    for _ in range(times):
        found.append(kernel.seconds("1+1") * 1e3)
        kernel.wait(0.02)
    return found


def _looks(url: str) -> list[dict[str, object]]:
    entries = httpx.get(f"{url}/_sim/requests", timeout=60).json()["requests"]
    return [each for each in entries if each["stage"] == "status"]


def _place(kernel: Kernel, runs: int, *, cards: bool) -> None:
    for number in range(0, runs, 20):
        count = min(20, runs - number)
        if cards:
            kernel.seconds(f"%%hailuo --provider segmind --count {count}\nheron {number}")
        else:
            kernel.value(
                f"_ = h.generate('heron {number}', 'segmind', count={count})\n0", timeout=120
            )


def flight(runs: int, *, cards: bool, echo: int, seconds: float, folder: Path) -> Flight:
    """Have so many runs under way in a kernel, and look at it meanwhile."""
    takes = _TAKES_S[runs]
    options = {"segmind_seconds": takes, "queue_share": 0.0}
    with simulated(**options) as env, Kernel(folder, env) as kernel:
        url, key = env["HAILUO_SIMULATOR_URL"], KEYS["SEGMIND_API_KEY"]
        kernel.value(_SETUP.replace("{takes}", str(takes)) + _BARE + "0")
        kernel.seconds("%load_ext hailuo_jupyter")
        kernel.value("_ = h.generate('the first', 'segmind')\n_.status == 'submitted'")
        job = httpx.get(f"{url}/_sim/ledger").json()["jobs"][0]["id"]
        bare = kernel.value(f"bare('/v2/requests/{job}/status', {key!r}, 300)")
        before, idle_echo = kernel.value("memory()"), echoes(kernel, echo)
        idle = kernel.value("cpu()")
        time.sleep(3.0)
        idle = (kernel.value("cpu()") - idle) / 3.0
        _place(kernel, runs, cards=cards)
        kernel.value(
            "from hailuo_jupyter.engine import process as here\nengine = here.get_engine()\n0"
        )
        while not kernel.value("all(row.state == 'generating' for row in engine.events.rows())"):
            time.sleep(0.5)  # what is measured are looks that tell nothing new: most of all
        begun, seen, spent = time.monotonic(), len(_looks(url)), kernel.value("cpu()")
        busy_echo = echoes(kernel, echo) if cards else []
        time.sleep(max(0.0, seconds - (time.monotonic() - begun)))
        spent = kernel.value("cpu()") - spent - idle * (time.monotonic() - begun)
        looks = len(_looks(url)) - seen
        size = (kernel.value("memory()") - before) / runs / 1e3
        delays = [] if cards else _delays(kernel, url, takes)
    return Flight(
        runs, spent / max(looks, 1) * 1e3, bare * 1e3, looks, size, delays, idle_echo, busy_echo
    )


def _delays(kernel: Kernel, url: str, takes: float) -> list[float]:
    """Wait for every clip; gives how long after its job's end each was on the disk, in seconds."""
    done = "all(row.state == 'completed' for row in engine.events.rows())"
    while not kernel.value(done):
        time.sleep(1.0)
    ended = kernel.value(
        "{row.job_id: row.record.entered(State.COMPLETED) for row in engine.events.rows()}"
    )
    jobs = httpx.get(f"{url}/_sim/ledger", timeout=60).json()["jobs"]
    return [ended[job["id"]] - job["time"] - takes for job in jobs if job["id"] in ended]


def threads(count: int, seconds: float, echo: int, folder: Path) -> Flight:
    """Have segmind's own client wait in so many threads."""
    from bench import BODY

    with simulated(segmind_seconds=600.0) as env, Kernel(folder, env) as kernel:
        kernel.value(_SETUP.replace("{takes}", "600.0") + "import segmind\n0")
        before, idle_echo = kernel.value("memory()"), echoes(kernel, echo)
        kernel.value(f"body, count = {BODY!r}, {count}\n{_SEGMIND}", timeout=300)
        url = env["HAILUO_SIMULATOR_URL"]
        begun, seen, spent = time.monotonic(), len(_looks(url)), kernel.value("cpu()")
        time.sleep(seconds)
        spent = kernel.value("cpu()") - spent
        looks = len(_looks(url)) - seen
        assert time.monotonic() > begun
        size = (kernel.value("memory()") - before) / count / 1e3
        return Flight(
            count, spent / max(looks, 1) * 1e3, 0.0, looks, size, [], idle_echo,
            echoes(kernel, echo // 4),
        )  # fmt: skip


def measure(*, full: bool) -> list[Figure]:
    """Fly the curve, then the same with cards, then segmind's threads."""
    figures: list[Figure] = []
    seconds, echo = (20.0, 400) if full else (12.0, 200)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for runs in (10, 100, 1000):
            each = flight(runs, cards=False, echo=0, seconds=seconds, folder=folder / f"{runs}")
            ratio, late = each.cpu_ms / each.bare_ms, p99(each.delays_s)
            figures += [
                Figure(5, f"{runs:,} runs: CPU for each of {each.looks} looks; a bare GET", each.cpu_ms,
                       each.bare_ms, "ms", "at most 1.5 bare GETs", ratio <= 1.5),
                Figure(5, f"{runs:,} runs: memory for each", each.kb_a_run, None, "kB",
                       "at most 100 kB", each.kb_a_run <= 100 if runs > 10 else None),
                Figure(5, f"{runs:,} runs: end to clip on disk, p99", late, None, "s"),
            ]  # fmt: skip
        cards = flight(100, cards=True, echo=echo, seconds=seconds, folder=folder / "cards")
        ours, idle = p99(cards.echo_ms), p99(cards.echo_idle_ms)
        figures += [
            Figure(5, "100 runs with cards: 1+1, p99; idle kernel", ours, idle, "ms",
                   "at most 1.5 times an idle kernel's", ours <= 1.5 * idle),
        ]  # fmt: skip
        peer = threads(1000, seconds, echo, folder / "segmind")
        last = figures[6]
        figures += [
            Figure(5, "1,000 beside segmind's threads: CPU for each look", last.ours, peer.cpu_ms,
                   "ms"),
            Figure(5, "1,000 beside segmind's threads: memory for each", figures[7].ours,
                   peer.kb_a_run, "kB"),
            Figure(5, "segmind's 1,000 threads: 1+1, p99; idle kernel", p99(peer.echo_ms),
                   p99(peer.echo_idle_ms), "ms"),
        ]  # fmt: skip
    return figures
