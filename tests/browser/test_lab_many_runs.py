"""A notebook with 200 finished runs opens, and asks for no clip before somebody plays it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import nbformat
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.support.browser_fixture import Lab, Server
from tests.support.large_notebooks import write_notebooks

RUNS = 200


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1300, "height": 1000})
    yield made
    made.close()


def test_two_hundred_finished_runs(context: BrowserContext, server: Server, name: str) -> None:
    path, _ = write_notebooks(server.root, RUNS, name)
    server.trust(path)
    saved = server.read(path)
    clips: list[str] = []
    errors: list[str] = []
    context.on(
        "request", lambda request: clips.append(request.url) if ".mp4" in request.url else None
    )
    context.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    context.on("weberror", lambda error: errors.append(str(error.error)))
    with Lab(context, server, path) as lab:
        assert lab.js("return model.cells.length;") == RUNS
        # From one end to the other, each output is rendered and none is empty.
        for at in (0, RUNS // 2, RUNS - 1):
            cell = lab.page.locator(f'.jp-Cell[data-windowed-list-index="{at}"]')
            # JupyterLab adds cells to the page little by little, and so do outputs draw themselves; each
            # that is drawn moves what follows.
            for _ in range(30):
                lab.js("await panel.content.scrollToItem(arg, 'center');", at)
                with suppress(AssertionError):
                    expect(cell.locator(".hailuo-static video")).to_be_visible(timeout=1000)
                    break
            expect(cell.locator(".hailuo-static video")).to_be_visible()
            expect(cell.get_by_role("button", name="More actions")).to_be_visible()
        assert clips == []
        # To look at it changes nothing.
        shown = nbformat.from_dict(lab.js("return model.toJSON();"))
        assert shown.metadata.hailuo == saved.metadata.hailuo
        assert [cell.outputs for cell in shown.cells] == [cell.outputs for cell in saved.cells]

        video = cell.locator("video")
        video.evaluate("video => { video.muted = true; return video.play(); }")
        run_id = lab.record(RUNS - 1)["run_id"]
        assert clips
        assert all(f"/hailuo/{run_id}.mp4" in url for url in clips)
    server.shut_down_kernels()
    assert errors == []
