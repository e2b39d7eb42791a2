"""A clip whose folder takes no files is saved next to the run log before the provider deletes it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_jupyter.cli import main
from hailuo_jupyter.cli import wait as waiting
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.clip_location import saved_clips
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, eventually
from tests.support.notebook_orders import asked_in, bought, served, write


def bought_and_homeless(lab: EngineFixture, minutes: float) -> tuple[Engine, Run]:
    """Buy a clip whose folder is gone by then, a file in its place; go on so many minutes later."""
    first = lab.engine()
    run = lab.place(first)
    eventually(lambda: run.record.job.id and (lab.clips / f"{run.run_id}.json").is_file())
    first.stop()
    lab.clips.rename(lab.folder / "away")
    lab.clips.write_bytes(b"no folder")
    later = Engine(lab.settings, clock=Clock(wall=lambda: time.time() + 60.0 * minutes))
    lab.engines.append(later)
    [again] = later.resume([run.run_id])
    return later, again


def test_before_the_last_quarter_it_waits_for_its_folder(lab: EngineFixture) -> None:
    engine, run = bought_and_homeless(lab, 30)
    eventually(lambda: run.status is State.UNDOWNLOADED)
    assert not list(lab.log.parent.glob("*.clips"))
    lab.clips.unlink()
    eventually(lambda: run.status is State.COMPLETED)
    assert run.clip == lab.clips / f"{run.run_id}.mp4"
    assert engine.row(run.run_id).record.problem is None


def test_in_the_last_quarter_it_is_saved_and_every_report_names_the_place(
    lab: EngineFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, run = bought_and_homeless(lab, 50)
    eventually(lambda: run.status is State.COMPLETED)
    place = lab.log.parent / f"{lab.log.name}.clips"
    assert run.clip == place / f"{run.run_id}.mp4"
    assert run.wait(10).clip is not None
    problem = engine.row(run.run_id).record.problem
    assert problem is not None
    assert f"next to the run log, in '{place.name}'" in problem.what
    assert "relink" in problem.todo
    eventually((place / f"{run.run_id}.json").is_file)
    assert json.loads((place / f"{run.run_id}.json").read_text())["problem"]["what"] == problem.what
    engine.stop()
    Hailuo.clear_instance()
    Hailuo.instance().run_log = str(lab.log)
    try:
        assert main(["show", run.run_id]) == 0
        told = capsys.readouterr().out
        assert str(place) in told
        assert "next to the run log" in told
        assert waiting.wait(run.run_id, lambda _event: None).clips() == [str(run.clip)]
        # The person moves it home, and the run log learns of it.
        lab.clips.unlink()
        lab.clips.mkdir()
        Path(run.clip or "").rename(lab.clips / f"{run.run_id}.mp4")
        assert main(["relink", str(lab.clips), "--yes"]) == 0
    finally:
        process.shut_down()
        Hailuo.clear_instance()
    last = lab.engine()
    assert last.row(run.run_id).folder == lab.clips
    assert lab.place(last).run_id == run.run_id
    assert lab.submits() == 1


def renamed(path: Path) -> Path:
    return path.rename(path.with_name("tale.ipynb"))


def moved(path: Path) -> Path:
    return path.parent.rename(path.parent.with_name("after")) / path.name


def as_it_was(path: Path) -> Path:
    return path


def by_a_script(path: Path) -> Path:
    return path.parent


def save_next_to_the_log(lab: EngineFixture, run_id: str) -> None:
    """Have a clip where it is saved, as if its own folder had never taken a file."""
    for engine in lab.engines:
        engine.stop()
    with RunLog(lab.log) as log:
        row, place = log.get(run_id), saved_clips(log)
        place.mkdir(exist_ok=True)
        for path in row.folder.glob(f"{run_id}.*"):
            path.rename(place / path.name)
        log.relocate(run_id, place, was=row.folder)


@pytest.mark.parametrize(
    ("first", "meanwhile", "then"),
    [
        (as_it_was, renamed, as_it_was),
        (as_it_was, moved, as_it_was),
        (as_it_was, as_it_was, by_a_script),
        (by_a_script, as_it_was, as_it_was),
        (by_a_script, moved, by_a_script),
    ],
)
def test_a_clip_that_was_saved_is_bought_by_nobody_again(
    lab: EngineFixture,
    first: Callable[[Path], Path],
    meanwhile: Callable[[Path], Path],
    then: Callable[[Path], Path],
) -> None:
    path = write(lab.folder / "before" / "story.ipynb")
    run_id = bought(lab, asked_in(lab, first(path)))
    save_next_to_the_log(lab, run_id)
    assert served(lab, asked_in(lab, then(meanwhile(path)))).run.run_id == run_id


def test_a_clip_that_was_saved_is_shared_by_no_two_notebooks(lab: EngineFixture) -> None:
    path = write(lab.folder / "here" / "story.ipynb")
    save_next_to_the_log(lab, bought(lab, asked_in(lab, path)))
    bought(lab, asked_in(lab, write(path.with_name("beside.ipynb"))))
    bought(lab, asked_in(lab, write(lab.folder / "there" / path.name)))
    (lab.folder / "elsewhere").mkdir()
    bought(lab, asked_in(lab, lab.folder / "elsewhere"))
