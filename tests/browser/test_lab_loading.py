"""The page loads the extension in the kernel: when a person's action needs it, and never for a stranger."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from tests.simulator import Simulator
from tests.support.browser_fixture import Lab, Server
from tests.support.large_notebooks import write_notebooks

LOAD = "%load_ext hailuo_jupyter"
LOADED = "'hailuo' in get_ipython().magics_manager.magics['cell']"
APPS = pytest.mark.parametrize("app", ["lab", "notebook"])

OpenLab = Callable[..., Lab]
StartServer = Callable[..., Server]


def evaluate(lab: Lab, expression: str) -> str:
    """What the kernel says to an expression, after all that the page has asked before."""
    return str(
        lab.js(
            "const future = panel.sessionContext.session.kernel.requestExecute("
            "{code: '', silent: true, user_expressions: {it: arg}});"
            "const { it } = (await future.done).content.user_expressions;"
            "return it.status === 'ok' ? it.data['text/plain'] : it.evalue;",
            expression,
        )
    )


def until_loaded(lab: Lab) -> None:
    lab.until(lambda: evaluate(lab, LOADED) == "True", "the extension is loaded")


def stays_unloaded(lab: Lab) -> None:
    # Longer than the page takes to ask the server which sessions there are.
    lab.page.wait_for_timeout(2000)
    assert evaluate(lab, LOADED) == "False"


def own(server: Server, name: str) -> str:
    """A trusted notebook with a finished run, as it is saved."""
    path, _ = write_notebooks(server.root, 1, name)
    server.trust(path)
    return path


def partly_trusted(lab: Lab, path: str) -> None:
    """Open a stranger's notebook with a run, of which the user trusts this one cell."""
    lab.command("docmanager:open", path=path)
    lab.ready(path)
    lab.path = path
    lab.js("model.cells.get(0).trusted = true; model.sharedModel.addCell({cell_type: 'code'});")


# ── strangers ──────────────────────────────────────────────────────────────────────────────────────


def trap(server: Server, name: str) -> tuple[str, Path]:
    """A stranger's folder, with a module that is imported in place of ours; gives its trace, too."""
    folder = server.root / name
    folder.mkdir(parents=True)
    code = "import pathlib\npathlib.Path(__file__).with_name('imported').touch()\n"
    (folder / "hailuo_jupyter.py").write_text(code)
    return name, folder / "imported"


def strangers(server: Server, folder: str) -> list[str]:
    """A stranger's notebooks: with a run, without cells, and saved once by the user."""
    run, _ = write_notebooks(server.root / folder, 1, "with")
    records = server.read(f"{folder}/{run}").metadata.hailuo
    empty = server.write(f"{folder}/empty.ipynb", [], hailuo=records)
    bare = server.write(f"{folder}/bare.ipynb", ["%%hailuo\nA heron."], hailuo=records)
    paths = [f"{folder}/{run}", empty, bare]
    for path in paths:
        on_installed_kernel(server, path)
    server.trust(bare)  # the server does so when it is saved: its outputs are harmless
    return paths


def on_installed_kernel(server: Server, path: str) -> None:
    """Give a notebook a kernel that looks into its folder before the package, as an installed one does.

    Those of the tests look for the package first, since it is on their PYTHONPATH.
    """
    spec = server.root.parent / "data" / "kernels" / "installed"
    spec.mkdir(parents=True, exist_ok=True)
    start = "import sys; sys.path.insert(0, ''); from ipykernel import kernelapp as app;"
    argv = [sys.executable, "-c", f"{start} app.launch_new_instance()", "-f", "{connection_file}"]
    facts = {"argv": argv, "display_name": "Installed", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(facts))
    notebook = server.read(path)
    notebook.metadata.kernelspec = {"name": "installed", "display_name": "Installed"}
    nbformat.write(notebook, server.root / path)


