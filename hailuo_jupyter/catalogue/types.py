"""What a provider offers, asks and takes: the types of the catalogue's facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, Literal, TypeVar

from hailuo_jupyter import formatting

Options = Mapping[str, str | int]

#: The model of a request that names none. Its requests keep the fingerprints that they always had.
DEFAULT_MODEL = "hailuo-02"

T = TypeVar("T")


@dataclass(frozen=True)
class Choice:
    """One option a provider has.

    Parameters
    ----------
    name
        ``"mode"``, ``"resolution"``, ``"duration"`` (seconds) or ``"ratio"``.
    values
        Every allowed value, as a person writes it.
    default
        The value of a request that names none.
    help
        One line for a person.
    sent
        The wire's own spelling, for the values (as text) that it spells otherwise; None for a value that is
        left out.
    """

    name: str
    values: tuple[str | int, ...]
    default: str | int
    help: str
    sent: Mapping[str, str | int | None] = field(default_factory=dict, hash=False)

    def on_the_wire(self, value: str | int) -> str | int | None:
        """Return how the wire spells a value; None if it is left out of the request."""
        return self.sent.get(str(value), value)


@dataclass(frozen=True)
class Price:
    """What a clip costs, in USD.

    Parameters
    ----------
    low, high
        Bounds of the estimate; None if unknown.
    kind
        Origin: the provider (``published``), we (``inferred``, see `note`), the person
        (``user``), or none (``unknown``).
    as_of
        Date of the source, ``YYYY-MM`` or ``YYYY-MM-DD``.
    source, note
        Where the figure comes from, and how it was reached.
    at_most
        The amount that budgets use, if higher than `high`.
    unit_usd
        What a unit costs, in USD, at a provider that reports the units of a clip; None if unknown.
    """

    low: float | None
    high: float | None
    kind: Literal["published", "inferred", "user", "unknown", "free"]
    as_of: str
    source: str
    note: str
    at_most: float | None = None
    unit_usd: float | None = None

    @property
    def counted(self) -> float | None:
        """The amount that budgets use, in USD; None if unknown."""
        return self.high if self.at_most is None else max(self.at_most, self.high or 0.0)

    @property
    def text(self) -> str:
        """The price and its origin, for a person."""
        return formatting.price_range(self.low, self.high, self.kind)

    def sentence(self, count: int = 1) -> str:
        """Return what a number of clips costs, and how sure that is."""
        if self.kind == "free":
            return "Price: free (demo)."
        if self.low is None or self.high is None:
            return "Price: unpublished" + (f" ({self.source})." if self.source else ".")
        amount = formatting.dollars(self.low * count, self.high * count)
        clips = "a clip" if count == 1 else f"{count} clips"
        if self.kind == "user":
            return f"Price: {amount} for {clips} ({self.source})."
        source = formatting.price_source(self.kind)
        return f"Price: {amount} for {clips} ({source}, {self.as_of}: {self.source})."


@dataclass(frozen=True)
class FailedJob:
    """Whether a job that was taken and ended without a clip is charged.

    Parameters
    ----------
    charged
        What the provider states; None if it is undocumented.
    source, as_of
        Where that is documented, and when it was read, ``YYYY-MM-DD``.
    """

    charged: bool | None
    source: str
    as_of: str


@dataclass(frozen=True)
class Cancellation:
    """What cancelling a job costs, at a provider that can stop one.

    Parameters
    ----------
    queued_charged, started_charged
        Whether a job is charged that was cancelled in the queue, or after its work had started;
        None if that is undocumented.
    source, as_of
        Where that is documented, and when it was read, ``YYYY-MM-DD``.
    """

    queued_charged: bool | None
    started_charged: bool | None
    source: str
    as_of: str

    def charged(self, started: bool | None) -> bool | None:
        """Return whether a cancelled job is charged; None if that is unknown.

        Parameters
        ----------
        started
            Whether its work had started; None if unknown.
        """
        if started is None:
            return self.started_charged if self.started_charged == self.queued_charged else None
        return self.started_charged if started else self.queued_charged


@dataclass(frozen=True)
class Resend:
    """A provider at which a submit may be repeated: our own id is the job's, and a repeat is refused.

    Parameters
    ----------
    within_s
        Seconds from the first submit on within which it may be repeated under the same id.
    kind, source, as_of
        Whether the provider documents it, where that was read, and when, ``YYYY-MM-DD``.
    """

    within_s: float
    kind: Literal["published", "inferred"]
    source: str
    as_of: str


@dataclass(frozen=True)
class Behavior:
    """What an adapter relies on besides prices, sizes and times.

    Parameters
    ----------
    fact
        A sentence, in Markdown.
    kind, source, as_of
        Whether the provider documents it, where that was read, and when, ``YYYY-MM-DD``.
    """

    fact: str
    kind: Literal["published", "inferred"]
    source: str
    as_of: str


@dataclass(frozen=True)
class FileLifetime:
    """How long a clip's file is kept, whatever becomes of the job's record.

    Parameters
    ----------
    seconds
        From the submission on.
    kind, source, as_of
        Whether the provider documents it, where that was read, and when, ``YYYY-MM-DD``.
    """

    seconds: float
    kind: Literal["published", "inferred"]
    source: str
    as_of: str


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
        Where this comes from.
    """

    median_s: float
    sigma: float
    source: str


