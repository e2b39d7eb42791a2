"""Placing what the form asks for, and what became of it in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.decide import Act
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.order import Placed
from hailuo_jupyter.kernel import generate
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.settings import Hailuo


def place(wish: Wish, settings: Hailuo) -> tuple[Engine, list[Placed]]:
    """Place a wish. What the notebook has already is shown, and not bought for having a parent.

    Parameters
    ----------
    wish, settings
        See `hailuo_jupyter.kernel.generate.place`.

    Raises
    ------
    HailuoError
        Whatever stands in the way; nothing was sent then.
    """
    if wish.parent is not None and not wish.new:
        # A rerun counts by its parent too, so that `%hailuo rerun` buys. A form that was filled from
        # a run and submitted as it stands asks for that very run.
        plain = replace(wish, parent=None)
        order, _ = generate.order_of(plain, settings=settings)
        if process.engine().lacks(order) < wish.count:
            wish = plain
    engine, placed, _ = generate.place(wish, settings=settings)
    return engine, placed


def saved(placed: Sequence[Placed]) -> frozenset[str]:
    """Give the ids of the runs that are shown again instead of bought."""
    return frozenset(each.run.run_id for each in placed if each.act is Act.SHOW)


def words(placed: Sequence[Placed]) -> str:
    """Say what is sent, and what was there already."""
    bought = [each.run.run_id for each in placed if each.act is Act.BUY]
    there = [each.run.run_id for each in placed if each.act is not Act.BUY]
    said = []
    if bought:
        said.append(f"Run {', '.join(bought)} is on its way; it stands below.")
    if there:
        said.append(
            f"This notebook has this request already: run {', '.join(there)}, shown below. Nothing "
            "was paid for it now; its New take button buys another clip."
        )
    said += [harmless(each.remark) for each in placed if each.remark]
    return " ".join(said)
