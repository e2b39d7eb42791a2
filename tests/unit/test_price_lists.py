"""Prices that a provider lists itself: how they are read, kept and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue import price_lists
from hailuo_jupyter.catalogue.price_lists import ListPrice, PriceList
from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.providers.price_list import prices
from hailuo_jupyter.settings import Hailuo

AIMLAPI = catalogue.provider("aimlapi")
SHORT: dict[str, str | int] = {"resolution": "768P", "duration": 6}


def listed(pricing: Any, **model: Any) -> tuple[ListPrice, ...]:
    entry = {"id": "minimax/hailuo-02", "pricing": pricing, **model}
    return prices(AIMLAPI, Reply(200, {}, json.dumps({"data": [{}, None, entry]}).encode()))


def variant(price: Any, when: Any = SHORT, **more: Any) -> dict[str, Any]:
    return {"variants": [{"when": when, "price": price, **more}]}


@pytest.mark.parametrize(
    ("pricing", "usd"),
    [
        (variant(0.4), 0.4),
        (variant(0.4, unit="video", per=1), 0.4),
        (variant(4, per=10), 0.4),
        (variant(0.05, unit="second"), 0.3),
        (variant(0.4, {"resolution": "768p", "duration": "6"}), 0.4),
        (variant(0.4, unit="token"), None),
        (variant(0.4, {"resolution": "512P"}), None),
        (variant(0.4, {"sound": True}), None),
        (variant(0), None),
        (variant(-1), None),
        (variant(float("nan")), None),
        (variant("0.4"), None),
        (variant(1e9), None),
        (variant(0.4, per=0), None),
        ({"variants": [None, 5], "currency": "USD"}, None),
        ({**variant(0.4), "currency": "EUR"}, None),
        (None, None),
        ([], None),
    ],
    ids=str,
)
def test_a_price_is_read_where_it_is_understood(pricing: Any, usd: float | None) -> None:
    assert listed(pricing) == (() if usd is None else (ListPrice(SHORT, usd),))


def test_a_fixed_price_and_an_alias() -> None:
    assert listed({"type": "fixed", "price": 0.4}) == (ListPrice({}, 0.4),)
    found = listed(variant(0.4), id="hailuo-02-new", aliases=["minimax/hailuo-02"])
    assert found == (ListPrice(SHORT, 0.4),)
    assert not listed(variant(0.4), id="minimax/hailuo-2.3")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": {}}', b'{"data": [[]]}'])
def test_what_is_no_list(body: bytes) -> None:
    assert prices(AIMLAPI, Reply(200, {}, body)) == ()


@pytest.fixture
def settings(tmp_path: Path) -> Hailuo:
    return Hailuo(run_log=str(tmp_path / "runs.sqlite3"))


def kept(settings: Hailuo, usd: float) -> Path:
    path = price_lists.path_of(settings, catalogue.provider("aimlapi"))
    price_lists.keep(path, PriceList("https://list.example", 1.0, "e", (ListPrice(SHORT, usd),)))
    return path


@pytest.mark.parametrize(("usd", "counted"), [(0.3, 0.364), (0.5, 0.5)])
def test_it_is_shown_and_a_budget_counts_the_larger_of_both(
    settings: Hailuo, usd: float, counted: float
) -> None:
    path = kept(settings, usd)
    price = price_lists.priced(AIMLAPI, settings).price(SHORT)
    assert (price.low, price.high, price.kind) == (usd, usd, "published")
    assert price.source == "https://list.example"
    assert price.counted == counted
    # A charge of another amount, or of another clip, confirms nothing.
    price_lists.confirm(path, SHORT, 0.4)
    price_lists.confirm(path, {**SHORT, "duration": 10}, usd)
    assert price_lists.priced(AIMLAPI, settings).price(SHORT).counted == counted
    price_lists.confirm(path, SHORT, usd)
    assert price_lists.priced(AIMLAPI, settings).price(SHORT).counted == usd


def test_a_new_price_is_to_be_confirmed_anew(settings: Hailuo) -> None:
    path = kept(settings, 0.3)
    price_lists.confirm(path, SHORT, 0.3)
    found = price_lists.read(path)
    assert found is not None
    same, other = ListPrice(SHORT, 0.3), ListPrice(SHORT, 0.31)
    assert [each.confirmed for each in found.renewed([same, other])] == [True, False]


def test_ones_own_price_comes_first_and_other_options_have_the_catalogues(settings: Hailuo) -> None:
    kept(settings, 0.3)
    long = {**SHORT, "duration": 10}
    assert price_lists.priced(AIMLAPI, settings).price(long) == AIMLAPI.price(long)
    settings.prices_usd = {"aimlapi/resolution=768P,duration=6": 0.2}
    assert price_lists.priced(AIMLAPI, settings).price(SHORT).counted == 0.2


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[" * 5000, b'{"url": "u", "at": "x", "etag": "", "prices": []}']
)
def test_a_file_that_cannot_be_read_is_none(settings: Hailuo, data: bytes) -> None:
    price_lists.path_of(settings, catalogue.provider("aimlapi")).write_bytes(data)
    assert price_lists.priced(AIMLAPI, settings) is AIMLAPI
