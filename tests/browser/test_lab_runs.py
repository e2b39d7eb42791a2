"""The side panel with a notebook's runs, the palette's commands, and the launcher's entry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, expect

from hailuo_jupyter import media
from hailuo_jupyter.kernel.display.bundle import MIME, bundle
from hailuo_jupyter.states import State
from tests.support.accessibility import findings, in_theme
from tests.support.browser_fixture import Lab, Server
from tests.support.large_notebooks import empty_notebook, write_clip
from tests.support.sample_rows import shown, shown_row

EVIL = "<img src=x onerror='window.broken=1'>"
HERON = "A heron lifts off a lake"
PROMPTS = {
    State.FAILED: f"A lighthouse at dusk {EVIL}",
    State.GENERATING: "A fox in the snow",
    State.COMPLETED: HERON,
}

#: What is wider than the room it has, and can neither be scrolled nor is cut off with an ellipsis.
CUT_OFF = """
all => all.filter(each => {
  const style = getComputedStyle(each);
  return each.clientWidth && each.scrollWidth > each.clientWidth + 1 &&
    !/auto|scroll/.test(style.overflowX) && style.textOverflow !== 'ellipsis';
}).map(each => `${each.outerHTML.slice(0, 80)}: ${each.scrollWidth} in ${each.clientWidth}`)
"""


@pytest.fixture(scope="module")
def notebook(server: Server) -> str:
    """A notebook of three runs, the oldest first, and of what no version of ours has written.

    Of the third one's request there is an earlier run, which no cell shows.
    """
    clips = server.root / "hailuo"
    clips.mkdir(exist_ok=True)
    master = clips / "runs.mp4"
    facts = write_clip(master)
    earlier = shown_row(State.COMPLETED, folder=clips, clip=facts, prompt=HERON)
    (clips / f"{earlier.run_id}.mp4").hardlink_to(master)
    made, records = empty_notebook(), {earlier.run_id: json.loads(earlier.record_json)}
    for state, prompt in PROMPTS.items():
        changes = {"rating": 4, "tags": ["bird", EVIL]} if state is State.COMPLETED else {}
        row = shown_row(state, folder=clips, clip=facts, prompt=prompt, **changes)
        (clips / f"{row.run_id}.mp4").hardlink_to(master)
        poster = media.poster(master) if state is State.COMPLETED else None
        data = bundle([shown(row, base=server.root, poster=poster)])
        records[row.run_id] = data[MIME]
        output = nbformat.v4.new_output("display_data", data=data)
        cell = nbformat.v4.new_code_cell(f"%%hailuo\n{prompt}", outputs=[output])
        cell.metadata.hailuo = {"runs": [row.run_id]}
        made.cells += [cell, *(nbformat.v4.new_code_cell("\n" * 30) for _ in range(2))]
    gone = {"run_id": "lost", "revision": 1, "state": EVIL, "request": {"prompt": [EVIL]}}
    odd = {"a": None, "b": [EVIL], "c": {**gone, "run_id": EVIL}}
    made.metadata.hailuo = {"schema": 1, "id": "runs", "runs": {**records, "lost": gone, **odd}}
    nbformat.write(nbformat.from_dict(json.loads(json.dumps(made))), server.root / "runs.ipynb")
    server.trust("runs.ipynb")
    return "runs.ipynb"


@pytest.fixture(scope="module")
def lab(browser: Browser, server: Server, notebook: str) -> Iterator[Lab]:
    """The notebook in a whole JupyterLab with its side panel; no cell of it is ever run."""
    empty = server.write("runs-none.ipynb", ["1"])
    with Lab(browser, server, empty, kernel=False, several=True) as opened:
        opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        no_kernel = {"shouldStart": False, "canStart": False, "autoStartDefault": False}
        opened.command("docmanager:open", path=notebook, kernel=no_kernel)
        opened.ready(notebook, kernel=False)
        opened.path = notebook
        yield opened
        assert opened.problems == []
        assert not opened.js("return window.broken;")
    server.shut_down_kernels()


@pytest.fixture
def panel(lab: Lab, notebook: str) -> Locator:
    """The side panel, with nothing filtered."""
    lab.js("app.shell.activateById(panel.id);")
    lab.command("hailuo:show-runs")
    found = lab.page.locator("#hailuo-runs")
    expect(found.locator(".hailuo-runs-name")).to_have_text(notebook)
    found.get_by_role("searchbox").fill("")
    found.get_by_role("combobox").select_option("")
    expect(found.get_by_role("listitem")).to_have_count(4)
    return found


def copied(lab: Lab) -> str:
    return str(lab.js("return navigator.clipboard.readText();"))


def choose(lab: Lab, panel: Locator, prompt: str, action: str) -> None:
    """Choose from a run's menu."""
    panel.get_by_role("button", name=f"Actions for run: {prompt}").click()
    lab.page.locator(".lm-Menu").get_by_text(action, exact=True).click()


