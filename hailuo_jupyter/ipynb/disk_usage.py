"""``jupyter hailuo du``: how much space clips, records and frames take, by folder and notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter.engine.clip_location import clip_path
from hailuo_jupyter.ipynb.locate import all_rows, unreadable_message
from hailuo_jupyter.record.paths import sidecar_name
from hailuo_jupyter.runlog import RunLog


@dataclass
class DiskUsage:
    """Disk usage of the runs of one notebook in one output folder.

    Parameters
    ----------
    folder, notebook
        Where the files are; the notebook's name, or empty for scripts.
    runs, clips, gone
        Runs in the log; clips that exist; clips that do not, or no longer.
    sizes
        Size in bytes of each existing file: clips, records, frames.
    """

    folder: Path
    notebook: str
    runs: int = 0
    clips: int = 0
    gone: int = 0
    sizes: dict[Path, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The total; a frame that several runs share counts once."""
        return sum(self.sizes.values())


def disk_usage(logs: Iterable[RunLog]) -> tuple[list[DiskUsage], list[str]]:
    """Return the disk usage of runs, the largest first, and a sentence for each unreadable run.

    Parameters
    ----------
    logs
        The run logs.
    """
    found: dict[tuple[Path, str], DiskUsage] = {}
    remarks: list[str] = []
    for log in logs:
        readable, others = all_rows(log)
        remarks += [f"{unreadable_message(row)} It is not counted." for row in others]
        for row in readable:
            record, clip = row.record, clip_path(row)
            notebook = (record.origin.notebook_path if record.origin else None) or ""
            use = found.setdefault((row.folder, notebook), DiskUsage(row.folder, notebook))
            use.runs += 1
            frames = (record.request.first_frame, record.request.last_frame)
            kept = [row.folder / each.kept for each in frames if each and each.kept]
            for path in (clip, row.folder / sidecar_name(record.file_stem), *kept):
                if path is not None and (size := _size(path)) is not None:
                    use.sizes[path] = size
            if clip is not None:
                use.clips += clip in use.sizes
                use.gone += clip not in use.sizes
    uses = sorted(found.values(), key=lambda use: (-use.bytes, str(use.folder), use.notebook))
    return uses, remarks


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
