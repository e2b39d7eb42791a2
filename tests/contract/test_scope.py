"""Notebooks that go by their path: moved, renamed, given an id, or beside others in one folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.engine.decide import Act
from hailuo_jupyter.engine.order import Order, Placed
from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.kernel.origin import notebook_at
from hailuo_jupyter.kernel.panel import ordering
from hailuo_jupyter.notebook_id import made_of_folder, made_of_path
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.runlog import RunLog

from .conftest import Lab


@pytest.fixture
def lab(make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(Timing, "poll_interval", lambda *_: 0.05)
    return make_lab(segmind_seconds=0.1)


def write(path: Path, notebook_id: str | None = None) -> Path:
    """Make a notebook's file, with an id of its own or without."""
    ours = {"hailuo": {"schema": 1, "id": notebook_id, "runs": {}}} if notebook_id else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": [], "metadata": ours, "nbformat": 4, "nbformat_minor": 5}))
    return path


def asked_in(lab: Lab, path: Path, *, clips: Path | None = None, **how: Any) -> Order:
    """Give the order that a cell of a notebook makes; of no notebook, where the path is a folder."""
    folder = path if path.is_dir() else path.parent
    notebook_id = made_of_folder(path) if path.is_dir() else notebook_at(path).id
    order = lab.order(folder=(clips or folder / "hailuo").resolve(), **how)
    named = None if path.is_dir() else path.name
    return replace(
        order,
        origin=OriginRecord(notebook_id=notebook_id, notebook_path=named),
        key_folder=folder,
    )


def placed(lab: Lab, order: Order) -> list[Placed]:
    """Place an order in a kernel of its own, and wait for its runs."""
    engine = lab.engine()
    found = engine.place(order)
    for each in found:
        each.run.wait(30)
    return found


def served(lab: Lab, order: Order) -> Placed:
    """Place an order, of which nothing is bought."""
    before = lab.submits()
    [found] = placed(lab, order)
    assert (found.act, lab.submits()) == (Act.SHOW, before)
    assert found.run.clip is not None
    assert "nothing is paid; --new buys another one." in found.remark
    assert found.remark in ordering.words([found]), "the form says it, too"
    return found


def bought(lab: Lab, order: Order) -> str:
    """Place an order of one run, which is bought."""
    [found] = placed(lab, order)
    assert (found.act, found.remark) == (Act.BUY, "")
    return found.run.run_id


def lose_the_log(lab: Lab) -> None:
    for engine in lab.engines:
        engine.stop()
    shutil.rmtree(lab.log.parent)