def test_the_runs_are_listed_in_words(lab: Lab, panel: Locator) -> None:
    rows = panel.get_by_role("listitem")
    texts = rows.all_inner_texts()
    assert [text.splitlines()[0] for text in texts] == ["Completed", "Generating", "Failed", EVIL]
    assert "A heron lifts off a lake" in texts[0]
    assert "segmind · standard" in texts[0]
    assert "est." in texts[0]
    assert EVIL in texts[0]  # a tag
    assert "Cell deleted" in texts[3]
    expect(rows.nth(0).get_by_role("img", name="Rated 4 of 5")).to_be_visible()
    picture = rows.nth(0).locator("img.hailuo-run-poster")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert str(picture.get_attribute("src")).startswith("data:image/jpeg;base64,")
    expect(rows.nth(1).locator("img")).to_have_count(0)


def test_the_list_is_narrowed(lab: Lab, panel: Locator) -> None:
    rows, count = panel.get_by_role("listitem"), panel.get_by_role("status")
    panel.get_by_role("searchbox").fill("heron BIRD")
    expect(rows).to_have_count(1)
    expect(count).to_have_text("1 of 5 runs")
    panel.get_by_role("searchbox").fill("")
    panel.get_by_role("combobox").select_option("Failed")
    expect(rows).to_contain_text(["A lighthouse"])
    panel.get_by_role("searchbox").fill("heron")
    expect(panel).to_contain_text("No run matches.")
    panel.get_by_role("button", name="Clear filter").click()
    expect(rows).to_have_count(4)


def test_one_gets_to_the_cell_and_plays_the_clip(lab: Lab, panel: Locator) -> None:
    panel.get_by_role("button").filter(has_text="A heron lifts").first.click()
    lab.until(lambda: lab.js("return panel.content.activeCellIndex;") == 6, "its cell is active")
    lab.until(
        lambda: lab.js(
            "const node = panel.content.widgets[6].node, box = node.getBoundingClientRect();"
            "return node.contains(document.activeElement) && box.top < innerHeight && box.bottom > 0;"
        ),
        "its cell is in view and has the focus",
    )
    lab.js("panel.content.activeCellIndex = 0; await panel.content.scrollToItem(0, 'start');")
    choose(lab, panel, "A heron", "Play")
    video = lab.page.locator(".jp-Notebook video").first
    lab.until(lambda: video.evaluate("video => !video.paused && video.currentTime > 0"), "it plays")
    video.evaluate("video => video.pause()")


def test_an_earlier_take_whose_cell_is_gone_plays_in_the_panel(
    lab: Lab, panel: Locator, server: Server
) -> None:
    rows = panel.get_by_role("listitem")
    rows.nth(0).get_by_role("button", name="1 earlier run").click()
    expect(rows).to_have_count(5)
    take = rows.nth(1)
    run_id = str(take.get_attribute("data-run"))
    # The cell of the later one has made no other: they are not its takes.
    expect(panel).not_to_contain_text("Take")
    expect(take).to_contain_text("Cell deleted – click to play")
    # The notebook is trusted, so the page draws the picture from the clip.
    picture = take.locator("img.hailuo-run-poster")
    expect(picture).to_have_attribute("src", re.compile("^data:image/jpeg;base64,"))
    take.get_by_role("button").first.click()
    video = take.locator("video")
    lab.until(lambda: video.evaluate("video => !video.paused && video.currentTime > 0"), "it plays")
    assert f"hailuo/{run_id}.mp4" in video.evaluate("video => video.src")
    take.get_by_role("button").first.click()
    expect(video).to_have_count(0)
    choose(lab, panel, f"{HERON} (run {run_id})", "Show in file browser")
    selected = lab.page.locator(".jp-DirListing-item.jp-mod-selected")
    expect(selected).to_contain_text(f"{run_id}.mp4")
    # Its cell can be had again: below the active one, and not run.
    lab.js("panel.content.activeCellIndex = 8;")
    choose(lab, panel, f"{HERON} (run {run_id})", "Insert its cell again")
    source = "return model.cells.get(9)?.sharedModel.getSource() ?? '';"
    lab.until(lambda: lab.js(source).endswith(f"\n{HERON}"), "the cell is there")
    assert lab.js(source).startswith("%%hailuo ")
    assert not lab.js("return model.cells.get(9).outputs.length;")
    lab.js("model.sharedModel.deleteCell(9);")
    (server.root / "hailuo" / f"{run_id}.mp4").unlink()
    take.get_by_role("button").first.click()
    expect(take).to_contain_text(f"hailuo/{run_id}.mp4 isn't next to this notebook.")
    take.get_by_role("button").first.click()
    rows.nth(0).get_by_role("button", name="1 earlier run").click()
    expect(rows).to_have_count(4)


