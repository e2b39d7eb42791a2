"""Checking the options of a request against what its provider offers."""

from __future__ import annotations

from collections.abc import Mapping

from hailuo_jupyter.catalogue import did_you_mean, nowhere, providers, shown, spelled
from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.offer import Choice, Provider


def resolve(provider: Provider, given: Mapping[str, str | int | None]) -> dict[str, str | int]:
    """Check the options of a request and fill in what it leaves open.

    Parameters
    ----------
    provider
        Who is asked.
    given
        Options by name; None counts as not given. Letter case does not matter, and a number may
        come as text.

    Returns
    -------
    dict
        A value for each of the provider's choices, in display order, spelled as the wire has it.

    Raises
    ------
    OptionError
        If the provider lacks an option, a value or the combination; the message names who has it
        and what comes nearest here.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    for name, value in asked.items():
        if provider.choice(name) is None:
            raise _lacks_option(provider, name, value)
    options = {
        choice.name: _value(provider, choice, asked[choice.name])
        if choice.name in asked
        else choice.default
        for choice in provider.choices
    }
    for rule in provider.refused:
        if rule.holds(options):
            asked_for = " with ".join(f"--{name} {value}" for name, value in rule.when.items())
            raise OptionError(
                f"{provider.title} refuses {asked_for}: {rule.then.why}.",
                money=NOTHING_SENT,
                todo=rule.then.todo,
            )
    return options


def _value(provider: Provider, choice: Choice, value: object) -> str | int:
    for known in choice.values:
        if spelled(known) == spelled(value):
            return known
    values = [str(known) for known in choice.values]
    raise OptionError(
        f"{provider.title} has no --{choice.name} {shown(value)}.",
        money=NOTHING_SENT,
        todo=did_you_mean(value, values) + f"Choose one of {', '.join(values)}.",
    )


def _lacks_option(provider: Provider, name: object, value: object) -> OptionError:
    nobodys = nowhere().get(str(name))
    if nobodys is not None:
        return OptionError(nobodys["why"], money=NOTHING_SENT, todo=nobodys["todo"])
    near = provider.equivalents.get(str(name), {})
    matching = (text for key, text in near.items() if spelled(key) == spelled(value))
    names = [choice.name for choice in provider.choices]
    has = f"It has {', '.join(f'--{known}' for known in names)}."
    return OptionError(
        f"{provider.title} has no --{shown(name)}{_who_has(name)}.",
        money=NOTHING_SENT,
        todo=next(matching, None) or near.get("*") or did_you_mean(name, names) + has,
    )


def _who_has(name: object) -> str:
    """Say which provider has an option."""
    having = (one for one in providers() if one.choice(str(name)) is not None)
    return next((f"; {one.title} has (--provider {one.name})" for one in having), "")
