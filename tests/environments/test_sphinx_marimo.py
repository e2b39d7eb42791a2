"""marimo, in the environment of `sphinx.txt`: a run is shown by its own display method.

pytest -c /dev/null --noconftest tests/environments/test_sphinx_marimo.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

# Behind the environment's own packages, so that what is installed there is what is tested.
sys.path.append(str(Path(__file__).parents[2]))

from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, PATIENCE, until
from tests.support.notebook_files import environment, simulator
from tests.support.ports import free_port

NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    from hailuo_jupyter import generate

    run = generate("A heron lifts off a lake.", provider="demo")
    run.wait()
    run
    return
"""


@contextmanager
def marimo(notebook: Path, env: dict[str, str]) -> Iterator[str]:
    """Serve a notebook as marimo's app; gives its address."""
    port = free_port()
    words = ["run", notebook.name, "--headless", "--no-token", "--host=127.0.0.1", f"--port={port}"]
    url = f"http://127.0.0.1:{port}"
    with (notebook.parent / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "marimo", "-y", *words],
            cwd=notebook.parent,
            env={**os.environ, **env, "MARIMO_SKIP_UPDATE_CHECK": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: _answers(url), "marimo answers")
            yield url
        finally:
            server.terminate()
            server.wait(30)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/health", timeout=1).close()
    except OSError:
        return False
    return True


def test_a_run_plays_as_the_value_of_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "clips.py"
    path.write_text(NOTEBOOK)
    names = (os.environ.get("HAILUO_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)))
    with (
        simulator() as sim,
        marimo(path, environment(tmp_path, sim)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_ARGUMENTS))
        page = browser.new_page()
        page.goto(url, wait_until="domcontentloaded")
        video = page.locator("video")
        expect(video).to_be_visible(timeout=PATIENCE * 1000)
        expect(page.get_by_text("A heron lifts off a lake.").first).to_be_visible()
        video.evaluate("video => { video.muted = true; return video.play(); }")
        until(
            lambda: video.evaluate("video => video.readyState >= 2 && video.currentTime > 0"),
            "the clip plays",
            lambda: page.wait_for_timeout(100),
        )
        if folder := os.environ.get("HAILUO_PICTURES"):
            page.screenshot(path=Path(folder) / "marimo.png")
        browser.close()
