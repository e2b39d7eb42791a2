"""The run log's file: rights, disks, locks, forks, and what it costs to load."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hailuo_jupyter.errors import NOTHING_SENT, DiskFull, FolderNotWritable, RunLogError
from hailuo_jupyter.runlog import RunLog, connection, peek_unfinished
from tests.support.runlog_rows import R1, R2, Clock, add, run


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[RunLog]:
    with RunLog(tmp_path / "data" / "runs.sqlite3", clock=clock) as opened:
        yield opened


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
        add(log, R1)
        other.update(R1, lambda r: r.changed(note="x"))
        assert log.get(R1).record.note == "x"


def test_a_full_disk_is_told_and_the_log_goes_on(log: RunLog) -> None:
    assert log._connection is not None
    add(log, R1)
    (pages,) = log._connection.execute("PRAGMA page_count").fetchone()
    log._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull, match=r"No space.*nothing was sent again"):
        log.update(R1, lambda r: r.changed(note="x" * 1_000_000))
    assert log.get(R1).revision == 1
    log._connection.execute("PRAGMA max_page_count = 1000000")
    assert log.update(R1, lambda r: r.changed(note="x" * 1_000_000)).revision == 2


def test_a_log_that_may_not_be_changed_is_told(log: RunLog) -> None:
    assert log._connection is not None
    log._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(FolderNotWritable, match="cannot be written"):
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
    assert "locked by another process" in str(caught.value)
    assert "database is locked" not in str(caught.value)


def test_a_closed_log_says_so(log: RunLog) -> None:
    log.close()
    log.close()
    with pytest.raises(RunLogError, match="closed"):
        log.recent()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_opens_the_log_anew(log: RunLog) -> None:
    add(log, R1)
    child = os.fork()
    if child == 0:
        try:
            inherited = log._connection  # the hook after the fork has let go of it
            log.update(R1, lambda r: r.changed(note="child"))
            os._exit(0 if inherited is None else 2)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert log.get(R1).record.note == "child"
    log.update(R1, lambda r: r.changed(note="parent"))
    assert log._connection is not None
    assert log._connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps an open file")
@pytest.mark.parametrize("then", ["it is put back", "a new log"])
def test_a_run_is_not_added_to_a_file_that_no_one_finds(
    log: RunLog, tmp_path: Path, then: str
) -> None:
    add(log, R1)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    if then == "a new log":
        RunLog(log.path).close()
    with pytest.raises(RunLogError, match="was removed or replaced") as caught:
        add(log, R2)
    assert caught.value.money == NOTHING_SENT
    log.update(R1, lambda record: record.changed(note="known only here"))
    if then == "it is put back":
        (tmp_path / "elsewhere").rename(tmp_path / "data")
        add(log, R2)


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
