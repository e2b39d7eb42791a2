"""Budgets: spending limits of a person, checked in the same transaction that stores a run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from hailuo_jupyter.catalogue.types import Price
from hailuo_jupyter.errors import NOTHING_SENT, BudgetExceeded
from hailuo_jupyter.formatting import dollars
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.spending import Spending
from hailuo_jupyter.settings import Hailuo


class Budget(NamedTuple):
    """One budget and what counts against it.

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
    """Return the last local midnight, in seconds since 1970.

    Parameters
    ----------
    now
        Seconds since 1970.
    """
    day = datetime.fromtimestamp(now).astimezone().date()
    return datetime(day.year, day.month, day.day).timestamp()  # noqa: DTZ001 - local is meant


def budgets(
    settings: Hailuo,
    log: RunLog,
    notebook_id: str | None,
    now: float,
    alive: Callable[[str], bool] | None = None,
) -> list[Budget]:
    """Return the budgets that are set, with what counts against each.

    Parameters
    ----------
    settings
        Contain the limits; 0 means no limit.
    log
        The user's own run log, never the demo's.
    notebook_id
        The notebook; None for runs not requested in a notebook.
    now
        Seconds since 1970.
    alive
        Returns whether an owner's process is alive; if None, the log checks its locks itself.
    """
    found: list[Budget] = []
    if settings.budget_notebook_usd:
        sums = log.spending(notebook_id=notebook_id, in_notebook=True, alive=alive)
        found.append(_budget("this notebook", "budget_notebook_usd", settings, sums))
    if settings.budget_day_usd:
        sums = log.spending(since=midnight(now), alive=alive)
        found.append(_budget("today", "budget_day_usd", settings, sums))
    return found


def _budget(
    whose: str, setting: str, settings: Hailuo, sums: dict[tuple[str | None, ...], Spending]
) -> Budget:
    return Budget(whose, setting, float(getattr(settings, setting)), sums.get((), Spending()))


def check(price: Price, count: int, standing: list[Budget], *, yes: bool) -> None:
    """Refuse a submission that would exceed a budget.

    The upper bound of each price counts, for the whole submission at once.

    Parameters
    ----------
    price
        Of one clip.
    count
        How many are bought.
    standing
        The budgets, as `budgets` returns them in the same transaction.
    yes
        Whether the person has agreed to an unknown price.

    Raises
    ------
    BudgetExceeded
        Before anything is sent.
    """
    if count < 1 or price.kind == "free" or not standing:
        return
    if price.counted is None and not yes:
        names = " and ".join(f"Hailuo.{each.setting}" for each in standing)
        raise BudgetExceeded(
            f"{names} {'is' if len(standing) == 1 else 'are'} set, but the provider publishes no "
            "price for this clip.",
            money=NOTHING_SENT,
            todo="Set a price in Hailuo.prices_usd, or use --yes (yes=True) to send it anyway.",
        )
    needed = (price.counted or 0.0) * count
    for each in standing:
        over = needed > each.left + 1e-9 or (price.counted is None and each.left <= 0)
        if over:
            own = (
                "set a price in Hailuo.prices_usd for later clips, "
                if each.spending.disputed
                else ""
            )
            raise BudgetExceeded(
                _over_budget(each, price, count, needed),
                money=NOTHING_SENT,
                todo=f"See '%hailuo cost'; {own}raise Hailuo.{each.setting}, or wait.",
            )


def _over_budget(budget: Budget, price: Price, count: int, needed: float) -> str:
    clips = "this clip" if count == 1 else f"these {count} clips"
    cost = (
        f"{clips} could cost up to {dollars(needed)}"
        if price.counted is not None
        else f"the cost of {clips} is unknown"
    )
    sums = budget.spending
    pending = sums.reserved + sums.maybe
    going = f"; {dollars(pending)} is pending or unconfirmed" if pending else ""
    return (
        f"Over budget: {cost}, and {dollars(max(budget.left, 0.0))} of "
        f"{dollars(budget.limit)} for {budget.whose} is left{going}."
        + (f" {disputed(sums.disputed)}" if sums.disputed else "")
    )


def disputed(usd: float) -> str:
    """Return the sentence about reported costs outside their estimate, which do not count yet.

    Parameters
    ----------
    usd
        The amount that counts for these clips, in USD.
    """
    return (
        f"{dollars(usd)} is counted for clips whose reported cost is outside the estimate: the larger "
        "of it and the lower estimate counts until the provider's history confirms it."
    )
