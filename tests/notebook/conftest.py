"""Kernels, simulator and folders of the notebook tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from ports import kernel_ports
from traitlets.config import Config

from hailuo_jupyter.simulator import Simulator, SimulatorOptions


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """A simulator whose jobs take some two seconds."""
    with Simulator(SimulatorOptions(port=0, speed=100.0, seed=7)) as running:
        yield running


@pytest.fixture
def env(tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a kernel: a log of its own, keys, and no host but this machine."""
    values = {
        "HAILUO_RUN_LOG": str(tmp_path / "log" / "runs.sqlite3"),
        "HAILUO_LOOPBACK_ONLY": "1",
        "HAILUO_SIMULATOR_URL": simulator.url,
        "SEGMIND_API_KEY": "SG_0123456789abcdef",
        "AIML_API_KEY": "aiml-0123456789abcdef",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        **simulator.environment(),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The notebook's folder."""
    path = tmp_path / "notebooks"
    path.mkdir()
    return path


Execute = Callable[..., nbformat.NotebookNode]


@pytest.fixture
def execute(folder: Path, env: dict[str, str]) -> Execute:
    """Run cells as nbclient does, headless, in a kernel that has the fixture's variables."""

    def run(
        *cells: str, kernel: str = "python3", allow_errors: bool = False
    ) -> nbformat.NotebookNode:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
        )
        NotebookClient(
            notebook,
            config=Config(KernelManager=kernel_ports()),
            kernel_name=kernel,
            timeout=90,
            allow_errors=allow_errors,
            resources={"metadata": {"path": str(folder)}},
        ).execute()
        return notebook

    return run
