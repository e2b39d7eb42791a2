"""Records reach the notebook's metadata, and outputs stay true, whatever a person does meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Browser, expect

from hailuo_jupyter.ipynb.records import outputs
from hailuo_jupyter.kernel.display.bundle import bundle
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.reference import with_references
from hailuo_jupyter.states import State
from tests.simulator import Simulator
from tests.support.browser_fixture import MIME, Lab, Server, choices, choose, until
from tests.support.large_notebooks import empty_notebook, write_clip
from tests.support.sample_rows import shown, shown_row

LOAD = "%load_ext hailuo_jupyter"
OpenLab = Callable[..., Lab]


def cell(name: str) -> str:
    return f"%%hailuo --provider demo\nA heron lifts off a lake, as {name} tells."


def bought(simulator: Simulator, name: str) -> int:
    return sum(name in job.prompt for job in simulator.ledger.jobs)


def shown_records(saved: NotebookNode, at: int) -> list[Record]:
    """Return the records that a cell's one output shows, itself or by reference."""
    (output,) = (each for each in outputs(saved) if each.cell is saved.cells[at])
    return output.records


def check_saved(saved: NotebookNode, at: int = 1) -> dict[str, Any]:
    """Check that a file holds one completed run, the same everywhere; gives its record."""
    home, [output] = saved.metadata.hailuo, saved.cells[at].outputs
    [(run_id, record)] = home.runs.items()
    assert home.schema == 1
    assert home.id == record.origin.notebook_id
    assert record.state == "completed"
    assert [json.loads(each.to_json()) for each in shown_records(saved, at)] == [record]
    assert not output.data[MIME].get("reference") or output.data[MIME].revision == record.revision
    assert f"hailuo/{run_id}.mp4" in output.data["text/html"]
    assert saved.cells[at].metadata.hailuo == {"runs": [run_id]}
    return dict(record)


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_plain_run(
    open_lab: OpenLab,
    start_server: Callable[..., Server],
    name: str,
    app: str,
    simulator: Simulator,
    *,
    let_go: Callable[[], object],
) -> None:
    server = start_server(app)
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, cell(name)]), on=server)
    lab.run(0, 1)
    # Submitted: the record is there already, and the card lives.
    lab.until(lambda: list(lab.records()) == [lab.record(1)["run_id"]], "the record is kept")
    expect(lab.output(1).locator(".hailuo-mod-live .hailuo-card")).to_be_visible()
    let_go()
    lab.until_state("completed", 1)
    lab.plays(1)
    check_saved(lab.save())
    assert bought(simulator, name) == 1


def test_in_a_folder_and_beside_metadata_of_others(
    open_tab: OpenLab, server: Server, name: str
) -> None:
    path = server.write(f"{name}/a b/ü.ipynb", [LOAD, cell(name)], other={"keep": 1})
    lab = open_tab(path)
    lab.run(0, 1)
    lab.until_state("completed", 1)
    lab.plays(1)
    saved = lab.save()
    assert saved.metadata.other == {"keep": 1}
    assert check_saved(saved)["origin"]["notebook_path"] == "ü.ipynb"


def test_the_tab_is_closed_and_opened_again_meanwhile(
    open_tab: OpenLab, server: Server, name: str
) -> None:
    other = server.write(f"{name}-other.ipynb", ["1"])
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, cell(name)]))
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    lab.save()
    lab.command("docmanager:open", path=other)
    lab.js("panel.dispose();")
    lab.command("docmanager:open", path=lab.path)
    lab.ready()
    lab.until_state("completed", 1)
    lab.plays(1)
    check_saved(lab.save())


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_the_page_is_loaded_again_meanwhile(
    open_lab: OpenLab, start_server: Callable[..., Server], name: str, app: str
) -> None:
    server = start_server(app)
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, cell(name)]), on=server)
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    lab.save()
    lab.reload()
    lab.until_state("completed", 1)
    lab.plays(1)
    check_saved(lab.save())


def test_the_page_is_loaded_again_while_the_kernel_is_busy(
    open_lab: OpenLab, server: Server, name: str, let_go: Callable[[], object]
) -> None:
    # Busy until it is told to end, however long the page takes.
    end = f"{name}.end"
    blocking = f"import os, time\nwhile not os.path.exists({end!r}):\n    time.sleep(0.05)"
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, cell(name), blocking]))
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    lab.start(2)
    lab.save()
    lab.reload(kernel=False)
    let_go()  # what had ended before would be told when the kernel has time
    lab.until_state("completed", 1)
    assert lab.kernel_state() == "busy"
    (server.root / end).touch()
    check_saved(lab.save())


