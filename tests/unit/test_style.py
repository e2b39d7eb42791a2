"""The style rules of CONTRIBUTING that a machine can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "hailuo_jupyter"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: No docstring of a function begins with these; what it returns is returned.
WEAK_VERBS = frozenset(
    {"be", "bring", "do", "give", "have", "hear", "let", "note", "put", "say", "tell"}
)

#: In no text that people read; the words after the arrow are the usual ones.
FORBIDDEN = {
    r"\banew\b": "again",
    r"\bbesides\b": "also",
    r"\bnobody\b": "no process, no one, unpublished",
    r"\bwhoever\b": "the next process",
    r"\bbeside\b": "next to",
    r"\bhad for nothing\b": "free",
    r"\bof its own\b": "its own",
    r"\b(?:is|are|was) told\b": "is reported",
    r"\bgo(?:es|ing)? on\b": "continue, active",
    r"\bexclude each other\b": "can't be combined",
    r"\bIt is written\b": "Usage:",
    r"\bmade a mistake\b": "Internal error",
    r"\bstands? (?:below|above|in|for|there|here)\b": "is",
    r"\w\(s\)(?!\w)": "formatting.count",
    r"\d USD\b": "formatting.dollars",
    r"\} USD\b": "formatting.dollars",
}

_PROPERTIES = frozenset({"property", "cached_property"})


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = {getattr(each, "id", "") for each in node.decorator_list}
            if not decorators & _PROPERTIES:
                yield node


@cache
def texts(path: Path) -> list[tuple[int, str]]:
    """Return string literals that are not docstrings, with lines; an f-string's values are ``{}``."""
    return list(_texts(tree_of(path)))


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            docstrings.update(map(id, node.values))
            parts = (each.value if isinstance(each, ast.Constant) else "{}" for each in node.values)
            yield node.lineno, "".join(map(str, parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield node.lineno, str(node.value)


def test_docstrings_begin_with_a_plain_verb() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {docstring.splitlines()[0]}"
        for path in MODULES
        for node in functions(tree_of(path))
        if (docstring := ast.get_docstring(node))
        and not docstring.startswith("Do nothing")
        and re.split(r"\W", docstring, maxsplit=1)[0].lower() in WEAK_VERBS
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_texts_are_plain_english(pattern: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in MODULES
        for line, text in texts(path)
        if " " in text and re.search(pattern, text)
    ]
    assert not found, f"rather: {FORBIDDEN[pattern]}\n" + "\n".join(found)


def test_the_patterns_match_what_they_forbid() -> None:
    bad = ("3 run(s) go on.", "Set it anew.", "nobody knows", "It costs 0.39 USD", "was told so")
    assert all(any(re.search(each, text) for each in FORBIDDEN) for text in bad)
    assert not any(re.search(each, "3 runs, $0.39; goes only once") for each in FORBIDDEN)
