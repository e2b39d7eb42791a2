"""What is shown of a run and of its clip, already in words: plain data for the templates.

Everything foreign (prompts, providers' words, names of files) has passed `formatting.escape_control`
here; escaping for HTML is the templates' part.
"""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hailuo_jupyter import formatting
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.clip_file import ClipFile, Condition, clip_file
from hailuo_jupyter.container import media_type
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.engine.limit_status import Delay
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.kernel.display.run_status import (
    Progress,
    RunStatus,
    Severity,
    price_note,
)
from hailuo_jupyter.links import shared_json
from hailuo_jupyter.record import ClipRecord
from hailuo_jupyter.record.paths import sidecar_name
from hailuo_jupyter.runlog.log import Row
from hailuo_jupyter.states import IN_FLIGHT, State

if TYPE_CHECKING:
    from typing import Self

    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.errors import HailuoError
    from hailuo_jupyter.record import FrameRecord, Record


_GONE = (
    "The clip is no longer in its folder '{folder}'. If the folder was moved, use 'jupyter hailuo "
    "relink FOLDER'; otherwise rerun the cell to download it again while the provider keeps it."
)
_DELETED = (
    "The clip was deleted from its folder '{folder}' on {day}. Rerun the cell to download it again while "
    "the provider keeps it; --new generates another."
)
_DAMAGED = (
    "The clip's file {why}. Rerun the cell to download it again while the provider keeps it (free)."
)
_OUTSIDE = (
    "The clip is outside this notebook's folder and can't be played here. Run the cell with "
    "--embed to store it in the notebook."
)
_NOT_INSIDE = (
    "The clip is in the file {name}, not in this notebook. "
    "'%hailuo show {run_id} --embed' stores it here."
)
PREVIEW_NOTE = "This is a smaller preview; the clip itself is the file below."
_PICTURE = "This is a picture of the clip; the clip itself is the file below."


@dataclass(frozen=True)
class Inside:
    """What an output itself holds of a clip.

    Parameters
    ----------
    whole
        Whether it holds the clip.
    preview
        A smaller copy; None if it holds none.
    picture
        Whether it is to show a picture in place of the clip, as on paper.
    """

    whole: bool = False
    preview: bytes | None = None
    picture: bool = False


_NOTHING = Inside()

#: Pixels of a clip's room on a card, unless the user sets another width.
PLAYER_WIDTH = 480


#: Bytes of the longest prompt that an output's HTML repeats whole. Only prompts in scripts such as Chinese,
#: of three bytes a character, can be longer.
_REPEATED_BYTES = 2_400


def repeated(prompt: str) -> str:
    """Return what of a prompt an output's HTML repeats: all, or the beginning of a long one.

    The record beside the HTML has it whole, and a notebook holds the record twice.

    Parameters
    ----------
    prompt
        The prompt.
    """
    return prompt if len(prompt.encode()) <= _REPEATED_BYTES else formatting.shorten(prompt, _LONG)


@dataclass(frozen=True)
class ClipView:
    """Where a clip is, and how it can be shown.

    Parameters
    ----------
    name
        The file, with its folder as far as the reader needs it.
    href, sidecar
        Links to clip and record, relative to the notebook and quoted; None where there are none.
    file
        The file to put into the output itself; None to link it.
    width, height
        Pixels of the clip.
    poster
        A small JPEG as a ``data:`` URI; empty if there is none.
    absent
        Why the clip cannot be played here; empty if it can.
    changed
        Whether the file is another video than the one that was fetched.
    preview
        A smaller copy of it to put into the output; None if there is none.
    note
        What is to be said of what is shown; empty where it is the clip.
    picture
        Whether a picture is shown in place of the clip.
    """

    name: str
    href: str | None
    sidecar: str | None
    file: Path | None
    width: int
    height: int
    poster: str
    absent: str
    changed: bool = False
    preview: bytes | None = None
    note: str = ""
    picture: bool = False

    @property
    def src(self) -> str | None:
        """Where a page finds the video: a ``data:`` URI or a link; None if it cannot be played."""
        if self.absent or self.picture:
            return None
        if self.file is not None:
            # A clip that was deleted this very moment is no reason to show nothing at all.
            with suppress(OSError):
                data = base64.b64encode(self.file.read_bytes()).decode()
                return f"data:{media_type(self.file.name)};base64,{data}"
        if self.preview is not None:
            return f"data:video/mp4;base64,{base64.b64encode(self.preview).decode()}"
        return self.href


