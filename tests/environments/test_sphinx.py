"""Sphinx with myst-nb: runs in an environment of its own, made from `sphinx.txt` by `.ci/run`.

pytest -c /dev/null --noconftest tests/environments/test_sphinx.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

# Behind the environment's own packages, so that what is installed there is what is tested.
sys.path.append(str(Path(__file__).parents[2]))

from hailuo_jupyter.ipynb.embed import embed
from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, until
from tests.support.notebook_files import (
    buy,
    code,
    drawn,
    markdown,
    notebook,
    shown,
    simulator,
    surroundings,
    write,
)

CONF = """
extensions = ["myst_nb"]
root_doc = "clips"
nb_execution_mode = "off"
"""
#: As docs/how-to/export.md has it.
QUIET = 'suppress_warnings = ["mystnb.unknown_mime_type"]\n'


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of one notebook, which `jupyter hailuo embed` wrote; its clip stays elsewhere."""
    path, folder = tmp_path / "work" / "clips.ipynb", tmp_path / "book"
    path.parent.mkdir()
    folder.mkdir()
    with simulator() as sim, surroundings(tmp_path, sim) as settings:
        rows = list(buy(settings, path, {"a": "A boat."}, {"a": "1"}).values())
        cells = [markdown("title", "# Clips"), code("a", "1", [shown(drawn(rows, path, settings))])]
        write(path, notebook(*cells))
        assert embed(path, folder / "clips.ipynb", settings=settings).remarks == ()
    return folder


def build(book: Path, conf: str) -> subprocess.CompletedProcess[str]:
    (book / "conf.py").write_text(conf)
    words = [sys.executable, "-m", "sphinx", "-W", "-q", str(book), str(book.parent / "built")]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


def test_a_page_plays_and_warns_of_nothing(book: Path) -> None:
    done = build(book, CONF + QUIET)
    assert (done.returncode, done.stderr) == (0, "")
    names = (os.environ.get("HAILUO_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_ARGUMENTS))
        page = browser.new_page()
        page.goto((book.parent / "built" / "clips.html").as_uri(), wait_until="domcontentloaded")
        video = page.locator("video")
        video.evaluate("video => { video.muted = true; return video.play(); }")
        until(
            lambda: video.evaluate("video => video.readyState >= 2 && video.currentTime > 0"),
            "the clip plays",
            lambda: page.wait_for_timeout(100),
        )
        browser.close()


def test_without_the_setting_it_warns_of_the_record_alone(book: Path) -> None:
    done = build(book, CONF)
    assert done.returncode != 0
    assert "mystnb.unknown_mime_type" in done.stderr
    assert "application/vnd.hailuo.run+json" in done.stderr
