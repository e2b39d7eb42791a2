from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import hailuo_jupyter
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.errors import RunLogError
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog, migrations, schema
from hailuo_jupyter.runlog.search import Search, Sort

ROOT = Path(hailuo_jupyter.__file__).parents[1]
NAMES = [name for name, _ in migrations.MIGRATIONS]


def tables(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as connection:
        found = dict(
            connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        )
    connection.close()
    return found


def applied(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        found = [
            name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY rowid")
        ]
    connection.close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite3"


def add(log: RunLog) -> str:
    asked = request.build("a cat", catalogue.provider("segmind"), options={})
    return log.insert(prepare(asked), folder=Path("out"), kind=asked.kind, owner=None).run_id


def test_the_steps_have_an_order_that_names_cannot_break() -> None:
    assert sorted(NAMES) == NAMES
    assert len(set(NAMES)) == len(NAMES)


def test_an_empty_file_becomes_a_log(path: Path) -> None:
    path.touch()
    RunLog(path).close()
    assert applied(path) == NAMES


@pytest.mark.parametrize("steps", range(len(NAMES) + 1))
def test_every_older_log_gets_the_present_tables(
    path: Path, tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:steps])
        RunLog(path).close()
    assert (applied(path) if steps else []) == NAMES[:steps]
    with RunLog(path) as log:
        assert log.get(add(log)).record.request.prompt == "a cat"
    RunLog(tmp_path / "new").close()
    assert tables(path) == tables(tmp_path / "new")
    assert applied(path) == NAMES


def test_a_log_of_the_first_schema_is_taken_over_with_all_that_it_holds(path: Path) -> None:
    # Written by the version that had two steps.
    dump = Path(__file__).with_name("first_schema.sql").read_text(encoding="utf-8")
    with sqlite3.connect(path) as connection:
        connection.executescript(dump)
    connection.close()
    assert applied(path) == ["0001_runs", "0002_pacing"]
    with RunLog(path) as log:
        done, failed, unsent = log.rows([f"20260921-{tail}" for tail in TAILS])
        assert [each.record.request.prompt[:9] for each in (done, failed, unsent)] == [
            "A heron l", "A failed ", "Never sen",
        ]  # fmt: skip
        for row in (done, failed, unsent):
            # Every column holds what it would hold if the run were written today.
            expected = schema.columns(row.record)
            for name, held in stored(log, row.run_id).items():
                if name == "tags":
                    assert json.loads(held) == row.record.tags
                elif name != "record_json":  # left as it was written
                    assert held == expected[name], name
        assert stored(log, done.run_id)["took"] == 120.0
        for wanted in (
            Search(text="ÖDLAND"), Search(text="lifts off, slowly"), Search(tags=("sea",)),
            Search(text='"quoted"'), Search(text="best one"), Search(text="heron", sort=Sort.COST),
        ):  # fmt: skip
            assert [key.run_id for key in log.page(wanted).keys] == [done.run_id], wanted
        assert log.page(Search(sort=Sort.DURATION)).keys[0].run_id == done.run_id
        log.update(done.run_id, lambda record: record.changed(rating=5, tags=["sea", "chosen"]))
        assert [key.run_id for key in log.page(Search(rating=5, tags=("chosen",))).keys] == [
            done.run_id
        ]


TAILS = ("150000-aaaaa1", "160000-aaaaa2", "170000-aaaaa3")


def stored(log: RunLog, run_id: str) -> dict[str, Any]:
    """Give the columns of a run that follow from its record, as the file holds them."""
    assert log._connection is not None
    found = log._connection.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,))
    names = [column[0] for column in found.description]
    values = dict(zip(names, found.fetchone(), strict=True))
    known = schema.columns(log.get(run_id).record)
    return {name: values[name] for name in known}


def test_opening_again_changes_nothing(path: Path) -> None:
    with RunLog(path) as log:
        run_id = add(log)
    before = tables(path)
    with RunLog(path) as log:
        assert log.get(run_id).run_id == run_id
    assert tables(path) == before


def test_a_newer_versions_log_is_refused_and_left_alone(path: Path) -> None:
    RunLog(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO migrations VALUES ('9001_colours', '2030-01-01T00:00:00Z')")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(RunLogError, match=r"newer version.*9001_colours.*Update hailuo-jupyter"):
        RunLog(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE history (line TEXT)")
    connection.close()
    with pytest.raises(RunLogError, match="another program's"):
        RunLog(path)
    assert list(tables(path)) == ["history"]


def test_what_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"a text file\n" * 100)
    with pytest.raises(RunLogError, match="damaged, or no run log"):
        RunLog(path)
    assert path.read_bytes() == b"a text file\n" * 100


def test_a_step_that_fails_leaves_no_half(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ("0003_broken", ("CREATE TABLE half (x)", "CREATE TABLE half (x)"))
    with monkeypatch.context() as newer:
        newer.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
        with pytest.raises(RunLogError):
            RunLog(path)
    assert "half" not in tables(path)
    assert applied(path) == NAMES
    RunLog(path).close()


def test_opening_waits_for_a_reader_that_keeps_the_journal_as_it_is(path: Path) -> None:
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, applied TEXT NOT NULL)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM migrations").fetchall()
    leave = threading.Timer(0.3, reader.execute, ["COMMIT"])
    leave.start()
    with RunLog(path) as log:
        assert log.count() == 0
    leave.join()
    reader.close()


def test_four_processes_open_a_new_log_at_once(path: Path) -> None:
    code = """
import sys
import threading
from pathlib import Path
from hailuo_jupyter.runlog import RunLog
print("ready", flush=True)
for number in range(int(sys.stdin.readline())):
    RunLog(Path(f"{sys.argv[1]}{number}")).close()
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("10\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    for number in range(10):
        assert applied(Path(f"{path}{number}")) == NAMES
