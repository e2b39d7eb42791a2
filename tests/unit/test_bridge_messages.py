"""What front ends send on ``hailuo.sync`` is read without trust: whatever it is, nothing escapes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hailuo_jupyter import __version__
from hailuo_jupyter.ids import PATTERN, Notebook, made_of_path
from hailuo_jupyter.kernel import comm, context
from hailuo_jupyter.kernel.comm_messages import (
    CAN,
    PROTOCOL,
    TARGET,
    Act,
    ActOnSweep,
    AskPrice,
    Hello,
    Rate,
    ShownOutput,
    UnknownMessage,
    UnreadableRequest,
    message,
    read,
)
from hailuo_jupyter.kernel.display.render_outputs import render_outputs
from hailuo_jupyter.kernel.open_notebooks import located
from tests.support.comm_schema import SCHEMA, check, names_of, validator
from tests.support.runlog_rows import R1, R3

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
FIELDS = (
    *("version", "op", "id", "root", "path", "known", "shown", "can", "trusted"),
    *("run_id", "rating", "ask", "source", "action", "confirmed", "about"),
)
OURS = st.builds(
    lambda op, rest: {TARGET: PROTOCOL, **rest, "op": op},
    st.sampled_from(["hello", "rate", "price", "act", "later"]) | JSON,
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
    elif isinstance(said, AskPrice):
        assert said.ask >= 0
        assert isinstance(said.source, str)
    else:
        assert said is None or isinstance(said, UnknownMessage | UnreadableRequest)


@given(JSON | OURS | RUNS, JSON)
def test_the_bridge_survives_whatever_is_sent(data: Any, session: Any) -> None:
    events = SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)
    taken = comm.SyncComm(SimpleNamespace(events=events), render_outputs)
    sent: list[Any] = []

    def send(data: Any) -> None:
        sent.append(data)

    taken._comm = SimpleNamespace(send=send, close=lambda: None)
    taken._in_turn = lambda _work: None  # type: ignore[method-assign] - needs an engine
    try:
        taken._received({"header": {"session": session}, "content": {"data": data}})
    finally:
        taken.close()
        comm._state().hellos.pop(session, None) if isinstance(session, str) else None
        context._sessions()._known.pop(session, None) if isinstance(session, str) else None
    assert all(each[TARGET] == PROTOCOL for each in sent)


def test_a_hello() -> None:
    said = read(
        {
            **HELLO,
            "id": "nb",
            "root": "/srv",
            "path": "a/b.ipynb",
            "known": {R1: 3, "../r2": 1, "package": 1},
            "shown": [
                {"runs": [[R1, 2], [R3, 1]], "embed": True},
                {"runs": [[R1, 2.5]]},
                {"runs": []},
                "foreign",
            ],
            "can": ["insert", 7],
            "trusted": False,
        }
    )
    assert said == Hello(
        version="0.1.0",
        id="nb",
        root="/srv",
        path="a/b.ipynb",
        known={R1: 3},
        shown=(ShownOutput((R1, R3), (2, 1), embed=True),),
        can=frozenset({"insert"}),
        trusted=False,
    )


def test_an_older_front_end_says_nothing_of_what_it_can() -> None:
    said = read(HELLO)
    assert isinstance(said, Hello)
    assert said.can == frozenset()


def test_a_question_for_a_price() -> None:
    asked = {**HELLO, "op": "price", "ask": 3, "run_id": R1, "source": "%%hailuo\nA {x}."}
    assert read(asked) == AskPrice(3, R1, "%%hailuo\nA {x}.")
    for wrong in (True, -1, "3"):
        assert read({**asked, "ask": wrong}) is None
    # What has a number waits for an answer.
    for name, odd in (("run_id", "../r1"), ("source", 7)):
        assert read({**asked, name: odd}) == UnreadableRequest("price", 3)
    unknown = {**HELLO, "op": "act", "ask": 3, "run_id": R1, "action": "later"}
    assert read(unknown) == UnreadableRequest("act", 3)


def test_an_action_counts_as_confirmed_only_if_it_says_so() -> None:
    asked = {**HELLO, "op": "act", "ask": 3, "run_id": R1, "action": "delete"}
    whole = {**asked, "output": [R1, "../r3", 7], "confirmed": True}
    assert read(whole) == Act(3, R1, (R1,), "delete", confirmed=True)
    tagged = read({**whole, "action": "tag", "tags": ["sea", 7, "x" * 101, "\0"]})
    assert isinstance(tagged, Act)
    assert tagged.tags == ("sea",)
    assert read({**whole, "about": "copy"}) == Act(3, R1, (R1,), "delete", True, "copy")
    for doubt in (False, None, 1, "true"):
        assert read({**asked, "confirmed": doubt}) == Act(3, R1, (), "delete", confirmed=False)


def test_a_sweep_is_agreed_to_only_if_the_message_says_so() -> None:
    asked = {**HELLO, "op": "sweep", "ask": 3, "sweep": "sweep-7f3kq9ab", "action": "resume"}
    for doubt in (False, None, 1, "true"):
        assert read({**asked, "confirmed": doubt}) == ActOnSweep(
            3, "sweep-7f3kq9ab", "resume", confirmed=False
        )


@pytest.mark.parametrize("rating", [0, 5, None])
def test_a_rating(rating: int | None) -> None:
    assert read({**HELLO, "op": "rate", "run_id": R1, "rating": rating}) == Rate(R1, rating)


@pytest.mark.parametrize("rating", [-1, 6, 2.5, True, "3", [3]])
def test_no_rating(rating: Any) -> None:
    unreadable = UnreadableRequest("rate", None)
    assert read({**HELLO, "op": "rate", "run_id": R1, "rating": rating}) == unreadable
    assert read({**HELLO, "op": "rate", "run_id": "../r1", "rating": 3}) == unreadable


def test_another_protocol_is_told_from_what_is_not_ours() -> None:
    assert read({TARGET: PROTOCOL + 1, "version": "9.9"}) == UnknownMessage("9.9")
    assert read({TARGET: "x", "version": "<b>"}) == UnknownMessage("")
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
    assert found.id == made_of_path(path)


def test_without_a_bridge_nothing_is_inserted() -> None:
    assert comm.insert_below("x = 1", None) is False


def examples(group: str) -> list[Any]:
    """The schema's own examples of a group's messages, with the names of their definitions."""
    return [
        pytest.param(name, example, id=f"{name}-{number}")
        for name in names_of(group)
        for number, example in enumerate(SCHEMA["definitions"][name]["examples"])
    ]


@pytest.mark.parametrize(
    ("name", "example"), [*examples("PageMessage"), *examples("KernelMessage")]
)
def test_each_example_is_of_its_own_definition_alone(name: str, example: Any) -> None:
    every = [*names_of("PageMessage"), *names_of("KernelMessage")]
    assert [each for each in every if validator(each).is_valid(example)] == [name]


@pytest.mark.parametrize(("name", "example"), examples("PageMessage"))
def test_an_example_from_a_page_is_read(name: str, example: Any) -> None:
    assert type(read(example)).__name__ == name


@pytest.mark.parametrize(("name", "example"), examples("KernelMessage"))
def test_an_example_from_the_kernel_is_as_this_version_writes_it(name: str, example: Any) -> None:
    content = {key: value for key, value in example.items() if key not in {TARGET, "version", "op"}}
    assert message(example["op"], **content) == {**example, "version": __version__}


def answers(monkeypatch: pytest.MonkeyPatch, data: Any) -> list[Any]:
    """Return what a comm whose every step fails answers to a page that has said hello."""
    events = SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)
    taken = comm.SyncComm(SimpleNamespace(events=events), render_outputs)
    sent: list[Any] = []

    def send(data: Any) -> None:
        sent.append(json.loads(json.dumps(data)))

    taken._comm = SimpleNamespace(send=send, close=lambda: None)
    taken._notebooks["page"] = Notebook("nb", None, Path())

    def fails(*_: object) -> Any:
        raise SystemExit

    for name in ("_welcome", "_quote", "_act", "_rate"):
        monkeypatch.setattr(taken, name, fails)
    monkeypatch.setattr(taken, "_in_turn", lambda work: work())
    monkeypatch.setattr(context, "set_notebook", fails)
    taken._received({"header": {"session": "page"}, "content": {"data": data}})
    taken.close()
    return sent


@pytest.mark.parametrize(("name", "example"), examples("PageMessage"))
def test_every_request_is_answered_whatever_fails(
    monkeypatch: pytest.MonkeyPatch, name: str, example: Any
) -> None:
    """Else the page waits for ever."""
    said = answers(monkeypatch, example)
    for each in said:
        check(each, "KernelMessage")
    problem, *rest = said
    assert "Internal error" in (problem.get("problem") or problem["sentence"])
    assert problem.get("ask") == example.get("ask")
    assert [each["op"] for each in rest] == (["welcome"] if name == "Hello" else [])


IDS = st.from_regex(PATTERN, fullmatch=True)
NUMBERS = st.integers(0, 2**53 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=64)
VALID = st.fixed_dictionaries(
    {
        "id": st.none() | TEXTS.filter(bool),
        "root": TEXTS,
        "path": TEXTS,
        "trusted": st.booleans(),
        "known": st.dictionaries(IDS, NUMBERS, max_size=3),
        "shown": st.lists(
            st.fixed_dictionaries(
                {
                    "runs": st.lists(st.tuples(IDS, NUMBERS).map(list), min_size=1, max_size=3),
                    "embed": st.booleans(),
                }
            ),
            max_size=3,
        ),
        "can": st.lists(st.sampled_from(["insert", "later"]), unique=True),
    }
)


@given(VALID)
def test_of_a_valid_hello_nothing_is_lost(content: dict[str, Any]) -> None:
    check({**HELLO, **content}, "PageMessage")
    said = read({**HELLO, **content})
    assert isinstance(said, Hello)
    taken = {
        "id": said.id,
        "root": said.root,
        "path": said.path,
        "trusted": said.trusted,
        "known": said.known,
        "shown": [
            {
                "runs": [list(pair) for pair in zip(each.runs, each.revisions, strict=True)],
                "embed": each.embed,
            }
            for each in said.shown
        ],
        "can": sorted(said.can),
    }
    assert taken == {**content, "can": sorted(content["can"])}


@pytest.mark.parametrize(
    ("op", "wrong"),
    [
        ("rate", {"run_id": R1, "rating": 6}),
        ("rate", {"run_id": "../r1", "rating": 3}),
        ("price", {"ask": -1, "run_id": R1, "source": ""}),
        ("act", {"ask": -1, "run_id": R1, "action": "delete", "confirmed": True}),
        ("act", {"ask": 1, "run_id": "../r1", "action": "delete", "confirmed": True}),
        ("act", {"ask": 1, "run_id": R1, "action": "burn", "confirmed": True}),
        ("sweep", {"ask": 1, "sweep": "sweep-7", "action": "resume", "confirmed": True}),
        ("sweep", {"ask": 1, "sweep": "sweep-7f3kq9ab", "action": "buy", "confirmed": True}),
        ("later", {}),
    ],
)
def test_what_is_not_read_is_not_valid_either(op: str, wrong: dict[str, Any]) -> None:
    data = {**HELLO, "op": op, **wrong}
    assert isinstance(read(data), UnreadableRequest | None)
    with pytest.raises(jsonschema.ValidationError):
        check(data, "PageMessage")
