"""Processes that are stopped without dying: who takes their runs over, who does not, and what is said."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hailuo_jupyter import keys
from hailuo_jupyter.cli import recovery
from hailuo_jupyter.cli import wait as waiting
from hailuo_jupyter.collector import Collector
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import OwnerStopped
from hailuo_jupyter.kernel.commands import control
from hailuo_jupyter.kernel.magic_args import parse_line
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import Owner, RunLog, heartbeats
from hailuo_jupyter.runlog.heartbeats import Beat, Limits, OwnerWatch
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import (
    EngineFixture,
    StartKernel,
    ending,
    eventually,
    first_line,
    shorten,
)
from tests.support.held_jobs import holding

ROTATED = "SG_rotated0123456789"

posix = pytest.mark.skipif(os.name != "posix", reason="a process is stopped by POSIX's signals")

SOON = Limits(beat_s=0.2, stopped_s=2.0, old_s=5.0, missed=2)

#: In processes of their own: heartbeats as often as here.
OFTEN = """
from hailuo_jupyter.runlog import heartbeats
heartbeats.LIMITS = heartbeats.Limits(beat_s=0.2, stopped_s=2.0, old_s=5.0, missed=2)
from dataclasses import replace
from hailuo_jupyter.engine import timings
timings.DEFAULT = replace(timings.DEFAULT, ownership_gap_s=0.5)
"""
ASK = """
run = h.generate("a heron", "segmind")
print(run.run_id, flush=True)
"""
WAIT = """
run.wait(120)
print(run.status, flush=True)
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "LIMITS", SOON)
    shorten(monkeypatch, ownership_gap_s=0.5)
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)


@pytest.fixture
def kernels_begin_with() -> str:
    return OFTEN


@pytest.fixture
def ours(lab: EngineFixture, start_in: Callable[[Path], None]) -> Iterator[None]:
    """Have commands run in this process."""
    start_in(lab.folder)
    Hailuo.clear_instance()
    Hailuo.instance().run_log = str(lab.log)
    yield
    process.shut_down()
    Hailuo.clear_instance()


# ── when an owner counts as stopped ────────────────────────────────────────────────────────────


class Watched:
    """A watch on one owner, with clocks that are turned by hand."""

    def __init__(self, *, wall: bool = False) -> None:
        self.now, self.wall, self.count, self.beaten_at = 0.0, 1e9, 1, 1e9
        self.watch = OwnerWatch(
            lambda: self.now, limits=Limits(), wall=(lambda: self.wall) if wall else None
        )

    def passes(self, seconds: float, *, beats: bool, step: float = 0.5) -> bool:
        """Let time pass with looks in it; tells whether the owner counts as stopped then."""
        end, beaten = self.now + seconds, self.now
        while True:
            self.watch.see({"1-a": Beat(self.count, self.beaten_at, "")})
            if self.now >= end:
                return "1-a" in self.watch.stopped
            self.now += step
            self.wall += step
            if beats and self.now - beaten >= 30.0:
                self.count, self.beaten_at, beaten = self.count + 1, self.wall, self.now


def test_three_minutes_without_a_heartbeat() -> None:
    one = Watched()
    assert not one.passes(3600.0, beats=True)
    assert not one.passes(150.0, beats=False)
    assert one.passes(60.0, beats=False)
    one.count += 1
    assert not one.passes(100.0, beats=False), "it goes on"


def test_late_polls_are_no_sign() -> None:
    """An owner whose rate limit lets it poll once in ten minutes counts on all the same."""
    assert not Watched().passes(3600.0, beats=True, step=2.0)


def test_a_laptop_that_slept_with_both() -> None:
    """Some clocks go on through sleep. Neither process ran, so that nothing was missed."""
    one = Watched()
    one.passes(60.0, beats=True)
    one.now += 8 * 3600.0
    one.wall += 8 * 3600.0
    assert not one.passes(20.0, beats=False)
    assert not one.passes(600.0, beats=True)


def test_an_observer_that_was_stopped_itself() -> None:
    one = Watched()
    one.passes(10.0, beats=False)
    one.now += 3600.0
    assert not one.passes(5.0, beats=False)


@pytest.mark.parametrize("wall", [False, True])
def test_a_clock_that_was_set_forward(wall: bool) -> None:
    one = Watched(wall=wall)
    one.passes(40.0, beats=True)
    one.wall += 30 * 86400.0
    assert not one.passes(45.0, beats=True), "fewer than two beats are missed"
    assert not one.passes(600.0, beats=True)


