"""What a provider offers, asks and takes: the types of the catalogue's facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, Literal, TypeVar

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
        Who says so: the provider (``published``), we (``inferred``, see `note`), the person
        (``user``), nobody.
    as_of
        Date of the source, ``YYYY-MM`` or ``YYYY-MM-DD``.
    source, note
        Where the figure comes from, and how it was reached.
    """

    low: float | None
    high: float | None
    kind: Literal["published", "inferred", "user", "unknown", "free"]
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
class Camera:
    """Camera commands, which stand in the prompt in square brackets: ``[Pan left]``.

    Parameters
    ----------
    commands
        Those that are documented, without brackets.
    most_together
        Most of them advised within one pair of brackets, ``[Pan left, Zoom in]``; these act at once.
    as_of, source, doubt
        Date and origin of the list, and what is not sure of it.
    """

    commands: tuple[str, ...]
    most_together: int
    as_of: str
    source: str
    doubt: str


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
