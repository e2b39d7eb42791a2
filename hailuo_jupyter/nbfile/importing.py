"""``jupyter hailuo import``: bring runs back into the log from sidecars and from notebooks' metadata.

What such a record, which may come from anybody, can do is told in `hailuo_jupyter.runlog.imports`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter.engine.recover import clip_here
from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.nbfile import records
from hailuo_jupyter.nbfile.document import read
from hailuo_jupyter.nbfile.places import Places
from hailuo_jupyter.record import SCHEMA, Record
from hailuo_jupyter.record_file import read_file, read_sidecar
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.imports import Adopted, adopt
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import RESUMABLE

#: Files of a folder and those below it that are looked at.
_MOST_FILES = 20_000

_NOTEBOOK = ".ipynb"


@dataclass
class Imported:
    """What was done.

    Parameters
    ----------
    counts
        How many records were new to the log, newer, found at another place, known.
    skipped
        Files and records that were left out, each in a sentence.
    unfinished
        Ids of runs that are new and were not at their end: a person may wait for them.
    """

    counts: Counter[Adopted] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def import_runs(paths: Iterable[Path], settings: Hailuo | None = None) -> Imported:
    """Bring back the runs of folders, notebooks and single sidecars. Nothing is sent or fetched.

    Parameters
    ----------
    paths
        Of a folder its sidecars and notebooks are taken, and those of the folders below it.
    settings
        Tell where the run logs lie; what is in force if None.

    Raises
    ------
    NotebookError
        If there is no such file or folder.
    RunLogError, DiskError
        If a log cannot be written.
    """
    settings = settings or Hailuo.instance()
    done, logs = Imported(), dict[bool, RunLog]()
    try:
        for path in paths:
            if not path.exists():
                raise NotebookError(f"There is no {path}.", todo="Check its path.")
            for each in _files(path) if path.is_dir() else [path]:
                for record, folder in _records(each, done, settings, named=each == path):
                    demo = record.provider == "demo"
                    if demo not in logs:
                        logs[demo] = RunLog(settings.run_log_path(demo=demo))
                    _adopt(record, folder, logs[demo], done, each)
    finally:
        for log in logs.values():
            log.close()
    return done


def _adopt(record: Record, folder: Path, log: RunLog, done: Imported, source: Path) -> None:
    here = clip_here(record, folder)
    try:
        adopted = adopt(record, folder, log, clip_here=here)
    except ValueError as error:
        done.skipped.append(f"{source.name}, run {record.run_id}: {error}")
        return
    done.counts[adopted] += 1
    if adopted is Adopted.NEW and record.state in RESUMABLE:
        done.unfinished.append(record.run_id)


def _files(folder: Path) -> Iterator[Path]:
    """Give what may hold records, sidecars before notebooks; links are not followed."""
    found: list[Path] = []
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            seen += 1
            if name.endswith((".json", _NOTEBOOK)) and not name.startswith("."):
                found.append(Path(place) / name)
        if seen > _MOST_FILES:
            break
    yield from sorted(found, key=lambda path: path.suffix == _NOTEBOOK)


def _records(
    path: Path, done: Imported, settings: Hailuo, *, named: bool
) -> Iterator[tuple[Record, Path]]:
    """Give the records of a file, each with the folder that its clip lies in."""
    try:
        if path.suffix == _NOTEBOOK:
            yield from _of_notebook(path, done, settings)
            return
        data = read_file(path)
        if named or SCHEMA.encode() in data:  # any other JSON file is nobody's business
            yield read_sidecar(path, data), path.absolute().parent
    except (OSError, ValueError, NotebookError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        done.skipped.append(f"{path.name}: {text}")


def _of_notebook(path: Path, done: Imported, settings: Hailuo) -> Iterator[tuple[Record, Path]]:
    document = read(path)
    newest: dict[str, Record] = {}
    raw = [*records.stored(document.nb).values()]
    raw += [each for output in records.outputs(document.nb) for each in output.raw]
    for value in raw:
        try:
            record = records.read(value)
        except ValueError as error:
            done.skipped.append(f"{path.name}: {error}")
            continue
        if record.run_id not in newest or newest[record.run_id].revision < record.revision:
            newest[record.run_id] = record
    with Places(document.base, document.nb, settings=settings) as places:
        usual = document.base / settings.output_dir
        found = [(record, places.folder(record) or usual) for record in newest.values()]
    yield from found
