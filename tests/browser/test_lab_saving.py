"""After a submit the page saves the notebook, and only where that asks the user nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Request, Route, expect

from tests.simulator import Simulator
from tests.support.browser_fixture import Lab, Server

OpenLab = Callable[..., Lab]
StartServer = Callable[..., Server]

#: Longer than the page waits for the end of a burst, and than a save takes.
SETTLED_MS = 3000


def cell(name: str, count: int = 1) -> str:
    return f"%%hailuo --provider demo --count {count}\nA heron lifts off a lake, as {name} tells."


def writes(lab: Lab) -> list[str]:
    """From now on, what the page asks the server to write."""
    found: list[str] = []

    def sent(request: Request) -> None:
        if "/api/contents/" in request.url and request.method != "GET":
            found.append(f"{request.method} {request.url.rpartition('/api/contents/')[2]}")

    lab.page.on("request", sent)
    return found


def saved(server: Server, path: str) -> dict[str, Any]:
    """The records in the file; none while the server is writing it."""
    try:
        return dict(server.read(path).metadata.get("hailuo", {}).get("runs", {}))
    except nbformat.reader.NotJSONError:
        return {}


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_burst_of_submits_is_saved_once(
    open_lab: OpenLab, start_server: StartServer, name: str, app: str
) -> None:
    server = start_server(app)
    path = server.write(f"{name}.ipynb", [cell(name, 3)])
    lab = open_lab(path, on=server)
    found = writes(lab)
    lab.start(0)
    lab.until(lambda: len(saved(server, path)) == 3, "the file has three records")
    lab.page.wait_for_timeout(SETTLED_MS)
    assert [each.partition("?")[0] for each in found] == [f"PUT {path}"]
    expect(lab.page.get_by_role("dialog")).to_have_count(0)
    # The next submit is saved too; what becomes of a run is left to JupyterLab's own saving.
    lab.js("model.cells.get(0).sharedModel.setSource(arg);", cell(f"{name} again"))
    lab.start(0)
    lab.until(lambda: len(saved(server, path)) == 4, "the file has the fourth record")


def test_of_two_browsers_the_one_that_submitted_saves(
    open_lab: OpenLab, browser: Browser, server: Server, simulator: Simulator, name: str
) -> None:
    path = server.write(f"{name}.ipynb", [cell(name)])
    server.trust(path)
    # The answer comes after the cell has returned and both pages have greeted the kernel.
    simulator.fault("delay", "submit", prompt=name, seconds=4.0)
    with Lab(browser, server, path) as other:
        lab = open_lab(path)
        found, others = writes(lab), writes(other)
        lab.start(0)
        other.until(lambda: len(other.records()) == 1, "the other page knows of the submit")
        lab.until(lambda: len(saved(server, path)) == 1, "the file has the record")
        other.page.wait_for_timeout(SETTLED_MS)
        assert [each.partition("?")[0] for each in found] == [f"PUT {path}"]
        assert others == []
        expect(other.page.get_by_role("dialog")).to_have_count(0)
    assert len(saved(server, path)) == 1


def test_a_submit_is_saved_while_the_next_cell_waits_for_the_clip(
    open_lab: OpenLab, server: Server, let_go: Callable[[], object], name: str
) -> None:
    named = cell(name).replace("%%hailuo", "%%hailuo --name heron")
    path = server.write(f"{name}.ipynb", [named, "heron.wait();"])
    lab = open_lab(path)
    lab.js("app.commands.execute('notebook:run-all-cells');")
    lab.until(lambda: len(saved(server, path)) == 1, "the file has the record")
    assert lab.js("return model.cells.get(1).executionCount;") is None
    first = saved(server, path)
    let_go()
    assert lab.until_state("completed", 0)["run_id"] in first
    lab.idle()
    (run,) = lab.save().metadata.hailuo.runs.values()
    assert run.state == "completed"
    # What the page then hears in answer to its hello belongs to the same notebook.
    assert lab.js("return model.getMetadata('hailuo').id;") == run.origin.notebook_id


def test_a_submit_is_saved_in_a_notebook_that_is_not_trusted_as_a_whole(
    open_lab: OpenLab, server: Server, let_go: Callable[[], object], name: str
) -> None:
    # The second cell was never run here, so it is not trusted.
    path = server.write(f"{name}.ipynb", [cell(name), cell(f"another {name}")])
    lab = open_lab(path)
    lab.start(0)
    lab.until(lambda: saved(server, path), "the file has the record")
    assert [run["state"] for run in saved(server, path).values()] != ["completed"]
    let_go()
    lab.until_state("completed", 0)


def test_a_file_that_has_changed_on_disk_is_left_alone(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    path = server.write(f"{name}.ipynb", [cell(name)])
    lab = open_lab(path)
    changed = server.read(path)
    changed.cells.append(nbformat.v4.new_markdown_cell("Another program was here."))
    nbformat.write(changed, server.root / path)
    found = writes(lab)
    lab.start(0)
    lab.until(lambda: len(lab.records()) == 1, "the record is in the metadata")
    lab.page.wait_for_timeout(SETTLED_MS)
    assert found == []
    expect(lab.page.get_by_role("dialog")).to_have_count(0)
    assert lab.js("return model.dirty;")
    assert server.read(path) == changed


def test_a_save_of_the_user_at_the_same_moment_follows(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    path = server.write(f"{name}.ipynb", [cell(name)])
    lab = open_lab(path)
    found, held = writes(lab), list[Route]()

    def answer(route: Route) -> None:
        if found and not held:
            held.append(route)
        else:
            route.continue_()

    # The file is written, and what the page knows of it is of before: any save would now ask.
    lab.page.route(f"**/api/contents/{path}?*hash=1*", answer)
    lab.start(0)
    lab.until(lambda: held, "the page asks what it has written")
    lab.page.keyboard.press("Control+s")
    ask = "app.serviceManager.contents.get(arg, {content: false, hash: true});"
    lab.js(
        f"for (let at = 0; at < 5; at++) await {ask}", path
    )  # longer than a save takes to compare
    expect(lab.page.get_by_role("dialog")).to_have_count(0)
    assert len(found) == 1
    held[0].continue_()
    lab.until(lambda: len(found) == 3, "the user's save is done")
    assert [each.partition(" ")[0] for each in found] == ["PUT", "PUT", "POST"]  # a checkpoint
    expect(lab.page.get_by_role("dialog")).to_have_count(0)
    assert len(saved(server, path)) == 1


def test_opening_a_notebook_saves_nothing(open_lab: OpenLab, server: Server, name: str) -> None:
    path = server.write(f"{name}.ipynb", [cell(name)])
    lab = open_lab(path)
    lab.start(0)
    lab.until(lambda: len(saved(server, path)) == 1, "the file has the record")
    # It is opened while the run goes on: the page hears more of a submit that the file knows.
    lab.page.reload()
    found = writes(lab)
    lab.ready()
    lab.until_state("completed", 0)
    lab.page.wait_for_timeout(SETTLED_MS)
    assert found == []


def test_a_setting_turns_it_off(
    open_lab: OpenLab, server: Server, name: str, set_settings: Callable[..., None]
) -> None:
    set_settings(saveAfterSubmit=False)
    path = server.write(f"{name}.ipynb", [cell(name)])
    lab = open_lab(path)
    found = writes(lab)
    lab.start(0)
    lab.until_state("completed", 0)
    lab.page.wait_for_timeout(SETTLED_MS)
    assert found == []
