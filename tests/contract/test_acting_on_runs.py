"""What a page can have done with a run: which files and logs an action changes, and which it leaves."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import ids
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.kernel import context, run_actions
from hailuo_jupyter.kernel.comm_messages import Act
from hailuo_jupyter.kernel.context import CellContext
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, eventually


@pytest.fixture
def engine(lab: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine of the process that acts."""
    found = lab.engine()
    monkeypatch.setattr(process, "get_engine", lambda: found)
    return found


def act(
    action: str, run: Run, base: Path, *, confirmed: bool = True, about: str = ""
) -> dict[str, Any]:
    """Act on a run for a notebook in a folder."""
    message = Act(1, run.run_id, (run.run_id,), action, confirmed, about)
    with context.override_cell(
        CellContext(ids.Notebook("nb", base / "nb.ipynb", base), None, None)
    ):
        return run_actions.act(message)


def ready(lab: EngineFixture, engine: Engine, **how: Any) -> tuple[Run, Path]:
    """Return a run and its clip."""
    run = lab.place(engine, **how)
    run.wait(60)
    assert run.clip is not None
    return run, run.clip


def test_the_frames_of_a_deleted_clip_stay(lab: EngineFixture, engine: Engine, frame: Path) -> None:
    run, clip = ready(lab, engine, image=frame)
    [kept] = (lab.clips / "frames").iterdir()
    planned = act("delete", run, lab.folder, confirmed=False)
    assert str(lab.clips) in planned["text"][0]
    assert act("delete", run, lab.folder, about=planned["about"])["problem"] == ""
    assert not clip.exists()
    assert kept.is_file()


def test_a_copy_is_deleted_and_the_clip_of_another_notebook_stays(
    lab: EngineFixture, engine: Engine
) -> None:
    run, clip = ready(lab, engine)
    other = lab.folder / "other"
    assert act("copy", run, other)["problem"] == ""
    copy = other / clip.parent.name / clip.name
    assert copy.with_suffix(".json").is_file()
    planned = act("delete", run, other, confirmed=False)
    assert str(copy.parent) in planned["text"][0]
    assert str(clip.parent) in planned["text"][1]

    done = act("delete", run, other, about=planned["about"])
    assert done["problem"] == ""
    assert list(copy.parent.iterdir()) == []
    assert clip.is_file()
    assert clip.with_suffix(".json").is_file()
    after = engine.row(run.run_id).record.clip
    assert after is not None
    assert after.deleted is None
    assert len(done["bundles"]) == 1
    # The consent was for the copy.
    again = act("delete", run, other, about=planned["about"])
    assert again["problem"].startswith("The clip's files have changed.")
    assert clip.is_file()


def test_a_link_to_the_folder_of_a_clip_is_not_a_copy(lab: EngineFixture, engine: Engine) -> None:
    run, clip = ready(lab, engine)
    other = lab.folder / "other"
    other.mkdir()
    (other / clip.parent.name).symlink_to(clip.parent)
    about = act("delete", run, other, confirmed=False)["about"]
    assert act("delete", run, other, about=about)["problem"] == ""
    assert not clip.exists()
    after = engine.row(run.run_id).record.clip
    assert after is not None
    assert after.deleted is not None


def test_a_clip_is_deleted_only_after_this_kernel_has_described_that(
    lab: EngineFixture, engine: Engine
) -> None:
    run, clip = ready(lab, engine)
    other, _ = ready(lab, engine, prompt="another cat")
    described = act("delete", other, lab.folder, confirmed=False)["about"]
    for about in ("", "clip", described):
        problem = act("delete", run, lab.folder, about=about)["problem"]
        assert problem.startswith("The clip's files have changed.")
    assert clip.is_file()
    assert act("delete", other, lab.folder, about=described)["problem"] != "", "it is valid once"


