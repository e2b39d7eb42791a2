"""Paths with backslashes: what messages advise leads to the file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from hailuo_jupyter import path_hints
from hailuo_jupyter.errors import HailuoError, NotebookError, OptionError
from hailuo_jupyter.ipynb import document
from hailuo_jupyter.kernel.generate import output_folder
from hailuo_jupyter.kernel.sweep.rows import rows_of
from hailuo_jupyter.media import examine
from hailuo_jupyter.settings import Hailuo
from tests.support.sample_images import opened, picture, refusal

pytestmark = pytest.mark.skipif(os.sep == "\\", reason="there a backslash separates folders")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stills").mkdir()
    picture().save(tmp_path / "stills" / "first.png")
    (tmp_path / "stills" / "rows.csv").write_text("prompt\nA heron\n")
    return tmp_path


def advised(error: HailuoError) -> str:
    found = re.fullmatch(r"Write it with forward slashes: (.*)\.", error.todo)
    assert found, error.todo
    return found[1]


@pytest.mark.parametrize("given", [r"stills\first.png", "stills\first.png"])
def test_a_frame_is_found_as_advised(folder: Path, given: str) -> None:
    assert opened(advised(refusal(given, base=folder)), base=folder).source == "first.png"


def test_a_path_of_windows_is_named(folder: Path) -> None:
    assert "Windows path" in refusal(r"C:\Users\me\first.png", base=folder).todo
    assert "such as nowhere/first.png" in refusal(r"nowhere\first.png", base=folder).todo
    assert "backslash" not in refusal("nowhere/first.png", base=folder).todo


def test_a_grid_is_found_as_advised(folder: Path) -> None:
    for given in (r"stills\rows.csv", "stills\rows.csv"):
        with pytest.raises(OptionError) as caught:
            rows_of(given, folder)
        assert rows_of(advised(caught.value), folder) == [{"prompt": "A heron"}]


def test_a_notebook_and_a_clip_are_found_as_advised(folder: Path) -> None:
    (folder / "stills" / "a.ipynb").write_text('{"nbformat": 4, "metadata": {}, "cells": []}')
    with pytest.raises(NotebookError) as caught:
        document.read(Path(r"stills\a.ipynb"))
    assert document.read(Path(advised(caught.value))).path.name == "a.ipynb"
    with pytest.raises(HailuoError) as clip:
        examine(Path(r"stills\first.png"), sha256="")
    assert advised(clip.value) == "stills/first.png"


@pytest.mark.parametrize("given", [r"out\takes", "out\takes"])
def test_no_output_folder_gets_a_name_with_a_backslash(folder: Path, given: str) -> None:
    with pytest.raises(OptionError) as caught:
        output_folder(Hailuo(), given, folder)
    assert output_folder(Hailuo(), advised(caught.value), folder) == folder / "out" / "takes"
    assert not list(folder.glob("out*"))
    (folder / given).mkdir(parents=True)  # it is there: a person may mean it
    assert output_folder(Hailuo(), given, folder) == folder / given


def test_other_paths_are_left_alone() -> None:
    for path in ("stills/first.png", "", "a b", "~/x", ".."):
        assert path_hints.with_slashes(path) == ""
        assert path_hints.hint(path, Path()) == ""
    assert path_hints.hint("a\\b\0", Path()) == ""
