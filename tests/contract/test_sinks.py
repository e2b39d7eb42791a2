"""Finished runs reach a sink that another package offers; none is delayed, lost or logged twice."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.doctor import diagnose
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.annotations import rated
from hailuo_jupyter.engine.events import RunEvents
from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.ids import new_run_id
from hailuo_jupyter.kernel import magic_args
from hailuo_jupyter.kernel.commands import setup as commands
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row, RunLog, deliveries
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import dispatch, registry
from hailuo_jupyter.sinks.dispatch import Dispatcher, SinkQueue
from hailuo_jupyter.sinks.status import status
from hailuo_jupyter.states import State
from tests.support.engine_fixture import KEYS, EngineFixture, ending, eventually
from tests.support.sample_rows import shown_row

#: A sink of another package: a line for each run, and mischief on request.
FOREIGN = (
    f"""
KEYS = {list(KEYS.values())}
"""
    r"""
import json, os, sys, time
from pathlib import Path
from hailuo_jupyter.sinks.base import Sink, clip_file

HERE = Path(__file__).parent

class Shelf(Sink):
    def __init__(self):
        print("a library that prints")
        sys.stderr.write("and complains")
        if (HERE / "broken").exists():
            raise RuntimeError("no shelf; asked with Authorization: Bearer abcdefgh12345678")

    def ended(self, record, folder):
        while (HERE / "wait").exists():
            time.sleep(0.02)
        if (HERE / "dies").exists():
            os._exit(3)
        if (HERE / "poison").exists() and (HERE / "poison").read_text() == record.run_id:
            raise ValueError("not this one")
        assert sys.stdin.read() == "", "nobody is asked"
        clip = clip_file(record, folder)
        with (HERE / "shelf.jsonl").open("a") as file:
            file.write(json.dumps({
                "run_id": record.run_id, "revision": record.revision, "rating": record.rating,
                "clip": clip and clip.stat().st_size, "keys": sorted(
                    name for name, value in os.environ.items() if value in KEYS),
            }) + "\n")

class NoSink:
    pass
"""
)


class Shelf:
    """The other package, installed, and what its sink has taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "shelf_package.py").write_text(FOREIGN)
        info = folder / "shelf_package-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-package\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[hailuo_jupyter.sinks]\nshelf = shelf_package:Shelf\nnone = shelf_package:NoSink\n"
        )

    def lines(self) -> list[dict[str, Any]]:
        path = self.folder / "shelf.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def mischief(self, name: str, *, wanted: bool = True) -> None:
        path = self.folder / name
        path.touch() if wanted else path.unlink()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path.cwd())]))
    return Shelf(folder)


@pytest.fixture
def dispatched(lab: EngineFixture, shelf: Shelf) -> Iterator[tuple[Any, Dispatcher]]:
    """An engine whose runs reach the shelf, as `process.get_engine` sets it up."""
    lab.settings.sinks = ["shelf"]
    engine = lab.engine()
    made = Dispatcher(lab.settings, engine.events.listen)
    yield engine, made
    made.close(10.0)


def test_a_finished_run_and_its_rating_arrive_once_each(
    lab: EngineFixture, shelf: Shelf, dispatched: tuple[Any, Dispatcher]
) -> None:
    engine, made = dispatched
    run = lab.place(engine)
    assert ending(run) is None
    eventually(lambda: made.health() and made.health()["shelf"].sent)
    row = engine.row(run.run_id)
    engine.events.publish(row)  # whoever looks at it puts it up again
    engine.annotate(run.run_id, rated(4))
    eventually(lambda: len(shelf.lines()) == 2)
    assert made.idle(20)
    first, second = shelf.lines()
    clip = row.record.clip
    assert clip
    assert first == {
        "run_id": run.run_id,
        "revision": row.revision,
        "rating": None,
        "clip": clip.bytes,
        "keys": [],
    }
    assert (second["revision"], second["rating"]) == (row.revision + 1, 4)
    assert made.health()["shelf"].sent == 2


