"""A finished output is used with the keyboard alone: Tab gets everywhere, and each key does its work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser_fixture import Lab, Server
from tests.support.large_notebooks import write_notebooks

#: What the element with the focus is called, and whether one sees that it has it.
_FOCUS = """
const at = document.activeElement;
const style = getComputedStyle(at);
return {
  name: at.tagName === 'VIDEO' ? 'video' : at.textContent,
  seen: at.matches(':focus-visible') && style.outlineStyle !== 'none' &&
    parseFloat(style.outlineWidth) > 0
};
"""

#: Tab stops between a cell and the end of its output: its toolbar and the video's own controls too.
_MOST_STOPS = 25


@pytest.fixture(scope="module")
def opened(browser: Browser, server: Server) -> Iterator[Lab]:
    """A notebook with one finished run."""
    path, _ = write_notebooks(server.root, 1, "keyboard")
    server.trust(path)
    with Lab(browser, server, path) as lab:
        lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        lab.execute("%load_ext hailuo_jupyter")
        yield lab
        assert lab.problems == []
    server.shut_down_kernels()


@pytest.fixture
def finished(opened: Lab) -> Lab:
    """The notebook as it was opened: its cell has the focus, and no mouse is used from here on."""
    output = opened.output(0)
    expect(output.locator(".hailuo-static video")).to_be_visible()
    # After a copy the menu's button shows a check mark for a while.
    expect(output.locator(".hailuo-more")).to_have_text("…")
    output.locator("details").evaluate_all("all => all.forEach(one => { one.open = false; })")
    opened.js("panel.content.activeCellIndex = 0; app.shell.activateById(panel.id);")

    def at_the_cell() -> bool:
        # A notebook that has the focus somewhere inside leaves it there.
        return bool(
            opened.js(
                "const cell = panel.content.activeCell.node;"
                "if (document.activeElement !== cell) document.activeElement.blur();"
                "panel.content.activate(); return document.activeElement === cell;"
            )
        )

    opened.until(at_the_cell, "the cell has the focus")
    return opened


def focus(lab: Lab) -> dict[str, Any]:
    return dict(lab.js(_FOCUS))


def tab_to(lab: Lab, name: str) -> None:
    """Press Tab until the focus is on what has this name, and can be seen there."""
    passed = []
    for _ in range(_MOST_STOPS):
        lab.page.keyboard.press("Tab")
        at = focus(lab)
        if at["name"].startswith(name):
            assert at["seen"], f"one does not see that {name} has the focus"
            return
        passed.append(at["name"][:40])
    pytest.fail(f"Tab does not get to {name}; it passed {passed}")


def choose(lab: Lab, label: str) -> None:
    """Choose an entry of the card's menu by the keyboard alone."""
    expect(lab.output(0).locator(".hailuo-more")).to_have_text("…")
    if not focus(lab)["name"].startswith("…"):  # it has the focus again after its menu was used
        tab_to(lab, "…")
    lab.page.keyboard.press("Enter")
    active = lab.page.locator(".lm-Menu-item.lm-mod-active")
    expect(active).to_have_count(1)
    for _ in range(10):
        if label in active.inner_text():
            break
        lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("Enter")


def test_the_order_of_the_stops_is_that_of_reading(finished: Lab) -> None:
    names = [
        *("video", "hailuo/", "Record (JSON)"),
        *("New take", "Edit and rerun", "Use last frame", "Download", "…", "Details"),
    ]
    for name in names:
        tab_to(finished, name)
    for name in reversed(names[3:-1]):
        finished.page.keyboard.press("Shift+Tab")
        assert focus(finished)["name"].startswith(name)


def test_the_video_plays_and_stops(finished: Lab) -> None:
    tab_to(finished, "video")
    video = finished.output(0).locator("video")
    for paused in (False, True):
        finished.page.keyboard.press("Space")
        finished.until(lambda: video.evaluate("video => video.paused") is paused, "it obeys")  # noqa: B023
    # The keys went to the video, and not to the notebook's shortcuts too.
    assert finished.js("return panel.content.mode;") == "command"
    assert finished.js("return panel.content.activeCellIndex;") == 0


def test_the_folds_open_and_close(finished: Lab) -> None:
    tab_to(finished, "Details")
    facts = finished.output(0).get_by_text("This request can be sent again").first
    expect(facts).to_be_hidden()
    finished.page.keyboard.press("Enter")
    expect(facts).to_be_visible()
    finished.page.keyboard.press("Space")
    expect(facts).to_be_hidden()
    # Enter and Space are shortcuts of the notebook's, too: no cell was run or edited by them.
    assert finished.js("return model.cells.get(0).executionCount;") is None
    assert finished.js("return panel.content.mode;") == "command"


def test_what_can_be_copied(finished: Lab) -> None:
    record = finished.record(0)

    def copied() -> str:
        return str(finished.js("return navigator.clipboard.readText();"))

    choose(finished, "Copy run id")
    finished.until(lambda: copied() == record["run_id"], "the id is copied")
    choose(finished, "Copy as cell")
    finished.until(lambda: copied().startswith("%%hailuo "), "the cell is copied")
    assert copied().endswith(record["request"]["prompt"])


def test_the_dialogs_open_and_give_the_focus_back(finished: Lab) -> None:
    dialog = finished.page.get_by_role("dialog")
    for name, said in (
        ("New take", "Price: $0.27–0.39 est."),
        ("View record", finished.record(0)["run_id"]),
    ):
        if name == "View record":
            choose(finished, name)
        else:
            tab_to(finished, name)
            finished.page.keyboard.press("Enter")
        expect(dialog).to_contain_text(said)
        if name == "View record":
            assert json.loads(dialog.locator("pre").inner_text()) == finished.record(0)
        finished.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        button = "…" if name == "View record" else name
        finished.until(lambda: focus(finished)["name"].startswith(button), "the focus is back")  # noqa: B023
    assert finished.js("return model.cells.get(0).executionCount;") is None


def test_the_file_browser_shows_the_clip(finished: Lab) -> None:
    choose(finished, "Show in file browser")
    selected = finished.page.locator(".jp-DirListing-item.jp-mod-selected")
    expect(selected).to_contain_text(f"{finished.record(0)['run_id']}.mp4")
