"""How soon the page shows what has happened: from a state in the run log to the page, and to a frame.

    python tests/benchmarks/page_delay.py [--runs 6] [--json FILE]

Real cells run in JupyterLab against the simulator. Two delays are measured, with the epoch clocks of
one machine: from a state's commit in the run log (the time that the transition itself has there) to
the moment the page shows it in words, and from `completed` to the clip's first frame in the page's
video (readyState 2 or more), which is loaded as soon as it is there.

`preload="none"` stays as it is for a person, who fetches the clip by playing it.

As row 4 of the suite: clips of 6 s at 1080P, from the moment the job's end is known to that first
frame, beside what the bare download of the same clip takes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS.parent))

import httpx  # noqa: E402
from bench import Figure  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from hailuo_jupyter.states import State  # noqa: E402
from tests.simulator import Simulator, SimulatorOptions  # noqa: E402
from tests.support.browser_fixture import Lab, Server  # noqa: E402

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

#: States that last long enough to be shown at all.
_SEEN = (State.SUBMITTED, State.QUEUED, State.GENERATING, State.COMPLETED)

#: Notes each text of the outputs' states with the time, and when a video has its first frame.
_WATCH = """
window.shown = [];
window.frames_ = [];
const look = () => {
  const now = performance.timeOrigin + performance.now();
  panel.node.querySelectorAll('.jp-Cell').forEach((cell, at) => {
    const output = cell.querySelector('.hailuo-output');
    if (!output) return;
    const live = output.classList.contains('hailuo-mod-live');
    const node = output.querySelector(live ? '.hailuo-state' : '.hailuo-static strong');
    const state = node?.textContent?.trim();
    const last = window.shown.filter(each => each[0] === at).pop();
    if (state && last?.[1] !== state) window.shown.push([at, state, now]);
    const video = output.querySelector('video');
    if (video && !video.dataset.watched) {
      video.dataset.watched = 'true';
      video.addEventListener('loadeddata', () =>
        window.frames_.push([at, performance.timeOrigin + performance.now()]));
      video.preload = 'auto';
      video.load();
    }
  });
};
new MutationObserver(look).observe(panel.node, {
  subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['class']
});
"""


def measured(
    browser: Browser, server: Server, runs: int, asked: str = "--provider demo"
) -> dict[str, list[float]]:
    """Run cells, and give the delays in milliseconds, by what was waited for."""
    cells = [
        f"%%hailuo {asked}\nA heron lifts off a lake, take {number}." for number in range(runs)
    ]
    path = server.write("delay.ipynb", ["%load_ext hailuo_jupyter", *cells])
    delays: dict[str, list[float]] = {"state": [], "first frame": [], "since known": []}
    with Lab(browser, server, path, height=4000) as lab:
        lab.js(_WATCH)
        lab.run(0)
        for cell in range(1, runs + 1):
            lab.run(cell)
            lab.until_state("completed", cell)
            lab.until(
                lambda cell=cell: any(each[0] == cell for each in lab.js("return window.frames_;")),  # type: ignore[misc]
                "the clip has a frame",
            )
        shown, frames = lab.js("return [window.shown, window.frames_];")
        for cell in range(1, runs + 1):
            times = at_commit(lab.record(cell))
            for at, words, when in shown:
                state = next((each for each in _SEEN if each.words == words), None)
                if at == cell and state in times:
                    delays["state"].append(when - times[state])
            first = min(when for at, when in frames if at == cell)
            delays["first frame"].append(first - times[State.COMPLETED])
            delays["since known"].append(first - times[State.DOWNLOADING])
    server.shut_down_kernels()
    return delays


def at_commit(record: dict[str, Any]) -> dict[State, float]:
    """Return when each state was entered, in milliseconds since 1970."""
    return {
        State(name): datetime.fromisoformat(moment).timestamp() * 1000
        for name, moment in record["times"].items()
    }


@contextmanager
def in_lab(options: SimulatorOptions) -> Iterator[tuple[Browser, Server, Simulator]]:
    """Run JupyterLab beside a simulator, with a browser."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with Simulator(options) as simulator, tempfile.TemporaryDirectory() as folder:
        env = {
            "HAILUO_RUN_LOG": str(Path(folder) / "log" / "runs.sqlite3"),
            "HAILUO_LOOPBACK_ONLY": "1",
            "HAILUO_SIMULATOR_URL": simulator.url,
            **simulator.environment(),
        }
        with Server(Path(folder) / "lab", env) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
            yield browser, server, simulator
            browser.close()


def measure(*, full: bool) -> list[Figure]:
    """Return row 4 of the suite."""
    options = SimulatorOptions(
        seed=7, sigma=0.0, variants=1, min_polls=0, aimlapi_6s_seconds=1.0, balance=1e6
    )
    with in_lab(options) as (browser, server, simulator):
        asked = "--provider aimlapi --resolution 1080P --duration 6"
        known = measured(browser, server, 8 if full else 4, asked)["since known"]
        clips = [each for each in simulator.requests if each.stage == "media"]
        url = f"{simulator.url}{clips[-1].path}?{clips[-1].query}"
        bare = list[float]()
        for _ in known:
            began = time.perf_counter()
            with httpx.Client(verify=False) as client:
                client.get(url).raise_for_status()
            bare.append((time.perf_counter() - began) * 1000)
    ours, peer = statistics.median(known), statistics.median(bare)
    more = (ours - peer) / 1000
    return [
        Figure(4, "end known to first frame in the page; the bare download", ours, peer, "ms",
               f"at most 0.5 s over the download (here {more:.2f})", more <= 0.5)
    ]  # fmt: skip


def main() -> None:
    """Measure, and print."""
    reader = argparse.ArgumentParser(description="from the run log to the page")
    reader.add_argument("--runs", type=int, default=6, help="each has about four states to be seen")
    reader.add_argument("--json", type=Path, help="write every delay to this file")
    given = reader.parse_args()
    options = SimulatorOptions(speed=50.0, seed=7, sigma=0.0, variants=1, shrink=4)
    with in_lab(options) as (browser, server, _):
        delays = measured(browser, server, given.runs)
    sys.stdout.write(f"{'delay to':<12} {'count':>6} {'median ms':>10} {'max ms':>8}\n")
    for name, found in delays.items():
        sys.stdout.write(
            f"{name:<12} {len(found):>6} {statistics.median(found):>10.0f} {max(found):>8.0f}\n"
        )
    if given.json:
        given.json.write_text(json.dumps(delays, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
