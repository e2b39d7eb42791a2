"""What the page shows of a run: live card, twin, buttons, colour, notifications."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from hailuo_jupyter.ipynb.verify import verify
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator
from tests.support.accessibility import findings
from tests.support.browser_fixture import MIME, SIZE, Lab, Server, with_run

LOAD = "%load_ext hailuo_jupyter"
WIDGET = "application/vnd.jupyter.widget-view+json"
OpenLab = Callable[..., Lab]


def cell(name: str) -> str:
    return f"%%hailuo --provider demo\nA heron lifts off a lake, as {name} tells. [Pan left]"


@pytest.fixture
def done(open_tab: OpenLab, server: Server, name: str) -> Lab:
    """A notebook whose second cell has a completed run."""
    return with_run(open_tab, server.write(f"{name}.ipynb", [LOAD, cell(name)]))


@pytest.fixture(scope="module")
def finished(browser: Browser, server: Server) -> str:
    """The path of a saved notebook whose second cell has a completed run."""
    path = server.write("finished.ipynb", [LOAD, cell("finished")])
    with Lab(browser, server, path) as lab:
        lab.run(0, 1)
        lab.until_state("completed", 1)
        lab.save()
    server.shut_down_kernels()
    return path


def saved_live(open_lab: OpenLab, server: Server, name: str) -> str:
    """A notebook that was saved while its run was live, and whose kernel is gone; gives its path."""
    path = server.write(f"{name}.ipynb", [LOAD, cell(name)])
    lab = open_lab(path)
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    assert WIDGET in lab.save().cells[1].outputs[0].data
    lab.close()
    server.shut_down_kernels()
    return path


def test_opened_again_with_another_kernel_there_is_the_twin(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    lab = open_lab(saved_live(open_lab, server, name))
    expect(lab.output(1).locator(".hailuo-static")).to_contain_text("A heron lifts off a lake")
    # The new kernel does not list the card's model, so ipywidgets is not even asked for its view.
    expect(lab.output(1).locator(".hailuo-card")).to_have_count(0)
    assert "widget" not in lab.output(1).inner_text()


def test_opened_again_untrusted_and_without_a_kernel(
    open_lab: OpenLab, server: Server, finished: str, name: str
) -> None:
    saved = server.read(finished)
    saved.cells[1].outputs[0].data["text/html"] += "<script>window.broken = 1</script>"
    del saved.metadata["kernelspec"]  # so that one is asked for, and may choose none
    saved.metadata.pop("language_info", None)
    nbformat.write(saved, server.root / f"{name}-untrusted.ipynb")
    lab = open_lab(server.write(f"{name}-empty.ipynb", ["1"]), several=True)
    path = f"{name}-untrusted.ipynb"
    fetched: list[str] = []
    lab.page.on("request", lambda request: fetched.append(request.url))
    lab.command("docmanager:open", path=path)
    lab.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()
    lab.ready(path, kernel=False)
    lab.path = path
    assert not lab.js("return model.cells.get(1).trusted;")
    expect(lab.output(1).locator("video")).to_be_visible()
    asked = [url for url in fetched if ".mp4" in url or "/api/contents/hailuo" in url]
    assert asked == [], "nothing is asked for on its behalf"
    assert lab.js("return panel.sessionContext.session;") is None
    lab.plays(1)
    assert not lab.js("return window.broken;")
    # Nothing of ours has changed it; what kernel it has is JupyterLab's to write.
    shown = nbformat.from_dict(lab.js("return model.toJSON();"))
    assert shown.metadata.hailuo == saved.metadata.hailuo
    assert [cell.metadata.get("hailuo") for cell in shown.cells] == [
        cell.metadata.get("hailuo") for cell in saved.cells
    ]
    assert [cell.outputs for cell in shown.cells] == [cell.outputs for cell in saved.cells]


def test_no_clip_is_fetched_before_it_is_played(open_lab: OpenLab, finished: str) -> None:
    lab = open_lab(finished, kernel=False)
    fetched: list[str] = []
    lab.page.on("request", lambda request: fetched.append(request.url))
    lab.reload(kernel=False)
    expect(lab.output(1).locator("video")).to_be_visible()
    assert fetched
    assert not [url for url in fetched if ".mp4" in url]


def test_without_the_extension(
    open_lab: OpenLab, start_server: Callable[..., Server], name: str, simulator: Simulator
) -> None:
    server = start_server(extension=False)
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, cell("first"), cell("second")]), on=server)
    simulator.fault("stuck", count=1)
    lab.run(0, 1)
    expect(lab.output(1)).to_contain_text("extension not seen")
    lab.run(2)
    lab.until(lambda: lab.record(2).get("state") == "completed", "the run ends")
    lab.plays(2)
    assert "extension not seen" not in lab.output(2).inner_text()  # it was said once
    assert lab.records() == {}


def test_the_card_goes_on_after_the_page_was_loaded_again(
    open_lab: OpenLab, server: Server, name: str, simulator: Simulator
) -> None:
    simulator.fault("stuck", count=1)
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, cell(name)]))
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    lab.save()
    lab.reload()
    timer = lab.output(1).locator(".hailuo-mod-live .hailuo-card").get_by_role("timer")
    expect(timer).to_be_visible(timeout=20000)
    before = timer.inner_text()
    lab.until(lambda: timer.inner_text() != before, "its clock goes on")


def test_with_the_extension_nobody_says_that_it_is_not_seen(
    open_tab: OpenLab, server: Server, name: str
) -> None:
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, cell(name)]))
    lab.run(0, 1)
    lab.js(
        "window.seen = []; new MutationObserver(() => window.seen.push(panel.node.innerText))"
        ".observe(panel.node, {subtree: true, childList: true, characterData: true});"
    )
    lab.until_state("completed", 1)
    assert lab.js("return window.seen.length;") > 0
    assert not lab.js("return window.seen.some(text => text.includes('not seen'));")


def test_a_kernel_without_ipywidgets(open_tab: OpenLab, server: Server, name: str) -> None:
    without = f"import sys; sys.modules['ipywidgets'] = None\n{LOAD}"
    lab = open_tab(server.write(f"{name}.ipynb", [without, cell(name)]))
    lab.run(0, 1)
    expect(lab.output(1).locator(".hailuo-static")).to_be_visible()
    assert WIDGET not in lab.bundle(1)
    lab.until_state("completed", 1)
    lab.plays(1)


def test_another_version_of_the_protocol(open_lab: OpenLab, server: Server, name: str) -> None:
    other = f"import hailuo_jupyter.kernel.comm_messages as m; m.PROTOCOL = 2\n{LOAD}"
    lab = open_lab(server.write(f"{name}.ipynb", [other, cell(name)]))
    lab.run(0, 1)
    expect(
        lab.page.locator(".Toastify").get_by_text("Install the same version in both.")
    ).to_have_count(1)
    expect(lab.output(1)).to_contain_text("Install the same version in both.")
    lab.until(lambda: lab.record(1).get("state") == "completed", "the run ends all the same")
    lab.plays(1)
    assert lab.records() == {}


def test_a_new_take_is_bought_after_its_price_is_agreed_to(
    done: Lab, server: Server, simulator: Simulator, name: str
) -> None:
    first = done.record(1)["run_id"]
    done.output(1).get_by_role("button", name="New take").focus()
    done.page.keyboard.press("Enter")
    dialog = done.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Generate another take? Price: free (demo).")
    # Cancel has the focus: Enter alone buys nothing.
    done.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert done.record(1)["run_id"] == first

    done.output(1).get_by_role("button", name="New take").click()
    dialog.get_by_role("button", name="Generate (free)").click()
    done.until(lambda: done.record(1).get("run_id", first) != first, "the new run is shown")
    second = done.until_state("completed", 1)["run_id"]
    # The first one is a click away, and both can be seen in step.
    output = done.output(1)
    takes = output.locator(".hailuo-takes")
    expect(takes).to_contain_text("Take 2 of 2")
    output.get_by_role("button", name="Earlier take").click()
    expect(takes).to_contain_text("Take 1 of 2")
    expect(output.locator("video")).to_have_attribute("title", f"Clip of run {first}")
    done.plays(1)
    assert findings(done, ".hailuo-output") == []
    output.get_by_role("button", name="Compare").click()
    expect(dialog.locator("video")).to_have_count(2)
    expect(dialog.get_by_role("button", name="Play")).to_be_visible()
    done.page.keyboard.press("Escape")
    # In a small window, too, the switch is beside the title, and the card is as high for every take.
    done.js("app.shell.collapseLeft(); app.shell.collapseRight();")
    done.page.set_viewport_size({"width": 800, "height": 700})
    card = output.locator(".hailuo-output")

    def places() -> list[Any]:
        return [card.bounding_box(), takes.bounding_box()]

    def stays() -> bool:
        before = places()
        done.page.wait_for_timeout(500)
        return before[0]["width"] < 800 and places() == before

    done.until(stays, "the page has its new size")  # the editor wraps the prompt later
    earlier = places()
    title = output.locator(".hailuo-title .hailuo-state").bounding_box()
    assert abs(title["y"] - earlier[1]["y"]) < title["height"] / 2
    output.get_by_role("button", name="Later take").click()
    expect(output.locator("video")).to_have_attribute("title", f"Clip of run {second}")
    assert places() == earlier
    done.page.set_viewport_size(SIZE)
    assert sum(name in job.prompt for job in simulator.ledger.jobs) == 2
    saved = done.save()
    assert sorted(saved.metadata.hailuo.runs) == sorted([first, second])
    assert saved.cells[1].metadata.hailuo == {"runs": [second]}
    assert saved.cells[1].source == cell(name)
    # To run the cell once more buys nothing, and for `verify` it is as it was.
    done.run(1)
    assert sum(name in job.prompt for job in simulator.ledger.jobs) == 2
    done.save()
    log = server.root.parent / "log" / "runs.sqlite3"
    assert not [
        each for each in verify(server.root / done.path, settings=Hailuo(run_log=str(log))).findings
        if each.kind == "drift"
    ]  # fmt: skip


def test_a_long_prompt_wraps_in_its_cell(open_tab: OpenLab, server: Server, name: str) -> None:
    prompt = "A heron lifts off a lake. " * 12
    lab = open_tab(server.write(f"{name}.ipynb", [f"%%hailuo\n{prompt}", f"# {prompt}"]))
    hidden = "scroller => scroller.scrollWidth - scroller.clientWidth"
    ours, python = (lab.cell(number).locator(".cm-scroller") for number in (0, 1))
    lab.until(lambda: python.evaluate(hidden) > 0, "a line of code does not wrap")
    lab.until(lambda: ours.evaluate(hidden) == 0, "the prompt is seen as a whole")


def jobs(simulator: Simulator, name: str) -> int:
    return sum(name in job.prompt for job in simulator.ledger.jobs)


def test_the_price_of_a_new_take_is_that_of_the_changed_cell(
    done: Lab, simulator: Simulator, name: str
) -> None:
    source = f"%%hailuo --provider segmind --mode pro --count 2\nA stork, as {name} tells."
    done.js("model.cells.get(1).sharedModel.setSource(arg);", source)
    take, dialog = (
        done.output(1).get_by_role("button", name="Run changed cell…"),
        done.page.get_by_role("dialog"),
    )
    expect(done.output(1)).to_contain_text("From an earlier version of this cell.")
    take.click()
    expect(dialog).to_contain_text("Run the changed cell?")
    expect(dialog).to_contain_text("provider segmind, another prompt, mode pro")
    expect(dialog).to_contain_text("This generates 2 clips. Price: $0.78–1.25 est. for both.")
    expect(dialog).to_contain_text("The current clip is kept. Its price: free (demo).")
    assert "another take" not in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel").click()

    # What buys nothing has no price, and the reason is told.
    for wrong, why in (
        ("print(1)", "no longer a %%hailuo cell"),
        ("%%hailuo\n{lion}", "no variable 'lion'"),
    ):
        done.js("model.cells.get(1).sharedModel.setSource(arg);", wrong)
        take.click()
        expect(dialog).to_contain_text(why)
        expect(dialog.get_by_role("button", name="Generate")).to_have_count(0)
        done.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    # JupyterLab sends a cell's own metadata along: what a file can hold is no consent.
    done.js("model.cells.get(1).sharedModel.setSource(arg);", cell(name))
    done.js("model.cells.get(1).setMetadata('hailuo_new', true);")
    done.run(1)
    done.until(lambda: done.record(1).get("state") == "completed", "the run is shown again")
    assert jobs(simulator, name) == 1


def test_a_busy_kernel_is_waited_for_before_there_is_a_price(
    done: Lab, server: Server, simulator: Simulator, name: str
) -> None:
    free = server.root / f"{name}.free"
    busy = f"import os, time\nwhile not os.path.exists({free.name!r}): time.sleep(0.05)"
    done.js(
        "panel.sessionContext.session.kernel.requestExecute({code: arg}); await new Promise(done =>"
        " panel.sessionContext.statusChanged.connect((_, s) => { if (s === 'busy') done(); }));",
        busy,
    )
    dialog = done.page.get_by_role("dialog")
    done.output(1).get_by_role("button", name="New take").click()
    expect(dialog).to_contain_text("The price is not known yet")
    buttons = dialog.get_by_role("button")
    assert [each for each in buttons.all_inner_texts() if each] == ["Cancel", "Wait for the price"]
    dialog.get_by_role("button", name="Wait for the price").click()
    expect(dialog).to_contain_text("Waiting for the kernel")
    free.touch()
    expect(dialog).to_contain_text("Generate another take? Price: free (demo).")
    dialog.get_by_role("button", name="Cancel").click()
    assert jobs(simulator, name) == 1

    # After a restart the page loads the extension again.
    done.js("await panel.sessionContext.session.kernel.restart();")
    done.idle()
    done.output(1).get_by_role("button", name="New take").click()
    expect(dialog).to_contain_text("Generate another take? Price: free (demo).")
    done.page.keyboard.press("Escape")


def test_the_other_buttons(open_tab: OpenLab, finished: str) -> None:
    lab = open_tab(finished, kernel=False)
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    actions, record = lab.output(1).get_by_role("group"), lab.record(1)

    def copied() -> str:
        return str(lab.js("return navigator.clipboard.readText();"))

    def choose(label: str) -> None:
        actions.get_by_role("button", name="More actions").click()
        lab.page.locator(".lm-Menu").get_by_text(label, exact=True).click()

    choose("Copy run id")
    lab.until(lambda: copied() == record["run_id"], "the id is copied")
    choose("Copy as cell")
    source = cell("finished").replace("demo", "demo --mode standard")
    lab.until(lambda: copied() == source, "the cell is copied")
    choose("View record")
    dialog = lab.page.get_by_role("dialog")
    assert json.loads(dialog.locator("pre").inner_text()) == record
    assert findings(lab, ".jp-Dialog-content") == []
    lab.page.keyboard.press("Escape")
    choose("Show in file browser")
    chosen = lab.page.locator(".jp-DirListing-item.jp-mod-selected")
    expect(chosen).to_contain_text(f"{record['run_id']}.mp4")
    with lab.page.expect_download() as saved:
        actions.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename == f"{record['run_id']}.mp4"

    # Both put a cell there, with the cursor in it, and run none.
    before = lab.js("return model.cells.length;")
    actions.get_by_role("button", name="Use last frame").click()
    lab.until(lambda: lab.js("return model.cells.length;") == before + 1, "there is a cell")
    source = lab.js("return panel.content.activeCell.model.sharedModel.getSource();")
    line = f"%%hailuo --provider demo --mode standard --image run:{record['run_id']}@last"
    assert source.split("\n") == [line, cell("finished").split("\n")[1]]
    actions.get_by_role("button", name="Edit and rerun").click()
    lab.until(lambda: lab.js("return panel.content.activeCellIndex;") == 1, "the cell is active")
    lab.until(
        lambda: lab.js("return panel.content.activeCell.editor.hasFocus();"), "it can be edited"
    )
    assert lab.js("return model.cells.length;") == before + 1


def test_colour(open_tab: OpenLab, server: Server, name: str) -> None:
    code = (
        '%%hailuo --mode pro --note "two words"\nA {animal} in {{braces}}. [Pan left] Then it goes.'
    )
    lab = open_tab(server.write(f"{name}.ipynb", [code, "print(1)"]), kernel=False)
    line = lab.cell(0).locator(".cm-line")

    def colours() -> dict[str, str]:
        spans = line.locator("span").evaluate_all(
            "spans => spans.map(span => [span.textContent, getComputedStyle(span).color])"
        )
        return {text.strip(): colour for text, colour in spans}

    kinds = ("%%hailuo", "--mode", "pro", "{animal}", "[Pan left]")
    try:
        lab.until(lambda: set(kinds) <= set(colours()), "the cell is coloured")
    except AssertionError as error:
        error.add_note(f"{colours()}, {lab.js('return model.cells.get(0).mimeType;')}")
        raise
    seen, plain = colours(), line.nth(1).evaluate("line => getComputedStyle(line).color")
    assert len({plain, *(seen[kind] for kind in kinds)}) == 1 + len(kinds)
    assert seen['"two words"'] == seen["pro"]
    # Without the magic it is Python, as the other cell always was.
    lab.js("model.cells.get(0).sharedModel.setSource('print(1)');")
    lab.until(
        lambda: lab.js("return model.cells.get(0).mimeType === model.cells.get(1).mimeType;"),
        "it is Python again",
    )


def test_a_notification_when_the_notebook_is_not_in_view(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    path = server.write(f"{name}.ipynb", [LOAD, cell(name)])
    other = server.write(f"{name}-other.ipynb", ["1"])
    lab = open_lab(path, several=True)
    lab.run(0, 1)
    lab.until_state("completed", 1)
    told = lab.page.get_by_text("The clip is ready")
    assert told.count() == 0  # one looked on
    lab.js("model.cells.get(1).sharedModel.setSource(arg);", cell(f"{name} again"))
    lab.run(1)
    lab.until(lambda: len(lab.records()) == 2, "the second run is submitted")
    lab.command("docmanager:open", path=other)
    expect(told).to_have_count(1)
    lab.page.get_by_role("button", name="Show").click()
    lab.until(lambda: lab.js("return panel.isVisible;"), "it is in front again")


def place(lab: Lab, cell: int) -> float:
    """Where a cell begins, from the notebook's top."""
    return float(
        lab.js(
            "const top = panel.content.widgets[0].node.getBoundingClientRect().top;"
            "return panel.content.widgets[arg].node.getBoundingClientRect().top - top;",
            cell,
        )
    )


