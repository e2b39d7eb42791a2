from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hailuo_jupyter
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.errors import DiskFull, FolderNotWritable, RunLogError, RunNotFound
from hailuo_jupyter.record import Record, prepare
from hailuo_jupyter.runlog import Row, RunLog, connection, peek_unfinished
from hailuo_jupyter.states import State

SEGMIND = catalogue.provider("segmind")
REQUEST = request.build("a cat", SEGMIND, options={})
KIND = REQUEST.kind
ROOT = Path(hailuo_jupyter.__file__).parents[1]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[RunLog]:
    with RunLog(tmp_path / "data" / "runs.sqlite3", clock=clock) as opened:
        yield opened


def make(
    run_id: str | None = None, notebook: str | None = "nb", provider: str = "segmind"
) -> Record:
    asked = request.build("a cat", catalogue.provider(provider), options={})
    return prepare(asked, run_id=run_id, origin={"notebook_id": notebook, "cell_id": "c1"})


def add(log: RunLog, run_id: str | None = None, notebook: str | None = "nb") -> Row:
    return log.insert(make(run_id, notebook), folder=Path("out"), kind=KIND, owner=None)


def send(log: RunLog, run_id: str, at: float = 100.0) -> Row:
    log.update(run_id, lambda r: r.moved(State.SUBMITTING, at=at))
    return log.update(run_id, lambda r: r.moved(State.SUBMITTED, at=at, job={"id": "job-1"}))


def finish(log: RunLog, run_id: str, at: float) -> Row:
    log.update(run_id, lambda r: r.moved(State.DOWNLOADING, at=at))
    return log.update(run_id, lambda r: r.moved(State.COMPLETED, at=at + 1))


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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
    assert log.insert(make("r1"), folder=folder, kind=KIND, owner=None).folder == folder


prompts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(prompts)
def test_the_log_gives_any_prompt_back(log: RunLog, prompt: str) -> None:
    record = make().changed(request={"prompt": prompt})
    log.insert(record, folder=Path("out"), kind=KIND, owner=None)
    assert log.get(record.run_id).record.request.prompt == prompt


def test_a_second_run_of_the_same_id_is_refused(log: RunLog) -> None:
    add(log, "r1")
    with pytest.raises(RunLogError, match="already"):
        add(log, "r1")
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
        lambda _: make("another"),
        lambda _: stale.changed(note="stale"),
    ):
        log.update(row.run_id, lambda r: r.changed(note="x"))
        before = log.get(row.run_id)
        with pytest.raises(ValueError, match=r"cannot go|not a later revision"):
            log.update(row.run_id, change)
        assert log.get(row.run_id) == before


