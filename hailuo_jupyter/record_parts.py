"""The parts of a record, and the checks that keep out what a record must not hold."""

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

from hailuo_jupyter import redact

_SURROGATE = re.compile("[\ud800-\udfff]")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]|~[^/\\]*[/\\]|file:/", re.IGNORECASE)


def _writable(value: object) -> object:
    # Half a surrogate pair (JSON allows "\ud800") can be stored neither in SQLite nor in UTF-8, and
    # a provider's odd answer must not keep a paid clip out of the log.
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
    """Redact the JSON that was sent, but for the prompt."""
    if not isinstance(value, Mapping):
        return value
    # The prompt is the user's own and stays as it was sent, whatever it looks like.
    return {
        name: _clean(inner if name == "prompt" else redact.json(inner))
        for name, inner in value.items()
    }


def _relative(value: str) -> str:
    if _ABSOLUTE.match(value) or ".." in re.split(r"[/\\]", value):
        raise ValueError("is no path inside the folder; a record holds no absolute paths")
    return value


def _bare_name(value: str) -> str:
    if "/" in _relative(value):
        raise ValueError("is a path; a record holds a file's name only")
    return value


Text = Annotated[str, BeforeValidator(_writable)]
RelativePath = Annotated[str, StringConstraints(min_length=1), AfterValidator(_relative)]
FileName = Annotated[str, BeforeValidator(_writable), AfterValidator(_bare_name)]
Link = Annotated[str, AfterValidator(redact.link)]
Moment = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
]  # UTC, with milliseconds


class Part(BaseModel):
    """What all parts have in common: never changed in place, and unknown names are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class FrameRecord(Part):
    """A first or last frame: what was sent, and where it is kept."""

    source: FileName = Field(description="Name of the file, or 'url', or 'memory'")
    url: Link | None = None
    sha256: str | None = Field(None, description="Of the bytes as sent")
    source_sha256: str | None = Field(None, description="Of the bytes as given")
    bytes: int | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    turned: bool = False
    kept: RelativePath | None = Field(None, description="Relative to the output folder")
    from_run: str | None = Field(None, description="The run whose clip it was taken from")
    from_clip_sha256: str | None = Field(None, description="Of that clip's file")
    at_s: float | None = Field(None, description="When that clip shows it, in seconds")


class RequestRecord(Part):
    """The request as the user made it."""

    prompt: str
    options: dict[str, str | int]
    prompt_optimizer: bool
    first_frame: FrameRecord | None = None
    last_frame: FrameRecord | None = None


class JobRecord(Part):
    """The provider's side: its id, its answers (redacted), its link (cut)."""

    id: str | None = None
    client_request_id: str
    answers: Annotated[dict[str, JsonValue], BeforeValidator(redacted_answers)] = Field(
        default_factory=dict, description="The last answer to each of submit, status, result"
    )
    media_link: Link | None = None
    inference_time_s: float | None = None


class ClipRecord(Part):
    """The clip, as read from its file and never as promised."""

    path: RelativePath = Field(description="Relative to the output folder")
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


class VersionsRecord(Part):
    """What made the run."""

    python: str
    hailuo_jupyter: str
    ipython: str | None = None
    platform: str


class OriginRecord(Part):
    """Where in which notebook the run was asked for."""

    notebook_id: str | None = None
    notebook_path: RelativePath | None = None
    cell_id: str | None = None
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
