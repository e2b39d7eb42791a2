"""Filling a notebook's variables into a prompt: once, by name, and never by calling anything."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.errors import PromptError
from hailuo_jupyter.kernel.prompt import fill, value_of

NAMES = {
    "animal": "heron",
    "shot": SimpleNamespace(lens="35 mm", angles=["low", "high"]),
    "style": {"ink": "ink wash"},
    "seconds": 2.5,
    "braces": "{animal}",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("A {animal} lifts off", "A heron lifts off"),
        ("{shot.lens}, {shot.angles[1]}, {style[ink]}", "35 mm, high, ink wash"),
        ("{seconds:.2f} s, {animal!r}, {animal:>8}", "2.50 s, 'heron',    heron"),
        ("{{animal}} stays", "{animal} stays"),
        ("{braces}", "{animal}"),
        ("[Pan left] no fields", "[Pan left] no fields"),
    ],
)
def test_fields_are_filled_in_once(text: str, filled: str) -> None:
    assert fill(text, NAMES) == filled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "A {anmal} lifts off",
            "There is no variable 'anmal' in the notebook. Nothing was sent; no charge. Did you",
        ),
        ('{"json": 1}', "There is no variable"),
        ("A {} here", "field without a name"),
        ("A {0} here", "field without a name"),
        ("A } here", "Double a literal brace"),
        ("A { here", "Double a literal brace"),
        ("{shot.iso}", "has no attribute 'iso'"),
        ("{style[oil]}", "oil"),
        ("{shot.angles[9]}", "cannot be filled in"),
        ("{animal:q}", "Invalid field"),
        ("{animal.upper()}", "cannot be filled in"),
    ],
)
def test_what_cannot_be_filled_in_is_named(text: str, says: str) -> None:
    with pytest.raises(PromptError) as caught:
        fill(text, NAMES)
    assert says in str(caught.value)
    assert "Nothing was sent" in str(caught.value)


@given(st.text())
def test_any_value_is_filled_in_unchanged(value: str) -> None:
    assert fill("{it}", {"it": value}) == value
    assert fill(value.replace("{", "{{").replace("}", "}}"), {}) == value


@given(st.text())
def test_any_text_is_filled_or_refused_in_words(text: str) -> None:
    for work in (fill, value_of):
        try:
            work(text, {"a": 1})
        except PromptError as error:
            assert "Nothing was sent" in str(error)


def test_a_field_alone_gives_the_object_itself() -> None:
    picture = object()
    assert value_of("{picture}", {"picture": picture}) is picture
    assert value_of("{frames[0]}", {"frames": [picture]}) is picture
    assert value_of("{folder}/first.png", {"folder": "stills"}) == "stills/first.png"
    assert value_of("first.png", {}) == "first.png"
    with pytest.raises(PromptError, match="no variable 'nowhere'"):
        value_of("{nowhere}", {})


HABITS = {
    "row": {"style": "ink", "a.b": "dotted"},
    "lst": ["low", "high"],
    "x": "heron",
    "n": 2,
    "shot": SimpleNamespace(lens="35 mm"),
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ('A {row["style"]} heron', "A ink heron"),
        ("A {row['style']} heron", "A ink heron"),
        ('A { row["style"] } heron', "A ink heron"),
        ('{row["a.b"]}', "dotted"),
        ("A { x } lifts off", "A heron lifts off"),
        ("{lst[-1]}", "high"),
        ("{lst[0:1]}", "['low']"),
        ("{x.upper()}", "HERON"),
        ("{x + x}", "heronheron"),
        ("{shot.lens.title()}", "35 Mm"),
        ("{len(lst)}", "2"),
        ("{x if n else n}", "heron"),
        ("{row[x]['a']}", None),  # computing it fails too, and says why
    ],
)
def test_what_f_strings_can_and_this_cannot_is_said_so_that_it_works(
    text: str, filled: str | None
) -> None:
    with pytest.raises(PromptError) as caught:
        fill(text, HABITS)
    todo, names = caught.value.todo, dict(HABITS)
    if found := re.fullmatch(r"Write (\{.*\}), without .*\.", todo):
        better = re.sub(r"\{.*\}", lambda _: found[1], text)
    else:
        found = re.fullmatch(
            r"Compute it in a cell first: (value = .*)\. Then write (\{value\})\.", todo
        )
        assert found, todo
        if filled is None:
            with pytest.raises(KeyError):
                exec(found[1], names)
            return
        exec(found[1], names)
        better = re.sub(r"\{.*\}", lambda _: found[2], text)
    assert fill(better, names) == filled


def test_the_placeholder_of_a_new_cell_is_to_be_replaced() -> None:
    with pytest.raises(PromptError, match="is not a variable") as raised:
        fill("{describe the clip in a sentence or two}", {"clip": 1})
    assert str(raised.value.todo).startswith("Replace it and its braces with your text.")


def test_an_option_value_gets_the_same_advice() -> None:
    for work in (fill, value_of):
        with pytest.raises(PromptError, match=r"Write \{row\[style\]\}, without quotes"):
            work('{row["style"]}', HABITS)


@pytest.mark.parametrize("text", ['{"json": 1}', "{a scene in braces}", "{'one', 'two'}", "{1}"])
def test_braces_that_are_no_expression_are_to_be_doubled(text: str) -> None:
    with pytest.raises(PromptError) as caught:
        fill(text, HABITS)
    assert str(caught.value.todo).endswith("Double a literal brace: {{ or }}.")


def test_the_attribute_that_was_meant_is_named() -> None:
    class Take:
        run_id = "20261120-140312-7f3kq9"

    with pytest.raises(PromptError, match=re.escape("Did you mean {take.run_id}?")):
        fill("{take.id}", {"take": Take()})
    with pytest.raises(PromptError, match=re.escape("Did you mean {shots[0].lens}?")):
        fill("{shots[0].len!r}", {"shots": [NAMES["shot"]]})
    with pytest.raises(PromptError) as caught:
        fill("{shot.iso}", NAMES)
    assert "Did you mean" not in str(caught.value)


def test_no_function_or_module_is_meant() -> None:
    with pytest.raises(PromptError) as caught:
        fill("{opn} {In}", {"open": open, "opns": re})
    assert "Did you mean" not in str(caught.value)
