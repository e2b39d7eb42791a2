"""Runs for the tests of the run log, written as an engine writes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hailuo_jupyter
from hailuo_jupyter import catalogue, request
from hailuo_jupyter.record import Record, prepare
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State

SEGMIND = catalogue.provider("segmind")
REQUEST = request.build("a cat", SEGMIND, options={})
KIND = REQUEST.kind
IDS = tuple(f"20261120-140312-0000{number:02}" for number in range(20))
R1, R2, R3 = IDS[1:4]
ROOT = Path(hailuo_jupyter.__file__).parents[1]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def make(
    run_id: str | None = None, notebook: str | None = "nb", provider: str = "segmind"
) -> Record:
    asked = request.build("a cat", catalogue.provider(provider), options={})
    return prepare(asked, run_id=run_id, origin={"notebook_id": notebook, "cell_id": "c1"})


def add(log: RunLog, run_id: str | None = None, notebook: str | None = "nb") -> Row:
    return log.insert(make(run_id, notebook), folder=Path("out"), kind=KIND, owner=None)


def send(log: RunLog, run_id: str, at: float = 100.0) -> Row:
    log.update(run_id, lambda r: r.moved(State.SUBMITTING, at=at))
    return log.update(run_id, lambda r: r.moved(State.SUBMITTED, at=at, job={"id": "job-1"}))


def finish(log: RunLog, run_id: str, at: float) -> Row:
    log.update(run_id, lambda r: r.moved(State.DOWNLOADING, at=at))
    return log.update(run_id, lambda r: r.moved(State.COMPLETED, at=at + 1))


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
