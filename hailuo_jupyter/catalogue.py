"""What each provider offers, asks and takes, read from ``catalogue.json``.

The facts, with their dates and sources, are data in that file; here are only their types and the
rules by which a request's options are looked up in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

from hailuo_jupyter.errors import OptionError, SettingsError

#: What every refusal says that happens before anything has left this machine.
NOTHING_SENT = "Nothing was sent and nothing was paid."

#: By default the demo is this many times faster than the provider whose wire it speaks.
DEMO_SPEED = 20.0

Options = Mapping[str, str | int]
T = TypeVar("T")


@dataclass(frozen=True)
class Choice:
    """One option a provider has.

    Parameters
    ----------
    name
        ``"mode"``, ``"resolution"`` or ``"duration"`` (seconds).
    values
        Every allowed value, as the wire spells it.
    default
        The value of a request that names none.
    help
        One line for a person.
    """

    name: str
    values: tuple[str | int, ...]
    default: str | int
    help: str


@dataclass(frozen=True)
class Price:
    """What a clip costs, in USD.

    Parameters
    ----------
    low, high
        Bounds of the estimate; None where nothing is known.
    kind
        Who says so: the provider (``published``), we (``inferred``, see `note`), nobody.
    as_of
        Date of the source, ``YYYY-MM`` or ``YYYY-MM-DD``.
    source, note
        Where the figure comes from, and how it was reached.
    """

    low: float | None
    high: float | None
    kind: Literal["published", "inferred", "unknown", "free"]
    as_of: str
    source: str
    note: str


@dataclass(frozen=True)
class Expected:
    """A log-normal prior of the seconds from submit to completion.

    Parameters
    ----------
    median_s
        Half of the runs are done by then, in seconds.
    sigma
        Standard deviation of the logarithm of the seconds.
    source
        Who says so.
    """

    median_s: float
    sigma: float
    source: str


@dataclass(frozen=True)
class Size:
    """What a clip without a first frame is promised to be; with one it follows the frame's shape.

    Parameters
    ----------
    width, height
        Pixels.
    duration_s
        Seconds; None where nobody says.
    kind
        ``published`` by the provider, or ``inferred``.
    """

    width: int
    height: int
    duration_s: float | None
    kind: Literal["published", "inferred"]


@dataclass(frozen=True)
class BaseUrl:
    """A provider's address, and the environment variable that may name another one."""

    url: str
    variable: str


@dataclass(frozen=True)
class FrameLimits:
    """What a first or last frame has to be.

    Parameters
    ----------
    formats
        ``"jpeg"``, ``"png"``.
    min_short_side_px
        The shorter side has to be longer than this, in pixels.
    min_ratio, max_ratio
        Width by height has to lie between the two, both excluded.
    max_bytes
        Most bytes of the file, this many allowed.
    source
        Who says so.
    """

    formats: tuple[str, ...]
    min_short_side_px: int
    min_ratio: Fraction
    max_ratio: Fraction
    max_bytes: int
    source: str


@dataclass(frozen=True)
class Rule(Generic[T]):
    """A fact that holds for the options that contain `when`; an empty one holds for all."""

    when: Options
    then: T

    def holds(self, options: Options) -> bool:
        """Tell whether `options` contain every pair of `when`."""
        return all(options.get(name) == value for name, value in self.when.items())


def _first(rules: tuple[Rule[T], ...], options: Options) -> T:
    return next(rule.then for rule in rules if rule.holds(options))


@dataclass(frozen=True)
class Refusal:
    """Why a combination of options is refused before anything is sent, and what to do."""

    why: str
    todo: str
    source: str


