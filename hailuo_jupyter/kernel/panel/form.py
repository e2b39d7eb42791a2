"""What the form holds, as plain data: made of a run, turned into a wish or into a cell's text."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.kernel import celltext
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.prompt import value_of
from hailuo_jupyter.kernel.rerun import whole_links
from hailuo_jupyter.offer import Provider

if TYPE_CHECKING:
    from hailuo_jupyter.record import FrameRecord, Record

FIRST, LAST = "first", "last"


class Source(StrEnum):
    """Where a frame comes from."""

    NONE = "none"
    FILE = "file"  # a path or an address
    UPLOAD = "upload"  # a file from the person's own machine, kept beside the clips
    VARIABLE = "variable"  # of the notebook
    OBJECT = "object"  # given by code


@dataclass(frozen=True)
class FrameField:
    """A first or last frame as the form has it.

    Parameters
    ----------
    source
        Where it comes from.
    text
        Path or address; of an upload the path where it is kept; or a variable's name.
    given
        The object itself, where code has given one.
    """

    source: Source = Source.NONE
    text: str = ""
    given: Any = None

    @property
    def missing(self) -> bool:
        """Whether a source was chosen, and nothing else yet."""
        return self.source not in {Source.NONE, Source.OBJECT} and not self.text.strip()

    @property
    def variable(self) -> str | None:
        """The variable that holds it, or None."""
        return self.text if self.source is Source.VARIABLE else None

    def value(self, namespace: Mapping[str, Any]) -> Any:
        """Give what a `Wish` takes: a path, an address, an object, or None.

        Raises
        ------
        PromptError
            If there is no such variable any more.
        """
        if self.source is Source.NONE or self.missing:
            return None
        if self.source is Source.OBJECT:
            return self.given
        if self.source is Source.VARIABLE:
            return value_of(f"{{{self.text}}}", namespace)
        return self.text.strip()


@dataclass(frozen=True)
class Form:
    """All that the form holds.

    Parameters
    ----------
    prompt, provider, prompt_optimizer, count, tags, note, parent
        See `hailuo_jupyter.kernel.generate.Wish`.
    options
        What was chosen, by name, for whichever provider has it; the others stand at their default.
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

    def frame(self, role: str) -> FrameField:
        """Give the frame of a role, `FIRST` or `LAST`."""
        return self.first if role == FIRST else self.last

    def with_frame(self, role: str, frame: FrameField) -> Form:
        """Give the form with another frame of a role."""
        return replace(self, first=frame) if role == FIRST else replace(self, last=frame)


def options_of(form: Form, provider: Provider) -> dict[str, str]:
    """Give a value for each of the provider's options, and for no other."""
    return {
        choice.name: form.options.get(choice.name, str(choice.default))
        for choice in provider.choices
    }


def wish(
    form: Form, provider: Provider, namespace: Mapping[str, Any], *, new: bool = False
) -> Wish:
    """Make the wish that the form stands for.

    Parameters
    ----------
    form
        What it holds.
    provider
        The one it names.
    namespace
        The notebook's variables.
    new
        Buy, even where the notebook has such a run already.

    Raises
    ------
    PromptError
        If a frame's variable is gone.
    """
    return Wish(
        form.prompt,
        form.provider,
        options_of(form, provider),
        form.first.value(namespace),
        form.last.value(namespace),
        prompt_optimizer=form.prompt_optimizer,
        count=form.count,
        new=new,
        tags=form.tags,
        note=form.note or None,
        parent=form.parent,
    )


def cell_text(form: Form, provider: Provider, namespace: Mapping[str, Any]) -> str:
    """Write the form as the ``%%hailuo`` cell that asks for the same.

    Raises
    ------
    OptionError, PromptError
        If a cell cannot hold it.
    """
    return celltext.write(
        wish(form, provider, namespace),
        image=form.first.variable,
        last_image=form.last.variable,
    )


def from_cell(text: str, namespace: Mapping[str, Any]) -> Form:
    """Read a ``%%hailuo`` cell into a form; the inverse of `cell_text`.

    Raises
    ------
    OptionError, PromptError
        As `hailuo_jupyter.kernel.celltext.read`.
    """
    found = celltext.read(text, namespace)
    return Form(
        found.prompt,
        found.provider or "demo",
        {name: str(value) for name, value in found.options.items()},
        _of_value(found.image, namespace),
        _of_value(found.last_image, namespace),
        prompt_optimizer=found.prompt_optimizer,
        count=found.count,
        tags=tuple(found.tags),
        note=found.note or "",
    )


def frame_field(value: Any, namespace: Mapping[str, Any]) -> FrameField:
    """Give the field that stands for a frame as code gives it: a path, an address or an object."""
    return _of_value(str(value) if isinstance(value, Path) else value, namespace)


def _of_value(value: Any, namespace: Mapping[str, Any]) -> FrameField:
    if value is None:
        return FrameField()
    if isinstance(value, str):
        return FrameField(Source.FILE, value)
    names = (name for name, each in namespace.items() if each is value and name[:1] != "_")
    name = next(names, None)
    return (
        FrameField(Source.OBJECT, given=value)
        if name is None
        else FrameField(Source.VARIABLE, name)
    )


def of_run(record: Record, folder: Path, base: Path) -> Form:
    """Give the form that asks for what a run asked for, as its child.

    Parameters
    ----------
    record
        The run.
    folder
        Its output folder, where its frames are kept.
    base
        The notebook's folder, which paths are shown from.
    """
    request, whole = record.request, whole_links(record)
    return Form(
        request.prompt,
        record.provider,
        {name: str(value) for name, value in request.options.items()},
        _of_record(request.first_frame, folder, base, whole=whole),
        _of_record(request.last_frame, folder, base, whole=whole),
        prompt_optimizer=request.prompt_optimizer,
        tags=tuple(record.tags),
        note=record.note or "",
        parent=record.run_id,
    )


def _of_record(frame: FrameRecord | None, folder: Path, base: Path, *, whole: bool) -> FrameField:
    if frame is None:
        return FrameField()
    if frame.kept is not None:
        return FrameField(Source.FILE, seen_from(folder / frame.kept, base))
    # A record holds no link's signature, and without that nobody could fetch the frame.
    return FrameField(Source.FILE, frame.url if frame.url and whole else "")


def seen_from(path: Path, base: Path) -> str:
    """Give a path as one writes it in a notebook of the folder `base`."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def tags_of(text: str) -> tuple[str, ...]:
    """Read tags that are written with commas between them; a tag with a comma stands in quotes."""
    rows = csv.reader([" ".join(text.split())], skipinitialspace=True)
    return tuple(dict.fromkeys(tag.strip() for row in rows for tag in row if tag.strip()))


def tags_text(tags: tuple[str, ...]) -> str:
    """Write tags with commas between them; the inverse of `tags_of`."""
    return ", ".join(
        '"' + tag.replace('"', '""') + '"' if set(tag) & set(',"') else tag for tag in tags
    )
