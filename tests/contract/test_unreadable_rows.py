"""One row of the run log that cannot be read is reported, and stops nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hailuo_jupyter import doctor, keys
from hailuo_jupyter.cli import main
from hailuo_jupyter.cli import wait as waiting
from hailuo_jupyter.engine import process
from hailuo_jupyter.kernel import extension
from hailuo_jupyter.kernel.commands import control
from hailuo_jupyter.kernel.magic_args import parse_line
from hailuo_jupyter.kernel.runs import runs as find
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.queries import peek_unfinished
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, eventually

#: What may have become of a row, and what is said of it.
FLAWS = {
    "of a newer version": (
        "record_json = replace(record_json, 'hailuo-run/1', 'hailuo-run/2')",
        "newer version",
    ),
    "in a state of a newer version": ("state = 'paused'", "state 'paused' is not known"),
    "cut short": ("record_json = substr(record_json, 1, 99)", "is damaged"),
    "not UTF-8": ("record_json = CAST(x'7b22ff' AS TEXT)", "is damaged"),
    "in a state that is not UTF-8": ("state = CAST(x'ff' AS TEXT)", "is damaged"),
    "bytes": ("record_json = x'ff00'", "its record_json is bytes"),
    "without its times": ("created = 'yesterday', updated = 'today'", "its created is str"),
}


@pytest.fixture(autouse=True)
def settings(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, start_in: Callable[[Path], None]
) -> Iterator[None]:
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)
    monkeypatch.setattr(waiting, "_LOOK_S", 0.1)
    start_in(lab.folder)
    Hailuo.clear_instance()
    Hailuo.instance().run_log = str(lab.log)
    yield
    process.shut_down()
    Hailuo.clear_instance()


@pytest.fixture(params=FLAWS.values(), ids=[*FLAWS])
def left(lab: EngineFixture, request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """Leave two runs that were bought; the older one's row is damaged. Gives both ids, and what is said."""
    engine = lab.engine()
    bought = [lab.place(engine, f"cat {number}") for number in range(2)]
    eventually(lambda: all(run.record.job.id for run in bought))
    engine.stop()
    change, said = request.param
    damaged, good = (run.run_id for run in bought)
    with RunLog(lab.log) as log, log.exclusive() as connection:
        connection.execute(
            f"UPDATE runs SET owner = 'dead', unfinished = 1, {change} WHERE run_id = ?",
            (damaged,),
        )
    return damaged, good, said


def is_here(lab: EngineFixture, run_id: str) -> bool:
    with RunLog(lab.log) as log:
        return log.get(run_id).state is State.COMPLETED and (lab.clips / f"{run_id}.mp4").is_file()


def test_collect(lab: EngineFixture, left: tuple[str, str, str]) -> None:
    damaged, good, said = left
    outcome = waiting.collect(lambda _event: None, lambda _text: None)
    assert [row.run_id for row in outcome.rows] == [good]
    [problem] = outcome.problems
    assert damaged in problem
    assert said in problem
    assert is_here(lab, good)
    again = waiting.collect(lambda _event: None, lambda _text: None)
    assert again.problems == [problem], "it is still not true that nothing waits"


def test_wait(lab: EngineFixture, left: tuple[str, str, str]) -> None:
    damaged, good, said = left
    outcome = waiting.wait(None, lambda _event: None)
    assert is_here(lab, good)
    assert outcome.clips() == [str(lab.clips / f"{good}.mp4")]
    [problem] = outcome.problems
    assert damaged in problem
    assert said in problem


def test_resume(
    lab: EngineFixture, left: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    damaged, good, said = left
    taken = control.DO["resume"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control, "show", lambda *_: None)
        taken(parse_line([], ()), None)
        eventually(lambda: is_here(lab, good))
        taken(parse_line([], ()), None)
    told = capsys.readouterr().out
    assert damaged in told
    assert said in told
    assert "Resumed 1 run" in told
    assert "No runs to resume" not in told


def test_load_ext(
    lab: EngineFixture, left: tuple[str, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    damaged, good, said = left
    assert peek_unfinished(lab.log) == 2
    extension._continue_runs(None)
    eventually(lambda: is_here(lab, good))
    [warning] = [each for each in caplog.messages if damaged in each]
    assert said in warning


def test_doctor_runs_du_and_prune(
    lab: EngineFixture, left: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    damaged, good, said = left
    found = {each.name: each for each in doctor.diagnose(Hailuo.instance(), lab.folder).findings}
    assert said in found[damaged].value
    assert good in found
    waiting.collect(lambda _event: None, lambda _text: None)
    table = find("all").view(0.0)
    assert {line.run_id for line in table.lines} == {damaged, good}
    [line] = [each for each in table.lines if each.run_id == damaged]
    assert "unreadable" in line.absent
    capsys.readouterr()
    assert main(["du"]) == 0
    told = capsys.readouterr().out
    assert damaged in told
    assert "1 clip in total" in told
    assert main(["prune", "--state", "completed", "--yes"]) == 0
    told = capsys.readouterr().out
    assert damaged in told
    assert not (lab.clips / f"{good}.mp4").exists()
    with RunLog(lab.log) as log:
        assert not log.get(damaged).is_readable


def test_another_run_is_bought_paced_and_paid(
    lab: EngineFixture, left: tuple[str, str, str]
) -> None:
    engine = lab.engine()
    assert lab.place(engine, "another cat").wait(60).clip is not None