@dataclass(frozen=True)
class Size:
    """The promised size of a clip without a first frame; with one, the clip has the frame's shape.

    Parameters
    ----------
    width, height
        Pixels.
    duration_s
        Seconds; None if undocumented.
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
        Width by height has to be between the two, exclusive.
    max_bytes
        Largest size of the file in bytes, inclusive.
    source
        Where this comes from.
    """

    formats: tuple[str, ...]
    min_short_side_px: int
    min_ratio: Fraction
    max_ratio: Fraction
    max_bytes: int
    source: str


@dataclass(frozen=True)
class Camera:
    """Camera commands, written in the prompt in square brackets: ``[Pan left]``.

    Parameters
    ----------
    commands
        Those that are documented, without brackets.
    most_together
        Recommended maximum within one pair of brackets, ``[Pan left, Zoom in]``; these act at once.
    as_of, source, doubt
        Date and origin of the list, and what is unconfirmed.
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
        """Return whether `options` contain every pair of `when`."""
        return all(options.get(name) == value for name, value in self.when.items())


def _first(rules: tuple[Rule[T], ...], options: Options) -> T:
    return next(rule.then for rule in rules if rule.holds(options))


@dataclass(frozen=True)
class Refusal:
    """Why a combination of options is rejected before anything is sent, and what to do."""

    why: str
    todo: str
    source: str


#: Whether a request may, must or must not have a first frame; and a last one, which may need a first.
FirstFrame = Literal["none", "optional", "required"]
LastFrame = Literal["none", "optional", "with_first"]


@dataclass(frozen=True)
class Provider:
    """One provider and one of its models: wire, options, limits, prices.

    Parameters
    ----------
    name, title
        As options spell it (``"segmind"``, ``"aimlapi"``, ``"demo"``), and as a person reads it.
    model_name, model
        The model as options spell it (``"hailuo-02"``), and the provider's own name of it.
    models
        Every model that the provider offers, as options spell it, the default first.
    dialect
        Name of its API adapter; the demo has that of the API it imitates.
    wires, default_wire
        The provider's path families.
    choices
        The model's options, in display order.
    fields, constants
        Names in the request's body for ``first`` and ``last`` (the frames) and ``prompt_optimizer``; a role
        that is missing is not sent, or has the name that the adapter knows. And what is sent unless a frame
        replaces it.
    first_frame, last_frame
        Whether a request may or must have these frames.
    key_variables
        Environment variables that may hold the key, the recommended one first.
    chosen_by_key
        Whether it is chosen where a request names no provider and its key is found.
    key_page
        The page that explains how to get a key.
    base_urls
        By role: ``"api"``, ``"storage"``, ``"history"``. Empty for the demo, whose address
        is known only when it runs.
    frame_limits, frames_as
        Requirements for a frame, and how it is transferred.
    prompt_max
        Maximum characters of a prompt.
    retention_s, retention_kind
        Seconds for which a finished job's record is kept, and whether the provider documents that.
    file_lifetime
        How long the clip's file is kept.
    requests_per_minute
        The published limit of the smallest plan; None if unpublished.
    behavior
        What else its adapter relies on without a published source.
    has_price_list, has_optimizer
        Whether prices can be read from its API, whether the prompt optimizer can be switched off.
    cancellation
        What cancelling a job costs; None if the provider cannot stop one.
    resend
        Whether a submit whose answer was lost may be repeated; None if never.
    failed_job
        Whether a failed job is charged.
    sources, as_of
        Where the facts come from, and the newest source's date, ``YYYY-MM-DD``.
    """

    name: str
    title: str
    model_name: str
    model: str
    models: tuple[str, ...]
    dialect: str
    wires: tuple[str, ...]
    default_wire: str
    choices: tuple[Choice, ...]
    fields: Mapping[str, str]
    constants: Mapping[str, str | int | bool | None]
    first_frame: FirstFrame
    last_frame: LastFrame
    key_variables: tuple[str, ...]
    chosen_by_key: bool
    key_page: str
    base_urls: Mapping[str, BaseUrl]
    frame_limits: FrameLimits
    frames_as: Literal["upload", "data_uri"]
    prompt_max: int
    retention_s: float
    retention_kind: Literal["published", "inferred"]
    file_lifetime: FileLifetime
    requests_per_minute: int | None
    behavior: tuple[Behavior, ...]
    cancellation: Cancellation | None
    resend: Resend | None
    has_price_list: bool
    has_optimizer: bool
    failed_job: FailedJob
    sources: tuple[str, ...]
    as_of: str
    prices: tuple[Rule[Price], ...] = field(repr=False)
    expectations: tuple[Rule[Expected], ...] = field(repr=False)
    sizes: tuple[Rule[Size], ...] = field(repr=False)
    refused: tuple[Rule[Refusal], ...] = field(repr=False)
    equivalents: Mapping[str, Mapping[str, str]] = field(repr=False)

    @property
    def can_cancel(self) -> bool:
        """Whether the provider can stop a job that it has accepted."""
        return self.cancellation is not None

    @property
    def keeps_s(self) -> float:
        """Seconds from the submission on within which a clip may still be there."""
        return max(self.retention_s, self.file_lifetime.seconds)

    @property
    def offer(self) -> str:
        """The provider, and the model if it is not the usual one: ``"Segmind's hailuo-2.3"``."""
        return (
            self.title if self.model_name == DEFAULT_MODEL else f"{self.title}'s {self.model_name}"
        )

    def takes(self, *, first: bool, last: bool) -> bool:
        """Return whether a request may have just these frames."""
        if (first and self.first_frame == "none") or (not first and self.first_frame == "required"):
            return False
        return (
            not last or self.last_frame == "optional" or (self.last_frame == "with_first" and first)
        )

    def sent_options(self, options: Options) -> dict[str, str | int]:
        """Return options as the wire spells them, without those that it is not sent."""
        sent = {c.name: c.on_the_wire(options[c.name]) for c in self.choices if c.name in options}
        return {name: value for name, value in sent.items() if value is not None}

    def choice(self, name: str) -> Choice | None:
        """Return the option of this name, or None if the provider lacks it."""
        return next((choice for choice in self.choices if choice.name == name), None)

    def price(self, options: Options) -> Price:
        """Return what a clip with these options costs, in USD."""
        return _first(self.prices, options)

    def expected(self, options: Options) -> Expected:
        """Return how long a run with these options should take, in seconds."""
        return _first(self.expectations, options)

    def size(self, options: Options) -> Size:
        """Return the pixels and seconds that a clip with these options should have."""
        return _first(self.sizes, options)

    def kind(self, options: Options) -> str:
        """Return the key under which durations of such runs are learned.

        For example ``"segmind/minimax-hailuo-2/mode=pro"``.
        """
        chosen = (f"{c.name}={options.get(c.name, c.default)}" for c in self.choices)
        return f"{self.name}/{self.model}/{','.join(chosen)}"
