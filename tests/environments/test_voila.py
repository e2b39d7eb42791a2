"""Voila: runs in an environment of its own, made from `voila.txt` by `.ci/run`.

pytest -c /dev/null --noconftest tests/environments/test_voila.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

# Behind the environment's own packages, so that what is installed there is what is tested.
sys.path.append(str(Path(__file__).parents[2]))

from tests.simulator import Simulator, SimulatorOptions
from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, PATIENCE, until
from tests.support.held_jobs import holding
from tests.support.ports import free_port

expect.set_options(timeout=PATIENCE * 1000)


class Voila:
    """Voila with one notebook, which it runs anew for each page.

    Parameters
    ----------
    folder
        For the notebook and all that is written.
    simulator
        Makes the clips.
    cells
        The notebook's.
    """

    def __init__(self, folder: Path, simulator: Simulator, *cells: str) -> None:
        self.folder = folder
        notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, folder / "dashboard.ipynb")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = (folder / "voila.log").open("wb")
        environ = {
            **os.environ,
            **simulator.environment(),
            "HAILUO_SIMULATOR_URL": simulator.url,
            "HAILUO_LOOPBACK_ONLY": "1",
            "HAILUO_RUN_LOG": str(folder / "log" / "runs.sqlite3"),
            "HAILUO_PROVIDER": "demo",
        }
        environ.pop("JPY_SESSION_NAME", None)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "voila", "dashboard.ipynb"),
                *("--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"),
            ],
            cwd=folder, env=environ, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        until(self._answers, "Voila answers")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/voila/static/", timeout=1).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=list(CHROMIUM_ARGUMENTS),
        )
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    context.close()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    options = SimulatorOptions(speed=50.0, seed=7, sigma=0.0, variants=1, shrink=4)
    with Simulator(options) as running:
        yield running


def plays(video: Locator, page: Page) -> None:
    """Check that a clip is on the page, in the output itself, and can be played."""
    expect(video).to_be_visible()
    assert (video.get_attribute("src") or "").startswith("data:video/mp4;base64,")
    video.evaluate("video => { video.preload = 'auto'; video.load(); }")
    until(
        lambda: video.evaluate("video => video.readyState >= 2"),
        "the clip has a frame",
        lambda: page.wait_for_timeout(100),
    )
    assert abs(video.evaluate("video => video.duration") - 6) < 0.2


def test_the_panel_submits_shows_its_card_and_plays_the_clip(
    page: Page, simulator: Simulator, tmp_path: Path
) -> None:
    prompt = "A heron lifts off a lake, by the dashboard."
    let_go = holding(simulator, prompt)
    with Voila(tmp_path, simulator, "import hailuo_jupyter\nhailuo_jupyter.panel()") as voila:
        page.goto(voila.url)
        form = page.locator(".hailuo-panel")
        form.get_by_label("Prompt", exact=True).fill(prompt)
        form.locator("button.hailuo-generate").click()
        slot = form.locator(".hailuo-slot").first
        expect(slot.locator(".hailuo-clock")).to_be_visible()
        until(
            lambda: simulator.ledger.jobs,
            "the request has arrived",
            lambda: page.wait_for_timeout(100),
        )
        let_go()
        plays(slot.locator("video"), page)
    assert len(simulator.ledger.jobs) == 1
    assert len(list(tmp_path.glob("hailuo/*.mp4"))) == 1


def test_a_page_does_not_wait_for_a_clip_and_shows_it_when_it_is_there(
    page: Page, simulator: Simulator, tmp_path: Path
) -> None:
    prompt = "A kite rises, on the page."
    let_go = holding(simulator, prompt)
    cells = ["%load_ext hailuo_jupyter", f"%%hailuo\n{prompt}", "print('the cell' + ' below')"]
    with Voila(tmp_path, simulator, *cells) as voila:
        page.goto(voila.url)
        # The page is there, and its last cell has run, while the clip is still being made.
        expect(page.get_by_text("the cell below")).to_be_visible()
        expect(page.locator(".hailuo-clock")).to_be_visible()
        assert not list(tmp_path.glob("hailuo/*.mp4"))
        let_go()
        plays(page.locator("video"), page)
        # A reload runs the notebook again, which buys nothing.
        page.reload()
        plays(page.locator("video"), page)
        assert len(simulator.ledger.jobs) == 1


def test_a_sheet_goes_on_after_the_page_was_drawn(
    page: Page, simulator: Simulator, tmp_path: Path
) -> None:
    prompt = "A lantern swings."
    holding(simulator, prompt)  # the one that is sent first
    cell = f"%%hailuo --yes --sweep mode=standard,pro\n{prompt}"
    with Voila(tmp_path, simulator, "%load_ext hailuo_jupyter", cell) as voila:
        page.goto(voila.url)
        expect(page.get_by_text("1 of 2 completed")).to_be_visible()
        simulator.advance(2000.0)
        expect(page.get_by_text("2 of 2 completed")).to_be_visible()
