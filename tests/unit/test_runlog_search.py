"""Runs are found, sorted and paged by the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import RunLog, search
from hailuo_jupyter.runlog.search import COUNTED, Search, Sort
from hailuo_jupyter.states import State


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(tmp_path / "runs.sqlite3", clock=Clock()) as opened:
        yield opened


def add(
    log: RunLog,
    prompt: str = "a cat",
    *,
    provider: str = "segmind",
    notebook: str | None = "nb",
    state: State = State.PREPARED,
    took: float | None = None,
    changes: dict[str, Any] | None = None,
    **how: Any,
) -> str:
    """Add a run a minute after the one before."""
    log._clock.now += 60  # type: ignore[attr-defined]
    at = log._clock()
    asked = request.build(prompt, catalogue.provider(provider), options={})
    record = prepare(asked, origin={"notebook_id": notebook}, at=at, **how)
    if took is not None:
        record = record.moved(State.SUBMITTING, at=at).moved(State.SUBMITTED, at=at)
        record = record.moved(State.DOWNLOADING, at=at + took)
    elif state is not State.PREPARED:
        record = record.moved(State.SUBMITTING, at=at).moved(state, at=at)
    if changes:
        record = record.changed(**changes)
    return log.insert(record, folder=Path("out"), kind=asked.kind, owner=None).run_id


def ids(log: RunLog, **wanted: Any) -> list[str]:
    page = log.page(Search(**wanted), limit=50)
    found = [key.run_id for key in page.keys]
    assert page.total == len(found) == log.found(Search(**wanted))
    assert [key.run_id for key in log.keys(Search(**wanted))] == found
    return found


# ── filters ──────────────────────────────────────────────────────────────────────────────────────


def test_every_filter_and_all_together(log: RunLog) -> None:
    one = add(log, "sea one", tags=["a", "b"], sweep="s", changes={"rating": 4})
    two = add(log, "sea two", provider="aimlapi", tags=["a"], state=State.REJECTED)
    since = log._clock()
    three = add(log, "sea three", notebook="other", tags=["b"], sweep="s", state=State.SUBMITTED)
    assert ids(log) == [three, two, one]
    assert ids(log, notebook_id="nb") == [two, one]
    assert ids(log, provider="aimlapi") == [two]
    assert ids(log, states=[State.REJECTED]) == [two]
    assert ids(log, states=[State.REJECTED, State.PREPARED]) == [two, one]
    assert ids(log, tags=("a",)) == [two, one]
    assert ids(log, tags=("a", "b")) == [one]
    assert ids(log, tags=("nothing",)) == []
    assert ids(log, since=since) == [three, two]
    assert ids(log, since=since + 1) == [three]
    assert ids(log, sweep="s") == [three, one]
    assert ids(log, rating=4) == [one]
    assert ids(log, rating=5) == []
    assert ids(log, text="SEA T") == [three, two]
    everything = {
        "notebook_id": "nb", "provider": "segmind", "states": [State.PREPARED], "tags": ("b", "a"),
        "text": "sea", "since": since - 60, "sweep": "s", "rating": 1,
    }  # fmt: skip
    for sort in Sort:
        assert ids(log, **everything, sort=sort) == [one]
        assert ids(log, **{**everything, "text": "sea t"}, sort=sort) == []


def test_orders_put_what_is_not_known_last(log: RunLog) -> None:
    cheap = add(log, provider="aimlapi", took=30.0, changes={"cost": {"actual": 0.1}, "rating": 5})
    dear = add(log, took=90.0, changes={"cost": {"actual": 0.9}, "rating": 1})
    unpaid = add(log, state=State.REJECTED)
    assert ids(log, sort=Sort.COST) == [dear, cheap, unpaid]
    assert ids(log, sort=Sort.COST, ascending=True) == [cheap, dear, unpaid]
    assert ids(log, sort=Sort.DURATION) == [dear, cheap, unpaid]
    assert ids(log, sort=Sort.DURATION, ascending=True) == [cheap, dear, unpaid]
    assert ids(log, sort=Sort.RATING) == [cheap, dear, unpaid]
    assert ids(log, sort=Sort.RATING, ascending=True) == [dear, cheap, unpaid]
    assert ids(log, ascending=True) == [cheap, dear, unpaid]


def test_an_sqlite_without_nulls_last_sorts_the_same(
    log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated = add(log, changes={"rating": 3})
    unrated = add(log)
    monkeypatch.setattr(search, "_NULLS_LAST", False)
    assert ids(log, sort=Sort.RATING, ascending=True) == [rated, unrated]


def test_a_known_cost_counts_before_an_estimate(log: RunLog) -> None:
    estimated = add(log)
    high = log.get(estimated).record.cost.estimate_high
    assert high is not None
    dearer = add(log, changes={"cost": {"actual": high + 0.01}})
    cheaper = add(log, changes={"cost": {"actual": high - 0.01}})
    assert ids(log, sort=Sort.COST) == [dearer, estimated, cheaper]


def test_pages_do_not_overlap_even_where_all_is_equal(log: RunLog) -> None:
    log._clock.now -= 60  # type: ignore[attr-defined]
    made = []
    for _ in range(7):
        made.append(add(log))
        log._clock.now -= 60  # type: ignore[attr-defined]
    pages = [log.page(Search(notebook_id="nb"), offset=at, limit=3) for at in (0, 3, 6, 9)]
    assert [key.run_id for page in pages for key in page.keys] == made[::-1]
    assert [page.total for page in pages] == [7, 7, 7, 7]
    assert [len(page.keys) for page in pages] == [3, 3, 1, 0]


def test_a_page_counts_no_further_than_it_is_told(
    log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "COUNTED", 3)
    for _ in range(4):
        add(log)
    assert log.page(Search(), limit=1).total is None
    assert log.page(Search(), limit=10).total == 4
    assert COUNTED > 3


def test_rows_come_in_the_order_asked_for(log: RunLog) -> None:
    one, two = add(log), add(log)
    assert [row.run_id for row in log.rows([two, "gone", one])] == [two, one]
    assert [row.run_id for row in log.rows([one, two])] == [one, two]
    assert log.rows([]) == []


def test_tags_follow_a_run_that_is_dated_anew(log: RunLog) -> None:
    old, new = add(log, tags=["sea"]), add(log, tags=["sea"])
    with log.exclusive() as connection:
        connection.execute("UPDATE runs SET created = created - 1000 WHERE run_id = ?", (new,))
    assert ids(log, tags=("sea",)) == [old, new]
    assert ids(log, tags=("sea",), text="a cat") == [old, new]


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


def test_text_is_a_part_of_prompt_name_note_or_a_tag(log: RunLog) -> None:
    run = add(log, "A heron\nlifts off", tags=["Sea side"], note="the best\none", name="grey_one")
    add(log, "another")
    for part in (
        "heron",
        "HERON",
        "heron lifts",
        "ero",
        "ift",
        "a side",
        "best one",
        "grey",
        "y_o",
    ):
        assert ids(log, text=part) == [run], part
    for part in ("off grey", "[", '"', "%", "her%n", "her_n", "herons", "one sea", "*", "heron*"):
        assert ids(log, text=part) == [], part


@pytest.mark.parametrize(
    "part", ["雨の夜", "夜", "ödland", "ÖDLAND", "mÖ", "ö", "é", "λόγος", "ΛΌΓΟΣ"]
)
def test_text_in_any_script_and_case(log: RunLog, part: str) -> None:
    run = add(log, "雨の夜、Ödland, schön. Möwe; Été à λόγος")
    add(log, "nothing of it")
    assert ids(log, text=part) == [run]


@pytest.mark.parametrize(
    "part",
    ['"', '""', "a\"b'c", "\\", "50%", "_", "%", "' OR 1=1 --", "AND", "NEAR(a b)", "c -d", "^x"],
)
def test_text_is_taken_literally(log: RunLog, part: str) -> None:
    run = add(log, f"before {part} after")
    assert ids(log, text=part) == ([run] if part.strip() else [])
    assert ids(log, text=part + "!") == []


letters = st.text(alphabet="ab C\"%_\\'*é雨", min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(prompt=letters, part=letters)
def test_text_is_found_exactly_where_it_stands(log: RunLog, prompt: str, part: str) -> None:
    assume(prompt.strip())
    run = add(log, f"x{prompt}x")
    assert (run in ids_of(log, part)) == (part.lower() in f"x{prompt}x".lower())


def ids_of(log: RunLog, part: str) -> list[str]:
    return [key.run_id for key in log.keys(Search(text=part))]


def test_text_follows_notes_and_tags_and_removed_runs(log: RunLog) -> None:
    run = add(log, "a heron", tags=["first"], state=State.REJECTED)
    log.update(run, lambda r: r.changed(note="a lighthouse", tags=["second"]))
    assert ids(log, text="lighthouse") == ids(log, text="second") == ids(log, text="heron") == [run]
    assert ids(log, text="first") == ids(log, tags=("first",)) == []
    log.update(run, lambda r: r.changed(note=None))
    assert ids(log, text="lighthouse") == []
    assert log.forget(run)
    assert ids(log, text="heron") == ids(log, tags=("second",)) == []
    again = add(log, "a fox")
    assert ids(log, text="fox") == [again]
    assert ids(log, text="heron") == []


def test_a_frequent_text_is_met_on_the_way(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_FEW", 2)
    runs = [add(log, f"the sea {number}", notebook=f"nb{number % 2}") for number in range(6)]
    add(log, "a wood")
    assert ids_of(log, "SEA") == runs[::-1]
    page = log.page(Search(text="sea", notebook_id="nb0"), limit=2)
    assert [key.run_id for key in page.keys] == [runs[4], runs[2]]
    assert page.total is None
    assert log.found(Search(text="sea")) == 6


# ── indexes ──────────────────────────────────────────────────────────────────────────────────────

WANTED = [
    *(Search(sort=sort, ascending=up) for sort in Sort for up in (False, True)),
    *(Search(notebook_id="nb", sort=sort) for sort in Sort),
    *(Search(notebook_id="nb", provider="segmind", states=[State.FAILED], rating=2, sort=s) for s in Sort),
    Search(provider="segmind"),
    Search(provider="segmind", states=[State.FAILED], since=5.0),
    Search(states=[State.FAILED]),
    Search(states=[State.FAILED, State.EXPIRED]),
    Search(since=5.0),
    Search(rating=3, sort=Sort.RATING),
    *(Search(sweep="s", notebook_id="nb", sort=sort) for sort in Sort),
    *(Search(tags=("a", "b"), provider="segmind", sort=sort) for sort in Sort),
    *(Search(text="heron", notebook_id="nb", tags=("a",), sort=sort) for sort in Sort),
    Search(text="heron"),
]  # fmt: skip


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(tmp_path / "runs.sqlite3", clock=Clock()) as log:
        for number in range(5):
            add(log, f"a heron {number}", tags=["a", "b"])
        yield log


def statements(log: RunLog, *asks: Any) -> list[str]:
    """Return the SQL of the SELECTs that some calls run."""
    said: list[str] = []
    assert log._connection is not None
    log._connection.set_trace_callback(said.append)
    for ask in asks:
        ask()
    log._connection.set_trace_callback(None)
    return [each for each in said if each.lstrip().upper().startswith("SELECT")]


def steps(log: RunLog, *asks: Any) -> list[str]:
    assert log._connection is not None
    return [
        step[3]
        for sql in statements(log, *asks)
        for step in log._connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    ]


def whole_scans(found: list[str]) -> list[str]:
    """Return the steps that read every run's row: a walk along an index, in its order, is none."""
    return [step for step in found if re.match(r"SCAN runs(?! USING (COVERING )?INDEX)", step)]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_page_reads_no_more_rows_than_it_must(traced: RunLog, wanted: Search) -> None:
    found = steps(
        traced,
        lambda: traced.page(wanted, limit=2),
        lambda: traced.found(wanted),
        lambda: traced.rows([key.run_id for key in traced.keys(wanted)]),
    )
    assert found
    assert not whole_scans(found)
    narrow = wanted.text or wanted.tags or wanted.notebook_id or wanted.sweep
    if not narrow:
        # In the index's own order: nothing of all runs has to be sorted to give the first page.
        assert not [step for step in found if step == "USE TEMP B-TREE FOR ORDER BY"], found
    elif not wanted.text:
        assert not [step for step in found if step.startswith("SCAN runs")], found
    if wanted.text:
        assert "SCAN texts" in found  # and then the runs by their ids


