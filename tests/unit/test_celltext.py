"""A wish and the cell that asks for it: each comes back from the other unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from wishes import LINE, WISHES

from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel.celltext import read, write
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.options import quoted, words_of
from hailuo_jupyter.request import check_prompt


@given(WISHES)
def test_a_wish_comes_back_from_its_cell(wish: Wish) -> None:
    assert read(write(wish), {}) == wish


@given(WISHES)
def test_a_cell_comes_back_from_its_wish(wish: Wish) -> None:
    text = write(wish)
    assert write(read(text, {})) == text


@given(WISHES)
def test_what_ipython_hands_to_the_magic_is_what_was_written(wish: Wish) -> None:
    """IPython splits a cell at more line ends than the newline, and takes white space off."""
    handed: list[str] = []

    class Shell:
        def run_cell_magic(self, *words: str) -> None:
            handed.extend(words)

    code = TransformerManager().transform_cell(write(wish))
    exec(code, {"get_ipython": Shell})
    magic, line, body = handed
    found = read(f"%%{magic} {line}\n{body}", {})
    assert check_prompt(found.prompt, 2000) == wish.prompt
    assert replace(found, prompt=wish.prompt) == wish


@given(st.lists(LINE))
def test_quoted_values_are_words(values: list[str]) -> None:
    assert words_of(" ".join(map(quoted, values))) == values


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("two words", '"two words"'),
        (r"C:\my pictures\a.png", r'"C:\my pictures\a.png"'),
        ('say "so"', "'say \"so\"'"),
        ("it's", '"it\'s"'),
        ('it\'s "so"', '"it\'s ""so"""'),
    ],
)
def test_how_a_value_is_quoted(value: str, written: str) -> None:
    assert quoted(value) == written


def test_the_cell_as_a_person_reads_it() -> None:
    wish = Wish(
        "A {heron} lifts off.\n[Pan left]",
        "demo",
        {"mode": "pro"},
        "my frames/first.jpg",
        prompt_optimizer=False,
        count=2,
        tags=("birds", "--odd"),
        note="try 1",
    )
    assert write(wish) == (
        '%%hailuo --provider demo --mode pro --image "my frames/first.jpg" --no-optimizer --count 2 '
        '--tag birds --tag=--odd --note "try 1"\nA {{heron}} lifts off.\n[Pan left]'
    )


def test_a_frame_in_a_variable_is_named_and_comes_back_as_itself() -> None:
    frame: Any = object()
    wish = Wish("A heron.", image=frame)
    text = write(wish, image="frame")
    assert text == "%%hailuo --image {frame}\nA heron."
    assert read(text, {"frame": frame}).image is frame


def test_a_path_object_is_written_as_text() -> None:
    path = PureWindowsPath(r"C:\new\a b.png")
    assert read(write(Wish("x", image=path)), {}).image == str(path)


@pytest.mark.parametrize("value", ["two\nlines", "two\rlines", "two\u2028lines", "end\n"])
def test_a_line_break_does_not_fit_the_option_line(value: str) -> None:
    with pytest.raises(OptionError, match="line break"):
        write(Wish("x", note=value))


def test_a_frame_in_memory_without_a_variable_is_refused() -> None:
    with pytest.raises(OptionError, match="no variable holds it"):
        write(Wish("x", last_image=b"\xff\xd8"))


def test_another_cell_is_refused() -> None:
    with pytest.raises(OptionError, match="does not begin"):
        read("%hailuo runs", {})