def test_the_menu_copies_and_shows(lab: Lab, panel: Locator) -> None:
    record = lab.record(6)
    choose(lab, panel, "A heron", "Copy run id")
    lab.until(lambda: copied(lab) == record["run_id"], "the id is copied")
    choose(lab, panel, "A heron", "Copy as %%hailuo cell")
    lab.until(lambda: copied(lab).endswith("\nA heron lifts off a lake"), "the cell is copied")
    choose(lab, panel, "A heron", "View record")
    dialog = lab.page.get_by_role("dialog")
    assert json.loads(dialog.locator("pre").inner_text()) == record
    lab.page.keyboard.press("Escape")
    choose(lab, panel, "A heron", "Show in file browser")
    selected = lab.page.locator(".jp-DirListing-item.jp-mod-selected")
    expect(selected).to_contain_text(f"{record['run_id']}.mp4")
    # Of a run whose cell is gone there is its record alone.
    panel.get_by_role("listitem").nth(3).get_by_role("button").first.click()
    assert json.loads(dialog.locator("pre").inner_text())["run_id"] == "lost"
    lab.page.keyboard.press("Escape")


def test_by_keyboard_alone(lab: Lab, panel: Locator) -> None:
    keyboard, said = lab.page.keyboard, "return document.activeElement.innerText;"
    panel.get_by_role("combobox").focus()
    keyboard.press("Tab")
    keyboard.press("Home")
    assert "A heron" in lab.js(said)
    keyboard.press("ArrowDown")
    assert "A fox" in lab.js(said)
    assert lab.js("return document.activeElement.matches(':focus-visible');")
    keyboard.press("End")
    keyboard.press("ArrowUp")
    assert "A lighthouse" in lab.js(said)
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    menu = lab.page.locator(".lm-Menu")
    expect(menu).to_be_visible()
    keyboard.press("Escape")
    expect(menu).to_have_count(0)
    label = "return document.activeElement.getAttribute('aria-label');"
    lab.until(lambda: "A lighthouse" in (lab.js(label) or ""), "the button has the focus again")
    keyboard.press("ArrowLeft")
    keyboard.press("Enter")
    lab.until(lambda: lab.js("return panel.content.activeCellIndex;") == 0, "its cell is active")


def test_it_follows_the_metadata_and_the_notebook_in_front(lab: Lab, panel: Locator) -> None:
    rows, other = panel.get_by_role("listitem"), "runs-none.ipynb"
    before = lab.js(
        "const home = model.getMetadata('hailuo'), id = Object.keys(home.runs)[2];"
        "const record = {...home.runs[id], state: 'completed', revision: 99, rating: 1};"
        "model.setMetadata('hailuo', {...home, runs: {...home.runs, [id]: record}}); return home;"
    )
    expect(rows.nth(1)).to_contain_text("Completed")
    expect(rows.nth(1).get_by_role("img", name="Rated 1 of 5")).to_be_visible()
    lab.js("model.setMetadata('hailuo', arg);", before)
    lab.command("docmanager:open", path=other)
    expect(panel.locator(".hailuo-runs-name")).to_have_text(other)
    expect(rows).to_have_count(0)
    expect(panel).to_contain_text("no Hailuo runs yet")
    panel.get_by_role("button", name="Insert Hailuo cell").click()
    source = "return model.cells.get(1)?.sharedModel.getSource();"
    lab.until(
        lambda: (lab.js(source, path=other) or "").startswith("%%hailuo\n"), "the cell is there"
    )
    # The prompt is selected, so that one writes over it.
    lab.until(
        lambda: lab.js(
            "const editor = panel.content.activeCell.editor; return editor?.hasFocus() &&"
            " editor.getSelection().start.line === 1 && editor.getSelection().end.column > 9;",
            path=other,
        ),
        "the prompt is selected",
    )
    lab.page.keyboard.type("A paper boat")
    assert lab.js(source, path=other) == "%%hailuo\nA paper boat"
    assert lab.js("return model.cells.get(1).executionCount;", path=other) is None


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_it_is_accessible_in_both_themes(lab: Lab, panel: Locator, theme: str) -> None:
    in_theme(lab, theme)
    takes = panel.get_by_role("button", name="1 earlier run")
    takes.click()
    assert findings(lab, "#hailuo-runs") == []
    takes.click()


