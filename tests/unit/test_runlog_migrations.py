"""A run log's tables: made new, opened as an earlier version left them, and changed by migrations."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

import hailuo_jupyter
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.errors import RunLogError
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog, schema
from hailuo_jupyter.runlog.inspect import inspect
from hailuo_jupyter.runlog.search import Search
from hailuo_jupyter.states import State

ROOT = Path(hailuo_jupyter.__file__).parents[1]
STORED = Path(__file__).with_name("stored")


def tables(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def applied(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY rowid")
        ]


def words(tables: dict[str, str]) -> dict[str, str]:
    """Return tables and indexes by name, however the lines of their SQL are broken."""
    return {
        name: re.sub(r"\s*([(),|])\s*", r"\1", " ".join(sql.split()))
        for name, sql in tables.items()
    }


def content(path: Path) -> dict[str, list[str]]:
    """Return the rows of every table."""
    with closing(sqlite3.connect(path)) as connection:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            name: sorted(map(repr, connection.execute(f"SELECT * FROM [{name}]"))) for name in names
        }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite3"


@pytest.fixture(params=["with its text index", "without"])
def stepwise(path: Path, request: pytest.FixtureRequest) -> Path:
    """A log that was made by thirteen migrations, with the text index that SQLite had or had not."""
    with closing(sqlite3.connect(path)) as connection:
        script = (STORED / "schema_0013.sql").read_text("utf-8")
        if request.param == "without":
            script = re.sub("CREATE VIRTUAL TABLE .*;\n", "", script)
        connection.executescript(script)
    return path


def add(log: RunLog, prompt: str = "a cat") -> str:
    asked = request.build(prompt, catalogue.provider("segmind"), options={})
    return log.insert(prepare(asked), folder=Path("out"), kind=asked.kind, owner=None).run_id


def found(log: RunLog, text: str) -> list[str]:
    return [key.run_id for key in log.keys(Search(text=text))]


def test_an_empty_file_becomes_a_log(path: Path) -> None:
    path.touch()
    RunLog(path).close()
    assert applied(path) == [*schema.BASE]


def test_a_new_log_has_the_tables_that_the_migrations_made(stepwise: Path, tmp_path: Path) -> None:
    RunLog(tmp_path / "new").close()
    index = "texts_index"
    expected = {name: sql for name, sql in tables(stepwise).items() if not name.startswith(index)}
    assert words(tables(tmp_path / "new")) == words(expected)
    assert applied(tmp_path / "new") == applied(stepwise)
    for table in expected:
        columns = f"SELECT * FROM pragma_table_xinfo('{table}')"
        with (
            closing(sqlite3.connect(stepwise)) as one,
            closing(sqlite3.connect(tmp_path / "new")) as other,
        ):
            assert other.execute(columns).fetchall() == one.execute(columns).fetchall(), table


def test_a_log_that_the_migrations_made_opens_unchanged(stepwise: Path) -> None:
    before = tables(stepwise), content(stepwise)
    RunLog(stepwise).close()
    assert inspect(stepwise).runs == 0
    assert (tables(stepwise), content(stepwise)) == before


def test_a_text_index_that_a_log_has_does_no_harm(stepwise: Path) -> None:
    with RunLog(stepwise) as log:
        heron, gull = add(log, "a heron"), add(log, "a gull")
        log.update(heron, lambda record: record.changed(note="a lighthouse", tags=["sea"]))
        log.update(gull, lambda record: record.moved(State.REJECTED))
        assert found(log, "lighthouse") == found(log, "HERON") == [heron]
        assert log.forget(gull)
        assert found(log, "gull") == []
        assert found(log, "sea") == [heron]


def test_a_text_index_with_content_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    shutil.copy(STORED / "runs.sqlite3", path)
    indexed = {name: rows for name, rows in content(path).items() if name.startswith("texts_index")}
    assert indexed
    with RunLog(path) as log:
        runs = log.recent()
        for row in runs:
            assert row.run_id in found(log, row.record.request.prompt[:20])
        new = add(log, "a heron that was not there before")
        assert found(log, "not there before") == [new]
        log.update(runs[0].run_id, lambda record: record.changed(note="an entirely other text"))
        assert found(log, "entirely other") == [runs[0].run_id]
        assert log.forget(runs[-1].run_id)
    after = {name: rows for name, rows in content(path).items() if name.startswith("texts_index")}
    assert after == indexed


@pytest.mark.parametrize("gone", [1, 2, 9, 12])
def test_a_log_from_before_the_first_version_is_refused_and_left_alone(
    path: Path, gone: int
) -> None:
    RunLog(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "DELETE FROM migrations WHERE name = ?", [(name,) for name in schema.BASE[-gone:]]
        )
    before = tables(path), content(path)
    with pytest.raises(RunLogError) as caught:
        RunLog(path)
    assert f"it lacks {schema.BASE[-gone]}" in caught.value.what
    assert "not changed, and nothing was sent" in caught.value.money
    assert "jupyter hailuo import FOLDER" in caught.value.todo
    with pytest.raises(RunLogError, match=r"before 0\.1\.0"):
        inspect(path)
    assert (tables(path), content(path)) == before


# ── migrations to come ────────────────────────────────────────────────────────────────────────────

COLOURS = ("0014_colours", ("ALTER TABLE runs ADD COLUMN colour TEXT", "CREATE TABLE colours (x)"))


def test_a_migration_is_applied_once_to_every_log(
    stepwise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunLog(tmp_path / "squashed").close()
    monkeypatch.setattr(schema, "MIGRATIONS", (COLOURS,))
    assert inspect(tmp_path / "squashed").limits == ()
    for path in (stepwise, tmp_path / "squashed", tmp_path / "new"):
        for _ in range(2):
            with RunLog(path) as log:
                assert log.get(run := add(log)).run_id == run
        assert applied(path) == [*schema.BASE, "0014_colours"]
        assert "colour TEXT" in tables(path)["runs"]
    assert words(tables(tmp_path / "new")) == words(tables(tmp_path / "squashed"))


def test_names_of_migrations_sort_in_their_order() -> None:
    names = [*schema.BASE, *(name for name, _ in schema.MIGRATIONS)]
    assert sorted(set(names)) == names


def test_a_migration_that_fails_leaves_no_half(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ("0014_broken", ("CREATE TABLE half (x)", "CREATE TABLE half (x)"))
    with monkeypatch.context() as newer:
        newer.setattr(schema, "MIGRATIONS", (broken,))
        with pytest.raises(RunLogError):
            RunLog(path)
        assert applied_or_none(path) is None
        newer.undo()
        RunLog(path).close()
        newer.setattr(schema, "MIGRATIONS", (broken,))
        with pytest.raises(RunLogError):
            RunLog(path)
    assert "half" not in tables(path)
    assert applied(path) == [*schema.BASE]
    RunLog(path).close()


def applied_or_none(path: Path) -> list[str] | None:
    return applied(path) if "migrations" in tables(path) else None


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
    with pytest.raises(RunLogError, match="is damaged or isn't a run log"):
        RunLog(path)
    assert path.read_bytes() == b"a text file\n" * 100


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
        assert applied(Path(f"{path}{number}")) == [*schema.BASE]
