"""The form's values, as plain data: read from a run, converted to options or to a cell's text."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue.types import DEFAULT_MODEL, Provider
from hailuo_jupyter.kernel.cell_source import write_cell
from hailuo_jupyter.kernel.clip_source import is_run
from hailuo_jupyter.kernel.generate_options import GenerateOptions
from hailuo_jupyter.kernel.prompt import value_of
from hailuo_jupyter.kernel.rerun import whole_links

if TYPE_CHECKING:
    from hailuo_jupyter.record import FrameRecord, Record

FIRST, LAST = "first", "last"


class Source(StrEnum):
    """The source of a frame."""

    NONE = "none"
    FILE = "file"  # a path or an address
    UPLOAD = "upload"  # a file from the person's own machine, stored next to the clips
    VARIABLE = "variable"  # a variable of the notebook
    RUN = "run"  # a picture of a run's clip, as ``run:RUN@last``
    OBJECT = "object"  # set by code


@dataclass(frozen=True)
class FrameField:
    """A first or last frame in the form.

    Parameters
    ----------
    source
        Its source.
    text
        Path or address; for an upload the path of the stored file; or a variable's name.
    from_code
        The object itself, if set by code.
    """

    source: Source = Source.NONE
    text: str = ""
    from_code: Any = None

    @property
    def is_set(self) -> bool:
        """Whether there is to be a frame."""
        return self.source is not Source.NONE

    @property
    def missing(self) -> bool:
        """Whether only a source was chosen so far."""
        return self.source not in {Source.NONE, Source.OBJECT} and not self.text.strip()

    @property
    def variable(self) -> str | None:
        """The variable that contains it, or None."""
        return self.text if self.source is Source.VARIABLE else None

    def value(self, namespace: Mapping[str, Any]) -> Any:
        """Return the value for `generate`: a path, an address, an object, or None.

        Raises
        ------
        PromptError
            If the variable no longer exists.
        """
        if self.source is Source.NONE or self.missing:
            return None
        if self.source is Source.OBJECT:
            return self.from_code
        if self.source is Source.VARIABLE:
            return value_of(f"{{{self.text}}}", namespace)
        return self.text.strip()


@dataclass(frozen=True)
class FormState:
    """All values of the form.

    Parameters
    ----------
    prompt, provider, prompt_optimizer, count, tags, note
        As for `hailuo_jupyter.kernel.generate.generate`.
    parent
        The run that it repeats with changes.
    model
        The model as options spell it, if the provider has it; else the provider's default one counts.
    options
        The chosen options by name, for any provider that has them; the others have their default.
    first, last
        The frames.
    """

    prompt: str = ""
    provider: str = "demo"
    options: Mapping[str, str] = field(default_factory=dict)
    first: FrameField = FrameField()
    last: FrameField = FrameField()
    prompt_optimizer: bool = True
    count: int = 1
    tags: tuple[str, ...] = ()
    note: str = ""
    parent: str | None = None
    model: str = DEFAULT_MODEL

    def frame(self, role: str) -> FrameField:
        """Return the frame of a role, `FIRST` or `LAST`."""
        return self.first if role == FIRST else self.last

    def with_frame(self, role: str, frame: FrameField) -> FormState:
        """Return the form with another frame of a role."""
        return replace(self, first=frame) if role == FIRST else replace(self, last=frame)


def options_of(form: FormState, provider: Provider) -> dict[str, str]:
    """Return a value for each of the provider's options, and for no other."""
    return {
        choice.name: form.options.get(choice.name, str(choice.default))
        for choice in provider.choices
    }


def request_options(
    form: FormState, provider: Provider, namespace: Mapping[str, Any]
) -> GenerateOptions:
    """Return the form's values as options.

    Parameters
    ----------
    form
        The form.
    provider
        Its provider.
    namespace
        The notebook's variables.

    Raises
    ------
    PromptError
        If a frame's variable no longer exists.
    """
    options = {
        **options_of(form, provider),
        "provider": form.provider,
        # The usual model is not written out in a cell.
        "model": None if provider.model_name == provider.models[0] else provider.model_name,
        "image": form.first.value(namespace),
        "last_image": form.last.value(namespace),
        "prompt_optimizer": form.prompt_optimizer,
        "count": form.count,
        "tags": form.tags,
        "note": form.note or None,
    }
    return cast("GenerateOptions", options)


def cell_text(form: FormState, provider: Provider, namespace: Mapping[str, Any]) -> str:
    """Return the form as the text of a ``%%hailuo`` cell.

    Raises
    ------
    OptionError, PromptError
        If a cell cannot express it.
    """
    held = {"image": form.first.variable, "last_image": form.last.variable}
    return write_cell(
        form.prompt,
        request_options(form, provider, namespace),
        {name: variable for name, variable in held.items() if variable is not None},
    )


def frame_field(value: Any, namespace: Mapping[str, Any]) -> FrameField:
    """Return the form field for a frame set by code: a path, an address or an object."""
    return _of_value(str(value) if isinstance(value, Path) else value, namespace)


def _of_value(value: Any, namespace: Mapping[str, Any]) -> FrameField:
    if value is None:
        return FrameField()
    if isinstance(value, str):
        return FrameField(Source.RUN if is_run(value) else Source.FILE, value)
    names = (name for name, each in namespace.items() if each is value and name[:1] != "_")
    name = next(names, None)
    return (
        FrameField(Source.OBJECT, from_code=value)
        if name is None
        else FrameField(Source.VARIABLE, name)
    )


def of_run(record: Record, folder: Path, base: Path) -> FormState:
    """Return the form for the request of a run, as its child.

    Parameters
    ----------
    record
        The run.
    folder
        Its output folder, which has its frames.
    base
        The notebook's folder, to which paths are relative.
    """
    request, whole = record.request, whole_links(record)
    return FormState(
        request.prompt,
        record.provider,
        {name: str(value) for name, value in request.options.items()},
        _of_record(request.first_frame, folder, base, whole=whole),
        _of_record(request.last_frame, folder, base, whole=whole),
        prompt_optimizer=request.prompt_optimizer,
        tags=tuple(record.tags),
        note=record.note or "",
        parent=record.run_id,
        model=catalogue.model_name(record.provider, record.dialect, record.model),
    )


def _of_record(frame: FrameRecord | None, folder: Path, base: Path, *, whole: bool) -> FrameField:
    if frame is None:
        return FrameField()
    if frame.kept is not None:
        return FrameField(Source.FILE, seen_from(folder / frame.kept, base))
    # A record contains no link signatures, and the frame cannot be downloaded without one.
    return FrameField(Source.FILE, frame.url if frame.url and whole else "")


def seen_from(path: Path, base: Path) -> str:
    """Return a path as written in a notebook in the folder `base`."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def tags_of(text: str) -> tuple[str, ...]:
    """Parse tags separated by commas; a tag with a comma is quoted."""
    rows = csv.reader([" ".join(text.split())], skipinitialspace=True)
    return tuple(dict.fromkeys(tag.strip() for row in rows for tag in row if tag.strip()))


def tags_text(tags: tuple[str, ...]) -> str:
    """Join tags with commas; the inverse of `tags_of`."""
    return ", ".join(
        '"' + tag.replace('"', '""') + '"' if set(tag) & set(',"') else tag for tag in tags
    )
