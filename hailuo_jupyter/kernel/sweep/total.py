"""What several clips cost together: prices before they are bought, and costs after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hailuo_jupyter.kernel.words import usd
from hailuo_jupyter.record import Record
from hailuo_jupyter.states import State

_KINDS = {"published": "published", "inferred": "inferred", "user": "your own price"}

#: Nothing was bought by these, unless the provider says what it charged.
_NOT_BOUGHT = frozenset({State.PREPARED, State.UPLOADING, State.REJECTED, State.FAILED})


@dataclass(frozen=True)
class Total:
    """What a number of clips costs.

    Parameters
    ----------
    low, high
        USD, of those whose price is known.
    unknown, free
        How many have a price that nobody knows, and how many cost nothing.
    kinds
        Who says what the others cost.
    """

    low: float
    high: float
    unknown: int
    free: int
    kinds: tuple[str, ...]

    @property
    def words(self) -> str:
        """The total in words, with who says so."""
        said = []
        if self.kinds:
            low, high = usd(self.low), usd(self.high)
            amount = f"{low} USD" if low == high else f"{low} to {high} USD"
            kinds = " and ".join(_KINDS.get(kind, kind) for kind in self.kinds)
            said.append(f"about {amount} ({kinds})")
        if self.unknown:
            said.append(f"{self.unknown} at a price that nobody publishes")
        if self.free:
            said.append("free (demo)" if not said else f"{self.free} free (demo)")
        return ", ".join(said) or "nothing"


def total(prices: Iterable[tuple[float | None, float | None, str, int]]) -> Total:
    """Add prices up.

    Parameters
    ----------
    prices
        Low end, high end, who says so, and how many clips have it.
    """
    low_sum = high_sum = 0.0
    unknown = free = 0
    kinds: dict[str, None] = {}
    for low, high, kind, count in prices:
        if kind == "free":
            free += count
        elif high is None:
            unknown += count
        else:
            low_sum += (high if low is None else low) * count
            high_sum += high * count
            kinds[kind] = None
    return Total(low_sum, high_sum, unknown, free, tuple(kinds))


def spent(records: Iterable[Record]) -> str:
    """Say what runs have cost so far: facts where they are known, else estimates; empty for nothing."""
    charged, known = 0.0, 0
    prices: list[tuple[float | None, float | None, str, int]] = []
    for record in records:
        cost = record.cost
        if cost.actual is not None and cost.kind != "free":  # the simulator charges, too
            charged, known = charged + cost.actual, known + 1
        elif record.state not in _NOT_BOUGHT:
            prices.append((cost.estimate_low, cost.estimate_high, cost.kind, 1))
    said = [f"{usd(charged)} USD charged"] if known else []
    return " and ".join([*said, *([total(prices).words] if prices else [])])
