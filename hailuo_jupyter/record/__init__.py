"""The reproducibility record of a run: one JSON document, ``hailuo-run/1``.

It is stored in the run log and the sidecar file, with a copy in the notebook. Writing checks strictly:
no absolute paths, no signed links, no keys in a provider's answers. Reading is lenient:
fields that a newer version added are kept.

``python -m hailuo_jupyter.record`` writes the JSON Schema, ``record.schema.json``.
"""

from __future__ import annotations

import json
import platform
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypedDict, Unpack

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)

from hailuo_jupyter import __version__, catalogue, redact
from hailuo_jupyter.ids import PATTERN as RUN_ID
from hailuo_jupyter.ids import new_run_id
from hailuo_jupyter.json_depth import is_deeper
from hailuo_jupyter.merge_conflict import conflict_line
from hailuo_jupyter.record.parts import (
    PROMPT_FIELDS,
    ClipRecord,
    CostRecord,
    FrameRecord,
    JobRecord,
    Link,
    Moment,
    OriginRecord,
    Part,
    ProblemRecord,
    ReproducibilityRecord,
    RequestRecord,
    Text,
    VersionsRecord,
    redacted_body,
)
from hailuo_jupyter.record.paths import clip_names, is_stem
from hailuo_jupyter.states import UNSENT, State, may_follow

if TYPE_CHECKING:
    from hailuo_jupyter.catalogue.types import Price, Provider
    from hailuo_jupyter.request import Request
    from hailuo_jupyter.request.frames import Frame

__all__ = [
    "SCHEMA",
    "ClipRecord",
    "CostRecord",
    "FrameRecord",
    "JobRecord",
    "Labels",
    "OriginRecord",
    "ProblemRecord",
    "Record",
    "ReproducibilityRecord",
    "RequestRecord",
    "VersionsRecord",
    "json_schema",
    "new_run_id",
    "prepare",
    "recorded_body",
]

SCHEMA = "hailuo-run/1"
#: A record has about 8 levels; a provider's answer in it may add 16.
_MOST_LEVELS = 64
_TOO_DEEP = "This is not a record of a run: it is nested too deeply"
_SCHEMA_ID = "urn:hailuo-jupyter:run:1"


class Labels(TypedDict, total=False):
    """A person's annotations of a run: fields of its record that are not part of the request."""

    tags: Sequence[str]
    note: str | None
    name: str | None


class UnknownFormatError(ValueError):
    """A record's schema is unknown; a newer version may have written it."""


