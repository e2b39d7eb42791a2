"""Clips side by side play in step; those of a contact sheet on hover; the file needs no extension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, Locator, expect

from tests.support.accessibility import findings, in_theme
from tests.support.browser_fixture import MIME, Lab, Server

LOAD = """%load_ext hailuo_jupyter
%config Hailuo.provider = 'demo'
%config Hailuo.demo_dialect = 'aimlapi'"""
SWEEP = """%%hailuo --sweep duration=6,10 --yes --name grid
<script>A heron</script> lands, side by side."""
COMPARE = "import hailuo_jupyter\nhailuo_jupyter.compare(*grid.runs)"

TIMES = "videos => videos.map(video => [video.currentTime, video.paused, video.muted])"


def bought(lab: Lab) -> list[dict[str, Any]]:
    lab.run(0, 1)

    def runs() -> list[dict[str, Any]]:
        # The plan stands above the sheet.
        found = lab.js(
            "const { outputs } = model.cells.get(1);"
            "return Array.from({ length: outputs.length }, (_, at) => outputs.get(at).data[arg]);",
            MIME,
        )
        return [run for shown in found if shown for run in shown["runs"]]

    lab.until(lambda: [run["state"] for run in runs()] == ["completed"] * 2, "both clips are there")
    return runs()


def check_hover(lab: Lab, sheet: Locator) -> None:
    """The clip under the pointer or the focus plays without sound, and no other one."""
    page, first, second = lab.page, sheet.nth(0), sheet.nth(1)
    expect(second).to_be_visible()
    assert first.evaluate("video => video.networkState") != 2, "nothing is fetched by itself"

    def plays(video: Locator) -> bool:
        return bool(video.evaluate("v => !v.paused && v.muted && v.currentTime > 0.1"))

    def rests(video: Locator) -> bool:
        return bool(video.evaluate("v => v.paused"))

    assert not first.evaluate("v => v.controls"), "nothing covers a small picture"
    first.hover()
    lab.until(lambda: plays(first), "the clip under the pointer plays")
    assert rests(second)
    second.hover()
    lab.until(lambda: plays(second) and rests(first), "the next one plays, and this one stops")
    page.mouse.move(1, 1)
    lab.until(lambda: rests(second), "it stops when the pointer leaves")
    lab.output(1).locator("[tabindex='0']").first.focus()
    page.keyboard.press("Tab")
    lab.until(lambda: plays(first), "the clip with the focus plays")
    assert first.evaluate("v => v.controls"), "the keyboard has its controls"
    page.keyboard.press("Shift+Tab")
    lab.until(lambda: rests(first), "it stops when the focus leaves")
    page.emulate_media(reduced_motion="reduce")
    second.hover()
    page.wait_for_function(
        "() => document.querySelectorAll('.hailuo-grid video:hover').length === 1"
    )
    assert rests(second), "whoever wants less motion is asked first"
    page.emulate_media(reduced_motion="no-preference")
    page.mouse.move(1, 1)


def check_in_step(lab: Lab, output: Locator) -> None:
    videos, scrub = output.locator(".hailuo-compare video"), output.get_by_label("Time")

    def times() -> list[tuple[float, bool, bool]]:
        return [tuple(each) for each in videos.evaluate_all(TIMES)]

    def in_step(after: float) -> bool:
        (one, *_), (other, *_) = times()
        return min(one, other) > after and abs(one - other) <= 0.1

    play = output.get_by_role("button", name="Play")
    pause = output.get_by_role("button", name="Pause")
    play.click()
    lab.until(lambda: in_step(0.5), "both play in step")
    assert [each[1:] for each in times()] == [(False, True)] * 2
    scrub.fill("3")
    lab.until(lambda: in_step(3.2), "both go on in step from there")
    assert max(each[0] for each in times()) < 5.5
    pause.click()
    assert all(paused for _, paused, _ in times())
    assert in_step(3.2)
    # The shorter one holds its last picture while the longer one goes on.
    scrub.fill("7")
    lab.until(lambda: abs(times()[1][0] - 7) < 0.1, "the longer one is there")
    assert 5.9 < times()[0][0] <= 6.1
    scrub.focus()
    lab.page.keyboard.press("Space")
    lab.until(lambda: times()[1][0] > 7.3, "by keyboard it goes on")
    assert times()[0][1], "the shorter one stands still"
    assert 5.9 < times()[0][0] <= 6.1
    scrub.fill("9.7")
    lab.until(lambda: 0.2 < times()[1][0] < 5 and in_step(0.2), "all begin again together")
    output.get_by_label("Loop").uncheck()
    scrub.fill("9.7")
    expect(play).to_be_visible()
    assert scrub.evaluate("each => Number(each.value) > 9.9")


def check_stars(lab: Lab, cell: int, name: str) -> None:
    """Each clip among many is rated by itself, by pointer and by keyboard, and may be taken back."""
    output = lab.output(cell)
    groups = output.get_by_role("radiogroup")
    expect(groups).to_have_count(2)
    expect(output.locator(".hailuo-clip [role=radiogroup]")).to_have_count(0)  # they cover no clip
    run_id = str(groups.nth(1).get_attribute("aria-label")).removeprefix("Rating of run ")

    def kept(rating: int | None) -> bool:
        return bool(lab.records()[run_id].get("rating") == rating)

    second = groups.nth(1).get_by_role("radio", name="4 stars")
    second.click()
    lab.until(lambda: kept(4), f"a rating in {name} is kept")
    expect(output).to_contain_text("4 of 5")
    lab.until(
        lambda: lab.js(
            "const at = document.activeElement;"
            "return at.value === '4' && at.closest('[role]').getAttribute('aria-label') === arg;",
            f"Rating of run {run_id}",
        ),
        "the focus is where it was",
    )
    lab.page.keyboard.press("Delete")
    lab.until(lambda: kept(None), f"a rating in {name} is taken back")
    expect(output).not_to_contain_text("4 of 5")


def check_static(lab: Lab, browser: Browser, html: str) -> None:
    """Look at the twin in a page without any script: native controls, and all that is said."""
    page_file = lab.server.root / "twin.html"
    page_file.write_text(f"<!doctype html><meta charset=utf-8>{html}", encoding="utf-8")
    context = browser.new_context(java_script_enabled=False, viewport={"width": 480, "height": 900})
    try:
        page = context.new_page()
        page.goto(page_file.as_uri())
        assert page.locator("video[controls][src^='hailuo/']").count() == 2
        assert page.locator("script").count() == 0
        expect(page.get_by_role("row", name="Duration 6 s 10 s")).to_be_visible()
        same = page.locator("details")
        expect(same.get_by_text("<script>A heron</script>")).not_to_be_visible()
        same.locator("summary").click()
        expect(same.get_by_text("<script>A heron</script>")).to_be_visible()
        box = page.locator("video").first.bounding_box()
        assert box is not None
        assert box["width"] > 150
    finally:
        context.close()


def test_clips_play_in_step_and_on_hover(
    open_lab: Callable[..., Lab], server: Server, browser: Browser, name: str
) -> None:
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, SWEEP, COMPARE]))
    runs = bought(lab)
    check_hover(lab, lab.output(1).locator(".hailuo-grid video"))
    check_stars(lab, 1, "a contact sheet")
    lab.run(2)
    output = lab.output(2)
    expect(output.locator(".hailuo-compare video")).to_have_count(2)
    check_stars(lab, 2, "a comparison")
    check_in_step(lab, output)
    for theme in ("Dark", "Light"):
        in_theme(lab, theme)
        assert not findings(lab, ".hailuo-output:has(.hailuo-compare)")
        assert not findings(lab, ".hailuo-output:has(.hailuo-grid)")
    saved = lab.save().cells[2].outputs
    assert len(saved) == 1
    kept = saved[0].data[MIME]
    assert kept["compare"] is True
    assert [each["run_id"] for each in kept["runs"]] == [each["run_id"] for each in runs]
    check_static(lab, browser, saved[0].data["text/html"])
