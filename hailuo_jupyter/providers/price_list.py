"""Read the price of a clip from AI/ML API's list of models.

Source: the provider's published documentation of ``GET /v1/models``: a price that is fixed, or variants,
each with ``when``, ``price``, ``unit`` and ``per``. Not verified, since no answer for a video model is
published: the values of ``unit``. Unknown entries are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hailuo_jupyter.catalogue.price_lists import ListPrice
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.providers.base import Reply, number

#: Units that mean one clip.
_CLIPS = frozenset({"", "video", "clip", "generation", "request", "item", "call"})
_SECONDS = frozenset({"second", "seconds", "sec", "s"})

#: Highest plausible price of a clip, in USD.
_MOST = 100.0


def prices(provider: Provider, reply: Reply) -> tuple[ListPrice, ...]:
    """Return the prices of the provider's model in a list of models; empty if none can be read.

    Parameters
    ----------
    provider
        The provider of the model, with its options.
    reply
        The list.
    """
    models = reply.table.get("data")
    if not reply.ok or not isinstance(models, list):
        return ()
    for model in models:
        if isinstance(model, dict) and provider.model in _names(model):
            return tuple(_read(provider, model.get("pricing")))
    return ()


def _names(model: Mapping[str, Any]) -> list[Any]:
    aliases = model.get("aliases")
    return [model.get("id"), *(aliases if isinstance(aliases, list) else [])]


def _read(provider: Provider, pricing: Any) -> Iterator[ListPrice]:
    if not isinstance(pricing, dict) or pricing.get("currency", "USD") != "USD":
        return
    variants = pricing.get("variants", pricing.get("units"))
    for each in variants if isinstance(variants, list) else [pricing]:
        if not isinstance(each, dict):
            continue
        when = each.get("when")
        chosen = _options(provider, when if isinstance(when, dict) else {})
        usd = None if chosen is None else _usd(each, chosen)
        if chosen is not None and usd is not None and 0 < usd < _MOST:
            yield ListPrice(chosen, usd)


def _options(provider: Provider, when: Mapping[str, Any]) -> dict[str, str | int] | None:
    """Return a variant's options; None if it is for something that we do not request."""
    chosen: dict[str, str | int] = {}
    for name, wanted in when.items():
        choice = provider.choice(name)
        values = () if choice is None else choice.values
        fit = [value for value in values if str(value).lower() == str(wanted).strip().lower()]
        if not fit:
            return None
        chosen[name] = fit[0]
    return chosen


def _usd(each: Mapping[str, Any], chosen: Mapping[str, str | int]) -> float | None:
    price, per = number(each.get("price")), number(each.get("per", 1))
    unit = str(each.get("unit") or "").strip().lower()
    if price is None or not per:
        return None
    if unit in _CLIPS:
        return round(price / per, 6)
    if unit in _SECONDS and isinstance(duration := chosen.get("duration"), int):
        return round(price / per * duration, 6)
    return None
