"""The option line: words, options, and refusals that name the closest one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel.cell_source import CELL_OPTIONS, CELL_USAGE
from hailuo_jupyter.kernel.magic_args import OptionLine, help_text, parse_line, split, whole_number


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  a   b\t c ", ["a", "b", "c"]),
        ('--note "two words" x', ["--note", "two words", "x"]),
        ("--note='two words'", ["--note=two words"]),
        (r"--image C:\new\table.png", ["--image", r"C:\new\table.png"]),
        (r'--image "C:\my pictures\a.png"', ["--image", r"C:\my pictures\a.png"]),
        ("--note it's", ["--note", "it's"]),
        ('--note ""', ["--note", ""]),
        ("--image {frames[0]}", ["--image", "{frames[0]}"]),
    ],
)
def test_words_keep_quotes_together_and_backslashes(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_an_open_quote_is_refused() -> None:
    with pytest.raises(OptionError, match="Unclosed quote"):
        split('--note "two words')


@given(st.lists(st.text(st.characters(blacklist_characters="\"'", blacklist_categories=("Cs",)))))
def test_quoted_words_come_back_unchanged(words: list[str]) -> None:
    assert split(" ".join(f'"{word}"' for word in words)) == words


@given(st.text())
def test_any_line_gives_words_or_an_option_error(line: str) -> None:
    try:
        parse_line(split(line), CELL_OPTIONS)
    except OptionError as error:
        assert "Nothing was sent" in str(error)


def test_values_come_by_space_or_equals_sign_and_tags_add_up() -> None:
    line = parse_line(split("--mode=pro --image first.png --tag a --tag b --wait"), CELL_OPTIONS)
    assert line.text("mode") == "pro"
    assert line.text("image") == "first.png"
    assert line.many("tag") == ("a", "b")
    assert line.flag("wait")
    assert not line.flag("new")
    assert line.text("resolution") is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--resolutoin 768P", "Did you mean --resolution?"),
        ("--zzz", "Available: --provider"),
        ("--mode", "needs a value: --mode standard|pro"),
        ("--mode --wait", "needs a value"),
        ("--wait=yes", "takes no value"),
        ("--mode pro --mode standard", "given twice"),
    ],
)
def test_a_wrong_option_is_refused_in_words(line: str, says: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_line(split(line), CELL_OPTIONS)
    assert says in str(caught.value)


@pytest.mark.parametrize("value", ["0", "21", "-1", "two", "1.5", "²"])
def test_a_count_is_a_whole_number_within_bounds(value: str) -> None:
    with pytest.raises(OptionError, match="from 1 to 20"):
        whole_number("count", value, 1, most=20)
    assert whole_number("count", "20", 1, most=20) == 20
    assert whole_number("count", None, 1, most=20) == 1


def test_the_help_names_every_option() -> None:
    text = help_text(CELL_USAGE, CELL_OPTIONS)
    for option in CELL_OPTIONS:
        assert f"--{option.name}" in text
        assert option.help in " ".join(text.split())
    assert "SECONDS is 4, 5, 6, 7" in " ".join(text.split())
    # So that it fits a window of 800 pixels.
    assert max(map(len, text.splitlines())) <= 76


def test_an_option_with_many_choices_names_what_it_takes() -> None:
    # Not "--provider", followed by a sentence without a subject.
    assert all(each.metavar for each in CELL_OPTIONS if len(each.usage) > 34)


def test_what_belongs_to_no_option_is_kept_apart() -> None:
    assert parse_line(["a", "--wait", "b"], CELL_OPTIONS) == OptionLine({"wait": True}, ("a", "b"))


@pytest.mark.parametrize("line", ["--seed 7", "--seed=7", "--seed"])
def test_no_provider_accepts_a_seed(line: str) -> None:
    with pytest.raises(OptionError, match="no provider accepts a seed for these models") as caught:
        parse_line(split(line), CELL_OPTIONS)
    assert "sweep" not in str(caught.value)
    assert parse_line(split("--count 3"), CELL_OPTIONS).text("count") == "3"


@pytest.mark.parametrize("name", ["aspect-ratio", "negative-prompt", "fps", "seed"])
def test_what_no_provider_has_is_no_slip_of_the_pen(name: str) -> None:
    with pytest.raises(OptionError, match=r"[Nn]o provider") as caught:
        parse_line(split(f"--{name} 9:16"), CELL_OPTIONS)
    assert "Did you mean" not in str(caught.value)
