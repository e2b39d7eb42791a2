"""JupyterLab and Notebook 7 in a real browser, driven through the application's own objects."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import nbformat
from nbformat.sign import NotebookNotary
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    ViewportSize,
    expect,
)

import hailuo_jupyter
from tests.support.key_leaks import Watch
from tests.support.ports import free_port

MIME = "application/vnd.hailuo.run+json"

#: Of a window, unless it is said.
SIZE: ViewportSize = {"width": 1300, "height": 1000}

#: Seconds for anything that a page or a kernel does by itself.
PATIENCE = 120.0

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_PACKAGE = Path(hailuo_jupyter.__file__).parent

#: Starts the application that the first argument names.
_FORKING = f"""
import runpy, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.support.forking.kernels import fork_kernels
del sys.path[0]
fork_kernels()
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""

_PANEL = """
const app = window.jupyterapp;
const panels = [];
for (const widget of app ? app.shell.widgets('main') : []) {
  if (widget.context && widget.content && widget.content.widgets) panels.push(widget);
}
const panel = panels.find(each => !path || each.context.path === path);
"""


class Server:
    """One Jupyter server, with folders and settings of its own.

    Parameters
    ----------
    folder
        For everything that the server writes; its notebooks lie in ``folder / "work"``.
    app
        ``"lab"`` or ``"notebook"``.
    env
        Variables of its kernels.
    extension
        Whether the lab extension is there.
    disabled
        Other lab extensions that are not to be there.
    forking
        Whether kernels are forked from a process that has the libraries imported.
    """

    def __init__(
        self,
        folder: Path,
        env: dict[str, str],
        *,
        app: str = "lab",
        extension: bool = True,
        disabled: Sequence[str] = (),
        forking: bool = False,
    ) -> None:
        self.app, self.root = app, folder / "work"
        self.root.mkdir(parents=True)
        self.watch = Watch(folder)
        self._log = (folder / "server.log").open("wb")
        config = folder / "config"
        (config / "labconfig").mkdir(parents=True)
        if without := [*disabled, *(() if extension else ("hailuo-jupyter",))]:
            settings = {"disabledExtensions": dict.fromkeys(without, True)}
            (config / "labconfig" / "page_config.json").write_text(json.dumps(settings))
        news = folder / "settings" / "@jupyterlab" / "apputils-extension"
        news.mkdir(parents=True)
        (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        shared = folder / "shared" / "labextensions"
        shared.mkdir(parents=True)
        (shared / "hailuo-jupyter").symlink_to(_PACKAGE / "labextension")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        trait = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}[app]
        module = "jupyterlab" if app == "lab" else "notebook"
        command = [
            *(sys.executable, *(("-c", _FORKING, module) if forking else ("-m", module))),
            *(
                "--debug",
                "--no-browser",
                "--allow-root",
                f"--port={self.port}",
                "--ServerApp.port_retries=0",
            ),
            *("--IdentityProvider.token=", "--ServerApp.password="),
            *("--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={self.root}"),
            *(f"--{trait}.expose_app_in_browser=True", "--LabApp.news_url="),
        ]
        self._process = subprocess.Popen(
            command,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=self.root,
            start_new_session=True,
            env={
                **os.environ,
                **env,
                **self.watch.keys,
                "JUPYTER_CONFIG_DIR": str(config),
                "JUPYTER_DATA_DIR": str(folder / "data"),
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                "JUPYTER_PATH": str(folder / "shared"),
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                "IPYTHONDIR": str(folder / "ipython"),
                "PYTHONPATH": os.pathsep.join(
                    [str(_PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
                ),
            },
        )

    def __enter__(self) -> Self:
        until(self._answers, "the server answers")
        return self

    def __exit__(self, *_: object) -> None:
        self.shut_down_kernels()
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/api", timeout=1).close()
        except OSError:
            return False
        return True

    def kernels(self) -> list[str]:
        """The ids of the kernels that run."""
        url = f"{self.url}/api/kernels"
        try:
            found = urllib.request.urlopen(url, timeout=PATIENCE)
        except urllib.error.HTTPError:  # the server's own, when a kernel goes while it lists them
            time.sleep(0.5)
            found = urllib.request.urlopen(url, timeout=PATIENCE)
        with found as answer:
            return [kernel["id"] for kernel in json.load(answer)]

    def shut_down_kernels(self) -> None:
        """End every kernel, so that it takes no time from what comes after."""
        for kernel in self.kernels():
            request = urllib.request.Request(f"{self.url}/api/kernels/{kernel}", method="DELETE")
            urllib.request.urlopen(request, timeout=PATIENCE).close()

    def write(self, path: str, cells: list[str], **metadata: Any) -> str:
        """Write a notebook of code cells; gives its path."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
        )
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        notebook.metadata.language_info = {"name": "python"}
        notebook.metadata.update(metadata)
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
        return path

    def trust(self, path: str) -> None:
        """Sign a notebook as `jupyter trust` does, so that its outputs are trusted."""
        NotebookNotary(data_dir=str(self.root.parent / "data")).sign(self.read(path))

    def read(self, path: str) -> nbformat.NotebookNode:
        """A notebook as it is saved."""
        return nbformat.read(self.root / path, as_version=4)


class Lab:
    """A window with one notebook in it.

    Parameters
    ----------
    browser
        The browser, or a context of it: windows of one context share locks and storage.
    server, path
        What is opened.
    kernel
        Whether to wait for the kernel.
    several
        Whether there is room for several notebooks.
    width, height
        Of the window; by default a context's own, or `SIZE`.
    """

    def __init__(
        self,
        browser: Browser | BrowserContext,
        server: Server,
        path: str,
        *,
        kernel: bool = True,
        several: bool = False,
        width: int | None = None,
        height: int | None = None,
    ) -> None:
        self._own = None
        size = SIZE | {k: v for k, v in {"width": width, "height": height}.items() if v}
        if isinstance(browser, Browser):
            browser = self._own = browser.new_context(viewport=size)
        self.server, self.path, self._several = server, path, several
        self.page: Page = browser.new_page()
        if self._own is None and (width or height):
            self.page.set_viewport_size(size)
        self.page.set_default_timeout(PATIENCE * 1000)
        self.problems: list[str] = []
        server.watch.listen(self.page)
        self.page.on("pageerror", self._failed)
        self.page.on("console", self._heard)
        self.open(path, kernel=kernel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "hailuo" in message.text:
            self.problems.append(message.text)

    def _failed(self, error: Error) -> None:
        if "hailuo-jupyter" in (error.stack or ""):
            self.problems.append(f"{error}")

    def close(self) -> None:
        """Close the window, as a person does who saves nothing."""
        if self._own is not None:
            self._own.close()
        else:
            self.page.close()

    def forget(self) -> None:
        """Let the browser forget what the page has stored."""
        if not self.page.is_closed():
            self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")

    def open(self, path: str, *, kernel: bool = True) -> None:
        """Open a notebook in this window, in place of all others."""
        self.path = path
        # Its own workspace: JupyterLab restores the panels that an earlier test left open.
        workspace = f"{'lab' if self._several else 'doc'}/workspaces/{uuid.uuid4().hex}/tree"
        place = f"{'notebooks' if self.server.app == 'notebook' else workspace}/{path}"
        self.page.goto(f"{self.server.url}/{place}")
        self.ready(kernel=kernel)

    def open_tab(self, path: str, *, kernel: bool = True) -> None:
        """Open a notebook beside all others."""
        self.path = path
        self.command("docmanager:open", path=path)
        self.ready(kernel=kernel)

    def close_tabs(self) -> None:
        """Close all notebooks and files, as a person does who saves nothing."""
        self.page.evaluate(
            "() => { for (const each of [...window.jupyterapp.shell.widgets('main')]) each.dispose(); }"
        )

    def reload(self, *, kernel: bool = True) -> None:
        """Load the page again."""
        self.page.reload()
        self.ready(kernel=kernel)

    def ready(self, path: str | None = None, *, kernel: bool = True) -> None:
        """Wait until a notebook is open and, if asked, its kernel idle."""
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.wait_for_function(
            f"path => {{ {_PANEL} return panel && panel.context.isReady; }}", arg=path or self.path
        )
        if kernel:
            self.idle(path)

    def idle(self, path: str | None = None) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(
            f"path => {{ {_PANEL} return panel.sessionContext.session?.kernel?.status === 'idle'; }}",
            arg=path or self.path,
        )

    def js(self, code: str, arg: Any = None, path: str | None = None) -> Any:
        """Evaluate code that has `app`, `panel`, `model` and `arg`."""
        return self.page.evaluate(
            f"async ([path, arg]) => {{ {_PANEL} const model = panel && panel.context.model; {code} }}",
            [path or self.path, arg],
        )

    def start(self, cell: int, path: str | None = None) -> None:
        """Run a cell, and do not wait."""
        self._select(cell, path)
        self.js("app.commands.execute('notebook:run-cell');")

    def run(self, *cells: int, path: str | None = None) -> None:
        """Run cells, one after the other, each to its end."""
        for cell in cells:
            self._select(cell, path)
            self.command("notebook:run-cell")

    def _select(self, cell: int, path: str | None) -> None:
        self.js("app.shell.activateById(panel.id);", path=path)
        try:
            self.until(
                lambda: self.js("return app.shell.currentWidget === panel;", path=path),
                "it is in front",
            )
        except AssertionError as error:
            error.add_note(f"Dialogs: {self.page.get_by_role('dialog').all_inner_texts()}")
            raise
        self.js("panel.content.activeCellIndex = arg; panel.content.deselectAll();", cell, path)

    def execute(self, code: str, path: str | None = None) -> None:
        """Execute code in the notebook's kernel, in none of its cells."""
        self.js(
            "await panel.sessionContext.session.kernel.requestExecute({code: arg}).done;",
            code,
            path,
        )

    def command(self, name: str, **args: Any) -> None:
        """Execute a command of the application's."""
        self.js("await app.commands.execute(arg[0], arg[1]);", [name, args])

    def save(self, path: str | None = None) -> nbformat.NotebookNode:
        """Save the notebook, and give what the file holds."""
        self.js("await panel.context.save();", path=path)
        return self.server.read(path or self.path)

    def bundle(self, cell: int, path: str | None = None) -> dict[str, Any]:
        """The bundle of a cell's first output; empty while there is none."""
        return self.js(
            "const cell = model.cells.get(arg);"
            "return cell.outputs.length ? cell.outputs.get(0).toJSON().data ?? {} : {};",
            cell,
            path,
        )

    def record(self, cell: int, path: str | None = None) -> dict[str, Any]:
        """The record in a cell's first output; empty while there is none."""
        return self.bundle(cell, path).get(MIME, {})

    def records(self, path: str | None = None) -> dict[str, Any]:
        """The records in the notebook's metadata."""
        return self.js("return model.getMetadata('hailuo')?.runs ?? {};", path=path)

    def until_state(self, state: str, cell: int, path: str | None = None) -> dict[str, Any]:
        """Wait until output and metadata agree that a cell's run is in a state; gives the record."""

        def agreed() -> bool:
            shown = self.record(cell, path)
            kept = self.records(path).get(shown.get("run_id", ""), {})
            return shown.get("state") == kept.get("state") == state

        try:
            self.until(agreed, f"cell {cell} is {state}")
        except AssertionError as error:
            shown = self.record(cell, path)
            kept = self.records(path).get(shown.get("run_id", ""), {})
            error.add_note(f"The output has {brief(shown)}, the metadata {brief(kept)}.")
            raise
        return self.record(cell, path)

    def until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait until something holds, while the page goes on."""
        # Asking takes some milliseconds of a page that others wait for, too.
        until(holds, what, lambda: self.page.wait_for_timeout(200))

    def plays(self, cell: int, seconds: float = 6.0) -> None:
        """Check that a cell's clip is there and can be played: its first frame, its length."""
        video = self.output(cell).locator("video")
        expect(video).to_be_visible()
        # The output may be drawn once more after the run's end: whichever video stands there is asked.
        ask = (
            "video => { if (video.preload !== 'auto') { video.preload = 'auto'; video.load(); }"
            " return video.readyState >= 2 ? video.duration : 0; }"
        )
        lasts = 0.0

        def loaded() -> bool:
            nonlocal lasts
            lasts = video.evaluate(ask)
            return lasts > 0

        self.until(loaded, "the clip has a frame")
        assert abs(lasts - seconds) < 0.2

    def cell(self, cell: int) -> Any:
        """A cell of the notebook in view, on the page."""
        notebook = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
        return notebook.locator(".jp-Cell").nth(cell)

    def output(self, cell: int) -> Any:
        """The outputs of a cell, on the page."""
        return self.cell(cell).locator(".jp-Cell-outputWrapper")

    def kill_kernel(self) -> None:
        """Kill the kernel as the system does that has run out of memory; the server starts another."""
        pid = self.js(
            "window.startedAgain = new Promise(done => panel.sessionContext.statusChanged.connect("
            "(_, status) => { if (status === 'autorestarting') done(); }));"
            "const future = panel.sessionContext.session.kernel.requestExecute("
            "{code: 'import os; print(os.getpid())', store_history: false});"
            "let said = ''; future.onIOPub = message => { said += message.content.text ?? ''; };"
            "await future.done; return said;"
        )
        os.kill(int(pid), signal.SIGKILL)
        self.js("await window.startedAgain;")
        self.page.locator(".jp-Dialog button").click()

    def kernel_state(self) -> str:
        """What the server knows of the kernel's state."""
        kernel = self.js("return panel.sessionContext.session.kernel.id;")
        with urllib.request.urlopen(
            f"{self.server.url}/api/kernels/{kernel}", timeout=10
        ) as answer:
            return str(json.load(answer)["execution_state"])


def brief(record: dict[str, Any]) -> str:
    """Return of a record what tells why it is not further."""
    names = ("run_id", "revision", "state", "problem", "times")
    return str({name: record.get(name) for name in names})


def with_run(open_notebook: Callable[[str], Lab], path: str) -> Lab:
    """Open a notebook and run its first two cells; wait until the run of the second is completed."""
    lab = open_notebook(path)
    lab.run(0, 1)
    lab.until_state("completed", 1)
    return lab


def until(
    holds: Callable[[], Any], what: str, pause: Callable[[], None] = lambda: time.sleep(0.05)
) -> None:
    """Wait until something holds.

    Raises
    ------
    AssertionError
        If it does not within `PATIENCE` seconds.
    """
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"in vain waited until {what}"
        pause()


def choose(output: Any, label: str) -> None:
    """Choose an entry of a card's menu.

    Parameters
    ----------
    output
        The cell's outputs, as `Lab.output` gives them.
    label
        What the entry says.
    """
    output.get_by_role("button", name="More actions").click()
    output.page.locator(".lm-Menu").get_by_text(label, exact=True).click()


def choices(output: Any) -> list[str]:
    """The entries of a card's menu."""
    output.get_by_role("button", name="More actions").click()
    items = output.page.locator(".lm-Menu-itemLabel").all_inner_texts()
    output.page.keyboard.press("Escape")
    return [each for each in items if each]
