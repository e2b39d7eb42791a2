"""`jupyter hailuo sync`: records lifted, outputs drawn again, sidecars written, nothing else touched."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.ipynb import records
from hailuo_jupyter.ipynb.audit import audit
from hailuo_jupyter.ipynb.document import read
from hailuo_jupyter.ipynb.embed import embed
from hailuo_jupyter.ipynb.import_runs import import_runs
from hailuo_jupyter.ipynb.sync import sync
from hailuo_jupyter.ipynb.verify import verify
from hailuo_jupyter.links import shared_json
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from tests.support.notebook_files import (
    MIME,
    buy,
    code,
    drawn,
    load,
    markdown,
    notebook,
    shown,
    simulator,
    surroundings,
    write,
)

SOURCES = {
    "boat": "%%hailuo --provider demo\nA boat.",
    "kite": "%%hailuo --provider demo\nA kite.",
}


@dataclass
class Made:
    path: Path
    rows: dict[str, Row]
    settings: Hailuo


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("bought")
    path = folder / "work" / "clips.ipynb"
    path.parent.mkdir()
    with simulator() as sim, surroundings(folder, sim) as settings:
        rows = buy(settings, path, {"boat": "A boat.", "kite": "A kite."}, SOURCES)
        yield Made(path, rows, settings)


def cells(made: Made, **bundles: dict[str, Any]) -> dict[str, Any]:
    return notebook(
        markdown("words", "# Clips"),
        *(
            code(each, SOURCES[each], [shown(bundles[each])] if each in bundles else [])
            for each in SOURCES
        ),
        kept={"b": 1, "a": [1, 2]},
    )


@pytest.fixture
def fresh(bought: Made) -> Path:
    """The notebook as JupyterLab would have saved it without our extension."""
    data = {each: drawn([row], bought.path, bought.settings) for each, row in bought.rows.items()}
    return write(bought.path, cells(bought, **data))


def behind(row: Row, path: Path, settings: Hailuo) -> dict[str, Any]:
    """The bundle of an output that missed its last update."""
    record = json.loads(row.record_json)
    early = record | {"revision": 2, "state": "generating", "clip": None}
    return {
        "application/vnd.jupyter.widget-view+json": {"model_id": "m", "version_major": 2},
        "application/x-foreign+json": {"mine": True},
        "text/html": "<b>Generating</b>",
        "text/plain": "Generating",
        MIME: early,
    }


def test_records_are_lifted_from_outputs(bought: Made, fresh: Path) -> None:
    done = sync(fresh)
    nb = load(fresh)
    assert (done.runs, done.lifted, done.changed) == (2, 2, True)
    assert nb["metadata"]["hailuo"] == {
        "schema": 1,
        "id": made_of_path(fresh),
        "runs": {
            row.run_id: json.loads(shared_json(row.record_json)) for row in bought.rows.values()
        },
    }
    assert nb["cells"][1]["metadata"]["hailuo"] == {"runs": [bought.rows["boat"].run_id]}


def test_nothing_else_is_touched(fresh: Path) -> None:
    before = load(fresh)
    sync(fresh)
    after = load(fresh)
    del after["metadata"]["hailuo"]
    for cell in after["cells"]:
        cell["metadata"].pop("hailuo", None)
    assert after == before


def test_a_second_time_writes_nothing(fresh: Path) -> None:
    sync(fresh)
    stamp = fresh.stat().st_mtime_ns
    done = sync(fresh)
    assert not done.changed
    assert done.lifted == 0
    assert fresh.stat().st_mtime_ns == stamp


def test_the_file_is_as_jupyter_writes_it(fresh: Path) -> None:
    sync(fresh)
    nb = nbformat.read(fresh, as_version=4)
    nbformat.validate(nb)
    assert fresh.read_text() == nbformat.writes(nb) + "\n"


def test_a_run_whose_cell_was_never_saved_is_reported_and_added(bought: Made, fresh: Path) -> None:
    nb = load(fresh)
    del nb["cells"][-1]
    write(fresh, nb)
    lost = bought.rows["kite"].run_id
    found = [each.run_id for each in verify(fresh).findings if "jupyter hailuo sync" in each.text]
    assert lost in found
    assert sync(fresh).runs == 2
    assert lost in load(fresh)["metadata"]["hailuo"]["runs"]
    assert verify(fresh).ok


def test_the_id_of_another_notebook_brings_none_of_its_runs(
    bought: Made, fresh: Path, tmp_path: Path
) -> None:
    sync(fresh)
    claimed = notebook(code("a", "1"), kept={})
    claimed["metadata"]["hailuo"] = {**load(fresh)["metadata"]["hailuo"], "runs": {}}
    stranger = write(tmp_path / "stranger.ipynb", claimed)
    assert sync(stranger).runs == 0
    assert verify(stranger).ok


def test_a_lower_revision_never_replaces_a_higher_one(bought: Made, fresh: Path) -> None:
    row = bought.rows["boat"]
    nb = load(fresh)
    later = json.loads(row.record_json) | {"revision": row.revision + 5, "note": "from afar"}
    nb["metadata"]["hailuo"] = {"schema": 1, "id": "mine", "runs": {row.run_id: later}}
    write(fresh, nb)
    sync(fresh)
    ours = load(fresh)["metadata"]["hailuo"]
    assert ours["runs"][row.run_id] == later
    assert ours["id"] == "mine"
    # The notebook is a copy: what it claims does not become the truth beside the clip.
    sidecar = json.loads((row.folder / f"{row.run_id}.json").read_text())
    assert sidecar["revision"] == row.revision


def test_a_path_in_place_of_a_cells_id_is_taken_out(bought: Made, fresh: Path) -> None:
    """VS Code's ids of cells are the notebook's absolute path, and older records have them."""
    row = bought.rows["boat"]
    beside = row.folder / f"{row.run_id}.json"
    leak = f"vscode-notebook-cell:{fresh}#W1sZmlsZQ%3D%3D"
    sync(fresh)
    nb = load(fresh)
    (output,) = nb["cells"][1]["outputs"]
    html = "".join(output["data"]["text/html"])
    output["data"]["text/html"] = [f"{html}<pre>{{&quot;cell_id&quot;: &quot;{leak}&quot;}}</pre>"]
    for record in (output["data"][MIME], nb["metadata"]["hailuo"]["runs"][row.run_id]):
        assert record["origin"]["cell_id"] == "boat"
        record["origin"]["cell_id"] = leak
    nb["cells"][0]["source"] = [leak]
    write(fresh, nb)
    record = json.loads(beside.read_text())
    record["origin"]["cell_id"] = leak
    beside.write_text(json.dumps(record))
    found = [(each.place, each.kind) for each in audit(fresh.parent, secrets=[]).found]
    assert {place for place, _ in found} == {
        f"hailuo/{beside.name}", *(f"clips.ipynb, {each}" for each in PLACES)
    }  # fmt: skip
    assert all(kind.startswith("the notebook's absolute path") for _, kind in found)

    done = sync(fresh)
    assert (done.changed, done.sidecars) == (True, 1)
    nb = load(fresh)
    assert nb["cells"][0].pop("source") == [leak], "what a person wrote is theirs"
    assert "vscode-notebook-cell" not in json.dumps(nb)
    assert nb["metadata"]["hailuo"]["runs"][row.run_id]["origin"]["cell_id"] is None
    assert json.loads(beside.read_text())["origin"]["cell_id"] is None
    assert not sync(fresh).changed
    write_sidecar(row.record, row.folder)  # the other tests have it, too


PLACES = ("metadata", "cell 1", "cell 2, output 1")


def told(row: Row) -> Record:
    """Return a run's record as a notebook holds it."""
    return Record.from_json(shared_json(row.record_json))