def test_a_copied_clip_replaces_no_other_file(lab: EngineFixture, engine: Engine) -> None:
    run, clip = ready(lab, engine)
    other = lab.folder / "other" / clip.parent.name
    other.mkdir(parents=True)
    record = other / f"{run.run_id}.json"
    record.write_text("mine")
    assert "not overwritten" in act("copy", run, other.parent)["problem"]
    assert record.read_text() == "mine"

    earlier = clip.with_suffix(".json").read_bytes()
    run.note("later")
    shutil.copy(clip.with_suffix(".json"), record)
    later = record.read_bytes()
    assert later != earlier
    clip.with_suffix(".json").write_bytes(earlier)
    assert act("copy", run, other.parent)["problem"] == ""
    assert record.read_bytes() == later
    assert (other / clip.name).read_bytes() == clip.read_bytes()


def test_a_copied_clip_replaces_no_link(lab: EngineFixture, engine: Engine) -> None:
    run, clip = ready(lab, engine)
    other = lab.folder / "other" / clip.parent.name
    other.mkdir(parents=True)
    (other / clip.name).symlink_to(lab.folder / "nowhere.mp4")
    problem = act("copy", run, other.parent)["problem"]
    assert problem == f"A different file named {clip.name} is already in that folder."


def test_an_imported_run_is_not_followed_before_a_person_names_it(
    lab: EngineFixture, engine: Engine
) -> None:
    lab.sim.fault("stuck", prompt="a cat")
    first = lab.engine()
    run = lab.place(first)
    assert first.wait_answers([run], 60)
    first.stop()
    with engine.logs()[0].exclusive() as connection:
        connection.execute("UPDATE runs SET imported = 1, unfinished = 0, owner = NULL")
    problem = act("watch", run, lab.folder)["problem"]
    assert problem == (
        f"Run {run.run_id} was imported. Rerun its cell, or use 'jupyter hailuo wait {run.run_id}', "
        "to follow it with your key."
    )
    assert engine.active_runs() == []


def test_only_its_own_problems_keep_a_clip(lab: EngineFixture, engine: Engine) -> None:
    run, clip = ready(lab, engine)
    strange, _ = ready(lab, engine, prompt="another cat")
    with engine.logs()[0].exclusive() as connection:
        connection.execute("UPDATE runs SET record_json = '{' WHERE run_id = ?", (strange.run_id,))
    clip.unlink()
    problem = act("delete", run, lab.folder, about="clip")["problem"]
    assert problem == f"Run {run.run_id} has no clip in its folder."


def test_an_unexpected_error_is_answered(
    lab: EngineFixture,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run, _ = ready(lab, engine)

    def fails(_run_id: str, **_how: object) -> str:
        raise TimeoutError

    monkeypatch.setattr(engine, "cancel", fails)
    answer = act("cancel", run, lab.folder)
    assert answer["problem"].startswith("Internal error in hailuo-jupyter;")
    assert "Traceback" in caplog.text


def test_consent_to_a_free_cancellation_cancels_no_job_that_has_started(
    lab: EngineFixture, engine: Engine
) -> None:
    lab.sim.fault("stuck", prompt="a cat")
    run = lab.place(engine, provider="replicate")
    eventually(lambda: run.status is State.GENERATING, 60)
    for earlier in ("prepared", "queued", ""):
        refused = act("cancel", run, lab.folder, about=earlier)
        assert refused["problem"] == (
            "The run has moved on: it is generating now. Cancel again to see what that costs."
        )
    planned = act("cancel", run, lab.folder, confirmed=False)
    assert planned["about"] == "generating"
    assert act("cancel", run, lab.folder, about=planned["about"])["problem"] == ""
    eventually(lambda: run.status is State.FAILED, 60)


def test_a_run_is_tagged_as_the_command_does(engine: Engine, lab: EngineFixture) -> None:
    run, _ = ready(lab, engine)
    message = Act(1, run.run_id, (), "tag", confirmed=True, tags=("sea", "dawn"))
    assert run_actions.act(message)["problem"] == ""
    assert run.record.tags == ["sea", "dawn"]
    empty = Act(2, run.run_id, (), "tag", confirmed=True)
    assert "tag of 1 to 60" in run_actions.act(empty)["problem"]
    long = Act(3, run.run_id, (), "tag", confirmed=True, tags=("x" * 61,))
    assert run_actions.act(long)["problem"]
    assert run.record.tags == ["sea", "dawn"]