def test_what_ended_before_the_sink_was_set_is_not_sent_by_looking_at_it(
    lab: EngineFixture, shelf: Shelf
) -> None:
    engine = lab.engine()
    made = Dispatcher(lab.settings, engine.events.listen)
    run = lab.place(engine)
    ending(run)
    lab.settings.sinks = ["shelf"]
    engine.events.publish(engine.row(run.run_id))
    assert not made.health()
    engine.annotate(run.run_id, rated(1))
    eventually(lambda: [each["rating"] for each in shelf.lines()] == [1])
    assert made.idle(20)
    lab.settings.sinks = []
    engine.annotate(run.run_id, rated(2))
    made.close(10.0)
    assert len(shelf.lines()) == 1


def test_a_sink_that_hangs_delays_nobody_and_the_end_is_bounded(
    lab: EngineFixture, shelf: Shelf, dispatched: tuple[Any, Dispatcher]
) -> None:
    engine, made = dispatched
    shelf.mischief("wait")
    runs = [lab.place(engine, f"prompt {number}") for number in range(3)]
    for run in runs:
        assert ending(run) is None, "the clips come all the same"
    ids = {run.run_id for run in runs}
    with RunLog(lab.log) as log:
        eventually(lambda: {row.run_id for row in log.undelivered("shelf")} == ids)
        made.close(0.2)  # a kernel ends: it hands over, and goes
        assert shelf.lines() == []
        shelf.mischief("wait", wanted=False)
        eventually(lambda: {each["run_id"] for each in shelf.lines()} == ids)
        eventually(lambda: log.undelivered("shelf") == [])
    assert len(shelf.lines()) == 3, "two processes were on their way with the first one"


def test_a_run_is_on_the_list_before_it_ends(
    lab: EngineFixture, shelf: Shelf, dispatched: tuple[Any, Dispatcher]
) -> None:
    engine, made = dispatched
    lab.sim.fault("stuck")
    run = lab.place(engine)

    def listed() -> list[tuple[str, str, int]]:
        with closing(sqlite3.connect(lab.log)) as connection:
            if not deliveries.exist(connection):
                return []
            return connection.execute("SELECT sink, run_id, revision FROM deliveries").fetchall()

    eventually(lambda: listed() == [("shelf", run.run_id, 0)])
    assert not run.done
    made.close(5.0)
    # The kernel is gone; another process, in which no sink is set, sees the run end.
    eventually(lab.sim.state.jobs)
    (job,) = lab.sim.state.jobs()
    job.stuck = False
    assert ending(run) is None
    with RunLog(lab.log) as log:
        assert [row.run_id for row in log.undelivered("shelf")] == [run.run_id]
    # The next run of any process with this sink brings it along.
    again = Dispatcher(lab.settings, engine.events.listen)
    second = lab.place(engine, "another")
    assert ending(second) is None
    eventually(lambda: {each["run_id"] for each in shelf.lines()} == {run.run_id, second.run_id})
    again.close(10.0)


def finished(lab: EngineFixture, *, count: int = 1) -> list[Row]:
    """Put finished runs into the log."""
    rows = []
    with RunLog(lab.log) as log:
        for _ in range(count):
            record = replace_id(shown_row(State.COMPLETED).record)
            rows.append(log.insert(record, folder=lab.clips, kind="k", owner=None))
    return rows


def replace_id(record: Record) -> Record:
    return record.model_copy(update={"run_id": new_run_id()})


def later(lab: EngineFixture, row: Row, rating: int) -> Row:
    with RunLog(lab.log) as log:
        return log.update(row.run_id, rated(rating))


def queue_of(lab: EngineFixture, name: str = "shelf", **how: Any) -> SinkQueue:
    logs = {demo: lab.settings.run_log_path(demo=demo) for demo in (False, True)}
    return SinkQueue(name, logs, **how)


