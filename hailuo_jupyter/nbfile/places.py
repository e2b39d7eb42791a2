"""Where the truth about a run lies: the run log, and the sidecar beside its clip."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hailuo_jupyter.closing import Closing
from hailuo_jupyter.nbfile.document import joined
from hailuo_jupyter.nbfile.records import outputs
from hailuo_jupyter.record import Record
from hailuo_jupyter.record_file import sidecar_name
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

_LINK = re.compile(r"""src\s*=\s*["']([^"'<>:]{0,500}?)/?[^"'<>:/]{1,104}\.mp4["']""")
_MOST_LINKS = 200


@dataclass(frozen=True)
class Sidecar:
    """A sidecar file: its record, or what is wrong with it."""

    path: Path
    record: Record | None
    wrong: str = ""


class Places(Closing):
    """The run logs of this user, and the folders that a notebook's clips may lie in.

    Nothing is made here: a log that does not exist stays away.

    Parameters
    ----------
    base
        The notebook's folder.
    nb
        The notebook; links in its outputs tell of folders.
    folder
        An output folder that the person named.
    settings
        Tell where the logs lie; what is in force if None.
    """

    def __init__(
        self,
        base: Path,
        nb: dict[str, Any],
        folder: Path | None = None,
        settings: Hailuo | None = None,
    ) -> None:
        settings = settings or Hailuo.instance()
        self._logs = [
            RunLog(path)
            for demo in (False, True)
            if (path := settings.run_log_path(demo=demo)).is_file()
        ]
        named = [] if folder is None else [folder.absolute()]
        linked = (base / link for link in _linked(nb))
        usual = (base / settings.output_dir, base / "hailuo", base)
        self._folders = list(dict.fromkeys([*named, *linked, *usual]))

    def close(self) -> None:
        """Close the logs; may be repeated."""
        for log in self._logs:
            log.close()

    def row(self, run_id: str) -> Row | None:
        """Give a run as the log has it; None where no log knows it, or a newer version wrote it."""
        for log in self._logs:
            if row := log.find(run_id):
                try:
                    _ = row.record
                except ValueError:
                    return None
                return row
        return None

    def durations(self, kind: str) -> list[float]:
        """Give how long runs of a kind took, as far as the logs know."""
        return [seconds for log in self._logs for seconds in log.durations(kind)]

    def of_notebook(self, notebook_id: str, since: float) -> list[Record]:
        """Give the records of a notebook's runs that were made since then (seconds since 1970)."""
        return [
            row.record
            for log in self._logs
            for row in log.recent(1000, notebook_id=notebook_id)
            if row.created >= since
        ]

    def folder(self, record: Record) -> Path | None:
        """Find the output folder of a run: the log's, or where its clip or sidecar lies."""
        row = self.row(record.run_id)
        names = [sidecar_name(record.run_id)]
        if record.clip is not None:
            names.insert(0, record.clip.path)
        for name in names:
            for folder in ([] if row is None else [row.folder]) + self._folders:
                if _is_file(folder / name):
                    return folder
        return None if row is None else row.folder

    def sidecar(self, run_id: str, folder: Path | None) -> Sidecar | None:
        """Read the record beside a run's clip; None where there is none."""
        if folder is None or not _is_file(path := folder / sidecar_name(run_id)):
            return None
        try:
            record = Record.from_json(path.read_bytes())
        except OSError as error:
            return Sidecar(path, None, f"cannot be read: {error.strerror}")
        except ValueError as error:
            return Sidecar(path, None, str(error))
        if record.run_id != run_id:
            return Sidecar(path, None, f"is the record of run {record.run_id}")
        return Sidecar(path, record)


def row_of(record: Record, folder: Path) -> Row:
    """Make the row that a log would have of a run that only its sidecar tells of."""
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
    """Give the folders that links to clips lead to, as far as they are relative."""
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
    except (OSError, ValueError):  # a name that is too long, or holds a zero byte
        return False
