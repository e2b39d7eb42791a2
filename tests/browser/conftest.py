"""Browser, servers and simulator of the browser tests: one of each for the whole session."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, expect, sync_playwright

from tests.simulator import Simulator, SimulatorOptions
from tests.support.browser_fixture import CHROMIUM_ARGUMENTS, PATIENCE, SIZE, Lab, Server
from tests.support.held_jobs import holding
from tests.support.key_leaks import Watch

# A busy machine takes longer than the five seconds that are usual.
expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="module", autouse=True)
def no_key_is_seen_anywhere() -> Iterator[None]:
    """See, after each module, that no key is in files, logs, notebooks, run logs and websockets."""
    yield
    assert [(watch.folder.name, found) for watch in Watch.all if (found := watch.findings())] == []


# For a module and not for the session: while Playwright runs it keeps an event loop on the main thread,
# where tests of other folders stop loops of their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserType]:
    """Playwright's way to start Chromium."""
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="module")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    """A browser whose contexts share nothing."""
    running = chromium.launch(**_how())
    yield running
    running.close()


@pytest.fixture(scope="module")
def profile(
    chromium: BrowserType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A browser with a person's profile: it keeps the application's code, compiled, for the session.

    A quarter of the processor's time for opening JupyterLab is spared by that.
    """
    folder = tmp_path_factory.getbasetemp() / "chromium-profile"
    running = chromium.launch_persistent_context(str(folder), viewport=SIZE, **_how())
    yield running
    running.close()


def _how() -> dict[str, Any]:
    names = (os.environ.get("HAILUO_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium")
        pytest.skip("there is no Chromium")
    return {"executable_path": found, "args": list(CHROMIUM_ARGUMENTS)}


def variables(folder: Path, simulator: Simulator) -> dict[str, str]:
    """The variables of a server's kernels: a run log in its folder, and one simulator."""
    return {
        "HAILUO_RUN_LOG": str(folder / "log" / "runs.sqlite3"),
        "HAILUO_LOOPBACK_ONLY": "1",
        "HAILUO_SIMULATOR_URL": simulator.url,
        "HAILUO_PROVIDER": "demo",  # there are keys, but what names no provider is to cost nothing
        **simulator.environment(),
    }


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[tuple[Server, Simulator]]:
    """A server and a simulator that no other test has used; a test asks for them before a window.

    The shared server goes on with runs whose kernel is gone, as it should: it asks the simulator about
    them and writes their clips, whenever that comes due.
    """
    with (
        Simulator(SimulatorOptions(seed=7)) as simulator,
        Server(tmp_path, variables(tmp_path, simulator), forking=True) as server,
    ):
        yield server, simulator


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """A simulator whose jobs take some four seconds, which is time enough to do things to a page."""
    options = SimulatorOptions(speed=50.0, seed=7, sigma=0.0, variants=1, shrink=4)
    with Simulator(options) as running:
        yield running


@pytest.fixture(scope="session")
def start_server(
    tmp_path_factory: pytest.TempPathFactory, simulator: Simulator
) -> Iterator[Callable[..., Server]]:
    """Gives a server, which is started at its first use."""
    running: dict[str, Server] = {}

    def start(app: str = "lab", *, extension: bool = True) -> Server:
        key = f"{app}-{extension}"
        if key not in running:
            folder: Path = tmp_path_factory.mktemp(key)
            env = variables(folder, simulator)
            made = Server(folder, env, app=app, extension=extension, forking=True)
            running[key] = made.__enter__()
        return running[key]

    yield start
    for server in running.values():
        server.__exit__()


@pytest.fixture(scope="session")
def server(start_server: Callable[..., Server]) -> Server:
    """JupyterLab, with the extension."""
    return start_server()


@pytest.fixture
def open_lab(profile: BrowserContext, server: Server) -> Iterator[Callable[..., Lab]]:
    """Opens windows, and sees that ours was not among their errors."""
    windows: list[Lab] = []

    def open_(path: str, *, on: Server = server, **options: object) -> Lab:
        windows.append(Lab(profile, on, path, **options))  # type: ignore[arg-type]
        return windows[-1]

    yield open_
    for window in windows:
        window.forget()
        window.close()
        window.server.shut_down_kernels()
    profile.clear_cookies()
    profile.clear_permissions()
    profile.unroute_all()
    assert not [problem for window in windows for problem in window.problems]


@pytest.fixture(scope="module")
def window(profile: BrowserContext, server: Server) -> Iterator[Lab]:
    """The window in which `open_tab` opens notebooks."""
    with Lab(profile, server, server.write("none.ipynb", []), kernel=False, several=True) as opened:
        yield opened


@pytest.fixture
def open_tab(window: Lab, server: Server) -> Iterator[Callable[..., Lab]]:
    """Opens notebooks in a window that a module's tests share: to load JupyterLab takes long.

    For tests that leave nothing in the page but tabs, and for which it need not be loaded again.
    """

    def open_(path: str, *, kernel: bool = True) -> Lab:
        window.open_tab(path, kernel=kernel)
        return window

    yield open_
    window.close_tabs()
    window.page.context.clear_permissions()
    server.shut_down_kernels()
    assert not window.problems


@pytest.fixture
def set_settings(server: Server) -> Iterator[Callable[..., None]]:
    """Changes settings of the extension's for the pages that the test opens from then on."""
    files: list[Path] = []

    def set_(*, on: Server = server, **values: bool) -> None:
        files.append(on.root.parent / "settings/hailuo-jupyter/plugin.jupyterlab-settings")
        files[-1].parent.mkdir(exist_ok=True)
        files[-1].write_text(json.dumps(values))

    yield set_
    for file in files:
        file.unlink(missing_ok=True)


@pytest.fixture
def let_go(simulator: Simulator, name: str) -> Callable[[], object]:
    """Hold the test's first job until this is called."""
    return holding(simulator, name)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the test's notebook: each has one of its own."""
    return "".join(
        each if each.isalnum() else "-" for each in request.node.name.removeprefix("test_")
    )