def reference(row: Row) -> dict[str, Any]:
    """Return what an output holds of a finished run whose record is in the metadata."""
    clip = row.record.clip
    assert clip is not None
    return {
        "reference": True,
        "run_id": row.run_id,
        "revision": row.revision,
        "state": "completed",
        "rating": None,
        "clip": {"duration_s": clip.duration_s, "path": clip.path},
    }


def test_an_output_that_is_behind_is_drawn_again(bought: Made) -> None:
    row = bought.rows["boat"]
    path = write(bought.path, cells(bought, boat=behind(row, bought.path, bought.settings)))
    done = sync(path)
    assert done.redrawn == 1
    nb = load(path)
    data = nb["cells"][1]["outputs"][0]["data"]
    assert data[MIME] == reference(row), "the record is in the metadata, and once is enough"
    assert nb["metadata"]["hailuo"]["runs"][row.run_id] == json.loads(shared_json(row.record_json))
    assert [each.records for each in records.outputs(nb)] == [[told(row)]]
    assert f'src="hailuo/{row.run_id}.mp4"' in "".join(data["text/html"])
    assert "application/vnd.jupyter.widget-view+json" not in data
    assert data["application/x-foreign+json"] == {"mine": True}
    assert verify(path).ok


def test_an_output_of_several_runs_is_drawn_as_a_whole(bought: Made) -> None:
    boat, kite = bought.rows["boat"], bought.rows["kite"]
    early = behind(boat, bought.path, bought.settings)
    early[MIME] = {"runs": [early[MIME], json.loads(kite.record_json)]}
    path = write(bought.path, cells(bought, boat=early))
    assert sync(path).redrawn == 1
    nb = load(path)
    shown_now = nb["cells"][1]["outputs"][0]["data"][MIME]["runs"]
    assert [each["state"] for each in shown_now] == ["completed", "completed"]
    assert nb["cells"][1]["metadata"]["hailuo"]["runs"] == [boat.run_id, kite.run_id]


