"""What an untrusted notebook may do: show itself. No view of saved widgets, no kernel, no writing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

from hailuo_jupyter.states import State
from tests.support.browser_fixture import MIME, Lab, Server, choices
from tests.support.hostile_texts import ACT
from tests.support.large_notebooks import write_notebooks
from tests.support.sample_rows import shown_row

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
SCRIPT = f"<img src=x onerror={ACT}>"
APPS = pytest.mark.parametrize("app", ["lab", "notebook"])

#: Cells that hold, one each, a view of an HTMLModel, an OutputModel and two DOMWidgets.
KINDS = ("html", "output", "box", "plain")

OpenLab = Callable[..., Lab]
StartServer = Callable[..., Server]


def model(name: str, view: str, module: str = "controls", **state: Any) -> dict[str, Any]:
    """A widget model as it is saved in a notebook's metadata."""
    where, version = f"@jupyter-widgets/{module}", "1.0.0" if module == "output" else "2.0.0"
    kind = {"_model_module": where, "_model_module_version": version, "_model_name": name}
    seen = {"_view_module": where, "_view_module_version": version, "_view_name": view}
    return {
        "model_module": where,
        "model_module_version": version,
        "model_name": name,
        "state": {**kind, **seen, **state},
    }


def saved_widgets() -> dict[str, Any]:
    """Saved widget state: for each kind one that runs script, and a harmless one."""
    shown = {"output_type": "display_data", "data": {"text/html": SCRIPT}, "metadata": {}}
    layout = {"position": "fixed", "top": "0", "width": "100%"}
    state = {
        "html": model("HTMLModel", "HTMLView", value=SCRIPT),
        "output": model("OutputModel", "OutputView", "output", outputs=[shown], msg_id=""),
        "layout": model("LayoutModel", "LayoutView", "base", **layout),
        "box": model("BoxModel", "BoxView", children=["IPY_MODEL_html"], layout="IPY_MODEL_layout"),
        "plain": model("DOMWidgetModel", "DOMWidgetView", "base", layout="IPY_MODEL_layout"),
        "harmless": model("HTMLModel", "HTMLView", value="<b>restored</b>"),
    }
    return {STATE: {"version_major": 2, "version_minor": 0, "state": state}}


def bundle(model_id: str) -> dict[str, Any]:
    """An output of ours with a widget view beside the record."""
    return {
        MIME: json.loads(shown_row(State.GENERATING).record_json),
        "text/html": "<div><div>A twin</div></div>",
        "text/plain": "A run",
        VIEW: {"version_major": 2, "version_minor": 0, "model_id": model_id},
    }