@APPS
def test_a_strangers_notebook_imports_nothing(
    open_lab: OpenLab, start_server: StartServer, name: str, app: str
) -> None:
    server = start_server(app)
    folder, imported = trap(server, name)
    run, *others = strangers(server, folder)
    lab = open_lab(run, on=server)
    for path in (*others, run):
        lab.open(path)
        stays_unloaded(lab)
        lab.js("await panel.sessionContext.session.kernel.restart();")
        lab.idle()
        stays_unloaded(lab)
        assert not imported.exists(), path
    # The trap works: what the user runs in that folder gets what is there.
    lab.run(0)
    lab.until(imported.exists, "the cell that was run has loaded what is there")


def test_a_strangers_kernel_imports_nothing_for_an_own_notebook(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    folder, imported = trap(server, name)
    theirs = server.write(f"{folder}/theirs.ipynb", ["1"])
    on_installed_kernel(server, theirs)
    mine = own(server, name)
    lab = open_lab(theirs, several=True)
    kernel = lab.js("return panel.sessionContext.session.kernel.id;")
    lab.command("docmanager:open", path=mine, kernel={"id": kernel})
    lab.ready(mine)
    lab.path = mine
    assert lab.js("return panel.sessionContext.session.kernel.id;") == kernel
    stays_unloaded(lab)
    assert not imported.exists()
    # The trap works here, too.
    lab.run(0)
    lab.until(imported.exists, "the cell that was run has loaded what is there")


# ── the user's own notebooks ───────────────────────────────────────────────────────────────────────


@APPS
def test_a_trusted_notebook_with_runs_loads_it_at_every_kernel_start(
    open_lab: OpenLab, start_server: StartServer, name: str, app: str
) -> None:
    server = start_server(app)
    lab = open_lab(own(server, name), on=server)
    until_loaded(lab)
    lab.js("await panel.sessionContext.session.kernel.restart();")
    until_loaded(lab)
    # Nothing shows in the session: no input, no output, no variable, no question to come.
    assert evaluate(lab, "len(In), len(Out), _, [n for n in globals() if 'hailuo' in n]") == (
        "(1, 0, '', [])"
    )
    lab.js("model.sharedModel.addCell({cell_type: 'code', source: arg});", LOAD)
    lab.run(1)
    assert lab.js("return model.cells.get(1).executionCount;") == 1
    assert lab.js("return model.cells.get(1).outputs.length;") == 0
    stars = lab.output(0).get_by_role("radiogroup")
    expect(stars).to_be_visible()


def test_new_take_loads_it(open_lab: OpenLab, server: Server, name: str) -> None:
    path, _ = write_notebooks(server.root, 1, name)
    lab = open_lab(server.write(f"{name}-first.ipynb", ["1"]), several=True)
    partly_trusted(lab, path)
    stays_unloaded(lab)
    lab.output(0).get_by_role("button", name="New take").click()
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Price: $0.27–0.39 est.")
    dialog.get_by_role("button", name="Cancel").click()
    assert evaluate(lab, LOADED) == "True"


def test_a_star_loads_it(
    open_lab: OpenLab, server: Server, simulator: Simulator, name: str
) -> None:
    cell = f"%%hailuo --provider demo\nA heron, as {name} tells."
    lab = open_lab(server.write(f"{name}.ipynb", [cell, "1"]))
    lab.run(0)
    lab.until_state("completed", 0)
    lab.js("model.cells.get(1).trusted = false;")
    lab.js("await panel.sessionContext.session.kernel.restart();")
    lab.idle()
    stays_unloaded(lab)
    lab.output(0).get_by_role("radio", name="4 stars").check()
    lab.until(lambda: lab.record(0).get("rating") == 4, "the rating is kept")
    assert len([each for each in simulator.ledger if name in each.prompt]) == 1


def test_where_it_cannot_be_loaded_the_buttons_say_so(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    path, _ = write_notebooks(server.root, 1, name)
    lab = open_lab(server.write(f"{name}-first.ipynb", ["1"]), several=True)
    partly_trusted(lab, path)
    lab.execute("import sys; sys.modules['hailuo_jupyter'] = None")
    lab.output(0).get_by_role("button", name="New take").click()
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("hailuo-jupyter could not be loaded in this kernel")
    lab.page.keyboard.press("Escape")
    lab.output(0).get_by_role("radio", name="4 stars").check()
    expect(lab.page.get_by_text("The rating wasn't saved")).to_be_visible()
    expect(lab.output(0).get_by_role("radio", name="4 stars")).not_to_be_checked()
    lab.start(0)
    expect(lab.page.get_by_text(re.compile("^hailuo-jupyter could not be"))).to_be_visible()


@APPS
def test_an_inserted_cell_runs(
    open_lab: OpenLab, start_server: StartServer, name: str, app: str
) -> None:
    server = start_server(app)
    lab = open_lab(server.write(f"{name}.ipynb", ["1"]), on=server)
    lab.command("hailuo:insert-cell")
    lab.page.keyboard.type(f"A heron lifts off a lake, as {name} tells.")
    lab.page.keyboard.press("Shift+Enter")
    lab.until_state("completed", 1)
    assert lab.js("return model.cells.get(1).executionCount;") == 1


@APPS
def test_an_inserted_cell_completes_options_before_anything_is_run(
    open_lab: OpenLab, start_server: StartServer, name: str, app: str
) -> None:
    server = start_server(app)
    path = server.write(f"{name}.ipynb", ["1"])
    server.trust(path)
    lab = open_lab(path, on=server)
    stays_unloaded(lab)
    lab.command("hailuo:insert-cell")
    until_loaded(lab)
    prompt = "{describe the clip in a sentence or two}"
    lab.until(lambda: lab.js("return String(getSelection());") == prompt, "it is to be edited")
    for key in ("Control+Home", "End"):
        lab.page.keyboard.press(key)
    lab.page.keyboard.type(" --p")
    lab.page.keyboard.press("Tab")
    expect(lab.page.locator(".jp-Completer:visible")).to_contain_text(
        "who\xa0generates\xa0the\xa0clip"
    )
    # Nothing shows in the session: no input, no output, no variable.
    assert evaluate(lab, "len(In), len(Out), _, [n for n in globals() if 'hailuo' in n]") == (
        "(1, 0, '', [])"
    )


def test_a_cell_inserted_in_an_untrusted_notebook_loads_nothing(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    folder, imported = trap(server, name)
    run, *_ = strangers(server, folder)
    lab = open_lab(run)
    for command in ("hailuo:insert-cell", "hailuo:enter-key"):
        lab.command(command)
        stays_unloaded(lab)
    assert not imported.exists()


def test_every_cell_finds_it_when_all_are_run_at_once(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    cells = ["%hailuo cost", "x = 1", "%%hailuo --dry-run\nA heron."]
    lab = open_lab(server.write(f"{name}.ipynb", cells))
    for _ in range(3):
        lab.js("await panel.sessionContext.session.kernel.restart();")
        lab.command("notebook:run-all-cells")
        outputs = [lab.output(cell).inner_text() for cell in range(3)]
        assert "not found" not in "".join(outputs)
        assert lab.js("return Array.from(model.cells, cell => cell.executionCount);") == [1, 2, 3]


def test_a_kernel_of_another_language_is_left_alone(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    spec = server.root.parent / "data" / "kernels" / "other"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    facts = {"argv": argv, "display_name": "Other", "language": "other"}
    (spec / "kernel.json").write_text(json.dumps(facts))
    path = server.write(f"{name}.ipynb", ["%%hailuo --dry-run\nA heron."])
    notebook = server.read(path)
    notebook.metadata.kernelspec = {"name": "other", "display_name": "Other"}
    nbformat.write(notebook, server.root / path)
    lab = open_lab(path)
    lab.start(0)
    expect(lab.output(0)).to_contain_text("not found")
    stays_unloaded(lab)


def test_a_setting_turns_it_off(
    open_lab: OpenLab, server: Server, name: str, set_settings: Callable[..., None]
) -> None:
    set_settings(loadExtension=False)
    lab = open_lab(own(server, name))
    stays_unloaded(lab)
    lab.output(0).get_by_role("button", name="New take").click()
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Run %load_ext hailuo_jupyter first")
    lab.page.keyboard.press("Escape")
    expect(lab.output(0).locator(".hailuo-stars-group")).to_have_attribute("role", "img")
    lab.start(0)
    expect(lab.output(0)).to_contain_text("Cell magic `%%hailuo` not found")