def test_an_output_is_never_written_anew_only_to_be_smaller(bought: Made, fresh: Path) -> None:
    sync(fresh)
    assert [cell["outputs"] for cell in load(fresh)["cells"][1:]] == [
        [shown(drawn([row], bought.path, bought.settings))] for row in bought.rows.values()
    ]


@pytest.fixture
def copied(bought: Made, tmp_path: Path) -> Path:
    """A notebook into which a cell was copied whose output refers to a record elsewhere."""
    row = bought.rows["boat"]
    data = drawn([row], bought.path, bought.settings) | {MIME: reference(row)}
    return write(tmp_path / "other" / "clips.ipynb", cells(bought, boat=data))


def test_a_reference_without_its_record_is_shown_and_reported(bought: Made, copied: Path) -> None:
    row, nb = bought.rows["boat"], load(copied)
    (output,) = records.outputs(nb)
    assert (output.records, output.missing, output.run_ids) == ([], [row.run_id], [row.run_id])
    assert records.shown_ids(nb["cells"][1]) == [row.run_id]
    found = [each.text for each in verify(copied).findings if each.run_id == row.run_id]
    assert found == [
        "An output refers to its record, which the metadata does not have; use 'jupyter hailuo sync'."
    ]


def test_sync_takes_the_record_from_the_log(bought: Made, copied: Path) -> None:
    row, before = bought.rows["boat"], load(copied)["cells"][1]["outputs"]
    done = sync(copied)
    assert (done.runs, done.lifted, done.redrawn) == (1, 1, 0)
    nb = load(copied)
    assert nb["metadata"]["hailuo"]["runs"][row.run_id] == json.loads(shared_json(row.record_json))
    assert nb["cells"][1]["metadata"]["hailuo"] == {"runs": [row.run_id]}
    assert nb["cells"][1]["outputs"] == before
    assert [each.records for each in records.outputs(nb)] == [[told(row)]]


