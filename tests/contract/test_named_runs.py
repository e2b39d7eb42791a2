"""Runs with a name: their files, and how they are found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hailuo_jupyter import ids
from hailuo_jupyter.engine import process, submission
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import RunNotFound
from hailuo_jupyter.ipynb.prune import PruneFilter, plan_prune, prune
from hailuo_jupyter.kernel.run_names import find_run
from hailuo_jupyter.record import OriginRecord, Record
from hailuo_jupyter.runlog import RunLog
from tests.support.engine_fixture import EngineFixture


def named(
    lab: EngineFixture, engine: Engine, notebook: str | None = None, name: str = "fox"
) -> Run:
    """Buy a run with a name and wait for its clip."""
    order = replace(lab.order(f"a fox in {notebook}", new=True), labels={"name": name})
    if notebook is not None:
        order = replace(order, origin=OriginRecord(notebook_id=notebook, notebook_path=notebook))
    (placed,) = engine.submit(order)
    placed.run.wait(60)
    return placed.run


def names(lab: EngineFixture) -> set[str]:
    return {path.name for path in lab.clips.iterdir() if path.is_file()}


def test_clip_and_sidecar_have_the_name_and_are_found_and_pruned(lab: EngineFixture) -> None:
    engine = lab.engine()
    run = named(lab, engine)
    stem = f"fox-{run.run_id[-6:]}"
    assert names(lab) == {f"{stem}.mp4", f"{stem}.json"}
    assert Record.from_json((lab.clips / f"{stem}.json").read_bytes()) == run.record
    assert engine.run(stem).run_id == run.run_id
    run.note("The best one.")
    assert names(lab) == {f"{stem}.mp4", f"{stem}.json"}, "one sidecar, whatever changes"
    with RunLog(lab.log) as log:
        plan = plan_prune(PruneFilter(), [log], forget=False)
        prune(plan.candidates, forget=False)
    assert names(lab) == set()


def test_a_lost_log_is_restored_from_named_files(lab: EngineFixture) -> None:
    first = lab.engine()
    run = lab.place(first, "a fox")
    order = replace(lab.order("a fox", new=True), labels={"name": "fox"})
    (placed,) = first.submit(order)
    for each in (run, placed.run):
        each.wait(60)
    first.stop()
    lab.log.unlink()
    bought = lab.submits()
    again = lab.engine().submit(lab.order("a fox", count=2))
    assert {each.run.run_id for each in again} == {run.run_id, placed.run.run_id}
    assert lab.submits() == bought


def test_a_stem_that_is_taken_is_not_used_again(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab.engine()
    run = named(lab, engine)
    tail = run.run_id[-6:]
    days = iter(range(10, 20))
    monkeypatch.setattr(
        submission, "new_run_id", lambda _now=None: f"202601{next(days)}-101010-{tail}"
    )
    other = named(lab, engine)
    assert other.clip is not None
    assert other.clip.name == f"{other.run_id}.mp4"
    # A file is enough, even if this log does not know it.
    (lab.clips / f"Hare-{tail}.mov").touch()
    third = named(lab, engine, name="hare")
    assert third.clip is not None
    assert third.clip.name == f"{third.run_id}.mp4"


def test_a_name_of_several_runs_is_read_and_never_guessed(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, said = lab.engine(), list[str]()
    monkeypatch.setattr(process, "get_engine", lambda: engine)
    monkeypatch.setattr(
        "hailuo_jupyter.kernel.run_names.context.notebook",
        lambda: ids.Notebook("here.ipynb", None, lab.folder),
    )
    only = named(lab, engine, "there.ipynb")
    assert find_run("fox", strict=True, say=said.append).run_id == only.run_id
    assert "there.ipynb" in said.pop()
    old, new = named(lab, engine, "here.ipynb"), named(lab, engine, "here.ipynb")
    latest = named(lab, engine, "there.ipynb")
    assert find_run("fox", strict=False, say=said.append).run_id == new.run_id
    assert new.run_id in said[0]
    assert "newest of 4 runs" in said[0]
    with pytest.raises(RunNotFound) as refused:
        find_run("fox", strict=True, say=said.append)
    assert all(each.run_id in str(refused.value) for each in (only, old, new, latest))
    assert find_run(old.run_id, strict=True, say=said.append).run_id == old.run_id
    assert find_run(old.run_id[-6:], strict=True, say=said.append).run_id == old.run_id
    assert len(said) == 1


def test_a_name_hides_neither_a_stem_nor_a_part_of_an_id(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, said = lab.engine(), list[str]()
    monkeypatch.setattr(process, "get_engine", lambda: engine)
    own = named(lab, engine)
    stem, part = own.record.file_stem, own.run_id[-6:]
    for word in (stem, part, own.run_id):
        named(lab, engine, name=word)
    assert find_run(stem, strict=False, say=said.append).run_id == own.run_id
    assert find_run(own.run_id, strict=True, say=said.append).run_id == own.run_id
    for word in (stem, part):
        with pytest.raises(RunNotFound, match=f"2 runs match '{word}'"):
            find_run(word, strict=True, say=said.append)