def test_failures_are_told_once_in_words_without_a_key(
    lab: EngineFixture, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    (row,) = finished(lab)
    shelf.mischief("broken")
    queue = queue_of(lab)
    with caplog.at_level(logging.WARNING):
        queue.offer(row)
        assert queue.idle(30)
        queue.offer(later(lab, row, 1))
        assert queue.idle(30)
    assert (queue.health.sent, queue.health.failed, queue.health.waiting) == (0, 2, 1)
    assert "RuntimeError: no shelf" in queue.health.problem
    assert "abcdefgh12345678" not in queue.health.problem
    (told,) = caplog.messages
    assert "Runs and clips are unchanged" in told
    shelf.mischief("broken", wanted=False)
    queue.offer(later(lab, row, 2))
    assert queue.idle(30)
    assert (queue.health.sent, queue.health.problem) == (1, "")
    assert [each["rating"] for each in shelf.lines()] == [2]
    queue.close(10.0)


def test_a_sink_that_dies_or_takes_too_long_loses_nothing(lab: EngineFixture, shelf: Shelf) -> None:
    (row,) = finished(lab)
    shelf.mischief("dies")
    queue = queue_of(lab)
    queue.offer(row)
    assert queue.idle(30)
    assert queue.health.problem == "Its process exited without an answer."
    queue.close(0.0)
    shelf.mischief("dies", wanted=False)
    shelf.mischief("wait")
    slow = queue_of(lab, timeout_s=0.3)
    slow.offer(row)
    assert slow.idle(30)
    assert slow.health.problem == "It did not answer within 0.3 s and was stopped."
    slow.close(0.0)
    assert shelf.lines() == []
    shelf.mischief("wait", wanted=False)
    quick = queue_of(lab)
    quick.offer(row)
    assert quick.idle(30)
    assert [each["run_id"] for each in shelf.lines()] == [row.run_id]
    quick.close(10.0)


def test_one_run_that_a_sink_never_takes_keeps_no_other_waiting(
    lab: EngineFixture, shelf: Shelf
) -> None:
    poison, *others = finished(lab, count=3)
    (shelf.folder / "poison").write_text(poison.run_id)
    queue = queue_of(lab)
    for row in (poison, *others):
        queue.offer(row)
        assert queue.idle(30)
    assert {each["run_id"] for each in shelf.lines()} == {row.run_id for row in others}
    assert queue.health.waiting == 1
    queue.close(10.0)


def test_a_broken_sink_is_not_asked_for_every_run(lab: EngineFixture, shelf: Shelf) -> None:
    rows = finished(lab, count=6)
    with RunLog(lab.log) as log:
        log.put_on_list("shelf", [row.run_id for row in rows])
    shelf.mischief("broken")
    queue = queue_of(lab)
    queue.offer(rows[0])
    assert queue.idle(60)
    assert queue.health.failed == 3
    queue.close(10.0)


def test_no_key_is_in_the_arguments_or_the_environment(
    lab: EngineFixture, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = finished(lab)
    seen: list[tuple[list[str], dict[str, str]]] = []
    started = subprocess.Popen

    def start(arguments: list[str], **how: Any) -> Any:
        seen.append((arguments, how["env"]))
        return started(arguments, **how)

    monkeypatch.setattr(dispatch.subprocess, "Popen", start)
    queue = queue_of(lab)
    queue.offer(row)
    assert queue.idle(30)
    queue.close(10.0)
    ((arguments, environment),) = seen
    assert arguments[-4:] == ["log-to", "shelf", row.run_id, "--undelivered"]
    for key in KEYS.values():
        assert key not in " ".join(arguments)
        assert key not in environment.values()


def test_the_command_sends_what_is_undelivered_and_no_more(
    lab: EngineFixture, shelf: Shelf, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second, _ = finished(lab, count=3)
    with RunLog(lab.log) as log:
        log.put_on_list("shelf", [first.run_id, second.run_id])
        log.note_delivery("shelf", second.run_id, second.revision)
    for expected in ("shelf: 1 run logged.", "shelf: 0 runs logged."):
        done = subprocess.run(
            [sys.executable, "-m", "hailuo_jupyter.cli", "log-to", "shelf", "--undelivered"],
            env={**os.environ, "HAILUO_RUN_LOG": str(lab.log)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr
        assert done.stderr == "", "what the library prints is not shown"
    assert [each["run_id"] for each in shelf.lines()] == [first.run_id]


def test_what_is_no_sink_or_not_there_is_said_in_words(
    lab: EngineFixture, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert {"mlflow", "none", "shelf", "trackio", "wandb"} <= set(registry.names())
    with pytest.raises(OptionError, match="Did you mean shelf"):
        registry.check("shelv")
    (row,) = finished(lab)
    queue = queue_of(lab, "none")
    queue.offer(row)
    assert queue.idle(30)
    assert "is not a hailuo_jupyter.sinks.base.Sink" in queue.health.problem
    queue.close(10.0)
    # A folder of the library's name, such as W&B makes, is no library.
    (tmp_path / "wandb").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(shelf.folder)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(OptionError, match=r"pip install 'hailuo-jupyter\[wandb\]'"):
        registry.check("wandb")
    found = {each.name: each for each in status(Hailuo(sinks=["shelf", "wandb", "shelv"]))}
    assert found["shelf"].words == "set; no run has finished since"
    assert "pip install" in found["wandb"].todo
    assert "Did you mean" in found["shelv"].todo
    assert not found["mlflow"].chosen


def test_the_command_and_the_doctor_tell_how_sinks_do(
    lab: EngineFixture,
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Hailuo, "instance", lambda: lab.settings)
    commands.DO["sinks"](magic_args.parse_line([], ()), None)
    assert "No sinks are set." in capsys.readouterr().out
    shelf.mischief("broken")
    lab.settings.sinks = ["shelf"]
    (row,) = finished(lab)
    board = RunEvents()
    dispatch.follow(lab.settings, board.listen)
    try:
        board.publish(replace(row, updated=time.time() + 1))
        eventually(lambda: dispatch.health()["shelf"].failed)
        commands.DO["sinks"](magic_args.parse_line([], ()), None)
        said = capsys.readouterr().out
        found = diagnose(lab.settings, lab.folder).findings
    finally:
        dispatch.close(5.0)
    assert "* shelf    set; 0 sent, 1 waiting, 1 failed. RuntimeError: no shelf" in said
    assert "jupyter hailuo log-to shelf" in said
    assert "  wandb" in said
    (finding,) = [each for each in found if each.part == "sinks"]
    assert finding.todo.startswith("RuntimeError: no shelf")


def test_a_process_sends_by_itself_and_hands_over_at_its_end(
    lab: EngineFixture, shelf: Shelf, clip_cache: Path
) -> None:
    script = """
        from hailuo_jupyter.engine import timings
        from hailuo_jupyter.engine.eta import DurationEstimate
        timings.DEFAULT = timings.Timings(expected_duration=DurationEstimate(1.5, 0.3))
        import hailuo_jupyter as h
        h.generate("a cat", provider="segmind").wait()
    """
    lines = "\n".join(line.strip() for line in script.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", lines],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=lab.folder,
        env={**os.environ, "HAILUO_SINKS": "shelf"},
    )
    assert done.returncode == 0, done.stderr
    eventually(lambda: len(shelf.lines()) == 1)
    assert "prints" not in done.stdout + done.stderr
    assert lab.submits() == 1


def test_the_process_has_one_dispatcher_that_ends_with_its_engine(
    lab: EngineFixture, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hailuo, "_instance", None)
    monkeypatch.setattr(Hailuo.__mro__[1], "_instance", None)
    monkeypatch.setenv("HAILUO_SINKS", "shelf")
    try:
        engine = process.get_engine()
        assert Hailuo.instance().sinks == ["shelf"]
        run = lab.place(engine)
        assert ending(run) is None
        eventually(dispatch.health)
    finally:
        process.shut_down()
    assert dispatch.health() == {}
    eventually(lambda: len(shelf.lines()) == 1)
