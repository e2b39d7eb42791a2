"""Placing an order: what it needs, whether that may be bought, and the runs written down for it."""

from __future__ import annotations

from dataclasses import replace

from hailuo_jupyter.engine import budget
from hailuo_jupyter.engine.decide import Decision, decide
from hailuo_jupyter.engine.desk import Desk, Wires
from hailuo_jupyter.engine.download import check_folder
from hailuo_jupyter.engine.order import Order, earlier, known
from hailuo_jupyter.engine.recover import recover
from hailuo_jupyter.engine.whereabouts import find_moved
from hailuo_jupyter.images import keep
from hailuo_jupyter.record import prepare
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.settings import Hailuo


def decision(order: Order, log: RunLog, now: float) -> Decision:
    """Decide what an order needs, by what the log knows of its notebook.

    Raises
    ------
    NotBought
        If an earlier run stands in the way.
    """
    decided = decide(
        [known(row, log, order.provider.retention_s, now) for row in earlier(order, log)],
        count=order.count,
        new=order.new and order.sweep is None,
    )
    if order.most is not None and decided.buy > order.most:
        return Decision(decided.kept, order.most)
    return decided


def looked_for(order: Order, log: RunLog, now: float) -> tuple[Order, int]:
    """Look for what serves an order already, and tell how many runs it lacks; nothing is bought.

    Clips that were moved together with their notebook are found again here. So are those whose records
    lie beside them though the log was lost, or has them under another id of the notebook.

    Returns
    -------
    order, lacking
        The order knows what was found for it.

    Raises
    ------
    NotBought
        If an earlier run stands in the way.
    """
    if not order.new:
        find_moved(earlier(order, log), order.folder, log)
    lacking = decision(order, log, now).buy
    if lacking and not order.new and (found := recover(order, log)):
        others = {run_id: words for run_id, words in found.items() if words}
        order = replace(order, found=others)
        lacking = decision(order, log, now).buy
    return order, lacking


def get_ready(order: Order, wires: Wires) -> None:
    """Find out, before anything is written down or paid, whatever would fail later.

    Raises
    ------
    KeyMissing, SettingsError, DiskError, ProviderDown
        Before anything is sent.
    """
    wires.key(order.provider, order.key_folder)
    dialect = wires.dialect(order.provider)
    frames = [each for each in (order.request.first_frame, order.request.last_frame) if each]
    if any(frame.url is None for frame in frames):
        dialect.check_storage()
    check_folder(order.folder)
    for frame in frames:
        keep(frame, order.folder)


def buy(order: Order, desk: Desk, settings: Hailuo, now: float) -> tuple[Decision, list[Row]]:
    """Decide what an order needs, and write down what is bought: one step for all processes.

    Two that place orders at once on one log cannot pass a budget together.

    Raises
    ------
    NotBought
        If an earlier run stands in the way.
    BudgetExceeded
        If it would pass a budget; nothing is written down then.
    """
    with desk.log.exclusive():
        decided = decision(order, desk.log, now)
        if decided.buy:
            price = order.provider.price(order.request.options)
            standing = budget.budgets(settings, desk.log, order.origin.notebook_id, now)
            budget.check(price, decided.buy, standing, yes=order.yes)
        return decided, [_write_down(order, desk, now) for _ in range(decided.buy)]


def _write_down(order: Order, desk: Desk, now: float) -> Row:
    record = prepare(
        order.request,
        order.provider,
        origin=order.origin,
        tags=order.tags,
        note=order.note,
        name=order.name,
        parent=order.parent,
        sweep=order.sweep,
        position=order.position,
        frames_kept=True,
        at=now,
    )
    return desk.log.insert(
        record, folder=order.folder, kind=order.request.kind, owner=desk.owner.id
    )
