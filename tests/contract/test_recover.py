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

from hailuo_jupyter.cli import wait as waiting
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.notebook_scope import Scope
from hailuo_jupyter.engine.recovery import Sidecars, recover
from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.errors import NotBought, NotebookError
from hailuo_jupyter.ipynb.import_runs import import_runs
from hailuo_jupyter.ipynb.relink import find_moved, relink
from hailuo_jupyter.record import Record, prepare
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.runlog import Owner, RunLog
from hailuo_jupyter.runlog.adopt import Adopted
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, eventually


@pytest.fixture
def bought(lab: EngineFixture) -> Record:
    """A completed run whose log is gone, as after a move to a new machine."""
    engine = lab.engine()
    run = lab.place(engine).wait(60)
    record = run.record
    engine.stop()
    lose_the_log(lab)
    return record


@pytest.fixture
def made(lab: EngineFixture) -> Record:
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


def lose_the_log(lab: EngineFixture) -> None:
    shutil.rmtree(lab.log.parent, ignore_errors=True)


def sidecar(lab: EngineFixture, record: Record) -> Path:
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
    lab: EngineFixture, bought: Record
) -> None:
    asked = len(lab.sim.requests)
    engine = lab.engine()
    assert engine.find_reusable(lab.order()).missing == 0
    [placed] = lab.placed(engine)
    assert (placed.action, placed.run.run_id) == (Action.SHOW, bought.run_id)
    assert placed.run.clip is not None
    assert len(lab.sim.requests) == asked, "nothing was asked, fetched or sent"
    row = engine.row(bought.run_id)
    assert row.record.to_json() == bought.to_json()
    assert row.created == pytest.approx(bought.entered(State.PREPARED))
    assert engine.logs()[0].durations(row.kind) == [], "what comes from outside teaches no times"
    [placed] = lab.placed(engine, new=True)
    assert placed.action is Action.BUY


def found(order: Submission, log: RunLog, sidecars: Sidecars | None = None) -> tuple[str, ...]:
    return recover(
        order.request.fingerprint,
        order.provider.name,
        order.folder,
        log=log,
        scope=Scope(order.asker, order.folder, log),
        sidecars=sidecars or Sidecars(),
    ).run_ids


