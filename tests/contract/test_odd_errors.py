"""Errors that nobody foresaw end no bought run: each is a failed try, written down and repeated."""

from __future__ import annotations

import errno
import os
import threading
from typing import Any

import pytest

from hailuo_jupyter.engine import fetch, lifecycle, run_task, submit_outcome, supervisor
from hailuo_jupyter.engine.clock import back_off
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, eventually


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let failed tries be repeated within moments."""
    for module in (lifecycle, supervisor, fetch, submit_outcome):
        monkeypatch.setattr(module, "back_off", lambda *_, **__: back_off(0, most=0.05))


def seen(lab: EngineFixture, run_id: str) -> tuple[State, str]:
    with RunLog(lab.log) as log:
        row = log.get(run_id)
    problem = row.record.problem
    return row.state, problem.what if problem else ""


@pytest.mark.parametrize(
    "link", ["https://xn--a/clip.mp4", "http://127.0.0.1:99999/a.mp4", f"https://{'a' * 300}.com/a"]
)
def test_a_link_that_nobody_can_read_is_asked_for_again(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    monkeypatch.delenv("HAILUO_LOOPBACK_ONLY")
    body = {"status": "COMPLETED", "output": link}
    for stage in ("status", "result"):
        lab.sim.fault("answer", stage, 3, body=body)
    engine = lab.engine()
    run = lab.place(engine)
    assert run.wait(60).clip is not None
    assert run.record.problem is None
    assert lab.submits() == 1


ERRORS: dict[str, Exception] = {
    "no thread": RuntimeError("can't start new thread"),
    "no memory": MemoryError(),
    "a name too long": OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)),
    "no address": UnicodeError("label empty or too long"),
    "a defect": KeyError("status"),
}

#: What a run in hand goes through, from its first question to its record.
PLACES = [
    (run_task.RunTask, "_send_until_accepted"),
    (run_task.RunTask, "plan"),
    (fetch, "download"),
    (fetch, "examine"),
    (run_task.RunTask, "write_sidecar"),
]


@pytest.mark.parametrize("error", ERRORS.values(), ids=[*ERRORS])
@pytest.mark.parametrize(("where", "name"), PLACES, ids=[name for _, name in PLACES])
def test_whatever_goes_wrong_is_tried_again(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, error: Exception
) -> None:
    first = lab.engine()
    run = lab.place(first)
    eventually(lambda: run.record.job.id)
    first.stop()
    if name == "examine":
        lab.clips.joinpath(f"{run.run_id}.mp4").write_bytes(b"half a clip")
    true, failures = getattr(where, name), []

    def failing(*args: Any, **how: Any) -> Any:
        if len(failures) < 3:
            failures.append(error)
            raise error
        return true(*args, **how)

    monkeypatch.setattr(where, name, failing)
    second = lab.engine()
    [again] = second.resume()
    assert again.wait(60).clip is not None
    assert again.record.problem is None
    assert failures
    eventually((lab.clips / f"{run.run_id}.json").is_file)
    assert lab.submits() == 1
    assert lab.leftovers() == []


def test_a_failed_try_is_written_down(lab: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(fetch, "download", failing)
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: seen(lab, run.run_id)[0] is State.UNDOWNLOADED)
    assert "MemoryError" in seen(lab, run.run_id)[1]
    assert engine.active_runs() == [run], "it goes on"


def test_an_answer_to_a_submit_is_written_down_when_there_is_room_again(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, failures = RunLog.update, []

    def failing(log: RunLog, *args: Any, **how: Any) -> Any:
        state = log.get(args[0]).state
        if state is State.SUBMITTING and len(failures) < 3:
            failures.append(state)
            raise MemoryError
        return true(log, *args, **how)

    monkeypatch.setattr(RunLog, "update", failing)
    run = lab.place(lab.engine())
    assert run.wait(60).clip is not None
    assert len(failures) == 3
    assert lab.submits() == 1


def test_no_thread_to_begin_with_leaves_nothing(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lab.engine()
    run = lab.place(first)
    eventually(lambda: run.record.job.id)
    first.stop()
    second = lab.engine()
    true, refused = threading.Thread.start, []

    def start(thread: threading.Thread) -> None:
        if thread.name == "hailuo-work" and len(refused) < 3:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        true(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    [again] = second.resume()
    assert again.wait(60).clip is not None
    assert refused
