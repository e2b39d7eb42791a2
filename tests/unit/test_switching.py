"""The switch interval: shorter while runs are in hand, and put back afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from hailuo_jupyter.engine.switching import Switching

USUAL = 0.005


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(USUAL)
    yield
    sys.setswitchinterval(before)


def test_it_is_short_until_the_last_one_lets_go() -> None:
    switching = Switching()
    switching.hold()
    switching.hold()
    assert sys.getswitchinterval() < USUAL / 5
    switching.let_go()
    assert sys.getswitchinterval() < USUAL / 5
    switching.let_go()
    assert sys.getswitchinterval() == pytest.approx(USUAL, rel=0.01)


def test_a_shorter_one_stays() -> None:
    sys.setswitchinterval(0.0001)
    switching = Switching()
    switching.hold()
    assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.05)
    switching.let_go()
    assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.05)


def test_what_a_person_sets_meanwhile_stays() -> None:
    switching = Switching()
    switching.hold()
    sys.setswitchinterval(0.02)
    switching.let_go()
    assert sys.getswitchinterval() == pytest.approx(0.02, rel=0.01)
