"""Who can do what one provider or model cannot: the part of an error that names the way out."""

from __future__ import annotations

from collections.abc import Callable

from hailuo_jupyter.catalogue.entries import offers
from hailuo_jupyter.catalogue.types import Provider


def elsewhere(provider: Provider, can: Callable[[Provider], bool]) -> tuple[str, str]:
    """Return who can, in words.

    Parameters
    ----------
    provider
        Who cannot.
    can
        Returns whether another one, or another model of this one, can.

    Returns
    -------
    what, todo
        What follows the sentence that this one cannot: ``"; AI/ML API has (--provider aimlapi)"``. And
        what to do for the demo, whose newcomers are not sent to a provider that costs money. Both may be
        empty.
    """
    demo = provider.name == "demo"
    home = provider.dialect if demo else provider.name
    able = [offer for offer in offers() if can(offer)]
    same = [o for o in able if o.name != home and o.model_name == provider.model_name][:1]
    own = [o for o in able if o.name == home and o.model_name != provider.model_name][:1]
    found = [*same, *own] or [o for o in able if o.name != home][:1]
    words, todo = [], ""
    for offer in found:
        if demo and offer.name != home:
            words.append(f"{offer.offer} has, which the demo can imitate,")
            todo = f"%config Hailuo.demo_dialect = {offer.name!r} imitates {offer.title}."
        else:
            words.append(_words(offer, home, provider.model_name))
    return "; " + " and ".join(words).removesuffix(",") if words else "", todo


def _words(offer: Provider, home: str, model: str) -> str:
    options = [f"--provider {offer.name}"] if offer.name != home else []
    options += [f"--model {offer.model_name}"] if offer.model_name != model else []
    name = offer.model_name if offer.name == home else offer.offer
    return f"{name} has ({' '.join(options)})"
