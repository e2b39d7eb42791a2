"""Prices that a provider publishes itself, as last read; they replace the catalogue's.

They are stored next to the run log. This module sends no request: see `hailuo_jupyter.engine.account`. A list
with lower prices than the catalogue does not loosen a budget: until a charge has confirmed a price, the
higher of the two counts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from hailuo_jupyter.catalogue import with_own_prices
from hailuo_jupyter.catalogue.types import DEFAULT_MODEL, Options, Price, Provider, Rule
from hailuo_jupyter.errors import SettingsError
from hailuo_jupyter.files import atomic_write
from hailuo_jupyter.settings import Hailuo

#: Amounts that differ by less are the same, in USD.
_SAME_USD = 1e-6

#: Limit for the size of a price list; a real one is a few kB.
_LARGEST = 256 * 1024


@dataclass(frozen=True)
class ListPrice:
    """The listed price of a clip with some options.

    Parameters
    ----------
    when
        The options.
    usd
        For one clip.
    confirmed
        Whether a clip was charged this amount since.
    """

    when: dict[str, str | int]
    usd: float
    confirmed: bool = False


@dataclass(frozen=True)
class PriceList:
    """A provider's list.

    Parameters
    ----------
    url
        Where it was read from.
    at
        When it was last requested, in seconds since 1970.
    etag
        The ETag that the server sent with it, for a conditional request.
    prices
        Those that could be read.
    """

    url: str
    at: float
    etag: str = ""
    prices: tuple[ListPrice, ...] = ()

    def renewed(self, prices: Sequence[ListPrice]) -> tuple[ListPrice, ...]:
        """Return new prices, confirmed where the same price was before."""
        confirmed = {(_key(each.when), each.usd): each.confirmed for each in self.prices}
        return tuple(
            replace(each, confirmed=confirmed.get((_key(each.when), each.usd), False))
            for each in prices
        )


def _key(when: Options) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in when.items()))


def path_of(settings: Hailuo, provider: Provider) -> Path:
    """Return the file that stores a provider's list of its model's prices."""
    log = settings.run_log_path()
    model = "" if provider.model_name == DEFAULT_MODEL else f"-{provider.model_name}"
    return log.with_name(f"{log.stem}-prices-{provider.name}{model}.json")


def read(path: Path) -> PriceList | None:
    """Read a stored list; None if there is none or it is unreadable."""
    try:
        found = path.stat()
    except OSError:
        return None
    return _read(path, found.st_mtime_ns, found.st_ino) if found.st_size <= _LARGEST else None


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, _file: int) -> PriceList | None:
    # A provider is looked up whenever a card is rendered; each list is a new file (`atomic_write`).
    try:
        value = json.loads(path.read_bytes())
        prices = tuple(
            ListPrice(dict(each["when"]), float(each["usd"]), each["confirmed"] is True)
            for each in value["prices"]
        )
        return PriceList(str(value["url"]), float(value["at"]), str(value["etag"]), prices)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def keep(path: Path, found: PriceList) -> None:
    """Save a list. If it cannot be written, it is fetched again another time."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(asdict(found), indent=1).encode())


def confirm(path: Path, options: Options, usd: float) -> None:
    """Record that a clip with these options was charged this amount, if the list says the same."""
    found = read(path)
    if found is None:
        return

    def after(each: ListPrice) -> ListPrice:
        fits = Rule(each.when, None).holds(options) and abs(each.usd - usd) < _SAME_USD
        return replace(each, confirmed=True) if fits else each

    prices = tuple(after(each) for each in found.prices)
    if prices != found.prices:
        keep(path, replace(found, prices=prices))


def priced(provider: Provider, settings: Hailuo) -> Provider:
    """Return a provider with the prices in force: the person's own, else the list's, else the catalogue's.

    Parameters
    ----------
    provider
        An entry of the catalogue.
    settings
        Contain the person's own prices, and the folder of the list.

    Raises
    ------
    SettingsError
        As `with_own_prices`.
    """
    if provider.has_price_list:
        with suppress(SettingsError):  # no home folder: whatever needs the log says so
            found = read(path_of(settings, provider))
            if found is not None and found.prices:
                provider = _with_list(provider, found)
    return with_own_prices(provider, settings.prices_usd)


def _with_list(provider: Provider, found: PriceList) -> Provider:
    rules = [Rule(each.when, _price(provider, found, each)) for each in found.prices]
    rules.sort(key=lambda rule: (-len(rule.when), -(rule.then.high or 0.0)))
    return replace(provider, prices=(*rules, *provider.prices))


def _price(provider: Provider, found: PriceList, listed: ListPrice) -> Price:
    doubt = "Until a clip has been charged this price, a budget counts the larger of it and the catalogue's."
    return Price(
        listed.usd,
        listed.usd,
        "published",
        f"{datetime.fromtimestamp(found.at, UTC):%Y-%m-%d}",
        found.url,
        "" if listed.confirmed else doubt,
        at_most=None if listed.confirmed else provider.price(listed.when).high,
    )
