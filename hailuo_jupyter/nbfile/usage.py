"""``jupyter hailuo du``: how much room clips, records and frames take, by folder and notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter.engine.whereabouts import clip_file
from hailuo_jupyter.nbfile.logs import all_rows
from hailuo_jupyter.record_file import sidecar_name
from hailuo_jupyter.runlog import RunLog


@dataclass
class Use:
    """What the runs of one notebook take in one output folder.

    Parameters
    ----------
    folder, notebook
        Where the files lie; the notebook's name, or empty for scripts.
    runs, clips, gone
        Runs in the log; clips that are there; clips that are not, or not any more.
    sizes
        Bytes of each file that is there: clips, records, frames.
    """

    folder: Path
    notebook: str
    runs: int = 0
    clips: int = 0
    gone: int = 0
    sizes: dict[Path, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """All of it; a frame counts once, however many runs have it."""
        return sum(self.sizes.values())


def usage(logs: Iterable[RunLog]) -> list[Use]:
    """Give what runs take, the largest first.

    Parameters
    ----------
    logs
        The run logs.
    """
    found: dict[tuple[Path, str], Use] = {}
    for log in logs:
        for row in all_rows(log):
            record, clip = row.record, clip_file(row)
            notebook = (record.origin.notebook_path if record.origin else None) or ""
            use = found.setdefault((row.folder, notebook), Use(row.folder, notebook))
            use.runs += 1
            frames = (record.request.first_frame, record.request.last_frame)
            kept = [row.folder / each.kept for each in frames if each and each.kept]
            for path in (clip, row.folder / sidecar_name(row.run_id), *kept):
                if path is not None and (size := _size(path)) is not None:
                    use.sizes[path] = size
            if clip is not None:
                use.clips += clip in use.sizes
                use.gone += clip not in use.sizes
    return sorted(found.values(), key=lambda use: (-use.bytes, str(use.folder), use.notebook))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
