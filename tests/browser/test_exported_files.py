"""Files that left their folder, in a browser: mailed notebooks, pages, slides and PDFs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdf
import pytest
from nbconvert.exporters import Exporter, SlidesExporter
from playwright.sync_api import Browser, Page, Request
from traitlets.config import Config

from hailuo_jupyter.ipynb.embed import embed
from hailuo_jupyter.ipynb.nbconvert import HailuoHTMLExporter
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator
from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, Lab, Server, until
from tests.support.notebook_files import buy, code, drawn, notebook, shown, surroundings, write

PROMPT = "A boat sails."
EMBED = "hailuo_jupyter.ipynb.nbconvert.EmbedClips"


@dataclass
class Bought:
    path: Path
    row: Row
    settings: Hailuo


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[Bought]:
    folder = tmp_path_factory.mktemp("exported")
    path = folder / "work" / "clips.ipynb"
    path.parent.mkdir()
    with surroundings(folder, simulator) as settings:
        row = buy(settings, path, {"boat": PROMPT}, {"boat": "1"})["boat"]
        write(path, notebook(code("boat", "1", [shown(drawn([row], path, settings))])))
        yield Bought(path, row, settings)


def plays(page: Page) -> None:
    """Check that the one video of a page plays, and is the clip."""
    video = page.locator("video")
    assert video.count() == 1
    video.evaluate("video => { video.muted = true; return video.play(); }")
    until(
        lambda: video.evaluate("video => video.readyState >= 2 && video.currentTime > 0"),
        "the clip plays",
        lambda: page.wait_for_timeout(100),
    )
    assert abs(video.evaluate("video => video.duration") - 6.0) < 0.2


EXPORTERS: dict[str, Callable[[], Exporter]] = {
    "page": HailuoHTMLExporter,
    "slides": lambda: SlidesExporter(config=Config({"Exporter": {"preprocessors": [EMBED]}})),
}


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_exported_page_plays_anywhere(
    bought: Bought, browser: Browser, tmp_path: Path, name: str
) -> None:
    text, _ = EXPORTERS[name]().from_filename(str(bought.path))
    file = tmp_path / "mailed.html"
    file.write_text(text, encoding="utf-8")
    page = browser.new_page()
    asked: list[str] = []

    def alone(route: Any, request: Request) -> None:
        if request.url == file.as_uri():
            route.continue_()
        else:
            asked.append(request.url)
            route.abort()

    page.route("**/*", alone)
    page.goto(file.as_uri(), wait_until="domcontentloaded")
    plays(page)
    page.close()
    # MathJax and the like; nothing of ours, and nothing beside the file.
    assert not [url for url in asked if url.startswith("file:") or "mp4" in url]


@pytest.mark.parametrize("width", [600, 800, 1400])
def test_an_exported_page_has_room_for_the_facts(
    bought: Bought, browser: Browser, tmp_path: Path, width: int
) -> None:
    text, _ = HailuoHTMLExporter().from_filename(str(bought.path))
    file = tmp_path / "mailed.html"
    file.write_text(text, encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 700})
    page.route("http*://**", lambda route: route.abort())
    page.goto(file.as_uri(), wait_until="domcontentloaded")
    clip, facts = (page.locator(name).bounding_box() for name in (".hailuo-media", ".hailuo-side"))
    assert clip
    assert facts
    assert facts["width"] >= 240
    assert (facts["y"] >= clip["y"] + clip["height"]) == (width < 1400), "below the clip"
    page.close()


@pytest.mark.parametrize("limit", [2.0, 0.001], ids=["whole", "preview"])
def test_a_mailed_notebook_plays_untrusted(
    bought: Bought, server: Server, open_lab: Callable[..., Lab], limit: float, name: str
) -> None:
    settings = Hailuo(run_log=bought.settings.run_log, embed_clip_mb=limit)
    out = server.root / "mail" / f"{name}.ipynb"
    out.parent.mkdir(exist_ok=True)
    done = embed(bought.path, out, settings=settings)
    assert (done.clips + done.previews, done.remarks) == (1, ())
    lab = open_lab(f"mail/{name}.ipynb", kernel=False)
    lab.plays(0)
    assert lab.output(0).locator("video").get_attribute("src").startswith("data:video/mp4;")


def test_jupyterlab_exports_it_by_name(
    bought: Bought, server: Server, browser: Browser, tmp_path: Path, name: str
) -> None:
    """What the menu "Save and Export Notebook As" offers and fetches."""
    with urllib.request.urlopen(f"{server.url}/api/nbconvert", timeout=60) as answer:
        assert {"hailuo-html", "hailuo-webpdf"} <= set(json.load(answer))
    folder = server.root / "menu"
    shutil.copytree(bought.path.parent, folder)
    with urllib.request.urlopen(
        f"{server.url}/nbconvert/hailuo-html/menu/clips.ipynb?download=true", timeout=60
    ) as answer:
        assert answer.headers["Content-Disposition"].endswith("clips.html")
        (file := tmp_path / "clips.html").write_bytes(answer.read())
    page = browser.new_page()
    page.route(
        "**/*", lambda route: route.abort() if "//cdn" in route.request.url else route.continue_()
    )
    page.goto(file.as_uri(), wait_until="domcontentloaded")
    plays(page)
    page.close()


#: nbconvert's own printing, with the browser that is installed here in place of Playwright's.
PRINT = """
import sys
from pathlib import Path
from playwright.async_api import BrowserType
from hailuo_jupyter.ipynb.nbconvert import HailuoWebPDFExporter

notebook, pdf, program, *arguments = sys.argv[1:]
launch = BrowserType.launch

async def installed(self, **options):
    return await launch(self, **{**options, "executable_path": program, "args": arguments})

BrowserType.launch = installed
data, _ = HailuoWebPDFExporter().from_filename(notebook)
Path(pdf).write_bytes(data)
"""


@pytest.mark.usefixtures("browser")  # it is skipped without one
def test_a_pdf_has_picture_caption_and_record(bought: Bought, tmp_path: Path) -> None:
    names = (os.environ.get("HAILUO_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)))
    pdf = tmp_path / "clips.pdf"
    # In a process of its own, since nbconvert leaves its event loop open.
    command = [sys.executable, "-c", PRINT, str(bought.path), str(pdf), found, *CHROMIUM_ARGUMENTS]
    subprocess.run(command, check=True, timeout=120)
    pages = pypdf.PdfReader(pdf).pages
    text = " ".join(" ".join(page.extract_text() for page in pages).split())
    clip = bought.row.record.clip
    assert clip is not None
    for part in (PROMPT, "24 fps, 6.0 s", f"hailuo/{clip.path}", bought.row.run_id):
        assert part in text, part
    # Some fonts have one sign for two letters.
    assert clip.sha256 in text.replace("ﬀ", "ff").replace(" ", "")
    pictures = [each.image.size for page in pages for each in page.images]
    assert pictures == [(clip.width, clip.height)]
