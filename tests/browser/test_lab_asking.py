"""What a person and a kernel ask of each other by way of the page: ratings, new cells, states aloud."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.simulator import Simulator
from tests.support.browser_fixture import Lab, Server
from tests.support.held_jobs import holding

LOAD = "%load_ext hailuo_jupyter"
RUN = "%%hailuo --provider demo\nA heron lifts off a lake, and is rated."
INSERT = "from hailuo_jupyter.kernel.comm import insert_below\nprint(insert_below('x = 1', {}))"


@pytest.fixture(scope="module")
def lab(browser: Browser, server: Server, simulator: Simulator) -> Iterator[Lab]:
    """A notebook whose second cell's run has completed while one listened."""
    path = server.write("asking.ipynb", [LOAD, RUN, INSERT.format(None), "2"])
    let_go = holding(simulator, RUN.splitlines()[1])
    with Lab(browser, server, path, several=True) as opened:
        opened.run(0)
        opened.js(
            "window.said = [];"
            "new MutationObserver(changes => changes.forEach(({target}) => {"
            "  if (target.matches?.('.hailuo-announcement')) window.said.push([target, target.textContent]);"
            "})).observe(panel.node, {subtree: true, childList: true});"
        )
        opened.run(1)
        expect(opened.output(1).locator(".hailuo-mod-live .hailuo-card")).to_be_visible()
        let_go()
        opened.until_state("completed", 1)
        yield opened
        assert opened.problems == []
    server.shut_down_kernels()


@pytest.fixture
def stars(lab: Lab) -> Locator:
    """The run's stars."""
    found = lab.output(1).get_by_role("radiogroup")
    expect(found).to_be_visible()
    return found


def rated(lab: Lab, rating: int | None) -> bool:
    """Tell whether output and metadata hold a rating."""
    record = lab.record(1)
    return bool(record.get("rating") == lab.records()[record["run_id"]].get("rating") == rating)


def test_the_states_are_read_aloud_from_an_element_that_lasts(lab: Lab) -> None:
    texts = lab.js("return window.said.map(([, text]) => text);")
    assert "Hailuo run: Generating" in texts
    assert texts[-1] == "Hailuo run: Completed"
    assert len(texts) == len(set(texts))
    assert lab.js(
        "return window.said.every(([node]) => node === window.said[0][0] && node.isConnected"
        " && node.getAttribute('aria-live') === 'polite');"
    )


def test_a_rating_while_the_clip_plays(lab: Lab, stars: Locator) -> None:
    video = lab.output(1).locator("video")
    video.evaluate("video => { video.muted = true; return video.play(); }")
    lab.until(lambda: video.evaluate("video => video.currentTime > 0.2"), "it plays")
    video.evaluate("video => { window.before = video; }")
    stars.get_by_role("radio", name="4 stars").check()
    lab.until(lambda: rated(lab, 4), "the rating is kept")
    expect(stars.get_by_role("radio", name="4 stars")).to_be_checked()
    expect(lab.output(1)).to_contain_text("rated 4 of 5")
    # It is the same clip, and it goes on.
    assert video.evaluate("video => video === window.before && !video.paused")
    video.evaluate("video => video.pause()")


def test_a_rating_by_keyboard(lab: Lab, stars: Locator) -> None:
    keyboard, value = lab.page.keyboard, 3
    stars.get_by_role("radio").first.focus()
    for key in ("End", "ArrowLeft", "ArrowUp"):
        keyboard.press(key)
    lab.until(lambda: rated(lab, value), "the rating is kept")
    # The output was drawn anew meanwhile; the focus is where it was.
    lab.until(
        lambda: lab.js("return document.activeElement.value;") == str(value), "the focus is back"
    )
    keyboard.press("ArrowRight")
    lab.until(lambda: rated(lab, value + 1), "the next one is kept, too")
    assert lab.js("return document.activeElement.matches(':focus-visible');")
    assert lab.js("return panel.content.mode;") == "command"