class Record(Part):
    """One run, from the request as asked to the clip as it lies on disk. Never changed in place."""

    schema_: Literal["hailuo-run/1"] = Field("hailuo-run/1", alias="schema")
    run_id: Annotated[str, StringConstraints(pattern=RUN_ID)]
    revision: Annotated[int, Field(ge=1)]
    state: State
    times: dict[str, Moment] = Field(description="When each state was first entered, UTC")
    provider: str
    dialect: str
    wire: str
    model: str
    endpoint: Link | None = None
    catalogue_date: str
    request: RequestRecord
    body: Annotated[dict[str, JsonValue], BeforeValidator(redacted_body)] | None = Field(
        None, description="The JSON as sent; a frame's bytes replaced by its sha256"
    )
    job: JobRecord
    clip: ClipRecord | None = None
    cost: CostRecord
    versions: VersionsRecord
    origin: OriginRecord | None = None
    parent: str | None = Field(None, description="The run that this one repeats with changes")
    sweep: str | None = None
    position: int | None = None
    fingerprint: str
    tags: list[Text] = Field(default_factory=list)
    note: Text | None = None
    name: Text | None = None
    stem: str | None = Field(
        None, description="Name of its files without the suffix; absent if that is the run's id"
    )
    rating: Annotated[int, Field(ge=0, le=5)] | None = None
    problem: ProblemRecord | None = None
    reproducibility: ReproducibilityRecord

    @property
    def file_stem(self) -> str:
        """Name of its files without the suffix; see `hailuo_jupyter.record.paths`."""
        return self.stem or self.run_id

    @property
    def clip_paths(self) -> tuple[str, ...]:
        """Where in the output folder its clip is or may be, the likeliest first."""
        return clip_names(self.file_stem) if self.clip is None else (self.clip.path,)

    @model_validator(mode="after")
    def _has_own_stem(self) -> Self:
        if self.stem is not None and not is_stem(self.stem, self.run_id):
            raise ValueError("is not a name of this run's files")
        return self

    @model_serializer(mode="wrap")
    def _without_absent_stem(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Records of version 0.1.0 have no such field, and stay as they are byte for byte.
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if name != "stem" or value}

    def moved(self, state: State, *, at: float | None = None, **changes: object) -> Self:
        """Return the next revision, in another state (or again in the same).

        Parameters
        ----------
        state
            The state to go to.
        at
            Seconds since 1970 of the transition; now if None. Stored at the first entry only, except that a
            run which was not sent yet enters ``submitting`` again.
        **changes
            Fields to change, as for `changed`.

        Raises
        ------
        ValueError
            If the transition from the current state to `state` is not allowed, or a change is invalid.
        """
        if not may_follow(self.state, state):
            raise ValueError(f"run {self.run_id} cannot go from {self.state} to {state}")
        times = {state.value: _moment(at), **self.times}
        if state is State.SUBMITTING and self.state in UNSENT:
            # The provider deferred it before: only this one may have arrived, maybe an hour later.
            times[state.value] = _moment(at)
        return self.changed(state=state, times=times, **changes)

    def changed(self, **changes: object) -> Self:
        """Return the next revision with some fields changed.

        Parameters
        ----------
        **changes
            By the names of the fields. A mapping for an existing part (``job={"id": …}``)
            changes those fields of the part and leaves the others; their values are replaced completely.

        Raises
        ------
        ValueError
            If a field does not exist, may not change, or a value is invalid.
        """
        fixed = {"schema_", "run_id", "revision", "fingerprint", "stem"}
        if wrong := sorted(set(changes) - (set(type(self).model_fields) - fixed)):
            raise ValueError(f"a record's {', '.join(wrong)} cannot be changed")
        values = {**_values(self), **(self.model_extra or {}), "revision": self.revision + 1}
        for name, value in changes.items():
            part = values.get(name)
            if isinstance(part, BaseModel) and isinstance(value, Mapping):
                if wrong := sorted(set(value) - set(type(part).model_fields)):
                    raise ValueError(f"a record's {name} has no {', '.join(wrong)}")
                values[name] = {**_values(part), **(part.model_extra or {}), **value}
            else:
                values[name] = value
        result = self._checked(values)
        if "request" in changes:
            statement = _reproducibility(result.request)
            result = self._checked({**_values(result), "reproducibility": statement})
        return result

    def costing(self, **changes: object) -> Self:
        """Return the same revision with parts of its cost replaced, without a check.

        The cost in an imported record is not trusted; replacing it is not a change of the run.
        """
        return self.model_copy(update={"cost": self.cost.model_copy(update=changes)})

    def entered(self, state: State) -> float | None:
        """Return when a state was first entered, in seconds since 1970; None if it never was."""
        moment = self.times.get(state.value)
        return None if moment is None else datetime.fromisoformat(moment).timestamp()

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the document with sorted keys, so that equal records are equal texts.

        Parameters
        ----------
        indent
            Spaces for each level; None puts all on one line.
        """
        document = self.model_dump(mode="json", by_alias=True)
        return json.dumps(
            document, ensure_ascii=False, sort_keys=True, indent=indent, allow_nan=False
        )

    @classmethod
    def from_json(cls, document: str | bytes) -> Self:
        """Parse the JSON of `to_json` of this, an older or a slightly newer version.

        Raises
        ------
        ValueError
            In one line, if it is not a record, or has a format that this version does not know.
        """
        try:
            values = json.loads(document)
        except ValueError as error:
            text = document if isinstance(document, str) else document.decode("utf-8", "replace")
            if line := conflict_line(text):
                raise ValueError(f"It has an unresolved merge conflict in line {line}") from None
            raise ValueError(f"This is not a record of a run: {error}") from None
        except RecursionError:
            raise ValueError(_TOO_DEEP) from None
        if is_deeper(values, _MOST_LEVELS):
            raise ValueError(_TOO_DEEP)
        if not isinstance(values, dict):
            raise ValueError("This is not a record of a run: it is not a JSON object")  # noqa: TRY004
        form = values.get("schema")
        if form != SCHEMA:
            raise UnknownFormatError(
                f"This is not a record of a run in a known format: its schema is {form!a}"
            )
        return cls._checked(values)

    @classmethod
    def _checked(cls, values: Mapping[str, object]) -> Self:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"This is not a record of a run: {place}: {first['msg']}") from None


def prepare(
    request: Request,
    provider: Provider | None = None,
    *,
    price: Price | None = None,
    run_id: str | None = None,
    stem: str | None = None,
    client_request_id: str | None = None,
    origin: OriginRecord | Mapping[str, str | None] | None = None,
    parent: str | None = None,
    sweep: str | None = None,
    position: int | None = None,
    frames_kept: bool = False,
    at: float | None = None,
    **labels: Unpack[Labels],
) -> Record:
    """Create the first revision of a run's record, in state ``prepared``.

    Parameters
    ----------
    request
        The request.
    provider
        Its provider from the catalogue; looked up by the request's names if None.
    price
        The estimate that the person was shown; the provider's own if None.
    run_id, client_request_id
        New ids if None.
    stem
        Name of its files without the suffix; its id if None.
    origin
        Where it was requested, if in a notebook.
    parent
        Id of the run that this one repeats with changes.
    sweep, position
        Id of the sweep that it belongs to, and its position in it, from 0.
    frames_kept
        Whether the frames' bytes are stored in ``frames/`` of the output folder.
    at
        Seconds since 1970; now if None.
    **labels
        The person's annotations, by the names of the fields.

    Raises
    ------
    ValueError
        If a value is invalid, such as an absolute path in `origin`.
    """
    if provider is None:
        provider = catalogue.recorded_provider(
            request.provider, request.model, demo_dialect=request.dialect
        )
    if price is None:
        price = provider.price(request.options)
    request_record = RequestRecord(
        prompt=request.prompt,
        options=dict(request.options),
        prompt_optimizer=request.prompt_optimizer,
        first_frame=_frame(request.first_frame, kept=frames_kept),
        last_frame=_frame(request.last_frame, kept=frames_kept),
    )
    return Record._checked(  # noqa: SLF001 -- same module
        {
            "run_id": run_id or new_run_id(at),
            "stem": stem,
            "revision": 1,
            "state": State.PREPARED,
            "times": {State.PREPARED.value: _moment(at)},
            "provider": request.provider,
            "dialect": request.dialect,
            "wire": request.wire,
            "model": request.model,
            "catalogue_date": provider.as_of,
            "request": request_record,
            "job": {"client_request_id": client_request_id or str(uuid.uuid4())},
            "cost": {
                "estimate_low": price.low,
                "estimate_high": price.counted,
                "kind": price.kind,
                "source": price.source,
                "as_of": price.as_of,
            },
            "versions": _versions(),
            "origin": origin,
            "fingerprint": request.fingerprint,
            "parent": parent,
            "sweep": sweep,
            "position": position,
            "reproducibility": _reproducibility(request_record),
            **labels,
            "tags": list(labels.get("tags", ())),
        }
    )


def recorded_body(
    body: Mapping[str, Any], request: Request, frames: Mapping[str, str]
) -> dict[str, Any]:
    """Return the body of a submit for the record: frames by their hashes, the prompt unchanged.

    Parameters
    ----------
    body
        The JSON object that is sent.
    request
        The request, which has the local frames.
    frames
        ``first`` and ``last`` as in the body: a URL or a data URI.
    """
    shown: dict[str, Any] = {}
    for role, frame in (("first", request.first_frame), ("last", request.last_frame)):
        if frame is not None:
            local = frame.sha256 is not None
            shown[frames[role]] = {"frame": frame.sha256} if local else redact.link(frames[role])
    return _with_frames(body, shown)


def _with_frames(body: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    def value_shown(name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return _with_frames(value, shown)
        if isinstance(value, list):
            return [value_shown("", each) for each in value]
        return (
            shown.get(value, value)
            if isinstance(value, str) and name not in PROMPT_FIELDS
            else value
        )

    return {name: value_shown(name, value) for name, value in body.items()}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a record, as exported to ``record.schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _SCHEMA_ID,
        **Record.model_json_schema(by_alias=True),
    }


def _values(part: BaseModel) -> dict[str, object]:
    return {name: getattr(part, name) for name in type(part).model_fields}


def _moment(timestamp: float | None) -> str:
    moment = datetime.fromtimestamp(time.time() if timestamp is None else timestamp, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _frame(frame: Frame | None, *, kept: bool) -> FrameRecord | None:
    if frame is None:
        return None
    origin = frame.origin
    return FrameRecord(
        source=frame.source,
        url=frame.url,
        sha256=frame.sha256,
        source_sha256=frame.source_sha256,
        bytes=None if frame.data is None else frame.size,
        format=frame.format,
        width=frame.width,
        height=frame.height,
        turned=frame.turned,
        kept=f"frames/{frame.file_name}" if kept and frame.data is not None else None,
        from_run=origin.run_id if origin else None,
        from_clip_sha256=origin.clip_sha256 if origin else None,
        at_s=origin.at_s if origin else None,
    )


def _reproducibility(request: RequestRecord) -> ReproducibilityRecord:
    fixed = ["prompt", "options", "name of the model", "prompt optimizer on or off"]
    not_fixed = ["random seed", "model behind its name"]
    if request.prompt_optimizer:
        not_fixed.append("prompt as the optimizer rewrote it")
    repeatable = True
    for role, frame in (("first frame", request.first_frame), ("last frame", request.last_frame)):
        if frame is None:
            continue
        if frame.kept:
            fixed.append(role)
        else:
            repeatable = False
            not_fixed.append(f"{role} (only its {'link' if frame.url else 'hash'} is kept)")
    again = "can be sent again as it was" if repeatable else "cannot be sent again from this alone"
    return ReproducibilityRecord(
        repeatable=repeatable,
        identical=False,
        seed="not accepted by this provider",
        prompt_optimizer=(
            "on: the provider rewrites the prompt and does not show the result"
            if request.prompt_optimizer
            else "off: the provider was asked to use the prompt as written"
        ),
        fixed=fixed,
        not_fixed=not_fixed,
        statement=f"This request {again}. The clip will differ; not fixed: {', '.join(not_fixed)}.",
    )


def _versions() -> VersionsRecord:
    # Looked up, never imported: a script without IPython must not load it.
    ipython = getattr(sys.modules.get("IPython"), "__version__", None)
    return VersionsRecord(
        python=platform.python_version(),
        hailuo_jupyter=__version__,
        ipython=ipython,
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
    )
