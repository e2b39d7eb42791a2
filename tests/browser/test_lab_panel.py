"""The panel in JupyterLab: by keyboard alone, live and at rest, after reload, restart and reopening."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.simulator import Simulator
from tests.support.browser_fixture import MIME, Lab, Server

WIDGET = "application/vnd.jupyter.widget-view+json"
CELLS = ["%load_ext hailuo_jupyter\n%config Hailuo.provider = 'demo'", "%hailuo panel"]
PICTURE = Path(__file__).parents[2] / "notebooks" / "first-frame.jpg"
PROMPT = "A rocket stands before dawn, by the keyboard."

#: Stops of Tab between the cell and the last button of the form.
_MOST_STOPS = 40


class Form:
    """The panel on the page."""

    def __init__(self, lab: Lab, cell: int = 1) -> None:
        self.lab, self.cell = lab, cell
        self.node: Locator = lab.output(cell).locator(".hailuo-panel")
        self.slots = self.node.locator(".hailuo-slot")
        self.submit = self.node.locator("button.hailuo-generate")

    def visible(self) -> None:
        expect(self.node.get_by_label("Prompt", exact=True)).to_be_visible()

    def tab_to(self, name: str) -> None:
        """Press Tab until what has this label or text has the focus, and shows it."""
        at = """
        const at = document.activeElement;
        const label = at.labels?.length ? at.labels[0].textContent : at.textContent;
        const style = getComputedStyle(at);
        const ringed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
        return [label.trim(), ringed && at.matches(':focus-visible')];
        """
        passed = []
        for _ in range(_MOST_STOPS):
            self.lab.page.keyboard.press("Tab")
            found, seen = self.lab.js(at)
            if found == name:
                assert seen, f"one does not see that {name} has the focus"
                return
            passed.append(found[:30])
        pytest.fail(f"Tab does not get to {name}; it passed {passed}")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.lab.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.lab.page.keyboard.type(text)

    def plays(self) -> None:
        """Check that the first card's clip can be played."""
        video = self.slots.locator("video")
        expect(video).to_be_visible()
        video.evaluate("video => { video.muted = true; return video.play(); }")
        self.lab.until(lambda: video.evaluate("video => video.currentTime > 0"), "the clip plays")
        video.evaluate("video => video.pause()")

    def runs(self) -> list[dict[str, Any]]:
        shown = self.lab.bundle(self.cell).get(MIME, {})
        return list(shown.get("runs", []))

    def until_completed(self, count: int) -> None:
        self.lab.until(
            lambda: (
                [run["state"] for run in self.runs()] == ["completed"] * count
                and {r["run_id"] for r in self.runs()}
                <= {i for i, r in self.lab.records().items() if r["state"] == "completed"}
            ),
            f"{count} runs are completed, in the output and in the metadata",
        )


def jobs(simulator: Simulator, prompt: str) -> int:
    return sum(prompt in job.prompt for job in simulator.ledger.jobs)


def findings(lab: Lab, where: str) -> list[Any]:
    found = Axe().run(lab.page, context=where).response
    assert found["passes"]
    return [
        (each["id"], node["html"], node["failureSummary"])
        for each in found["violations"]
        for node in each["nodes"]
    ]


def too_wide(lab: Lab, where: str) -> list[str]:
    """What within an element is wider than it is, or scrolls."""
    return list(
        lab.js(
            "const root = document.querySelector(arg); const right = root.getBoundingClientRect().right;"
            "return Array.from(root.querySelectorAll('*')).filter(each => each.checkVisibility()"
            " && !each.closest('details') && (each.getBoundingClientRect().right > right + 1"
            " || (each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0"
            " && /auto|scroll/.test(getComputedStyle(each).overflowX))))"
            ".map(each => each.outerHTML.slice(0, 120));",
            where,
        )
    )


@pytest.fixture
def lab(open_lab: Callable[..., Lab], server: Server) -> Lab:
    """A notebook with a panel, and a picture beside it."""
    shutil.copy(PICTURE, server.root)
    lab = open_lab(server.write("panel.ipynb", [*CELLS, "1"]))
    lab.run(0, 1)
    Form(lab).visible()
    return lab


def test_the_life_of_a_panel(lab: Lab, simulator: Simulator, server: Server) -> None:
    form = Form(lab)
    expect(form.node).to_contain_text("Enter a prompt to continue.")
    assert form.node.locator(".hailuo-wrong:visible").count() == 0  # nobody is shouted at
    assert form.node.locator("[title='null']:visible").count() == 0
    at = form.submit.bounding_box()
    more = form.node.locator(".hailuo-chips").get_by_role("button", name="More")
    here = more.bounding_box()
    more.click()
    fewer = form.node.get_by_role("button", name="Fewer")
    place = fewer.bounding_box()
    assert here
    assert place
    assert (here["x"], here["y"]) == (place["x"], place["y"])
    fewer.click()
    assert form.submit.bounding_box() == at
    it_is_used_by_keyboard_alone(form, simulator)
    a_run_is_repeated_with_a_change(form, simulator)
    the_form_becomes_a_cell_that_is_not_run(form)
    a_picture_is_dropped(form)
    it_goes_on_after_the_page_was_loaded_again(form)
    it_fits_a_narrow_page_in_both_themes(form)
    without_its_kernel_there_are_twins_and_then_the_form_again(form, simulator, server)


