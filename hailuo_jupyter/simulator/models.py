"""The models of a simulated provider, from the catalogue's files: data that both sides of the wire share.

Only the files are read, and no code of the client's: what it checks is checked here again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

Value = str | int


@dataclass(frozen=True)
class Model:
    """One model, with its fields as the wire spells them.

    Parameters
    ----------
    name, slug : str
        As the client's options spell it, and the provider's own name.
    wires : tuple of str
        The path families that have it.
    prompt_max : int
        Maximum characters of a prompt.
    fields : mapping
        Names of ``first``, ``last`` and ``prompt_optimizer`` in the body, where the API has no fixed ones.
    constants : mapping
        What the client sends with every request.
    first, last : str
        Whether there may or must be these frames.
    """

    name: str
    slug: str
    wires: tuple[str, ...]
    prompt_max: int
    fields: Mapping[str, str]
    constants: Mapping[str, Any]
    first: str
    last: str
    _entry: Mapping[str, Any] = field(repr=False)

    @property
    def choices(self) -> Mapping[str, tuple[Value, ...]]:
        """The allowed values of each field, as the wire spells them, the default first."""
        found: dict[str, tuple[Value, ...]] = {}
        for choice in self._entry["choices"]:
            values = sorted(choice["values"], key=lambda value: value != choice["default"])
            spelled = (choice.get("sent", {}).get(str(value), value) for value in values)
            found[choice["name"]] = tuple(value for value in spelled if value is not None)
        return found

    def options(self, body: Mapping[str, Any]) -> dict[str, Value]:
        """Return the options of a valid body as the catalogue spells them, with the defaults."""
        found: dict[str, Value] = {}
        for choice in self._entry["choices"]:
            sent, name = choice.get("sent", {}), choice["name"]
            by_spelling = {sent.get(str(value), value): value for value in choice["values"]}
            found[name] = by_spelling.get(body.get(name), choice["default"])
        return found

    def refused(self, options: Mapping[str, Value]) -> bool:
        """Return whether the catalogue has these options as a combination that is refused."""
        return any(_holds(rule, options) for rule in self._entry["refused_combinations"])

    def size(self, options: Mapping[str, Value]) -> tuple[int, int]:
        """Return the shorter side in pixels, and the seconds of the clip."""
        size = self._first("sizes", options)
        return (
            min(size["width"], size["height"]),
            int(size["duration_s"] or options.get("duration", 6)),
        )

    def price(self, options: Mapping[str, Value]) -> float:
        """Return US dollars for a clip: the lower bound of the catalogue."""
        return float(self._first("prices", options)["low"])

    def median(self, options: Mapping[str, Value]) -> float:
        """Return the seconds that such a job usually takes."""
        return float(self._first("expected", options)["median_s"])

    def _first(self, rules: str, options: Mapping[str, Value]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = next(r for r in self._entry[rules] if _holds(r, options))
        return found


def _holds(rule: Mapping[str, Any], options: Mapping[str, Value]) -> bool:
    return all(options.get(name) == value for name, value in rule["when"].items())


@cache
def models(provider: str) -> Mapping[str, Model]:
    """Return a provider's models by its own names of them, the usual one first."""
    path = files("hailuo_jupyter") / "catalogue" / f"{provider}.json"
    entry = json.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            model["slug"]: Model(
                model["name"],
                model["slug"],
                tuple(model.get("wires", entry["wires"])),
                model["prompt_max"],
                model.get("fields", {}),
                model.get("constants", {}),
                model["frames"]["first"],
                model["frames"]["last"],
                model,
            )
            for model in entry["models"]
        }
    )


def usual(provider: str) -> Model:
    """Return the model of a request that names none."""
    return next(model for model in models(provider).values() if model.name == "hailuo-02")