def test_sync_takes_the_record_from_the_sidecar(bought: Made, copied: Path, tmp_path: Path) -> None:
    row = bought.rows["boat"]
    shutil.copytree(row.folder, copied.parent / "hailuo")
    done = sync(copied, settings=Hailuo(run_log=str(tmp_path / "none.sqlite3")))
    assert done.lifted == 1
    assert load(copied)["metadata"]["hailuo"]["runs"][row.run_id]["revision"] == row.revision


def test_without_log_and_sidecar_a_reference_stays_as_it_is(
    bought: Made, copied: Path, tmp_path: Path
) -> None:
    run_id, before = bought.rows["boat"].run_id, load(copied)["cells"][1]["outputs"]
    nowhere = Hailuo(run_log=str(tmp_path / "none.sqlite3"))
    done = sync(copied, settings=nowhere)
    assert (done.lifted, done.redrawn) == (0, 0)
    nb = load(copied)
    assert nb["cells"][1]["outputs"] == before
    assert nb["cells"][1]["metadata"]["hailuo"] == {"runs": [run_id]}
    assert "hailuo" not in nb["metadata"]
    out = copied.with_name("embedded.ipynb")
    (remark,) = embed(copied, out, settings=nowhere).remarks
    assert "left as it is" in remark
    assert load(out)["cells"][1]["outputs"] == before
    (skipped,) = import_runs([copied], settings=nowhere).skipped
    assert run_id in skipped
    assert "refers to a record" in skipped


def test_an_output_whose_record_went_on_in_the_metadata_is_still_behind(bought: Made) -> None:
    row = bought.rows["boat"]
    data = drawn([row], bought.path, bought.settings)
    data[MIME] = reference(row) | {"revision": row.revision - 1}
    nb = cells(bought, boat=data)
    stored = {row.run_id: json.loads(shared_json(row.record_json))}
    nb["metadata"]["hailuo"] = {"schema": 1, "id": made_of_path(bought.path), "runs": stored}
    path = write(bought.path, nb)
    behind_it = (
        f"An output still shows revision {row.revision - 1} of {row.revision}; "
        "use 'jupyter hailuo sync'."
    )
    assert behind_it in [each.text for each in verify(path).findings]
    assert sync(path).redrawn == 1
    assert load(path)["cells"][1]["outputs"][0]["data"][MIME] == reference(row)
    assert verify(path).ok


def test_a_reference_to_a_newer_record_than_the_metadata_has_is_missing(bought: Made) -> None:
    row = bought.rows["boat"]
    data = drawn([row], bought.path, bought.settings) | {MIME: reference(row)}
    nb = cells(bought, boat=data)
    old = json.loads(shared_json(row.record_json)) | {"revision": row.revision - 1}
    nb["metadata"]["hailuo"] = {"runs": {row.run_id: old}}
    assert [each.missing for each in records.outputs(nb)] == [[row.run_id]]
    nb["metadata"]["hailuo"]["runs"][row.run_id]["revision"] = row.revision
    assert [each.missing for each in records.outputs(nb)] == [[]]


def test_records_under_each_others_ids_are_put_right(bought: Made, tmp_path: Path) -> None:
    """Until then no output refers to them, and none of what only the notebook has is lost."""
    data = {each: drawn([row], bought.path, bought.settings) for each, row in bought.rows.items()}
    nb, (one, other) = cells(bought, **data), bought.rows.values()
    whole = {row.run_id: json.loads(shared_json(row.record_json)) for row in (one, other)}
    swapped = {one.run_id: whole[other.run_id], other.run_id: whole[one.run_id]}
    nb["metadata"]["hailuo"] = {"schema": 1, "id": "id", "runs": swapped}
    assert records.kept_revisions(nb) == {}
    for cell in nb["cells"]:
        cell.pop("outputs", None)
    path = write(tmp_path / "swapped" / "clips.ipynb", nb)
    sync(path, settings=Hailuo(run_log=str(tmp_path / "none.sqlite3")))
    assert load(path)["metadata"]["hailuo"]["runs"] == whole