def test_the_rating_0_is_shown_only_to_who_rates(lab: Lab, stars: Locator) -> None:
    first = stars.get_by_role("radio").first
    # As a button it does not read as the value of the stars before it.
    button, value = (stars.get_by_text(each, exact=True) for each in ("0", "0/5"))

    def take_back() -> None:
        first.focus()
        lab.page.keyboard.press("Delete")
        lab.until(lambda: rated(lab, None), "there is no rating")

    def leave() -> None:
        lab.page.mouse.move(5, 5)
        lab.page.evaluate("document.activeElement.blur()")

    take_back()
    leave()
    expect(button).to_be_hidden()
    width = stars.evaluate("each => each.getBoundingClientRect().width")
    stars.hover()
    expect(button).to_be_visible()
    expect(value).to_have_count(0)
    expect(stars.get_by_title("Rate 0 stars")).to_have_count(1)
    first.click()
    leave()
    lab.until(lambda: rated(lab, 0), "the rating is kept")
    expect(value).to_be_visible()
    assert stars.evaluate("each => each.getBoundingClientRect().width") == width
    take_back()


def test_a_rating_is_taken_back(lab: Lab, stars: Locator) -> None:
    third = stars.get_by_role("radio", name="3 stars")
    third.click()
    lab.until(lambda: rated(lab, 3), "the rating is kept")
    third.click()
    lab.until(lambda: rated(lab, None), "the present number, chosen again, takes it back")
    expect(third).not_to_be_checked()
    expect(lab.output(1)).not_to_contain_text("3 of 5")
    for key in ("Delete", "0"):
        third.focus()
        lab.page.keyboard.press("2")
        lab.until(lambda: rated(lab, 2), "a digit rates")
        lab.page.keyboard.press(key)
        lab.until(lambda: rated(lab, None), f"{key} takes it back")
        lab.until(
            lambda: lab.js("return document.activeElement.value;") == "2", "the focus is back"
        )
    folder = lab.server.root / "hailuo"
    sidecar = json.loads((folder / f"{lab.record(1)['run_id']}.json").read_text())
    assert sidecar["rating"] is None


def test_a_cell_that_the_kernel_asks_for(lab: Lab, server: Server) -> None:
    other = server.write("asking-other.ipynb", ["1"])
    kernel = lab.js("return panel.sessionContext.session.kernel.id;")
    lab.command("docmanager:open", path=other, kernel={"id": kernel})
    lab.ready(other)
    length = "return model.cells.length;"
    before = lab.js(length)
    lab.run(2)
    lab.until(lambda: lab.js(length) == before + 1, "there is a new cell")
    assert "True" in lab.output(2).inner_text()
    # `run` has made the next cell the active one, below which it now stands.
    at = lab.js("return panel.content.activeCellIndex;")
    source, count = lab.js(
        "const cell = model.cells.get(arg); return [cell.sharedModel.getSource(), cell.executionCount];",
        at,
    )
    assert (source, count) == ("x = 1", None)
    assert lab.js(length, path=other) == 1  # the other notebook of this kernel asked for nothing
    lab.js("model.sharedModel.deleteCell(arg);", at)
    # Below a cell by its id.
    first = lab.js("return model.cells.get(0).id;")
    code = INSERT.format(repr(first))
    lab.js("model.cells.get(3).sharedModel.setSource(arg);", code)
    lab.run(3)
    lab.until(
        lambda: lab.js("return model.cells.get(1).sharedModel.getSource();") == "x = 1",
        "it stands below the first one",
    )
    lab.js("model.sharedModel.deleteCell(1);")


def test_without_a_kernel_the_stars_say_why(lab: Lab) -> None:
    assert lab.output(1).get_by_role("radiogroup").count() == 1
    lab.js("await panel.sessionContext.shutdown();")
    read = lab.output(1).locator(".hailuo-stars-group")
    expect(read).to_have_attribute("role", "img")
    assert "To rate, start a kernel" in str(read.get_attribute("title"))
    expect(lab.output(1).get_by_role("radiogroup")).to_have_count(0)
    # The tests come in any order: those after this one need a kernel.
    lab.js("await panel.sessionContext.changeKernel({name: 'python3'});")
    lab.idle()
    lab.run(0)
    expect(lab.output(1).get_by_role("radiogroup")).to_have_count(1)