def it_is_used_by_keyboard_alone(form: Form, simulator: Simulator) -> None:
    lab = form.lab
    # JupyterLab's shortcuts would take arrows and letters from a select. To be removed here as soon
    # as the renderer marks what gets the focus in a card.
    lab.js(
        "document.addEventListener('focusin', event => {"
        " event.target.dataset.lmSuppressShortcuts = 'true'; });"
    )
    # By keyboard alone: a camera command and a frame too.
    lab.js("panel.content.activeCellIndex = 1; panel.content.activate();")
    form.node.get_by_label("Prompt", exact=True).focus()
    form.type(PROMPT)
    form.tab_to("Push in")
    form.keys("Enter")
    expect(form.node.get_by_label("Prompt", exact=True)).to_have_value(f"{PROMPT} [Push in]")
    form.tab_to("First frame")
    form.keys("ArrowDown", "ArrowDown")
    expect(form.node.get_by_label("First frame: path or URL")).to_be_visible()
    form.tab_to("First frame: path or URL")
    form.type("first-fram.jpg")
    expect(form.node).to_contain_text("The nearest name in that folder is first-frame.jpg.")
    expect(form.submit).to_be_disabled()
    assert findings(lab, ".hailuo-panel") == []
    form.keys("End", *["ArrowLeft"] * 4)
    form.type("e")
    expect(form.node).to_contain_text(
        "640 \N{MULTIPLICATION SIGN} 427, ratio 1.50, JPEG, 0.1 MB. OK."
    )
    expect(form.submit).to_be_enabled()
    form.tab_to("Generate · free")
    form.keys("Enter", "Enter")
    card = form.slots.get_by_role("progressbar")
    expect(card).to_be_visible()
    assert lab.js("return document.activeElement.textContent;") in {"Generate · free", "Sending …"}
    expect(form.node).to_contain_text("see below.")
    form.until_completed(1)
    assert jobs(simulator, PROMPT) == 1
    form.plays()


def a_run_is_repeated_with_a_change(form: Form, simulator: Simulator) -> None:
    lab, first = form.lab, form.runs()[0]
    form.slots.get_by_role("button", name="Edit and rerun").click()
    prompt = form.node.get_by_label("Prompt", exact=True)
    expect(prompt).to_be_focused()
    expect(form.node.get_by_label("First frame: path or URL")).to_have_value(
        f"hailuo/{first['request']['first_frame']['kept']}"
    )
    form.keys("Control+End")
    form.type(" Again.")
    expect(form.node).to_contain_text(f"Based on run {first['run_id']}.")
    form.keys("Control+Enter", "Control+Enter")
    form.until_completed(2)
    assert form.runs()[0]["parent"] == first["run_id"]
    assert jobs(simulator, PROMPT) == 2
    expect(form.slots.locator("video")).to_have_count(2)
    assert findings(lab, ".hailuo-panel") == []


def the_form_becomes_a_cell_that_is_not_run(form: Form) -> None:
    lab = form.lab
    form.node.get_by_role("button", name="Insert as cell").click()
    expect(form.node).to_contain_text("Inserted below (not run).")
    lab.until(
        lambda: lab.js("return model.cells.get(2).sharedModel.getSource();").startswith("%%hailuo"),
        "the cell is there",
    )
    text = lab.js("return model.cells.get(2).sharedModel.getSource();")
    assert text.startswith("%%hailuo --provider demo --mode standard --image hailuo/frames/")
    assert text.endswith(f"\n{PROMPT} [Push in] Again.")
    assert lab.js("return model.cells.get(2).executionCount;") is None


def a_picture_is_dropped(form: Form) -> None:
    zone = form.node.locator(".hailuo-zone-last")
    zone.evaluate(
        """zone => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([new Uint8Array(12e6)], 'a.png'));
            zone.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true }));
        }"""
    )
    expect(zone.locator("[aria-live]")).to_have_text(
        "Too large to drop (12 MB). Save it next to the notebook and choose 'path or URL'."
    )
    form.node.locator(".hailuo-zone-last").evaluate(
        """(zone, data) => {
            const bytes = Uint8Array.from(atob(data), each => each.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], 'a.jpg', { type: 'image/jpeg' }));
            for (const type of ['dragover', 'drop']) {
                zone.querySelector('.hailuo-drop').dispatchEvent(
                    new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
            }
        }""",
        base64.b64encode(PICTURE.read_bytes()).decode(),
    )
    expect(form.node.locator(".hailuo-zone-last img")).to_be_visible()
    expect(form.node.get_by_label("Last frame", exact=True)).to_have_value("uploaded file")
    form.node.get_by_label("Last frame", exact=True).select_option("no frame")
    expect(form.node.locator(".hailuo-zone-last img")).to_have_count(0)


