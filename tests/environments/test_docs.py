"""The documentation builds without a warning. Runs in its own environment, made from `docs.txt`.

pytest -c /dev/null --noconftest tests/environments/test_docs.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

# Behind the environment's own packages, so that what is installed there is what is tested.
sys.path.append(str(Path(__file__).parents[2]))

from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, until

ROOT = Path(__file__).parents[2]

TUTORIALS = {"quickstart", "image_to_video", "sweep", "research_log", "scripts", "lab_notebook"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "build.py"), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture
def page(site: Path) -> Iterator[Page]:
    names = (os.environ.get("HAILUO_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_ARGUMENTS))
        page = browser.new_page(viewport={"width": 390, "height": 844})
        yield page
        browser.close()


def test_every_tutorial_ran_and_shows_no_path_of_this_machine(site: Path) -> None:
    assert {each.stem for each in (site / "tutorials").glob("*.html")} == {*TUTORIALS, "index"}
    for name in TUTORIALS:
        text = (site / "tutorials" / f"{name}.html").read_text(encoding="utf-8")
        assert str(ROOT) not in text
        assert "hailuo-docs-" not in text
        assert "Traceback" not in text
    assert "BudgetExceeded" in (site / "tutorials" / "lab_notebook.html").read_text("utf-8")


def test_a_clip_of_a_tutorial_plays(site: Path, page: Page) -> None:
    page.goto((site / "tutorials" / "image_to_video.html").as_uri(), wait_until="domcontentloaded")
    assert page.locator("video").count() >= 3
    video = page.locator("video").first
    video.evaluate("video => { video.muted = true; return video.play(); }")
    until(
        lambda: video.evaluate("video => video.readyState >= 2 && video.currentTime > 0"),
        "the clip plays",
        lambda: page.wait_for_timeout(100),
    )


def test_no_page_is_wider_than_a_phone(site: Path, page: Page) -> None:
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri(), wait_until="domcontentloaded")
        wider = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wider <= 0, path.name
