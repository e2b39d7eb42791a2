"""What version 0.1.0 stored is read, recognized and written again byte for byte.

`stored/` is a study as that version left it: a notebook, its frames, six clips with their sidecars, and the
run log. A fingerprint, a notebook id or a sidecar that changes would make finished cells buy again.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import catalogue, ids, request
from hailuo_jupyter.record import Record
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.runlog import RunLog

STORED = Path(__file__).with_name("stored")
RUNS = sorted(path.stem for path in (STORED / "hailuo").glob("*.json"))
NOTEBOOK_ID = "5f0c9f1e-3f7a-4d39-9a3a-0f6f2c1d7e11"
CALLS: list[dict[str, Any]] = json.loads((STORED / "calls.json").read_text("utf-8"))

PROMPTS = ("A lion.", "Ein Reiher über der Ödnis — früh.\r\nZweite Zeile. ")
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "segmind": [{}, {"mode": "standard"}, {"mode": "pro"}],
    "aimlapi": [
        {}, {"resolution": "768P", "duration": 10}, {"resolution": "1080P"}, {"duration": 6},
    ],
}  # fmt: skip
FRAMES = {
    "none": {},
    "first": {"image": "first.png"},
    "both": {"image": "first.png", "last_image": "last.png"},
    "photo": {"image": "photo.jpg"},
    "address": {"image": "https://example.com/frame.png"},
}


def thirty_requests() -> dict[str, str]:
    """Return the fingerprints of thirty requests, by what was asked."""
    found = {}
    for name, choices in OPTIONS.items():
        provider = catalogue.provider(name)
        for options in choices:
            for prompt in PROMPTS:
                made = request.build(prompt, provider, options=options, base=STORED)
                found[f"{name} {json.dumps(options)} {PROMPTS.index(prompt)}"] = made.fingerprint
        for kind, frames in FRAMES.items():
            for optimizer in (True, False):
                if kind == "none" and optimizer:
                    continue
                made = request.build(
                    PROMPTS[0], provider, options={}, base=STORED, prompt_optimizer=optimizer, **frames
                )  # fmt: skip
                found[f"{name} {kind} {optimizer}"] = made.fingerprint
    return found


def test_thirty_requests_keep_their_fingerprints() -> None:
    expected = json.loads((STORED / "fingerprints.json").read_text("utf-8"))
    assert len(expected) >= 30
    assert thirty_requests() == expected


def test_notebook_ids_stay() -> None:
    path = Path("/home/researcher/stüdy/lion.ipynb")
    assert ids.made_of_path(path) == "9a67b829-ce03-5473-8168-0289264eec17"
    assert ids.made_of_folder(path.parent) == "49404d29-fcd1-5faa-9929-5d0ed0c9e7e8"
    assert ids.made_of_colab("1AbC-dEf_9") == "7fa164b1-886d-59c0-a0c3-5b5d30fae50c"
    assert ids.written_in(STORED / "study.ipynb") == NOTEBOOK_ID


@pytest.mark.parametrize("run_id", RUNS)
def test_a_sidecar_is_written_again_byte_for_byte(run_id: str, tmp_path: Path) -> None:
    stored = (STORED / "hailuo" / f"{run_id}.json").read_bytes()
    written = write_sidecar(Record.from_json(stored), tmp_path)
    assert written.name == f"{run_id}.json"
    assert written.read_bytes() == stored


def test_a_log_opens_unchanged_and_holds_the_same_records(tmp_path: Path) -> None:
    copy = tmp_path / "runs.sqlite3"
    shutil.copy(STORED / "runs.sqlite3", copy)
    before = _dump(copy)
    with RunLog(copy) as log:
        rows = log.rows(RUNS)
        assert [row.run_id for row in rows] == RUNS
        for row in rows:
            beside = json.loads((STORED / "hailuo" / f"{row.run_id}.json").read_text("utf-8"))
            assert json.loads(row.record.to_json()) == beside
            assert row.fingerprint == beside["fingerprint"]
            assert row.notebook_id == NOTEBOOK_ID
    assert _dump(copy) == before


def test_no_finished_cell_buys_again(tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(STORED, study)
    # Folders are absolute in the log; nothing else in it depends on the place.
    with closing(sqlite3.connect(study / "runs.sqlite3")) as connection, connection:
        connection.execute("UPDATE runs SET folder = ?", (str(study / "hailuo"),))
    code = (
        "import json, hailuo_jupyter as h\n"
        "calls = json.load(open('calls.json', encoding='utf-8'))\n"
        "print(json.dumps([h.generate(**call).run_id for call in calls]))"
    )
    nowhere = "http://127.0.0.1:9"
    environment = {
        **os.environ,
        "JPY_SESSION_NAME": str(study / "study.ipynb"),
        "HAILUO_RUN_LOG": str(study / "runs.sqlite3"),
        "HAILUO_LOOPBACK_ONLY": "1",
        "SEGMIND_API_KEY": "SG_golden89abcdef0123",
        "AIML_API_KEY": "aiml-golden89abcdef0123",
        "SEGMIND_BASE_URL": nowhere,
        "SEGMIND_STORAGE_URL": nowhere,
        "AIML_API_BASE_URL": nowhere,
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=study, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == RUNS
    assert len(RUNS) == len(CALLS)


def _dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every table's rows and the schema itself."""
    with closing(sqlite3.connect(path)) as connection:
        schema = connection.execute(
            "SELECT type, name, sql FROM sqlite_master ORDER BY name"
        ).fetchall()
        names = [name for kind, name, _ in schema if kind == "table"]
        rows = {
            name: sorted(map(repr, connection.execute(f"SELECT * FROM [{name}]"))) for name in names
        }
    return {"schema": schema, **rows}
