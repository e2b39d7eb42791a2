"""JupyterLab in one environment, the kernel in another, as with JupyterHub and conda.

The server's environment has the wheel without its dependencies, the kernel's has no JupyterLab and
nothing in Jupyter's folders.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from hailuo_jupyter import __version__
from tests.simulator import Simulator
from tests.support.browser_fixture import Lab, Server
from tests.support.key_leaks import Watch
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
KERNEL = "other-environment"

#: What the package needs and JupyterLab does not: in the server's environment it cannot be imported.
NOT_THERE = ("av", "dotenv", "humanize", "ipywidgets", "nest_asyncio2", "pydantic", "rich")


@dataclass
class Environment:
    """A virtual environment that borrows the libraries of the one that the tests run in.

    It has folders of its own for everything that Jupyter looks for by `sys.prefix`, and what is put
    into its own site-packages goes before what is borrowed.
    """

    prefix: Path

    @property
    def python(self) -> str:
        return str(self.prefix / "bin" / "python")

    @property
    def packages(self) -> Path:
        found = {"base": str(self.prefix), "platbase": str(self.prefix)}
        return Path(sysconfig.get_path("purelib", vars=found))

    @property
    def share(self) -> Path:
        return self.prefix / "share" / "jupyter"

    def make(self, *borrowed: Path) -> None:
        venv.create(self.prefix, symlinks=True)
        # Paths of a .pth are taken as they are, so an editable install of ours is not borrowed.
        (self.packages / "borrowed.pth").write_text("\n".join(map(str, borrowed)))

    def lacks(self, *modules: str) -> None:
        for name in modules:
            text = f"raise ModuleNotFoundError('no module {name}', name='{name}')\n"
            (self.packages / f"{name}.py").write_text(text)

    def says(self, code: str, **env: str) -> str:
        done = subprocess.run(
            [self.python, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**_clean(), **env},
            cwd=self.prefix,
        )
        return done.stdout.strip()


def _clean() -> dict[str, str]:
    """This process's environment without what leads to its own folders."""
    ours = ("JUPYTER_", "PYTHONPATH", "JPY_", "IPYTHONDIR")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


