"""``jupyter hailuo embed``: a copy of a notebook whose outputs hold their clips, to play anywhere.

A notebook may come from anybody. What is put into it is told by its own records alone, never by the
run log: a file goes in if its name is that of the run's clip and its bytes have the record's sha256.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from hailuo_jupyter import media
from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.formatting import count, escape_control
from hailuo_jupyter.ipynb import records, trust
from hailuo_jupyter.ipynb.document import read, text_of, write
from hailuo_jupyter.ipynb.locate import RunLocator, row_of
from hailuo_jupyter.ipynb.records import Output
from hailuo_jupyter.ipynb.redraw import (
    DRAWING_FAILS,
    Chosen,
    draw_again,
    holds_clips,
    html_of,
    is_its_clip,
    sheet_of,
    views,
)
from hailuo_jupyter.kernel.display.run_view import PREVIEW_NOTE, Inside, RunView
from hailuo_jupyter.kernel.frontends import EXPORTED_FILE, Delivery, choose_delivery
from hailuo_jupyter.preview import preview
from hailuo_jupyter.record import Record
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

#: A picture in a saved output, in a tag that names its run. Our templates escape both brackets.
_TAG = re.compile(r"<(?:video|img)\b[^<>]*")
_JPEG = re.compile(r'"data:image/jpeg;base64,(?P<data>[A-Za-z0-9+/]{4,400000}={0,2})"')


class _Shape(NamedTuple):
    """Of a picture: most pixels across, and most bytes."""

    width: int
    most: int


#: In a contact sheet, in an output, and on paper or in place of the clip.
_SMALL, _USUAL, _LARGE = _Shape(200, 2800), _Shape(480, 9000), _Shape(960, 150_000)


@dataclass(frozen=True)
class EmbedReport:
    """What `embed` wrote.

    Parameters
    ----------
    path
        The notebook that was written.
    clips, previews, pictures
        How many outputs' runs are in it as whole clips, as previews, and as pictures for want of room.
    runs
        How many runs these are; one may be in several outputs.
    remarks
        What could not be done, each in a sentence.
    """

    path: Path
    clips: int
    previews: int
    pictures: int
    runs: int
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """How much video goes into a notebook.

    Parameters
    ----------
    clip_mb
        Largest clip that goes in whole, in MB (10⁶ bytes).
    notebook_mb
        Most MB of clips and previews together.
    """

    clip_mb: float
    notebook_mb: float

    @classmethod
    def of(
        cls, settings: Hailuo, clip_mb: float | None = None, notebook_mb: float | None = None
    ) -> Limits:
        """Return the limits that are set, or those that are given instead."""
        return cls(
            settings.embed_clip_mb if clip_mb is None else clip_mb,
            settings.embed_notebook_mb if notebook_mb is None else notebook_mb,
        )


def embed(
    path: Path,
    out: Path,
    folder: Path | None = None,
    settings: Hailuo | None = None,
    *,
    clip_mb: float | None = None,
    notebook_mb: float | None = None,
) -> EmbedReport:
    """Write a copy of a notebook whose outputs hold their clips.

    The copy is signed if the notebook was trusted.

    Parameters
    ----------
    path
        The notebook.
    out
        Where the copy goes; may be the notebook itself.
    folder
        The output folder, where neither the log nor a link tells it.
    settings
        Tell how much may be embedded, and where the run logs are; what is in force if None.
    clip_mb, notebook_mb
        Limits instead of those that are set; see `Limits`.

    Raises
    ------
    NotebookError
        If the notebook cannot be read, or is to be overwritten and was changed meanwhile.
    DiskError, RunLogError
        If the copy cannot be written, or a log not be read.
    """
    settings = settings or Hailuo.instance()
    document = read(path)
    trusted = trust.is_trusted(text_of(document.nb, path.name))
    itself = os.path.realpath(out) == os.path.realpath(path)
    # Links count from the name that is opened, so that symbolic links are not followed.
    links = document.base if itself else Path(os.path.abspath(out)).parent  # noqa: PTH100
    with RunLocator(document.base, document.nb, folder, settings) as places:
        embedding = Embedding(places, document.base, Limits.of(settings, clip_mb, notebook_mb))
        embedding.put(document.nb, links, split=True)
        remarks = list(embedding.remarks)
        if not any(True for _ in records.outputs(document.nb)):
            remarks += _without_outputs(places.bought_in(path, records.written_id(document.nb)))
    text = text_of(document.nb, path.name)
    if itself:
        document.save()
    else:
        write(out, text)
    if trusted and not trust.sign(text):
        remarks.append(trust.NOT_SIGNED)
    return EmbedReport(
        out,
        embedding.clips,
        embedding.previews,
        embedding.pictures,
        len(embedding.runs),
        tuple(remarks),
    )


class Embedding:
    """What one notebook's outputs are to hold of clips, within the limits that are set.

    Parameters
    ----------
    places
        Where clips may be.
    base
        The notebook's folder.
    limits
        How much may be embedded.
    """

    def __init__(self, places: RunLocator, base: Path, limits: Limits) -> None:
        self._places, self._base, self._limits = places, base, limits
        self._held = 0
        self._real: dict[tuple[object, ...], bool] = {}
        self._previews: dict[Path, bytes | None] = {}
        self._remarks: dict[str, None] = {}
        self.clips = self.previews = self.pictures = 0
        self.runs: set[str] = set()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What could not be done, each in a sentence."""
        return tuple(self._remarks)

    def put(self, nb: dict[str, Any], links: Path | None, *, split: bool = False) -> None:
        """Write clips into all outputs that show runs; the others, and those without a clip, stay.

        Parameters
        ----------
        nb
            The notebook; changed in place.
        links
            The folder that links are to be relative to; None for an output without links.
        split
            Keep texts as lists of lines, as they stand in a file.
        """
        for output, rows in self.outputs(nb):
            held = holds_clips(output)
            real = [self._is_real(row) for row in rows]
            if any(real) or not held:
                self._report_missing(rows)
            if any(real) and not (held and not all(real)):  # what it holds cannot be had again
                whole = held and PREVIEW_NOTE not in html_of(output)
                inside = partial(self._inside, asked=whole)
                self._draw(output, rows, links, inside=inside, split=split)

    def put_pictures(self, nb: dict[str, Any]) -> None:
        """Draw all outputs that show runs as they can be printed: pictures and open records.

        Parameters
        ----------
        nb
            The notebook; changed in place, its texts are whole.
        """
        for output, rows in self.outputs(nb):
            if self._draw(output, rows, None, inside=lambda _row: Inside(picture=True), large=True):
                data = output.output["data"]
                # What is foreign in it is escaped, so that these tags are ours.
                data["text/html"] = data["text/html"].replace("<details", "<details open")

    def outputs(self, nb: dict[str, Any]) -> Iterator[tuple[Output, list[Row]]]:
        """Yield each output that shows runs, with the runs as its own records have them.

        An output with a record that cannot be read is left out, and reported.
        """
        for output in records.outputs(nb):
            if unreadable := len(output.raw) - len(output.records):
                self._remark(
                    f"An output was left as it is: {unreadable} of its {len(output.raw)} records "
                    "cannot be read. Run 'jupyter hailuo verify' for details."
                )
                continue
            yield output, [self._row(record) for record in output.records]

    def views(self, output: Output, rows: list[Row]) -> list[RunView]:
        """Return an output's runs in words, with large pictures; empty if that fails, which is reported.

        Parameters
        ----------
        output, rows
            From `outputs`.
        """
        html = html_of(output)
        try:
            return views(
                rows,
                self._places,
                None,
                inside=lambda _row: Inside(picture=True),
                poster=lambda row: self._poster(row, html, _LARGE),
            )
        except DRAWING_FAILS as error:
            self._remark(_left(error))
            return []

    def _draw(
        self,
        output: Output,
        rows: list[Row],
        links: Path | None,
        *,
        inside: Chosen,
        large: bool = False,
        split: bool = False,
    ) -> bool:
        """Draw an output; False if that fails, which is reported."""
        html = html_of(output)
        try:
            small = sheet_of(output) is not None
            shape = _SMALL if small else _LARGE if large else _USUAL
            draw_again(
                output,
                rows,
                self._places,
                links,
                inside=inside,
                poster=lambda row: self._poster(row, html, shape),
                split=split,
            )
        except DRAWING_FAILS as error:
            self._remark(_left(error))
            return False
        return True

    def _poster(self, row: Row, html: str, shape: _Shape) -> bytes | None:
        """Return a picture of a run's clip, or else the one that its output has; None without either."""
        if self._is_real(row):
            assert row.record.clip is not None  # noqa: S101 - else it was not real
            try:
                clip = row.folder / row.record.clip.path
                return media.poster(clip, width=shape.width, max_bytes=shape.most)
            except (ClipError, OSError, ValueError):
                pass
        return stored_picture(html, row.run_id)

    def _inside(self, row: Row, *, asked: bool) -> Inside:
        clip = row.record.clip
        if clip is None or not self._is_real(row):
            return Inside()
        self.runs.add(row.run_id)
        chosen = choose_delivery(
            EXPORTED_FILE,
            size=clip.bytes,
            embedded=self._held,
            resolves=False,
            asked=asked,
            clip_limit=self._limits.clip_mb * 1e6,
            notebook_limit=self._limits.notebook_mb * 1e6,
        )
        if chosen is Delivery.EMBED:
            self._held += clip.bytes
            self.clips += 1
            return Inside(whole=True)
        if chosen is Delivery.PREVIEW and (made := self._preview(row)) is not None:
            self._held += len(made)
            self.previews += 1
            return Inside(preview=made)
        self.pictures += 1
        return Inside(picture=True)

    def _preview(self, row: Row) -> bytes | None:
        assert row.record.clip is not None  # noqa: S101 - `_inside` has looked
        clip = row.folder / row.record.clip.path
        if clip not in self._previews:
            try:
                self._previews[clip] = preview(clip)
            except (ClipError, OSError) as error:
                self._previews[clip] = None
                self._remark(f"Run {row.run_id}: {' '.join(str(error).split())}")
        return self._previews[clip]

    def _row(self, record: Record) -> Row:
        folder = self._places.folder(record)
        return row_of(record, folder or self._base / "hailuo")

    def _is_real(self, row: Row) -> bool:
        clip = row.record.clip
        if row.state is not State.COMPLETED or clip is None:
            return False
        # Of the same run there may be two records, one of them about another file.
        key = (row.run_id, row.folder, clip.path, clip.bytes, clip.sha256)
        if key not in self._real:
            self._real[key] = self._places.has_clip_of(row.record) and is_its_clip(row)
        return self._real[key]

    def _report_missing(self, rows: list[Row]) -> None:
        for row in rows:
            clip = row.record.clip
            if row.state is not State.COMPLETED:
                known = self._places.row(row.run_id)
                if known is not None and known.state is State.COMPLETED:
                    self._remark(
                        f"Run {row.run_id} is completed, and its output does not show it yet. Run "
                        "'jupyter hailuo sync' first."
                    )
            elif clip is None:
                self._remark(f"Run {row.run_id}: its record does not name a clip.")
            elif not self._is_real(row):
                self._remark(f"Run {row.run_id}: {_missing(row)}")

    def _remark(self, text: str) -> None:
        self._remarks[escape_control(text)] = None