def test_an_old_heartbeat_and_two_missed_ones() -> None:
    one = Watched(wall=True)
    one.wall += 601.0
    assert not one.passes(59.0, beats=False)
    assert one.watch.suspects == ["1-a"]
    assert one.passes(2.0, beats=False)
    assert one.watch.suspects == []
    by_itself = Watched()
    by_itself.wall += 601.0
    assert not by_itself.passes(100.0, beats=False)


def test_a_claim_holds_only_while_the_owner_has_not_counted_on(tmp_path: Path) -> None:
    with RunLog(tmp_path / "runs.sqlite3") as log, Owner(log.path) as one, Owner(log.path) as other:
        from hailuo_jupyter import catalogue, request

        asked = request.build("a cat", catalogue.provider("segmind"), options={})
        ids = []
        for states in ((), (State.SUBMITTING,), (State.SUBMITTING, State.SUBMITTED)):
            row = log.insert(prepare(asked), folder=tmp_path, kind="", owner=one.id)
            for state in states:
                log.update(row.run_id, lambda each, to=state: each.moved(to, job={"id": "a"}))
            ids.append(row.run_id)
        log.beat(one.id)
        assert log.beats([one.id])[one.id].count == 1
        assert log.claim(ids, other.id) == [], "it lives"
        assert log.claim(ids, other.id, stopped={one.id: 0}) == [], "it has counted on"
        assert log.claim(ids, other.id, stopped={one.id: 1}) == ids[2:], "never what is unsent"


# ── stopped, taken over, and going on ──────────────────────────────────────────────────────────


@posix
def test_a_kernel_that_is_stopped_while_it_downloads_and_goes_on(
    lab: EngineFixture, kernel: StartKernel
) -> None:
    lab.sim.fault("media-slow", bytes_per_second=2000)
    first = kernel(ASK, WAIT)
    run_id = first_line(first)
    engine = lab.engine()
    log = engine.logs()[0]
    eventually(lambda: log.get(run_id).state is State.DOWNLOADING)
    eventually(lab.leftovers)
    eventually(lambda: log.beats([log.get(run_id).owner])[log.get(run_id).owner].count)
    first.send_signal(signal.SIGSTOP)
    run = engine.run(run_id)
    assert run.wait(60).clip is not None
    clip = (run.clip or Path()).read_bytes()
    row = log.get(run_id)
    first.send_signal(signal.SIGCONT)
    assert first_line(first) == "completed"
    first.wait(60)
    # The old owner has written nothing; a history may have confirmed the cost.
    assert log.get(run_id).record.times == row.record.times
    assert log.get(run_id).record.clip == row.record.clip
    assert (run.clip or Path()).read_bytes() == clip
    assert [each.name for each in lab.clips.glob("*.mp4")] == [f"{run_id}.mp4"]
    assert lab.leftovers() == []
    assert lab.submits() == 1


