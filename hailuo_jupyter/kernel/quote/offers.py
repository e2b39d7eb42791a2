"""What each provider and model would make of one request: the options nearest to it, or why it cannot.

Pure: nothing is read but the catalogue's facts, and nothing is sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from hailuo_jupyter.catalogue import check_combination, offers, validate_options
from hailuo_jupyter.catalogue.types import Options, Provider, Size
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.request import check_frames


@dataclass(frozen=True)
class Wanted:
    """A request, as far as it matters where it goes.

    Parameters
    ----------
    options
        The options that the person has set, by name.
    length
        Characters of the prompt.
    first, last
        Whether there is a first and a last frame.
    optimizer
        Whether the provider may rewrite the prompt.
    """

    options: Mapping[str, str | int]
    length: int
    first: bool
    last: bool
    optimizer: bool


@dataclass(frozen=True)
class Offer:
    """One provider and model for a request.

    Parameters
    ----------
    provider
        The provider, with the model.
    options
        The options nearest to the request; None if it cannot be served.
    differs
        What would differ from the request.
    why_not
        Why it cannot be served; else empty.
    """

    provider: Provider
    options: Options | None
    differs: tuple[str, ...] = ()
    why_not: str = ""


def offers_for(wanted: Wanted, asked: Provider) -> list[Offer]:
    """Return an offer for each provider and model.

    Parameters
    ----------
    wanted
        The request.
    asked
        The provider and model that it names, or would go to.
    """
    goal = _goal(wanted, asked)
    return [_offer(provider, wanted, goal) for provider in offers()]


def _goal(wanted: Wanted, asked: Provider) -> Size:
    """Return the size that a request asks for.

    That is what the provider that it names makes of it; else one with the same model; else any that has its
    options.
    """
    same = (each for each in offers() if each.model_name == asked.model_name)
    for provider in (asked, *same, *offers()):
        try:
            return provider.size(validate_options(provider, wanted.options))
        except HailuoError:
            continue
    return asked.size(validate_options(asked, {}))


def _offer(provider: Provider, wanted: Wanted, goal: Size) -> Offer:
    if wanted.length > provider.prompt_max:
        why = f"The prompt has {wanted.length} characters; the limit is {provider.prompt_max}."
        return Offer(provider, None, why_not=why)
    if not wanted.optimizer and not provider.has_optimizer:
        return Offer(provider, None, why_not="The prompt optimizer cannot be switched off.")
    try:
        check_frames(provider, first=wanted.first, last=wanted.last)
    except HailuoError as error:
        return Offer(provider, None, why_not=error.what)
    try:
        chosen: Options = validate_options(provider, wanted.options)
        _check(provider, chosen, wanted)
    except HailuoError:
        nearest = min(
            _combinations(provider, wanted),
            key=lambda options: _distance(provider, options, wanted, goal),
            default=None,
        )
        if nearest is None:
            return Offer(
                provider, None, why_not="No combination of its options goes with the frames."
            )
        chosen = nearest
    return Offer(provider, chosen, tuple(_differences(provider, chosen, wanted, goal)))


def _check(provider: Provider, options: Options, wanted: Wanted) -> None:
    frames = {
        "first_frame": "yes" if wanted.first else "no",
        "last_frame": "yes" if wanted.last else "no",
    }
    check_combination(provider, {**options, **frames})


def _combinations(provider: Provider, wanted: Wanted) -> Iterator[Options]:
    names = [choice.name for choice in provider.choices]
    for values in product(*(choice.values for choice in provider.choices)):
        options = dict(zip(names, values, strict=True))
        try:
            _check(provider, options, wanted)
        except HailuoError:
            continue
        yield options


def _distance(
    provider: Provider, options: Options, wanted: Wanted, goal: Size
) -> tuple[float, ...]:
    """Return how far a clip is from the one that is wanted: in length, in size, and in other options."""
    size = provider.size(options)
    seconds = abs((_seconds(size, options) or 0) - (goal.duration_s or 0))
    # Of two equally distant sizes the larger one loses less.
    side = abs(math.log(_side(size) / _side(goal))) - (0.001 if _side(size) > _side(goal) else 0)
    others = sum(
        str(options[choice.name]).casefold()
        != str(wanted.options.get(choice.name, choice.default)).casefold()
        for choice in provider.choices
        if choice.name not in {"duration", "resolution", "mode"}
    )
    return (seconds, side, others)


def _side(size: Size) -> int:
    return min(size.width, size.height)


def _seconds(size: Size, options: Options) -> float | None:
    length = options.get("duration")
    return size.duration_s if size.duration_s is not None else (
        float(length) if isinstance(length, int) else None
    )  # fmt: skip


def _differences(provider: Provider, options: Options, wanted: Wanted, goal: Size) -> Iterator[str]:
    size = provider.size(options)
    seconds = _seconds(size, options)
    if seconds is not None and goal.duration_s is not None and seconds != goal.duration_s:
        yield f"{seconds:g} s instead of {goal.duration_s:g} s"
    if _side(size) != _side(goal):
        yield f"{_side(size)}P instead of {_side(goal)}P"
    for name, value in wanted.options.items():
        if provider.choice(name) is None and name not in {"duration", "resolution", "mode"}:
            yield f"no --{name} {value}"


def written(offer: Offer) -> str:
    """Return the options with which a cell asks for an offer."""
    provider, words = offer.provider, [f"--provider {offer.provider.name}"]
    if provider.model_name != provider.models[0]:
        words.append(f"--model {provider.model_name}")
    words += [
        f"--{choice.name} {offer.options[choice.name]}"
        for choice in provider.choices
        if offer.options and offer.options[choice.name] != choice.default
    ]
    return " ".join(words)


def seconds_of(offer: Offer) -> float | None:
    """Return the seconds of an offer's clip; None if undocumented."""
    if offer.options is None:
        return None
    return _seconds(offer.provider.size(offer.options), offer.options)
