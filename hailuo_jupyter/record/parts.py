"""The parts of a record, and checks that reject forbidden content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from hailuo_jupyter import formatting, redact
from hailuo_jupyter.container import kind_of
from hailuo_jupyter.ids import is_cell_id

#: The names of a prompt in providers' bodies: a prompt is never redacted, nor taken for a frame's address.
PROMPT_FIELDS = frozenset({"prompt", "positivePrompt"})

#: Amounts that differ by less are the same, in USD.
_SAME_USD = 1e-6

#: Shorter sides, in pixels, by name of the resolution.
_CLASSES = (512, 720, 768, 1080)

_SURROGATE = re.compile("[\ud800-\udfff]")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]|~[^/\\]*[/\\]|file:/", re.IGNORECASE)


def _writable(value: object) -> object:
    # A lone surrogate (JSON allows "\ud800") can be stored neither in SQLite nor in UTF-8, and
    # an unusual answer of a provider must not keep a paid clip out of the log.
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(_writable(str(name))): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return None  # JSON has no such number
    return _writable(value)


def redacted_answers(value: object) -> object:
    """Redact a provider's answers and make them storable."""
    return _clean(redact.json(value))


def redacted_body(value: object) -> object:
    """Redact the JSON that was sent, except the prompt."""
    if not isinstance(value, Mapping):
        return value
    shown = _clean(redact.json(value))
    if isinstance(shown, dict):
        _put_back_prompts(shown, value)
    return shown


def _put_back_prompts(shown: dict[str, Any], sent: Mapping[str, Any]) -> None:
    """Restore prompts as sent, whatever they contain: they are the user's own, and identify the request."""
    for name, inner in sent.items():
        if name in PROMPT_FIELDS:
            shown[name] = _clean(inner)
        elif isinstance(inner, Mapping) and isinstance(shown.get(name), dict):
            _put_back_prompts(shown[name], inner)


def _relative(value: str) -> str:
    if _ABSOLUTE.match(value) or ".." in re.split(r"[/\\]", value):
        raise ValueError("is not a path inside the folder; a record has no absolute paths")
    return value


def _below_the_folder(value: str) -> str:
    # "C:x" has no slash, and is a file in the current folder of another drive on Windows.
    if re.match("[A-Za-z]:", value):
        raise ValueError("is not a path inside the folder")
    return value


def _bare_name(value: str) -> str:
    if "/" in _relative(value):
        raise ValueError("is a path; a record has only a file's name")
    return value


def _cell_id(value: object) -> object:
    # VS Code's cell id contains the notebook's absolute path; it is dropped from older records.
    return value if is_cell_id(value) else None


Text = Annotated[str, BeforeValidator(_writable)]
RelativePath = Annotated[str, StringConstraints(min_length=1), AfterValidator(_relative)]
OutputPath = Annotated[RelativePath, AfterValidator(_below_the_folder)]
FileName = Annotated[str, BeforeValidator(_writable), AfterValidator(_bare_name)]
Link = Annotated[str, AfterValidator(redact.link)]
MediaLink = Annotated[str, AfterValidator(redact.media_link)]
Moment = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
]  # UTC, with milliseconds


class Part(BaseModel):
    """What all parts have in common: never changed in place, and unknown names are kept."""

    # JSON has neither infinity nor NaN: stored as null, they would make a record unreadable.
    model_config = ConfigDict(
        frozen=True, extra="allow", populate_by_name=True, allow_inf_nan=False
    )


class FrameRecord(Part):
    """A first or last frame: what was sent, and where it is kept."""

    source: FileName = Field(
        description="Name of the file, 'url', 'memory', or what it is of a clip: 'last frame of fox'"
    )
    url: Link | None = None
    sha256: str | None = Field(None, description="Of the bytes as sent")
    source_sha256: str | None = Field(None, description="Of the bytes as given")
    bytes: int | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    turned: bool = False
    kept: OutputPath | None = Field(None, description="Relative to the output folder")
    from_run: str | None = Field(None, description="The run whose clip it was taken from")
    from_clip_sha256: str | None = Field(None, description="Of that clip's file")
    at_s: float | None = Field(None, description="When that clip shows it, in seconds")

    @property
    def words(self) -> str:
        """What it is, for a person: a file with a part of its hash, an address, or a frame of a clip."""
        if self.from_run is not None and self.at_s is not None:
            known = self.source != "memory"
            return self.source if known else f"{self.at_s:.2f} s of {self.from_run[-6:]}"
        # Two files of the same name are not the same picture.
        mark = f" ({self.sha256[:6]})" if self.sha256 else ""
        return f"{self.url or self.source}{mark}"


class RequestRecord(Part):
    """The request as the user made it."""

    prompt: str
    options: dict[str, str | int]
    prompt_optimizer: bool
    first_frame: FrameRecord | None = None
    last_frame: FrameRecord | None = None


