"""Locate the authoritative record of a run: in the run log, and in the sidecar next to its clip."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from hailuo_jupyter import home
from hailuo_jupyter.container import SUFFIXES
from hailuo_jupyter.errors import RecordUnreadable
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.ipynb.document import joined
from hailuo_jupyter.ipynb.records import outputs
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.paths import clip_names, sidecar_name
from hailuo_jupyter.record.sidecar import possible_sidecars, read_file
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.connection import is_there
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import BOUGHT, State

_LINK = re.compile(
    r"""src\s*=\s*["']([^"'<>:]{0,500}?)/?[^"'<>:/]{1,104}("""
    + "|".join(map(re.escape, SUFFIXES))
    + r""")["']"""
)
_MOST_LINKS = 200
_MOST_RUNS = 10_000

#: States of runs that are paid for, or may be.
_SENT = BOUGHT | {State.SUBMITTING, State.UNCONFIRMED}


@dataclass(frozen=True)
class Sidecar:
    """A sidecar file: its record, or what is wrong with it."""

    path: Path
    record: Record | None
    wrong: str = ""


class RunLocator:
    """The run logs of this user, and the folders that a notebook's clips may be in.

    Nothing is created here: a missing log is skipped.

    Parameters
    ----------
    base
        The notebook's folder.
    nb
        The notebook; links in its outputs name folders.
    folder
        An output folder that the person named.
    settings
        Contain the paths of the logs; the settings in force if None.
    named
        Folders that the person named, including everything below them.
    """

    def __init__(
        self,
        base: Path,
        nb: dict[str, Any],
        folder: Path | None = None,
        settings: Hailuo | None = None,
        named: Iterable[Path] = (),
    ) -> None:
        settings = settings or Hailuo.instance()
        self._logs = [RunLog(path) for path in settings.existing_run_logs()]
        first = [] if folder is None else [folder.absolute()]
        linked = (base / link for link in _linked(nb))
        usual = (base / settings.output_dir, base / "hailuo", base)
        self._folders = list(dict.fromkeys([*first, *linked, *usual]))
        output = home.expand(settings.output_dir)
        # A relative one is not resolved: if it is a symbolic link, the notebook's author may have made it.
        below = Path(os.path.normpath(base.resolve() / output))
        output = output.resolve() if output.is_absolute() else below
        self._trusted = (output, *(each.resolve() for each in (base, *first, *named)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the logs; may be repeated."""
        for log in self._logs:
            log.close()

    def row(self, run_id: str) -> Row | None:
        """Return a run's row; None if no log has it, or it is unreadable."""
        for log in self._logs:
            if row := log.find(run_id):
                return row if row.is_readable else None
        return None

    def durations(self, kind: str) -> list[float]:
        """Return the durations of runs of a kind in the logs."""
        return [seconds for log in self._logs for seconds in log.durations(kind)]

    def of_notebook(self, notebook_id: str, since: float) -> list[Record]:
        """Return the records of a notebook's runs that were made since then (seconds since 1970)."""
        return [
            row.record
            for log in self._logs
            for row in log.recent(1000, notebook_id=notebook_id)
            if row.created >= since and row.is_readable
        ]

    def bought_in(self, notebook: Path, written_id: str | None) -> list[Record]:
        """Return the records of the runs that a notebook has sent, whether or not its file has them.

        The id in a file may be anyone's. So it counts only where a log knows the notebook at this path.

        Parameters
        ----------
        notebook
            The path of the file.
        written_id
            The id in its metadata; None if there is none.
        """
        paths = {notebook.absolute(), notebook.resolve()}
        own = {made_of_path(path) for path in paths}
        found: dict[str, Record] = {}
        for log in self._logs:
            known = own | (
                {written_id}
                if written_id and not paths.isdisjoint(log.notebook_places(written_id))
                else set()
            )
            for each in sorted(known):
                for row in log.recent(_MOST_RUNS, notebook_id=each, states=_SENT):
                    if row.is_readable:
                        found[row.run_id] = row.record
        return list(found.values())

    def folder(self, record: Record) -> Path | None:
        """Find the output folder of a run: the log's, or where its clip or sidecar is."""
        clip = [] if record.clip is None else [record.clip.path]
        return self._folder_with(record.run_id, *clip, sidecar_name(record.file_stem))

    def sidecar_folder(self, run_id: str) -> Path | None:
        """Find the output folder of a run of which only the id is known."""
        row = self.row(run_id)
        for folder in ([] if row is None else [row.folder]) + self._folders:
            if any(map(_is_file, possible_sidecars(folder, run_id))):
                return folder
        return None if row is None else row.folder

    def _folder_with(self, run_id: str, *names: str) -> Path | None:
        row = self.row(run_id)
        for name in names:
            for folder in ([] if row is None else [row.folder]) + self._folders:
                if _is_file(folder / name):
                    return folder
        return None if row is None else row.folder

    def trusts(self, folder: Path, run_id: str) -> bool:
        """Return whether files of a run known only from a notebook may be written or copied there.

        A notebook may come from anyone, and its links may lead anywhere. Allowed are folders below the
        notebook, below a folder that the person named, or in the output folder in the settings; or the folder
        in which the person's own log has this run.
        """
        row = self.row(run_id)
        if row is not None and row.folder == folder:
            return True
        try:
            real = folder.resolve()
        except (OSError, ValueError, RuntimeError):  # a zero byte, a circular link
            return False
        return any(real.is_relative_to(each) for each in self._trusted)

    def sidecar(self, run_id: str, folder: Path | None) -> Sidecar | None:
        """Read the record next to a run's clip; None if there is none."""
        paths = [] if folder is None else filter(_is_file, possible_sidecars(folder, run_id))
        found = [_read(path, run_id) for path in paths]
        # Another run's file may fit the end of this run's id.
        return next((each for each in found if each.record), found[0] if found else None)

    def has_clip_of(self, record: Record) -> bool:
        """Return whether a record's clip has one of the run's own names, or the one in the log.

        A notebook may come from anyone, and a record in it may name any file.
        """
        if record.clip is None:
            return False
        row = self.row(record.run_id)
        logged = () if row is None else row.record.clip_paths
        return record.clip.path in {*clip_names(record.file_stem), *logged}


def _read(path: Path, run_id: str) -> Sidecar:
    try:
        record = Record.from_json(read_file(path, through_link=True))
    except OSError as error:
        return Sidecar(path, None, f"cannot be read: {error.strerror}")
    except ValueError as error:
        return Sidecar(path, None, str(error))
    if record.run_id != run_id:
        return Sidecar(path, None, f"is the record of run {record.run_id}")
    return Sidecar(path, record)


def row_of(record: Record, folder: Path) -> Row:
    """Return the row that a log would have for a run known only from its sidecar."""
    try:
        created = record.entered(State.PREPARED) or 0.0
    except ValueError:  # a month 13
        created = 0.0
    return Row(
        record.run_id,
        record.state,
        record.revision,
        record.provider,
        "",
        record.fingerprint,
        record.origin.notebook_id if record.origin else None,
        record.origin.cell_id if record.origin else None,
        folder,
        record.job.id,
        None,
        created,
        created,
        record.to_json(),
    )


def _linked(nb: dict[str, Any]) -> Iterable[str]:
    """Return the folders of relative links to clips."""
    found: dict[str, None] = {}
    for output in outputs(nb):
        html = joined(output.output["data"].get("text/html"))
        for match in _LINK.finditer(html[:200_000]):
            link = unquote(match[1])
            if not link.startswith(("/", "\\")) and "\0" not in link and len(found) < _MOST_LINKS:
                found[link] = None
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or contains a zero byte
        return False


@contextmanager
def existing_logs(settings: Hailuo | None = None) -> Iterator[list[RunLog]]:
    """Open the logs that exist, and close them at the end; none is created.

    Parameters
    ----------
    settings
        Contain their paths; the settings in force if None.

    Raises
    ------
    RunLogError, DiskError
        If one cannot be opened.
    """
    settings = settings or Hailuo.instance()
    with ExitStack() as stack:
        yield [
            stack.enter_context(RunLog(path))
            for demo in (False, True)
            if is_there(path := settings.run_log_path(demo=demo))
        ]


def all_rows(log: RunLog) -> tuple[list[Row], list[Row]]:
    """Return every run of a log, by last change: the readable and the unreadable ones.

    Runs that a newer version wrote, and damaged ones, must not be changed.
    """
    rows = log.changed_since(0.0)
    readable = [row for row in rows if row.is_readable]
    return readable, [row for row in rows if not row.is_readable]


def unreadable_message(row: Row) -> str:
    """Return why a run cannot be read."""
    try:
        _ = row.record
    except RecordUnreadable as error:
        return error.what
    return ""