def it_goes_on_after_the_page_was_loaded_again(form: Form) -> None:
    lab = form.lab
    # The page is loaded again: the form is there with all that it held.
    lab.save()
    lab.reload()
    form.visible()
    expect(form.node.get_by_label("Prompt", exact=True)).to_have_value(f"{PROMPT} [Push in] Again.")
    expect(form.slots.locator("video")).to_have_count(2)
    # What is submitted now gets into the output, though the page has forgotten its display.
    form.node.get_by_label("Prompt", exact=True).fill(f"{PROMPT} After a reload.")
    form.submit.click()
    form.until_completed(3)
    saved = lab.save()
    ids = [run["run_id"] for run in form.runs()]
    assert saved.cells[1].metadata.hailuo.runs == ids
    assert set(ids) <= set(saved.metadata.hailuo.runs)
    assert WIDGET in saved.cells[1].outputs[0].data


def twins(lab: Lab, count: int) -> None:
    """Check that the panel's cell shows its runs' twins, and no widget that is not there."""
    output = lab.output(1)
    expect(output.locator(".hailuo-static video")).to_have_count(count)
    expect(output.locator(".hailuo-static")).to_be_visible()
    expect(output.locator(".hailuo-static")).to_contain_text("Run this cell to open the panel.")
    expect(output.locator(".hailuo-panel")).to_have_count(0)
    assert "model not found" not in output.inner_text()


def without_its_kernel_there_are_twins_and_then_the_form_again(
    form: Form, simulator: Simulator, server: Server
) -> None:
    lab, count, paid = form.lab, len(form.runs()), len(simulator.ledger.jobs)
    assert count
    lab.js("await panel.sessionContext.session.kernel.restart();")
    lab.idle()
    twins(lab, count)
    lab.save()

    # Opened by somebody who has no kernel of it.
    server.shut_down_kernels()
    lab.open("panel.ipynb")
    twins(lab, count)

    # Run All: the form is there again, its runs below, and nothing is paid for them.
    lab.run(0, 1)
    form.visible()
    expect(form.slots.locator("video")).to_have_count(count)
    lab.until(lambda: len(form.runs()) == count, "the output lists the runs")
    assert len(simulator.ledger.jobs) == paid


def it_fits_a_narrow_page_in_both_themes(form: Form) -> None:
    lab = form.lab
    lab.page.set_viewport_size({"width": 480, "height": 900})
    lab.js("app.shell.collapseLeft(); app.shell.collapseRight();")
    for theme in ("Dark", "Light"):
        lab.command("apputils:change-theme", theme=f"JupyterLab {theme}")
        light = str(theme == "Light").lower()
        lab.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg=light
        )
        assert too_wide(lab, ".hailuo-panel") == []
        assert findings(lab, ".hailuo-panel") == []
    lab.page.set_viewport_size({"width": 1300, "height": 1000})


def test_the_palette_opens_it(open_tab: Callable[..., Lab], server: Server, name: str) -> None:
    lab = open_tab(server.write(f"{name}.ipynb", ["1"]))
    lab.command("hailuo:open-panel")
    Form(lab).visible()
    assert lab.js("return model.cells.length;") == 2


def test_the_panel_in_notebook_7(
    open_lab: Callable[..., Lab], start_server: Callable[..., Server], simulator: Simulator
) -> None:
    server = start_server("notebook")
    prompt = "A rocket stands before dawn, in Notebook 7."
    lab = open_lab(server.write("panel7.ipynb", CELLS), on=server)
    lab.run(0, 1)
    form = Form(lab)
    form.visible()
    form.node.get_by_label("Prompt", exact=True).fill(prompt)
    form.submit.click()
    form.until_completed(1)
    form.plays()
    assert jobs(simulator, prompt) == 1
    assert findings(lab, ".hailuo-panel") == []
    lab.save()
    lab.reload()
    form.visible()
    expect(form.node.get_by_label("Prompt", exact=True)).to_have_value(prompt)
    expect(form.slots.locator("video")).to_have_count(1)
    form.node.get_by_role("button", name="Insert as cell").click()
    lab.until(lambda: lab.js("return model.cells.length;") == len(CELLS) + 1, "the cell is there")
