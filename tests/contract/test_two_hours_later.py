"""A clip is paid for, and nobody looked for two hours: the job's record is gone, the clip is not."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import keys, server_extension
from hailuo_jupyter.cli import wait as waiting
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import JobExpired, JobFailed, ProviderDown, WaitsForItsKey
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import KEYS, EngineFixture, ending, eventually, shorten

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is left to the person after two tries, and not after five with growing waits."""
    shorten(monkeypatch, last_attempts=2)


def left_at_work(lab: EngineFixture, provider: str = "segmind") -> str:
    """Buy a clip and leave it while it is made, as a kernel that is shut down does."""
    engine = lab.engine()
    run = lab.place(engine, "a cat", provider)
    eventually(lambda: run.record.job.id)
    engine.stop()
    return run.run_id


def left_when_done(lab: EngineFixture, provider: str = "segmind") -> str:
    """Buy a clip and leave it when its link is known, and nothing of it was fetched."""
    lab.sim.fault("http-500", "media", count=None)
    engine = lab.engine()
    run = lab.place(engine, "a cat", provider)
    eventually(lambda: run.record.job.media_link)
    engine.stop()
    lab.sim.clear_faults()
    return run.run_id


def done(lab: EngineFixture) -> None:
    eventually(lambda: all(each.state in {"done", "failed"} for each in lab.sim.ledger))


def later(lab: EngineFixture, run_id: str, seconds: float = 2 * HOUR_S) -> Run:
    """Go on with a run in a kernel that starts so much later."""
    done(lab)
    lab.sim.advance(seconds)
    return again(lab, run_id, seconds)


def again(lab: EngineFixture, run_id: str, seconds: float = 2 * HOUR_S) -> Run:
    engine = Engine(lab.settings, Clock(wall=lambda: time.time() + seconds))
    lab.engines.append(engine)
    engine.resume()
    return engine.run(run_id)


def age(lab: EngineFixture, seconds: float = 2 * HOUR_S) -> None:
    """Make all that the log says so much older, for processes that go by the real clock."""
    done(lab)
    lab.sim.advance(seconds)
    with RunLog(lab.log) as log:
        for row in log.recent(10):
            times = {
                state: (datetime.fromisoformat(at) - timedelta(seconds=seconds))
                .isoformat(timespec="milliseconds")
                .replace("+00:00", "Z")
                for state, at in row.record.times.items()
            }
            log.update(row.run_id, lambda record, times=times: record.changed(times=times))  # type: ignore[misc]
    with sqlite3.connect(lab.log) as connection:
        connection.execute("UPDATE runs SET created = created - ?", (seconds,))


def asked(lab: EngineFixture, since: int) -> list[str]:
    """Return what was asked for since a number of requests, without the keyless."""
    return [each.path for each in lab.sim.requests[since:] if each.stage != "media"]


LEFT = pytest.mark.parametrize("leave", [left_at_work, left_when_done])


# ── who arrives ────────────────────────────────────────────────────────────────────────────────


@LEFT
def test_a_kernel_brings_it_home(lab: EngineFixture, leave: Callable[[EngineFixture], str]) -> None:
    run_id = leave(lab)
    run = later(lab, run_id)
    run.wait(60)
    assert run.clip is not None
    assert lab.submits() == 1


@LEFT
def test_collect_brings_it_home(
    lab: EngineFixture,
    leave: Callable[[EngineFixture], str],
    monkeypatch: pytest.MonkeyPatch,
    start_in: Callable[[Path], None],
) -> None:
    run_id = leave(lab)
    age(lab)
    start_in(lab.folder)
    monkeypatch.setattr(waiting, "_LOOK_S", 0.1)
    Hailuo.clear_instance()
    Hailuo.instance().run_log = str(lab.log)
    try:
        outcome = waiting.collect(lambda _event: None, lambda _line: None)
    finally:
        process.shut_down()
        Hailuo.clear_instance()
    assert outcome.problems == []
    [clip] = outcome.clips()
    assert Path(clip).name == f"{run_id}.mp4"
    assert lab.submits() == 1


