"""Placing an order: files are looked at first, and one transaction on the log decides."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from hailuo_jupyter.engine import budget
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.recovery import Sidecars
from hailuo_jupyter.engine.resources import OwnedLog
from hailuo_jupyter.engine.submission import Outdated, Reusable, Submission, find_reusable, reserve
from hailuo_jupyter.errors import BudgetExceeded
from hailuo_jupyter.ids import Notebook, made_of_folder, notebook_at
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.runlog import Owner, RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State
from tests.support.engine_fixture import EngineFixture

NOW = 1_800_000_000.0

#: Nothing is sent here.
ANY: Any = None


@pytest.fixture
def desk(lab: EngineFixture) -> Iterator[OwnedLog]:
    with RunLog(lab.log) as log, Owner(lab.log) as owner:
        yield OwnedLog(log, owner, ANY)


def asked_by(lab: EngineFixture, name: str | None, **how: Any) -> Submission:
    """Return the order that a notebook makes; of a script in its folder, where there is no name."""
    order, here = lab.order(**how), lab.folder
    if name is None:
        notebook = Notebook(made_of_folder(here), None, here)
    else:
        (here / name).touch()
        notebook = notebook_at(here / name)
    origin = OriginRecord(notebook_id=notebook.id, notebook_path=name)
    return replace(order, origin=origin, notebook=notebook)


def look(order: Submission, desk: OwnedLog) -> Reusable:
    return find_reusable(order, desk.log, NOW, Sidecars())


def bought(seen: Reusable, desk: OwnedLog, settings: Hailuo) -> tuple[list[Action], int]:
    """Return what is done with runs that serve, and how many are bought."""
    done = reserve(seen, desk, settings, NOW)
    return [act for act, _, _ in done.kept], len(done.rows)


def test_inside_of_the_transaction_no_other_file_is_touched(
    lab: EngineFixture, desk: OwnedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Hailuo(run_log=str(lab.log), budget_notebook_usd=50.0, budget_day_usd=50.0)
    # Runs whose clip, whose owner and whose notebook may have to be looked for.
    (lab.folder / "one.ipynb").touch()
    for name in ("one.ipynb", "two.ipynb", None):
        order = asked_by(lab, name)
        dead = Owner(lab.log)
        reserve(look(order, desk), OwnedLog(desk.log, dead, ANY), settings, NOW)
        dead.close()
    order = asked_by(lab, "one.ipynb", count=3)
    seen = look(order, desk)
    (lab.folder / "two.ipynb").unlink()
    reserve(look(asked_by(lab, None), desk), desk, settings, NOW)

    inside, touched = [False], list[str]()
    exclusive = RunLog.exclusive

    @contextmanager
    def watched(log: RunLog) -> Iterator[Any]:
        with exclusive(log) as connection:
            inside[0] = True
            try:
                yield connection
            finally:
                inside[0] = False

    monkeypatch.setattr(RunLog, "exclusive", watched)

    def watch(module: Any, name: str) -> None:
        there = getattr(module, name)

        def call(*args: Any, **options: Any) -> Any:
            if inside[0] and args[:1] != (desk.log.path,):
                touched.append(f"{name} {args[:1]}")
            return there(*args, **options)

        monkeypatch.setattr(module, name, call)

    for name in ("open", "stat", "lstat", "scandir", "listdir", "rename", "unlink", "mkdir"):
        watch(os, name)
    watch(io, "open")
    watch(builtins, "open")
    assert bought(seen, desk, settings) == ([Action.ATTACH], 2)
    assert touched == []


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("one.ipynb", None, True),
        (None, "one.ipynb", True),
        (None, None, True),
        ("one.ipynb", "one.ipynb", True),
        ("one.ipynb", "two.ipynb", False),
    ],
)
def test_two_that_ask_at_the_same_moment(
    lab: EngineFixture, desk: OwnedLog, first: str | None, second: str | None, shared: bool
) -> None:
    """Both have looked before either has bought, as `execute` beside `nbconvert --execute` does."""
    one, two = (look(asked_by(lab, name), desk) for name in (first, second))
    assert (one.missing, two.missing) == (1, 1)
    assert bought(one, desk, lab.settings) == ([], 1)
    assert bought(two, desk, lab.settings) == (([Action.ATTACH], 0) if shared else ([], 1))
    assert desk.log.count() == (1 if shared else 2)


def test_a_notebook_that_has_just_got_an_id_is_the_same(lab: EngineFixture, desk: OwnedLog) -> None:
    order = asked_by(lab, "one.ipynb")
    given = replace(
        order,
        origin=order.origin.model_copy(update={"notebook_id": "given"}),
        notebook=replace(order.asker, id="given"),
    )
    one, two = look(order, desk), look(given, desk)
    bought(one, desk, lab.settings)
    assert bought(two, desk, lab.settings) == ([Action.ATTACH], 0)


def test_more_is_bought_only_after_another_look(lab: EngineFixture, desk: OwnedLog) -> None:
    order = asked_by(lab, "one.ipynb")
    row = reserve(look(order, desk), desk, lab.settings, NOW).rows[0]
    seen = look(order, desk)
    assert seen.missing == 0
    desk.log.update(row.run_id, lambda record: record.moved(State.REJECTED))
    with pytest.raises(Outdated):
        reserve(seen, desk, lab.settings, NOW)
    assert desk.log.count() == 1
    # The engine looks again by itself, and prepares what is bought.
    (placed,) = lab.engine().submit(order)
    assert placed.action is Action.BUY


def test_a_budget_follows_its_notebook(lab: EngineFixture, desk: OwnedLog) -> None:
    settings = Hailuo(run_log=str(lab.log), budget_notebook_usd=1.0)
    order = asked_by(lab, "one.ipynb")
    reserve(look(order, desk), desk, settings, NOW)
    (spent,) = budget.budgets(settings, desk.log, order.asker.id, NOW)
    (lab.folder / "one.ipynb").rename(lab.folder / "two.ipynb")
    renamed = asked_by(lab, "two.ipynb", prompt="a dog")
    renamed = replace(renamed, notebook=renamed.asker.after(order.asker))
    assert renamed.asker.aliases == (order.asker.id,)
    assert renamed.asker.id != order.asker.id
    with pytest.raises(BudgetExceeded, match=rf"and \${spent.left:.2f} of"):
        reserve(look(replace(renamed, count=3), desk), desk, settings, NOW)
    reserve(look(renamed, desk), desk, settings, NOW)
    assert desk.log.count(notebook_id=renamed.asker.id) == 2
    assert desk.log.count(notebook_id=order.asker.id) == 1, "the earlier id is not the later one's"


def test_a_copy_with_the_same_id_shows_what_there_is(lab: EngineFixture, desk: OwnedLog) -> None:
    """A notebook's file that was duplicated has its id: what is in it was requested under it."""
    text = '{"metadata": {"hailuo": {"id": "written"}}}'
    for name in ("one.ipynb", "one-Copy1.ipynb"):
        (lab.folder / name).write_text(text)
    reserve(look(asked_by(lab, "one.ipynb"), desk), desk, lab.settings, NOW)
    assert look(asked_by(lab, "one-Copy1.ipynb"), desk).missing == 0


def test_a_run_of_a_notebook_that_is_gone_is_one_other_notebooks(
    lab: EngineFixture, desk: OwnedLog
) -> None:
    bought(look(asked_by(lab, "one.ipynb"), desk), desk, lab.settings)
    (lab.folder / "one.ipynb").unlink()
    first = asked_by(lab, "heir.ipynb")
    assert bought(look(first, desk), desk, lab.settings) == ([Action.ATTACH], 0)
    other = asked_by(lab, "other.ipynb")
    assert look(other, desk).missing == 1
    # Renamed once more it goes on being the heir's.
    (lab.folder / "heir.ipynb").rename(lab.folder / "late.ipynb")
    late = asked_by(lab, "late.ipynb")
    assert bought(look(late, desk), desk, lab.settings) == ([Action.ATTACH], 0)
    assert look(other, desk).missing == 1