@pytest.mark.parametrize(
    ("index", "ask"),
    [
        ("runs_fingerprint", lambda log: log.by_fingerprint("nb", "1:x")),
        ("runs_unfinished", lambda log: log.unfinished()),
        ("runs_updated", lambda log: log.changed_since(5.0)),
        ("runs_kind", lambda log: log.durations("segmind")),
        ("sqlite_autoindex_runs_1", lambda log: log.find("20260101")),
        ("runs_tail", lambda log: log.fitting("abcd")),
        ("runs_(money_)?notebook", lambda log: log.recent(5, notebook_id="nb")),
        ("runs_(money|created)", lambda log: log.recent(5)),
        ("runs_fingerprint", lambda log: log.by_request("any")),
        ("sqlite_autoindex_runs_1", lambda log: log.fingerprints(["one", "two"])),
    ],
)
def test_other_queries_use_their_index(traced: RunLog, index: str, ask: Any) -> None:
    found = steps(traced, lambda: ask(traced))
    assert not whole_scans(found)
    assert any(re.search(f"INDEX {index}( |$)", step) for step in found), found


def test_a_transition_writes_only_what_has_changed(traced: RunLog) -> None:
    run = traced.page(Search(), limit=1).keys[0].run_id
    said: list[str] = []
    assert traced._connection is not None
    traced._connection.set_trace_callback(said.append)
    traced.update(run, lambda r: r.moved(State.SUBMITTING))
    traced._connection.set_trace_callback(None)
    (written,) = [each for each in said if each.startswith("UPDATE")]
    names = set(re.findall(r"(\w+) = ", written.partition(" WHERE ")[0]))
    assert names >= {"state", "revision", "updated", "record_json"}
    assert not names & {
        "prompt",
        "tags",
        "notebook_id",
        "provider",
        "fingerprint",
        "cost_low",
        "created",
    }


def test_a_commit_lasts(traced: RunLog) -> None:
    assert traced._connection is not None
    assert traced._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
