"""Simulator, folders and engines of the contract tests; `tests/contract/conftest.py` has the fixtures."""

from __future__ import annotations

import json
import subprocess
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.engine.submission import Submission, SubmittedRun
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator, SimulatorOptions

KEYS = {
    "SEGMIND_API_KEY": "SG_0123456789abcdef",
    "AIML_API_KEY": "aiml-0123456789abcdef",
    "FAL_KEY": "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0:0123456789abcdef0123456789abcdef",
    "REPLICATE_API_TOKEN": "r8_0123456789abcdef",
    "RUNWARE_API_KEY": "0123456789abcdef0123456789abcdef",
    "MINIMAX_API_KEY": "sk-api-0123456789abcdef0123456789abcdef",
}

#: Put at the head of scripts that are run in a process of their own: what `quick` does here.
PREAMBLE = """
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.eta import DurationEstimate
timings.DEFAULT = timings.Timings(expected_duration=DurationEstimate(1.5, 0.3))
import hailuo_jupyter as h
"""


def options(cache: Path, **changes: Any) -> SimulatorOptions:
    """Return the choices of a simulator whose jobs take about half a second."""
    usual: dict[str, Any] = {
        "cache": cache,
        "variants": 1,
        "shrink": 8,
        "segmind_seconds": 0.4,
        "aimlapi_6s_seconds": 0.4,
        "aimlapi_10s_seconds": 0.4,
        "fal_seconds": 0.4,
        "replicate_seconds": 0.4,
        "runware_seconds": 0.4,
        "minimax_seconds": 0.4,
        "sigma": 0.0,
        "min_polls": 0,
    }
    return SimulatorOptions(**{**usual, **changes})


@dataclass
class EngineFixture:
    """A simulator, a folder with a log, and engines that end with the test.

    ``log`` is the run log's file; ``settings`` are what every engine here is made with.
    """

    sim: Simulator
    folder: Path
    log: Path
    settings: Hailuo
    engines: list[Engine] = field(default_factory=list)

    def engine(self) -> Engine:
        """Start a further engine on the log, as another kernel would."""
        self.engines.append(Engine(self.settings))
        return self.engines[-1]

    def engine_without_limit(self) -> Engine:
        """Start an engine for which no limit is set, as with a new user."""
        self.engines.append(Engine(Hailuo(run_log=str(self.log))))
        return self.engines[-1]

    @property
    def clips(self) -> Path:
        return self.folder / "hailuo"

    def order(
        self,
        prompt: str = "a cat",
        provider: str = "segmind",
        *,
        model: str | None = None,
        count: int = 1,
        new: bool = False,
        image: object = None,
        last_image: object = None,
        wire: str | None = None,
        folder: Path | None = None,
        **options: Any,
    ) -> Submission:
        whose = catalogue.provider(provider, model=model)
        asked = request.build(
            prompt, whose, options=options, image=image, last_image=last_image, wire=wire
        )
        return Submission(
            asked,
            whose,
            folder or self.clips,
            OriginRecord(
                notebook_id="a-notebook", notebook_path=None, cell_id=None, source_sha256=None
            ),
            key_folder=self.folder,
            count=count,
            new=new,
        )

    def place(self, engine: Engine, *args: Any, **how: Any) -> Run:
        """Place an order of one run."""
        (placed,) = engine.submit(self.order(*args, **how))
        return placed.run

    def placed(self, engine: Engine, *args: Any, **how: Any) -> list[SubmittedRun]:
        return engine.submit(self.order(*args, **how))

    def submits(self) -> int:
        """Return how many submits arrived, accepted or not."""
        return sum(each.stage == "submit" for each in self.sim.requests)

    def beside(self, run: Run) -> dict[str, Any]:
        """Return the record beside a run's clip."""
        found: dict[str, Any] = json.loads((self.clips / f"{run.run_id}.json").read_text())
        return found

    def leftovers(self) -> list[str]:
        """Return files that no download should leave behind."""
        return [path.name for path in self.folder.rglob("*.part")]


def no_longer_kept(order: Submission) -> Submission:
    """Return an order to a provider that keeps neither a job's record nor its file."""
    whose = order.provider
    lifetime = replace(whose.file_lifetime, seconds=0.0)
    return replace(order, provider=replace(whose, retention_s=0.0, file_lifetime=lifetime))


def ending(run: Run, timeout: float = 60.0) -> HailuoError | None:
    """Wait for a run and give what it ended with; None for a clip."""
    try:
        run.wait(timeout)
    except HailuoError as error:
        return error
    return None


def eventually(true: Callable[[], object], timeout: float = 60.0) -> None:
    """Wait until something holds; what it is stands in the failure's traceback."""
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def shorten(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let engines that are made from now on have other timings."""
    monkeypatch.setattr(timings, "DEFAULT", replace(timings.DEFAULT, **changes))


#: Starts a kernel: a process of its own that runs these lines; see the fixture `kernel`.
StartKernel = Callable[..., subprocess.Popen[str]]


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait for a process to print a line; without one the test fails with what it complained of."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        assert process.stderr is not None
        pytest.fail(process.stderr.read())
    return line


def script(*lines: str) -> str:
    """Make a script for a process of its own."""
    return PREAMBLE + "\n".join(textwrap.dedent(line) for line in lines)


def fill(folder: Path) -> Path:
    """Fill a file system to the last byte."""
    path = folder / "somebody's data"
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
    return path