@pytest.mark.parametrize("width", [170, 420])
def test_nothing_is_cut_off_where_it_is_narrow(lab: Lab, panel: Locator, width: int) -> None:
    lab.js(
        "const node = document.getElementById('hailuo-runs');"
        "node.style.setProperty('width', `${arg}px`, 'important');",
        width,
    )
    over = panel.locator("*").evaluate_all(CUT_OFF)
    lab.js("document.getElementById('hailuo-runs').style.removeProperty('width');")
    assert over == []


def test_the_commands_are_in_the_palette_and_act_on_the_active_cell(
    lab: Lab, panel: Locator
) -> None:
    lab.js("panel.content.activeCellIndex = 6;")
    lab.command("hailuo:copy-run-as-cell")
    lab.until(lambda: copied(lab).endswith("\nA heron lifts off a lake"), "the cell is copied")
    lab.js("panel.content.activeCellIndex = 1;")
    assert not lab.js("return app.commands.isEnabled('hailuo:copy-run-as-cell');")
    lab.command("apputils:activate-command-palette")
    items = ".lm-CommandPalette-item[data-command^='hailuo:']"
    lab.page.keyboard.type("hailuo")
    expect(lab.page.locator(items)).to_have_count(11)
    # Those that have nothing to act on cannot be chosen.
    expect(lab.page.locator(f"{items}.lm-mod-disabled")).to_have_count(5)
    lab.page.keyboard.press("Escape")
    count = lab.js("return model.cells.length;")
    lab.command("hailuo:enter-key")
    lab.page.keyboard.type("demo")
    assert lab.js("return model.cells.get(2).sharedModel.getSource();") == "%hailuo key demo"
    # The other tests have the same notebook.
    lab.js("model.sharedModel.deleteCell(2);")
    assert lab.js("return model.cells.length;") == count


def test_a_new_notebook_from_the_launcher(lab: Lab, panel: Locator, server: Server) -> None:
    (server.root / "new").mkdir(exist_ok=True)
    lab.command("launcher:create", cwd="new")
    lab.page.get_by_text("Hailuo notebook", exact=True).click()
    made = "new/Untitled.ipynb"
    lab.until((server.root / made).is_file, "it is written")
    lab.ready(made)
    first, second = server.read(made).cells
    assert first.source == "%load_ext hailuo_jupyter"
    assert second.source.startswith("%%hailuo\n{")
    assert not first.outputs + second.outputs


def test_at_200_percent_and_on_a_small_screen(
    browser: Browser, server: Server, notebook: str
) -> None:
    # Twice as large in a window of 1300 pixels: the page has 650 of its own.
    context = browser.new_context(viewport={"width": 650, "height": 500}, device_scale_factor=2)
    try:
        lab = Lab(context, server, notebook, kernel=False)
        lab.js("app.shell.collapseLeft(); app.shell.collapseRight();")
        outputs = lab.page.locator(".hailuo-output")
        for width in (650, 480):
            lab.page.set_viewport_size({"width": width, "height": 500})
            for cell in (0, 3, 6):
                lab.js("await panel.content.scrollToItem(arg, 'start');", cell)
                expect(lab.output(cell).locator(".hailuo-static")).to_be_visible()
            outputs.locator("details").evaluate_all("all => all.forEach(e => { e.open = true; })")
            assert outputs.locator("*").evaluate_all(CUT_OFF) == []
            assert lab.js("return document.scrollingElement.scrollWidth <= innerWidth;")
            scroller = "const at = panel.content.outerNode ?? panel.content.node;"
            assert lab.js(f"{scroller} return at.scrollWidth <= at.clientWidth + 1;")
    finally:
        context.close()
        server.shut_down_kernels()
