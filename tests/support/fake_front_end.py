"""A front end in its fewest lines: runs cells in a real kernel and keeps their displays, as a page does."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from jupyter_client.manager import KernelManager

from tests.support.comm_schema import check
from tests.support.ports import kernel_ports


@dataclass
class Cell:
    """What a front end has of one executed cell."""

    message_id: str
    cell_id: str
    began: float
    outputs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float | None = None
    status: str = ""

    @property
    def text(self) -> str:
        return "".join(o["text"] for o in self.outputs if o["type"] == "stream")

    @property
    def error(self) -> dict[str, Any] | None:
        return next((o for o in self.outputs if o["type"] == "error"), None)


class FrontEnd:
    """A kernel with a person at the front end: stdin is allowed, and Jupyter Server's variable is set.

    Parameters
    ----------
    folder, env
        Of the kernel.
    kernel
        The name of its specification.
    notebook
        The notebook's file; made if it is not there. A relative path starts at `folder`.
    vscode
        Behave as VS Code's extension does: no variable of Jupyter Server, a cell's id that holds the
        notebook's path, and its path in the user's namespace.
    """

    def __init__(
        self,
        folder: Path,
        env: dict[str, str],
        kernel: str = "python3",
        *,
        notebook: str | Path = "notebook.ipynb",
        vscode: bool = False,
    ) -> None:
        self.notebook, self._vscode = folder / notebook, vscode
        if not self.notebook.exists():
            empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            self.notebook.write_text(json.dumps(empty))
        self._manager = KernelManager(kernel_name=kernel, **kernel_ports())
        self._folder, self._env = folder, {**os.environ, **env}
        if not vscode:
            self._env["JPY_SESSION_NAME"] = str(self.notebook)
        self.cells: dict[str, Cell] = {}
        self.displays: dict[str, dict[str, Any]] = {}
        self.comms: dict[str, dict[str, Any]] = {}
        self.updates = 0
        self.sync: list[dict[str, Any]] = []  # what the kernel has said on hailuo.sync
        self._sync_comm = ""

    def __enter__(self) -> Self:
        self._manager.start_kernel(env=self._env, cwd=str(self._folder))
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def _connect(self) -> None:
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        if self._vscode:
            self.run(f"__vsc_ipynb_file__ = {str(self.notebook)!r}")

    def restart(self, *, kill: bool = True) -> None:
        self._client.stop_channels()
        self._manager.restart_kernel(now=kill)
        self._connect()

    def alive(self) -> bool:
        return bool(self._manager.is_alive())

    def kill(self) -> None:
        self._manager.signal_kernel(9)

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def start(
        self, code: str, cell_id: str = "cell-1", metadata: dict[str, Any] | None = None
    ) -> Cell:
        """Send a cell and do not wait."""
        message = self._client.session.msg(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": True,
                # The next cell is one that a person runs after this one, not one queued behind it.
                "stop_on_error": False,
            },
            metadata={**(metadata or {}), "cellId": self._sent_id(cell_id)},
        )
        cell = Cell(message["header"]["msg_id"], cell_id, time.monotonic())
        self.cells[cell.message_id] = cell
        self._client.shell_channel.send(message)
        return cell

    def _sent_id(self, cell_id: str) -> str:
        return f"vscode-notebook-cell:{self.notebook}#{cell_id}%3D%3D" if self._vscode else cell_id

    def say(self, op: str, **content: Any) -> None:
        """Send a message on `hailuo.sync`, as the lab extension does."""
        defaults = {"trusted": True, "can": []} if op == "hello" else {}
        data = {"hailuo.sync": 1, "version": "0.1.0", "op": op, **defaults, **content}
        check(data, "PageMessage")
        self.say_anything(data)

    def say_anything(self, data: Any) -> None:
        """Send whatever there is on `hailuo.sync`, as no lab extension does."""
        message = self._client.session.msg("comm_msg", {"comm_id": self._sync_comm, "data": data})
        self._client.shell_channel.send(message)

    @property
    def client_id(self) -> str:
        """The session by which the kernel knows this front end."""
        return str(self._client.session.session)

    def run(
        self,
        code: str,
        cell_id: str = "cell-1",
        timeout: float = 60,
        metadata: dict[str, Any] | None = None,
    ) -> Cell:
        """Run a cell to its end."""
        cell = self.start(code, cell_id, metadata)
        self.until(lambda: cell.seconds is not None, timeout)
        return cell

    def completions(self, code: str) -> dict[str, str]:
        """Return what Tab offers at the end of a cell, with the text that is shown next to each."""
        reply = self._client.complete(code, len(code), reply=True, timeout=60)
        found = reply["content"]["metadata"]["_jupyter_types_experimental"]
        return {each["text"]: each["type"].replace("\u00a0", " ") for each in found}

    def until(self, done: Any, timeout: float = 60) -> None:
        """Take messages until `done`."""
        end = time.monotonic() + timeout
        while not done():
            if time.monotonic() > end:
                raise TimeoutError("the kernel did not get there in time")
            self._take(0.05)

    def wait(self, seconds: float) -> None:
        """Take messages for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._take(0.05)

    def _take(self, timeout: float) -> None:
        import queue

        try:
            message = self._client.get_iopub_msg(timeout=timeout)
        except queue.Empty:
            return
        kind, content = message["msg_type"], message["content"]
        cell = self.cells.get(message["parent_header"].get("msg_id", ""))
        if kind in {"display_data", "update_display_data"}:
            display_id = content.get("transient", {}).get("display_id")
            if kind == "update_display_data":
                self.updates += 1
                # A kernel updates displays that the one before it may have made; pages ignore others.
                if display := self.displays.get(display_id):
                    display.update(data=content["data"])
                return
            output = {"type": kind, "data": content["data"]}
            if display_id:
                self.displays[display_id] = output
            if cell:
                cell.outputs.append(output)
        elif kind.startswith("comm_"):
            self._take_comm(kind, content)
        elif cell is None:
            return
        elif kind in {"stream", "error", "execute_result"}:
            cell.outputs.append({"type": kind, **content})
        elif kind == "status" and content["execution_state"] == "idle":
            cell.seconds = time.monotonic() - cell.began

    def _take_comm(self, kind: str, content: dict[str, Any]) -> None:
        comm, data = content["comm_id"], content["data"]
        if kind == "comm_open" and content["target_name"] == "hailuo.sync":
            check(data, "KernelMessage")
            self._sync_comm = comm
        elif kind == "comm_open" and content["target_name"] == "jupyter.widget":
            self.comms[comm] = dict(data.get("state", {}))
        elif kind == "comm_msg" and comm == self._sync_comm:
            check(data, "KernelMessage")
            self.sync.append(data)
        elif kind == "comm_msg" and comm in self.comms:
            self.comms[comm].update(data.get("state", {}))
        elif kind == "comm_close":
            self.comms.pop(comm, None)