class JobRecord(Part):
    """The provider's side: its id, its answers (redacted), the clip's link."""

    id: str | None = None
    hint: str | None = Field(
        None,
        description="An id that an answer named without saying that the job was taken; it is asked about",
    )
    client_request_id: str
    answers: Annotated[dict[str, JsonValue], BeforeValidator(redacted_answers)] = Field(
        default_factory=dict,
        description="The last answer to each of submit, status, result, and an accepted cancel",
    )
    media_link: MediaLink | None = Field(
        None,
        description="Where the provider offers the clip: whole in run log and sidecar unless it is "
        "signed, in notebooks and exports only host and file name",
    )
    inference_time_s: float | None = None

    @property
    def queue_position(self) -> int | None:
        """How many jobs were before this one in the provider's queue, by its last status; else None."""
        status = self.answers.get("status")
        found = status.get("queue_position") if isinstance(status, dict) else None
        return found if isinstance(found, int) and not isinstance(found, bool) else None


class ClipRecord(Part):
    """The clip, as read from its file and never as promised."""

    path: OutputPath = Field(description="Relative to the output folder")
    sha256: str
    bytes: int
    width: int
    height: int
    fps: float
    frames: int | None = None
    duration_s: float
    codec: str
    deleted: Moment | None = Field(
        None, description="When 'jupyter hailuo prune' deleted the file; null while it is kept"
    )

    def measured(self, options: dict[str, str | int]) -> str:
        """Return the clip's facts from its file, and where they differ from the request.

        Parameters
        ----------
        options
            The options of the request.
        """
        short = min(self.width, self.height)
        match = next((f"{name}P" for name in _CLASSES if abs(short - name) <= name * 0.02), None)
        wanted, size = options.get("resolution"), formatting.pixels(self.width, self.height)
        differs = wanted and match and wanted != match
        facts = [f"{size} (asked for {wanted})" if differs else size]
        facts.append(f"{self.fps:.2f}".rstrip("0").rstrip(".") + " fps")
        length, seconds = f"{self.duration_s:.1f} s", options.get("duration")
        if isinstance(seconds, int) and abs(self.duration_s - seconds) > 0.5:
            length += f" (asked for {seconds} s)"
        kind = kind_of(self.path)
        return ", ".join([*facts, length, *([f"came as {kind} and not as MP4"] if kind else [])])


class CostRecord(Part):
    """What the clip costs: an estimate with its source, and the fact where the provider tells."""

    estimate_low: float | None = None
    estimate_high: float | None = None
    currency: Literal["USD"] = "USD"
    kind: str
    source: str
    as_of: str
    actual: float | None = None
    actual_source: Text | None = None
    confirmed: bool = Field(
        False, description="Whether the provider's history or published price confirms `actual`"
    )

    def reported(self, usd: float, source: str, *, early: bool = False) -> dict[str, object]:
        """Return the changes for a cost that an answer about the job has reported.

        Such an answer is not the bill. Only a price that the provider publishes confirms it here; else
        its history has to confirm it (see `hailuo_jupyter.engine.history_recorder`).

        Parameters
        ----------
        usd
            The amount.
        source
            Where it was reported.
        early
            Whether the job has not ended with a clip: then nothing confirms the amount.
        """
        low, high = self.estimate_low, self.estimate_high
        published = self.kind == "published" and low is not None and high is not None
        confirmed = published and not early and not self._outside(usd)
        return {"actual": usd, "actual_source": source, "confirmed": confirmed}

    @property
    def disputed(self) -> bool:
        """Whether a reported cost without confirmation is outside the estimate."""
        return self.actual is not None and not self.confirmed and self._outside(self.actual)

    def text(self, *, ended: bool = True) -> str:
        """Return what the run costs: the charge if the provider reported it, else the estimate.

        Parameters
        ----------
        ended
            Whether the job has ended. Before that a provider may report the amount that it holds for the job.
        """
        if self.kind == "free":
            return "free (demo)"
        if not formatting.is_amount(self.actual):
            return formatting.price_range(self.estimate_low, self.estimate_high, self.kind)
        doubt = "not confirmed" if self.disputed else ""
        source = ", ".join(filter(None, (self.actual_source, doubt)))
        verb = "charged" if ended or self.confirmed else "held"
        return f"${formatting.exact_usd(self.actual)} {verb}" + (f" ({source})" if source else "")

    def _outside(self, usd: float) -> bool:
        low, high = self.estimate_low, self.estimate_high
        below = low is not None and usd < low - _SAME_USD
        return below or (high is not None and usd > high + _SAME_USD)


class VersionsRecord(Part):
    """What made the run."""

    python: str
    hailuo_jupyter: str
    ipython: str | None = None
    platform: str


class OriginRecord(Part):
    """Where in which notebook the run was asked for."""

    notebook_id: str | None = None
    notebook_path: Annotated[RelativePath, BeforeValidator(_writable)] | None = None
    cell_id: Annotated[str | None, BeforeValidator(_cell_id)] = None
    source_sha256: str | None = None


class ProblemRecord(Part):
    """Why the run did not go on, as by `hailuo_jupyter.errors.HailuoError.as_problem`."""

    code: str
    what: Text
    money: Text = ""
    todo: Text = ""


class ReproducibilityRecord(Part):
    """What is fixed when this request is sent again, and what is not."""

    repeatable: bool = Field(description="Whether all that was sent is at hand to be sent again")
    identical: Literal[False] = Field(description="Whether the same clip would come: never")
    seed: str
    prompt_optimizer: str
    fixed: list[str]
    not_fixed: list[str]
    statement: str