def test_what_counts_of_records_beside_clips(  # noqa: PLR0915 -- one table
    lab: EngineFixture, made: Record
) -> None:
    path, clip = sidecar(lab, made), lab.clips / f"{made.run_id}.mp4"
    text, data = path.read_text(), clip.read_bytes()
    order = lab.order()

    def spoil(what: Callable[[], object]) -> tuple[int, str]:
        """Return how many runs are found, and what an order would come to."""
        what()
        settings = Hailuo(run_log=str(lab.folder / "other" / "runs.sqlite3"))
        engine = Engine(settings)
        try:
            with RunLog(settings.run_log_path()) as log:
                number = len(found(order, log))
            try:
                return number, f"lacks {engine.find_reusable(order).missing}"
            except NotBought as error:
                return number, error.what
        finally:
            engine.stop()
            shutil.rmtree(lab.folder / "other")
            for each in lab.clips.glob("*.*"):
                each.unlink()
            path.write_text(text)
            clip.write_bytes(data)

    def as_link() -> None:
        clip.rename(lab.folder / "elsewhere.mp4")
        clip.symlink_to(lab.folder / "elsewhere.mp4")

    def at(state: str, **more: Any) -> Callable[[], None]:
        def work() -> None:
            clip.unlink()
            change(path, state=state, clip=None, **more)

        return work

    def long_ago() -> None:
        clip.unlink()
        change(path, times={"prepared": "2026-01-01T00:00:00.000Z"})

    def as_annexed() -> None:
        elsewhere = lab.folder / "elsewhere.json"
        path.rename(elsewhere)
        path.symlink_to(elsewhere)

    def renamed(**more: Any) -> Callable[[], None]:
        def work() -> None:
            clip.rename(lab.clips / "figure 3.mp4")
            change(path, clip__path="figure 3.mp4", **more)

        return work

    def named_as_anothers() -> None:
        clip.rename(lab.clips / "another.mp4")
        (lab.clips / "another.json").write_text("{}")
        change(path, clip__path="another.mp4")

    def exported() -> None:
        path.unlink()
        clip.unlink()
        (lab.clips / "runs.json").write_text(f"[{text}]")

    served = (1, "lacks 0")
    spoiled: dict[str, tuple[Callable[[], object], tuple[int, str]]] = {
        "as it was": (lambda: None, served),
        "no clip": (clip.unlink, served),  # fetched
        "another clip": (lambda: clip.write_bytes(data[:-1] + b"x"), served),
        "another hash": (lambda: change(path, clip__sha256="0" * 64), served),
        "on its way": (at("generating"), served),
        "answered without an id": (at("submitted", job__id=None), (0, "no job id")),
        "refused": (at("rejected"), (0, "lacks 1")),
        "failed": (at("failed"), (0, "lacks 1")),
        "never sent": (at("prepared"), (0, "lacks 1")),
        "a link": (as_link, (0, "is a link")),
        "a record behind a link": (as_annexed, served),
        "a renamed clip": (renamed(), served),
        "a renamed clip with other bytes": (renamed(clip__sha256="0" * 64), served),  # fetched
        "another file": (lambda: change(path, clip__path="other.mp4"), served),
        "another run's file": (named_as_anothers, served),
        "a file elsewhere": (
            lambda: change(path, clip__path="../other.mp4"), (0, "not a path inside the folder"),
        ),
        "an export": (exported, (0, "lacks 1")),
        "a newer format": (lambda: change(path, schema="hailuo-run/2"), (0, "in a known format")),
        "another request": (
            lambda: change(path, fingerprint=f"{made.fingerprint}0"), (0, "lacks 1"),
        ),
        "another provider": (lambda: change(path, provider="aimlapi"), (0, "lacks 1")),
        "another name": (
            lambda: path.rename(lab.clips / "20200101-000000-aaaaaa.json"), served,
        ),
        "no JSON": (lambda: path.write_text(text[:-20]), (0, "not a record")),
        "deep": (lambda: path.write_text("[" * 100_000 + made.fingerprint), (0, "lacks 1")),
        "long": (lambda: path.write_text(text + " " * 3_000_000), (0, "lacks 1")),
        "a pipe of money": (lambda: change(path, cost__actual=-500.0), (0, "Invalid price")),
        "a revision": (lambda: change(path, revision=10**30), (0, "Invalid revision")),
        "no time": (
            lambda: change(path, times={"prepared": "2026-13-01T00:00:00.000Z"}), (0, "Invalid times"),
        ),
    }  # fmt: skip
    for name, (what, expected) in spoiled.items():
        number, outcome = spoil(what)
        assert number == expected[0], name
        assert expected[1] in outcome, (name, outcome)
    for state in ("unconfirmed", "expired", "submitting"):
        number, refusal = spoil(at(state))
        assert (number, made.run_id in refusal) == (1, True), state
    number, refusal = spoil(long_ago)
    assert number == 1
    assert "is no longer in" in refusal
    order = replace(order, parent="20200101-000000-aaaaaa")
    assert spoil(lambda: None) == (1, "lacks 1"), "a rerun is served by reruns of its run alone"


def test_a_folder_full_of_sidecars_is_read_once(lab: EngineFixture, made: Record) -> None:
    order, sidecars = lab.order(), Sidecars()
    with RunLog(lab.log) as log:

        def asked() -> list[str]:
            said: list[str] = []
            assert log._connection is not None
            log._connection.set_trace_callback(said.append)
            assert found(order, log, sidecars) == ()
            log._connection.set_trace_callback(None)
            return said

        # A name that is no UTF-8 is nobody's run.
        (Path(os.fsdecode(os.fsencode(lab.clips) + b"/\xff.json"))).write_text("{}")
        assert found(order, log, sidecars) == (made.run_id,)
        few = len(asked())
        for number in range(200):
            other = prepare(lab.order(f"cat {number}").request, origin=order.origin)
            log.insert(other, folder=lab.clips, kind="", owner=None)
            # It tells of the clip that is wanted, and would be found if anybody read it.
            text = made.to_json().replace(made.run_id, other.run_id)
            sidecar(lab, other).write_text(text)
            (lab.clips / f"{other.run_id}.mp4").write_bytes(b"a clip" * 100)
        assert len(asked()) == few + 1, "one question for all that are new"
        assert len(asked()) == few
        assert {row.state for row in log.recent(200)} == {State.PREPARED}


def test_a_record_that_was_half_copied_is_read_again(lab: EngineFixture, made: Record) -> None:
    path, order, sidecars = sidecar(lab, made), lab.order(), Sidecars()
    text = path.read_text()
    with RunLog(lab.log) as log:
        path.write_text(text[: text.index('"fingerprint"')])
        assert found(order, log, sidecars) == ()
        path.write_text(text)
        assert found(order, log, sidecars) == (made.run_id,)


