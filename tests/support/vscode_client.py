"""A client that treats a kernel as VS Code's Jupyter extension does.

Read from microsoft/vscode-jupyter 2026.6.1 and VS Code 1.139:

- it starts the kernel without Jupyter Server's variables, and sets ``__vsc_ipynb_file__`` in it;
- a cell's request carries a ``cellId`` with the notebook's path (``cellExecution.ts``);
- a message is taken only if its parent is a cell's request (``ownedRequestMsgIds`` in
  ``cellExecutionMessageHandler.ts``); widgets' messages are taken whoever their parent is;
- a saved file holds each cell's outputs as they are shown;
- displays are found by id in the whole notebook, and the last one made has the id;
- types are sorted by ``orderOfMimeTypes``, and those without a renderer come last; a widget whose model the
  kernel does not have is not rendered, and the next type is;
- a comm for an unknown target is closed.
"""

from __future__ import annotations

import json
import os
import queue
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from jupyter_client.manager import KernelManager

from tests.support.ports import kernel_ports

WIDGET = "application/vnd.jupyter.widget-view+json"

#: These versions stop answering now and then, whatever is loaded: about once in a hundred completions, and
#: for good, with all their threads idle. A person restarts such a kernel and runs the cell again.
_HANGS = ("ipykernel-7.0.1", "ipykernel-7.2.0")

#: The types that have a renderer, in the order in which they are tried.
_RENDERED = (WIDGET, "text/html", "text/markdown", "image/png", "image/jpeg", "text/plain")


@dataclass
class Output:
    """One output of a cell."""

    kind: str
    data: dict[str, Any]
    #: What the updates have put there, in order.
    updates: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Cell:
    """One executed cell."""

    code: str
    cell_id: str
    outputs: list[Output] = field(default_factory=list)
    text: str = ""
    error: str = ""
    begun: bool = False
    done: bool = False