def test_the_browser_is_closed_until_after_the_end(
    open_lab: OpenLab, server: Server, name: str
) -> None:
    path = server.write(f"{name}.ipynb", [LOAD, cell(name)])
    lab = open_lab(path)
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    lab.save()
    lab.close()
    until(lambda: list((server.root / "hailuo").glob("*.json")) and ended(server, path), "it ends")
    lab = open_lab(path)
    lab.until_state("completed", 1)
    assert lab.js("return model.dirty;")  # so that it is saved
    lab.plays(1)
    check_saved(lab.save())


def ended(server: Server, path: str) -> bool:
    [run_id] = server.read(path).metadata.hailuo.runs
    return (server.root / "hailuo" / f"{run_id}.json").is_file()


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_the_kernel_is_gone_meanwhile(
    open_tab: OpenLab, server: Server, name: str, how: str
) -> None:
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, cell(name)]))
    lab.run(0, 1)
    expect(lab.output(1).locator(".hailuo-card")).to_be_visible()
    run_id = lab.record(1)["run_id"]
    if how == "killed":
        lab.kill_kernel()
    else:
        lab.js("await panel.sessionContext.session.kernel.restart();")
    lab.idle()
    # Its card went with the kernel: there is the twin, and no error.
    expect(lab.output(1).locator(".hailuo-static")).to_be_visible()
    assert "model not found" not in lab.output(1).inner_text()
    lab.run(0)
    lab.until_state("completed", 1)
    lab.plays(1)
    assert check_saved(lab.save())["run_id"] == run_id


def test_two_notebooks_on_one_kernel(open_tab: OpenLab, server: Server, name: str) -> None:
    first = server.write(f"{name}-1.ipynb", [LOAD, cell(f"{name}-1")])
    second = server.write(f"{name}-2/b.ipynb", [cell(f"{name}-2")])
    lab = open_tab(first)
    lab.run(0)
    kernel = lab.js("return panel.sessionContext.session.kernel.id;")
    lab.command("docmanager:open", path=second, kernel={"id": kernel})
    lab.ready(second)
    lab.until(
        lambda: lab.js("return panel.sessionContext.session?.kernel?.id;", path=second) == kernel,
        "the second notebook has the first one's kernel",
    )
    lab.run(1, path=first)
    lab.run(0, path=second)
    lab.until_state("completed", 1, first)
    lab.until_state("completed", 0, second)
    one, two = check_saved(lab.save(first)), check_saved(lab.save(second), at=0)
    assert one["origin"]["notebook_id"] != two["origin"]["notebook_id"]
    assert two["origin"]["notebook_path"] == "b.ipynb"


def test_two_windows_on_one_notebook(browser: Browser, server: Server, name: str) -> None:
    path = server.write(f"{name}.ipynb", [LOAD, cell(name)])
    context = browser.new_context()
    try:
        one = Lab(context, server, path)
        one.run(0, 1)
        one.until(one.records, "the record is kept")
        one.save()
        two = Lab(context, server, path)
        one.until_state("completed", 1)
        two.until_state("completed", 1)
        # The second one shows it too, and has nothing to save: it never gets in the other's way.
        two.plays(1)
        assert not two.js("return model.dirty;")
        check_saved(one.save())
        one.run(0)
        check_saved(one.save())
        for window in (one, two):
            assert window.page.locator(".jp-Dialog").count() == 0
        # The window that is left takes over.
        one.close()
        two.reload()
        assert not two.js("return model.dirty;")
    finally:
        context.close()


