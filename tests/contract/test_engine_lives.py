"""Runs that a process has in hand: which it takes up, which it leaves alone, and that they leave."""

from __future__ import annotations

import pytest

from hailuo_jupyter.engine.process import shut_down
from hailuo_jupyter.errors import RunLogError
from hailuo_jupyter.kernel.commands import control
from hailuo_jupyter.kernel.magic_args import parse_line
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.settings import Hailuo
from tests.support.engine_fixture import EngineFixture, eventually


def as_a_newer_version_wrote_it(lab: EngineFixture, run_id: str) -> Row:
    """Have the log hold a run in a form that is not known yet; its process is dead."""
    with RunLog(lab.log) as log:
        with log.exclusive() as connection:
            connection.execute(
                "UPDATE runs SET owner = 'dead', "
                "record_json = replace(record_json, 'hailuo-run/1', 'hailuo-run/2') "
                "WHERE run_id = ?",
                (run_id,),
            )
        return log.get(run_id)


def test_what_a_newer_version_wrote_is_left_alone_and_keeps_nobody(
    lab: EngineFixture, caplog: pytest.LogCaptureFixture
) -> None:
    first = lab.engine()
    runs = [lab.place(first, f"cat {number}") for number in range(3)]
    eventually(lambda: all(run.record.job.id for run in runs))
    first.stop()
    newer = runs[1].run_id
    before = as_a_newer_version_wrote_it(lab, newer)
    second = lab.engine()
    assert [run.run_id for run in second.resume()] == [runs[0].run_id, runs[2].run_id]
    assert [*second.unreadable_runs] == [newer]
    for run in (runs[0], runs[2]):
        assert second.run(run.run_id).wait(30).clip is not None
    # Who waits for it is told, and no later look says it all again.
    with pytest.raises(RunLogError, match="written by a newer version") as caught:
        second.run(newer).wait(30)
    assert "newest version" in caught.value.todo
    second.resume()
    (told,) = [each for each in caplog.messages if newer in each]
    assert told == (
        f"Run {newer} was written by a newer version of hailuo-jupyter. Skipped. "
        "Install the newest version."
    )
    assert second.logs()[0].get(newer) == before


def test_a_life_that_has_let_its_run_go_keeps_nobody_from_it(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: run.record.job.id)
    lives = engine._supervisor
    desk = engine._logs.of("segmind")
    before = lives._active[run.run_id]
    # As between the last commit of a life and its end: the log has nobody, the life is not done.
    desk.log.release(run.run_id, desk.owner.id)
    assert lives.is_active(run.run_id)
    assert lives.claim([desk.log.get(run.run_id)], desk) == [run.run_id]
    assert lives._active[run.run_id] is not before
    assert desk.log.get(run.run_id).owner == desk.owner.id
    assert run.wait(60).clip is not None


def test_a_run_of_an_unknown_provider_is_left_alone_and_keeps_nobody(
    lab: EngineFixture, caplog: pytest.LogCaptureFixture
) -> None:
    first = lab.engine()
    runs = [lab.place(first, f"dog {number}") for number in range(2)]
    eventually(lambda: all(run.record.job.id for run in runs))
    first.stop()
    with RunLog(lab.log) as log, log.exclusive() as connection:
        connection.execute(
            "UPDATE runs SET provider = 'nobody', "
            "record_json = json_set(record_json, '$.provider', 'nobody') WHERE run_id = ?",
            (runs[0].run_id,),
        )
    second = lab.engine()
    assert [run.run_id for run in second.resume()] == [runs[1].run_id]
    assert second.run(runs[1].run_id).wait(60).clip is not None
    assert [*second.unreadable_runs] == [runs[0].run_id]
    assert any("a provider that this version does not support" in each for each in caplog.messages)


def test_a_cell_whose_run_a_newer_version_wrote_buys_nothing(lab: EngineFixture) -> None:
    first = lab.engine()
    run = lab.place(first)
    eventually(lambda: run.record.job.id)
    first.stop()
    as_a_newer_version_wrote_it(lab, run.run_id)
    with pytest.raises(RunLogError, match=f"Run {run.run_id} was written by a newer version"):
        lab.place(lab.engine())
    assert lab.submits() == 1


def test_who_resumes_is_told_what_a_newer_version_wrote(
    lab: EngineFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    first = lab.engine()
    run = lab.place(first)
    eventually(lambda: run.record.job.id)
    first.stop()
    as_a_newer_version_wrote_it(lab, run.run_id)
    Hailuo.clear_instance()
    Hailuo.instance().run_log = str(lab.log)
    try:
        control.DO["resume"](parse_line([], ()), None)
    finally:
        shut_down()
        Hailuo.clear_instance()
    assert capsys.readouterr().out == (
        f"Run {run.run_id} was written by a newer version of hailuo-jupyter. Skipped. "
        "Install the newest version.\n"
    )


def test_a_life_that_has_ended_leaves_nothing_behind(lab: EngineFixture) -> None:
    engine = lab.engine()
    lives = engine._supervisor
    run = lab.place(engine)
    assert engine.active_runs() == [run]
    run.wait(30)
    eventually(lambda: not lives._active)
    assert (lives._asyncio_tasks, lives._run_tasks, lives._unreleased) == ({}, {}, set())
    assert engine.active_runs() == []
    assert run.done
    # It begins anew where the clip was deleted, and leaves again.
    (lab.clips / f"{run.run_id}.mp4").unlink()
    assert lab.place(engine) == run
    assert run.wait(30).clip is not None
    eventually(lambda: not lives._active)
