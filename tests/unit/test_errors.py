"""The tree of errors: words, codes, and the way into the run log and back."""

from __future__ import annotations

import pytest

from hailuo_jupyter import errors
from hailuo_jupyter.errors import HailuoError, WaitTimeout, from_problem


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


def test_ipython_gets_one_line() -> None:
    (line,) = HailuoError("It broke.", todo="Mend it.")._render_traceback_()
    assert line == "HailuoError: It broke. Mend it."
    assert "\n" not in line


def test_a_wait_that_timed_out_is_pythons_timeout_too() -> None:
    with pytest.raises(TimeoutError):
        raise WaitTimeout("Not yet.")
