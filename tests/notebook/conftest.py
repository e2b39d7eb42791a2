"""Kernels, simulator and folders of the notebook tests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient import NotebookClient
from traitlets.config import Config

from tests.simulator import Simulator, SimulatorOptions
from tests.support.forking.kernels import fork_kernels
from tests.support.kernel_versions import OTHERS
from tests.support.ports import kernel_ports


@pytest.fixture(scope="session", autouse=True)
def kernels_are_forked() -> None:
    """Fork kernels from a process that has imported the libraries."""
    fork_kernels()


@pytest.fixture
def kernels_import_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the test's kernels as usual: they import nothing before the test has them do so."""
    monkeypatch.setattr(
        KernelProvisionerFactory.instance(), "default_provisioner_name", "local-provisioner"
    )


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator whose jobs take some two seconds; its clips have an eighth of the usual size.

    Each test has one of its own, so that it counts no other test's jobs and requests.
    """
    options = SimulatorOptions(speed=100.0, seed=7, variants=1, shrink=8)
    with Simulator(options) as running:
        yield running


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Jupyter path with a kernelspec for each other version of ipykernel.

    Each is this very environment with another ipykernel laid in front of it.
    """
    jupyter_path = tmp_path_factory.mktemp("jupyter")
    installs = {
        version: subprocess.Popen(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
                *("--target", str(jupyter_path / version), f"ipykernel=={version}", "nest-asyncio"),
            ]
        )
        for version in OTHERS
    }
    for version, install in installs.items():
        assert install.wait() == 0
        spec = jupyter_path / "kernels" / f"ipykernel-{version}"
        spec.mkdir(parents=True)
        (spec / "kernel.json").write_text(
            json.dumps(
                {
                    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                    "display_name": version,
                    "language": "python",
                    "env": {"PYTHONPATH": f"{jupyter_path / version}:${{PYTHONPATH}}"},
                }
            )
        )
    return jupyter_path


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
