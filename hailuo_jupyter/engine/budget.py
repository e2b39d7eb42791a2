"""Budgets: what a person is willing to spend, checked in the same step in which a run is written down."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from hailuo_jupyter.errors import NOTHING_SENT, BudgetExceeded
from hailuo_jupyter.offer import Price
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.spending import Spending
from hailuo_jupyter.settings import Hailuo


class Budget(NamedTuple):
    """One budget as it stands.

    Parameters
    ----------
    whose
        What it is for, in words.
    setting
        Name of the setting.
    limit
        USD.
    spending
        What counts against it.
    """

    whose: str
    setting: str
    limit: float
    spending: Spending

    @property
    def left(self) -> float:
        """USD that may still be spent; below 0 where more was spent than the budget allows."""
        return round(self.limit - self.spending.total, 6)


def midnight(now: float) -> float:
    """Give the last local midnight, in seconds since 1970.

    Parameters
    ----------
    now
        Seconds since 1970.
    """
    day = datetime.fromtimestamp(now).astimezone().date()
    return datetime(day.year, day.month, day.day).timestamp()  # noqa: DTZ001 - local is meant


def budgets(settings: Hailuo, log: RunLog, notebook_id: str | None, now: float) -> list[Budget]:
    """Give the budgets that are set, with what counts against each.

    Parameters
    ----------
    settings
        Tells the limits; 0 is none.
    log
        The user's own run log, never the demo's.
    notebook_id
        The notebook; None for runs that no notebook asked for.
    now
        Seconds since 1970.
    """
    found: list[Budget] = []
    if settings.budget_notebook_usd:
        sums = log.spending(notebook_id=notebook_id, in_notebook=True)
        found.append(_budget("this notebook", "budget_notebook_usd", settings, sums))
    if settings.budget_day_usd:
        sums = log.spending(since=midnight(now))
        found.append(_budget("today", "budget_day_usd", settings, sums))
    return found


def _budget(
    whose: str, setting: str, settings: Hailuo, sums: dict[tuple[str | None, ...], Spending]
) -> Budget:
    return Budget(whose, setting, float(getattr(settings, setting)), sums.get((), Spending()))


def check(price: Price, count: int, standing: list[Budget], *, yes: bool) -> None:
    """Refuse an order that would pass a budget.

    What counts is the high end of each price, and the whole order at once.

    Parameters
    ----------
    price
        Of one clip.
    count
        How many are bought.
    standing
        The budgets, as `budgets` gives them in the same transaction.
    yes
        Whether the person has agreed to a price that nobody knows.

    Raises
    ------
    BudgetExceeded
        Before anything is sent.
    """
    if count < 1 or price.kind == "free" or not standing:
        return
    if price.high is None and not yes:
        names = " and ".join(f"Hailuo.{each.setting}" for each in standing)
        raise BudgetExceeded(
            f"{names} {'is' if len(standing) == 1 else 'are'} set, and nobody publishes what this "
            "clip costs.",
            money=NOTHING_SENT,
            todo="Tell your own price with Hailuo.prices_usd, or put --yes on the cell (yes=True) to "
            "send it all the same.",
        )
    needed = (price.high or 0.0) * count
    for each in standing:
        over = needed > each.left + 1e-9 or (price.high is None and each.left <= 0)
        if over:
            raise BudgetExceeded(_passed(each, price, count, needed), **_REFUSED)


_REFUSED = {
    "money": NOTHING_SENT,
    "todo": "'%hailuo cost' shows what counts; raise the budget with %config, or wait.",
}


def _passed(budget: Budget, price: Price, count: int, needed: float) -> str:
    clips = "this clip" if count == 1 else f"these {count} clips"
    kind = "your own" if price.kind == "user" else price.kind
    cost = (
        f"{clips} may cost up to {needed:.2f} USD ({kind} price)"
        if price.high is not None
        else f"nobody knows what {clips} may cost"
    )
    sums = budget.spending
    underway = sums.reserved + sums.maybe
    going = f", {underway:.2f} of it under way or unconfirmed" if underway else ""
    return (
        f"The budget for {budget.whose} is {budget.limit:.2f} USD (Hailuo.{budget.setting}): "
        f"{sums.total:.2f} USD are spent or reserved{going}, and {cost}."
    )
