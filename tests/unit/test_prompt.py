"""Filling a notebook's variables into a prompt: once, by name, and never by calling anything."""

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
            "There is no variable 'anmal' in the notebook. Nothing was sent and nothing was paid. Did you",
        ),
        ('{"json": 1}', "There is no variable"),
        ("A {} here", "field without a name"),
        ("A {0} here", "field without a name"),
        ("A } here", "write it twice"),
        ("A { here", "write it twice"),
        ("{shot.iso}", "has no attribute 'iso'"),
        ("{style[oil]}", "oil"),
        ("{shot.angles[9]}", "cannot be filled in"),
        ("{animal:q}", "cannot be filled in"),
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
