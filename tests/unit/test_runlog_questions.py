"""What the run log is asked: by id, notebook, state, time and change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hailuo_jupyter.errors import RunNotFound
from hailuo_jupyter.runlog import RunLog, peek_unfinished
from hailuo_jupyter.runlog.queries import peek_notebook
from hailuo_jupyter.states import State
from tests.support.runlog_rows import KIND, REQUEST, Clock, add, finish, make, send


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[RunLog]:
    with RunLog(tmp_path / "data" / "runs.sqlite3", clock=clock) as opened:
        yield opened


def test_a_run_is_found_by_parts_of_its_id(log: RunLog) -> None:
    for run_id in ("20261120-140312-7f3kq9", "20261120-140313-8aaaaa", "20261121-140313-8aaaab"):
        add(log, run_id)
    for given_id in ("20261120-140312-7f3kq9", "7f3kq9", "7F3K", " 20261121 ", "20261120-140313"):
        assert log.get(given_id).run_id.startswith("2026112")
    assert log.get("7f3kq9").run_id == "20261120-140312-7f3kq9"
    assert log.find("7f3kq9") is None
    with pytest.raises(RunNotFound, match=r"Several .*140312-7f3kq9.*140313-8aaaaa"):
        log.get("20261120")
    with pytest.raises(RunNotFound, match="Did you mean 20261120-140312-7f3kq9"):
        log.get("7f3kq8")
    for unknown in ("", "7f3", "%", "____", "zzzzzzzzzzzzzzzz"):
        with pytest.raises(RunNotFound, match="Run not found"):
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


def test_whether_a_notebook_has_runs_is_known_without_opening_the_log(
    log: RunLog, tmp_path: Path
) -> None:
    add(log, notebook="nb1")
    assert peek_notebook(log.path, ["nb0", "nb1"])
    assert not peek_notebook(log.path, ["nb0"])
    assert not peek_notebook(log.path, [])
    assert not peek_notebook(tmp_path / "absent.sqlite3", ["nb1"])


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
