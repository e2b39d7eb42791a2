"""Rows of the run log and their changes, by many threads and processes at once."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hailuo_jupyter.errors import RunLogError
from hailuo_jupyter.runlog import RunLog, connection
from hailuo_jupyter.states import State
from tests.support.runlog_rows import KIND, R1, R2, REQUEST, Clock, add, make, run, send


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[RunLog]:
    with RunLog(tmp_path / "data" / "runs.sqlite3", clock=clock) as opened:
        yield opened


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_holds_what_its_record_says(log: RunLog, clock: Clock) -> None:
    record = make()
    row = log.insert(record, folder=Path("out"), kind=KIND, owner="me")
    assert row == log.get(record.run_id)
    assert row.record == record
    assert row.folder == Path("out").absolute()
    assert (row.state, row.owner, row.kind, row.job_id) == (State.PREPARED, "me", KIND, None)
    assert (row.notebook_id, row.cell_id, row.fingerprint) == ("nb", "c1", REQUEST.fingerprint)
    assert (row.created, row.updated) == (clock.now, clock.now)
    sent = send(log, record.run_id)
    assert (sent.state, sent.revision, sent.job_id) == (State.SUBMITTED, 3, "job-1")
    assert sent.owner == "me"


def test_what_is_committed_is_there_for_another_log_at_once(log: RunLog) -> None:
    row = add(log)
    with RunLog(log.path) as other:
        assert other.get(row.run_id).record == row.record


def test_a_folder_with_a_name_that_is_no_utf8_is_kept(log: RunLog) -> None:
    folder = Path(os.fsdecode(b"/out/\xff"))
    assert log.insert(make(R1), folder=folder, kind=KIND, owner=None).folder == folder


prompts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(prompts)
def test_the_log_gives_any_prompt_back(log: RunLog, prompt: str) -> None:
    record = make().changed(request={"prompt": prompt})
    log.insert(record, folder=Path("out"), kind=KIND, owner=None)
    assert log.get(record.run_id).record.request.prompt == prompt


def test_a_second_run_of_the_same_id_is_refused(log: RunLog) -> None:
    add(log, R1)
    with pytest.raises(RunLogError, match="already"):
        add(log, R1)
    assert log.count() == 1


# ── changes ──────────────────────────────────────────────────────────────────────────────────────


def test_only_from_leaves_a_row_alone(log: RunLog) -> None:
    row = add(log)
    same = log.update(
        row.run_id, lambda r: r.moved(State.SUBMITTING), only_from={State.UPLOADING}, owner="x"
    )
    assert same == row == log.get(row.run_id)


def test_a_change_that_gives_the_same_record_writes_nothing(log: RunLog) -> None:
    row = add(log)
    assert log.update(row.run_id, lambda r: r, owner="x") == row


def test_an_owner_may_come_with_a_change(log: RunLog) -> None:
    row = add(log)
    assert log.update(row.run_id, lambda r: r.changed(note="n"), owner="x").owner == "x"
    assert log.release(row.run_id, "y").owner == "x"
    assert log.release(row.run_id, "x").owner is None


def test_a_failed_change_leaves_the_log_as_it_was(log: RunLog) -> None:
    row = add(log)
    stale = row.record
    for change in (
        lambda r: r.moved(State.COMPLETED),
        lambda _: make("20261120-140312-aaaaaa"),
        lambda _: stale.changed(note="stale"),
    ):
        log.update(row.run_id, lambda r: r.changed(note="x"))
        before = log.get(row.run_id)
        with pytest.raises(ValueError, match=r"cannot go|not a later revision"):
            log.update(row.run_id, change)
        assert log.get(row.run_id) == before


def test_exclusive_is_one_step_that_an_exception_undoes(log: RunLog) -> None:
    row = add(log, R1)

    def fail() -> None:
        with log.exclusive():
            add(log, R2)
            log.update(R1, lambda r: r.changed(note="x"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert log.get(R1) == row
    assert log.find(R2) is None
    with log.exclusive():
        add(log, R2)
    assert log.find(R2) is not None


def test_other_errors_than_the_logs_own_pass_as_they_are(log: RunLog) -> None:
    with pytest.raises(FileNotFoundError), log.exclusive():
        Path("nowhere/at all").read_bytes()


def test_exclusive_keeps_two_processes_from_buying_the_same(log: RunLog) -> None:
    code = """
import sys
from pathlib import Path
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog
asked = request.build("a cat", catalogue.provider("segmind"), options={})
with RunLog(Path(sys.argv[1])) as log:
    print("ready", flush=True)
    sys.stdin.readline()
    for round in range(20):
        with log.exclusive():
            if not log.by_fingerprint(f"nb{round}", asked.fingerprint):
                record = prepare(asked, origin={"notebook_id": f"nb{round}"})
                log.insert(record, folder=Path("out"), kind=asked.kind, owner=None)
"""
    processes = [run(code, log.path, R1) for _ in range(2)]
    _start_together(processes)
    assert log.count() == 20


def _start_together(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == "ready\n", process.communicate()[1]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


def test_threads_and_processes_write_at_once_and_nothing_is_lost(
    log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(log, R1)
    log.close()
    # On a busy machine one of so many writers may wait for longer than usual. What becomes of a paid clip
    # whose log is locked for longer: tests/contract/test_engine_disk.py.
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 120.0)
    log = RunLog(log.path)
    code = """
import sys
from pathlib import Path
from hailuo_jupyter.runlog import RunLog, connection
connection.BUSY_TIMEOUT_S = 120.0
with RunLog(Path(sys.argv[1])) as log:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(40):
        log.update(sys.argv[2], lambda r: r.changed(position=(r.position or 0) + 1))
"""
    processes = [run(code, log.path, R1) for _ in range(3)]
    stop = threading.Event()

    def write() -> None:
        for _ in range(20):
            log.update(R1, lambda r: r.changed(position=(r.position or 0) + 1))

    def read() -> int:
        reads = 0
        while not stop.is_set():
            assert log.recent(1)[0].record.revision >= 1
            reads += 1
        return reads

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        writers = [pool.submit(write) for _ in range(3)]
        try:
            _start_together(processes)
            for writer in writers:
                writer.result()
        finally:
            stop.set()
        assert reader.result() > 0
    assert log.get(R1).record.position == 3 * 40 + 3 * 20
    assert log.get(R1).revision == 181
    log.close()


def test_a_killed_process_leaves_whole_transactions(log: RunLog) -> None:
    add(log, R1)
    code = """
import sys
from pathlib import Path
from hailuo_jupyter.runlog import RunLog
log = RunLog(Path(sys.argv[1]))
with log.exclusive():
    log.update(sys.argv[2], lambda r: r.changed(note="half"))
    print("ready", flush=True)
    sys.stdin.readline()
"""
    process = run(code, log.path, R1)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.communicate()
    assert log.get(R1).record.note is None
    assert log.update(R1, lambda r: r.changed(note="whole")).record.note == "whole"
