"""How long a notebook with many finished runs takes to open, against the same one with plain text.

    python tests/benchmarks/opening.py [--runs 200] [--rounds 7]

Both are opened in JupyterLab in turn, each time in a new browser profile, so that a machine that
gets slower or faster meanwhile does so for both. Opened is a notebook whose first output can be read
on the page, and whose page has time for the first time. What counts is the ratio; the seconds are
this machine's.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS.parent))

from bench import Figure  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from tests.support.browser_fixture import Lab, Server  # noqa: E402
from tests.support.large_notebooks import write_notebooks  # noqa: E402

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

_SETTLED = """
await panel.revealed;
while (!panel.node.querySelector('.jp-OutputArea-output')?.innerText.trim()) {
  await new Promise(done => requestAnimationFrame(done));
}
await new Promise(done => requestIdleCallback(done));
"""


def opening(browser: Browser, server: Server, path: str) -> float:
    """Open a notebook; gives seconds."""
    began = time.perf_counter()
    with Lab(browser, server, path, kernel=False) as lab:
        lab.js(_SETTLED)
        seconds = time.perf_counter() - began
    server.shut_down_kernels()
    return seconds


def compared(runs: int, count: int) -> tuple[list[tuple[float, ...]], list[float]]:
    """Open both notebooks in turn; gives seconds, round by round, and the files' sizes in MB."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder), {"HAILUO_LOOPBACK_ONLY": "1"}) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        paths = write_notebooks(server.root, runs, "opening", (960, 540))
        sizes = [(server.root / path).stat().st_size / 1e6 for path in paths]
        for path in paths:
            opening(browser, server, path)  # the first of each fills the server's caches
        rounds = [tuple(opening(browser, server, path) for path in paths) for _ in range(count)]
        browser.close()
    return rounds, sizes


def measure(*, full: bool) -> list[Figure]:
    """Return row 8 of the suite."""
    rounds, sizes = compared(200, 9 if full else 5)
    runs, text = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio, kb = statistics.median(one / other for one, other in rounds), sizes[0] / 200 * 1e3
    return [
        Figure(8, "notebook's size for a run, poster included", kb, sizes[1] / 200 * 1e3, "kB",
               "at most 28 kB", kb <= 28),
        Figure(8, "opening 200 runs; as many plain texts", runs, text, "s",
               f"at most 1.2 times (here, the rounds' median, {ratio:.2f})", ratio <= 1.2),
    ]  # fmt: skip


def main() -> None:
    """Measure, and print."""
    reader = argparse.ArgumentParser(description="opening time with runs against plain text")
    reader.add_argument("--runs", type=int, default=200)
    reader.add_argument("--rounds", type=int, default=7)
    given = reader.parse_args()
    rounds, sizes = compared(given.runs, given.rounds)
    for runs, text in rounds:
        sys.stdout.write(
            f"{given.runs} runs {runs:5.2f} s   text {text:5.2f} s   ratio {runs / text:.2f}\n"
        )
    runs, text = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(one / other for one, other in rounds)
    sizes_said = f"({sizes[0]:.1f} MB against {sizes[1]:.1f} MB)"
    sys.stdout.write(f"median {runs:.2f} s, {text:.2f} s, ratio {ratio:.2f} {sizes_said}\n")


if __name__ == "__main__":
    main()