def clip_view(
    row: Row, base: Path | None, *, poster: bytes | None = None, inside: Inside = _NOTHING
) -> ClipView | None:
    """Find a run's clip; None while it has none.

    Parameters
    ----------
    row
        The run.
    base
        The notebook's folder; None where no link resolves.
    poster
        A small JPEG of the clip.
    inside
        What the output itself holds of the clip.
    """
    clip = row.record.clip
    if row.state is not State.COMPLETED or clip is None:
        return None
    path = clip_at(row.folder, clip, base)
    relative, file = _inside(path, base), clip_file(path, clip)
    there = file.usable
    sidecar = _inside(path.with_name(sidecar_name(row.record.file_stem)), base)
    # Only the name of a folder elsewhere: outputs travel, and should not reveal how a disk is laid out.
    outside = "" if base is None else "…/"
    name = escape_control(relative or f"{outside}{path.parent.name}/{path.name}")
    absent = ""
    if not there:
        absent = _absent(row, clip, file)
    elif relative is None and inside == _NOTHING:
        absent = _NOT_INSIDE.format(name=name, run_id=row.run_id) if base is None else _OUTSIDE
    shows_preview = there and not inside.whole and inside.preview is not None
    shows_picture = there and inside.picture
    return ClipView(
        name=name,
        href=_quoted(relative) if there and relative else None,
        sidecar=_quoted(sidecar) if sidecar and clip.deleted is None else None,
        file=path if there and inside.whole else None,
        width=clip.width,
        height=clip.height,
        poster=data_uri(poster) if poster else "",
        absent=absent,
        changed=file.condition is Condition.CHANGED,
        preview=inside.preview if shows_preview else None,
        note=PREVIEW_NOTE if shows_preview else _PICTURE if shows_picture else "",
        picture=shows_picture,
    )


def copy_place(folder: Path, clip: ClipRecord, base: Path) -> Path:
    """Return where the notebook's own copy of a clip is that is elsewhere: in a folder of the same name.

    Parameters
    ----------
    folder, clip
        The run's output folder and clip.
    base
        The notebook's folder.
    """
    return (folder if is_inside(folder, base) else base / folder.name) / clip.path


def clip_at(folder: Path, clip: ClipRecord, base: Path | None) -> Path:
    """Return the path of a clip: in its output folder or, if that is elsewhere, of the notebook's own copy.

    Parameters
    ----------
    folder, clip
        The run's output folder and clip.
    base
        The notebook's folder; None where no link resolves.
    """
    if base is not None and not is_inside(folder, base):
        copy = copy_place(folder, clip, base)
        if clip_file(copy, clip).condition is Condition.HERE:
            return copy
    return folder / clip.path


