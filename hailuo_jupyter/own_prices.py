"""The person's own prices, which stand in for the catalogue's wherever a price is shown or counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.errors import NOTHING_SENT, SettingsError
from hailuo_jupyter.offer import Price, Provider, Rule

SETTING = "Hailuo.prices_usd"

#: Where such a price comes from, as record and card say it.
SOURCE = f"your own price ({SETTING})"


def with_own_prices(provider: Provider, prices: Mapping[str, float]) -> Provider:
    """Give a provider whose prices are the person's own, as far as there are such.

    Parameters
    ----------
    provider
        An entry of the catalogue; the demo stays free.
    prices
        USD for a clip, by ``"segmind"``, ``"segmind/mode=pro"`` or
        ``"aimlapi/resolution=768P,duration=10"``. The key that names most options wins.

    Raises
    ------
    SettingsError
        If a key names a provider, an option or a value that does not exist.
    """
    found = [(_read(name), amount) for name, amount in prices.items()]
    rules = [
        Rule(when, _price(amount))
        for (whose, when), amount in found
        if whose == provider.name and provider.name != "demo"
    ]
    if not rules:
        return provider
    # Where two fit equally well, the dearer one is the safer one to count with.
    rules.sort(key=lambda rule: (-len(rule.when), -(rule.then.high or 0.0)))
    return replace(provider, prices=(*rules, *provider.prices))


def _price(amount: float) -> Price:
    return Price(amount, amount, "user", "", SOURCE, "")


def _read(key: str) -> tuple[str, dict[str, str | int]]:
    name, _, rest = key.partition("/")
    known = {each.name: each for each in catalogue.providers()}
    provider = known.get(name.strip().casefold())
    if provider is None:
        raise _wrong(key, f"there is no provider {name.strip()!r}; there are {', '.join(known)}")
    when: dict[str, str | int] = {}
    for part in filter(None, (each.strip() for each in rest.split(","))):
        option, _, value = (each.strip() for each in part.partition("="))
        choice = provider.choice(option)
        if choice is None:
            names = ", ".join(each.name for each in provider.choices)
            raise _wrong(key, f"{provider.title} has no option {option!r}; it has {names}")
        fit: list[Any] = [
            each for each in choice.values if catalogue.spelled(each) == catalogue.spelled(value)
        ]
        if not fit:
            values = ", ".join(map(str, choice.values))
            raise _wrong(key, f"{option} can be {values}, and not {value!r}")
        when[option] = fit[0]
    return provider.name, when


def _wrong(key: str, why: str) -> SettingsError:
    return SettingsError(
        f"{SETTING} has the key {catalogue.shown(key)}, but {why}.",
        money=NOTHING_SENT,
        todo="Write it as 'segmind', 'segmind/mode=pro' or 'aimlapi/resolution=768P,duration=10'.",
    )
