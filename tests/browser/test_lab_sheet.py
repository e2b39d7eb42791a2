"""A contact sheet's buttons: stop, resume at a price, play all, size, and clips ticked for comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.simulator import Simulator
from tests.support.accessibility import findings, in_theme
from tests.support.browser_fixture import MIME, Lab, Server
from tests.support.held_jobs import holding

LOAD = """%load_ext hailuo_jupyter
%config Hailuo.provider = 'demo'
%config Hailuo.sweep_parallel = 1"""
STYLES = "--sweep style=one,two,three --yes"
TIMES = "videos => videos.map(video => [video.currentTime, video.paused, video.muted])"


def sent(simulator: Simulator, words: str) -> int:
    """Count the jobs that were sent for a prompt."""
    return sum(words in str(job.body.get("prompt")) for job in simulator.ledger)


def states(lab: Lab) -> list[str]:
    """The states of the runs on the sheet, in order."""
    return [run["state"] for run in lab.bundle(1).get(MIME, {}).get("runs", [])]


def button(sheet: Locator, name: str) -> Locator:
    return sheet.get_by_role("button", name=name)


def agree(lab: Lab, label: str) -> Locator:
    """The button of the dialog that buys."""
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Resume this sweep?")
    return dialog.get_by_role("button", name=label)


@pytest.mark.parametrize("restart", [False, True], ids=["same-kernel", "next-kernel"])
def test_the_rest_is_stopped_and_bought_once_it_is_agreed_to(
    open_tab: Callable[..., Lab], server: Server, simulator: Simulator, name: str, restart: bool
) -> None:
    words = f"Heron of {name}"
    let_go = holding(simulator, f"{words}, one")
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, f"%%hailuo {STYLES}\n{words}, {{style}}"]))
    lab.run(0, 1)
    sheet = lab.output(1)
    lab.until(lambda: sent(simulator, words) == 1, "the first one is sent")
    if restart:
        lab.until(lambda: states(lab)[:1] in [["queued"], ["generating"]], "it is known")
        lab.save()
        lab.js("await panel.sessionContext.session.kernel.restart();")
    else:
        button(sheet, "Stop").click()
    resume = button(sheet, "Resume 2 (free)…")
    expect(resume).to_be_visible()
    expect(sheet).to_contain_text("2 not sent")
    if not restart:
        expect(sheet).to_contain_text("1 already submitted: paid for, will be downloaded.")
        for theme in ("Dark", "Light"):
            in_theme(lab, theme)
            resume.hover()
            assert findings(lab, ".hailuo-output:has(.hailuo-sheet-tools)") == [], theme
    resume.click()
    expect(lab.page.locator(".jp-Dialog")).to_contain_text("Price: free (demo).")
    lab.page.keyboard.press("Escape")
    expect(lab.page.locator(".jp-Dialog")).to_have_count(0)
    assert sent(simulator, words) == 1
    resume.click()
    agree(lab, "Generate 2 clips for free (demo)").click()
    expect(resume).to_have_count(0)
    let_go()
    lab.until(lambda: states(lab) == ["completed"] * 3, "all three are there")
    assert sent(simulator, words) == 3
    expect(button(sheet, "Stop")).to_have_count(0)


def test_the_focus_goes_from_the_plan_to_the_sheet_that_replaces_it(
    open_tab: Callable[..., Lab], server: Server, name: str
) -> None:
    cell = f"%%hailuo --sweep style=one,two,three\nHeron of {name}, {{style}}"
    asks = "%config Hailuo.sweep_confirm_runs = 1"
    lab = open_tab(server.write(f"{name}.ipynb", [f"{LOAD}\n{asks}", cell]))
    lab.run(0, 1)
    sheet, page = lab.output(1), lab.page
    generate = button(sheet, "Generate 3 clips for free (demo)")
    expect(generate).to_be_visible()
    generate.focus()
    lab.js(
        "window.lost = 0;"
        "const look = () => { window.lost += document.activeElement === document.body;"
        " window.looking = requestAnimationFrame(look); }; look();"
    )
    page.keyboard.press("Enter")
    expect(button(sheet, "Play all")).to_be_focused()
    lab.until(lambda: states(lab) == ["completed"] * 3, "all three are there")
    expect(button(sheet, "Play all")).to_be_focused()
    page.keyboard.press("Tab")
    expect(button(sheet, "Compare")).to_be_focused()
    lost = lab.js("cancelAnimationFrame(window.looking); return window.lost;")
    assert lost <= 2, "for a frame at most, while the sheet is drawn"


def test_ticked_clips_are_compared_and_all_play(
    open_tab: Callable[..., Lab], server: Server, name: str
) -> None:
    cell = f"%%hailuo {STYLES}\nHeron of {name}, {{style}}"
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, cell]))
    lab.run(0, 1)
    lab.until(lambda: states(lab) == ["completed"] * 3, "all three are there")
    sheet, page = lab.output(1), lab.page
    videos = sheet.locator(".hailuo-grid video")
    expect(videos).to_have_count(3)

    def times() -> list[list[Any]]:
        return list(videos.evaluate_all(TIMES))

    button(sheet, "Play all").click()
    lab.until(
        lambda: all(at > 0.3 and not paused and muted for at, paused, muted in times()),
        "all play without sound",
    )
    ats = [at for at, *_ in times()]
    assert max(ats) - min(ats) < 0.3
    # A sheet that is drawn again meanwhile goes on.
    sheet.get_by_role("radio", name="4 stars").first.click()
    expect(sheet).to_contain_text("rated 4 of 5")  # for pages that have no stars
    expect(sheet.locator(".hailuo-rated")).to_be_hidden()
    lab.until(lambda: not any(paused for _, paused, _ in times()), "they go on")
    button(sheet, "Pause all").click()
    lab.until(lambda: all(paused for _, paused, _ in times()), "all pause")

    width = videos.first.bounding_box()
    sheet.get_by_label("Size").select_option("large")
    larger = videos.first.bounding_box()
    assert width
    assert larger
    assert larger["width"] > width["width"]
    beside = "table => table.parentElement.scrollWidth - table.parentElement.clientWidth"
    assert sheet.locator(".hailuo-grid").evaluate(beside) <= 0, "it does not scroll sideways"
    sheet.get_by_label("Size").select_option("small")
    smaller = videos.first.bounding_box()
    assert smaller
    assert smaller["width"] < width["width"]
    assert "large" not in str(lab.save())

    compare = button(sheet, "Compare")
    expect(compare).to_have_attribute("aria-disabled", "true")
    sheet.get_by_label("Compare one").check()
    sheet.get_by_label("Compare three").focus()
    page.keyboard.press("Space")
    for theme in ("Dark", "Light"):
        in_theme(lab, theme)
        assert findings(lab, ".hailuo-output:has(.hailuo-sheet-tools)") == []
    button(sheet, "Compare 2").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog.locator("figcaption")).to_have_text(["one", "three"])
    dialog.get_by_role("button", name="Play").click()
    lab.until(
        lambda: all(at > 0.3 for at, *_ in dialog.locator("video").evaluate_all(TIMES)),
        "both play in step",
    )
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    sheet.get_by_label("Size").select_option("medium")