def _without_outputs(bought: list[Record]) -> list[str]:
    """Return what to do where a file shows no run, although its notebook has sent some."""
    if not bought:
        return []
    text = (
        f"No output of the notebook shows a run, although it sent {count(len(bought), 'run')}. Rerun its "
        "cells and save it (existing clips are not bought again), or embed the version that has its outputs."
    )
    return [text]


def _left(error: Exception) -> str:
    return f"An output was left as it is: {' '.join(str(error).split())}"


def _missing(row: Row) -> str:
    clip = row.record.clip
    assert clip is not None  # noqa: S101 - the caller has looked
    try:
        there = (row.folder / clip.path).is_file()
    except (OSError, ValueError):  # a name that no disk takes
        there = False
    if there:
        return f"the file {clip.path} is not its clip (size or sha256 differs); left out."
    if clip.deleted is not None:
        return f"its clip was deleted on {clip.deleted[:10]}."
    return f"its clip {clip.path} was not found."


def stored_picture(html: str, run_id: str) -> bytes | None:
    """Return the picture of a run's clip that a saved output holds; None where it holds none.

    Parameters
    ----------
    html
        The output's HTML, which may come from anybody.
    run_id
        The run.
    """
    for tag, data in _pictures(html):
        if run_id in tag:
            try:
                return base64.b64decode(data, validate=True)
            except binascii.Error:
                continue
    return None


@lru_cache(maxsize=1)
def _pictures(html: str) -> tuple[tuple[str, str], ...]:
    """Return the pictures in some HTML, each with what its tag says besides; an output may have thousands."""
    found = ((tag[0], _JPEG.search(tag[0])) for tag in _TAG.finditer(html))
    return tuple(
        (tag[: jpeg.start()] + tag[jpeg.end() :], jpeg["data"]) for tag, jpeg in found if jpeg
    )