def test_without_a_run_log_the_sidecar_tells(bought: Made, tmp_path: Path) -> None:
    row = bought.rows["boat"]
    elsewhere = tmp_path / "colleague" / "clips.ipynb"
    write(elsewhere, cells(bought, boat=behind(row, bought.path, bought.settings)))
    shutil.copytree(row.folder, elsewhere.parent / "hailuo")
    done = sync(elsewhere, settings=Hailuo(run_log=str(tmp_path / "none.sqlite3")))
    assert done.redrawn == 1
    stored = load(elsewhere)["metadata"]["hailuo"]["runs"][row.run_id]
    assert stored == json.loads(shared_json(row.record_json))
    assert not (tmp_path / "none.sqlite3").exists()


def test_a_missing_sidecar_is_written_only_beside_the_very_clip(bought: Made, fresh: Path) -> None:
    boat, kite = bought.rows["boat"], bought.rows["kite"]
    files = {row.run_id: boat.folder / f"{row.run_id}.json" for row in (boat, kite)}
    kept = {run_id: file.read_bytes() for run_id, file in files.items()}
    clip = kite.folder / f"{kite.run_id}.mp4"
    whole = clip.read_bytes()
    try:
        for file in files.values():
            file.unlink()
        clip.write_bytes(whole[:-1])
        assert sync(fresh).sidecars == 1
        assert files[boat.run_id].read_bytes() == kept[boat.run_id]
        assert not files[kite.run_id].exists()
    finally:
        clip.write_bytes(whole)
        for run_id, file in files.items():
            file.write_bytes(kept[run_id])


def test_what_a_killed_process_left_half_written_goes(bought: Made, fresh: Path) -> None:
    row = bought.rows["boat"]
    halves = [
        row.folder / f".{each}.json.17-0123abcd.tmp" for each in (row.run_id, "of-nobody-here")
    ]
    for half in halves:
        half.write_text("half of it")
    sync(fresh, settings=bought.settings)
    assert [half.exists() for half in halves] == [False, True]
    halves[1].unlink()


def test_a_cell_whose_outputs_were_cleared_lists_nothing(bought: Made, fresh: Path) -> None:
    sync(fresh)
    nb = load(fresh)
    nb["cells"][1]["outputs"] = []
    nb["cells"][1]["metadata"]["hailuo"]["foreign"] = 1
    nb["cells"][2]["outputs"] = []
    write(fresh, nb)
    sync(fresh)
    nb = load(fresh)
    assert nb["cells"][1]["metadata"] == {"hailuo": {"foreign": 1}}
    assert nb["cells"][2]["metadata"] == {}
    assert len(nb["metadata"]["hailuo"]["runs"]) == 2


@pytest.mark.parametrize("ours", ["a poem", [], {"runs": []}, {"schema": 2, "runs": {}}], ids=str)
def test_what_is_not_ours_stays(fresh: Path, ours: Any) -> None:
    nb = load(fresh)
    nb["metadata"]["hailuo"] = ours
    write(fresh, nb)
    text = fresh.read_text()
    with pytest.raises(NotebookError):
        sync(fresh)
    assert fresh.read_text() == text


def test_a_file_that_changes_meanwhile_is_not_overwritten(fresh: Path) -> None:
    document = read(fresh)
    fresh.write_text(fresh.read_text() + " ")
    with pytest.raises(NotebookError, match="changed by another program"):
        document.save()