@pytest.mark.parametrize("lost", [False, True], ids=["log here", "log lost"])
def test_a_notebook_that_was_moved_with_its_folder_buys_nothing(lab: Lab, lost: bool) -> None:
    path = write(lab.folder / "before" / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    if lost:
        lose_the_log(lab)
    moved = path.parent.rename(lab.folder / "after") / path.name
    found = served(lab, asked_in(lab, moved))
    assert found.run.run_id == run_id
    assert found.run.clip == moved.parent / "hailuo" / f"{run_id}.mp4"
    assert "under another id of this notebook" in found.remark
    # Moved and renamed in one, and again from there.
    third = (moved.parent.rename(lab.folder / "third") / path.name).rename(
        lab.folder / "third" / "tale.ipynb"
    )
    found = served(lab, asked_in(lab, third))
    assert "in story.ipynb, which is no longer here" in found.remark
    # What is asked for anew, and what it lacks beyond that, is bought.
    assert [each.act for each in placed(lab, asked_in(lab, third, count=2))] == [Act.SHOW, Act.BUY]
    assert [each.act for each in placed(lab, asked_in(lab, third, new=True))] == [Act.BUY]
    assert lab.submits() == 3


def test_what_runs_in_a_folder_and_tells_no_path_moves_with_it(lab: Lab) -> None:
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


def test_a_renamed_notebook_buys_nothing_and_one_beside_it_does(lab: Lab) -> None:
    path = write(lab.folder / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    # Two that share a folder are two, a copy among them.
    other = write(lab.folder / "other.ipynb")
    bought(lab, asked_in(lab, other))
    renamed = path.rename(lab.folder / "tale.ipynb")
    found = served(lab, asked_in(lab, renamed))
    assert found.run.run_id == run_id, "and not the run of the one that is still there"
    # Beside what is no notebook, too.
    (lab.folder / "broken.ipynb").write_text(f'["{made_of_path(path)}"')
    (lab.folder / "folder.ipynb").mkdir()
    assert served(lab, asked_in(lab, renamed)).run.run_id == run_id
    # It goes on being itself, once it has an id of its own.
    write(renamed, "an-id-of-its-own")
    assert served(lab, asked_in(lab, renamed)).run.run_id == run_id


def test_a_notebook_that_was_given_an_id_buys_nothing(lab: Lab) -> None:
    path = write(lab.folder / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    write(path, "an-id-of-its-own")
    found = served(lab, asked_in(lab, path))
    assert found.run.run_id == run_id
    # The same where it is run by something that tells no path: it may be this one.
    found = served(lab, asked_in(lab, lab.folder))
    assert "in story.ipynb, which may be this notebook" in found.remark


@pytest.mark.parametrize("lost", [False, True], ids=["log here", "log lost"])
def test_two_that_are_moved_together_stay_two(lab: Lab, lost: bool) -> None:
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
        assert second.act is Act.BUY, "it has one, and not its neighbour's"


def test_a_made_id_that_was_written_down_goes_with_its_file(lab: Lab) -> None:
    path = write(lab.folder / "story.ipynb")
    write(path, made_of_path(path))
    bought(lab, asked_in(lab, path))
    renamed = path.rename(lab.folder / "tale.ipynb")
    [found] = placed(lab, asked_in(lab, renamed))
    assert (found.act, found.remark) == (Act.SHOW, "")
    # The name is free, and the notebook is still there by its id.
    bought(lab, asked_in(lab, write(lab.folder / "other.ipynb")))


def test_a_copied_folder_shows_what_was_paid_for(lab: Lab) -> None:
    path = write(lab.folder / "first" / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    shutil.copytree(path.parent, lab.folder / "second")
    copy = lab.folder / "second" / path.name
    assert served(lab, asked_in(lab, copy)).run.run_id == run_id
    [found] = placed(lab, asked_in(lab, path))
    assert (found.act, found.remark) == (Act.SHOW, ""), "the first one has it as ever"
    shutil.rmtree(path.parent)
    assert served(lab, asked_in(lab, copy)).run.clip == copy.parent / "hailuo" / f"{run_id}.mp4"


def test_a_folder_for_clips_from_anywhere_tells_nothing(lab: Lab) -> None:
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


def test_a_clip_outside_moves_with_its_notebook_while_the_log_knows_it(lab: Lab) -> None:
    path = write(lab.folder / "before" / "notebooks" / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path, clips=lab.folder / "before" / "clips"))
    top = (lab.folder / "before").rename(lab.folder / "after")
    moved = asked_in(lab, top / "notebooks" / path.name, clips=top / "clips")
    assert served(lab, moved).run.run_id == run_id


def test_no_other_run_serves(lab: Lab) -> None:
    path = write(lab.folder / "story.ipynb")
    run_id = bought(lab, asked_in(lab, path))
    clip, sidecar = (lab.clips / f"{run_id}.{each}" for each in ("mp4", "json"))
    data, text = clip.read_bytes(), sidecar.read_text()
    order = asked_in(lab, path.rename(lab.folder / "tale.ipynb"))

    def lacks(**changes: Any) -> int:
        return lab.engine().lacks(replace(order, **changes))

    def lacks_where_its_notebook_was(notebook_id: str | None) -> int:
        record = json.loads(text)
        record["origin"]["notebook_id"] = notebook_id
        sidecar.write_text(json.dumps(record))
        return lacks()

    assert lacks() == 0
    assert lacks(request=lab.order("a dog").request) == 1
    assert lacks(provider=lab.order(provider="aimlapi").provider) == 1
    assert lacks(parent=run_id) == 1, "a rerun is another one"
    assert lacks(folder=lab.folder / "elsewhere") == 1
    assert lacks(new=True) == 1
    assert lacks_where_its_notebook_was("an-id-that-was-given") == 1
    assert lacks_where_its_notebook_was(None) == 1
    sidecar.write_text(text)
    clip.write_bytes(data[::-1])
    assert lacks() == 1
    clip.write_bytes(data)
    sidecar.unlink()
    assert lacks() == 1
    sidecar.write_text(text)
    assert lacks() == 0


def test_a_rerun_of_a_moved_notebook_is_bought_once(lab: Lab) -> None:
    path = write(lab.folder / "before" / "story.ipynb")
    first = bought(lab, asked_in(lab, path))
    again = bought(lab, replace(asked_in(lab, path), parent=first))
    moved = path.parent.rename(lab.folder / "after") / path.name
    assert served(lab, replace(asked_in(lab, moved), parent=first)).run.run_id == again
    shown = placed(lab, asked_in(lab, moved, count=2))
    assert {each.run.run_id for each in shown} == {first, again}
    with RunLog(lab.log) as log:
        assert log.count() == 2
