"""A notebook whose run went on while it was closed catches up when it is opened, without its kernel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

from hailuo_jupyter.links import shared
from hailuo_jupyter.record.reference import with_references
from tests.support.browser_fixture import MIME, Lab, Server, choose

OpenLab = Callable[..., Lab]
LOAD = "%load_ext hailuo_jupyter"


@pytest.fixture
def left(
    open_lab: OpenLab,
    server: Server,
    name: str,
    let_go: Callable[[], object],
    set_settings: Callable[..., None],
) -> tuple[Lab, dict[str, Any]]:
    """A window, and the record of a run that ended after its notebook was saved for the last time.

    The notebook lies in a folder of its own; its kernel is gone, and the next one, which could tell what
    became of the run, does not load the extension.
    """
    set_settings(loadExtension=False)
    path = server.write(
        f"{name}/nb.ipynb", [LOAD, f"%%hailuo --provider demo\nA heron, as {name} tells."]
    )
    lab = open_lab(path)
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    before = lab.save()
    assert before.cells[1].outputs[0].data[MIME].state != "completed"
    let_go()
    record = lab.until_state("completed", 1)
    lab.save()
    lab.page.goto("about:blank")
    server.shut_down_kernels()
    nbformat.write(before, server.root / path)
    return lab, record


def sidecar(server: Server, lab: Lab, record: dict[str, Any]) -> Path:
    return (server.root / lab.path).parent / "hailuo" / f"{record['run_id']}.json"


def asked_for(lab: Lab) -> list[str]:
    """Gather from here on what the window asks of the clips' folder."""
    found: list[str] = []
    lab.page.on("request", lambda each: found.append(each.url) if "/hailuo/" in each.url else None)
    return found


def test_record_and_output_come_from_the_sidecar_and_the_clip_plays(
    left: tuple[Lab, dict[str, Any]], server: Server
) -> None:
    lab, record = left
    server.trust(lab.path)
    lab.open(lab.path)
    assert lab.until_state("completed", 1) == record
    assert record == shared(json.loads(sidecar(server, lab, record).read_text("utf-8")))
    lab.plays(1)
    expect(lab.output(1)).to_contain_text("Completed")
    saved = lab.save()
    assert saved.metadata.hailuo.runs[record["run_id"]] == record
    assert saved.cells[1].outputs[0].data[MIME] == record
    # A kernel that knows the run draws it in full, and refers to the record that the page has.
    lab.run(0)
    lab.until(lambda: "Record" in lab.output(1).inner_text(), "the kernel has drawn it")
    lab.plays(1)
    assert lab.bundle(1)[MIME] == with_references(record, {record["run_id"]: record["revision"]})
    assert lab.records() == {record["run_id"]: record}
    choose(lab.output(1), "View record")
    expect(lab.page.get_by_role("dialog")).to_contain_text(record["fingerprint"])


def test_an_untrusted_notebook_stays_as_it_is_and_nothing_is_fetched(
    left: tuple[Lab, dict[str, Any]], server: Server
) -> None:
    lab, record = left
    saved = server.read(lab.path)
    saved.metadata.sent_by = "somebody"  # the file that was saved here was signed
    nbformat.write(saved, server.root / lab.path)
    asked = asked_for(lab)
    lab.open(lab.path)
    # Twice the time in which a trusted one has caught up, by what the kernel takes to do something.
    lab.execute("import time; time.sleep(3)")
    assert asked == []
    assert not lab.js("return model.dirty;")
    assert lab.record(1) == saved.cells[1].outputs[0].data[MIME]
    assert lab.records() == saved.metadata.hailuo.runs
    # Trusting it is what it takes.
    lab.js("for (const cell of model.cells) { cell.trusted = true; }")
    assert lab.until_state("completed", 1) == record


def of_another(record: dict[str, Any]) -> dict[str, str]:
    """Return texts of sidecars that are not this run's newer record, by what is wrong with each."""
    origin = record["origin"] | {"notebook_id": "another"}
    wrong = {
        "fingerprint": {"fingerprint": "0" * 64},
        "notebook": {"origin": origin},
        "run": {"run_id": record["run_id"] + "x"},
        "revision": {"revision": 1},
    }
    return {
        "no record": "<script>",
        **{what: json.dumps(record | changes) for what, changes in wrong.items()},
    }


def test_a_sidecar_of_another_run_changes_nothing(
    left: tuple[Lab, dict[str, Any]], server: Server
) -> None:
    lab, record = left
    path = sidecar(server, lab, record)
    whole = json.loads(path.read_text("utf-8"))
    server.trust(lab.path)
    before = server.read(lab.path).cells[1].outputs[0].data[MIME]
    asked = asked_for(lab)
    for what, text in of_another(whole).items():
        path.write_text(text, "utf-8")
        asked.clear()
        lab.open(lab.path)
        lab.until(lambda: any(path.name in each for each in asked), f"{what}: it is asked for")
        lab.execute("import time; time.sleep(1)")
        assert lab.record(1) == before, what
        assert not lab.js("return model.dirty;"), what
    # The whole one is taken, so that it was the changes which kept the others out.
    path.write_text(json.dumps(whole), "utf-8")
    lab.open(lab.path)
    assert lab.until_state("completed", 1) == record