@posix
@pytest.mark.parametrize("key", [None, ROTATED], ids=["its key", "another key of its account"])
def test_a_kernel_that_is_stopped_while_the_clip_is_made(
    lab: EngineFixture, kernel: StartKernel, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another key the account is asked first; it knows the job, so the clip can be fetched."""
    let_go = holding(lab.sim, "a heron")
    first = kernel(ASK, WAIT)
    run_id = first_line(first)
    shorten(monkeypatch, account_check_s=0.2)
    engine = lab.engine()
    eventually(lambda: engine.logs()[0].get(run_id).job_id)
    if key:
        monkeypatch.setenv("SEGMIND_API_KEY", key)
    first.send_signal(signal.SIGSTOP)
    run = engine.run(run_id)
    assert not run.done
    eventually(lambda: engine.active_runs() == [run])
    first.send_signal(signal.SIGCONT)
    let_go()
    assert run.wait(60).clip is not None
    assert first_line(first) == "completed"
    assert lab.submits() == 1


@posix
def test_a_kernel_that_goes_on_keeps_a_run_that_another_key_is_asked_about(
    lab: EngineFixture,
    kernel: StartKernel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab.sim.state.options = replace(lab.sim.state.options, separate_accounts=True)
    lab.sim.fault("seconds", seconds=8.0)
    first = kernel(ASK, WAIT)
    run_id = first_line(first)
    shorten(monkeypatch, account_check_s=0.2)
    engine = lab.engine()
    log = engine.logs()[0]
    eventually(lambda: log.get(run_id).job_id)
    owner = log.get(run_id).owner
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    first.send_signal(signal.SIGSTOP)
    run = engine.run(run_id)
    assert not run.done
    eventually(lambda: engine.hindrance(run_id))  # the other account does not know the job
    assert log.get(run_id).owner == owner
    first.send_signal(signal.SIGCONT)
    assert first_line(first) == "completed"
    eventually(lambda: engine.asked_about() == [])
    assert run.wait(60).clip is not None
    assert lab.submits() == 1


@posix
def test_a_kernel_that_lives_keeps_its_runs(lab: EngineFixture, kernel: StartKernel) -> None:
    lab.sim.fault("seconds", seconds=5.0)
    first = kernel(ASK, WAIT)
    run_id = first_line(first)
    engine = lab.engine()
    run = engine.run(run_id)
    owner = engine.row(run_id).owner
    assert run.wait(60).clip is not None
    assert engine.active_runs() == []
    assert owner is not None


@posix
def test_an_unsent_run_of_a_stopped_process_is_neither_waited_for_nor_bought(
    lab: EngineFixture, kernel: StartKernel, frame: Path
) -> None:
    lab.sim.fault("delay", "upload", seconds=20)
    first = kernel(f"h.generate('a cat', 'segmind', image={str(frame)!r})", WAIT)
    log = lab.engine().logs()[0]
    eventually(lambda: [row.state for row in log.recent()] == [State.UPLOADING])
    first.send_signal(signal.SIGSTOP)
    (row,) = log.recent()
    engine = lab.engine()
    run = Run.of(row.run_id, engine)
    error = ending(run)
    assert isinstance(error, OwnerStopped)
    assert f"Process {first.pid}" in error.what
    assert "Nothing was sent" in error.money
    assert f"kill -9 {first.pid}" in error.todo
    assert lab.submits() == 0
    assert log.get(row.run_id).owner == row.owner
    first.kill()
    first.wait()
    eventually(lambda: log.get(row.run_id).state is State.PREPARED)


@pytest.mark.parametrize("jump", ["both clocks", "the wall clock"])
def test_a_laptop_that_sleeps_with_two_kernels(
    lab: EngineFixture, jump: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes anything from the other, whether the monotonic clock goes on in sleep or not."""
    # As usual, looks are more frequent than heartbeats: the first one after the sleep sees no new one.
    monkeypatch.setattr(heartbeats, "LIMITS", Limits(beat_s=3.0, stopped_s=60.0))
    lab.sim.fault("seconds", seconds=8.0)
    slept = {"wall": 0.0, "monotonic": 0.0}
    clock = Clock(
        wall=lambda: time.time() + slept["wall"],
        monotonic=lambda: time.monotonic() + slept["monotonic"],
    )
    one, other = (Engine(lab.settings, clock=clock) for _ in range(2))
    lab.engines += [one, other]
    run = lab.place(one)
    log = one.logs()[0]
    eventually(lambda: log.get(run.run_id).job_id)
    seen = other.run(run.run_id)
    assert not seen.done
    owner = log.get(run.run_id).owner or ""
    eventually(lambda: log.beats([owner])[owner].count > 1)
    time.sleep(1.0)  # the other one has seen it by now
    slept["wall"] = 1200.0
    slept["monotonic"] = 1200.0 if jump == "both clocks" else 0.0
    owners = set()
    eventually(lambda: owners.add(log.get(run.run_id).owner) or seen.status is State.COMPLETED)
    assert owners <= {owner, None}
    assert seen.wait(60).clip is not None
    assert lab.submits() == 1
    assert [each.name for each in lab.clips.glob("*.mp4")] == [f"{run.run_id}.mp4"]


def test_the_answer_to_a_submit_is_written_down_whoever_has_the_run(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.sim.fault("delay", "submit", seconds=2.0)
    engine = lab.engine()
    run = lab.place(engine)
    log = engine.logs()[0]
    eventually(lambda: run.status is State.SUBMITTING)
    # Another host, which does not see the lock, takes this process for dead.
    with Owner(log.path) as other, RunLog(lab.log) as elsewhere:
        monkeypatch.setattr(elsewhere, "alive", lambda _owner: False)
        elsewhere.claim([run.run_id], other.id)
        elsewhere.update(run.run_id, lambda each: each.moved(State.UNCONFIRMED), only_by=other.id)
        eventually(lambda: log.get(run.run_id).job_id)
        assert log.get(run.run_id).owner == other.id
        eventually(lambda: engine.active_runs() == [])
        assert log.get(run.run_id).state is State.SUBMITTED
    assert engine.run(run.run_id).wait(60).clip is not None
    assert lab.submits() == 1


# ── what is said ───────────────────────────────────────────────────────────────────────────────


def held_by(lab: EngineFixture, kernel: StartKernel) -> tuple[str, int]:
    lab.sim.fault("stuck")
    first = kernel(ASK, WAIT)
    run_id = first_line(first)
    with RunLog(lab.log) as log:
        eventually(lambda: log.get(run_id).job_id)
    return run_id, first.pid


@posix
def test_collect_says_who_has_what_it_cannot_take(
    lab: EngineFixture,
    kernel: StartKernel,
    ours: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_id, pid = held_by(lab, kernel)
    outcome = waiting.collect(lambda _event: None, lambda _text: None)
    [told] = outcome.held
    assert told.startswith(f"Run {run_id} is held by process {pid}")
    assert outcome.problems == []
    arguments: Any = type("A", (), {"watch": False, "max_minutes": None})
    assert recovery.collect(arguments) == 0
    written = capsys.readouterr()
    assert run_id in written.err
    assert "No runs" not in written.out


@posix
def test_collect_takes_what_a_process_has_that_is_stopped_since_long(
    lab: EngineFixture,
    kernel: StartKernel,
    ours: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "_LOOK_S", 0.1)
    lab.sim.fault("seconds", seconds=3.0)
    first = kernel(ASK, WAIT)
    run_id = first_line(first)
    with RunLog(lab.log) as log:
        eventually(lambda: log.get(run_id).job_id)
        eventually(
            lambda: log.beats([log.get(run_id).owner or ""])[log.get(run_id).owner or ""].count
        )
        first.send_signal(signal.SIGSTOP)
        time.sleep(SOON.old_s + 0.5)
        outcome = waiting.collect(lambda _event: None, lambda _text: None)
        assert outcome.problems == []
        assert [row.run_id for row in outcome.rows] == [run_id]
        assert log.get(run_id).state is State.COMPLETED
    assert lab.submits() == 1


@posix
def test_resume_and_wait_say_who_has_a_run(
    lab: EngineFixture,
    kernel: StartKernel,
    ours: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id, pid = held_by(lab, kernel)
    control.DO["resume"](parse_line([], ()), None)
    told = capsys.readouterr().out
    assert f"Run {run_id} is held by process {pid}" in told
    assert "No runs to resume" not in told
    told_by_wait: list[str] = []

    def echo(*lines: str) -> None:
        told_by_wait.extend(lines)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(control, "echo", echo)
        patch.setattr(control.context, "frontend", lambda _ip: None)
        with pytest.raises(KeyboardInterrupt):
            control.DO["wait"](parse_line([run_id], ()), SimpleNamespace(user_ns={}))
    assert f"Run {run_id} is held by process {pid}" in told_by_wait[0]
    lines: list[str] = []

    def complain(text: str) -> None:
        lines.append(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        waiting.wait(None, lambda _event: None, complain)
    assert f"Run {run_id} is held by process {pid}" in lines[0]


@posix
def test_a_server_takes_what_a_stopped_kernel_has(lab: EngineFixture, kernel: StartKernel) -> None:
    lab.sim.fault("seconds", seconds=3.0)
    first = kernel(ASK, WAIT)
    run_id = first_line(first)
    with RunLog(lab.log) as log:
        eventually(lambda: log.get(run_id).job_id)
    now = [0.0]
    collector = Collector(lab.settings, lab.engine, folder=None, clock=lambda: now[0])
    assert collector.look() == []
    assert [*collector.held] == [run_id]
    first.send_signal(signal.SIGSTOP)
    collector.look()
    for _ in range(20):
        now[0] += SOON.beat_s
        if taken := collector.look():
            break
    assert [run.run_id for run in taken] == [run_id]
    assert taken[0].wait(60).clip is not None
    assert lab.submits() == 1
