"""What each provider offers, asks and takes, read from ``catalogue.json``.

The facts, with their dates and sources, are data in that file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NoReturn

from hailuo_jupyter.errors import NOTHING_SENT, SettingsError
from hailuo_jupyter.offer import (
    BaseUrl,
    Camera,
    Choice,
    Expected,
    FrameLimits,
    Price,
    Provider,
    Refusal,
    Rule,
    Size,
)

#: By default the demo is this many times faster than the provider whose wire it speaks.
DEMO_SPEED = 20.0


def providers() -> tuple[Provider, ...]:
    """Give the real providers, in the order in which they are offered."""
    return _load()[0]


def provider(
    name: str, *, demo_dialect: str = "segmind", demo_speed: float = DEMO_SPEED
) -> Provider:
    """Give the provider of this name; letter case does not matter.

    Parameters
    ----------
    name
        ``"segmind"``, ``"aimlapi"`` or ``"demo"``.
    demo_dialect
        Whose wire, options and limits the demo imitates.
    demo_speed
        How many times faster than the real provider the demo is.

    Raises
    ------
    SettingsError
        If there is no such provider.
    """
    known = {found.name: found for found in providers()}
    wanted = name.strip().casefold()
    if wanted == "demo":
        imitated = known.get(demo_dialect) or _no_provider(demo_dialect)
        return _demo(imitated, demo_speed)
    return known.get(wanted) or _no_provider(name)


def nowhere() -> Mapping[str, Mapping[str, str]]:
    """Give the options that no provider has, with the words for who asks for them."""
    return _load()[1]


def camera() -> Camera:
    """Give the camera commands that a prompt may hold, with their source and what is in doubt."""
    return _load()[2]


def _no_provider(name: str) -> NoReturn:
    names = [*(found.name for found in providers()), "demo"]
    raise SettingsError(
        f"There is no provider {shown(name)}.",
        money=NOTHING_SENT,
        todo=did_you_mean(name, names) + f"Choose one of {', '.join(names)}.",
    )


def _demo(imitated: Provider, speed: float) -> Provider:
    """Give the simulated provider: free, fast, with no key and no address outside this machine."""
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
        # The simulator forgets as the provider does, at its own speed.
        retention_s=imitated.retention_s / speed,
        prices=(Rule({}, free),),
        expectations=faster,
    )


def spelled(value: object) -> str:
    """Give the form in which two ways of writing a value are compared."""
    return str(value).strip().casefold()


def shown(value: object) -> str:
    """Show what somebody typed: on one line, never long, never unprintable."""
    text = str(value)
    text = text if len(text) <= 40 else f"{text[:40]}…"
    return text if text.isprintable() and text.strip() == text else ascii(text)


def did_you_mean(typed: object, names: list[str]) -> str:
    """Name the closest of some names, or say nothing where none is close."""
    near = get_close_matches(spelled(typed)[:40], [name.casefold() for name in names], n=1)
    return f"Did you mean {near[0]}? " if near else ""


@cache
def _load() -> tuple[tuple[Provider, ...], Mapping[str, Mapping[str, str]], Camera]:
    text = (files("hailuo_jupyter") / "catalogue.json").read_text(encoding="utf-8")
    data = json.loads(text)
    camera = Camera(**{**data["camera"], "commands": tuple(data["camera"]["commands"])})
    return tuple(_read(entry) for entry in data["providers"]), data["nowhere"], camera


def _read(entry: dict[str, Any]) -> Provider:
    limits = entry["frame_limits"]
    read: dict[str, Any] = {
        "default_wire": entry["wires"][0],
        "choices": tuple(
            Choice(**{**choice, "values": tuple(choice["values"])}) for choice in entry["choices"]
        ),
        "base_urls": MappingProxyType(
            {role: BaseUrl(**base) for role, base in entry["base_urls"].items()}
        ),
        "frame_limits": FrameLimits(
            **{
                **limits,
                "formats": tuple(limits["formats"]),
                "min_ratio": Fraction(limits["min_ratio"]),
                "max_ratio": Fraction(limits["max_ratio"]),
            }
        ),
        "prices": tuple(Rule(r["when"], Price(**r["then"])) for r in entry.pop("prices")),
        "expectations": tuple(
            Rule(r["when"], Expected(**r["then"])) for r in entry.pop("expected")
        ),
        "sizes": tuple(Rule(r["when"], Size(**r["then"])) for r in entry.pop("sizes")),
        "refused": tuple(
            Rule(r.pop("when"), Refusal(**r)) for r in entry.pop("refused_combinations")
        ),
        **{name: tuple(entry[name]) for name in ("wires", "key_variables", "sources")},
    }
    return Provider(**{**entry, **read})