def data_uri(jpeg: bytes) -> str:
    """Return a JPEG as a ``data:`` URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def href_of(path: Path, base: Path | None) -> str | None:
    """Return the link to a file, relative to the notebook and quoted; None where there is none."""
    relative = _inside(path, base)
    return _quoted(relative) if relative and path.is_file() else None


def _absent(row: Row, clip: ClipRecord, file: ClipFile) -> str:
    if file.condition is Condition.DAMAGED:
        return _DAMAGED.format(why=file.why)
    folder = escape_control(row.folder.name)
    if clip.deleted is None:
        return _GONE.format(folder=folder)
    return _DELETED.format(folder=folder, day=clip.deleted[:10])


def is_inside(path: Path, base: Path | None) -> bool:
    """Return whether a link from a folder can lead to a file: whether it lies in there."""
    return _inside(path, base) is not None


def _inside(path: Path, base: Path | None) -> str | None:
    """Return a path relative to a folder, with slashes; None if it does not lie in there."""
    if base is None:
        return None
    # One of the two may have gone through a symbolic link.
    for inner, outer in ((path, base), (path.resolve(), base.resolve())):
        if inner.is_relative_to(outer) and ".." not in (parts := inner.relative_to(outer)).parts:
            return parts.as_posix()
    return None


def _quoted(relative: str) -> str:
    # A colon, hash or question mark in a folder's name must stay part of the path.
    return quote(os.fsencode(relative), safe="/")


_SHORT, _LONG = 120, 280

#: Most characters of a note in a caption, and of a name.
_NOTE, _NAME = 60, 40


@dataclass(frozen=True)
class RunView:
    """One run, in words.

    Parameters
    ----------
    run_id, revision, record_json
        Which run, and its record as a notebook holds it.
    severity, state, live, pending
        Its state. Live: a process works on it, so that its clock runs. Pending: a clip may still come.
    source
        Provider, model, options.
    prompt, prompt_long, prompt_short
        As written, and on one line.
    when
        Clock times and dates, true whenever they are read.
    progress
        None where no clock runs.
    problem
        Up to three sentences: what happened, what it means for the money, what to do.
    hint, can_cancel
        What one can or cannot do now; whether it can be cancelled.
    began, took
        When it started; how long a finished clip took, empty for others.
    caption
        A finished clip's facts, time and cost, and what the person thinks of it.
    rated
        Whether the first of what the person thinks is a rating.
    clip
        None while there is none.
    saved
        For a run that was shown again instead of bought: what that saved.
    cost, price_note
        Empty where nothing was bought; where the price comes from.
    facts, statement
        What the fold holds: names with values, and what can be repeated.
    player_width
        Pixels of the clip's room on the card.
    first_frame
        A small picture of the first frame, as a ``data:`` URI, while the clip is not there; else empty.
    name
        The name that the person gave it; may be empty.
    """

    run_id: str
    revision: int
    record_json: str
    severity: Severity
    state: str
    live: bool
    pending: bool
    source: str
    prompt: str
    prompt_long: str
    prompt_short: str
    when: str
    began: str
    took: str
    progress: Progress | None
    problem: tuple[str, ...]
    hint: str
    can_cancel: bool
    caption: tuple[str, ...]
    rated: bool
    clip: ClipView | None
    saved: str
    cost: str
    price_note: str
    facts: tuple[tuple[str, str], ...]
    statement: str
    player_width: int = PLAYER_WIDTH
    first_frame: str = ""
    name: str = ""

    @classmethod
    def of(
        cls,
        row: Row,
        engine: Engine,
        base: Path | None,
        *,
        timing: DurationEstimate | None = None,
        inside: Inside = _NOTHING,
        poster: bytes | None = None,
        saved: bool = False,
        player_width: int = PLAYER_WIDTH,
        first_frame: str = "",
    ) -> Self:
        """Return a view of a run as it is now.

        Parameters
        ----------
        row, engine
            The run, and the engine that knows it.
        base
            The notebook's folder, which links are relative to; None if there is no notebook.
        timing
            How long such runs take; None to ask the engine.
        inside, poster, saved, player_width, first_frame
            See `from_facts`.
        """
        return cls.from_facts(
            row,
            engine.providers.of_record(row.record),
            engine.estimate(row) if timing is None else timing,
            now=engine.now(),
            base=base,
            inside=inside,
            poster=poster,
            saved=saved,
            player_width=player_width,
            first_frame=first_frame,
            deadline_s=engine.deadline_s,
            delay=engine.delay(row),
            next_poll=engine.next_poll(row),
            hindrance=engine.hindrance(row.run_id),
        )

    @classmethod
    def from_facts(
        cls,
        row: Row,
        provider: Provider,
        timing: DurationEstimate,
        *,
        now: float,
        base: Path | None,
        inside: Inside = _NOTHING,
        poster: bytes | None = None,
        saved: bool = False,
        tz: tzinfo | None = None,
        deadline_s: float = 1800.0,
        delay: Delay | None = None,
        next_poll: float | None = None,
        hindrance: HailuoError | None = None,
        player_width: int = PLAYER_WIDTH,
        first_frame: str = "",
    ) -> Self:
        """Return a view of a run that no engine knows.

        Parameters
        ----------
        row
            The run as the log has it.
        provider, timing
            Where it runs, and how long such runs take.
        now
            Seconds since 1970.
        base
            The notebook's folder, which links are relative to; None if there is no notebook.
        inside
            What the output itself holds of the clip.
        poster
            A small JPEG of the clip.
        saved
            The run is shown again instead of bought.
        tz
            The reader's time zone; the machine's if None.
        deadline_s
            Seconds after which a run counts as overdue.
        delay
            Why its next request waits, if a rate limit is the reason.
        next_poll
            When it is polled next, in seconds since 1970; None if that is not known here.
        hindrance
            Why nobody here goes on with it, if it waits for its own key.
        player_width
            Pixels of the clip's room on the card.
        first_frame
            A small picture of the first frame, as a ``data:`` URI; empty if there is none.
        """
        record, clip = row.record, clip_view(row, base, poster=poster, inside=inside)
        standing = RunStatus(
            row,
            provider,
            timing,
            now=now,
            tz=tz,
            deadline_s=deadline_s,
            delay=delay,
            next_poll=next_poll,
            hindrance=hindrance,
        )
        prompt = escape_control(record.request.prompt)
        caption: tuple[str, ...] = ()
        if clip and record.clip:
            options = record.request.options
            measured = record.clip.measured(options)
            if clip.changed:
                measured = f"file changed since download; originally: {measured}"
            caption = (measured, standing.when, standing.cost)
            caption += _annotations(record)
        return cls(
            run_id=row.run_id,
            name=formatting.shorten(escape_control(record.name or ""), _NAME),
            revision=row.revision,
            record_json=shared_json(row.record_json),
            severity=standing.severity,
            state=standing.state,
            live=standing.live,
            pending=standing.live or row.state in IN_FLIGHT,
            source=_source(record, provider),
            prompt=repeated(prompt),
            prompt_long=formatting.shorten(prompt, _LONG),
            prompt_short=formatting.shorten(prompt, _SHORT),
            when=standing.when,
            began=standing.day,
            took=standing.took,
            progress=standing.progress,
            problem=standing.problem,
            hint=standing.hint,
            can_cancel=standing.can_cancel,
            caption=caption,
            rated=record.rating is not None,
            clip=clip,
            saved=standing.saved if saved else "",
            cost=standing.cost,
            price_note=price_note(record),
            facts=_facts(record, standing, tz),
            statement=escape_control(record.reproducibility.statement),
            player_width=player_width,
            first_frame=first_frame,
        )


def _source(record: Record, provider: Provider) -> str:
    options = record.request.options
    # A record's options are sorted by name; a reader knows the provider's order.
    order = dict.fromkeys([*(choice.name for choice in provider.choices), *options])
    chosen = [
        f"{options[name]} s" if name == "duration" else f"{name} {options[name]}"
        for name in order
        if name in options
    ]
    return escape_control(" · ".join([provider.title, record.model, *chosen]))


def _facts(record: Record, standing: RunStatus, tz: tzinfo | None) -> tuple[tuple[str, str], ...]:
    request, cost = record.request, record.cost
    begun = formatting.local_time(standing.began, tz)
    found = [
        ("Run", f"{record.run_id}, revision {record.revision}"),
        ("Job", record.job.id or ""),
        ("Confirmed", _confirmed(record)),
        ("First frame", _frame(request.first_frame)),
        ("Last frame", _frame(request.last_frame)),
        ("Prompt optimizer", record.reproducibility.prompt_optimizer),
        ("Started", f"{begun:%Y-%m-%d %H:%M:%S} (UTC{begun:%z})"),
        ("Cost", standing.cost),
        ("Price from", f"{cost.source} ({cost.as_of})" if cost.source else ""),
        ("Clip", _file(record)),
        ("Repeats", record.parent or ""),
        ("Rating", "" if record.rating is None else f"{record.rating} of 5"),
        ("Tags", ", ".join(record.tags)),
        ("Note", record.note or ""),
    ]
    return tuple((name, escape_control(value)) for name, value in found if value)


def _confirmed(record: Record) -> str:
    """Return how an unconfirmed run was resolved; empty for all others."""
    lost = record.entered(State.UNCONFIRMED) is not None and record.state is not State.UNCONFIRMED
    if not lost:
        return ""
    if "history" in record.job.answers:
        return "the response was lost; the provider's history shows the request"
    return "the response was lost; the provider knows the job"


def _frame(frame: FrameRecord | None) -> str:
    if frame is None:
        return ""
    said = frame.words if frame.from_run else frame.url or frame.source
    if frame.width and frame.height:
        said += f", {formatting.pixels(frame.width, frame.height)}"
    if frame.from_run and frame.at_s is not None:
        said += f", run {frame.from_run} at {frame.at_s:.2f} s"
    return said


def _file(record: Record) -> str:
    clip = record.clip
    return f"{clip.bytes / 1e6:.1f} MB {clip.codec}, sha256 {clip.sha256}" if clip else ""


def _annotations(record: Record) -> tuple[str, ...]:
    """Return what a person has set of a run: its rating, its tags, its note, as far as there are any."""
    note = formatting.shorten(record.note or "", _NOTE)
    texts = (
        "" if record.rating is None else f"rated {record.rating} of 5",
        f"tags: {', '.join(record.tags)}" if record.tags else "",
        f"note: {note}" if note else "",
    )
    return tuple(escape_control(each) for each in texts if each)
