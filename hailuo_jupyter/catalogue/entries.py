"""The entries of the catalogue's files: each provider with each of its models."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeVar

from hailuo_jupyter.catalogue.types import (
    DEFAULT_MODEL,
    BaseUrl,
    Behavior,
    Cancellation,
    Choice,
    Expected,
    FailedJob,
    FileLifetime,
    FrameLimits,
    Price,
    Provider,
    Refusal,
    Resend,
    Rule,
    Size,
)

#: The providers, in the order in which they are offered.
NAMES = ("segmind", "aimlapi", "fal", "replicate", "runware", "minimax")

T = TypeVar("T")


@cache
def offers() -> tuple[Provider, ...]:
    """Return every real provider with each of its models, in the order in which they are offered."""
    return tuple(offer for name in NAMES for offer in _offers(load(name)))


@cache
def providers() -> tuple[Provider, ...]:
    """Return the real providers, each with its default model, in the order in which they are offered."""
    return tuple(offer for offer in offers() if offer.model_name == offer.models[0])


@cache
def model_names() -> tuple[str, ...]:
    """Return the models as options spell them, the one of a request that names none first."""
    return tuple(load("models")["every_model"])


def load(name: str) -> dict[str, Any]:
    """Return the content of a file of the catalogue."""
    text = (files(__package__) / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _offers(entry: dict[str, Any]) -> tuple[Provider, ...]:
    names = [model["name"] for model in entry["models"]]
    # The usual model is the default of every provider that has it.
    names.sort(key=lambda name: name != DEFAULT_MODEL)
    return tuple(_offer(entry, model, tuple(names)) for model in entry["models"])


def _offer(entry: dict[str, Any], model: dict[str, Any], models: tuple[str, ...]) -> Provider:
    """Return a provider with one model; the model's entry overrides the provider's."""
    dated = {"as_of": entry["as_of"], "sources": entry["sources"], **model}
    limits, wires = model["frame_limits"], model.get("wires", entry["wires"])
    return Provider(
        name=entry["name"],
        title=entry["title"],
        model_name=model["name"],
        model=model["slug"],
        models=models,
        dialect=entry["dialect"],
        wires=tuple(wires),
        default_wire=wires[0],
        choices=tuple(
            Choice(**{**choice, "values": tuple(choice["values"]), "help": _help(choice, model)})
            for choice in model["choices"]
        ),
        fields=MappingProxyType(model.get("fields", {})),
        constants=MappingProxyType(model.get("constants", {})),
        first_frame=model["frames"]["first"],
        last_frame=model["frames"]["last"],
        key_variables=tuple(entry["key_variables"]),
        chosen_by_key=entry["chosen_by_key"],
        key_page=entry["key_page"],
        base_urls=MappingProxyType(
            {role: BaseUrl(**base) for role, base in entry["base_urls"].items()}
        ),
        frame_limits=FrameLimits(
            **{
                **limits,
                "formats": tuple(limits["formats"]),
                "min_ratio": Fraction(limits["min_ratio"]),
                "max_ratio": Fraction(limits["max_ratio"]),
            }
        ),
        frames_as=entry["frames_as"],
        prompt_max=model["prompt_max"],
        retention_s=entry["retention"]["seconds"],
        retention_kind=entry["retention"]["kind"],
        file_lifetime=FileLifetime(**entry["file_lifetime"]),
        requests_per_minute=rate["lowest"] if (rate := entry["requests_per_minute"]) else None,
        behavior=tuple(Behavior(**each) for each in entry.get("behavior", ())),
        cancellation=Cancellation(**stops) if (stops := entry["cancellation"]) else None,
        resend=Resend(**rule) if (rule := entry.get("resend")) else None,
        has_price_list=entry["has_price_list"],
        has_optimizer="prompt_optimizer" in model.get("fields", {"prompt_optimizer": ""}),
        failed_job=FailedJob(**entry["failed_job"]),
        sources=tuple(dated["sources"]),
        as_of=dated["as_of"],
        prices=_rules(model["prices"], Price),
        expectations=_rules(model["expected"], Expected),
        sizes=_rules(model["sizes"], Size),
        refused=_rules(model["refused_combinations"], Refusal),
        equivalents=model["equivalents"],
    )


def _help(choice: dict[str, Any], model: dict[str, Any]) -> str:
    """Return an option's help with the values of other options that it does not go together with."""
    names = {each["name"] for each in model["choices"]}
    own = choice["name"]
    limits = [
        f"{value}{' s' if own == 'duration' else ''} not with --{other} {refused}"
        for when in (each["when"] for each in model["refused_combinations"])
        if own in when and len(when) == 2 and names.issuperset(when)
        for value in (when[own],)
        for other, refused in when.items()
        if other != own
    ]
    return "; ".join([choice["help"], *limits])


def _rules(entries: list[dict[str, Any]], fact: Callable[..., T]) -> tuple[Rule[T], ...]:
    return tuple(
        Rule(each["when"], fact(**{name: each[name] for name in each if name != "when"}))
        for each in entries
    )
