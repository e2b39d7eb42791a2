"""A request and the cell that asks for it: each comes back from the other unchanged."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue import providers
from hailuo_jupyter.errors import OptionError, PromptError
from hailuo_jupyter.kernel.cell_source import (
    CELL_OPTIONS,
    options_from,
    parse_cell,
    prompt_of,
    with_body,
    write_cell,
)
from hailuo_jupyter.kernel.generate_options import DEFAULTS, GenerateOptions
from hailuo_jupyter.kernel.magic_args import quoted, split
from hailuo_jupyter.kernel.prompt import fill
from hailuo_jupyter.request import check_prompt
from tests.support.strategies import EACH_OPTION, GENERATE_ARGUMENTS, LINE

Wish = tuple[str, GenerateOptions]


def read(text: str, namespace: dict[str, Any]) -> Wish:
    """Read a cell as the magic does."""
    first, _, below = text.partition("\n")
    line, cell = parse_cell(first.removeprefix("%%hailuo"), below)
    return fill(prompt_of(cell), namespace), options_from(line, CELL_OPTIONS, namespace)


def complete(options: GenerateOptions) -> dict[str, Any]:
    return {**DEFAULTS, **options}


@given(GENERATE_ARGUMENTS)
def test_what_is_asked_for_comes_back_from_its_cell(wish: Wish) -> None:
    prompt, options = read(write_cell(*wish), {})
    assert (prompt, complete(options)) == (wish[0], complete(wish[1]))


@given(GENERATE_ARGUMENTS)
def test_a_cell_comes_back_from_what_it_asks_for(wish: Wish) -> None:
    text = write_cell(*wish)
    assert write_cell(*read(text, {})) == text


def test_every_option_of_python_is_one_of_the_line() -> None:
    assert {option.key for option in CELL_OPTIONS if option.key} == set(DEFAULTS)
    assert set(EACH_OPTION) == set(DEFAULTS), "each is tried above"
    assert GenerateOptions.__optional_keys__ == set(DEFAULTS)


def test_the_values_that_tab_offers_are_those_of_the_catalogue() -> None:
    rows = {option.key: option.choices for option in CELL_OPTIONS if option.choices}
    names = [provider.name for provider in providers()]
    assert rows.pop("provider") == (*names, "demo")
    values: dict[str, tuple[str, ...]] = {}
    assert rows.pop("model") == catalogue.model_names()
    for choice in (choice for offer in catalogue.offers() for choice in offer.choices):
        values[choice.name] = (*values.get(choice.name, ()), *map(str, choice.values))
    assert {name: tuple(dict.fromkeys(each)) for name, each in values.items()} == rows


@given(GENERATE_ARGUMENTS)
def test_what_ipython_hands_to_the_magic_is_what_was_written(wish: Wish) -> None:
    """IPython splits a cell at more line ends than the newline, and takes white space off."""
    handed: list[str] = []

    class Shell:
        def run_cell_magic(self, *words: str) -> None:
            handed.extend(words)

    code = TransformerManager().transform_cell(write_cell(*wish))
    exec(code, {"get_ipython": Shell})
    magic, line, body = handed
    prompt, options = read(f"%%{magic} {line}\n{body}", {})
    assert check_prompt(prompt, 2000) == wish[0]
    assert complete(options) == complete(wish[1])


@given(st.lists(LINE))
def test_quoted_values_are_words(values: list[str]) -> None:
    assert split(" ".join(map(quoted, values))) == values


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
    text = write_cell(
        "A {heron} lifts off.\n[Pan left]",
        {
            "provider": "demo",
            "mode": "pro",
            "image": "my frames/first.jpg",
            "prompt_optimizer": False,
            "count": 2,
            "tags": ("birds", "--odd"),
            "note": "try 1",
        },
    )
    assert text == (
        '%%hailuo --provider demo --mode pro --image "my frames/first.jpg" --no-optimizer --count 2 '
        '--tag birds --tag=--odd --note "try 1"\nA {{heron}} lifts off.\n[Pan left]'
    )


def test_a_frame_in_a_variable_is_named_and_comes_back_as_itself() -> None:
    frame: Any = object()
    text = write_cell("A heron.", {"image": frame}, {"image": "frame"})
    assert text == "%%hailuo --image {frame}\nA heron."
    assert read(text, {"frame": frame})[1]["image"] is frame


def test_a_path_object_is_written_as_text() -> None:
    path = PureWindowsPath(r"C:\new\a b.png")
    assert read(write_cell("x", {"image": path}), {})[1]["image"] == str(path)


@pytest.mark.parametrize("value", ["two\nlines", "two\rlines", "two\u2028lines", "end\n"])
def test_a_line_break_does_not_fit_the_option_line(value: str) -> None:
    with pytest.raises(OptionError, match="line break"):
        write_cell("x", {"note": value})


def test_a_frame_in_memory_without_a_variable_is_refused() -> None:
    with pytest.raises(OptionError, match="no variable refers to it"):
        write_cell("x", {"last_image": b"\xff\xd8"})


@pytest.mark.parametrize(
    "prompt", ["--wait for it", "  --Red balloons", "--grow\n--shrink", "--a", "\n--b"]
)
def test_a_prompt_that_begins_like_an_option_has_an_empty_line_above(prompt: str) -> None:
    text = write_cell(prompt, {})
    assert text == f"%%hailuo\n\n{prompt}"
    assert read(text, {}) == (prompt, {})


@pytest.mark.parametrize("body", ["--wait\nA heron.", "  --mode=pro", "--new take of a heron"])
def test_options_below_the_option_line_are_refused(body: str) -> None:
    with pytest.raises(OptionError, match="like an option") as caught:
        read(f"%%hailuo --mode pro\n{body}", {})
    assert "Nothing was sent" in caught.value.money


@pytest.mark.parametrize("body", ["-- said the raven", "---", "- a heron", "--1"])
def test_other_dashes_are_a_prompt(body: str) -> None:
    assert read(f"%%hailuo\n{body}", {})[0] == body


def test_options_go_on_below_a_backslash() -> None:
    text = "%%hailuo --mode pro \\\n  --note 'two words' \\  \n\t--new\nA heron\\\n--lifts off."
    assert read(text, {}) == (
        "A heron\\\n--lifts off.",
        {"mode": "pro", "note": "two words", "new": True},
    )
    prompt, options = read("%%hailuo --output C:\\clips\\\nA heron.", {})
    assert (options["output"], prompt) == ("C:\\clips\\", "A heron.")
    assert read("%%hailuo \\\n--new\nx", {})[1]["new"]
    assert write_cell("x", {"note": "\\"}) == '%%hailuo --note "\\"\nx'


@pytest.mark.parametrize("text", ["%%hailuo --new \\", "%%hailuo \\\n--new \\"])
def test_a_backslash_without_a_next_line_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="no line follows"):
        read(text, {})


@pytest.mark.parametrize(
    "line",
    ["--image {frame}", "--last-frame {made.frame}", "--output {frame}", "--note 'of {frame}'"],
)
def test_a_variable_that_is_none_is_refused(line: str) -> None:
    class Made:
        frame = None

    with pytest.raises(PromptError, match="is None, so it can't be filled in") as caught:
        read(f"%%hailuo {line}\nA heron.", {"frame": None, "made": Made})
    assert "Nothing was sent" in caught.value.money


@pytest.mark.parametrize("field", ["open", "made", "Made", "re", "made!r", "made.method"])
def test_a_value_without_a_text_of_its_own_is_refused(field: str) -> None:
    class Made:
        def method(self) -> None: ...

    with pytest.raises(PromptError, match="is no text to fill in") as caught:
        fill(f"A heron {{{field}}}.", {"open": open, "made": Made(), "Made": Made, "re": re})
    assert "Nothing was sent" in caught.value.money


@pytest.mark.parametrize(
    ("cell", "call"),
    [
        ("%%hailuo --help", r"('hailuo', '--help', '\n')"),
        ("%%hailuo\n", r"('hailuo', '', '\n')"),
        ("\n  %%hailuo --mode pro  \n", r"('hailuo', '--mode pro', '\n')"),
        ("%%hailuo --wait\nA heron.", r"('hailuo', '--wait', 'A heron.\n')"),
        ("%%hailuos", "('hailuos', '', '')"),
        ("%%time", "('time', '', '')"),
    ],
)
def test_our_cell_may_have_no_prompt(cell: str, call: str) -> None:
    manager = TransformerManager()
    manager.cleanup_transforms.append(with_body)
    assert manager.transform_cell(cell) == f"get_ipython().run_cell_magic{call}\n"


def test_the_question_about_our_magic_is_left_to_ipython() -> None:
    assert with_body(["%%hailuo?\n"]) == ["%%hailuo?\n"]
    assert with_body([]) == []


@pytest.mark.parametrize("line", ["--help", "-h", "--mode pro --help", "--nosuch --help"])
def test_help_is_read_before_anything_else(line: str) -> None:
    parsed, _ = parse_cell(line, "\n")
    assert parsed.flag("help")


def test_an_option_line_that_goes_on_needs_a_line() -> None:
    with pytest.raises(OptionError, match="no line follows"):
        parse_cell("--mode pro \\", "\n")
