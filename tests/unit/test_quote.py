"""A quote: every provider and model for one request, and nothing of the request is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from hailuo_jupyter import catalogue
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.errors import HailuoError, PromptError
from hailuo_jupyter.kernel.magics import run_cell
from hailuo_jupyter.kernel.quote import Quote, quote
from hailuo_jupyter.kernel.quote.offers import Wanted, offers_for, written
from hailuo_jupyter.settings import Hailuo

FRAME = "https://example.com/first.png"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_0123456789abcdef")
    for each in catalogue.providers()[1:]:
        for variable in each.key_variables:
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Hailuo.instance(), "run_log", str(tmp_path / "runs.sqlite3"))
    asked: list[str] = []
    monkeypatch.setattr(
        Engine, "refresh_prices", lambda _, *them: asked.extend(each.name for each in them)
    )
    monkeypatch.setattr(Engine, "submit", lambda *_: pytest.fail("something was submitted"))


def by_offer(found: Quote) -> dict[tuple[str, str], Any]:
    return {(row.provider, row.model): row for row in found.rows}


def test_every_provider_and_model_has_a_row() -> None:
    found = quote("A heron.", resolution="1080P")
    rows = by_offer(found)
    assert set(rows) == {(each.name, each.model_name) for each in catalogue.offers()}
    usual = rows["segmind", "hailuo-02"]
    assert (usual.can, usual.key, usual.low, usual.high) == (True, True, 0.3875, 0.625)
    assert (usual.width, usual.height, usual.seconds) == (1920, 1080, 6.0)
    assert (usual.differs, usual.choose) == ((), "--provider segmind --mode pro")
    assert (usual.price_kind, usual.price_as_of, usual.runs) == ("inferred", "2026-08", 0)
    assert not rows["aimlapi", "hailuo-02"].key
    assert rows["aimlapi", "h3"].differs == ("1440P instead of 1080P",)
    assert "First frame required" in rows["segmind", "hailuo-2.3-fast"].why_not
    # Those that can come first, and of these what is as wanted, the cheapest first.
    assert [row.can for row in found.rows] == sorted((row.can for row in found.rows), reverse=True)
    same = [row.high for row in found.rows if row.can and not row.differs]
    assert same == sorted(same)


def test_what_a_provider_lacks_is_replaced_by_the_nearest() -> None:
    rows = by_offer(quote("A heron.", duration=10))
    assert rows["segmind", "hailuo-02"].differs == ("6 s instead of 10 s",)
    assert rows["aimlapi", "hailuo-02"].choose == "--provider aimlapi --duration 10"
    assert rows["aimlapi", "hailuo-02"].differs == ()
    assert "--no-optimizer" not in rows["aimlapi", "hailuo-02"].choose


@pytest.mark.parametrize(
    ("asked", "can_not"),
    [
        ({"optimizer": False}, {"h3": "optimizer"}),
        ({"last": True, "first": True}, {"hailuo-2.3": "no last frame"}),
        ({"length": 2001}, {"hailuo-02": "limit is 2000"}),
        ({}, {"hailuo-02-fast": "First frame required"}),
    ],
)
def test_a_row_that_cannot_serve_the_request_says_why(
    asked: dict[str, Any], can_not: dict[str, str]
) -> None:
    wanted = {"options": {}, "length": 9, "first": False, "last": False, "optimizer": True} | asked
    found = offers_for(Wanted(**wanted), catalogue.provider("segmind"))
    for model, words in can_not.items():
        rows = [each for each in found if each.provider.model_name == model]
        assert rows
        assert all(words in each.why_not and each.options is None for each in rows)


def test_the_options_of_a_row_ask_for_just_that_clip() -> None:
    wanted = Wanted({"duration": "10"}, 9, first=True, last=False, optimizer=True)
    for each in offers_for(wanted, catalogue.provider("segmind")):
        assert each.options is not None
        named = dict(re.findall(r"--(\S+) (\S+)", written(each)))
        offer = catalogue.provider(named.pop("provider"), model=named.pop("model", None))
        assert offer == each.provider
        assert catalogue.validate_options(offer, named) == each.options


def test_it_is_shown_as_a_table_and_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    found = quote("A heron.", image=FRAME)
    text = repr(found)
    assert text.splitlines()[0] == "Who can make this clip. Nothing was sent; no charge."
    assert "SG_0123456789abcdef" not in text
    assert re.search(r"Segmind hailuo-2.3-fast +present +\$0.24 \(estimate, 2026-08\)", text)
    from hailuo_jupyter.kernel import context
    from hailuo_jupyter.kernel import quote as package

    monkeypatch.setattr(package.context, "frontend", lambda _: context.Frontend.INTERACTIVE)
    data = found._repr_mimebundle_()
    assert data["text/plain"] == text
    assert data["text/html"].count("<tr") == len(found.rows) + 1
    assert "frame&#39;s shape" in data["text/html"]
    same = sum(row.can and not row.differs for row in found.rows)
    assert same > 0
    for shown in (text, data["text/html"], found.html(with_options=False)):
        assert shown.count("as requested") == same
        assert "nothing" not in shown


@pytest.fixture
def ip() -> Iterator[InteractiveShell]:
    """A shell that ends with its test: other tests have none."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_the_magic_shows_it_and_sends_nothing(ip: InteractiveShell) -> None:
    with capture_output() as shown:
        run_cell("--quote --provider segmind", "A heron.", ip)
    assert "Who can make this clip" in shown.stdout or shown.outputs
    with pytest.raises(HailuoError, match="not for a sweep"):
        run_cell("--quote --sweep mode=standard,pro", "A heron.", ip)


def test_a_request_that_is_wrong_everywhere_is_an_error() -> None:
    with pytest.raises(PromptError, match="empty"):
        quote(" ")
    with pytest.raises(HailuoError, match="There is no model"):
        quote("A heron.", model="sora")
