"""JupyterHub behind its proxy: runs in an environment of its own, made from `hub.txt` by `.ci/run`.

`configurable-http-proxy` has to be on the path.

pytest -c /dev/null --noconftest tests/environments/test_hub.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import nbformat
import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

# Behind the environment's own packages, so that what is installed there is what is tested.
sys.path.append(str(Path(__file__).parents[2]))

from tests.simulator import Simulator, SimulatorOptions
from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, MIME, PATIENCE, SIZE, Lab, until
from tests.support.held_jobs import holding
from tests.support.key_leaks import Watch
from tests.support.ports import free_port

LOAD = "%load_ext hailuo_jupyter"
NAME = "ann"

expect.set_options(timeout=PATIENCE * 1000)


class Hub:
    """A hub with one user, whose server is a process here.

    Parameters
    ----------
    folder
        For everything; the user's home is in ``folder / "ann"``.
    simulator
        Makes the clips.
    """

    app = "lab"

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.home = folder / NAME
        self.home.mkdir()
        self.watch = Watch(folder)
        proxy, hub, api = free_port(), free_port(), free_port()
        self.base = f"http://127.0.0.1:{proxy}"
        self.url = f"{self.base}/user/{NAME}"
        environment = {
            **simulator.environment(),
            **self.watch.keys,
            "HAILUO_SIMULATOR_URL": simulator.url,
            "HAILUO_LOOPBACK_ONLY": "1",
            "HAILUO_RUN_LOG": str(self.home / "log" / "runs.sqlite3"),
            "HAILUO_PROVIDER": "demo",
            "JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp",
        }
        config = {
            "JupyterHub": {
                "bind_url": self.base,
                "hub_port": hub,
                "authenticator_class": "dummy",
                "spawner_class": "simple",
                "db_url": f"sqlite:///{folder}/hub.sqlite",
                "cookie_secret_file": f"{folder}/cookie_secret",
            },
            "ConfigurableHTTPProxy": {
                "api_url": f"http://127.0.0.1:{api}",
                "pid_file": f"{folder}/proxy.pid",
            },
            "DummyAuthenticator": {"allowed_users": [NAME]},
            "SimpleLocalProcessSpawner": {"home_dir_template": f"{folder}/{{username}}"},
            "Spawner": {
                "cmd": [sys.executable, "-m", "jupyterhub.singleuser"],
                "args": ["--allow-root", "--LabApp.expose_app_in_browser=True"],
                "default_url": "/lab",
                "env_keep": ["PATH", "LANG", *environment],
                "http_timeout": 120,
                "start_timeout": 120,
            },
        }
        (folder / "hub.json").write_text(json.dumps(config))
        self._log = (folder / "hub.log").open("wb")
        environ = {**os.environ, **environment, "CONFIGPROXY_AUTH_TOKEN": "of-this-test-alone"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(folder / "hub.json")],
            cwd=folder, env=environ, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        until(self._answers, "the hub answers")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()  # it ends its proxy and its users' servers
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.base}/hub/api/", timeout=1).close()
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def write(self, path: str, *cells: str) -> str:
        notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.home / path)
        return path

    def read(self, path: str) -> Any:
        return nbformat.read(self.home / path, as_version=4)


class User:
    """Ann, in a browser."""

    def __init__(self, browser: BrowserContext, hub: Hub) -> None:
        self.browser, self.hub = browser, hub
        self.page = browser.new_page()
        self.page.set_default_timeout(2 * PATIENCE * 1000)  # a server has to start

    def log_in(self) -> None:
        self.page.goto(f"{self.hub.base}/hub/login?next=/hub/home")
        self.page.get_by_label("Username").fill(NAME)
        self.page.get_by_role("textbox", name="Password").fill("anything")
        self.page.get_by_role("button", name="Sign in").click()

    def start(self) -> None:
        self.page.goto(f"{self.hub.base}/hub/spawn/{NAME}")
        self.page.wait_for_url(f"{self.hub.url}/lab**")

    def stop(self) -> None:
        """Stop the server as one does: at the hub's own page."""
        self.page.goto(f"{self.hub.base}/hub/home")
        self.page.get_by_role("button", name="Stop My Server").click()
        expect(self.page.get_by_role("button", name="Start My Server")).to_be_visible()

    def open(self, path: str) -> Lab:
        return Lab(self.browser, self.hub, path)  # type: ignore[arg-type]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    # A day: to stop a server and to start another takes its time.
    options = SimulatorOptions(
        speed=50.0, seed=7, sigma=0.0, variants=1, shrink=4, segmind_retention=86400.0
    )
    with Simulator(options) as running:
        yield running


