"""Fixtures of the contract tests: simulator, folders and engines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hailuo_jupyter.engine.eta import DurationEstimate
from hailuo_jupyter.settings import Hailuo
from tests.simulator import Simulator
from tests.support.engine_fixture import KEYS, EngineFixture, StartKernel, options, script, shorten
from tests.support.forking.process import PythonProcess


@pytest.fixture(scope="session")
def clip_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips are rendered once for all tests."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines expect jobs of a second or two: polls go by the providers' real minutes else."""
    shorten(monkeypatch, expected_duration=DurationEstimate(1.5, 0.3))


@pytest.fixture
def make_lab(
    tmp_path: Path, clip_cache: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> Iterator[Callable[..., EngineFixture]]:
    """Make a lab with a simulator of one's choice."""
    labs: list[EngineFixture] = []

    def make(**changes: Any) -> EngineFixture:
        sim = Simulator(options(clip_cache, **changes)).start()
        folder = tmp_path / f"lab{len(labs)}"
        folder.mkdir()
        log = folder / "log" / "runs.sqlite3"
        values = {
            **KEYS,
            **sim.environment(),
            "HAILUO_RUN_LOG": str(log),
            "HAILUO_LOOPBACK_ONLY": "1",
            "HAILUO_SIMULATOR_URL": sim.url,
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        limits = {"segmind": 100_000, "aimlapi": 100_000, "fal": 100_000}
        labs.append(
            EngineFixture(sim, folder, log, Hailuo(run_log=str(log), requests_per_minute=limits))
        )
        return labs[-1]

    yield make
    for lab in labs:
        for engine in lab.engines:
            engine.stop()
        lab.sim.stop()


@pytest.fixture
def lab(make_lab: Callable[..., EngineFixture]) -> EngineFixture:
    """The usual lab."""
    return make_lab()


@pytest.fixture
def kernels_begin_with() -> str:
    """Lines that every kernel of a file runs first."""
    return ""


@pytest.fixture
def kernel(lab: EngineFixture, kernels_begin_with: str) -> Iterator[StartKernel]:
    """Start a process of its own, as another kernel is; it is killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*lines: str) -> subprocess.Popen[str]:
        code = script(kernels_begin_with, *lines)
        process = PythonProcess(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=lab.folder,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 70 MB: room enough to begin with."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=70m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if not made or made.returncode:
        # Where everything is to be proved, nothing may be left out silently.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    """A picture that both providers take."""
    path = tmp_path / "frame.png"
    Image.effect_noise((480, 320), 60).convert("RGB").save(path)
    return path


@pytest.fixture
def histories_soon(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    """Let jobs be done, and the histories be asked, within moments."""
    shorten(
        monkeypatch,
        poll_interval_s=0.1,
        history_round_s=0.05,
        history_looks_s=tuple(0.1 * each for each in range(1, 100)),
        history_per_minute=10_000,
    )