def test_exclusive_is_one_step_that_an_exception_undoes(log: RunLog) -> None:
    row = add(log, "r1")

    def fail() -> None:
        with log.exclusive():
            add(log, "r2")
            log.update("r1", lambda r: r.changed(note="x"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert log.get("r1") == row
    assert log.find("r2") is None
    with log.exclusive():
        add(log, "r2")
    assert log.find("r2") is not None


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
    processes = [run(code, log.path) for _ in range(2)]
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
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def test_threads_and_processes_write_at_once_and_nothing_is_lost(log: RunLog) -> None:
    add(log, "r1")
    code = """
import sys
from pathlib import Path
from hailuo_jupyter.runlog import RunLog
with RunLog(Path(sys.argv[1])) as log:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(40):
        log.update("r1", lambda r: r.changed(position=(r.position or 0) + 1))
"""
    processes = [run(code, log.path) for _ in range(3)]
    stop = threading.Event()

    def write() -> None:
        for _ in range(20):
            log.update("r1", lambda r: r.changed(position=(r.position or 0) + 1))

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
    assert log.get("r1").record.position == 3 * 40 + 3 * 20
    assert log.get("r1").revision == 181


def test_a_killed_process_leaves_whole_transactions(log: RunLog) -> None:
    add(log, "r1")
    code = """
import sys
from pathlib import Path
from hailuo_jupyter.runlog import RunLog
log = RunLog(Path(sys.argv[1]))
with log.exclusive():
    log.update("r1", lambda r: r.changed(note="half"))
    print("ready", flush=True)
    sys.stdin.readline()
"""
    process = run(code, log.path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.communicate()
    assert log.get("r1").record.note is None
    assert log.update("r1", lambda r: r.changed(note="whole")).record.note == "whole"


# ── questions ────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_found_by_parts_of_its_id(log: RunLog) -> None:
    for run_id in ("20261120-140312-7f3kq9", "20261120-140313-8aaaaa", "20261121-140313-8aaaab"):
        add(log, run_id)
    for given_id in ("20261120-140312-7f3kq9", "7f3kq9", "7F3K", " 20261121 ", "20261120-140313"):
        assert log.get(given_id).run_id.startswith("2026112")
    assert log.get("7f3kq9").run_id == "20261120-140312-7f3kq9"
    assert log.find("7f3kq9") is None
    with pytest.raises(RunNotFound, match=r"More than one.*140312-7f3kq9.*140313-8aaaaa"):
        log.get("20261120")
    with pytest.raises(RunNotFound, match="Did you mean 20261120-140312-7f3kq9"):
        log.get("7f3kq8")
    for unknown in ("", "7f3", "%", "____", "zzzzzzzzzzzzzzzz"):
        with pytest.raises(RunNotFound, match="No run"):
            log.get(unknown)


def test_by_fingerprint_is_of_one_notebook(log: RunLog, clock: Clock) -> None:
    first = add(log)
    clock.now += 1
    second = add(log)
    alone = add(log, notebook=None)
    assert log.by_fingerprint("nb", REQUEST.fingerprint) == [second, first]
    assert log.by_fingerprint(None, REQUEST.fingerprint) == [alone]
    assert log.by_fingerprint("nb", "1:other") == []


def test_recent_and_count_filter_alike(log: RunLog) -> None:
    rows = [add(log, notebook=f"nb{n % 2}") for n in range(6)]
    send(log, rows[3].run_id)
    newest_first = [row.run_id for row in reversed(rows)]
    assert [row.run_id for row in log.recent()] == newest_first
    assert [row.run_id for row in log.recent(2)] == newest_first[:2]
    assert [row.run_id for row in log.recent(notebook_id="nb1")] == newest_first[::2]
    assert [row.run_id for row in log.recent(states={State.SUBMITTED})] == [rows[3].run_id]
    assert log.recent(provider="aimlapi") == log.recent(states=[]) == []
    assert log.count() == log.count(provider="segmind") == 6
    assert log.count(notebook_id="nb1", states={State.PREPARED}) == 2


def test_unfinished_until_the_end_or_until_told(log: RunLog) -> None:
    assert peek_unfinished(log.path) == 0
    rows = [add(log) for _ in range(3)]
    assert [row.run_id for row in log.unfinished()] == [row.run_id for row in rows]
    assert peek_unfinished(log.path) == 3
    log.tell([rows[0].run_id])
    log.update(rows[0].run_id, lambda r: r.changed(note="n"))
    send(log, rows[1].run_id)
    log.tell([rows[1].run_id])  # in flight: stays
    finish(log, rows[1].run_id, 200)
    send(log, rows[2].run_id)
    assert [row.run_id for row in log.unfinished()] == [rows[2].run_id]
    assert peek_unfinished(log.path) == 1
    send(log, rows[0].run_id)
    assert peek_unfinished(log.path) == 2


def test_what_a_process_holds_is_unfinished_until_it_lets_go(log: RunLog) -> None:
    """Else nobody would look for what it had still to do when it was killed after the end."""
    run_id = log.insert(make(), folder=Path("out"), kind=KIND, owner="1-00000000").run_id
    send(log, run_id)
    finish(log, run_id, 200)
    assert [(row.state, row.owner) for row in log.unfinished()] == [(State.COMPLETED, "1-00000000")]
    assert peek_unfinished(log.path) == 1
    assert log.claim([run_id], "2-00000000") == [run_id], "the first one is dead"
    log.release(run_id, "1-00000000")
    assert peek_unfinished(log.path) == 1
    assert log.release(run_id, "2-00000000").owner is None
    assert log.unfinished() == []
    never_sent = log.insert(make(), folder=Path("out"), kind=KIND, owner="1-00000000").run_id
    log.release(never_sent, "1-00000000")
    assert [row.run_id for row in log.unfinished()] == [never_sent]


def test_a_change_may_be_its_owners_alone(log: RunLog) -> None:
    run_id = log.insert(make(), folder=Path("out"), kind=KIND, owner="1-00000000").run_id

    def sent(by: str) -> State:
        return log.update(run_id, lambda r: r.moved(State.SUBMITTING), only_by=by).state

    assert sent("2-00000000") is State.PREPARED
    assert sent("1-00000000") is State.SUBMITTING
    log.release(run_id, "1-00000000")
    assert log.update(run_id, lambda r: r.changed(note="n"), only_by="1-00000000").revision == 2


def test_durations_are_of_watched_real_runs(log: RunLog, clock: Clock) -> None:
    for end in (150.5, 160.0, 90.0):  # the last one: the clock was set back
        clock.now += 1
        run_id = add(log).run_id
        send(log, run_id, at=100)
        finish(log, run_id, end)
    taken_over = add(log).run_id
    send(log, taken_over)
    assert log.claim([taken_over], "1-00000000") == [taken_over]
    finish(log, taken_over, 9999)
    demo = log.insert(make(provider="demo"), folder=Path("out"), kind=KIND, owner=None).run_id
    send(log, demo)
    finish(log, demo, 109)
    assert log.durations(KIND) == [60.0, 50.5]
    assert log.durations(KIND, limit=1) == [60.0]
    assert log.durations("other") == []


def test_changed_since_misses_nothing_when_the_clock_goes_back(log: RunLog, clock: Clock) -> None:
    first, second = add(log), add(log)
    seen = log.changed_since(0.0)
    assert [row.run_id for row in seen] == [first.run_id, second.run_id]
    clock.now -= 3600
    log.update(first.run_id, lambda r: r.changed(note="x"))
    assert [row.run_id for row in log.changed_since(seen[-1].updated)] == [first.run_id]


def test_questions_use_indexes(log: RunLog) -> None:
    asked: list[str] = []
    assert log._connection is not None
    log._connection.set_trace_callback(asked.append)
    log.recent()
    log.recent(notebook_id="nb")
    log.recent(states={State.QUEUED}, provider="segmind")
    log.by_fingerprint(None, "1:x")
    log.by_fingerprint("nb", "1:x")
    log.unfinished()
    log.durations(KIND)
    log.changed_since(5.0)
    with pytest.raises(RunNotFound):
        log.get("20261120")
    log._connection.set_trace_callback(None)
    assert len(asked) >= 9
    for statement in asked:
        plan = [row[3] for row in log._connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert all("USING" in step for step in plan if step.startswith(("SCAN", "SEARCH"))), plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, statement


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_file_and_new_folder_are_the_users_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o755)
    for folder, mode in ((tmp_path / "a" / "new", 0o700), (kept, 0o755)):
        with RunLog(folder / "runs.sqlite3") as log:
            add(log)
            files = sorted(folder.iterdir())
            assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600] * len(files)
        assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_commits_are_on_disk_and_readers_do_not_wait(log: RunLog) -> None:
    assert log._connection is not None
    assert log._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert log._connection.execute("PRAGMA synchronous").fetchone()[0] == 2


@pytest.mark.skipif(os.name != "posix", reason="this access layer of SQLite is POSIX")
def test_a_file_system_without_shared_memory_will_do(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    with RunLog(path, vfs="unix-dotfile") as log, RunLog(path, vfs="unix-dotfile") as other:
        assert log._connection is not None
        assert log._connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        add(log, "r1")
        other.update("r1", lambda r: r.changed(note="x"))
        assert log.get("r1").record.note == "x"


def test_a_full_disk_is_told_and_the_log_goes_on(log: RunLog) -> None:
    assert log._connection is not None
    add(log, "r1")
    (pages,) = log._connection.execute("PRAGMA page_count").fetchone()
    log._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull, match=r"no space.*nothing was sent again"):
        log.update("r1", lambda r: r.changed(note="x" * 1_000_000))
    assert log.get("r1").revision == 1
    log._connection.execute("PRAGMA max_page_count = 1000000")
    assert log.update("r1", lambda r: r.changed(note="x" * 1_000_000)).revision == 2


def test_a_log_that_may_not_be_changed_is_told(log: RunLog) -> None:
    assert log._connection is not None
    log._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(FolderNotWritable, match="does not take changes"):
        add(log)


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderNotWritable, match="HAILUO_RUN_LOG"):
        RunLog(tmp_path / "file" / "runs.sqlite3")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunLogError, match="cannot be opened"):
        RunLog(tmp_path / "folder")


