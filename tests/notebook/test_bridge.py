"""``hailuo.sync`` between a real kernel and a front end in its fewest lines: what each is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_front_end import FrontEnd

RUN = "%%hailuo --provider demo\nA heron crosses a bridge."
INSERT = "from hailuo_jupyter.kernel.comm import insert_below; print(insert_below('x = 1', 'c'))"


@pytest.fixture
def page(folder: Path, env: dict[str, str]) -> Iterator[FrontEnd]:
    with FrontEnd(folder, env) as running:
        assert running.run("%load_ext hailuo_jupyter").error is None
        yield running


def answered(page: FrontEnd, op: str) -> dict[str, Any]:
    """Wait for a message of a kind; gives the last one."""
    page.until(lambda: any(each["op"] == op for each in page.sync), 30)
    return [each for each in page.sync if each["op"] == op][-1]


def hello(page: FrontEnd, **more: Any) -> dict[str, Any]:
    """Say hello, and give the welcome."""
    page.sync.clear()
    page.say("hello", **{"id": "nb", "root": "/", "path": "", "known": {}, "shown": [], **more})
    return answered(page, "welcome")


def test_what_a_front_end_may_ask_for(page: FrontEnd) -> None:
    # Nobody has said hello, or not that it can: nothing is asked of it.
    assert page.run(INSERT).text == "False\n"
    welcome = hello(page)
    assert welcome["client"] == page.client_id
    assert welcome["notebook"] == "nb"
    assert (welcome["records"], welcome["bundles"]) == ([], [])
    assert welcome["can"] == ["rate", "price", "act", "tag", "sweep"]
    assert page.run(INSERT).text == "False\n"
    hello(page, can=["insert", "later"])
    assert page.run(INSERT).text == "True\n"
    said = answered(page, "insert")
    assert {name: said[name] for name in ("client", "text", "cell")} == {
        "client": page.client_id,
        "text": "x = 1",
        "cell": "c",
    }

    # What no version of ours sends is passed over, and the comm goes on.
    ours = {"hailuo.sync": 1}
    for odd in (None, [], "x", ours, {**ours, "op": 7}, {**ours, "op": "rate", "run_id": []}):
        page.say_anything(odd)
    wrong = {"id": 7, "root": "~nobody", "path": None, "known": [1], "shown": {"a": 1}}
    page.say_anything({**ours, "op": "hello", **wrong, "can": "insert"})
    page.say_anything({**ours, "op": "rate", "run_id": "../x", "rating": 9})
    page.say_anything({**ours, "op": "price", "ask": -1, "run_id": "../x", "source": None})
    page.say_anything({**ours, "op": "act", "ask": 1, "run_id": "x", "action": "burn"})
    page.say_anything({**ours, "op": "later", "more": 1})
    assert hello(page)["notebook"] == "nb"

    # A rating of a run that there is not comes back in words, to the one who asked.
    page.say("rate", run_id="20200101-000000-aaaaaa", rating=3)
    notice = answered(page, "notice")
    assert notice["client"] == page.client_id
    assert "wasn't saved" in notice["sentence"]


def test_a_rating_is_kept_and_told(page: FrontEnd) -> None:
    hello(page)
    cell = page.run(RUN)
    page.until(
        lambda: any(
            record["state"] == "completed"
            for each in page.sync
            if each["op"] == "news"
            for record in each["records"]
        ),
        30,
    )
    [run_id] = {record["run_id"] for each in page.sync for record in each.get("records", [])}
    mime = "application/vnd.hailuo.run+json"
    shown = next(each["data"] for each in cell.outputs if each["type"] == "display_data")[mime]
    revision = shown["revision"]

    # A stranger's notebook can bear another one's id. Until it is trusted it is told of the runs
    # alone that its trusted outputs show.
    assert hello(page)["records"] != []
    assert hello(page, trusted=False)["records"] == []
    assert len(hello(page, trusted=False, known={run_id: 0})["records"]) == 1
    output = {"runs": [[run_id, revision]], "embed": False}
    hello(page, known={run_id: revision}, shown=[output])
    for rating in (4, None):
        page.sync.clear()
        page.say("rate", run_id=run_id, rating=rating)
        page.until(
            lambda rating=rating: any(
                record["rating"] == rating and record["revision"] > revision
                for each in page.sync
                if each["op"] == "news"
                for record in each["records"]
            ),
            30,
        )
        news = [each for each in page.sync if each["op"] == "news"][-1]
        # The output is drawn anew with it, so that it is not behind for ever.
        assert [bundle[mime]["rating"] for bundle in news["bundles"]] == [rating]
        assert len([each for each in page.sync if each["op"] == "news"]) == 1


def test_a_page_is_answered_even_if_the_run_log_is_broken(
    page: FrontEnd, env: dict[str, str]
) -> None:
    log = Path(env["HAILUO_RUN_LOG"])
    log.parent.mkdir(exist_ok=True)
    log.write_text("no run log " * 100)
    assert hello(page)["records"] == []
    assert "isn't a run log" in answered(page, "notice")["sentence"]
    run_id = "20200101-000000-aaaaaa"
    page.say("act", ask=1, run_id=run_id, output=[], action="cancel", confirmed=False)
    acted = answered(page, "acted")
    assert (acted["ask"], "isn't a run log" in acted["problem"]) == (1, True)
    page.say("price", ask=2, run_id=run_id, source="%%hailuo\nA heron.")
    assert answered(page, "price")["ask"] == 2
    page.sync.clear()
    page.say("rate", run_id=run_id, rating=3)
    assert "wasn't saved" in answered(page, "notice")["sentence"]
    # An action of a newer page.
    act = {"op": "act", "ask": 3, "run_id": run_id, "action": "later"}
    page.say_anything({"hailuo.sync": 1, **act})
    page.until(lambda: any(each.get("ask") == 3 for each in page.sync), 30)