def test_signed_links_of_a_hostile_output_do_not_reach_the_metadata(bought: Made) -> None:
    row = bought.rows["boat"]
    record = json.loads(row.record_json)
    record["run_id"] = "20300101-000000-000000"
    record["job"]["media_link"] = "https://media.example/x.mp4?Signature=secret-signature"
    record["job"]["answers"] = {"result": {"url": record["job"]["media_link"]}}
    data = {"text/plain": "x", "text/html": "x", MIME: record}
    path = write(bought.path, cells(bought, boat=data))
    sync(path)
    assert "secret-signature" not in json.dumps(load(path)["metadata"])


# ── anything may stand in a notebook ────────────────────────────────────────────────────────────

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(max_size=8) | st.sampled_from(["", "x" * 200, "../..", "20260101-000000-abcdef"])
anything = st.recursive(
    leaves | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["runs", "run_id", "id", "schema", MIME, "x"]), inner)
    ),
    max_leaves=8,
)


def record_json(made: Made) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.rows["boat"].record_json)
    return found


@st.composite
def near_records(draw: st.DrawFn, made: Made) -> Any:
    """A record, with some of it replaced by anything."""
    record = record_json(made)
    for name in draw(st.lists(st.sampled_from(sorted(record)), max_size=2)):
        record[name] = draw(anything)
    if draw(st.booleans()):
        record["reference"] = draw(st.just(True) | anything)
    return record


@st.composite
def hostile(draw: st.DrawFn, made: Made) -> dict[str, Any]:
    value = anything | near_records(made)
    runs = st.dictionaries(st.sampled_from(["a", record_json(made)["run_id"]]), value, max_size=2)
    ours = anything | st.fixed_dictionaries(
        {"schema": st.just(1), "runs": runs}, optional={"id": texts | leaves, "more": anything}
    )
    output = st.fixed_dictionaries(
        {"output_type": st.just("display_data")},
        optional={
            "metadata": anything,
            "data": anything
            | st.fixed_dictionaries(
                {MIME: value | st.builds(lambda x: {"runs": [x]}, value)},
                optional={"text/html": texts | st.lists(texts), "text/plain": anything},
            ),
        },
    )
    cell = anything | st.fixed_dictionaries(
        {"cell_type": st.just("code"), "outputs": anything | st.lists(output, max_size=2)},
        optional={
            "id": texts,
            "source": texts | anything,
            "metadata": anything | st.fixed_dictionaries({"hailuo": ours, "x": anything}),
        },
    )
    return {
        "cells": draw(st.lists(cell, max_size=3)),
        "metadata": draw(st.fixed_dictionaries({"x": anything}, optional={"hailuo": ours})),
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def foreign(nb: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without all that sync may write."""
    rest = copy.deepcopy(nb)
    rest["metadata"].pop("hailuo", None)
    for cell in rest["cells"]:
        if isinstance(cell, dict) and isinstance(cell.get("metadata"), dict):
            cell["metadata"].pop("hailuo", None)
        for output in records.outputs({"cells": [cell]}):
            for kind in (MIME, "text/html", "text/plain"):
                output.output["data"].pop(kind, None)
    return rest


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_notebook_whatever_it_holds_breaks_sync_or_verify(bought: Made, data: Any) -> None:
    nb = data.draw(hostile(bought))
    path = write(bought.path.with_name("hostile.ipynb"), nb)
    before = path.read_text()
    verify(path)
    assert path.read_text() == before
    try:
        sync(path)
    except NotebookError:
        assert path.read_text() == before
        return
    after = load(path)
    assert foreign(after) == foreign(nb)
    found = after["metadata"].get("hailuo")
    if isinstance(found, dict) and "runs" in found:
        shown_ids = {r.run_id for o in records.outputs(after) for r in o.records}
        assert shown_ids <= set(found["runs"])
        for raw in (found["runs"][run_id] for run_id in shown_ids):
            assert records.revision(raw) >= 1
    assert not sync(path).changed


def test_what_is_lifted_is_a_record(bought: Made, fresh: Path) -> None:
    sync(fresh)
    for raw in load(fresh)["metadata"]["hailuo"]["runs"].values():
        Record.from_json(json.dumps(raw))