class HubServer(Server):
    """JupyterLab as the server's environment has it: no path and no variable leads to ours."""

    def __init__(self, folder: Path, env: dict[str, str], environment: Environment) -> None:
        self.app, self.root = "lab", folder / "work"
        self.root.mkdir(parents=True)
        self.watch = Watch(folder)
        settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        self._log = (folder / "server.log").open("wb")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [
                *(environment.python, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *(f"--port={self.port}", "--ServerApp.port_retries=0"),
                *("--IdentityProvider.token=", "--ServerApp.password="),
                *("--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={self.root}"),
                *("--LabApp.expose_app_in_browser=True", "--LabApp.news_url="),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=self.root,
            start_new_session=True,
            env={
                **_clean(),
                **env,
                **self.watch.keys,
                "JUPYTER_CONFIG_DIR": str(folder / "config"),
                "JUPYTER_DATA_DIR": str(folder / "data"),
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                "IPYTHONDIR": str(folder / "ipython"),
            },
        )


@pytest.fixture(scope="module")
def borrowed() -> list[Path]:
    """Where this environment's packages are; a base that it is built on has its own folder."""
    return [Path(each) for each in sys.path if Path(each).name == "site-packages"]


@pytest.fixture(scope="module")
def of_kernel(tmp_path_factory: pytest.TempPathFactory, borrowed: list[Path]) -> Environment:
    """The package and its dependencies, and nothing of JupyterLab."""
    made = Environment(tmp_path_factory.mktemp("kernel") / "environment")
    made.make(ROOT, *borrowed)
    made.lacks("jupyterlab", "jupyter_server", "jupyterlab_server", "notebook")
    return made


@pytest.fixture(scope="module")
def of_server(
    tmp_path_factory: pytest.TempPathFactory, borrowed: list[Path], of_kernel: Environment
) -> Environment:
    """JupyterLab, and of ours the wheel alone."""
    made = Environment(tmp_path_factory.mktemp("server") / "environment")
    made.make(*borrowed)
    pip = [sys.executable, "-m", "pip", "--python", made.python, "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, str(ROOT)], check=True, capture_output=True, env=_clean())
    made.lacks(*NOT_THERE)
    there = Path(sys.prefix) / "share" / "jupyter"
    (made.share / "lab").symlink_to(there / "lab")  # JupyterLab's own pages
    widgets = "labextensions/@jupyter-widgets"  # of jupyterlab_widgets, for live cards
    (made.share / widgets).symlink_to(there / widgets)
    spec = made.share / "kernels" / KERNEL
    spec.mkdir(parents=True)
    command = [of_kernel.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": KERNEL, "language": "python"})
    )
    return made


@pytest.fixture(scope="module")
def hub(
    tmp_path_factory: pytest.TempPathFactory, of_server: Environment, simulator: Simulator
) -> Iterator[HubServer]:
    folder = tmp_path_factory.mktemp("hub")
    env = {
        "HAILUO_RUN_LOG": str(folder / "log" / "runs.sqlite3"),
        "HAILUO_LOOPBACK_ONLY": "1",
        "HAILUO_SIMULATOR_URL": simulator.url,
        "HAILUO_PROVIDER": "demo",
        **simulator.environment(),
    }
    with HubServer(folder, env, of_server) as running:
        yield running


def test_the_wheel_alone_brings_the_extension_and_breaks_nothing(
    of_server: Environment, of_kernel: Environment
) -> None:
    find = "from jupyter_core.paths import jupyter_path; print(jupyter_path('labextensions')[0])"
    assert Path(of_server.says(find)) == of_server.share / "labextensions"
    extension = of_server.share / "labextensions" / "hailuo-jupyter"
    assert json.loads((extension / "package.json").read_text())["version"] == __version__
    assert json.loads((extension / "install.json").read_text())["packageName"] == "hailuo_jupyter"
    # Only a kernel can use the package; that is no reason why importing it should fail.
    assert of_server.says("import hailuo_jupyter; print(hailuo_jupyter.__version__)") == __version__
    said = of_server.says("from hailuo_jupyter.cli import main; print(main(['doctor']))")
    assert said.endswith("No problems found.\n0")
    assert f"{__version__}, {extension}" in said
    assert not of_kernel.share.exists()


def test_a_record_reaches_the_file(
    open_lab: Callable[..., Lab],
    hub: HubServer,
    of_kernel: Environment,
    name: str,
    let_go: Callable[[], object],
) -> None:
    cells = [
        "%load_ext hailuo_jupyter\nimport sys; print(sys.prefix)",
        f"%%hailuo --provider demo\nA heron lifts off a lake, as {name} tells.",
        "%hailuo doctor",
    ]
    kernel = {"name": KERNEL, "display_name": KERNEL}
    lab = open_lab(hub.write(f"{name}.ipynb", cells, kernelspec=kernel), on=hub)
    lab.run(0, 1)
    assert lab.output(0).inner_text().strip() == str(of_kernel.prefix)
    expect(lab.output(1).locator(".hailuo-mod-live .hailuo-card")).to_be_visible()
    let_go()
    record = lab.until_state("completed", 1)
    lab.plays(1)
    lab.run(2)
    saved = lab.save()
    assert list(saved.metadata.hailuo.runs) == [record["run_id"]]
    assert saved.metadata.hailuo.runs[record["run_id"]] == record
    assert saved.cells[1].metadata.hailuo == {"runs": [record["run_id"]]}
    said = saved.cells[2].outputs[0].text
    assert "not installed; install it in the JupyterLab environment" in said
    assert "seen, protocol 1" in said
    assert said.endswith("No problems found.\n")
