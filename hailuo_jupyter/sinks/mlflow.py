"""MLflow: one MLflow run for each run, with parameters, metrics, tags, the record and the clip.

The destination is set in MLflow: ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_NAME``, which
``mlflow.set_tracking_uri`` and ``mlflow.set_experiment`` in the notebook set, too. Without an
experiment ``hailuo`` is used.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from hailuo_jupyter.record import Record
from hailuo_jupyter.sinks import mapping
from hailuo_jupyter.sinks.base import Sink, clip_file
from hailuo_jupyter.states import State

_RUN, _REVISION, _SWEEP, _CLIP = (
    "hailuo.run_id",
    "hailuo.revision",
    "hailuo.sweep_of_runs",
    "hailuo.clip_logged",
)

#: Maximum characters of a parameter and of a tag in MLflow.
_MOST_PARAMETER, _MOST_TAG = 6000, 5000


class MlflowSink(Sink):
    """Uses ``MlflowClient``, which needs no active run."""

    def __init__(self) -> None:
        # MLflow's own timeouts are for training jobs: minutes without an error.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        from mlflow import MlflowClient

        self._client: Any = MlflowClient()
        self._experiment = _experiment(self._client)

    def ended(self, record: Record, folder: Path) -> None:
        """Log a run, or update the one that has its id in the tag ``hailuo.run_id``."""
        existing = self._find(_RUN, record.run_id)
        if existing is None:
            existing = self._client.create_run(
                self._experiment,
                start_time=_ms(mapping.began(record)),
                run_name=record.name or record.run_id,
                tags={_RUN: record.run_id, **self._below(record)},
            )
        logged = existing.data.tags
        if int(logged.get(_REVISION, 0)) >= record.revision:
            return
        run = existing.info.run_id
        self._log(run, record)
        self._client.log_dict(run, json.loads(record.to_json()), "record.json")
        clip = clip_file(record, folder)
        if clip is not None and record.clip and logged.get(_CLIP) != record.clip.sha256:
            self._client.log_artifact(run, str(clip))
            self._client.set_tag(run, _CLIP, record.clip.sha256)
        completed = record.state is State.COMPLETED
        status = "FINISHED" if completed else "FAILED"
        self._client.set_terminated(run, status, _ms(mapping.ended(record)))
        # Last of all: an interrupted delivery is repeated.
        self._client.set_tag(run, _REVISION, str(record.revision))

    def _log(self, run: str, record: Record) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = _ms(time.time())
        self._client.log_batch(
            run,
            metrics=[
                Metric(name, value, now, record.revision)
                for name, value in mapping.figures(record).items()
            ],
            params=[
                Param(name, str(value)[:_MOST_PARAMETER])
                for name, value in mapping.parameters(record).items()
            ],
            tags=[
                RunTag(f"hailuo.{name}", value[:_MOST_TAG])
                for name, value in mapping.labels(record).items()
            ],
        )
        if record.note:
            self._client.set_tag(run, "mlflow.note.content", record.note[:_MOST_TAG])

    def _below(self, record: Record) -> dict[str, str]:
        """Return the tag that nests a sweep's run below the sweep's own."""
        if not record.sweep:
            return {}
        above = self._find(_SWEEP, record.sweep)
        if above is None:
            above = self._client.create_run(
                self._experiment,
                start_time=_ms(mapping.began(record)),
                run_name=f"sweep {record.sweep}",
                tags={_SWEEP: record.sweep},
            )
            self._client.set_terminated(above.info.run_id, "FINISHED")
        return {"mlflow.parentRunId": above.info.run_id}

    def _find(self, tag: str, value: str) -> Any:
        quoted = value.replace("'", "")  # ids contain none
        found = self._client.search_runs(
            [self._experiment], f"tags.`{tag}` = '{quoted}'", max_results=1
        )
        return found[0] if found else None


def _experiment(client: Any) -> str:
    if experiment_id := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return experiment_id
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "hailuo"
    experiment = client.get_experiment_by_name(name)
    return str(experiment.experiment_id if experiment else client.create_experiment(name))


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