class VSCode:
    """One notebook that is open in VS Code.

    Parameters
    ----------
    notebook
        Its path. The file is made where its folder exists, unless `remote`.
    env
        Variables of the kernel.
    kernel
        The name of its specification.
    root
        The kernel's working directory, as ``jupyter.notebookFileRoot`` sets it; the notebook's folder if
        None.
    remote
        Whether the file is on another machine than the kernel.
    """

    def __init__(
        self,
        notebook: Path,
        env: dict[str, str],
        kernel: str = "python3",
        *,
        root: Path | None = None,
        remote: bool = False,
    ) -> None:
        self.notebook, self._root = notebook, root or notebook.parent
        if not remote:
            empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            notebook.write_text(json.dumps(empty))
        inherited = {k: v for k, v in os.environ.items() if k != "JPY_SESSION_NAME"}
        self._env = {**inherited, **env}
        self._kernel = kernel
        self._cells: dict[str, Cell] = {}
        self._displays: dict[str, Output] = {}
        self._models: dict[str, dict[str, Any]] = {}
        #: Messages for a display that were not taken.
        self.dropped: list[str] = []

    def __enter__(self) -> Self:
        self._start_kernel()
        return self

    def __exit__(self, *_: object) -> None:
        self.end_kernel()

    def _start_kernel(self) -> None:
        self._manager = KernelManager(kernel_name=self._kernel, **kernel_ports())
        self._manager.start_kernel(env=self._env, cwd=str(self._root))
        self._connect()

    def _connect(self) -> None:
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self.execute_silently(f"__vsc_ipynb_file__ = {str(self.notebook)!r}")

    def end_kernel(self) -> None:
        """End the kernel: outputs stay as they are, widgets' models are gone."""
        self._client.stop_channels()
        if self._manager.is_alive():
            self._manager.shutdown_kernel(now=True)
            self._manager.cleanup_resources()
        self._models.clear()

    def restart(self) -> None:
        """Start another kernel in place of the one that runs or has ended."""
        self.end_kernel()
        self._start_kernel()

    def save(self) -> None:
        """Save the notebook."""
        cells = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "source": cell.code,
                "metadata": {},
                "execution_count": None,
                "outputs": [
                    {"output_type": "display_data", "metadata": {}, "data": each.data}
                    for each in cell.outputs
                ],
            }
            for number, cell in enumerate(self._cells.values())
        ]
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        self.notebook.write_text(json.dumps(notebook))

    def start(self, code: str) -> Cell:
        """Send a cell and do not wait."""
        cell_id = f"vscode-notebook-cell:{self.notebook}#W{len(self._cells)}sZmlsZQ%3D%3D"
        cell = Cell(code, cell_id)
        self._send(cell)
        return cell

    def _send(self, cell: Cell) -> None:
        sent = self._execute(cell.code, store_history=True, metadata={"cellId": cell.cell_id})
        self._cells = {key: each for key, each in self._cells.items() if each is not cell}
        self._cells[sent] = cell

    def run(self, code: str) -> Cell:
        """Run a cell to its end; fail where it raises."""
        cell = self.start(code)
        if self._kernel in _HANGS:
            with suppress(TimeoutError):
                self.until(lambda: cell.begun, 20)
            if not cell.begun:
                self.restart()
                self.execute_silently("%load_ext hailuo_jupyter")
                self._send(cell)
        self.until(lambda: cell.done)
        assert not cell.error, cell.error
        return cell

    def execute_silently(self, code: str) -> None:
        """Execute what no cell asks for, as for the list of variables."""
        self._execute(code, store_history=False, metadata={})

    def complete(self, code: str) -> None:
        """Ask for completions, as typing in a cell does."""
        self._request("complete_request", {"code": code, "cursor_pos": len(code)})

    def _execute(self, code: str, *, store_history: bool, metadata: dict[str, Any]) -> str:
        content = {
            "code": code,
            "silent": False,
            "store_history": store_history,
            "user_expressions": {},
            "allow_stdin": True,
            "stop_on_error": False,
        }
        return self._request("execute_request", content, metadata)

    def _request(
        self, kind: str, content: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> str:
        message = self._client.session.msg(kind, content, metadata=metadata)
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def until(self, done: Any, timeout: float = 90) -> None:
        """Take messages until `done`."""
        end = time.monotonic() + timeout
        while not done():
            if time.monotonic() > end:
                raise TimeoutError("the kernel did not get there in time")
            self._take()

    def rendered(self, output: Output) -> str:
        """Return the type that a person sees."""
        for kind in _RENDERED:
            if kind in output.data and (kind != WIDGET or self.card(output)):
                return kind
        return ""

    def card(self, output: Output) -> str:
        """Return the text of an output's live card; empty where the kernel has no such model."""
        return self._text(output.data.get(WIDGET, {}).get("model_id", ""))

    def widget(self, description: str) -> dict[str, Any]:
        """Return the state of the widget with this description."""
        return self._models[self._widget(description)]

    def _widget(self, description: str) -> str:
        named = [k for k, state in self._models.items() if state.get("description") == description]
        (model_id,) = named
        return model_id

    def type(self, description: str, text: str) -> None:
        """Type into a widget."""
        state = {"method": "update", "state": {"value": text}, "buffer_paths": []}
        self._request("comm_msg", {"comm_id": self._widget(description), "data": state})

    def click(self, description: str) -> None:
        """Click a button."""
        event = {"method": "custom", "content": {"event": "click"}}
        self._request("comm_msg", {"comm_id": self._widget(description), "data": event})

    def _text(self, model_id: str) -> str:
        state = self._models.get(model_id, {})
        children = [each.removeprefix("IPY_MODEL_") for each in state.get("children", ())]
        within = [each["data"].get("text/html", "") for each in state.get("outputs", ())]
        return " ".join([str(state.get("value", "")), *within, *map(self._text, children)])

    def _take(self) -> None:
        try:
            message = self._client.get_iopub_msg(timeout=0.05)
        except queue.Empty:
            return
        kind, content = message["msg_type"], message["content"]
        cell = self._cells.get(message["parent_header"].get("msg_id", ""))
        if kind.startswith("comm_"):
            self._take_comm(kind, content)
        elif cell is None:
            if kind in {"display_data", "update_display_data", "error"}:
                self.dropped.append(kind)
        elif kind == "update_display_data":
            output = self._displays.get(content["transient"]["display_id"])
            if output is not None:
                output.data = content["data"]
                output.updates.append(content["data"])
        elif kind in {"display_data", "execute_result"}:
            output = Output(kind, content["data"])
            cell.outputs.append(output)
            if display_id := content.get("transient", {}).get("display_id"):
                self._displays[display_id] = output
        elif kind == "stream":
            cell.text += content["text"]
        elif kind == "error":
            cell.error = f"{content['ename']}: {content['evalue']}"
        elif kind == "status":
            cell.begun = True
            cell.done = content["execution_state"] == "idle"

    def _take_comm(self, kind: str, content: dict[str, Any]) -> None:
        comm, state = content["comm_id"], content["data"].get("state", {})
        if kind == "comm_open" and content["target_name"] == "jupyter.widget":
            self._models[comm] = dict(state)
        elif kind == "comm_open":
            self._request("comm_close", {"comm_id": comm, "data": {}})
        elif kind == "comm_msg" and comm in self._models:
            self._models[comm].update(state)
        elif kind == "comm_close":
            self._models.pop(comm, None)
