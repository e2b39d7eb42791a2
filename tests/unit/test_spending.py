"""What was spent, added up by the run log; budgets; the person's own prices."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue import with_own_prices
from hailuo_jupyter.catalogue.types import Price
from hailuo_jupyter.engine import budget
from hailuo_jupyter.errors import BudgetExceeded, SettingsError
from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.ipynb.locate import Sidecar
from hailuo_jupyter.ipynb.verify import against_sidecar
from hailuo_jupyter.kernel.runs import costs
from hailuo_jupyter.record import Record, prepare
from hailuo_jupyter.request import build
from hailuo_jupyter.runlog import Owner, RunLog
from hailuo_jupyter.runlog.adopt import Adopted, adopt
from hailuo_jupyter.runlog.spending import Spending, Split
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import FINAL, State

DAY = 86400.0
NOON = datetime(2026, 11, 20, 12).timestamp()  # noqa: DTZ001 - local, as days are
SEGMIND = catalogue.provider("segmind")

Put = Callable[..., None]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog(tmp_path / "runs.sqlite3") as found:
        yield found


@pytest.fixture
def put(log: RunLog) -> Put:
    """Put a row of which only what costs read is true; no record is parsed for a sum."""
    return lambda **values: _put(log.path, **values)


def _put(path: Path, **values: Any) -> None:
    usual = {
        "run_id": f"run{_put.__dict__.setdefault('count', 0)}", "state": "completed",
        "revision": 1, "provider": "segmind", "kind": "", "fingerprint": "", "notebook_id": "n",
        "folder": "/", "created": NOON, "updated": NOON, "unfinished": 0, "record_json": "no JSON",
        "cost_kind": "inferred", "cost_low": 0.27, "cost_high": 0.5,
    }  # fmt: skip
    _put.__dict__["count"] += 1
    row = {**usual, **values}
    with sqlite3.connect(path) as connection:
        names = ", ".join(row)
        connection.execute(
            f"INSERT INTO runs ({names}) VALUES ({', '.join('?' * len(row))})",
            list(row.values()),
        )
    connection.close()


def test_each_state_counts_as_what_it_is(log: RunLog, put: Put) -> None:
    put(state="completed", cost_actual=0.39, cost_confirmed=1)
    put(state="completed", cost_kind="published")
    put(state="generating")
    put(state="undownloaded", cost_high=0.25)
    put(state="unconfirmed")
    put(state="submitting", owner="dead")  # maybe on its way
    put(state="failed")  # free, says the catalogue of the provider
    put(state="failed", provider="another", cost_low=0.25)  # nobody has said that it was free
    put(state="failed", provider="another", cost_actual=0.0, cost_low=0.125)
    put(state="failed", provider="another", cost_actual=0.0, cost_confirmed=1)
    put(state="failed", cost_actual=0.0)
    put(state="failed", cost_actual=0.1)
    put(state="generating", elsewhere=1)
    put(state="rejected")
    put(state="prepared")
    put(state="prepared", owner="dead")
    put(state="expired", cost_high=None, cost_kind="unknown")
    put(state="completed", provider="demo", cost_kind="free", cost_high=0.0)
    assert log.spending() == {
        (): Spending(
            runs=10,
            charged=pytest.approx(0.49),
            estimated=0.5 + 0.25 + 0.125,
            reserved=1.25,
            maybe=0.5,
            inferred=2.625 - 0.5,
            unknown=1,
            disputed=0.125,
        )
    }
    assert log.spending(elsewhere=True)[()] == Spending(runs=1, reserved=0.5, inferred=0.5)


#: What a poll has reported, and what a budget counts for it: low is 0.27, high is 0.5.
REPORTED = {0.0: 0.27, 0.000001: 0.27, 0.2699: 0.27, 0.3: 0.3, 0.5: 0.5, 1000.0: 1000.0}


@pytest.mark.parametrize(("reported", "counted"), REPORTED.items())
@pytest.mark.parametrize("state", ["completed", "downloading", "undownloaded", "expired"])
def test_a_reported_cost_does_not_loosen_a_limit(
    state: str, reported: float, counted: float, log: RunLog, put: Put
) -> None:
    put(state=state, cost_actual=reported)
    found = log.spending()[()]
    assert found.total == counted
    assert found.charged == (reported if reported == counted else 0)
    assert found.disputed == (counted if reported not in {0.3, 0.5} else 0)
    put(run_id="b", state=state, cost_actual=reported, cost_confirmed=1, notebook_id="confirmed")
    sure = log.spending(by=("notebook",))[("confirmed",)]
    assert (sure.total, sure.charged, sure.disputed) == (reported, reported, 0)


@pytest.mark.parametrize("reported", REPORTED)
def test_nor_does_one_that_comes_before_the_clip_is_made(
    reported: float, log: RunLog, put: Put
) -> None:
    for state in ("submitted", "queued", "generating", "unconfirmed"):
        put(state=state, cost_actual=reported)
    assert log.spending()[()].total == 4 * max(reported, 0.5)


def test_a_price_of_ones_own_replaces_the_estimate(log: RunLog, put: Put) -> None:
    put(cost_kind="user", cost_low=0.1, cost_high=0.1, cost_actual=0.0)
    assert log.spending()[()].total == 0.1
    put(cost_kind="user", cost_low=0.1, cost_high=0.1, cost_actual=0.25)
    assert log.spending()[()].total == 0.35


def test_a_refusal_says_what_it_rests_on(log: RunLog, put: Put) -> None:
    put(cost_actual=0.0)
    settings = Hailuo(budget_notebook_usd=0.5)
    limits = budget.budgets(settings, log, "n", NOON)
    with pytest.raises(BudgetExceeded) as caught:
        budget.check(PRICE, 1, limits, yes=False)
    assert (
        "Over budget: this clip could cost up to $0.39, and $0.23 of $0.50 for this"
        in caught.value.what
    )
    assert (
        "$0.27 is counted for clips whose reported cost is outside the estimate"
        in caught.value.what
    )
    assert "Hailuo.prices_usd" in caught.value.todo
    report = "\n".join(costs.cost_report(log, settings, NOON, notebook=("n",)).lines())
    assert "$0.27 is counted for clips whose reported cost is outside the estimate" in report
    assert (
        costs.cost_report(log, settings, NOON, notebook=("n",)).as_json()["whole"]["disputed"]
        == 0.27
    )
    put(run_id="b", notebook_id="m", cost_actual=0.3)
    with pytest.raises(BudgetExceeded) as caught:
        budget.check(PRICE, 1, budget.budgets(settings, log, "m", NOON), yes=False)
    assert "reported" not in caught.value.what


def test_what_a_living_process_is_about_to_send_is_reserved(
    log: RunLog, put: Put, tmp_path: Path
) -> None:
    owner = Owner(log.path)
    put(state="prepared", owner=owner.id)
    put(state="uploading", owner=owner.id)
    assert log.spending()[()].reserved == 1.0
    owner.close()
    assert not log.spending()


STATES = st.sampled_from([each.value for each in State])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "state": STATES,
            "provider": st.sampled_from(["segmind", "aimlapi", "another", "demo"]),
            "notebook_id": st.sampled_from([None, "a", "b"]),
            "created": st.sampled_from([NOON - 2 * DAY, NOON - DAY, NOON]),
            "owner": st.sampled_from([None, "living", "dead"]),
            "elsewhere": st.sampled_from([0, 0, 1]),
            "cost_low": st.sampled_from([None, 0.0625]),
            "cost_confirmed": st.sampled_from([0, 1]),
            "cost_kind": st.sampled_from(["inferred", "published", "user", "unknown"]),
            "cost_high": st.sampled_from([None, 0.25, 0.5]),
            "cost_actual": st.sampled_from([None, None, 0.0, 0.125, 2.0]),
        }
    ),
    max_size=12,
)


def counts(row: dict[str, Any]) -> bool:
    unsent = row["state"] in {"prepared", "uploading"}
    return not (
        row["provider"] == "demo"
        or row["elsewhere"]
        or row["state"] == "rejected"
        or (row["state"] == "failed" and amount(row) == 0)
        or (unsent and row["owner"] != "living")
    )


MADE = {"completed", "downloading", "undownloaded", "expired"}


def amount(row: dict[str, Any]) -> float | None:
    told, low, high = row["cost_actual"], row["cost_low"] or 0.0, row["cost_high"]
    if told is not None and row["cost_confirmed"]:
        return float(told)
    if row["state"] == "failed":
        return max(told or 0.0, low if row["provider"] == "another" else 0.0)
    if told is None:
        return None if high is None else float(high)
    return max(told, low if row["state"] in MADE else high or 0.0)


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows=ROWS, here=st.sampled_from(["all", None, "a"]), since=st.sampled_from([None, 0, 1]))
def test_sums_are_those_of_the_rows(
    log: RunLog, rows: list[dict[str, Any]], here: str | None, since: int | None
) -> None:
    moment = None if since is None else NOON - since * DAY
    with sqlite3.connect(log.path) as connection:
        connection.executescript("DELETE FROM runs; DELETE FROM forgotten")
    connection.close()
    for row in rows:
        _put(log.path, **row)
    wanted = [
        row
        for row in rows
        if counts(row)
        and (here == "all" or row["notebook_id"] == here)
        and (moment is None or row["created"] >= moment)
    ]
    inside: dict[str, Any] = {} if here == "all" else {"in_notebook": True, "notebook_id": here}

    def sums(*by: Split) -> dict[tuple[str | None, ...], Spending]:
        return log.spending(alive="living".__eq__, by=by, since=moment, **inside)

    whole = sums().get((), Spending())
    split = sums("notebook", "provider", "day")
    assert whole.runs == len(wanted)
    amounts = [amount(row) for row in wanted]
    assert whole.total == pytest.approx(sum(each or 0.0 for each in amounts))
    assert whole.charged == sum(
        row["cost_actual"] for row, each in zip(wanted, amounts, strict=True)
        if row["cost_actual"] is not None and row["cost_actual"] == each
    )  # fmt: skip
    assert whole.unknown == amounts.count(None)
    assert sum(split.values(), Spending()) == whole
    days = {datetime.fromtimestamp(row["created"]).strftime("%Y-%m-%d") for row in wanted}  # noqa: DTZ006
    assert {key[2] for key in split} == days
    # What was spent stays spent, whatever is forgotten of it.
    ended = [row.run_id for row in log.recent() if row.state in FINAL]
    assert all(map(log.forget, ended))
    assert (sums().get((), Spending()), sums("notebook", "provider", "day")) == (whole, split)


@pytest.mark.parametrize("by", [(), ("provider",), ("day",), ("notebook",)])
@pytest.mark.parametrize("in_notebook", [True, False])
@pytest.mark.parametrize("since", [None, 5.0])
def test_sums_read_an_index_and_no_record(
    log: RunLog, by: tuple[Split, ...], in_notebook: bool, since: float | None
) -> None:
    statements: list[str] = []
    with log._reading() as connection:
        connection.set_trace_callback(statements.append)
        log.spending(alive=bool, by=by, notebook_id="n", in_notebook=in_notebook, since=since)
        connection.set_trace_callback(None)
        plans = [
            connection.execute(f"EXPLAIN QUERY PLAN {each}").fetchall()[0][-1]
            for each in statements[-2:]
        ]
    assert "COVERING INDEX runs_money" in plans[0], plans
    assert plans[1].startswith("SCAN forgotten"), plans


def test_runs_that_a_history_could_tell_more_of(log: RunLog, put: Put) -> None:
    put(run_id="open", created=NOON)
    put(run_id="lost", state="unconfirmed", created=NOON + 1, provider="demo", cost_kind="free")
    put(run_id="told", cost_actual=0.5, cost_confirmed=1)
    put(run_id="reported", cost_actual=0.5, created=NOON - 0.5)
    put(run_id="going", state="queued")
    put(run_id="demo", cost_kind="free")
    put(run_id="old", created=NOON - DAY)
    assert log.unsettled(NOON - 1) == ["lost", "open", "reported"]
    assert log.unsettled(0.0, 1) == ["lost"]
    put(run_id="named", job_id="j", provider="aimlapi")
    assert log.known_jobs("aimlapi", ["j", "k"]) == {"j": "named"}
    assert not log.known_jobs("segmind", ["j"])


def test_what_is_forgotten_counts_on_and_tells_nothing_else(log: RunLog) -> None:
    origin = {"notebook_id": "nb", "notebook_path": "nb.ipynb"}
    made = prepare(build("a secret heron", SEGMIND, options={}), origin=origin, note="a secret")
    for state in (State.SUBMITTING, State.SUBMITTED, State.DOWNLOADING, State.COMPLETED):
        made = made.moved(state, job={"id": "a-job"})
    log.insert(made, folder=Path("out"), kind="k", owner=None)
    limits = Hailuo(budget_day_usd=9.0, budget_notebook_usd=9.0)

    def told() -> tuple[Any, ...]:
        now = time.time()
        return (
            costs.cost_report(log, limits, now, notebook=None),
            costs.cost_report(log, limits, now, notebook=("nb",)),
            log.known_jobs("segmind", ["a-job", "another"]),
        )

    before = told()
    assert before[0].whole.estimated > 0
    assert log.forget(made.run_id)
    assert log.find(made.run_id) is None
    assert told() == before
    assert not log.forget(made.run_id)
    with log._reading() as connection:
        assert "secret" not in repr(connection.execute("SELECT * FROM forgotten").fetchall())
    # Back from a notebook that has its record, it counts once, for the same budgets.
    forged = made.costing(estimate_low=0.0, estimate_high=0.0, actual=0.0, confirmed=True)
    document = json.loads(forged.to_json())
    document["times"] = dict.fromkeys(document["times"], "2020-01-01T00:00:00.000Z")
    document["origin"]["notebook_id"] = "another"
    for other in (
        {"state": "failed"},
        {"state": "prepared"},
        {"job": {**document["job"], "id": "x"}},
    ):
        with pytest.raises(ValueError, match="as completed when it was removed"):
            adopt(record_of({**document, **other}), Path("out"), log, clip_here=False)
    assert told() == before
    assert adopt(record_of(document), Path("out"), log, clip_here=False) is Adopted.NEW
    assert told() == before


def record_of(document: dict[str, Any]) -> Record:
    return Record.from_json(json.dumps(document))


# ── runs from elsewhere ────────────────────────────────────────────────────────────────────────


A, B = "20261120-140312-aaaaaa", "20261120-140312-bbbbbb"


def completed(run_id: str, job: str = "a-job", **cost: Any) -> Record:
    asked = build("a heron", SEGMIND, options={})
    made = prepare(asked, run_id=run_id, origin={"notebook_id": "nb"})
    for state in (State.SUBMITTING, State.SUBMITTED, State.DOWNLOADING, State.COMPLETED):
        made = made.moved(state, job={"id": job})
    return made.costing(**cost)


def test_what_was_made_elsewhere_counts_once_the_provider_knows_it(log: RunLog) -> None:
    stranger = completed(A, estimate_low=0.0, estimate_high=0.0, actual=0.0, confirmed=True)
    assert adopt(stranger, Path("out"), log, clip_here=False) is Adopted.NEW
    assert not log.spending()
    assert log.spending(elsewhere=True)[()].runs == 1
    row = log.find(A)
    assert row is not None
    assert (row.elsewhere, row.record.cost.actual, row.record.cost.confirmed) == (True, 0.0, False)
    assert log.unsettled(0.0) == [A], "the provider's history is asked"
    report = "\n".join(costs.cost_report(log, Hailuo(), time.time(), notebook=None).lines())
    assert "1 imported run ($0.00) not counted in any budget" in report
    # Its record is believed in nothing, now that it is known to be this user's own.
    row = log.take_as_own(A, PRICE)
    assert (row.elsewhere, row.revision) == (False, stranger.revision + 1)
    assert log.spending()[()].total == PRICE.low
    assert log.take_as_own(A, UNKNOWN) == row
    # It counts, forgotten or not.
    assert log.forget(A)
    assert log.spending()[()].total == PRICE.low


def test_a_newer_record_from_elsewhere_changes_no_cost_of_ones_own(log: RunLog) -> None:
    mine = completed(A)
    log.insert(mine, folder=Path("out"), kind="k", owner=None)
    before = log.spending()
    forged = mine.changed(rating=5).costing(estimate_low=0.0, actual=0.0, confirmed=True)
    assert adopt(forged, Path("out"), log, clip_here=False) is Adopted.NEWER
    assert log.spending() == before
    assert log.get(A).record.rating == 5


def test_a_record_that_claims_the_job_of_another_run_is_not_counted_beside_it(log: RunLog) -> None:
    log.insert(completed(A), folder=Path("out"), kind="k", owner=None)
    adopt(completed(B), Path("out"), log, clip_here=False)
    assert log.take_as_own(B, PRICE).elsewhere
    assert log.spending()[()].runs == 1


# ── budgets ────────────────────────────────────────────────────────────────────────────────────

PRICE = SEGMIND.price({"mode": "standard"})
UNKNOWN = Price(None, None, "unknown", "", "", "")
FREE = Price(0.0, 0.0, "free", "", "", "")


def standing(limit: float, **sums: Any) -> list[budget.Budget]:
    return [budget.Budget("today", "budget_day_usd", limit, Spending(**sums))]


def test_an_order_is_refused_whole_or_not_at_all() -> None:
    budget.check(PRICE, 2, standing(1.0, charged=0.225), yes=False)
    budget.check(PRICE, 0, standing(0.1, charged=9.0), yes=False)
    budget.check(FREE, 9, standing(0.1, charged=9.0), yes=False)
    budget.check(PRICE, 9, [], yes=False)
    with pytest.raises(BudgetExceeded, match=r"up to \$0\.78") as caught:
        budget.check(PRICE, 2, standing(1.0, charged=0.2251, reserved=0.0), yes=True)
    assert "these 2 clips" in caught.value.what
    assert (caught.value.code, "raise Hailuo.budget_" in caught.value.todo) == ("budget", True)


def test_a_price_that_nobody_knows() -> None:
    budget.check(UNKNOWN, 1, [], yes=False)
    with pytest.raises(BudgetExceeded, match="publishes no price"):
        budget.check(UNKNOWN, 1, standing(5.0), yes=False)
    budget.check(UNKNOWN, 1, standing(5.0), yes=True)
    with pytest.raises(BudgetExceeded, match="is unknown"):
        budget.check(UNKNOWN, 1, standing(5.0, charged=5.0), yes=True)


def test_budgets_as_they_are_set(log: RunLog, put: Put) -> None:
    put(notebook_id="n")
    put(notebook_id=None, created=NOON - DAY)
    settings = Hailuo()
    assert budget.budgets(settings, log, "n", NOON) == []
    settings.budget_notebook_usd, settings.budget_day_usd = None, 0.0
    assert budget.budgets(settings, log, "n", NOON) == []
    settings.budget_notebook_usd, settings.budget_day_usd = 2.0, 3.0
    notebook, day = budget.budgets(settings, log, None, NOON)
    assert (notebook.left, day.left) == (1.5, 2.5)
    assert day.spending.runs == 1


def test_midnight_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    for now in (NOON, NOON - 43199.0, NOON + 43199.0):
        assert budget.midnight(now) == NOON - 43200.0


# ── own prices ─────────────────────────────────────────────────────────────────────────────────


def test_own_prices_stand_in_for_the_catalogues() -> None:
    prices = {"segmind": 0.4, "Segmind/mode=PRO": 0.5, "aimlapi/duration=10, resolution=768p": 0.6}
    own = with_own_prices(SEGMIND, prices)
    standard, pro = (own.price({"mode": mode}) for mode in ("standard", "pro"))
    assert (standard.low, standard.high, standard.kind) == (0.4, 0.4, "user")
    assert (pro.high, pro.source) == (0.5, "your own price (Hailuo.prices_usd)")
    other = with_own_prices(catalogue.provider("aimlapi"), prices)
    assert other.price({"resolution": "768P", "duration": 10}).kind == "user"
    assert other.price({"resolution": "768P", "duration": 6}).kind == "inferred"
    demo = catalogue.provider("demo")
    assert with_own_prices(demo, prices) is demo
    assert with_own_prices(SEGMIND, {}) is SEGMIND
    twice = {"aimlapi/duration=6": 0.2, "aimlapi/resolution=768P": 0.3}
    fitting = with_own_prices(catalogue.provider("aimlapi"), twice)
    assert fitting.price({"resolution": "768P", "duration": 6}).high == 0.3
    assert pro.text == "$0.50 (your own price)"
    assert pro.sentence(2) == ("Price: $1.00 for 2 clips (your own price (Hailuo.prices_usd)).")
    assert UNKNOWN.sentence() == "Price: unpublished."


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("segmnd", "there is no provider 'segmnd'"),
        ("demo", "there is no provider"),
        ("segmind/duration=6", "no option 'duration'; it has mode"),
        ("aimlapi/duration=7", "can be 6, 10, and not '7'"),
        ("segmind/mode", "not ''"),
    ],
)
def test_a_key_that_means_nothing_is_told(key: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        with_own_prices(SEGMIND, {key: 0.4})


# ── the report ─────────────────────────────────────────────────────────────────────────────────


def test_a_renamed_notebook_goes_by_its_name_of_today(
    log: RunLog, put: Put, tmp_path: Path
) -> None:
    put(cost_actual=0.39, notebook_path="old.ipynb", notebook_id="0123456789")
    put(cost_actual=0.39, notebook_path="other.ipynb", notebook_id="9876543210")
    path = tmp_path / "new.ipynb"
    renamed = Notebook("abcdef", path, tmp_path, path.name, aliases=("0123456789",))
    report = costs.cost_report(log, Hailuo(), NOON, notebook=None, present=renamed)
    text = "\n".join(report.lines())
    assert "new.ipynb (01234567)" in text
    assert "other.ipynb (98765432)" in text
    assert "old.ipynb" not in text


def test_the_report_in_text_and_html(log: RunLog, put: Put) -> None:
    put(cost_actual=0.39, notebook_path="<b>\u202e.ipynb", notebook_id="0123456789")
    put(provider="aimlapi", state="unconfirmed", created=NOON - DAY, notebook_id=None)
    put(cost_high=None, cost_kind="unknown")
    settings = Hailuo(budget_day_usd=2.0, budget_notebook_usd=1.0)
    report = costs.cost_report(log, settings, NOON, notebook=None)
    text = "\n".join(report.lines())
    assert "<b>[U+202E].ipynb (01234567)" in text
    assert "0.50*" in text
    assert "1 run with an unknown price" in text
    assert "Budget for today (Hailuo.budget_day_usd): $2.00; $0.39 spent" in text
    assert "budget_notebook_usd" not in text
    html = report.html()
    assert "&lt;b&gt;[U+202E].ipynb" in html
    assert html.count('scope="col"') == 6
    assert html.count('scope="rowgroup"') == 3
    assert "<caption" in html
    for day in (NOON, NOON - DAY):
        assert f"{datetime.fromtimestamp(day, UTC).astimezone():%Y-%m-%d}" in html
    whole = report.as_json()["whole"]
    assert isinstance(whole, dict)
    assert (whole["runs"], whole["total"], whole["unknown"]) == (3, 0.89, 1)
    here = costs.cost_report(log, settings, NOON, notebook=("0123456789",))
    assert here.whole.runs == 1
    assert [part.heading for part in here.parts] == ["By day", "By provider"]
    assert "(Hailuo.budget_notebook_usd): $1.00; $0.39 spent or reserved, $0.61 left" in (
        "\n".join(here.lines())
    )


def test_a_long_report_adds_the_rest_up(log: RunLog, put: Put) -> None:
    for each in range(20):
        put(created=NOON - each * DAY, cost_actual=1.0, cost_confirmed=1)
    (days, _, _) = costs.cost_report(log, Hailuo(), NOON, notebook=None).parts
    assert len(days.lines) == 15
    assert days.lines[-1] == ("6 more", Spending(runs=6, charged=6.0))
    assert replace(days.lines[0][1], runs=1) == Spending(runs=1, charged=1.0)


def test_nothing_spent(log: RunLog) -> None:
    report = costs.cost_report(log, Hailuo(), NOON, notebook=(None,))
    assert report.lines()[0] == "This notebook: $0.00 spent."
    assert "$0.00 spent" in report.html()
    assert "No budget is set" in report.html()


def test_a_cost_that_was_told_later_makes_no_notebook_wrong() -> None:
    asked = build("a cat", SEGMIND, options={})
    made = prepare(asked, SEGMIND, at=NOON)
    told = made.changed(cost={"actual": 0.39, "actual_source": "Segmind's request history"})
    beside = Sidecar(Path("x.json"), told, "")
    ((_, text, wrong),) = against_sidecar(made, beside)
    assert ("hailuo sync" in text, wrong) == (True, False)
    changed = told.moved(State.REJECTED, at=NOON)
    ((_, _, wrong),) = against_sidecar(made, Sidecar(Path("x.json"), changed, ""))
    assert wrong
