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
from at_rest import (
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.kernel.origin import made_of_path
from hailuo_jupyter.nbfile import records
from hailuo_jupyter.nbfile.document import read
from hailuo_jupyter.nbfile.sync import sync
from hailuo_jupyter.nbfile.verify import verify
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo

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
        "runs": {row.run_id: json.loads(row.record_json) for row in bought.rows.values()},
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


def test_an_output_that_is_behind_is_drawn_again(bought: Made) -> None:
    row = bought.rows["boat"]
    path = write(bought.path, cells(bought, boat=behind(row, bought.path, bought.settings)))
    done = sync(path)
    assert done.redrawn == 1
    data = load(path)["cells"][1]["outputs"][0]["data"]
    assert data[MIME] == json.loads(row.record_json)
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


def test_without_a_run_log_the_sidecar_tells(bought: Made, tmp_path: Path) -> None:
    row = bought.rows["boat"]
    elsewhere = tmp_path / "colleague" / "clips.ipynb"
    write(elsewhere, cells(bought, boat=behind(row, bought.path, bought.settings)))
    shutil.copytree(row.folder, elsewhere.parent / "hailuo")
    done = sync(elsewhere, settings=Hailuo(run_log=str(tmp_path / "none.sqlite3")))
    assert done.redrawn == 1
    stored = load(elsewhere)["metadata"]["hailuo"]["runs"][row.run_id]
    assert stored == json.loads(row.record_json)
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
    with pytest.raises(NotebookError, match="changed by somebody else"):
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
    """Give a notebook without all that sync may write."""
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
