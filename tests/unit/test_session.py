"""The kernel session: one object a class, what unloading ends, and what a forked child starts with."""

from __future__ import annotations

import os
import sys

import pytest

from hailuo_jupyter.kernel.context import Sessions
from hailuo_jupyter.kernel.session import KernelSession, SessionState, session


class Notes(SessionState):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Kept(Notes):
    keep = True


def test_a_class_has_one_object() -> None:
    made = KernelSession()
    made.state(Notes).texts.append("a")
    assert made.state(Notes).texts == ["a"]
    assert made.state(Kept) is not made.state(Notes)


def test_unloading_closes_and_forgets_all_but_what_is_kept() -> None:
    made = KernelSession()
    notes, kept = made.state(Notes), made.state(Kept)
    made.unload()
    assert (notes.closed, kept.closed) == (1, 0)
    assert made.state(Notes) is not notes
    assert made.state(Kept) is kept


def test_the_notebooks_identity_outlives_unloading() -> None:
    before = session.state(Sessions)
    session.unload()
    assert session.state(Sessions) is before


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_has_nothing_of_the_parents_and_closes_nothing() -> None:
    notes, kept = session.state(Notes), session.state(Sessions)
    kept._lock.acquire()  # as if another thread held it
    try:
        child = os.fork()
        if child == 0:
            fine = session.state(Notes) is not notes and notes.closed == 0
            fine = fine and session.state(Sessions) is kept and kept._lock.acquire(timeout=5)
            os._exit(0 if fine else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        kept._lock.release()
        session.unload()
