"""``jupyter hailuo import``: bring runs back into the log from sidecars and from notebooks' metadata.

Such a record may be forged; what it can do is described in `hailuo_jupyter.runlog.adopt`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter import path_hints
from hailuo_jupyter.engine.recovery import clip_here
from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.ipynb import records
from hailuo_jupyter.ipynb.document import read
from hailuo_jupyter.ipynb.locate import RunLocator
from hailuo_jupyter.record import SCHEMA, Record
from hailuo_jupyter.record.paths import is_sidecar_name
from hailuo_jupyter.record.reference import is_reference
from hailuo_jupyter.record.sidecar import read_file, read_sidecar
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.adopt import Adopted, adopt
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import RESUMABLE

#: Maximum files that are read in a folder and its subfolders.
_MOST_FILES = 20_000

_NOTEBOOK = ".ipynb"


@dataclass
class ImportReport:
    """The result of an import.

    Parameters
    ----------
    counts
        How many records were new to the log, newer, moved, or known.
    skipped
        Files and records that were left out, each in a sentence.
    unfinished
        Ids of new runs that are not finished: a person may wait for them.
    """

    counts: Counter[Adopted] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def import_runs(paths: Iterable[Path], settings: Hailuo | None = None) -> ImportReport:
    """Restore the runs of folders, notebooks and single sidecars. Nothing is sent or downloaded.

    Parameters
    ----------
    paths
        Folders are searched with their subfolders for sidecars and notebooks.
    settings
        Contain the paths of the run logs; the settings in force if None.

    Raises
    ------
    NotebookError
        If a file or folder does not exist.
    RunLogError, DiskError
        If a log cannot be written.
    """
    settings = settings or Hailuo.instance()
    done, logs = ImportReport(), dict[bool, RunLog]()
    try:
        found = list(paths)
        named = [path for path in found if path.is_dir()]
        for path in found:
            if not path.exists():
                raise NotebookError(
                    f"Not found: {path}.", todo=path_hints.hint(path, Path()) or "Check its path."
                )
            for each in _files(path) if path in named else [path]:
                for record, folder in _records(each, done, settings, path, named):
                    demo = record.provider == "demo"
                    if demo not in logs:
                        logs[demo] = RunLog(settings.run_log_path(demo=demo))
                    _adopt(record, folder, logs[demo], done, each)
    finally:
        for log in logs.values():
            log.close()
    return done


def _adopt(record: Record, folder: Path, log: RunLog, done: ImportReport, source: Path) -> None:
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
    """Yield files that may contain records, sidecars before notebooks; links are not followed."""
    found: list[Path] = []
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            seen += 1
            wanted = is_sidecar_name(name) or name.endswith(_NOTEBOOK)
            if wanted and not name.startswith("."):
                found.append(Path(place) / name)
        if seen > _MOST_FILES:
            break
    yield from sorted(found, key=lambda path: path.suffix == _NOTEBOOK)


def _records(
    path: Path, done: ImportReport, settings: Hailuo, named_path: Path, named: list[Path]
) -> Iterator[tuple[Record, Path]]:
    """Yield the records of a file, each with the folder that its clip is in."""
    try:
        if path.suffix == _NOTEBOOK:
            yield from _of_notebook(path, done, settings, named)
            return
        data = read_file(path)
        if path == named_path or SCHEMA.encode() in data:  # other JSON files are ignored
            yield read_sidecar(path, data), path.absolute().parent
    except (OSError, ValueError, NotebookError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        done.skipped.append(f"{path.name}: {text}")


def _of_notebook(
    path: Path, done: ImportReport, settings: Hailuo, named: list[Path]
) -> Iterator[tuple[Record, Path]]:
    document = read(path)
    newest: dict[str, Record] = {}
    raw = [*records.stored(document.nb).values()]
    for output in records.outputs(document.nb):
        raw += [each for each in output.raw if not is_reference(each)]
        done.skipped += [
            f"{path.name}, run {run_id}: the output refers to a record that the notebook does not have."
            for run_id in output.missing
        ]
    for value in raw:
        try:
            record = records.read(value)
        except ValueError as error:
            done.skipped.append(f"{path.name}: {error}")
            continue
        if record.run_id not in newest or newest[record.run_id].revision < record.revision:
            newest[record.run_id] = record
    found: list[tuple[Record, Path]] = []
    with RunLocator(document.base, document.nb, settings=settings, named=named) as places:
        usual = document.base / settings.output_dir
        for record in newest.values():
            folder = places.folder(record) or usual
            if places.trusts(folder, record.run_id):
                found.append((record, folder))
            else:
                done.skipped.append(
                    f"{path.name}, run {record.run_id}: its folder is outside the notebook's. If the clips "
                    f"in it are yours, name it too: jupyter hailuo import {path} {folder}"
                )
    yield from found
