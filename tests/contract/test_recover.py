"""A log that was lost: runs come back from sidecars and notebooks; strangers' records do no harm."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.cli import waiting
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.decide import Act
from hailuo_jupyter.engine.recover import recover
from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.nbfile.importing import import_runs
from hailuo_jupyter.record import Record, prepare
from hailuo_jupyter.record_file import write_sidecar
from hailuo_jupyter.runlog import Owner, RunLog
from hailuo_jupyter.runlog.imports import Adopted
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

from .conftest import Lab, eventually


@pytest.fixture
def bought(lab: Lab) -> Record:
    """A completed run whose log is gone, as after a move to a new machine."""
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    record = run.record
    engine.stop()
    lose_the_log(lab)
    return record


@pytest.fixture
def made(lab: Lab) -> Record:
    """The same, but for a clip that is none: only its bytes are looked at."""
    data = b"a clip" * 100
    record = prepare(lab.order().request, origin=lab.order().origin)
    for state in ("submitting", "submitted", "downloading"):
        record = record.moved(State(state), job={"id": "a-job"})
    facts = {"width": 1, "height": 1, "fps": 24.0, "duration_s": 6.0, "codec": "h264"}
    digest = hashlib.sha256(data).hexdigest()
    path = f"{record.run_id}.mp4"
    record = record.moved(
        State.COMPLETED, clip={**facts, "path": path, "sha256": digest, "bytes": len(data)}
    )
    write_sidecar(record, lab.clips)
    (lab.clips / path).write_bytes(data)
    return record


def lose_the_log(lab: Lab) -> None:
    shutil.rmtree(lab.log.parent, ignore_errors=True)


def sidecar(lab: Lab, record: Record) -> Path:
    return lab.clips / f"{record.run_id}.json"


def change(path: Path, **values: Any) -> None:
    """Change a sidecar as somebody with an editor can; ``a__b`` stands for a name within a name."""
    document = json.loads(path.read_text())
    for name, value in values.items():
        *parts, last = name.split("__")
        place = document
        for part in parts:
            place = place[part]
        place[last] = value
    path.write_text(json.dumps(document))


# ── before anything is bought ──────────────────────────────────────────────────────────────────


def test_a_cell_whose_clip_and_record_lie_there_is_not_bought_again(
    lab: Lab, bought: Record
) -> None:
    asked = len(lab.sim.requests)
    engine = lab.engine()
    assert engine.lacks(lab.order()) == 0
    [placed] = lab.placed(engine)
    assert (placed.act, placed.run.run_id) == (Act.SHOW, bought.run_id)
    assert placed.run.clip is not None
    assert len(lab.sim.requests) == asked, "nothing was asked, fetched or sent"
    row = engine.row(bought.run_id)
    assert row.record.to_json() == bought.to_json()
    assert row.created == pytest.approx(bought.entered(State.PREPARED))
    assert engine.logs()[0].durations(row.kind) == [], "what comes from outside teaches no times"
    [placed] = lab.placed(engine, new=True)
    assert placed.act is Act.BUY


def test_nothing_else_counts(lab: Lab, made: Record) -> None:
    path, clip = sidecar(lab, made), lab.clips / f"{made.run_id}.mp4"
    text, data = path.read_text(), clip.read_bytes()
    order = lab.order()

    def spoil(what: Callable[[], object]) -> int:
        what()
        try:
            with RunLog(lab.folder / "other" / "runs.sqlite3") as log:
                return len(recover(order, log))
        finally:
            shutil.rmtree(lab.folder / "other")
            for each in lab.clips.glob("*.*"):
                each.unlink()
            path.write_text(text)
            clip.write_bytes(data)

    def as_link() -> None:
        clip.rename(lab.folder / "elsewhere.mp4")
        clip.symlink_to(lab.folder / "elsewhere.mp4")

    spoiled: dict[str, Callable[[], object]] = {
        "no clip": clip.unlink,
        "another clip": lambda: clip.write_bytes(data[:-1] + b"x"),
        "a link": as_link,
        "another hash": lambda: change(path, clip__sha256="0" * 64),
        "another file": lambda: change(path, clip__path="../elsewhere.mp4"),
        "another notebook": lambda: change(path, origin__notebook_id="a-stranger's"),
        "another request": lambda: change(path, fingerprint=f"{made.fingerprint}0"),
        "another provider": lambda: change(path, provider="aimlapi"),
        "not at its end": lambda: change(path, state="generating"),
        "another name": lambda: path.rename(lab.clips / "20200101-000000-aaaaaa.json"),
        "no JSON": lambda: path.write_text(text[:-20]),
        "deep": lambda: path.write_text("[" * 100_000 + made.fingerprint),
        "long": lambda: path.write_text(text + " " * 3_000_000),
        "a pipe of money": lambda: change(path, cost__actual=-500.0),
        "a revision": lambda: change(path, revision=10**30),
        "no time": lambda: change(path, times={"prepared": "2026-13-01T00:00:00.000Z"}),
    }
    for name, what in spoiled.items():
        assert spoil(what) == 0, name
    assert spoil(lambda: None) == 1
    order = replace(order, parent="20200101-000000-aaaaaa")
    assert spoil(lambda: None) == 0, "a rerun is served by reruns of its run alone"


def test_a_folder_full_of_known_sidecars_is_one_question(lab: Lab, made: Record) -> None:
    order = lab.order()
    with RunLog(lab.log) as log:

        def asked() -> list[str]:
            said: list[str] = []
            assert log._connection is not None
            log._connection.set_trace_callback(said.append)
            assert recover(order, log) == {}
            log._connection.set_trace_callback(None)
            return said

        # A name that is no UTF-8 is nobody's run.
        (Path(os.fsdecode(os.fsencode(lab.clips) + b"/\xff.json"))).write_text("{}")
        assert recover(order, log) == {made.run_id: ""}
        few = len(asked())
        for number in range(200):
            other = prepare(lab.order(f"cat {number}").request, origin=order.origin)
            log.insert(other, folder=lab.clips, kind="", owner=None)
            # It tells of the clip that is wanted, and would be found if anybody read it.
            text = made.to_json().replace(made.run_id, other.run_id)
            sidecar(lab, other).write_text(text)
            (lab.clips / f"{other.run_id}.mp4").write_bytes(b"a clip" * 100)
        assert len(asked()) == few
        assert {row.state for row in log.recent(200)} == {State.PREPARED}


# ── jupyter hailuo import ──────────────────────────────────────────────────────────────────────


def test_import_from_a_folder_or_a_notebook_may_be_repeated(lab: Lab, made: Record) -> None:
    asked = len(lab.sim.requests)
    done = import_runs([lab.folder], lab.settings)
    assert dict(done.counts) == {Adopted.NEW: 1}
    assert done.skipped == done.unfinished == []
    with RunLog(lab.log) as log:
        row = log.get(made.run_id)
        assert (row.folder, row.record.to_json()) == (lab.clips, made.to_json())
    assert dict(import_runs([lab.folder], lab.settings).counts) == {Adopted.KNOWN: 1}

    lose_the_log(lab)
    sidecar(lab, made).unlink()
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": ""}
    stored = {made.run_id: json.loads(made.to_json()), "broken": {"schema": "hailuo-run/1"}}
    notebook = lab.folder / "notebook.ipynb"
    metadata = {"hailuo": {"schema": 1, "id": "a-notebook", "runs": stored}}
    document = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    notebook.write_text(json.dumps(document))
    done = import_runs([notebook], lab.settings)
    assert dict(done.counts) == {Adopted.NEW: 1}
    [skipped] = done.skipped
    assert skipped.startswith("notebook.ipynb: This is no record of a run: ")
    with RunLog(lab.log) as log:
        assert log.get(made.run_id).folder == lab.clips
    assert len(lab.sim.requests) == asked


def test_a_newer_revision_wins_and_an_older_one_never(lab: Lab, made: Record) -> None:
    newer = made.changed(note="the best one", rating=5)
    write_sidecar(newer, lab.clips)
    import_runs([lab.clips], lab.settings)
    write_sidecar(made, lab.clips)
    assert dict(import_runs([lab.clips], lab.settings).counts) == {Adopted.KNOWN: 1}
    with RunLog(lab.log) as log:
        assert log.get(made.run_id).record.note == "the best one"
    newest = newer.changed(note="no, the other")
    write_sidecar(newest, lab.clips)
    assert dict(import_runs([lab.clips], lab.settings).counts) == {Adopted.NEWER: 1}
    # A folder that was moved is the log's from then on.
    moved = lab.clips.rename(lab.folder / "moved")
    assert dict(import_runs([moved], lab.settings).counts) == {Adopted.MOVED: 1}
    with RunLog(lab.log) as log:
        row = log.get(made.run_id)
        assert (row.record.note, row.folder) == ("no, the other", moved)


def test_a_log_is_not_talked_out_of_a_run_that_it_has(lab: Lab, made: Record) -> None:
    with RunLog(lab.log) as log, Owner(lab.log) as owner:
        values = made.model_dump(by_alias=True)
        started = Record.from_json(
            json.dumps({**values, "state": "generating", "clip": None, "revision": 4})
        )
        log.insert(started, folder=lab.clips, kind="", owner=owner.id)

        def told(**values: Any) -> str:
            write_sidecar(made.changed(note="x"), lab.clips)
            change(sidecar(lab, made), **values)
            [skipped] = import_runs([lab.clips], lab.settings).skipped
            assert log.get(made.run_id).record == started
            return skipped

        assert "A process works on this run" in told()
        owner.close()
        assert "another run by this id" in told(fingerprint="another")
        assert "another run by this id" in told(job__id="another")
        assert "another run by this id" in told(job__client_request_id="another")
        assert "has this run as generating" in told(state="failed")
        assert "has this run as generating" in told(state="generating")
        assert "has this run as generating" in told(clip__sha256="0" * 64)
        # The same job's clip, with its record, is the end of it: another machine fetched it.
        write_sidecar(made, lab.clips)
        assert dict(import_runs([lab.clips], lab.settings).counts) == {Adopted.NEWER: 1}
        assert log.get(made.run_id).state is State.COMPLETED


def test_an_unfinished_run_from_outside_waits_for_a_person(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.record.job.id and sidecar(lab, run.record).is_file())
    engine.stop()
    lose_the_log(lab)
    (lab.clips / "notes.json").write_text("{}")
    (lab.clips / "20200101-000000-aaaaaa.json").write_text('{"schema": "hailuo-run/1"}')
    asked = len(lab.sim.requests)
    done = import_runs([lab.folder], lab.settings)
    assert done.unfinished == [run.run_id]
    assert [each.split(":")[0] for each in done.skipped] == ["20200101-000000-aaaaaa.json"]
    assert lab.engine().resume() == [], "nothing takes it up by itself"
    Hailuo.clear_instance()
    Hailuo.instance().run_log = str(lab.log)
    try:
        assert waiting.collect(lambda _: None, lambda _: None) == waiting.Outcome([], [])
        assert len(lab.sim.requests) == asked
        [path] = waiting.wait(run.run_id, lambda _: None).clips()
        assert Path(path).is_file()
        assert lab.submits() == 1
    finally:
        process.shut_down()
        Hailuo.clear_instance()


def test_what_is_not_there_is_told(lab: Lab) -> None:
    with pytest.raises(NotebookError, match="There is no"):
        import_runs([lab.folder / "none"], lab.settings)
    (lab.folder / "a.ipynb").write_text("no notebook")
    assert import_runs([lab.folder], lab.settings).skipped == [
        "a.ipynb: a.ipynb is no notebook: it holds no JSON."
    ]
    assert not lab.log.exists()
