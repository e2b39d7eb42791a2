"""A finished output in a real browser: it plays, keeps its room, and can be read."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import av
import nbformat
import numpy as np
import pytest
from nbconvert import HTMLExporter
from PIL import Image
from playwright.sync_api import Browser, Page

from hailuo_jupyter.kernel.display.bundle import bundle
from hailuo_jupyter.states import State
from tests.support.sample_rows import shown, shown_row

FRAMES, FPS, WIDTH, HEIGHT = 48, 24, 640, 360

#: The clip is grey, so that its picture can be told from it.
RED = (200, 30, 30)

#: Sums up what moved without anybody's act, from the first paint on.
WATCH_SHIFTS = """
window.shift = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({type: 'layout-shift', buffered: true});
"""


def write_clip(path: Path) -> Path:
    """Write 2 s of H.264 whose picture gets brighter."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            pixels = np.full((HEIGHT, WIDTH, 3), 40 + number * 4, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook with a finished clip and two other runs, as `jupyter nbconvert --to html` makes it."""
    folder = tmp_path_factory.mktemp("notebooks")
    clips = folder / "my clips #1"
    clips.mkdir()
    master = write_clip(folder / "master.mp4")
    finished = shown_row(
        State.COMPLETED,
        folder=clips,
        clip={
            "width": WIDTH,
            "height": HEIGHT,
            "duration_s": FRAMES / FPS,
            "frames": FRAMES,
            "bytes": master.stat().st_size,
        },
    )
    master.rename(clips / f"{finished.run_id}.mp4")
    others = [
        shown(shown_row(State.GENERATING, folder=clips)),
        shown(shown_row(State.FAILED, folder=clips, prompt="x" * 400)),
    ]
    picture = BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), RED).save(picture, "JPEG")
    finished_view = shown(finished, base=folder, poster=picture.getvalue())
    cells = [
        nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", data=data)])
        for data in (bundle([finished_view]), bundle([finished_view, *others]))
    ]
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=cells))
    path = folder / "notebook.html"
    path.write_text(html, encoding="utf-8")
    return path


def colour(page: Page) -> tuple[int, ...]:
    """Return the colour that is seen where the first clip is, near its upper left corner."""
    box = page.locator("video").first.bounding_box()
    assert box is not None
    seen = Image.open(BytesIO(page.screenshot())).convert("RGB")
    found = seen.getpixel((round(box["x"] + box["width"] / 8), round(box["y"] + box["height"] / 8)))
    assert isinstance(found, tuple)
    return found


def opened(browser: Browser, path: Path, width: int = 1200) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.route("http*://**", lambda route: route.abort())  # the template asks for MathJax
    page.add_init_script(WATCH_SHIFTS)
    page.goto(path.as_uri())
    return page


def test_an_exported_clip_plays(browser: Browser, page_file: Path) -> None:
    page = opened(browser, page_file)
    facts: dict[str, Any] = page.locator("video").first.evaluate(
        """async video => {
            const before = video.readyState;
            video.muted = true;
            await video.play();
            await new Promise(done => video.addEventListener('timeupdate', done, {once: true}));
            return {before, ready: video.readyState, duration: video.duration,
                    loop: video.loop, controls: video.controls, pixels: video.videoWidth};
        }"""
    )
    page.close()
    assert facts["before"] == 0, "nothing is fetched before somebody plays it"
    assert facts["ready"] >= 2
    assert facts["duration"] == pytest.approx(FRAMES / FPS, abs=0.05)
    assert (facts["loop"], facts["controls"], facts["pixels"]) == (True, True, WIDTH)


def test_nothing_moves_when_poster_and_clip_arrive(browser: Browser, page_file: Path) -> None:
    page = opened(browser, page_file)
    video = page.locator("video").first
    page.wait_for_timeout(300)
    at_rest = video.bounding_box()
    video.evaluate("async video => { video.muted = true; await video.play(); }")
    page.wait_for_timeout(300)
    playing, shift = video.bounding_box(), page.evaluate("window.shift")
    page.close()
    assert at_rest == playing
    assert at_rest is not None
    assert at_rest["width"] / at_rest["height"] == pytest.approx(WIDTH / HEIGHT, rel=0.01)
    assert shift == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_the_picture_is_seen_until_the_clip_plays(
    browser: Browser,
    page_file: Path,
    scheme: Literal["light", "dark"],
    media: Literal["screen", "print"],
) -> None:
    page = opened(browser, page_file)
    page.emulate_media(media=media, color_scheme=scheme)
    page.wait_for_timeout(300)
    before = colour(page)
    page.locator("video").first.evaluate(
        """async video => {
            [video.muted, video.loop] = [true, false];
            const ended = new Promise(done => video.addEventListener('ended', done, {once: true}));
            await video.play();
            await ended;
        }"""
    )
    page.wait_for_timeout(300)
    after = colour(page)
    page.close()
    assert before == pytest.approx(RED, abs=6), "nothing covers the picture"
    assert max(after) - min(after) < 6, "the clip, which is grey, covers the picture"


def test_the_picture_is_printed(browser: Browser, page_file: Path) -> None:
    page = opened(browser, page_file)
    page.wait_for_timeout(300)
    printed = page.pdf()
    page.close()
    # The PDF holds the JPEG as it is.
    assert f"/Width {WIDTH}\n/Height {HEIGHT}".encode() in printed
    assert b"/DCTDecode" in printed


@pytest.mark.parametrize("width", [480, 1600])
def test_nothing_is_wider_than_the_page(browser: Browser, page_file: Path, width: int) -> None:
    page = opened(browser, page_file, width)
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    outputs = page.locator(".jp-OutputArea-output")
    over = outputs.evaluate_all("all => all.map(e => e.scrollWidth - e.clientWidth)")
    cards = outputs.nth(1).locator("> div > div")
    places = [
        box["y"] for box in cards.evaluate_all("all => all.map(e => e.getBoundingClientRect())")
    ]
    page.close()
    assert over == [0, 0]
    assert len(places) == 3
    assert len(set(places)) == (3 if width == 480 else 1), "small cards wrap where there is no room"


def test_the_fold_opens_with_the_keyboard(browser: Browser, page_file: Path) -> None:
    page = opened(browser, page_file)
    fold = page.locator("details").first
    fold.locator("summary").first.focus()
    page.keyboard.press("Enter")
    visible = page.get_by_text("This request can be sent again").first.is_visible()
    page.close()
    assert visible
