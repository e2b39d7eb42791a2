"""MLflow, Weights & Biases and trackio themselves, with stores on this disk: once each, and updated."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.annotations import rated
from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import State
from tests.support.notebook_files import buy, command, environment, simulator, surroundings
from tests.support.sample_rows import shown_row

_SEND = """
import json, sys
from pathlib import Path
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks.delivery import Delivery
from hailuo_jupyter.states import State
sink, log, document = sys.argv[1:]
values = json.loads(Path(document).read_text())
row = Row(**{**values, "folder": Path(values["folder"]), "state": State(values["state"])})
with RunLog(Path(log)) as opened, Delivery(sink, Hailuo(run_log=log)) as delivery:
    sys.exit(delivery.send(row, opened) or 0)
"""

#: What this person is called, as the libraries could find out.
PERSON = "quillfeather"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sinks")


@pytest.fixture(scope="module")
def made(home: Path) -> Iterator[tuple[Row, dict[str, str]]]:
    """A run that was made, and the environment whose run log has it."""
    path = home / "work" / "clips.ipynb"
    path.parent.mkdir()
    with simulator() as sim, surroundings(home, sim) as settings:
        with pytest.MonkeyPatch.context() as patch:
            quick = timings.Timings(expected_duration=DurationEstimate(1.5, 0.3))
            patch.setattr(timings, "DEFAULT", quick)
            row = buy(settings, path, {"boat": "A boat."}, {"boat": "x"})["boat"]
        yield row, {**os.environ, **environment(home, sim)}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a sink works in, with everything of its library."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    for name in ("USER", "LOGNAME", "USERNAME", "LNAME"):
        monkeypatch.setenv(name, PERSON)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def changed(row: Row, **how: Any) -> Row:
    record = row.record.changed(**how)
    return replace(row, revision=record.revision, record_json=record.to_json())


def send(sink: str, folder: Path, *rows: Row) -> None:
    """Give a sink runs, each by a process of its own: the libraries keep threads and open files."""
    for row in rows:
        document = folder / "row.json"
        document.write_text(json.dumps({**dataclasses.asdict(row), "folder": str(row.folder)}))
        done = subprocess.run(
            [sys.executable, "-P", "-c", _SEND, sink, str(folder / "runs.sqlite3"), str(document)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
        # As in `sinks.dispatch`: a library may greet, or say that it is still uploading.
        assert (done.returncode, done.stderr) == (0, "")


def python(*lines: str) -> Any:
    """Let a process of its own read what a library has; these keep threads and open files."""
    code = "\n".join(("import json", *lines))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def store(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for MLflow, in memory where that can be: its first tables cost a hundred syncs."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        monkeypatch.chdir(folder)
        yield Path(folder)
        monkeypatch.chdir(place)


def logged(store: Path) -> tuple[str, list[dict[str, Any]]]:
    """Read what MLflow has stored: all of it, and its runs; importing it once more takes seconds."""
    with closing(sqlite3.connect(store / "mlflow.db")) as connection:
        text = "\n".join(connection.iterdump())
        found = []
        for run, status, user, end, place in connection.execute(
            "SELECT run_uuid, status, user_id, end_time, artifact_uri FROM runs"
        ).fetchall():
            tables = {
                table: dict(
                    connection.execute(f"SELECT key, value FROM {table} WHERE run_uuid = ?", (run,))
                )
                for table in ("tags", "params", "latest_metrics")
            }
            files = sorted(each.name for each in Path(place).glob("*"))
            found.append(
                {"id": run, "status": status, "user": user, "ms": end, "files": files, **tables}
            )
    return text, found


def test_mlflow(store: Path, made: tuple[Row, dict[str, str]]) -> None:
    row, _ = made
    failed = changed(shown_row(State.FAILED), sweep="s1", position=0, name="it's a name")
    # The same again, then rated, then two that belong to a sweep.
    rating = rated(3)(row.record)
    again = replace(row, revision=rating.revision, record_json=rating.to_json())
    other = changed(shown_row(State.REJECTED), sweep="s1", position=1)
    send("mlflow", store, row, row, again, failed, other)
    text, found = logged(store)
    assert len(found) == 4, "two runs of a sweep, the sweep, and the run that came three times"
    by_id = {each["tags"].get("hailuo.run_id", "sweep"): each for each in found}
    mine, clip = by_id[row.run_id], row.record.clip
    assert clip
    assert mine["status"] == "FINISHED"
    assert sorted(mine["files"]) == sorted([clip.path, "record.json"])
    assert mine["params"]["prompt"] == "A boat."
    assert (mine["latest_metrics"]["rating"], mine["latest_metrics"]["clip_width"]) == (
        3.0,
        float(clip.width),
    )
    assert mine["tags"]["hailuo.revision"] == str(rating.revision)
    assert mine["tags"]["hailuo.simulated"] == "true"
    assert abs(mine["ms"] / 1000 - (row.record.entered(State.COMPLETED) or 0)) < 1
    sweep = by_id["sweep"]
    for each in (failed, other):
        assert by_id[each.run_id]["tags"]["mlflow.parentRunId"] == sweep["id"]
        assert by_id[each.run_id]["status"] == "FAILED"
    assert by_id[failed.run_id]["tags"]["mlflow.runName"] == "it's a name"
    assert PERSON not in text


def test_wandb_offline(place: Path, made: tuple[Row, dict[str, str]]) -> None:
    row, env = made
    sent = command("log-to", "wandb", cwd=place, env={**env, "WANDB_MODE": "offline"})
    assert (sent.returncode, sent.stdout) == (0, "wandb: 1 run logged.\n"), sent.stderr
    send("wandb", place, row, changed(row, note="soft light"))
    folders = sorted((place / "wandb").glob("offline-run-*"))
    assert len(folders) == 2, "one for each revision; their synchronization makes one run of them"
    assert all(each.name.endswith(row.run_id) for each in folders)
    clip = row.record.clip
    assert clip
    (video,) = folders[0].rglob("*.mp4")
    assert video.stat().st_size == clip.bytes
    notes = [json.loads((each / "files" / "record.json").read_text())["note"] for each in folders]
    assert notes == [None, "soft light"]
    written = b"".join(path.read_bytes() for path in place.rglob("*.wandb"))
    assert b"A boat." in written
    assert PERSON.encode() not in written
    assert str(row.folder).encode() not in written


# It wants an older Pillow than the rest: CI runs this in an environment of its own.
if importlib.util.find_spec("trackio"):

    def test_trackio(place: Path, made: tuple[Row, dict[str, str]]) -> None:
        row, _ = made
        send("trackio", place, row, row, changed(row, rating=5))
        found = python(
            "import trackio",
            "runs = list(trackio.Api().runs('hailuo'))",
            "print(json.dumps([[r.name, r.config] for r in runs], default=str))",
        )
        ((name, config),) = found
        assert name == row.run_id
        assert config["prompt"] == "A boat."
        (video,) = (place / "trackio").rglob("*.mp4")
        assert row.record.clip
        assert video.stat().st_size == row.record.clip.bytes


def test_a_sink_that_is_not_there_is_an_error_in_words(
    made: tuple[Row, dict[str, str]], tmp_path: Path
) -> None:
    done = command("log-to", "mlfow", cwd=tmp_path, env=made[1])
    assert done.returncode == 2
    assert "Unknown sink 'mlfow'." in done.stderr
    assert "Did you mean mlflow?" in done.stderr
