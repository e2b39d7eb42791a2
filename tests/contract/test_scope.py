"""Notebooks that go by their path: moved, renamed, given an id, or beside others in one folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.runlog import RunLog
from tests.support.engine_fixture import EngineFixture, shorten
from tests.support.notebook_orders import asked_in, bought, placed, served, shown, write


@pytest.fixture
def lab(make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch) -> EngineFixture:
    shorten(monkeypatch, poll_interval_s=0.05)
    return make_lab(segmind_seconds=0.1)


def lose_the_log(lab: EngineFixture) -> None:
    for engine in lab.engines:
        engine.stop()
    shutil.rmtree(lab.log.parent)


@pytest.mark.parametrize("lost", [False, True], ids=["log here", "log lost"])
def test_a_notebook_that_was_moved_with_its_folder_buys_nothing(
    lab: EngineFixture, lost: bool
) -> None:
    path = write(lab.folder / "before" / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    if lost:
        lose_the_log(lab)
    moved = path.parent.rename(lab.folder / "after") / path.name
    found = served(lab, asked_in(lab, moved))
    assert found.run.run_id == run_id
    assert found.run.clip == moved.parent / "hailuo" / f"{run_id}.mp4"
    assert "under an earlier id of this notebook" in found.remark
    # Moved and renamed in one, and again from there.
    third = (moved.parent.rename(lab.folder / "third") / path.name).rename(
        lab.folder / "third" / "tale.ipynb"
    )
    found = served(lab, asked_in(lab, third))
    assert "in story.ipynb, which no longer exists" in found.remark
    # What is asked for anew, and what it lacks beyond that, is bought.
    assert [each.action for each in placed(lab, asked_in(lab, third, count=2))] == [
        Action.SHOW,
        Action.BUY,
    ]
    assert [each.action for each in placed(lab, asked_in(lab, third, new=True))] == [Action.BUY]
    assert lab.submits() == 3


def test_what_runs_in_a_folder_and_tells_no_path_moves_with_it(lab: EngineFixture) -> None:
    folder = lab.folder / "before"
    folder.mkdir()
    run_id = bought(lab, asked_in(lab, folder))
    folder = folder.rename(lab.folder / "after")
    assert served(lab, asked_in(lab, folder)).run.run_id == run_id
    # Opened where a path is told, each of its notebooks may be the one.
    served(lab, asked_in(lab, write(folder / "story.ipynb")))
    served(lab, asked_in(lab, write(folder / "other.ipynb", "an-id-of-its-own")))
    lose_the_log(lab)
    folder = folder.rename(lab.folder / "third")
    served(lab, asked_in(lab, folder))


def test_a_renamed_notebook_buys_nothing_and_one_beside_it_does(lab: EngineFixture) -> None:
    path = write(lab.folder / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    # Two that share a folder are two, a copy among them.
    other = write(lab.folder / "other.ipynb")
    bought(lab, asked_in(lab, other))
    renamed = path.rename(lab.folder / "tale.ipynb")
    found = served(lab, asked_in(lab, renamed))
    assert found.run.run_id == run_id, "and not the run of the one that is still there"
    # It is this notebook's own from now on, as the log knows; also beside what is no notebook.
    (lab.folder / "broken.ipynb").write_text(f'["{made_of_path(path)}"')
    (lab.folder / "folder.ipynb").mkdir()
    assert shown(lab, asked_in(lab, renamed)) == run_id
    # So it is once it has an id of its own, and no other notebook gets it.
    write(renamed, "an-id-of-its-own")
    assert served(lab, asked_in(lab, renamed)).run.run_id == run_id
    assert shown(lab, asked_in(lab, renamed)) == run_id
    bought(lab, asked_in(lab, write(lab.folder / "third.ipynb")))


def test_a_notebook_that_was_given_an_id_buys_nothing(lab: EngineFixture) -> None:
    path = write(lab.folder / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    write(path, "an-id-of-its-own")
    found = served(lab, asked_in(lab, path))
    assert found.run.run_id == run_id
    # The same where it is run by something that tells no path: it may be this one.
    found = served(lab, asked_in(lab, lab.folder))
    assert "in story.ipynb, which may be this notebook" in found.remark


@pytest.mark.parametrize("lost", [False, True], ids=["log here", "log lost"])
def test_two_that_are_moved_together_stay_two(lab: EngineFixture, lost: bool) -> None:
    home = lab.folder / "before"
    ids = {
        name: bought(lab, asked_in(lab, write(home / f"{name}.ipynb"))) for name in ("one", "two")
    }
    if lost:
        lose_the_log(lab)
    home = home.rename(lab.folder / "after")
    for name, run_id in ids.items():
        assert served(lab, asked_in(lab, home / f"{name}.ipynb")).run.run_id == run_id
        [*_, second] = placed(lab, asked_in(lab, home / f"{name}.ipynb", count=2))
        assert second.action is Action.BUY, "it has one, and not its neighbour's"


def test_a_made_id_that_was_written_down_goes_with_its_file(lab: EngineFixture) -> None:
    path = write(lab.folder / "story.ipynb")
    write(path, made_of_path(path))
    bought(lab, asked_in(lab, path))
    renamed = path.rename(lab.folder / "tale.ipynb")
    [found] = placed(lab, asked_in(lab, renamed))
    assert (found.action, found.remark) == (Action.SHOW, "")
    # The name is free, and the notebook is still there by its id.
    bought(lab, asked_in(lab, write(lab.folder / "other.ipynb")))


def test_a_copied_folder_shows_what_was_paid_for(lab: EngineFixture) -> None:
    path = write(lab.folder / "first" / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    shutil.copytree(path.parent, lab.folder / "second")
    copy = lab.folder / "second" / path.name
    assert served(lab, asked_in(lab, copy)).run.run_id == run_id
    [found] = placed(lab, asked_in(lab, path))
    assert (found.action, found.remark) == (Action.SHOW, ""), "the first one has it as ever"
    shutil.rmtree(path.parent)
    assert served(lab, asked_in(lab, copy)).run.clip == copy.parent / "hailuo" / f"{run_id}.mp4"


def test_a_folder_for_clips_from_anywhere_tells_nothing(lab: EngineFixture) -> None:
    clips = lab.folder / "clips"
    one = write(lab.folder / "one" / "story.ipynb")
    two = write(lab.folder / "two" / "story.ipynb")
    run_id = bought(lab, asked_in(lab, one, clips=clips))
    bought(lab, asked_in(lab, two, clips=clips))
    (lab.folder / "three").mkdir()
    bought(lab, asked_in(lab, lab.folder / "three", clips=clips))
    # But for a notebook that was renamed where it lies.
    renamed = one.rename(one.with_name("tale.ipynb"))
    assert served(lab, asked_in(lab, renamed, clips=clips)).run.run_id == run_id


def test_a_clip_outside_moves_with_its_notebook_while_the_log_knows_it(lab: EngineFixture) -> None:
    path = write(lab.folder / "before" / "notebooks" / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path, clips=lab.folder / "before" / "clips"))
    top = (lab.folder / "before").rename(lab.folder / "after")
    moved = asked_in(lab, top / "notebooks" / path.name, clips=top / "clips")
    assert served(lab, moved).run.run_id == run_id


def test_no_other_run_serves(lab: EngineFixture) -> None:
    path = write(lab.folder / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    clip, sidecar = (lab.clips / f"{run_id}.{each}" for each in ("mp4", "json"))
    text = sidecar.read_text()
    order = asked_in(lab, path.rename(lab.folder / "tale.ipynb"))

    def lacks(**changes: Any) -> int:
        return lab.engine().find_reusable(replace(order, **changes)).missing

    assert lacks() == 0
    assert lacks(request=lab.order("a dog").request) == 1
    assert lacks(provider=lab.order(provider="aimlapi").provider) == 1
    assert lacks(parent=run_id) == 1, "a rerun is another one"
    assert lacks(folder=lab.folder / "elsewhere") == 1
    assert lacks(new=True) == 1
    sidecar.unlink()
    assert lacks() == 0, "the log knows it"

    def lacks_without_log(notebook_id: str | None, name: str | None = "story.ipynb") -> int:
        lose_the_log(lab)
        record = json.loads(text)
        record["origin"] |= {"notebook_id": notebook_id, "notebook_path": name}
        sidecar.write_text(json.dumps(record))
        return lacks()

    assert lacks_without_log(made_of_path(path)) == 0
    # In doubt it counts: its notebook is not here by this id or name, or it has none.
    assert lacks_without_log("an-id-that-was-given") == 0
    assert lacks_without_log(None) == 0
    assert lacks_without_log(None, None) == 0
    other = write(lab.folder / "other.ipynb", "an-id-that-was-given")
    assert lacks_without_log("an-id-that-was-given") == 1, "that is another notebook"
    assert lacks_without_log(made_of_path(other), None) == 1, "so is that"
    assert lacks_without_log(made_of_path(other), "other.ipynb") == 1
    assert clip.is_file()


def test_a_rerun_of_a_moved_notebook_is_bought_once(lab: EngineFixture) -> None:
    path = write(lab.folder / "before" / "story.ipynb")
    first = bought(lab, asked_in(lab, path))
    again = bought(lab, replace(asked_in(lab, path), parent=first))
    moved = path.parent.rename(lab.folder / "after") / path.name
    assert served(lab, replace(asked_in(lab, moved), parent=first)).run.run_id == again
    shown = placed(lab, asked_in(lab, moved, count=2))
    assert {each.run.run_id for each in shown} == {first, again}
    with RunLog(lab.log) as log:
        assert log.count() == 2
