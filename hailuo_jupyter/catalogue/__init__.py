"""What each provider offers, expects and costs; and the check of a request's options.

The facts, with their dates and sources, are data: ``<provider>.json`` for each provider, ``models.json`` for
facts that hold for every provider, ``schema.json`` for their form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any, NoReturn

from hailuo_jupyter.catalogue.alternatives import elsewhere
from hailuo_jupyter.catalogue.entries import NAMES, load, model_names, offers, providers
from hailuo_jupyter.catalogue.spelling import did_you_mean, shown, spelled
from hailuo_jupyter.catalogue.types import (
    DEFAULT_MODEL,
    BaseUrl,
    Camera,
    Choice,
    Price,
    Provider,
    Rule,
)
from hailuo_jupyter.errors import NOTHING_SENT, OptionError, SettingsError

__all__ = [
    "DEFAULT_MODEL",
    "DEMO_SPEED",
    "NAMES",
    "camera",
    "check_combination",
    "did_you_mean",
    "model_name",
    "model_names",
    "offers",
    "option_names",
    "provider",
    "providers",
    "recorded_provider",
    "shown",
    "spelled",
    "unsupported_option_error",
    "unsupported_options",
    "validate_options",
    "with_own_prices",
]

#: By default the demo is this many times faster than the provider whose wire it speaks.
DEMO_SPEED = 20.0


#: The setting with the person's own prices, and where such a price comes from, as shown by record and card.
_PRICES_SETTING = "Hailuo.prices_usd"
_OWN_SOURCE = f"your own price ({_PRICES_SETTING})"


def provider(
    name: str,
    *,
    model: str | None = None,
    demo_dialect: str = "segmind",
    demo_speed: float = DEMO_SPEED,
) -> Provider:
    """Return the provider of this name, with one of its models; letter case does not matter.

    Parameters
    ----------
    name
        ``"segmind"``, ``"aimlapi"`` or ``"demo"``.
    model
        As options spell it (``"hailuo-2.3"``), or the provider's own name of it; its default if None.
    demo_dialect
        Whose wire, options and limits the demo imitates.
    demo_speed
        How many times faster than the real provider the demo is.

    Raises
    ------
    SettingsError
        If the provider does not exist.
    OptionError
        If it does not offer the model; the message names the providers that do.
    """
    wanted = name.strip().casefold()
    if wanted == "demo":
        return _demo(_with_model(_offered(demo_dialect), model, demo=True), demo_speed)
    return _with_model(_offered(wanted, name), model)


def recorded_provider(
    name: str, model: str, *, demo_dialect: str = "segmind", demo_speed: float = DEMO_SPEED
) -> Provider:
    """Return the provider of a record, with the record's model.

    Parameters
    ----------
    name, demo_dialect, demo_speed
        As for `provider`.
    model
        The provider's own name of the model. One that this version does not know, such as a newer version's,
        has the facts of the provider's default model: its clip must not be lost.

    Raises
    ------
    SettingsError
        If the provider does not exist.
    """
    try:
        return provider(name, model=model, demo_dialect=demo_dialect, demo_speed=demo_speed)
    except OptionError:
        default = provider(name, demo_dialect=demo_dialect, demo_speed=demo_speed)
        return replace(default, model=model)


def model_name(name: str, dialect: str, model: str) -> str:
    """Return a record's model as options spell it; one that this version does not know stays as it is.

    Parameters
    ----------
    name, dialect
        The record's provider, and the API that it speaks.
    model
        The provider's own name of the model.
    """
    home = dialect if name == "demo" else name
    found = (o.model_name for o in offers() if (o.name, o.model) == (home, model))
    return next(found, model)


def _offered(name: str, written: str = "") -> tuple[Provider, ...]:
    """Return a provider with each of its models."""
    return tuple(offer for offer in offers() if offer.name == name) or _no_provider(written or name)


def _with_model(
    offered: tuple[Provider, ...], model: str | None, *, demo: bool = False
) -> Provider:
    wanted = offered[0].models[0] if model is None else spelled(model)
    for offer in offered:
        if wanted in {offer.model_name, spelled(offer.model)}:
            return offer
    own = f"It has {', '.join(f'--model {name}' for name in offered[0].models)}."
    if wanted not in model_names():
        raise OptionError(
            f"There is no model {shown(model)}.",
            money=NOTHING_SENT,
            todo=did_you_mean(model, [*model_names()])
            + f"Choose one of {', '.join(model_names())}.",
        )
    title = "The demo" if demo else offered[0].title
    asking = replace(offered[0], name="demo") if demo else offered[0]
    what, todo = elsewhere(asking, lambda offer: offer.model_name == wanted)
    raise OptionError(
        f"{title} has no --model {wanted}{what}.", money=NOTHING_SENT, todo=todo or own
    )


def option_names() -> tuple[str, ...]:
    """Return the options of all models and providers, those of the usual models first."""
    usual = [offer for offer in offers() if offer.model_name == offer.models[0]]
    found = (choice.name for offer in (*usual, *offers()) for choice in offer.choices)
    return tuple(dict.fromkeys(found))


@cache
def unsupported_options() -> Mapping[str, Mapping[str, str]]:
    """Return the options of other video models that no provider has: the reason, and an alternative."""
    options: Mapping[str, Mapping[str, str]] = load("models")["unsupported_options"]
    return MappingProxyType(options)


@cache
def camera() -> Camera:
    """Return the camera commands that a prompt may contain, with their source and what is unconfirmed."""
    found = load("models")["camera"]
    return Camera(**{**found, "commands": tuple(found["commands"])})


def _no_provider(name: str) -> NoReturn:
    names = [*(found.name for found in providers()), "demo"]
    raise SettingsError(
        f"There is no provider {shown(name)}.",
        money=NOTHING_SENT,
        todo=did_you_mean(name, names) + f"Choose one of {', '.join(names)}.",
    )


def _demo(imitated: Provider, speed: float) -> Provider:
    """Return the simulated provider: free, fast, without a key or an address outside this machine."""
    free = Price(0.0, 0.0, "free", imitated.as_of, "", "The demo makes test pictures, no clips.")
    faster = tuple(
        Rule(
            rule.when,
            replace(
                rule.then,
                median_s=rule.then.median_s / speed,
                source=f"{imitated.title}'s, {speed:g} times faster.",
            ),
        )
        for rule in imitated.expectations
    )
    return replace(
        imitated,
        name="demo",
        title="Demo (simulated)",
        key_variables=(),
        key_page="",
        base_urls=MappingProxyType({role: BaseUrl("", "") for role in imitated.base_urls}),
        requests_per_minute=None,
        has_price_list=False,
        # The simulator forgets as the provider does, at its own speed.
        retention_s=imitated.retention_s / speed,
        file_lifetime=replace(
            imitated.file_lifetime, seconds=imitated.file_lifetime.seconds / speed
        ),
        prices=(Rule({}, free),),
        expectations=faster,
    )


def validate_options(
    provider: Provider, requested: Mapping[str, str | int | None]
) -> dict[str, str | int]:
    """Check the options of a request and fill in defaults.

    Parameters
    ----------
    provider
        The provider of the request.
    requested
        Options by name; None means not set. Letter case is ignored, and a number may
        be text.

    Returns
    -------
    dict
        A value for each of the provider's choices, in display order, spelled as the wire has it.

    Raises
    ------
    OptionError
        If the provider lacks an option, a value or the combination; the message names providers that have it
        and the closest alternative here.
    """
    chosen = {name: value for name, value in requested.items() if value is not None}
    for name, value in chosen.items():
        if provider.choice(name) is None:
            raise _lacks_option(provider, name, value)
    options = {
        choice.name: _value(provider, choice, chosen[choice.name])
        if choice.name in chosen
        else choice.default
        for choice in provider.choices
    }
    check_combination(provider, options)
    return options


#: How a rule of the catalogue refers to the frames, and how a message does.
_FRAMES = {
    ("first_frame", "yes"): "a first frame",
    ("first_frame", "no"): "no first frame",
    ("last_frame", "yes"): "a last frame",
    ("last_frame", "no"): "no last frame",
}


def check_combination(provider: Provider, options: Mapping[str, str | int]) -> None:
    """Check options, and whether there are frames, against what the provider refuses.

    Parameters
    ----------
    provider
        The provider of the request.
    options
        Checked options; and ``first_frame`` and ``last_frame``, ``yes`` or ``no``, if that is known.

    Raises
    ------
    OptionError
        If it refuses the combination.
    """
    for rule in provider.refused:
        if rule.holds(options):
            asked_for = " with ".join(
                _FRAMES.get((name, str(value)), f"--{name} {value}")
                for name, value in rule.when.items()
            )
            raise OptionError(
                f"{provider.offer} refuses {asked_for}: {rule.then.why}.",
                money=NOTHING_SENT,
                todo=rule.then.todo,
            )


def _value(provider: Provider, choice: Choice, value: object) -> str | int:
    for allowed in choice.values:
        if spelled(allowed) == spelled(value):
            return allowed
    values = [str(allowed) for allowed in choice.values]
    what, todo = elsewhere(provider, lambda offer: _has(offer, choice.name, value))
    raise OptionError(
        f"{provider.offer} has no --{choice.name} {shown(value)}{what}.",
        money=NOTHING_SENT,
        todo=f"{did_you_mean(value, values)}Choose one of {', '.join(values)}. {todo}".strip(),
    )


def _has(offer: Provider, name: str, value: object) -> bool:
    choice = offer.choice(name)
    return choice is not None and any(spelled(each) == spelled(value) for each in choice.values)


def unsupported_option_error(name: str) -> OptionError | None:
    """Return the error for an option that other video models have and no provider of this one; else None.

    Parameters
    ----------
    name
        As written in an option line or in Python.
    """
    found = unsupported_options().get(name.replace("-", "_"))
    return (
        None if found is None else OptionError(found["why"], money=NOTHING_SENT, todo=found["todo"])
    )


def _lacks_option(provider: Provider, name: object, value: object) -> OptionError:
    if error := unsupported_option_error(str(name)):
        return error
    near = provider.equivalents.get(str(name), {})
    matching = (text for key, text in near.items() if spelled(key) == spelled(value))
    nearest = next(matching, None) or near.get("*")
    names = [choice.name for choice in provider.choices]
    known = did_you_mean(name, names) + f"It has {', '.join(f'--{each}' for each in names)}."
    what, todo = elsewhere(provider, lambda offer: offer.choice(str(name)) is not None)
    return OptionError(
        f"{provider.offer} has no --{shown(name)}{what}.",
        money=NOTHING_SENT,
        todo=" ".join(filter(None, (todo, nearest or ("" if todo else known)))),
    )


def with_own_prices(provider: Provider, prices: Mapping[str, float]) -> Provider:
    """Return a provider with the prices that the person has set for it, if any.

    Parameters
    ----------
    provider
        An entry of the catalogue; the demo stays free.
    prices
        USD for a clip, by ``"segmind"``, ``"segmind/mode=pro"`` or
        ``"aimlapi/model=hailuo-2.3,resolution=768P"``. Without ``model`` it is for the provider's default
        one. The key that names most options wins.

    Raises
    ------
    SettingsError
        If a key names a provider, an option or a value that does not exist.
    """
    found = [(_price_key(name), amount) for name, amount in prices.items()]
    rules = [
        Rule(when, _own_price(amount))
        for (whose, when), amount in found
        if (whose.name, whose.model_name) == (provider.name, provider.model_name)
    ]
    if not rules:
        return provider
    # If two match equally well, use the higher price: the safer assumption.
    rules.sort(key=lambda rule: (-len(rule.when), -(rule.then.high or 0.0)))
    return replace(provider, prices=(*rules, *provider.prices))


def _own_price(amount: float) -> Price:
    return Price(amount, amount, "user", "", _OWN_SOURCE, "")


def _price_key(key: str) -> tuple[Provider, dict[str, str | int]]:
    name, _, rest = key.partition("/")
    named = [
        (option.strip(), value.strip())
        for part in filter(None, (each.strip() for each in rest.split(",")))
        for option, _, value in [part.partition("=")]
    ]
    offered = [each for each in offers() if each.name == name.strip().casefold()]
    if not offered:
        names = ", ".join(each.name for each in providers())
        raise _wrong_price_key(key, f"there is no provider {name.strip()!r}; there are {names}")
    model = dict(named).get("model", offered[0].models[0])
    provider = next((each for each in offered if each.model_name == spelled(model)), None)
    if provider is None:
        raise _wrong_price_key(
            key, f"{offered[0].title} has no model {model!r}; it has {', '.join(offered[0].models)}"
        )
    when: dict[str, str | int] = {}
    for option, value in named:
        if option == "model":
            continue
        choice = provider.choice(option)
        if choice is None:
            names = ", ".join(each.name for each in provider.choices)
            raise _wrong_price_key(
                key, f"{provider.offer} has no option {option!r}; it has {names}"
            )
        fit: list[Any] = [each for each in choice.values if spelled(each) == spelled(value)]
        if not fit:
            values = ", ".join(map(str, choice.values))
            raise _wrong_price_key(key, f"{option} can be {values}, and not {value!r}")
        when[option] = fit[0]
    return provider, when


def _wrong_price_key(key: str, why: str) -> SettingsError:
    return SettingsError(
        f"{_PRICES_SETTING} has the key {shown(key)}, but {why}.",
        money=NOTHING_SENT,
        todo="Write it as 'segmind', 'segmind/mode=pro' or 'aimlapi/model=hailuo-2.3,duration=10'.",
    )
