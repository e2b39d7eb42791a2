"""The reproducibility record of a run: one JSON document, ``hailuo-run/1``.

The run log and the sidecar file hold it, the notebook a copy. What is written is checked strictly:
no absolute paths, no signed links, no keys in a provider's answers. What is read is taken as it
comes: names that a newer version added are kept.

``python -m hailuo_jupyter.record`` writes the JSON Schema, ``record.schema.json``, anew.
"""

from __future__ import annotations

import json
import platform
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)

from hailuo_jupyter import __version__, catalogue
from hailuo_jupyter.record_parts import (
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
from hailuo_jupyter.run_id import new_run_id
from hailuo_jupyter.states import State, may_follow

if TYPE_CHECKING:
    from hailuo_jupyter.frame import Frame
    from hailuo_jupyter.offer import Price, Provider
    from hailuo_jupyter.request import Request

__all__ = [
    "SCHEMA",
    "ClipRecord",
    "CostRecord",
    "FrameRecord",
    "JobRecord",
    "OriginRecord",
    "ProblemRecord",
    "Record",
    "ReproducibilityRecord",
    "RequestRecord",
    "VersionsRecord",
    "json_schema",
    "new_run_id",
    "prepare",
]

SCHEMA = "hailuo-run/1"
_SCHEMA_ID = "urn:hailuo-jupyter:run:1"
_SCHEMA_FILE = Path(__file__).with_name("record.schema.json")


class Record(Part):
    """One run, from the request as asked to the clip as it lies on disk. Never changed in place."""

    schema_: Literal["hailuo-run/1"] = Field("hailuo-run/1", alias="schema")
    run_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$")]
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
    rating: Annotated[int, Field(ge=0, le=5)] | None = None
    problem: ProblemRecord | None = None
    reproducibility: ReproducibilityRecord

    def moved(self, state: State, *, at: float | None = None, **changes: object) -> Self:
        """Give the next revision, in another state (or again in the same).

        Parameters
        ----------
        state
            The state to go to.
        at
            Seconds since 1970 of the transition; now if None. Kept at the first entry only.
        **changes
            Fields to change, as for `changed`.

        Raises
        ------
        ValueError
            If the design has no arrow from the present state to `state`, or a change does not fit.
        """
        if not may_follow(self.state, state):
            raise ValueError(f"run {self.run_id} cannot go from {self.state} to {state}")
        times = {state.value: _moment(at), **self.times}
        return self.changed(state=state, times=times, **changes)

    def changed(self, **changes: object) -> Self:
        """Give the next revision with some fields changed.

        Parameters
        ----------
        **changes
            By the names of the fields. A mapping given for a part that is there (``job={"id": …}``)
            changes those names of the part and leaves the others; what they hold is replaced whole.

        Raises
        ------
        ValueError
            If a field does not exist, may not change, or a value does not fit.
        """
        fixed = {"schema_", "run_id", "revision", "fingerprint"}
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

    def entered(self, state: State) -> float | None:
        """Tell when a state was first entered, in seconds since 1970; None if it never was."""
        moment = self.times.get(state.value)
        return None if moment is None else datetime.fromisoformat(moment).timestamp()

    def to_json(self, *, indent: int | None = None) -> str:
        """Give the document with sorted names, so that equal records are equal texts.

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
        """Read what `to_json` of this, an older or a slightly newer version wrote.

        Raises
        ------
        ValueError
            In one line, if it is no record, or one in a format that this version does not know.
        """
        try:
            values = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"This is no record of a run: {error}") from None
        if not isinstance(values, dict):
            raise ValueError("This is no record of a run: it is no JSON object")  # noqa: TRY004
        form = values.get("schema")
        if form != SCHEMA:
            raise ValueError(
                f"This is no record of a run in a known format: its schema is {form!a}"
            )
        return cls._checked(values)

    @classmethod
    def _checked(cls, values: Mapping[str, object]) -> Self:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"This is no record of a run: {place}: {first['msg']}") from None


def prepare(
    request: Request,
    provider: Provider | None = None,
    *,
    price: Price | None = None,
    run_id: str | None = None,
    client_request_id: str | None = None,
    origin: OriginRecord | Mapping[str, str | None] | None = None,
    tags: Iterable[str] = (),
    note: str | None = None,
    name: str | None = None,
    parent: str | None = None,
    sweep: str | None = None,
    position: int | None = None,
    frames_kept: bool = False,
    at: float | None = None,
) -> Record:
    """Make the first revision of a run's record, in state ``prepared``.

    Parameters
    ----------
    request
        What is asked for.
    provider
        Whom it asks, from the catalogue; looked up by the request's names if None.
    price
        The estimate that the person was shown; the provider's own if None.
    run_id, client_request_id
        New ones if None.
    origin
        Where it was asked for, if in a notebook.
    tags, note, name
        The person's own words.
    parent
        Id of the run that this one repeats with changes.
    sweep, position
        Id of the sweep that it belongs to, and its place in it, from 0.
    frames_kept
        Whether the frames' bytes lie in ``frames/`` of the output folder by now.
    at
        Seconds since 1970; now if None.

    Raises
    ------
    ValueError
        If a value does not fit, such as an absolute path in `origin`.
    """
    if provider is None:
        provider = catalogue.provider(request.provider, demo_dialect=request.dialect)
    if price is None:
        price = provider.price(request.options)
    asked = RequestRecord(
        prompt=request.prompt,
        options=dict(request.options),
        prompt_optimizer=request.prompt_optimizer,
        first_frame=_frame(request.first_frame, kept=frames_kept),
        last_frame=_frame(request.last_frame, kept=frames_kept),
    )
    return Record._checked(  # noqa: SLF001 -- this is its constructor
        {
            "run_id": run_id or new_run_id(at),
            "revision": 1,
            "state": State.PREPARED,
            "times": {State.PREPARED.value: _moment(at)},
            "provider": request.provider,
            "dialect": request.dialect,
            "wire": request.wire,
            "model": request.model,
            "catalogue_date": provider.as_of,
            "request": asked,
            "job": {"client_request_id": client_request_id or str(uuid.uuid4())},
            "cost": {
                "estimate_low": price.low,
                "estimate_high": price.high,
                "kind": price.kind,
                "source": price.source,
                "as_of": price.as_of,
            },
            "versions": _versions(),
            "origin": origin,
            "fingerprint": request.fingerprint,
            "tags": list(tags),
            "note": note,
            "name": name,
            "parent": parent,
            "sweep": sweep,
            "position": position,
            "reproducibility": _reproducibility(asked),
        }
    )


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a record, as exported to ``record.schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _SCHEMA_ID,
        **Record.model_json_schema(by_alias=True),
    }


def _values(part: BaseModel) -> dict[str, object]:
    return {name: getattr(part, name) for name in type(part).model_fields}


def _moment(at: float | None) -> str:
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
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
        statement=f"This request {again}, and the clip would be another one: not fixed are "
        f"{', '.join(not_fixed)}.",
    )


def _versions() -> VersionsRecord:
    # Looked up, never imported: a script without IPython is to stay one.
    ipython = getattr(sys.modules.get("IPython"), "__version__", None)
    return VersionsRecord(
        python=platform.python_version(),
        hailuo_jupyter=__version__,
        ipython=ipython,
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


if __name__ == "__main__":
    _SCHEMA_FILE.write_text(
        json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