def test_a_log_held_by_another_is_told_in_words(
    log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.05)
    with RunLog(log.path) as hasty, log.exclusive(), pytest.raises(RunLogError) as caught:
        add(hasty)
    assert "Another process kept the run log" in str(caught.value)
    assert "locked" not in str(caught.value)


def test_a_closed_log_says_so(log: RunLog) -> None:
    log.close()
    log.close()
    with pytest.raises(RunLogError, match="closed"):
        log.recent()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_opens_the_log_anew(log: RunLog) -> None:
    add(log, "r1")
    child = os.fork()
    if child == 0:
        try:
            inherited = log._connection  # the hook after the fork has let go of it
            log.update("r1", lambda r: r.changed(note="child"))
            os._exit(0 if inherited is None else 2)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert log.get("r1").record.note == "child"
    log.update("r1", lambda r: r.changed(note="parent"))
    assert log._connection is not None
    assert log._connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_peeking_makes_nothing_and_never_fails(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    assert peek_unfinished(path) == 0
    assert not path.exists()
    path.write_bytes(b"no database" * 100)
    assert peek_unfinished(path) == 0
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE x (y)")
    other.close()
    assert peek_unfinished(tmp_path / "other") == 0


def test_the_log_is_cheap_to_import() -> None:
    code = """
import sys, hailuo_jupyter.runlog
print([name for name in ("pydantic", "httpx", "PIL", "av", "IPython") if name in sys.modules])
"""
    out, errors = run(code).communicate(timeout=60)
    assert out == "[]\n", errors
