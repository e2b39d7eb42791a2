"""Runs that end reach a sink that another package offers; none is delayed, lost or told twice."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shown_run import shown_row

from hailuo_jupyter.doctor import diagnose
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.annotate import rated
from hailuo_jupyter.engine.board import Board
from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel import options
from hailuo_jupyter.kernel.commands import sinks as commands
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import offered, relay
from hailuo_jupyter.sinks.courier import Courier
from hailuo_jupyter.sinks.relay import Relay, Route
from hailuo_jupyter.sinks.standing import standing
from hailuo_jupyter.states import State

from .conftest import KEYS, Lab, ending, eventually

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
def relayed(lab: Lab, shelf: Shelf) -> Iterator[tuple[Any, Relay]]:
    """An engine whose runs reach the shelf, as `process.engine` sets it up."""
    lab.settings.sinks = ["shelf"]
    engine = lab.engine()
    made = Relay(lab.settings, engine.board.listen)
    yield engine, made
    made.close(10.0)


def test_an_ended_run_and_its_rating_arrive_once_each(
    lab: Lab, shelf: Shelf, relayed: tuple[Any, Relay]
) -> None:
    engine, made = relayed
    run = lab.place(engine)
    assert ending(run) is None
    eventually(lambda: made.health() and made.health()["shelf"].sent)
    row = engine.row(run.run_id)
    engine.board.publish(row)  # whoever looks at it puts it up again
    engine.annotate(run.run_id, rated(4))
    eventually(lambda: len(shelf.lines()) == 2)
    assert made.idle(10)
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
    lab: Lab, shelf: Shelf
) -> None:
    engine = lab.engine()
    made = Relay(lab.settings, engine.board.listen)
    run = lab.place(engine)
    ending(run)
    lab.settings.sinks = ["shelf"]
    engine.board.publish(engine.row(run.run_id))
    assert not made.health()
    engine.annotate(run.run_id, rated(1))
    eventually(lambda: [each["rating"] for each in shelf.lines()] == [1])
    lab.settings.sinks = []
    engine.annotate(run.run_id, rated(2))
    made.close(10.0)
    assert len(shelf.lines()) == 1


def test_a_sink_that_hangs_delays_nobody_and_the_end_is_bounded(
    lab: Lab, shelf: Shelf, relayed: tuple[Any, Relay]
) -> None:
    engine, made = relayed
    shelf.mischief("wait")
    runs = [lab.place(engine, f"prompt {number}") for number in range(3)]
    for run in runs:
        assert ending(run) is None, "the clips come all the same"
    eventually(lambda: made.health()["shelf"].waiting == 3)
    made.close(0.2)  # a kernel ends: it hands over, and goes
    assert shelf.lines() == []
    shelf.mischief("wait", wanted=False)
    eventually(lambda: {each["run_id"] for each in shelf.lines()} == {run.run_id for run in runs})


@pytest.fixture
def bought() -> Row:
    return shown_row(State.COMPLETED)


def test_failures_are_told_once_in_words_without_a_key(
    tmp_path: Path, shelf: Shelf, bought: Row, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.mischief("broken")
    route = Route(Courier("shelf", tmp_path / "lock"))
    later = replace(bought, revision=bought.revision + 1)
    with caplog.at_level(logging.WARNING):
        route.take(bought)
        assert route.idle(20)
        route.take(later)
        assert route.idle(20)
    assert (route.health.sent, route.health.failed) == (0, 2)
    assert "RuntimeError: no shelf" in route.health.problem
    assert "abcdefgh12345678" not in route.health.problem
    (told,) = caplog.messages
    assert "Runs and clips are as they were" in told
    shelf.mischief("broken", wanted=False)
    route.take(replace(bought, revision=bought.revision + 2))
    assert route.idle(20)
    assert (route.health.sent, route.health.problem) == (1, "")
    route.close(10.0)


def test_a_sink_that_dies_or_takes_too_long_is_ended_and_started_again(
    tmp_path: Path, shelf: Shelf, bought: Row
) -> None:
    courier = Courier("shelf", tmp_path / "lock")
    shelf.mischief("dies")
    assert courier.bring(bought) == "Its process ended without an answer."
    shelf.mischief("dies", wanted=False)
    assert courier.bring(bought) == ""
    courier.leave(wait_s=10.0)
    shelf.mischief("wait")
    slow = Courier("shelf", tmp_path / "lock", timeout_s=0.3)
    assert slow.bring(bought) == "It gave no answer within 0.3 s, and was ended."
    assert not slow.running
    assert len(shelf.lines()) == 1


def test_a_sink_without_work_is_let_go_and_comes_again(
    tmp_path: Path, shelf: Shelf, bought: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_IDLE_S", 0.05)
    courier = Courier("shelf", tmp_path / "lock")
    route = Route(courier)
    route.take(bought)
    assert route.idle(20)
    eventually(lambda: not courier.running)
    route.take(replace(bought, revision=bought.revision + 1))
    assert route.idle(20)
    assert route.health.sent == 2
    route.close(10.0)


def test_what_waits_is_bounded_and_the_latest_revision_counts(
    tmp_path: Path, shelf: Shelf, bought: Row, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.mischief("wait")
    route = Route(Courier("shelf", tmp_path / "lock"), most=1)
    route.take(bought)
    eventually(lambda: not route._waiting)
    for number in range(1, 4):
        route.take(replace(bought, revision=bought.revision + number))
    assert route.health.waiting == 2
    route.take(replace(bought, run_id="another"))
    assert route.health.left_out == 1
    assert "left out" in caplog.text
    shelf.mischief("wait", wanted=False)
    assert route.idle(20)
    route.close(10.0)
    assert route.health.sent == 2


def test_what_is_no_sink_or_not_there_is_said_in_words(
    shelf: Shelf, bought: Row, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert {"mlflow", "none", "shelf", "trackio", "wandb"} <= set(offered.names())
    with pytest.raises(OptionError, match="Did you mean shelf"):
        offered.check("shelv")
    courier = Courier("none", tmp_path / "lock")
    assert "is no hailuo_jupyter.sinks.base.Sink" in courier.bring(bought)
    courier.leave(wait_s=10.0)
    # A folder of the library's name, such as W&B makes, is no library.
    (tmp_path / "wandb").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(shelf.folder)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(OptionError, match=r"pip install 'hailuo-jupyter\[wandb\]'"):
        offered.check("wandb")
    found = {each.name: each for each in standing(Hailuo(sinks=["shelf", "wandb", "shelv"]))}
    assert found["shelf"].words == "set; no run has ended since"
    assert "pip install" in found["wandb"].todo
    assert "Did you mean" in found["shelv"].todo
    assert not found["mlflow"].chosen


def test_the_command_and_the_doctor_tell_how_sinks_do(
    lab: Lab,
    shelf: Shelf,
    bought: Row,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Hailuo, "instance", lambda: lab.settings)
    commands.DO["sinks"](options.read([], ()), None)
    assert "Nothing is sent anywhere." in capsys.readouterr().out
    shelf.mischief("broken")
    lab.settings.sinks = ["shelf"]
    board = Board()
    relay.follow(lab.settings, board.listen)
    try:
        board.publish(replace(bought, updated=time.time() + 1))
        eventually(lambda: relay.health()["shelf"].failed)
        commands.DO["sinks"](options.read([], ()), None)
        said = capsys.readouterr().out
        found = diagnose(lab.settings, lab.folder).findings
    finally:
        relay.close(5.0)
    assert "* shelf    set; 0 sent, 1 not taken. RuntimeError: no shelf" in said
    assert "jupyter hailuo log-to shelf" in said
    assert "  wandb" in said
    (finding,) = [each for each in found if each.part == "sinks"]
    assert finding.todo.startswith("RuntimeError: no shelf")


def test_a_process_sends_by_itself_and_hands_over_at_its_end(
    lab: Lab, shelf: Shelf, clip_cache: Path
) -> None:
    script = """
        import hailuo_jupyter.engine.life as life
        from hailuo_jupyter.engine.timing import Timing
        life.timing_of = lambda *_: Timing(1.5, 0.3)
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


def test_the_process_has_one_relay_that_ends_with_its_engine(
    lab: Lab, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hailuo, "_instance", None)
    monkeypatch.setattr(Hailuo.__mro__[1], "_instance", None)
    monkeypatch.setenv("HAILUO_SINKS", "shelf")
    try:
        engine = process.engine()
        assert Hailuo.instance().sinks == ["shelf"]
        run = lab.place(engine)
        assert ending(run) is None
        eventually(relay.health)
    finally:
        process.shut_down()
    assert relay.health() == {}
    eventually(lambda: len(shelf.lines()) == 1)
