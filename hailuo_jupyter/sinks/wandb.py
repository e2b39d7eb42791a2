"""Weights & Biases: a run with the same id, its configuration, summary, clip and record.

The destination is set in W&B: ``wandb login``, ``WANDB_MODE=offline``, ``WANDB_PROJECT`` (without it
``hailuo``), ``WANDB_DIR``. Other data collection of W&B is switched off: machine, user, code, console.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hailuo_jupyter.record import Record
from hailuo_jupyter.sinks import mapping
from hailuo_jupyter.sinks.base import Sink, clip_file

_RECORD = "record.json"
_REVISION = "revision"


class WandbSink(Sink):
    """Starts and finishes a W&B run for each run."""

    def __init__(self) -> None:
        import wandb

        self._wandb: Any = wandb
        self._settings = wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            init_timeout=60,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )

    def ended(self, record: Record, folder: Path) -> None:
        """Log a run under its own id; W&B adds a later revision to the same run."""
        if any(stored >= record.revision for stored in _offline(record.run_id)):
            return
        run = self._wandb.init(
            id=record.run_id,
            resume="allow",
            project=os.environ.get("WANDB_PROJECT") or "hailuo",
            name=record.name or record.run_id,
            group=record.sweep,
            job_type="hailuo",
            tags=[tag[:64] for tag in record.tags],
            notes=record.note,
            config=mapping.parameters(record),
            settings=self._settings,
        )
        try:
            stored = run.summary.get(_REVISION)
            if not (isinstance(stored, int | float) and stored >= record.revision):
                self._log(run, record, folder)
        finally:
            run.finish()

    def _log(self, run: Any, record: Record, folder: Path) -> None:
        clip = clip_file(record, folder)
        if (
            clip is not None
            and record.clip
            and run.summary.get("clip_logged") != record.clip.sha256
        ):
            run.log({"clip": self._wandb.Video(str(clip), format=clip.suffix.removeprefix("."))})
            run.summary["clip_logged"] = record.clip.sha256
        run.summary.update({**mapping.labels(record), **mapping.figures(record)})
        path = Path(run.dir) / _RECORD
        path.write_text(record.to_json(indent=2), encoding="utf-8")
        run.save(str(path), base_path=run.dir, policy="now")
        # Last of all: an interrupted delivery is repeated.
        run.summary[_REVISION] = record.revision


def _offline(run_id: str) -> Iterator[int]:
    """Yield the revisions of a run on this disk that are not synchronized yet."""
    root = Path(os.environ.get("WANDB_DIR") or ".") / "wandb"
    for path in root.glob(f"offline-run-*-{run_id}/files/{_RECORD}"):
        try:
            yield int(json.loads(path.read_bytes())["revision"])
        except (OSError, ValueError, KeyError):
            continue