@dataclass(frozen=True)
class Provider:
    """One provider of Hailuo-02: its wire, its options, its limits, its prices.

    Parameters
    ----------
    name, title
        As options spell it (``"segmind"``, ``"aimlapi"``, ``"demo"``), and as a person reads it.
    model
        The provider's own name of Hailuo-02.
    dialect
        Which wire adapter speaks for it; the demo's is that of the wire it imitates.
    wires, default_wire
        The provider's path families.
    choices
        Its options, in display order.
    key_variables
        Environment variables that may hold the key, the recommended one first.
    key_page
        Where one learns how to get a key.
    base_urls
        By role: ``"api"``, ``"storage"``, ``"history"``. Empty addresses for the demo, whose own
        is known only when it runs.
    frame_limits, frames_as
        What a frame has to be, and how it travels.
    prompt_max
        Most characters of a prompt.
    retention_s, retention_kind, retention_note
        Seconds for which a finished job or its link is kept, and who says so.
    requests_per_minute
        The published limit of the smallest plan; None where none is published.
    can_cancel, sees_history, last_frame_alone, accepts_seed
        Whether a job can be cancelled, whether past jobs can be listed, whether a last frame may
        come without a first one, whether a seed is taken.
    sources, as_of
        Where the facts come from, and the newest source's date, ``YYYY-MM-DD``.
    """

    name: str
    title: str
    model: str
    dialect: str
    wires: tuple[str, ...]
    default_wire: str
    choices: tuple[Choice, ...]
    key_variables: tuple[str, ...]
    key_page: str
    base_urls: Mapping[str, BaseUrl]
    frame_limits: FrameLimits
    frames_as: Literal["upload", "data_uri"]
    prompt_max: int
    retention_s: float
    retention_kind: Literal["published", "inferred"]
    retention_note: str
    requests_per_minute: int | None
    can_cancel: bool
    sees_history: bool
    last_frame_alone: bool
    accepts_seed: bool
    sources: tuple[str, ...]
    as_of: str
    prices: tuple[Rule[Price], ...] = field(repr=False)
    expectations: tuple[Rule[Expected], ...] = field(repr=False)
    sizes: tuple[Rule[Size], ...] = field(repr=False)
    refused: tuple[Rule[Refusal], ...] = field(repr=False)
    equivalents: Mapping[str, Mapping[str, str]] = field(repr=False)

    def choice(self, name: str) -> Choice | None:
        """Give the option of this name, or None if the provider lacks it."""
        return next((choice for choice in self.choices if choice.name == name), None)

    def price(self, options: Options) -> Price:
        """Give what a clip with these options costs, in USD."""
        return _first(self.prices, options)

    def expected(self, options: Options) -> Expected:
        """Give how long a run with these options should take, in seconds."""
        return _first(self.expectations, options)

    def size(self, options: Options) -> Size:
        """Give the pixels and seconds that a clip with these options should have."""
        return _first(self.sizes, options)

    def kind(self, options: Options) -> str:
        """Give the key under which durations of such runs are learned.

        For example ``"segmind/minimax-hailuo-2/mode=pro"``.
        """
        chosen = (f"{c.name}={options.get(c.name, c.default)}" for c in self.choices)
        return f"{self.name}/{self.model}/{','.join(chosen)}"


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


def _no_provider(name: str) -> Provider:
    names = [*(found.name for found in providers()), "demo"]
    raise SettingsError(
        f"There is no provider {_shown(name)}.",
        money=NOTHING_SENT,
        todo=_did_you_mean(name, names) + f"Choose one of {', '.join(names)}.",
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
        if _spelled(known) == _spelled(value):
            return known
    values = [str(known) for known in choice.values]
    raise OptionError(
        f"{provider.title} has no --{choice.name} {_shown(value)}.",
        money=NOTHING_SENT,
        todo=_did_you_mean(value, values) + f"Choose one of {', '.join(values)}.",
    )


def _lacks_option(provider: Provider, name: object, value: object) -> OptionError:
    nowhere = _load()[1].get(str(name))
    if nowhere is not None:
        return OptionError(nowhere["why"], money=NOTHING_SENT, todo=nowhere["todo"])
    near = provider.equivalents.get(str(name), {})
    matching = (text for key, text in near.items() if _spelled(key) == _spelled(value))
    names = [choice.name for choice in provider.choices]
    has = f"It has {', '.join(f'--{known}' for known in names)}."
    return OptionError(
        f"{provider.title} has no --{_shown(name)}{_who_has(name)}.",
        money=NOTHING_SENT,
        todo=next(matching, None) or near.get("*") or _did_you_mean(name, names) + has,
    )


def _who_has(name: object) -> str:
    """Say which provider has an option."""
    having = (one for one in providers() if one.choice(str(name)) is not None)
    return next((f"; {one.title} has (--provider {one.name})" for one in having), "")


def _spelled(value: object) -> str:
    return str(value).strip().casefold()


def _shown(value: object) -> str:
    """Show what somebody typed: on one line, never long, never unprintable."""
    text = str(value)
    text = text if len(text) <= 40 else f"{text[:40]}…"
    return text if text.isprintable() and text.strip() == text else ascii(text)


def _did_you_mean(typed: object, names: list[str]) -> str:
    near = get_close_matches(_spelled(typed)[:40], [name.casefold() for name in names], n=1)
    return f"Did you mean {near[0]}? " if near else ""


@cache
def _load() -> tuple[tuple[Provider, ...], Mapping[str, Mapping[str, str]]]:
    text = (files("hailuo_jupyter") / "catalogue.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return tuple(_read(entry) for entry in data["providers"]), data["nowhere"]


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