@pytest.fixture
def user(simulator: Simulator, tmp_path: Path) -> Iterator[User]:
    with sync_playwright() as playwright, Hub(tmp_path, simulator) as hub:
        running = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=list(CHROMIUM_ARGUMENTS),
        )
        yield User(running.new_context(viewport=SIZE), hub)
        running.close()
    # Jupyter Server's own page for opening a browser holds its own token.
    assert [each for each in hub.watch.findings() if "runtime/jpserver-" not in each] == []


def submits(lab: Lab, prompt: str) -> None:
    """Check that the panel's form sends a request and shows its clip."""
    form = lab.page.locator(".hailuo-panel")
    form.get_by_label("Prompt", exact=True).fill(prompt)
    form.locator("button.hailuo-generate").click()
    expect(form.locator(".hailuo-slot video").first).to_be_visible()


def test_a_hub(user: User, simulator: Simulator) -> None:
    """A run as anywhere; then one whose server is stopped meanwhile, which the next server ends."""
    hub = user.hub
    hub.write("nb.ipynb", LOAD, "%%hailuo\nA heron lifts off a lake.", "%hailuo panel")
    hub.write("other.ipynb", LOAD, "%%hailuo\nA kite rises from the dunes.")
    let_go = holding(simulator, "A kite rises")
    user.log_in()
    user.start()

    lab = user.open("nb.ipynb")
    lab.run(0, 1)
    record = lab.until_state("completed", 1)
    lab.plays(1)
    source = lab.output(1).locator("video").get_attribute("src") or ""
    assert f"/user/{NAME}/files/hailuo/{record['run_id']}.mp4" in source
    saved = lab.save()
    assert saved.metadata.hailuo.runs[record["run_id"]] == record
    lab.reload()
    lab.plays(1)
    lab.run(0, 2)
    submits(lab, "A lantern swings.")
    assert len(simulator.ledger.jobs) == 2
    lab.close()

    lab = user.open("other.ipynb")
    lab.run(0, 1)
    lab.until(lab.records, "the record is kept")
    expect(lab.output(1).locator(".hailuo-mod-live .hailuo-clock")).to_be_visible()
    (run_id,) = lab.records()
    lab.save()
    lab.close()
    user.stop()
    assert not (hub.home / "hailuo" / f"{run_id}.mp4").exists()
    let_go()
    user.start()
    # No notebook is open: the new server fetches the clip by itself.
    beside = hub.home / "hailuo" / f"{run_id}.json"
    until(
        lambda: json.loads(beside.read_text("utf-8"))["state"] == "completed",
        "the clip is there, and its record says so",
    )

    assert hub.read("other.ipynb").cells[1].outputs[0].data[MIME].state != "completed"
    lab = user.open("other.ipynb")
    # Its new kernel has not loaded the extension: the page has read the record beside the clip.
    assert lab.until_state("completed", 1)["run_id"] == run_id
    lab.plays(1)
    lab.save()
    lab.close()
    assert hub.read("other.ipynb").metadata.hailuo.runs[run_id].state == "completed"
    assert len(simulator.ledger.jobs) == 3
    assert not lab.problems
