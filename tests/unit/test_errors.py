"""The tree of errors: words, codes, and the way into the run log and back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hailuo_jupyter
from hailuo_jupyter import errors
from hailuo_jupyter.errors import LINE, HailuoError, WaitTimeout, below_cell, from_problem


def tree(cls: type[HailuoError] = HailuoError) -> list[type[HailuoError]]:
    return [cls, *(each for child in cls.__subclasses__() for each in tree(child))]


OURS = [cls for cls in tree() if cls.__module__ == errors.__name__]


def test_the_documentation_draws_the_whole_tree() -> None:
    assert errors.__doc__ is not None
    for cls in OURS:
        assert cls.__name__ in errors.__doc__


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in OURS]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.__name__)
def test_an_error_survives_the_log(cls: type[HailuoError]) -> None:
    error = cls("It broke.", money="Nothing was paid.", todo="Mend it.")
    back = from_problem(error.as_problem())
    assert type(back) is cls
    assert (back.what, back.money, back.todo) == ("It broke.", "Nothing was paid.", "Mend it.")
    assert str(back) == "It broke. Nothing was paid. Mend it."


def test_empty_parts_leave_no_gaps() -> None:
    assert str(HailuoError("It broke.", todo="Mend it.")) == "It broke. Mend it."
    assert str(HailuoError("It broke.")) == "It broke."


def test_a_newer_versions_problem_can_still_be_read() -> None:
    error = from_problem({"code": "of-tomorrow", "what": "Odd.", "colour": "blue"})
    assert type(error) is HailuoError
    assert str(error) == "Odd."
    assert str(from_problem({})) == ""


def test_below_a_cell_each_part_has_a_line() -> None:
    error = HailuoError("It broke.", money="Nothing was paid.", todo="Mend it.")
    assert error._render_traceback_() == [
        "HailuoError: It broke.",
        "Mend it.",
        "Nothing was paid.",
    ]
    assert HailuoError("It broke.")._render_traceback_() == ["HailuoError: It broke."]


@given(what=st.text(), todo=st.text(), money=st.text())
def test_lines_below_a_cell_are_short_and_whole(what: str, todo: str, money: str) -> None:
    error = HailuoError(what, todo=todo, money=money)
    lines = error._render_traceback_()
    words = f"HailuoError: {error.what} {error.todo} {error.money}".split()
    assert " ".join(lines).split() == words
    assert all(len(line) <= LINE or " " not in line for line in lines)
    assert not any(line.splitlines() != [line] for line in lines)


def messages() -> Iterator[tuple[str, str]]:
    """Yield where each part of a message is written, and its text; what is filled in is some word."""
    for path in sorted(Path(hailuo_jupyter.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                named = {word.arg: word.value for word in node.keywords}
                if "todo" in named or "money" in named:
                    parts = [*node.args[:1], *(named[n] for n in ("todo", "money") if n in named)]
                    yield from ((f"{path.name}:{node.lineno}", text_of(part)) for part in parts)


def text_of(node: ast.expr) -> str:
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(map(text_of, node.values))
        case ast.BinOp():
            return text_of(node.left) + text_of(node.right)
        case ast.BoolOp():
            return max(map(text_of, node.values), key=len)
        case ast.IfExp():
            return max(text_of(node.body), text_of(node.orelse), key=len)
    return "x" * 12


def test_each_part_of_every_message_is_short() -> None:
    found = list(messages())
    assert len(found) > 300
    # What happened has the error's name before it.
    needs = {place: len(below_cell("ProviderError: " + text)) for place, text in found}
    assert {place: lines for place, lines in needs.items() if lines > 2} == {}


def test_a_wait_that_timed_out_is_pythons_timeout_too() -> None:
    with pytest.raises(TimeoutError):
        raise WaitTimeout("Not yet.")
