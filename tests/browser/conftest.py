"""Browser, servers and simulator of the browser tests: one of each for the whole session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from held import holding
from lab import PATIENCE, SIZE, Lab, Server
from leaks import Watch
from playwright.sync_api import Browser, BrowserContext, BrowserType, expect, sync_playwright

from hailuo_jupyter.simulator import Simulator, SimulatorOptions

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


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
    return {"executable_path": found, "args": list(_ARGUMENTS)}


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
            env = {
                "HAILUO_RUN_LOG": str(folder / "log" / "runs.sqlite3"),
                "HAILUO_LOOPBACK_ONLY": "1",
                "HAILUO_SIMULATOR_URL": simulator.url,
                "HAILUO_PROVIDER": "demo",  # there are keys, but what names no provider is to cost nothing
                **simulator.environment(),
            }
            running[key] = Server(folder, env, app=app, extension=extension).__enter__()
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