def test_cells_are_moved_pasted_duplicated_and_deleted(
    open_tab: OpenLab, server: Server, name: str
) -> None:
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, cell(name), "2", "3"]))
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    run_id = lab.record(1)["run_id"]
    lab.command("notebook:copy-cell")  # the next cell is the active one
    lab.js("panel.content.activeCellIndex = 1;")
    lab.command("notebook:move-cell-down")
    lab.command("notebook:cut-cell")
    lab.js("panel.content.activeCellIndex = 2;")
    lab.command("notebook:paste-cell-below")
    lab.until(lambda: lab.record(3).get("run_id") == run_id, "the cell is in its new place")
    lab.command("notebook:duplicate-below")
    lab.until(lambda: lab.record(4).get("run_id") == run_id, "the cell is there twice")
    lab.until_state("completed", 3)
    lab.until_state("completed", 4)
    lab.plays(3)
    # The copy's output shows the run, so it lists it; it is no second run.
    saved = lab.save()
    assert list(saved.metadata.hailuo.runs) == [run_id]
    assert [each.metadata.get("hailuo") for each in saved.cells[3:5]] == [{"runs": [run_id]}] * 2
    # What shows it no more lists it no more; the notebook keeps the record.
    lab.js("panel.content.activeCellIndex = 4;")
    lab.command("notebook:clear-cell-output")
    lab.js("panel.content.activeCellIndex = 3;")
    lab.command("notebook:delete-cell")
    saved = lab.save()
    assert not any("hailuo" in each.metadata for each in saved.cells)
    assert saved.metadata.hailuo.runs[run_id].state == "completed"


@pytest.mark.parametrize("act", ["notebook:clear-cell-output", "notebook:delete-cell"])
def test_the_output_is_gone_before_the_end(
    open_tab: OpenLab, server: Server, name: str, act: str
) -> None:
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, cell(name), "2"]))
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    lab.js("panel.content.activeCellIndex = 1;")
    lab.command(act)
    lab.until(
        lambda: [each["state"] for each in lab.records().values()] == ["completed"],
        "the record is final",
    )
    saved = lab.save()
    assert not any("hailuo" in each.metadata for each in saved.cells)
    assert [each.state for each in saved.metadata.hailuo.runs.values()] == ["completed"]


def test_the_notebook_is_renamed(
    open_tab: OpenLab, server: Server, name: str, simulator: Simulator
) -> None:
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, cell(name)]))
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    lab.save()
    (server.root / f"{name}-moved").mkdir()
    renamed = f"{name}-moved/other.ipynb"
    lab.js(
        "await panel.context.save(); await app.serviceManager.contents.rename(panel.context.path, arg);",
        renamed,
    )
    lab.path = renamed
    lab.until(lambda: lab.js("return panel?.context.path;") == renamed, "it has its new name")
    lab.until_state("completed", 1)
    before = check_saved(lab.save())
    # In the same kernel and in a new one, the cell's run is found again: nothing is bought.
    lab.run(1)
    lab.until_state("completed", 1)
    lab.js("await panel.sessionContext.session.kernel.restart();")
    lab.idle()
    lab.run(0, 1)
    assert lab.until_state("completed", 1)["run_id"] == before["run_id"]
    assert bought(simulator, name) == 1


def test_the_whole_folder_is_renamed(
    open_lab: OpenLab, server: Server, name: str, simulator: Simulator
) -> None:
    lab = open_lab(server.write(f"{name}/a.ipynb", [LOAD, cell(name)]))
    lab.run(0, 1)
    lab.until_state("completed", 1)
    run_id = check_saved(lab.save())["run_id"]

    # While it is open: its clip lies elsewhere now, and plays from there.
    lab.js("await app.serviceManager.contents.rename(arg[0], arg[1]);", [name, f"{name}-1"])
    lab.path = f"{name}-1/a.ipynb"
    lab.until(lambda: lab.js("return panel?.context.path;") == lab.path, "it has its new path")
    video = lab.output(1).locator("video")
    lab.until(lambda: f"/{name}-1/hailuo/" in video.evaluate("video => video.src"), "it is drawn")
    lab.plays(1)
    assert check_saved(lab.save())["run_id"] == run_id
    lab.close()
    server.shut_down_kernels()

    # While it is closed.
    (server.root / f"{name}-1").rename(server.root / f"{name}-2")
    lab = open_lab(f"{name}-2/a.ipynb")
    lab.plays(1)
    lab.run(0)
    lab.plays(1)
    assert check_saved(lab.save())["run_id"] == run_id
    # Its cell finds the run again, in its new folder, and what is new is kept there as before.
    lab.run(1)
    assert lab.until_state("completed", 1)["run_id"] == run_id
    lab.plays(1)
    lab.js("model.cells.get(1).sharedModel.setSource(arg);", cell(f"{name} again"))
    lab.run(1)
    lab.until(lambda: lab.record(1).get("run_id") not in {None, run_id}, "another run is shown")
    lab.until_state("completed", 1)
    lab.plays(1)
    assert sorted(lab.save().metadata.hailuo.runs) == sorted([run_id, lab.record(1)["run_id"]])
    assert bought(simulator, name) == 2
    assert (server.root / f"{name}-2" / "hailuo" / f"{lab.record(1)['run_id']}.mp4").is_file()


