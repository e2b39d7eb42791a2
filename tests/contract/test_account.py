"""Whose account a run was bought with: who may go on with it, and what other answers prove (nothing)."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hailuo_jupyter import keys, server_extension
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import WaitsForItsKey
from hailuo_jupyter.keys import Key
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.adopt import adopt
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.simulator.responses import key_hash
from hailuo_jupyter.states import State
from tests.support.engine_fixture import KEYS, EngineFixture, ending, eventually, shorten
from tests.support.forking.process import run_python

ROTATED = "SG_rotated0123456789"
PROVIDERS = {"segmind": "SEGMIND_API_KEY", "aimlapi": "AIML_API_KEY"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, account_check_s=0.1)
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)


def accept(lab: EngineFixture, *accepted: str) -> None:
    """Have the provider take these keys only: all others are revoked."""
    state = lab.sim.state
    state.options = dataclasses.replace(state.options, keys=accepted)


def bought(lab: EngineFixture, provider: str = "segmind", seconds: float = 3.0) -> Run:
    lab.sim.fault("seconds", seconds=seconds)
    run = lab.place(lab.engine(), "a cat", provider)
    eventually(lambda: run.record.job.id)
    return run


def left(lab: EngineFixture, provider: str = "segmind", seconds: float = 3.0) -> str:
    """Buy a clip and leave it, as a kernel that is shut down does."""
    run = bought(lab, provider, seconds)
    lab.engines.pop().stop()
    return run.run_id


def looks(lab: EngineFixture) -> int:
    return sum(each.stage in {"status", "result"} for each in lab.sim.requests)


def later(lab: EngineFixture, seconds: float) -> Engine:
    """Start an engine whose clock is ahead."""
    lab.engines.append(Engine(lab.settings, Clock(wall=lambda: time.time() + seconds)))
    return lab.engines[-1]


def forget_account(lab: EngineFixture) -> None:
    """Make the log as one that an earlier version has written."""
    with sqlite3.connect(lab.log) as connection:
        connection.execute("UPDATE runs SET address = NULL, account = NULL")


# ── what is stored ─────────────────────────────────────────────────────────────────────────────


def test_the_log_has_the_account_and_nothing_else_does(lab: EngineFixture) -> None:
    run = bought(lab, seconds=0.1)
    run.wait(60)
    with RunLog(lab.log) as log:
        row = log.get(run.run_id)
    assert row.address == lab.sim.environment()["SEGMIND_BASE_URL"]
    assert row.account is not None
    digest = row.account.partition("/")[2]
    assert len(digest) == 16
    for path in lab.clips.iterdir():
        assert digest.encode() not in path.read_bytes()
    assert digest not in row.record_json
    for path in lab.log.parent.iterdir():
        assert path.is_dir() or KEYS["SEGMIND_API_KEY"].encode() not in path.read_bytes()


# ── a key that was rotated ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_clip_arrives_though_its_key_was_rotated_and_revoked_while_it_was_made(
    lab: EngineFixture, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bought(lab, provider)
    monkeypatch.setenv(PROVIDERS[provider], ROTATED)
    accept(lab, ROTATED)
    run.wait(60)
    assert run.clip is not None
    with RunLog(lab.log) as log:
        row = log.get(run.run_id)
    assert row.account is not None
    assert lab.submits() == 1


def test_the_next_kernel_brings_it_too(lab: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = left(lab)
    with RunLog(lab.log) as log:
        before = log.get(run_id).account
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    accept(lab, ROTATED)
    [run] = lab.engine().resume()
    run.wait(60)
    with RunLog(lab.log) as log:
        assert log.get(run_id).account not in {None, before}


def test_the_old_key_that_is_refused_first_is_followed_by_the_new_one(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bought(lab)
    accept(lab, ROTATED)
    eventually(lambda: any(each.status == 401 for each in lab.sim.requests))
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    run.wait(60)
    assert run.clip is not None


@pytest.mark.parametrize("restarted", [False, True])
def test_the_key_that_bought_it_is_used_though_another_one_goes_before_it(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    lab = make_lab(separate_accounts=True)
    run = bought(lab)
    if restarted:
        lab.engines.pop().stop()
    monkeypatch.setitem(keys._memory, "segmind", Key(ROTATED, "this kernel's memory"))
    if restarted:
        [run] = lab.engine().resume()
    run.wait(60)
    assert run.clip is not None
    assert not any(each.status == 404 for each in lab.sim.requests), "no other key has asked"
    lab.place(lab.engines[-1], "a dog").wait(60)
    bought_by = [job.key_hash for job in lab.sim.ledger.jobs]
    assert bought_by == [key_hash(KEYS["SEGMIND_API_KEY"]), key_hash(ROTATED)]


# ── another account on the same log ────────────────────────────────────────────────────────────


@pytest.fixture
def apart(make_lab: Callable[..., EngineFixture]) -> EngineFixture:
    """Each key is an account of its own."""
    return make_lab(separate_accounts=True)


@pytest.mark.parametrize("fault", ["", "unauthorized", "forbidden", "expired"])
def test_other_answers_prove_and_change_nothing(
    apart: EngineFixture, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = left(apart)
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    if fault:
        apart.sim.fault(fault, "status", count=1000)
    with RunLog(apart.log) as log:
        before = log.get(run_id)
        engine = apart.engine()
        [run] = engine.resume()
        error = ending(run)
        assert isinstance(error, WaitsForItsKey), error
        seen = looks(apart)
        eventually(lambda: looks(apart) > seen + 2)
        assert log.get(run_id) == before
        assert engine.waits_for_its_key(run_id)
        # Its own key is back: it is taken over, and arrives.
        apart.sim.clear_faults()
        monkeypatch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
        eventually(lambda: log.get(run_id).state is State.COMPLETED)
        assert log.get(run_id).account == before.account
    assert apart.submits() == 1


def test_a_404_of_another_account_ends_no_run_even_after_the_retention(
    apart: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = left(apart)
    with RunLog(apart.log) as log:
        before = log.get(run_id)
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    engine = later(apart, 2 * 3600.0)
    [run] = engine.resume()
    assert isinstance(ending(run), WaitsForItsKey)
    eventually(lambda: not engine.asked_about())
    with RunLog(apart.log) as log:
        assert log.get(run_id) == before


def test_a_run_whose_account_nobody_knows_is_asked_about_and_then_taken(lab: EngineFixture) -> None:
    run_id = left(lab)
    forget_account(lab)
    [run] = lab.engine().resume()
    run.wait(60)
    with RunLog(lab.log) as log:
        row = log.get(run_id)
    assert row.account is not None
    assert row.address == lab.sim.environment()["SEGMIND_BASE_URL"]


def test_the_cell_of_another_account_waits_and_buys_nothing(
    apart: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = left(apart)
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    run = apart.place(apart.engine())
    assert run.run_id == run_id
    assert isinstance(ending(run), WaitsForItsKey)
    assert apart.submits() == 1


def test_the_lost_file_of_another_account_is_not_fetched_and_stays_completed(
    apart: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bought(apart, seconds=0.1)
    run.wait(60)
    assert run.clip is not None
    run.clip.unlink()
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    again = apart.place(apart.engine())
    assert isinstance(ending(again), WaitsForItsKey)
    assert again.status is State.COMPLETED
    monkeypatch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
    eventually(lambda: again.clip)
    assert apart.submits() == 1


# ── addresses ──────────────────────────────────────────────────────────────────────────────────


def test_a_key_goes_to_no_address_that_a_run_or_a_record_names(
    make_lab: Callable[..., EngineFixture],
) -> None:
    elsewhere = make_lab()
    run_id = left(elsewhere)
    asked = len(elsewhere.sim.requests)
    here = make_lab()
    here.log.parent.mkdir(parents=True)
    shutil.copytree(elsewhere.log.parent, here.log.parent, dirs_exist_ok=True)
    [run] = here.engine().resume()
    error = ending(run)
    assert isinstance(error, WaitsForItsKey)
    assert "127.0.0.1" in error.what
    forget_account(here)
    [run] = here.engine().resume()
    assert isinstance(ending(run), WaitsForItsKey), "the record's address is compared too"
    assert run.run_id == run_id
    assert len(elsewhere.sim.requests) == asked
    assert here.sim.requests == []


# ── 404 ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("days", [-7, 7])
def test_a_404_ends_an_imported_run_by_its_times_but_not_by_one_to_come(
    lab: EngineFixture, days: int
) -> None:
    """A time in the future counts as the time of import: by that, the retention has not passed yet."""
    run_id = left(lab, seconds=60.0)
    with RunLog(lab.log) as log:
        record = log.get(run_id).record
    moment = datetime.fromtimestamp(time.time() + days * 86400.0, UTC)
    times = dict.fromkeys(record.times, f"{moment:%Y-%m-%dT%H:%M:%S}.000Z")
    record = record.model_copy(update={"times": times})
    lab.log.unlink()
    with RunLog(lab.log) as log:
        adopt(record, lab.clips, log, clip_here=False)
        [run] = lab.engine().resume([run_id])
        eventually(lambda: log.get(run_id).account)
        lab.sim.fault("expired", "status", count=1000)
        seen = looks(lab)
        eventually(lambda: run.status is State.EXPIRED or looks(lab) > seen + 2, 120)
        assert (run.status is State.EXPIRED) == (days < 0)


# ── those who wait outside of a kernel ─────────────────────────────────────────────────────────


def jupyter(lab: EngineFixture, *words: str) -> subprocess.CompletedProcess[str]:
    return run_python(
        [str(Path(sys.executable).with_name("jupyter")), "hailuo", *words],
        check=False,
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("command", ["collect", "wait"])
def test_a_command_says_so_and_brings_the_clip_once_the_key_is_known(
    apart: EngineFixture, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = left(apart)
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    done = jupyter(apart, command)
    assert done.returncode == 1
    assert "needs another key" in done.stderr
    assert run_id in done.stderr
    with RunLog(apart.log) as log:
        assert log.get(run_id).owner is None
        # The account is one that knows both keys, from now on.
        state = apart.sim.state
        state.options = dataclasses.replace(state.options, separate_accounts=False)
        done = jupyter(apart, command)
        assert done.returncode == 0, done.stderr
        assert log.get(run_id).state is State.COMPLETED


def test_the_server_says_so_and_brings_the_clip_once_the_key_is_known(
    apart: EngineFixture, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "a.server")
    monkeypatch.setattr(server_extension, "LOOK_S", 0.05)
    monkeypatch.setattr(server_extension, "GRACE_S", 0.1)
    run_id = left(apart)
    monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
    keeper = server_extension.Keeper(apart.settings, logging.getLogger("a.server"))
    keeper.start()
    try:
        eventually(lambda: any("needs another key" in line for line in caplog.messages))
        assert not any("the server continues" in line for line in caplog.messages)
        assert keeper.busy == 0
        state = apart.sim.state
        state.options = dataclasses.replace(state.options, separate_accounts=False)
        with RunLog(apart.log) as log:
            eventually(lambda: log.get(run_id).state is State.COMPLETED)
    finally:
        keeper.stop()


# ── histories ──────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_was_lost_is_not_found_in_the_history_of_another_account(
    make_lab: Callable[..., EngineFixture],
    tmp_path: Path,
    histories_soon: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart = make_lab(separate_accounts=True, history_delay=0.1, segmind_seconds=0.1)
    shorten(monkeypatch, history_of_others_s=0.0)
    quiet = Hailuo(run_log=str(apart.log), ask_history=False)
    apart.engines.append(Engine(quiet))
    apart.sim.fault("lost-answer", "submit")
    run = apart.place(apart.engines[-1])
    assert ending(run)
    apart.engines.pop().stop()
    with RunLog(apart.log) as log:
        before = log.get(run.run_id)
        assert before.state is State.UNCONFIRMED
        # The other account has asked for the very same, in another log.
        monkeypatch.setenv("SEGMIND_API_KEY", ROTATED)
        apart.engines.append(Engine(Hailuo(run_log=str(tmp_path / "another.sqlite3"))))
        apart.place(apart.engines[-1], folder=tmp_path / "elsewhere").wait(60)
        engine = apart.engine()
        mine = apart.place(engine, "a dog")
        mine.wait(60)
        eventually(lambda: log.get(mine.run_id).record.cost.confirmed)
        assert log.get(run.run_id) == before
        # Its own key is back, and finds it.
        monkeypatch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
        engine.resume()
        eventually(lambda: log.get(run.run_id).state is State.COMPLETED)