def test_a_clip_of_which_only_the_first_record_is_left_is_not_asked_about(
    lab: EngineFixture, bought: Record
) -> None:
    """Its process was killed before it wrote the record again, and the log is lost."""
    change(sidecar(lab, bought), state="submitted", clip=None, revision=3)
    asked = len(lab.sim.requests)
    [placed] = lab.placed(lab.engine())
    assert placed.action is Action.ATTACH
    assert placed.run.wait(30).record.clip == bought.clip
    assert len(lab.sim.requests) == asked


def test_a_run_of_which_only_its_record_is_left_is_watched_and_fetched(
    make_lab: Callable[..., EngineFixture],
) -> None:
    lab = make_lab(segmind_seconds=3.0)
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.record.job.id and sidecar(lab, run.record).is_file())
    engine.stop()
    lose_the_log(lab)
    engine = lab.engine()
    assert engine.find_reusable(lab.order()).missing == 0
    [placed] = lab.placed(engine)
    assert (placed.action, placed.run.run_id) == (Action.ATTACH, run.run_id)
    # Now that its cell was run, the next kernel goes on with it by itself.
    engine.stop()
    assert [each.run_id for each in lab.engine().resume()] == [run.run_id]
    assert lab.engines[-1].run(run.run_id).wait(60).clip
    assert lab.submits() == 1


def test_a_clip_renamed_by_relink_is_not_bought_again_without_its_log(
    lab: EngineFixture, bought: Record
) -> None:
    assert bought.clip is not None
    (lab.clips / bought.clip.path).rename(lab.clips / "figure 3.mp4")
    import_runs([lab.clips], lab.settings)
    with RunLog(lab.log) as log:
        relink(find_moved([lab.clips], [log]).moves)
        row = log.get(bought.run_id)
        assert row.record.clip is not None
        assert row.record.clip.path == "figure 3.mp4"
        write_sidecar(row.record, lab.clips)
    lose_the_log(lab)
    [placed] = lab.placed(lab.engine())
    assert (placed.action, placed.run.run_id) == (Action.SHOW, bought.run_id)
    assert placed.run.record.clip == row.record.clip
    # Without its file it is fetched, under its usual name.
    lab.engines[-1].stop()
    lose_the_log(lab)
    (lab.clips / "figure 3.mp4").unlink()
    [placed] = lab.placed(lab.engine())
    assert placed.action is Action.FETCH
    assert placed.run.wait(60).record.clip == bought.clip
    assert lab.submits() == 1


def test_every_take_of_a_request_comes_back(lab: EngineFixture, made: Record) -> None:
    order = lab.order()
    for _ in range(60):
        other = prepare(order.request, origin=order.origin)
        for state in ("submitting", "unconfirmed"):
            other = other.moved(State(state))
        write_sidecar(other, lab.clips)
    with RunLog(lab.log) as log:
        assert len(found(order, log)) == 61


# ── jupyter hailuo import ──────────────────────────────────────────────────────────────────────


def test_import_from_a_folder_or_a_notebook_may_be_repeated(
    lab: EngineFixture, made: Record
) -> None:
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
    assert skipped.startswith("notebook.ipynb: This is not a record of a run: ")
    with RunLog(lab.log) as log:
        assert log.get(made.run_id).folder == lab.clips
    assert len(lab.sim.requests) == asked


def test_a_newer_revision_wins_and_an_older_one_never(lab: EngineFixture, made: Record) -> None:
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


def test_a_log_is_not_talked_out_of_a_run_that_it_has(lab: EngineFixture, made: Record) -> None:
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

        assert "A process is working on this run" in told()
        owner.close()
        assert "different run with this id" in told(fingerprint="another")
        assert "different run with this id" in told(job__id="another")
        assert "different run with this id" in told(job__client_request_id="another")
        assert "has this run as generating" in told(state="failed")
        assert "has this run as generating" in told(state="generating")
        assert "has this run as generating" in told(clip__sha256="0" * 64)
        # The same job's clip, with its record, is the end of it: another machine fetched it.
        write_sidecar(made, lab.clips)
        assert dict(import_runs([lab.clips], lab.settings).counts) == {Adopted.NEWER: 1}
        assert log.get(made.run_id).state is State.COMPLETED


def test_an_unfinished_run_from_outside_waits_for_a_person(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
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


def test_what_is_not_there_is_told(lab: EngineFixture) -> None:
    with pytest.raises(NotebookError, match="Not found:"):
        import_runs([lab.folder / "none"], lab.settings)
    (lab.folder / "a.ipynb").write_text("no notebook")
    assert import_runs([lab.folder], lab.settings).skipped == [
        "a.ipynb: a.ipynb is not a notebook: it is not JSON."
    ]
    assert not lab.log.exists()