@pytest.fixture
def server(lab: EngineFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    monkeypatch.setattr(server_extension, "LOOK_S", 0.05)
    monkeypatch.setattr(server_extension, "GRACE_S", 0.1)
    keeper = server_extension.Keeper(lab.settings, logging.getLogger("a.server"))
    yield keeper.start
    keeper.stop()


@LEFT
def test_the_server_brings_it_home(
    lab: EngineFixture, leave: Callable[[EngineFixture], str], server: Callable[[], None]
) -> None:
    run_id = leave(lab)
    age(lab)
    server()
    with RunLog(lab.log) as log:
        eventually(lambda: log.get(run_id).state is State.COMPLETED)
        assert log.get(run_id).record.clip is not None
    assert lab.submits() == 1


def test_running_the_cell_again_brings_a_clip_whose_file_is_gone(lab: EngineFixture) -> None:
    run = lab.place(lab.engine())
    run.wait(60)
    assert run.clip is not None
    run.clip.unlink()
    lab.sim.advance(2 * HOUR_S)
    engine = Engine(lab.settings, Clock(wall=lambda: time.time() + 2 * HOUR_S))
    lab.engines.append(engine)
    again = lab.place(engine)
    assert again.run_id == run.run_id
    again.wait(60)
    assert again.clip is not None
    assert lab.submits() == 1


def test_a_clip_that_cannot_be_fetched_again_may_still_be_put_back(lab: EngineFixture) -> None:
    run = lab.place(lab.engine()).wait(60)
    path = run.clip
    assert path is not None
    content = path.read_bytes()
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    lab.engines.pop().stop()
    lab.sim.advance(2 * HOUR_S)
    lab.sim.fault("media-expired", count=None)
    lab.sim.fault("expired", "account", count=None)
    engine = Engine(lab.settings, Clock(wall=lambda: time.time() + 2 * HOUR_S))
    lab.engines.append(engine)
    again = lab.place(engine)
    assert isinstance(ending(again), JobExpired)
    assert again.status is State.COMPLETED
    path.write_bytes(content)  # 'git lfs pull'
    (placed,) = lab.placed(engine)
    assert (placed.action, placed.run, placed.remark) == (Action.SHOW, run, "")
    assert placed.run.wait(10).clip == path
    assert placed.run.record.problem is None
    assert lab.submits() == 1


@LEFT
def test_a_key_that_was_rotated_meanwhile_is_proved_by_the_history(
    lab: EngineFixture, leave: Callable[[EngineFixture], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = leave(lab)
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_rotated0123456789")
    run = later(lab, run_id)
    run.wait(60)
    assert run.clip is not None


@pytest.mark.parametrize("hours", [0.0, 2.0])
def test_a_link_that_needs_no_key_brings_it_whoever_has_which_key(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    lab = make_lab(separate_accounts=True)
    run_id = left_when_done(lab)
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_another0123456789")
    before = len(lab.sim.requests)
    assert later(lab, run_id, hours * HOUR_S).wait(60).clip is not None
    assert asked(lab, before) == []
    assert not any(each.had_api_key for each in lab.sim.requests[before:])


def test_where_the_link_is_dead_it_waits_for_its_own_key(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(separate_accounts=True)
    run_id = left_when_done(lab)
    lab.sim.fault("media-expired", count=None)
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_another0123456789")
    run = later(lab, run_id, 0.0)
    assert isinstance(ending(run), WaitsForItsKey)
    assert run.status in {State.DOWNLOADING, State.UNDOWNLOADED}
    lab.sim.clear_faults()
    monkeypatch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
    lab.engines[-1].resume()
    assert run.wait(60).clip is not None


@pytest.mark.parametrize("hours", [0.0, 2.0])
def test_once_its_own_key_is_back_nothing_says_that_it_waits(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    lab = make_lab(separate_accounts=True)
    run_id = left_at_work(lab)
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_another0123456789")
    run = later(lab, run_id, hours * HOUR_S)
    assert isinstance(ending(run), WaitsForItsKey)
    monkeypatch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
    lab.engines[-1].resume()
    assert run.wait(60).clip is not None


def test_another_account_is_shown_nothing_and_changes_nothing(
    make_lab: Callable[..., EngineFixture], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(separate_accounts=True)
    run_id = left_at_work(lab)
    with RunLog(lab.log) as log:
        before = log.get(run_id)
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_another0123456789")
    run = later(lab, run_id)
    assert ending(run) is not None
    with RunLog(lab.log) as log:
        assert log.get(run_id) == before
    monkeypatch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
    again(lab, run_id).wait(60)


# ── by which way ───────────────────────────────────────────────────────────────────────────────


def test_the_recorded_link_is_tried_first_and_needs_no_call(lab: EngineFixture) -> None:
    run_id = left_when_done(lab)
    before = len(lab.sim.requests)
    later(lab, run_id).wait(60)
    assert not any("/requests/" in path for path in asked(lab, before))
    assert not any(each.had_api_key for each in lab.sim.requests if each.stage == "media")


def test_a_signed_link_is_not_tried_without_its_signature(lab: EngineFixture) -> None:
    run_id = left_when_done(lab, "aimlapi")
    before = len(lab.sim.requests)
    again(lab, run_id, 0.0).wait(60)
    # On a busy machine a download may be cut short and begin again.
    assert {each.status for each in lab.sim.requests[before:] if each.stage == "media"} == {200}


def test_the_history_is_asked_by_id_where_the_link_is_dead(lab: EngineFixture) -> None:
    run_id = left_when_done(lab)
    with RunLog(lab.log) as log:
        dead = f"{lab.sim.url}/generations/no-such-file.mp4"
        log.update(run_id, lambda record: record.changed(job={"media_link": dead}))
    before = len(lab.sim.requests)
    later(lab, run_id).wait(60)
    assert any("/request-history/" in path for path in asked(lab, before))


def test_a_link_that_is_refused_once_is_tried_again(lab: EngineFixture) -> None:
    run_id = left_when_done(lab)
    lab.sim.fault("media-expired")
    later(lab, run_id).wait(60)


def test_a_recorded_link_that_cannot_be_reached_keeps_nobody_from_the_history(
    lab: EngineFixture,
) -> None:
    run_id = left_when_done(lab)
    with RunLog(lab.log) as log:
        link = "https://stranger.invalid/clip.mp4"
        log.update(run_id, lambda record: record.changed(job={"media_link": link}))
    later(lab, run_id).wait(60)


def test_a_link_in_a_record_from_elsewhere_is_not_followed(lab: EngineFixture) -> None:
    run_id = left_when_done(lab)
    with RunLog(lab.log) as log:
        link = f"{lab.sim.url}/generations/no-such-file.mp4"
        log.update(run_id, lambda record: record.changed(job={"media_link": link}))
    with sqlite3.connect(lab.log) as connection:
        connection.execute(
            "UPDATE runs SET elsewhere = 1, imported = ?, account = NULL, address = NULL",
            (time.time(),),
        )
    before = len(lab.sim.requests)
    run = later(lab, run_id)
    run.wait(60)
    assert run.clip is not None
    assert any("/request-history/" in path for path in asked(lab, before))
    assert not any("no-such-file" in each.path for each in lab.sim.requests)


# ── lost, or not yet ───────────────────────────────────────────────────────────────────────────


def test_it_expires_when_each_way_has_answered_that_it_has_nothing(lab: EngineFixture) -> None:
    run_id = left_at_work(lab)
    lab.sim.fault("expired", "account", count=None)
    run = later(lab, run_id)
    error = ending(run)
    assert isinstance(error, JobExpired), error
    assert run.status is State.EXPIRED
    assert "another way" in error.what
    assert "charged" in error.money


def test_it_expires_when_its_file_is_gone_as_well(make_lab: Callable[..., EngineFixture]) -> None:
    lab = make_lab(segmind_file_lifetime=2 * HOUR_S)
    run_id = left_when_done(lab)
    run = later(lab, run_id, 3 * HOUR_S)
    assert isinstance(ending(run), JobExpired)
    assert run.status is State.EXPIRED
    before = len(lab.sim.requests)
    assert again(lab, run_id, 3 * HOUR_S).status is State.EXPIRED
    assert len(lab.sim.requests) == before


@LEFT
def test_a_way_that_could_not_be_asked_keeps_it_and_is_named(
    lab: EngineFixture, leave: Callable[[EngineFixture], str]
) -> None:
    run_id = leave(lab)
    lab.sim.fault("http-500", "account", count=None)
    lab.sim.fault("media-expired", count=None)
    run = later(lab, run_id)
    error = ending(run)
    assert run.status not in {State.EXPIRED, State.FAILED, State.COMPLETED}
    assert error is not None
    assert "request history: " in error.what
    lab.engines.pop().stop()
    lab.sim.clear_faults()
    assert again(lab, run_id).wait(60).clip is not None


def test_after_the_files_lifetime_a_way_that_was_not_asked_is_still_named(
    lab: EngineFixture,
) -> None:
    run_id = left_at_work(lab)
    lab.sim.fault("http-500", "account", count=None)
    run = later(lab, run_id, 8 * DAY_S)
    error = ending(run)
    assert isinstance(error, JobExpired), error
    assert "7 days" in error.what
    assert "request history: " in error.what
    assert run.status is State.EXPIRED


def test_a_history_without_an_address_is_named(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = left_at_work(lab)
    monkeypatch.delenv("SEGMIND_HISTORY_URL")  # a gateway's key goes to no other host
    run = later(lab, run_id)
    error = ending(run)
    assert isinstance(error, ProviderDown), error
    assert "request history: unknown address" in error.what
    assert run.status is not State.EXPIRED


def test_the_history_tells_that_the_job_has_failed(lab: EngineFixture) -> None:
    lab.sim.fault("job-fails", message="A node was lost.")
    run_id = left_at_work(lab)
    run = later(lab, run_id)
    error = ending(run)
    assert isinstance(error, JobFailed), error
    assert "A node was lost." in error.what
    assert "Not charged" in error.money
    assert run.status is State.FAILED


def test_a_history_that_does_not_say_that_the_job_has_ended_proves_nothing(
    lab: EngineFixture,
) -> None:
    lab.sim.fault("stuck")
    run_id = left_at_work(lab)
    lab.sim.advance(2 * HOUR_S)
    run = again(lab, run_id)
    error = ending(run)
    assert isinstance(error, ProviderDown), error
    assert "does not show the job as finished" in error.what


@pytest.mark.parametrize("stage", ["status", "result"])
def test_a_call_that_fails_for_good_is_gone_round(lab: EngineFixture, stage: Any) -> None:
    lab.sim.fault("http-500", stage, count=None)
    run_id = left_at_work(lab)
    run = later(lab, run_id)
    run.wait(60)
    assert run.clip is not None
