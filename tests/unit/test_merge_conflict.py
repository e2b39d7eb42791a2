"""Merge conflicts that nobody has resolved: named, and never sent as a prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hailuo_jupyter.catalogue import provider
from hailuo_jupyter.errors import NotebookError, PromptError
from hailuo_jupyter.ipynb import document
from hailuo_jupyter.merge_conflict import conflict_line
from hailuo_jupyter.record import Record
from hailuo_jupyter.request import build

CONFLICT = "<<<<<<< HEAD\nA heron\n=======\nA mole\n>>>>>>> other\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (CONFLICT, 1),
        (f"one\ntwo\n{CONFLICT}", 3),
        (CONFLICT.replace("\n", "\r\n"), 1),
        ("<<<<<<< local\na\n||||||| base\nb\n=======\nc\n>>>>>>> remote", 1),
        ("", None),
        ("<<<<<<< HEAD\nno end", None),
        ("Title\n=======\n>>>>>>> quoted", None),
        ("  <<<<<<< HEAD\n=======\n>>>>>>> x", None),
        (json.dumps({"source": CONFLICT}), None),
    ],
)
def test_where_a_conflict_begins(text: str, line: int | None) -> None:
    assert conflict_line(text) == line


def test_a_prompt_with_a_conflict_is_not_sent() -> None:
    with pytest.raises(PromptError, match="merge conflict in line 2") as caught:
        build(f"Dusk.\n{CONFLICT}", provider("segmind"), options={})
    assert "Nothing was sent" in caught.value.money
    assert build("Dusk.\nA heron", provider("segmind"), options={}).prompt == "Dusk.\nA heron"


def test_a_notebook_with_a_conflict_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text('{\n "cells": [\n' + CONFLICT + "]}")
    with pytest.raises(NotebookError, match="merge conflict in line 3") as caught:
        document.read(path)
    assert "git checkout --ours" in caught.value.todo
    assert path.read_text().count("<<<<<<<") == 1


def test_a_record_with_a_conflict_is_named() -> None:
    for text in ("{\n" + CONFLICT + "}", ("{\n" + CONFLICT + "}").encode()):
        with pytest.raises(ValueError, match="merge conflict in line 2"):
            Record.from_json(text)