def settled(lab: Lab, cell: int) -> float:
    """Where a cell begins, once it stays there."""
    found = [place(lab, cell)]

    def stays() -> bool:
        found.append(place(lab, cell))
        return len(found) > 3 and len(set(found[-3:])) == 1

    lab.until(stays, "the cell stays where it is")
    return found[-1]


def watch_places(lab: Lab) -> None:
    """Note, from now on, where the third cell begins whenever the page is drawn."""
    lab.js(
        "const places = window.places = new Set();"
        "const [top, , moved] = panel.content.widgets.map(each => each.node);"
        "const look = () => {"
        "  places.add(Math.round(moved.getBoundingClientRect().top - top.getBoundingClientRect().top));"
        "  if (window.places === places) requestAnimationFrame(look);"
        "};"
        "look();"
    )


def watched_places(lab: Lab) -> list[float]:
    """Return where the third cell was since `watch_places`."""
    return list(lab.js("const seen = [...window.places]; window.places = null; return seen;"))


def test_nothing_moves_when_takes_arrive_and_when_they_are_shown_again(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    takes = f"%%hailuo --provider aimlapi --count 3 --duration 6\nA heron, as {name} tells."
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, takes, "1"]))
    # Narrow columns, in which most facts take two lines.
    lab.js("app.shell.collapseLeft(); app.shell.collapseRight();")
    lab.page.set_viewport_size({"width": 1100, "height": 1000})
    lab.run(0, 1)
    room = lab.output(1).locator(".hailuo-mod-live .hailuo-card .hailuo-room")
    expect(room).to_have_count(3)
    below = settled(lab, 2)
    for again in (False, True):
        watch_places(lab)
        if again:
            lab.run(1)
            expect(lab.output(1).get_by_text("reused, no charge")).to_have_count(3)
        expect(lab.output(1).locator(".hailuo-static video")).to_have_count(3)
        settled(lab, 2)
        seen = watched_places(lab)
        assert seen == pytest.approx([below] * len(seen), abs=2)


