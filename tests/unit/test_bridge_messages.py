"""What front ends send on ``hailuo.sync`` is read without trust: whatever it is, nothing escapes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hailuo_jupyter.kernel import bridge, origin
from hailuo_jupyter.kernel.bridge_messages import (
    CAN,
    PROTOCOL,
    TARGET,
    Hello,
    Other,
    Rate,
    Shown,
    message,
    read,
)
from hailuo_jupyter.kernel.open_notebooks import located
from hailuo_jupyter.kernel.outputs import bundles_now

#: JSON as a socket gives it, and what Python's reader takes besides: NaN, Infinity, half pairs.
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(st.one_of(st.sampled_from("~/.\\\0\ud800a-"), st.characters()), max_size=12),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)
FIELDS = ("version", "op", "id", "root", "path", "known", "shown", "can", "run_id", "rating")
OURS = st.builds(
    lambda op, rest: {TARGET: PROTOCOL, **rest, "op": op},
    st.sampled_from(["hello", "rate", "later"]) | JSON,
    st.dictionaries(st.sampled_from(FIELDS), JSON),
)
RUNS = st.builds(
    lambda runs: {TARGET: PROTOCOL, "op": "hello", "shown": [{"runs": runs, "embed": 1}]},
    st.lists(st.tuples(LEAVES, LEAVES).map(list) | JSON, max_size=3),
)

HELLO = {TARGET: PROTOCOL, "version": "0.1.0", "op": "hello"}


@given(JSON | OURS | RUNS)
@example({**HELLO, "root": "~nobody-by-this-name", "path": "a.ipynb"})
@example({**HELLO, "root": "/", "path": "x" * 5000 + ".ipynb"})
@example({**HELLO, "path": "\ud800.ipynb", "id": "\ud800"})
@example({**HELLO, "shown": [{"runs": [["a", float("inf")]]}]})
@example({**HELLO, "known": {"a": True, "b": 1e400, "\ud800": 1}})
def test_whatever_is_sent_is_read_or_ignored(data: Any) -> None:
    said = read(data)
    if isinstance(said, Hello):
        located(said)
        said.path.encode()
        (said.id or "").encode()
        assert all(type(at) is int and at >= 0 for at in said.known.values())
        for shown in said.shown:
            assert len(shown.runs) == len(shown.revisions) > 0
    elif isinstance(said, Rate):
        assert said.rating is None or said.rating in range(6)
    else:
        assert said is None or isinstance(said, Other)


@given(JSON | OURS | RUNS, JSON)
def test_the_bridge_survives_whatever_is_sent(data: Any, session: Any) -> None:
    events = SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)
    taken = bridge.Bridge(SimpleNamespace(events=events), bundles_now)
    sent: list[Any] = []

    def send(data: Any) -> None:
        sent.append(data)

    taken._comm = SimpleNamespace(send=send, close=lambda: None)
    taken._in_turn = lambda _work: None  # type: ignore[method-assign] - needs an engine
    try:
        taken._received({"header": {"session": session}, "content": {"data": data}})
    finally:
        taken.close()
        bridge._heard.pop(session, None) if isinstance(session, str) else None
        origin._told.pop(session, None) if isinstance(session, str) else None
    assert all(each[TARGET] == PROTOCOL for each in sent)


def test_a_hello() -> None:
    said = read(
        {
            **HELLO,
            "id": "nb",
            "root": "/srv",
            "path": "a/b.ipynb",
            "known": {"r1": 3, "../r2": 1},
            "shown": [
                {"runs": [["r1", 2], ["r3", 1]], "embed": True},
                {"runs": [["r1", 2.5]]},
                {"runs": []},
                "foreign",
            ],
            "can": ["insert", 7],
        }
    )
    assert said == Hello(
        version="0.1.0",
        id="nb",
        root="/srv",
        path="a/b.ipynb",
        known={"r1": 3},
        shown=(Shown(("r1", "r3"), (2, 1), embed=True),),
        can=frozenset({"insert"}),
    )


def test_an_older_front_end_says_nothing_of_what_it_can() -> None:
    said = read(HELLO)
    assert isinstance(said, Hello)
    assert said.can == frozenset()


@pytest.mark.parametrize("rating", [0, 5, None])
def test_a_rating(rating: int | None) -> None:
    assert read({**HELLO, "op": "rate", "run_id": "r1", "rating": rating}) == Rate("r1", rating)


@pytest.mark.parametrize("rating", [-1, 6, 2.5, True, "3", [3]])
def test_no_rating(rating: Any) -> None:
    assert read({**HELLO, "op": "rate", "run_id": "r1", "rating": rating}) is None
    assert read({**HELLO, "op": "rate", "run_id": "../r1", "rating": 3}) is None


def test_another_protocol_is_told_from_what_is_not_ours() -> None:
    assert read({TARGET: PROTOCOL + 1, "version": "9.9"}) == Other("9.9")
    assert read({TARGET: "x", "version": "<b>"}) == Other("")
    assert read({"op": "hello"}) is None
    assert read({**HELLO, "op": "later"}) is None


def test_a_message_says_the_protocol_and_the_version() -> None:
    said = message("welcome", can=CAN)
    assert said[TARGET] == PROTOCOL
    assert said["op"] == "welcome"


def test_a_notebook_is_found_below_the_servers_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    path = tmp_path / "a" / "b.ipynb"
    path.parent.mkdir()
    path.touch()
    said = read({**HELLO, "root": str(tmp_path), "path": "a/b.ipynb"})
    assert isinstance(said, Hello)
    found = located(said)
    assert (found.path, found.folder) == (path, path.parent)
    assert found.id == origin.made_of_path(path)


def test_without_a_bridge_nothing_is_inserted() -> None:
    assert bridge.insert_below("x = 1", None) is False
