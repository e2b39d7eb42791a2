"""Full disks, folders that take no files, and a run log that takes nothing for a while."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import ProviderDown
from hailuo_jupyter.providers.base import Dialect
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture, ending, eventually, fill, script

posix = pytest.mark.skipif(os.name != "posix", reason="rights and limits are POSIX's")


def test_a_clip_that_finds_no_room_is_fetched_when_there_is_some(
    lab: EngineFixture, small_disk: Path
) -> None:
    run = lab.place(lab.engine(), folder=small_disk)
    eventually(lambda: run.record.job.id)
    data = fill(small_disk)
    error = ending(run)
    assert isinstance(error, errors.DiskFull)
    assert run.status is State.UNDOWNLOADED
    assert "paid for" in error.money
    assert "Free some space" in error.todo
    assert not list(small_disk.glob("*.part"))
    data.unlink()
    eventually(lambda: run.clip is not None)
    assert run.status is State.COMPLETED
    assert lab.submits() == 1


def test_where_there_is_no_room_for_a_clip_nothing_is_bought(
    lab: EngineFixture, small_disk: Path
) -> None:
    fill(small_disk)
    with pytest.raises(errors.DiskFull) as caught:
        lab.place(lab.engine(), folder=small_disk)
    assert "no charge" in caught.value.money
    assert "--output" in caught.value.todo
    assert not lab.sim.requests


def test_a_folder_that_is_a_file_is_refused_before_anything_is_bought(lab: EngineFixture) -> None:
    lab.clips.write_text("in the way")
    with pytest.raises(errors.DiskError) as caught:
        lab.place(lab.engine())
    assert "no charge" in caught.value.money
    assert caught.value.todo
    assert not lab.sim.requests


def test_a_folder_that_goes_away_meanwhile_costs_no_clip(lab: EngineFixture) -> None:
    lab.sim.fault("seconds", seconds=1.0)
    run = lab.place(lab.engine())
    sidecar = lab.clips / f"{run.run_id}.json"
    eventually(sidecar.exists)
    shutil.rmtree(lab.clips)
    lab.clips.write_text("in the way")
    error = ending(run)
    assert isinstance(error, errors.DiskError)
    assert run.status is State.UNDOWNLOADED
    lab.clips.unlink()
    eventually(lambda: run.clip is not None)


# Root writes anywhere, so this is tried as nobody, in a process of its own.
AS_NOBODY = """
import os, sys
from pathlib import Path
import hailuo_jupyter.kernel.generate, hailuo_jupyter.providers.http  # nobody may read these later
from hailuo_jupyter.runlog.log import RunLog
hailuo_jupyter.kernel.generate.catalogue.providers()
path = Path(os.environ["HAILUO_RUN_LOG"])
RunLog(path).close()
os.chown(path, 65534, 65534)
os.setgid(65534); os.setuid(65534)
try:
    h.generate("a heron", "segmind", output=sys.argv[1])
except h.HailuoError as error:
    print(type(error).__name__, "|", error)
"""


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root is nobody")
def test_a_folder_of_somebody_else_is_refused_before_anything_is_bought(lab: EngineFixture) -> None:
    theirs = lab.folder / "theirs"
    theirs.mkdir(mode=0o755)
    mine = lab.folder / "mine"
    mine.mkdir(mode=0o777)
    mine.chmod(0o777)
    for path in lab.folder.parents:
        if not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", script(AS_NOBODY), str(theirs)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=mine,
        env={**os.environ, "HAILUO_RUN_LOG": str(mine / "runs.sqlite3"), "HOME": str(mine)},
    )
    assert done.stdout.startswith("FolderNotWritable |"), done.stdout + done.stderr
    assert "no charge" in done.stdout
    assert not lab.sim.requests


@pytest.fixture
def locked(lab: EngineFixture) -> Callable[[], sqlite3.Connection]:
    """Keep the run log to oneself, as a stopped process on a slow disk does."""

    def lock() -> sqlite3.Connection:
        connection = sqlite3.connect(lab.log, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("BEGIN IMMEDIATE")
        return connection

    return lock


def test_a_job_that_is_bought_while_the_log_is_locked_is_not_lost(
    lab: EngineFixture, locked: Callable[[], sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hailuo_jupyter.runlog.connection.BUSY_TIMEOUT_S", 0.2)
    lab.sim.fault("delay", "submit", seconds=3.0)
    engine = lab.engine()
    run = lab.place(engine)
    eventually(lambda: len(lab.sim.ledger) == 1)
    holder = locked()
    time.sleep(5)  # the answer has come, and several tries to write it down have failed
    assert engine.logs()[0].get(run.run_id).job_id is None
    said = run.record.problem
    assert said is not None
    assert "process that locks the run log" in said.todo
    holder.execute("ROLLBACK")
    holder.close()
    assert run.wait(60).clip is not None
    assert lab.submits() == 1


@pytest.mark.parametrize(
    "case",
    [
        ("lost-answer", State.UNCONFIRMED, 1),
        ("no-credits", State.REJECTED, 1),
        ("rate-limited", State.COMPLETED, 2),
    ],
)
def test_what_became_of_a_call_is_not_forgotten_while_the_log_is_locked(
    lab: EngineFixture,
    locked: Callable[[], sqlite3.Connection],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    case: tuple[str, State, int],
) -> None:
    fault, state, submits = case
    monkeypatch.setattr("hailuo_jupyter.runlog.connection.BUSY_TIMEOUT_S", 0.2)
    lab.sim.fault("delay", "submit", seconds=1.5)
    lab.sim.fault(fault, "submit")
    run = lab.place(lab.engine())
    eventually(lambda: run.status is State.SUBMITTING)
    holder = locked()
    eventually(lambda: "waits for the run log" in caplog.text)
    holder.execute("ROLLBACK")
    holder.close()
    ending(run)
    assert run.status is state
    assert lab.submits() == submits


def test_who_waits_for_a_run_that_cannot_even_be_given_up_is_let_go(
    lab: EngineFixture, locked: Callable[[], sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hailuo_jupyter.runlog.connection.BUSY_TIMEOUT_S", 0.2)
    engine, order, go_on = lab.engine(), lab.order(), threading.Event()
    there = engine.providers.dialect(order.provider)

    def dialect(_provider: Provider) -> Dialect:
        if threading.current_thread() is threading.main_thread():
            return there
        go_on.wait(30)
        raise ProviderDown("The simulator does not start.")

    monkeypatch.setattr(engine.providers, "dialect", dialect)
    (placed,) = engine.submit(order)
    assert not placed.run.done
    holder = locked()
    go_on.set()
    eventually(lambda: placed.run.done)
    assert engine.active_runs() == []
    holder.execute("ROLLBACK")
    holder.close()
    assert engine.row(placed.run.run_id).owner is not None
    assert engine.resume() == []
    assert isinstance(ending(placed.run), errors.NotSent)
    assert engine.row(placed.run.run_id).owner is None
    assert lab.submits() == 0


def test_a_log_that_is_locked_while_a_job_is_watched_stops_nothing(
    lab: EngineFixture, locked: Callable[[], sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hailuo_jupyter.runlog.connection.BUSY_TIMEOUT_S", 0.2)
    run = lab.place(lab.engine())
    eventually(lambda: run.record.job.id)
    holder = locked()
    time.sleep(2)
    holder.execute("ROLLBACK")
    holder.close()
    assert run.wait(60).clip is not None
    assert (lab.submits(), run.record.problem) == (1, None)