def test_nothing_moves_while_a_cell_runs_again(
    open_tab: OpenLab, server: Server, name: str
) -> None:
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, cell(name), "1"]))
    lab.run(0, 1)
    lab.until_state("completed", 1)
    expect(lab.output(1).locator("video")).to_be_visible()
    held = "return panel.content.widgets[1].node.style.minHeight === '';"
    lab.until(lambda: lab.js(held), "the height is the cell's own")
    below = settled(lab, 2)
    watch_places(lab)
    # As long as a kernel takes that loads the extension first.
    lab.js(
        "await panel.sessionContext.session.kernel.requestExecute({code: arg}).done;",
        "import time\nget_ipython().events.register('pre_run_cell', lambda *_: time.sleep(1))",
    )
    # Twice: the first one's output is hardly drawn when the second one clears it.
    lab.run(1)
    lab.run(1)
    expect(lab.output(1).locator("video")).to_be_visible()
    lab.until(lambda: settled(lab, 2) == pytest.approx(below, abs=2), "it is where it was")
    seen = watched_places(lab)
    assert seen == pytest.approx([below] * len(seen), abs=2)  # live and finished card: rounding
    lab.until(lambda: lab.js(held), "the height is the cell's own again")


def test_nothing_moves_when_the_clip_arrives_and_the_accessibility_check_finds_nothing(
    open_lab: OpenLab, server: Server, name: str, let_go: Callable[[], object]
) -> None:
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, cell(name), "1"]))
    lab.run(0, 1)
    card = lab.output(1).locator(".hailuo-mod-live .hailuo-card")
    expect(card).to_be_visible()
    expect(card.locator(".hailuo-next")).to_contain_text(
        re.compile("next check|checking", re.IGNORECASE)
    )
    assert findings(lab, ".hailuo-output") == []
    # A window of a small notebook: the facts are higher than the clip, and beside or below it.
    lab.js("app.shell.collapseLeft(); app.shell.collapseRight();")
    small = {}
    for width in (640, 800):
        lab.page.set_viewport_size({"width": width, "height": 700})
        small[width] = settled(lab, 2)
    lab.page.set_viewport_size(SIZE)
    settled(lab, 2)
    below, room = place(lab, 2), card.locator(".hailuo-room").bounding_box()
    let_go()
    lab.until_state("completed", 1)
    clip = lab.output(1).locator(".hailuo-static .hailuo-clip")
    expect(clip).to_be_visible()
    assert clip.bounding_box() == room, "the clip takes the room that was kept for it"
    assert place(lab, 2) == below
    assert room is not None
    assert (room["width"], room["height"]) == (480, 270)
    assert lab.output(1).locator(".hailuo-output").bounding_box()["height"] < 300
    # The cell above has the prompt.
    expect(lab.output(1).locator(".hailuo-static .hailuo-prompt")).to_be_hidden()
    tops = (
        lab.output(1)
        .locator(".hailuo-row")
        .evaluate_all(
            "rows => rows.map(row => new Set([...row.children].map(e => e.offsetTop)).size)"
        )
    )
    assert tops == [1, 1], "no row of buttons wraps"
    video = clip.locator("video")
    assert video.evaluate("video => video.paused")
    video.hover()
    lab.until(lambda: video.evaluate("v => !v.paused && v.muted"), "it plays without sound")
    lab.page.mouse.move(5, 5)
    lab.until(lambda: video.evaluate("video => video.paused"), "it plays no more")
    for width, before in small.items():
        lab.page.set_viewport_size({"width": width, "height": 700})
        assert settled(lab, 2) == pytest.approx(before, abs=1)
    # With less room the facts go below.
    lab.page.set_viewport_size({"width": 640, "height": 800})
    side = lab.output(1).locator(".hailuo-static .hailuo-side")
    lab.until(
        lambda: side.bounding_box()["y"] > clip.bounding_box()["y"] + 150, "the facts are below"
    )
    for width in (480, 800):
        lab.page.set_viewport_size({"width": width, "height": 800})
        lab.until(lambda: clip.bounding_box()["width"] < 400, "the clip is smaller")
        box = clip.bounding_box()
        assert box["height"] == pytest.approx(box["width"] * 9 / 16, abs=0.1), "as its room was"
    lab.page.set_viewport_size(SIZE)
    for summary in lab.output(1).locator("summary").all():
        summary.click()
    assert findings(lab, ".hailuo-output") == []
    assert MIME in lab.bundle(1)
