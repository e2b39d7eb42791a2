"""The same in the kernels whose routing of late messages differs: 6.29, 7.0, 7.2 and what is installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from tests.support.fake_front_end import FrontEnd
from tests.support.kernel_versions import OTHERS

MIME = "application/vnd.hailuo.run+json"


@pytest.fixture(params=[*OTHERS, "installed"])
def kernel(request: pytest.FixtureRequest, kernels: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    name = "python3" if request.param == "installed" else f"ipykernel-{request.param}"
    assert name in KernelSpecManager().find_kernel_specs()
    return name


def test_a_run_is_followed_through_other_cells(
    kernel: str, folder: Path, env: dict[str, str]
) -> None:
    with FrontEnd(folder, env, kernel) as page:
        version = page.run("import ipykernel; print(ipykernel.__version__)").text.strip()
        assert version == (
            metadata.version("ipykernel")
            if kernel == "python3"
            else kernel.removeprefix("ipykernel-")
        )
        page.run("%load_ext hailuo_jupyter")
        cell = page.run("%%hailuo --provider demo --name run\nA wave breaks.", "wave")
        assert cell.error is None
        blocking = page.run("import time; time.sleep(2); print('blocked')")
        assert blocking.text == "blocked\n"
        page.until(lambda: cell.outputs[0]["data"][MIME]["state"] == "completed", 30)
        assert len(cell.outputs) == 1
        assert [output["type"] for output in blocking.outputs] == ["stream"]
        assert page.updates >= 1
        again = page.start("await (run2 := __import__('hailuo_jupyter').generate('Foam.', 'demo'))")
        page.wait(0.7)
        page.interrupt()
        page.until(lambda: again.seconds is not None, 20)
        assert page.run("print(run2.wait().status)").text.strip() == "completed"


def test_an_executor_gets_the_finished_clip(kernel: str, execute: Any) -> None:
    notebook = execute(
        "%load_ext hailuo_jupyter", "%%hailuo --provider demo\nA stone skips.", kernel=kernel
    )
    assert notebook.cells[1].outputs[0].data[MIME]["state"] == "completed"
