"""What processes share of a rate limit, as the run log stores it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hailuo_jupyter
from hailuo_jupyter.keys import Key
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.rate_limits import KEPT_S
from tests.support.runlog_rows import KIND, add, finish
from tests.support.runlog_rows import send as send_run

ROOT = Path(hailuo_jupyter.__file__).parents[1]
NOW = 1_795_183_392.25


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(tmp_path / "runs.sqlite3", clock=lambda: NOW) as opened:
        yield opened


def send(log: RunLog, at: float, account: str = "segmind/a") -> None:
    with log.rate_limit(account, "1-a", at) as rows:
        rows.add_sent()


def test_requests_are_kept_for_some_minutes(log: RunLog) -> None:
    for ago in (KEPT_S + 1, KEPT_S - 1, 5, 0):
        send(log, NOW - ago)
    send(log, NOW, "segmind/b")
    with log.rate_limit("segmind/a", "1-a") as rows:
        assert [each.at for each in rows.sent()] == [NOW - KEPT_S + 1, NOW - 5, NOW]
        assert rows.nth_last(2) == NOW - 5
        assert rows.nth_last(4) is None


def test_one_of_two_that_left_together_is_marked(log: RunLog) -> None:
    send(log, NOW)
    send(log, NOW)
    with log.rate_limit("segmind/a", "1-a") as rows:
        rows.mark_refused(NOW)
        assert [each.refused for each in rows.sent()].count(True) == 1


def test_requests_of_before_a_clock_was_set_back_say_nothing(log: RunLog) -> None:
    send(log, NOW + 7200)
    with log.rate_limit("segmind/a", "1-a") as rows:
        assert rows.sent() == []
        assert rows.nth_last(1) is None


def test_what_was_learned_is_each_account_s_own(log: RunLog) -> None:
    with log.rate_limit("segmind/a", "1-a") as rows:
        assert rows.state is None
        rows.state = "learned"
    with log.rate_limit("segmind/b", "1-a") as rows:
        assert rows.state is None
    with log.rate_limit("segmind/a", "2-b") as rows:
        assert rows.state == "learned"
        rows.state = None
        assert rows.state is None


def test_each_process_has_a_queue_that_lasts_while_it_is_written(log: RunLog) -> None:
    with log.rate_limit("segmind/a", "1-a") as rows:
        rows.write_queue([["run-1"], ["run-2"]])
    with log.rate_limit("segmind/a", "2-b", NOW + 4) as rows:
        rows.write_queue([["run-3"]])
        assert rows.others == [["run-1"], ["run-2"]]
    assert [each.queue for each in log.rate_limits(NOW + 5)] == [(["run-1"], ["run-2"], ["run-3"])]
    with log.rate_limit("segmind/a", "2-b", NOW + 11) as rows:
        assert rows.others == [], "that process is gone"
        rows.write_queue([])
    assert log.rate_limits(NOW + 11) == []


def test_a_block_that_fails_changes_nothing(log: RunLog) -> None:
    def fail() -> None:
        with log.rate_limit("segmind/a", "1-a") as rows:
            rows.add_sent()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with log.rate_limit("segmind/a", "1-a") as rows:
        assert rows.sent() == []


def test_no_two_processes_read_the_same_state(log: RunLog) -> None:
    """Each reads, adds 1 and writes: nothing is lost between."""
    code = """
import sys
from pathlib import Path
from hailuo_jupyter.keys import Key
from hailuo_jupyter.runlog import RunLog
with RunLog(Path(sys.argv[1])) as log:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(50):
        with log.rate_limit("segmind/a", sys.argv[2]) as rows:
            rows.state = str(int(rows.state or 0) + 1)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(log.path), str(i)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with log.rate_limit("segmind/a", "1-a") as rows:
        assert rows.state == "150"


def test_an_account_has_a_name_that_tells_nothing_of_its_key(log: RunLog, tmp_path: Path) -> None:
    def named(provider: str, address: str, key: str, where: RunLog = log) -> str:
        return where.account(provider, address, Key(key, "a test")).name

    usual = named("segmind", "https://api.segmind.com", "SG_0123456789abcdef")
    assert usual.startswith("segmind/")
    assert "0123" not in usual
    with RunLog(log.path) as again:
        assert named("segmind", "https://api.segmind.com", "SG_0123456789abcdef", again) == usual
    with RunLog(tmp_path / "other.sqlite3") as other:
        assert named("segmind", "https://api.segmind.com", "SG_0123456789abcdef", other) != usual
    assert named("segmind", "https://gateway.example", "SG_0123456789abcdef") != usual
    assert named("segmind", "https://api.segmind.com", "SG_fedcba9876543210") != usual


def test_a_duration_may_be_left_out(log: RunLog) -> None:
    run_id = add(log).run_id
    send_run(log, run_id, at=100.0)
    log.leave_duration_out(run_id)
    finish(log, run_id, at=409.0)
    assert log.durations(KIND) == []
    other = add(log).run_id
    send_run(log, other, at=100.0)
    finish(log, other, at=274.0)
    assert log.durations(KIND) == [174.0]


def test_what_is_bought_and_not_fetched_is_found_with_its_submit(log: RunLog) -> None:
    waiting, sent, done = (add(log).run_id for _ in range(3))
    for run_id in (sent, done):
        send_run(log, run_id, at=NOW - 600)
    finish(log, done, at=NOW - 300)
    assert waiting not in dict(log.bought("segmind"))
    assert log.bought("segmind") == [(sent, pytest.approx(NOW - 600, abs=0.01))]
    assert log.bought("aimlapi") == []