def output(model_id: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", bundle(model_id))


def restored(lab: Lab) -> None:
    """Wait until ipywidgets has restored the notebook's saved models: it can show one of them."""
    shown = lab.js(
        "const view = panel.content.rendermime.createRenderer(arg[0]);"
        "const seen = {version_major: 2, version_minor: 0, model_id: 'harmless'};"
        "const data = {[arg[0]]: seen, 'text/plain': ''};"
        "panel.content.node.append(view.node); window.restored = view;"
        "await Promise.race([view.renderModel({data, metadata: {}, trusted: true}),"
        " new Promise(done => setTimeout(done, 5000))]);"
        "return view.node.textContent;",
        [VIEW],
    )
    assert shown is not None
    lab.until(lambda: lab.js("return window.restored.node.textContent;") == "restored", "restored")


def nothing_is_mounted(lab: Lab) -> None:
    for cell in range(len(KINDS)):
        expect(lab.output(cell).locator(".hailuo-static")).to_be_visible()
        expect(lab.output(cell).locator(".hailuo-card, .jupyter-widgets")).to_have_count(0)
    assert lab.js("return window.broken ?? null;") is None


@APPS
@pytest.mark.parametrize("trusted", [False, True], ids=["untrusted", "trusted"])
def test_a_view_of_saved_widget_state_is_never_mounted(
    open_lab: OpenLab, start_server: StartServer, name: str, app: str, *, trusted: bool
) -> None:
    server = start_server(app)
    path = server.write(f"{name}.ipynb", ["1"] * len(KINDS), widgets=saved_widgets())
    notebook = server.read(path)
    for cell, kind in zip(notebook.cells, KINDS, strict=True):
        cell.outputs = [output(kind)]
    nbformat.write(notebook, server.root / path)
    if trusted:
        server.trust(path)
    lab = open_lab(path, on=server)
    restored(lab)
    assert lab.js("return Array.from(model.cells).map(cell => cell.trusted);") == [trusted] * 4
    nothing_is_mounted(lab)
    # Not by the person's trust either: the kernel has none of these models.
    lab.js("for (const cell of model.cells) cell.trusted = true;")
    nothing_is_mounted(lab)


@APPS
def test_a_view_of_the_kernels_own_model_is_mounted_where_the_output_is_trusted(
    open_lab: OpenLab, start_server: StartServer, name: str, app: str
) -> None:
    make = (
        "import ipywidgets as w; made = [w.HTML('live'), w.Output(), w.Box([w.HTML('live')]),"
        " w.IntSlider()]; print(*(each.model_id for each in made))"
    )
    server = start_server(app)
    lab = open_lab(server.write(f"{name}.ipynb", [*["1"] * len(KINDS), make]), on=server)
    lab.run(4)
    ids = lab.output(4).inner_text().split()
    fill = (
        "arg[0].forEach((output, at) => { const { outputs } = model.cells.get(at);"
        " outputs.trusted = arg[1]; outputs.fromJSON([output]); });"
    )
    lab.js(fill, [[output(each) for each in ids], False])
    nothing_is_mounted(lab)
    lab.js("for (const cell of model.cells) cell.trusted = true;")
    for cell in range(len(KINDS)):
        card = lab.output(cell).locator(".hailuo-mod-live > .hailuo-card > .jupyter-widgets")
        expect(card).to_have_count(1)
    expect(lab.output(0).locator(".hailuo-card")).to_have_text("live")
    # Trust can be taken back, and then it is the twin again.
    lab.js(fill, [[output(each) for each in ids], False])
    nothing_is_mounted(lab)


def buttons(lab: Lab, cell: int) -> list[str]:
    return list(lab.output(cell).locator(".hailuo-actions button").all_inner_texts())


def menu_item(lab: Lab, text: str) -> bool:
    """Tell whether an item of the side panel's menu for the first run can be chosen."""
    lab.page.locator("#hailuo-runs .hailuo-run-menu").first.click()
    item = lab.page.locator(".lm-Menu-item").filter(has_text=text)
    enabled = "lm-mod-disabled" not in str(item.get_attribute("class"))
    lab.page.keyboard.press("Escape")
    return enabled


def test_the_buttons_of_an_untrusted_output_only_display(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    path, _ = write_notebooks(server.root, 1, name)
    lab = open_lab(server.write(f"{name}-none.ipynb", ["1"]), several=True)
    lab.command("docmanager:open", path=path)
    lab.ready(path)
    lab.path = path
    lab.command("hailuo:show-runs")
    output, note = lab.output(0), "This notebook isn't trusted"
    expect(output.locator("video")).to_be_visible()
    assert (buttons(lab, 0), choices(output)) == (["…"], ["Show in file browser", "View record"])
    expect(output.locator(".hailuo-untrusted")).to_contain_text(
        f"{note}, so its runs are view-only"
    )
    stars = output.locator(".hailuo-stars-group")
    lab.execute("%load_ext hailuo_jupyter")  # a kernel that would take a rating changes nothing
    expect(stars).to_have_attribute("role", "img")
    assert "trust the notebook" in str(stars.get_attribute("title"))
    assert not menu_item(lab, "Copy as %%hailuo cell")
    assert menu_item(lab, "View record")
    copies = "return app.commands.isEnabled('hailuo:copy-run-as-cell');"
    lab.js("panel.content.activeCellIndex = 0;")
    assert not lab.js(copies)

    # As the note says: Trust Notebook, by the palette's command.
    trust = "notebook:trust"
    lab.page.evaluate("name => void window.jupyterapp.commands.execute(name)", trust)
    lab.page.get_by_role("dialog").get_by_role("button", name="Trust").click()
    lab.until(lambda: len(buttons(lab, 0)) == 5, "the buttons are there")
    assert choices(output)[:2] == ["Copy as cell", "Copy run id"]
    expect(output.locator(".hailuo-untrusted")).to_have_count(0)
    expect(stars).to_have_attribute("role", "radiogroup")
    # The side panel goes by the whole notebook, whose other cells are trusted one after the other.
    lab.until(lambda: menu_item(lab, "Copy as %%hailuo cell"), "the side panel's menu can be used")
    assert lab.js(copies)


def test_an_untrusted_notebook_is_neither_told_nor_written(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    run = f"%%hailuo --provider demo\nA heron keeps a secret, as {name} tells."
    own = server.write(f"{name}-own.ipynb", ["%load_ext hailuo_jupyter", run])
    lab = open_lab(own, several=True)
    lab.run(0, 1)
    final = lab.until_state("completed", 1)
    notebook_id = lab.js("return model.getMetadata('hailuo').id;")

    # A stranger's notebook says it is that notebook, shows an early state of that run, and lists it.
    early = {**final, "revision": 1, "state": "generating"}
    path = server.write(f"{name}-stranger.ipynb", [run, "%load_ext hailuo_jupyter", "1"])
    stranger = server.read(path)
    data = {MIME: early, "text/html": "<div><div>Generating</div></div>", "text/plain": "A run"}
    stranger.cells[0].outputs = [nbformat.v4.new_output("display_data", data)]
    stranger.metadata.hailuo = {"schema": 1, "id": notebook_id, "runs": {}}
    nbformat.write(stranger, server.root / path)
    lab.command("docmanager:open", path=path)
    lab.ready(path)
    lab.path = path
    lab.js(
        "window.heard = [];"
        "panel.sessionContext.iopubMessage.connect((_, { header, content }) => {"
        "  if (header.msg_type === 'comm_msg') window.heard.push(content.data); });"
    )
    lab.run(1)
    lab.until(lambda: lab.js("return window.heard.some(each => each.op === 'welcome');"), "welcome")
    welcome = lab.js("return window.heard.find(each => each.op === 'welcome');")
    assert (welcome["records"], welcome["bundles"]) == ([], [])
    shown = nbformat.from_dict(lab.js("return model.toJSON();"))
    assert shown.metadata.hailuo == stranger.metadata.hailuo
    assert shown.cells[0].outputs == stranger.cells[0].outputs
    assert "hailuo" not in shown.cells[0].metadata

    # Once a person trusts it, it is one of their own: the output is put right, the record is kept.
    lab.js("for (const cell of model.cells) cell.trusted = true;")
    lab.until(lambda: lab.record(0).get("state") == "completed", "the output is up to date")
    lab.until(lambda: lab.records().get(final["run_id"]) == final, "the record is kept")
    assert lab.js("return model.cells.get(0).getMetadata('hailuo').runs;") == [final["run_id"]]
