"""Take the screenshots of the README and the guide: the real JupyterLab with simulated clips.

python -m tests.browser.pictures [--only NAME]... [--folder docs/images]
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.simulator import Simulator, SimulatorOptions
from tests.support.accessibility import in_theme
from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, Lab, Server

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LOAD = "%load_ext hailuo_jupyter"


#: Leave the clip as if someone had played its first two seconds.
_LOOKED_AT = """video => new Promise(done => {
  video.addEventListener('seeked', done, { once: true });
  video.preload = 'auto';
  video.currentTime = 2;
})"""


class Studio:
    """A browser and a server whose jobs take some seconds."""

    def __init__(self, browser: Browser, server: Server, folder: Path) -> None:
        self._browser, self._server, self._folder = browser, server, folder

    def open(self, name: str, cells: list[str], *, width: int = 1080, height: int = 860) -> Lab:
        path = self._server.write(f"{name}/{name}.ipynb", cells)
        shutil.copy(NOTEBOOKS / "first-frame.jpg", self._server.root / name)
        return Lab(self._browser, self._server, path, width=width, height=height)

    def take(self, lab: Lab, name: str, *, side_panel: bool = False) -> None:
        """Take a picture without the file browser, from the notebook's top."""
        if not side_panel:
            lab.js("app.shell.collapseRight();")
        lab.js("app.shell.collapseLeft(); panel.content.activeCellIndex = 0;")
        lab.js("panel.content.node.querySelector('.jp-WindowedPanel-outer')?.scrollTo(0, 0);")
        lab.page.mouse.move(5, 5)
        lab.page.wait_for_timeout(800)  # of the fold's own movement
        self.save(lab, name)

    def save(self, lab: Lab, name: str) -> None:
        """Save a screenshot as a JPEG file, so that a page with several of them loads quickly."""
        screenshot = Image.open(io.BytesIO(lab.page.screenshot())).convert("RGB")
        # Without subsampling, colored text stays sharp.
        screenshot.save(
            self._folder / f"{name}.jpg", quality=76, subsampling=0, optimize=True, progressive=True
        )


def completed(lab: Lab, *cells: int) -> None:
    """Wait until the runs of these cells are completed and their posters drawn."""
    for cell in cells:
        lab.until_state("completed", cell)
        lab.output(cell).locator("video").first.wait_for()


def _finished_card(studio: Studio, name: str, theme: str, *, height: int, record: bool) -> None:
    prompt = (
        "A rocket waits in the floodlights before dawn, steam drifts off to the left. [Push in]"
    )
    cell = f"%%hailuo --provider demo --mode pro --image first-frame.jpg --tag night\n{prompt}"
    with studio.open(name, [LOAD, cell], height=height) as lab:
        in_theme(lab, theme)
        lab.run(0, 1)
        completed(lab, 1)
        lab.output(1).locator("video").evaluate(_LOOKED_AT)
        if record:
            lab.output(1).locator("summary", has_text="Details").first.click()
        studio.take(lab, name)


def card(studio: Studio) -> None:
    _finished_card(studio, "card", "Light", height=540, record=False)


def record(studio: Studio) -> None:
    _finished_card(studio, "record", "Dark", height=840, record=True)


def running(studio: Studio) -> None:
    prompts = (
        "A heron lifts off a lake at dawn, mist over the water.",
        "A lighthouse at dusk, the beam turns slowly. [Static shot]",
    )
    cells = [LOAD, *(f"%%hailuo --provider demo\n{prompt}" for prompt in prompts)]
    with studio.open("running", cells, height=620) as lab:
        in_theme(lab, "Light")
        lab.run(0, 1, 2)
        lab.until(lambda: lab.record(1).get("state") == "generating", "it is being made")
        studio.take(lab, "running")


def panel(studio: Studio) -> None:
    code = "import hailuo_jupyter\n\np = hailuo_jupyter.panel()"
    fill = (
        "p.provider = 'demo'\np.prompt = 'A rocket waits before dawn. [Push in]'\n"
        "p.image = 'first-frame.jpg'\np.tags = ['night']\nrun = p.submit()"
    )
    with studio.open("panel", [LOAD, code, fill], height=980) as lab:
        in_theme(lab, "Light")
        lab.run(0, 1, 2)
        # The demo may have to start first, which takes longer than the page's own patience.
        card = lab.output(1).locator(".hailuo-card .hailuo-state")
        expect(card).to_have_text("Generating", timeout=60_000)
        studio.take(lab, "panel")


def runs(studio: Studio) -> None:
    cells = [
        LOAD,
        "%%hailuo --provider demo --tag lake\nA heron lifts off a lake at dawn.",
        "%%hailuo --provider demo --mode pro --tag lake\nA heron lifts off a lake at dawn.",
        "%%hailuo --provider demo --no-optimizer --tag sea\nA lighthouse at dusk. [Pan left]",
        "%hailuo runs",
    ]
    with studio.open("runs", cells, width=1440, height=760) as lab:
        in_theme(lab, "Light")
        lab.run(0, 1, 2, 3)
        completed(lab, 1, 2, 3)
        for cell, rating in ((1, 3), (2, 5)):
            lab.js(
                "await panel.sessionContext.session.kernel.requestExecute("
                "{code: arg, store_history: false}).done;",
                f"%hailuo rate {lab.record(cell)['run_id']} {rating}",
            )
        lab.run(4)
        lab.command("hailuo:show-runs")
        lab.js("app.shell.collapseLeft(); panel.content.activeCellIndex = 4;")
        lab.js("await panel.content.scrollToItem(4, 'start');")
        lab.page.wait_for_timeout(1500)
        studio.save(lab, "runs")


def sweep(studio: Studio) -> None:
    code = (
        '%%hailuo --provider demo --yes --sweep mode=standard,pro --sweep style="ink wash","35mm film"'
        "\nA heron lifts off a lake at dawn, {style}."
    )
    with studio.open("sweep", [LOAD, code], height=940) as lab:
        in_theme(lab, "Dark")
        lab.run(0, 1)
        sheet = lab.output(1).locator(".hailuo-grid")
        expect(sheet.locator("video")).to_have_count(4, timeout=60_000)
        for number, stars in ((0, 4), (1, 2), (2, 5)):
            sheet.get_by_role("radio", name=f"{stars} stars").nth(number).click()
            expect(sheet).to_contain_text(f"rated {stars} of 5")
        studio.take(lab, "sweep")


PICTURES: dict[str, Callable[[Studio], None]] = {
    each.__name__: each for each in (card, record, running, panel, runs, sweep)
}


def main() -> None:
    """Take the pictures."""
    reader = argparse.ArgumentParser(description="take the screenshots of the README and the guide")
    reader.add_argument("--only", action="append", choices=PICTURES)
    reader.add_argument("--folder", type=Path, default=NOTEBOOKS.parent / "docs" / "images")
    given = reader.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with (
        tempfile.TemporaryDirectory() as folder,
        Simulator(SimulatorOptions(speed=30.0, seed=7, sigma=0.0)) as simulator,
        Server(
            Path(folder) / "server",
            {
                "HAILUO_RUN_LOG": str(Path(folder) / "runs.sqlite3"),
                "HAILUO_LOOPBACK_ONLY": "1",
                "HAILUO_SIMULATOR_URL": simulator.url,
                **simulator.environment(),
            },
        ) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium, args=list(CHROMIUM_ARGUMENTS)
        )
        studio = Studio(browser, server, given.folder)
        for name in given.only or PICTURES:
            PICTURES[name](studio)
        browser.close()


if __name__ == "__main__":
    main()