def test_a_run_that_nothing_shows(open_tab: OpenLab, server: Server, name: str) -> None:
    code = f"from hailuo_jupyter import generate; run = generate('A heron, {name}', 'demo')"
    lab = open_tab(server.write(f"{name}.ipynb", [LOAD, code]))
    lab.run(0, 1)
    lab.until(
        lambda: [each["state"] for each in lab.records().values()] == ["completed"],
        "the record is final",
    )
    assert "hailuo" not in lab.save().cells[1].metadata


def test_several_runs_in_one_output(open_lab: OpenLab, server: Server, name: str) -> None:
    code = cell(name).replace("demo", "demo --count 2")
    lab = open_lab(server.write(f"{name}.ipynb", [LOAD, code]))
    lab.run(0, 1)
    lab.until(lambda: len(lab.records()) == 2, "both records are kept")
    lab.save()
    lab.reload()
    lab.until(
        lambda: [each["state"] for each in lab.record(1)["runs"]] == ["completed"] * 2,
        "the output is final",
    )
    saved = lab.save()
    ids = [each["run_id"] for each in lab.record(1)["runs"]]
    assert saved.cells[1].metadata.hailuo == {"runs": ids}
    assert sorted(saved.metadata.hailuo.runs) == sorted(ids)
    assert lab.output(1).locator("video").count() == 2


def test_a_reference_is_drawn_with_the_metadatas_record_or_without_any(
    open_tab: OpenLab, server: Server, name: str
) -> None:
    clips = server.root / "hailuo"
    clips.mkdir(exist_ok=True)
    master = clips / f"{name}.mp4"
    row = shown_row(State.COMPLETED, folder=clips, clip=write_clip(master), rating=4)
    (clips / f"{row.run_id}.mp4").hardlink_to(master)
    data = bundle([shown(row, base=server.root)])
    record, known = data[MIME], {row.run_id: row.revision}
    data[MIME] = with_references(record, known)
    home = {"schema": 1, "id": name, "runs": {row.run_id: record}}
    for path, metadata in ((f"{name}.ipynb", {"hailuo": home}), (f"{name}-copy.ipynb", {})):
        notebook = empty_notebook()
        output = nbformat.v4.new_output("display_data", data=data)
        notebook.cells.append(nbformat.v4.new_code_cell("%%hailuo\nx", outputs=[output]))
        notebook.metadata.update(metadata)
        nbformat.write(notebook, server.root / path)
        server.trust(path)

    def dialog(lab: Lab) -> Any:
        choose(lab.output(0), "View record")
        text = lab.page.get_by_role("dialog").locator("pre").inner_text()
        lab.page.keyboard.press("Escape")
        return json.loads(text)

    whole = open_tab(f"{name}.ipynb")
    output = whole.output(0)
    expect(output.locator("video")).to_be_visible()
    assert dialog(whole) == record
    assert "Copy as cell" in choices(output)
    expect(output.get_by_role("button", name="Run changed cell")).to_be_visible()
    assert whole.save().metadata.hailuo.runs == {row.run_id: record}
    assert whole.bundle(0)[MIME] == data[MIME], "it is not written anew"

    copied = open_tab(f"{name}-copy.ipynb")
    output = copied.output(0)
    expect(output.locator("video")).to_be_visible()
    stars = output.locator(".hailuo-stars-group")
    expect(stars).to_have_attribute("title", re.compile("4 of 5"))
    assert dialog(copied) == data[MIME]
    assert "Copy run id" in choices(output)
    assert "Copy as cell" not in choices(output)
    saved = copied.save()
    assert saved.cells[0].metadata.hailuo == {"runs": [row.run_id]}
    assert "hailuo" not in saved.metadata, "a reference is no record"
