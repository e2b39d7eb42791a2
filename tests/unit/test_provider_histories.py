"""The providers' histories and accounts, with bytes alone: what is asked, and how answers are read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import JobExpired, KeyRefused, ProviderDown, ProviderError, RateLimited
from hailuo_jupyter.providers.aimlapi import AimlApi
from hailuo_jupyter.providers.base import Call, Reply
from hailuo_jupyter.providers.history import HistoryPage, HistoryRow, moment
from hailuo_jupyter.providers.segmind import Segmind

ADDRESSES = {role: f"https://{role}.example" for role in ("api", "storage", "history")}
SEGMIND = Segmind(catalogue.provider("segmind"), ADDRESSES)
AIMLAPI = AimlApi(catalogue.provider("aimlapi"), ADDRESSES)
NOON = 1_790_000_000.0 - 1_790_000_000.0 % 86400 + 43200


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, content)


def query(url: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def row(**changes: Any) -> dict[str, Any]:
    return {
        "request_id": "r-1",
        "model_name": "minimax-hailuo-2",
        "model_status": "COMPLETED",
        "credits_deduction": 0.3875,
        "request_body": {"prompt": "a cat"},
        "generation_url": "https://elsewhere.example/clip.mp4",
        "model_created": "2026-09-20T12:00:00Z",
        "error": None,
        **changes,
    }


def log_row(**changes: Any) -> dict[str, Any]:
    return {
        "created": "2026-09-20T12:00:00Z",
        "status": "succeeded",
        "cost": {"usd": 0.294, "credits": 588000},
        "inference_id": "12:minimax/hailuo-02",
        "client_request_id": "ours",
        **changes,
    }


# ── what is asked ──────────────────────────────────────────────────────────────────────────────


def test_segminds_history_is_asked_at_its_own_host() -> None:
    call = SEGMIND.history(NOON - 60, NOON, 2)
    assert (call.method, call.body) == ("GET", None)
    assert call.url.startswith("https://history.example/request-history?")
    asked = query(call.url)
    day = moment(asked.pop("from_date") + "T00:00:00")
    assert day == NOON - 43200 - 86400  # a day's margin for the server's time zone
    assert asked == {
        "page": "3",
        "per_page": "100",
        "model_name": "minimax-hailuo-2",
        "sort_by": "model_created",
        "sort_order": "desc",
    }
    # 31 days are the most that it shows.
    long_ago = query(SEGMIND.history(0.0, NOON, 0).url)["from_date"]
    assert (moment(long_ago + "T00:00:00") or 0) > NOON - 31 * 86400


def test_aimlapis_log_is_asked_for_the_time_in_question() -> None:
    asked = query(AIMLAPI.history(NOON - 60, NOON, 1).url)
    assert (moment(asked["start"]), moment(asked["end"])) == (NOON - 660, NOON + 600)
    assert (asked["limit"], asked["offset"]) == ("100", "100")
    start = moment(query(AIMLAPI.history(0.0, NOON, 0).url)["start"])
    assert start is not None
    assert start > NOON - 92 * 86400


# ── how it is read ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("envelope", [lambda rows: {"data": rows}, lambda rows: rows,
                                      lambda rows: {"generations": rows}])  # fmt: skip
def test_segminds_rows(envelope: Any) -> None:
    page = SEGMIND.read_history(reply(envelope([row(), row(), row(request_id="r-2")])))
    assert page == HistoryPage(
        tuple(
            HistoryRow(
                name,
                at=moment("2026-09-20T12:00:00Z"),
                outcome="completed",
                cost_usd=0.3875,
                body={"prompt": "a cat"},
                link="https://elsewhere.example/clip.mp4",
            )
            for name in ("r-1", "r-2")  # several outputs repeat a request, each with its whole cost
        ),
        more=False,
    )
    assert "elsewhere" not in repr(page)
    assert SEGMIND.read_history(reply({"data": [row(request_id=str(n)) for n in range(100)]})).more


@pytest.mark.parametrize(
    ("changes", "outcome", "cost"),
    [
        ({"model_status": "FAILED", "credits_deduction": 0}, "failed", 0.0),
        ({"model_status": "FAILED", "credits_deduction": 0.2}, "failed", 0.2),
        ({"model_status": "PENDING"}, "active", None),
        ({"credits_deduction": None}, "completed", None),
        ({"credits_deduction": 0}, "completed", None),  # not filled in yet, maybe
        ({"credits_deduction": -1}, "completed", None),
        ({"credits_deduction": "0.3"}, "completed", None),
        ({"model_status": "PAUSED"}, "unknown", None),
    ],
    ids=str,
)
def test_what_segmind_says_of_the_cost(
    changes: dict[str, Any], outcome: str, cost: float | None
) -> None:
    (found,) = SEGMIND.read_history(reply({"data": [row(**changes)]})).rows
    assert (found.outcome, found.cost_usd) == (outcome, cost)


def test_a_row_by_id_tells_where_a_finished_clip_lies() -> None:
    call = SEGMIND.history_row("a/b c")
    assert call == Call("GET", "https://history.example/request-history/a%2Fb%20c")
    for body in (row(), {"data": row()}):
        found = SEGMIND.read_history_row(reply(body))
        assert (found.job_id, found.outcome) == ("r-1", "completed")
        assert found.link == row()["generation_url"]
        assert "https" not in repr(found), "links are not shown"
    for changes in ({"generation_url": None}, {"model_status": "FAILED"}, {"generation_url": "x"}):
        assert SEGMIND.read_history_row(reply(row(**changes))).link is None
    for nothing in ({}, [], {"data": []}, {"data": None}, {"status": "COMPLETED"}):
        with pytest.raises(ProviderDown):
            SEGMIND.read_history_row(reply(nothing))
    with pytest.raises(JobExpired):
        SEGMIND.read_history_row(Reply(404, {}, b'{"error": "Request not found"}'))
    assert AIMLAPI.history_row("r-1") is None
    assert (SEGMIND.shows_clips, AIMLAPI.shows_clips) == (True, False)


def test_segminds_rows_in_other_shapes() -> None:
    rows = [
        row(request_body='{"prompt": "a dog"}', model_created=None, created_at="2026-09-20"),
        row(request_id="r-2", model_name="other-model"),
        row(request_id="..", request_body="{", model_created="soon", error="SG_zyxwvutsrq bad"),
        "no row",
    ]
    first, last = SEGMIND.read_history(reply({"data": rows})).rows
    assert (first.body, first.at) == ({"prompt": "a dog"}, moment("2026-09-20"))
    assert (last.job_id, last.body, last.at, last.words) == (None, None, None, "[redacted] bad")


@pytest.mark.parametrize(
    ("changes", "outcome", "cost"),
    [
        ({}, "completed", 0.294),
        ({"cost": {"credits": 588000}}, "completed", 0.294),
        ({"cost": None}, "completed", None),
        ({"cost": 588000}, "completed", None),  # of no known unit
        ({"cost": {"usd": 0}}, "completed", None),
        ({"status": "failed", "cost": {"usd": 0}}, "failed", 0.0),
        ({"status": "running"}, "unknown", None),
    ],
    ids=str,
)
def test_aimlapis_rows(changes: dict[str, Any], outcome: str, cost: float | None) -> None:
    body = {"data": [log_row(**changes)], "pagination": {"has_more": True}}
    page = AIMLAPI.read_history(reply(body))
    assert page.more
    (found,) = page.rows
    assert (found.outcome, found.cost_usd) == (outcome, cost)
    assert (found.job_id, found.client_request_id) == ("12:minimax/hailuo-02", "ours")


@pytest.mark.parametrize("wire", [SEGMIND, AIMLAPI], ids=["segmind", "aimlapi"])
def test_what_is_no_history(wire: Segmind | AimlApi) -> None:
    for status, kind in {401: KeyRefused, 403: KeyRefused, 429: RateLimited}.items():
        with pytest.raises(kind):
            wire.read_history(reply({"error": "no"}, status))
    for body in (b"<html>", {}, {"data": {}}, {"data": None}, "text", 5, b""):
        with pytest.raises(ProviderDown):
            wire.read_history(reply(body))
    with pytest.raises(ProviderDown):
        wire.read_history(reply({"data": []}, 500))
    assert not wire.read_history(reply({"data": []})).rows


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NAMES = sorted({*row(), *log_row()})


@given(rows=st.lists(st.dictionaries(st.sampled_from(NAMES), ANYTHING) | ANYTHING, max_size=4))
@example(rows=[{"credits_deduction": float("nan"), "model_created": "9999-12-31T23:59:59-12:00"}])
def test_whatever_stands_there_is_read_without_a_crash(rows: list[Any]) -> None:
    for wire in (SEGMIND, AIMLAPI):
        for found in wire.read_history(reply({"data": rows})).rows:
            assert found.cost_usd is None or 0 <= found.cost_usd < 1e12
            assert found.job_id is None or isinstance(found.job_id, str)


# ── what a poll tells of the cost ──────────────────────────────────────────────────────────────

ENDED = {"id": "1", "status": "completed", "video": {"url": "https://cdn.example/c.mp4"}}


@pytest.mark.parametrize(
    ("body", "headers", "cost"),
    [
        (ENDED, {"x_aimlapi_usd_spent": "0.294"}, 0.294),
        (ENDED, {"x_aimlapi_credits_used": "588000"}, 0.294),
        (ENDED, {"x_aimlapi_usd_spent": "0", "x_aimlapi_credits_used": "588000"}, 0.294),
        ({**ENDED, "meta": {"usage": {"credits_used": 1000000}}},
         {"x_aimlapi_usd_spent": "9"}, 0.5),
        (ENDED, {"x_aimlapi_usd_spent": "0"}, None),  # the poll itself is free
        (ENDED, {"x_aimlapi_usd_spent": "much"}, None),
        (ENDED, {"x_aimlapi_usd_spent": "-1"}, None),
        (ENDED, {"x_aimlapi_usd_spent": "NaN"}, None),
        (ENDED, {"x_aimlapi_usd_spent": "[" * 5000}, None),
        (ENDED, {}, None),
        ({"id": "1", "status": "generating"}, {"x_aimlapi_usd_spent": "0.294"}, None),
    ],
    ids=range(11),
)  # fmt: skip
def test_the_headers_of_an_ended_job(
    body: dict[str, Any], headers: dict[str, str], cost: float | None
) -> None:
    assert AIMLAPI.news(reply(body, **headers)).cost_usd == cost


# ── the account ────────────────────────────────────────────────────────────────────────────────


def test_what_is_left_in_the_account() -> None:
    assert SEGMIND.balance().url == "https://api.example/v1/get-user-credits"
    assert SEGMIND.read_balance(reply({"credits": 12.5, "free-credits": 0.018})) == (
        "12.5 credits and 0.018 free credits"
    )
    assert SEGMIND.read_balance(reply({"credits": 0})) == "0 credits"
    assert AIMLAPI.balance().url == "https://api.example/v2/billing"
    left = {"current_balance": 7.129, "currency": "USD"}
    assert AIMLAPI.read_balance(reply(left)) == "$7.13"
    for wire in (SEGMIND, AIMLAPI):
        for wrong in (reply({}), reply(b"<html>"), reply({"credits": "x"}), reply(left, 403)):
            if wire is SEGMIND or wrong.status == 403 or wrong.table != left:
                with pytest.raises(ProviderError):
                    wire.read_balance(wrong)
    with pytest.raises(ProviderError):
        AIMLAPI.read_balance(reply({**left, "currency": "EUR"}))


def test_moments() -> None:
    assert moment("1970-01-01T00:00:10Z") == moment("1970-01-01T00:00:10") == 10.0
    assert moment("1970-01-01T01:00:10+01:00") == 10.0
    assert moment("1970-01-01 00:00:10.5") == 10.5
    for value in (None, 5, "", "soon", []):
        assert moment(value) is None
