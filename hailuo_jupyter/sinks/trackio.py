"""trackio: a run of the same name in the project ``hailuo``, on this disk unless a Space is set.

The destination is set in trackio: ``TRACKIO_DIR``, ``TRACKIO_SPACE_ID``, ``TRACKIO_SERVER_URL``. A
Space that does not exist yet is created as private. Other data collection of trackio is switched off.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hailuo_jupyter.record import Record
from hailuo_jupyter.sinks import mapping
from hailuo_jupyter.sinks.base import Sink, clip_file

_PROJECT = "hailuo"
_REVISION = "hailuo_revision"


class TrackioSink(Sink):
    """Starts and finishes a trackio run for each run."""

    def __init__(self) -> None:
        self._elsewhere = any(
            os.environ.get(f"TRACKIO_{each}") for each in ("SPACE_ID", "SERVER_URL")
        )
        if not self._elsewhere:
            # A run on this disk need not ask the network for the user's name.
            os.environ["HF_HUB_OFFLINE"] = "1"
        import trackio

        self._trackio: Any = trackio

    def ended(self, record: Record, folder: Path) -> None:
        """Log a run under its own id as name; a later revision is another step of it."""
        revision = self._known(record.run_id)
        if revision >= record.revision:
            return
        run = self._trackio.init(
            project=_PROJECT,
            name=record.run_id,
            group=record.sweep,
            config={
                **mapping.parameters(record),
                **mapping.labels(record),
                _REVISION: record.revision,
            },
            resume="allow",
            private=True,
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
        try:
            logged: dict[str, Any] = {**mapping.figures(record), _REVISION: record.revision}
            clip = clip_file(record, folder)
            if clip is not None and not revision:
                logged["clip"] = self._trackio.Video(clip, caption=record.request.prompt)
            run.log(logged)
        finally:
            run.finish()

    def _known(self, run_id: str) -> int:
        """Return the revision of a run on this disk; 0 if it is not there."""
        if self._elsewhere:
            return 0
        try:
            runs = list(self._trackio.Api().runs(_PROJECT))
        except ValueError:  # the project does not exist yet
            return 0
        for run in runs:
            if run.name == run_id:
                found = (run.config or {}).get(_REVISION)
                return found if isinstance(found, int) else 0
        return 0
