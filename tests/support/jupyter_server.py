"""A real Jupyter server in a process of its own, and kernels that it starts, over REST and websocket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any, Self

import websocket

from tests.support.notebook_files import ROOT

TOKEN = "a-token-of-the-test"

#: Extensions that take seconds to load and have no part in this.
_OTHERS = ("jupyterlab", "notebook", "notebook_shim", "jupyter_lsp", "jupyter_server_terminals")

START = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.support.forking.kernels import fork_kernels
del sys.path[0]
fork_kernels()
import hailuo_jupyter.server_extension as ours
from hailuo_jupyter.engine import timings
from hailuo_jupyter.engine.eta import DurationEstimate
# Polls go by the providers' real minutes else.
timings.DEFAULT = timings.Timings(expected_duration=DurationEstimate(1.5, 0.3))
ours.LOOK_S, ours.GRACE_S = 0.2, 1.0
from jupyter_server.serverapp import main
main()
"""


class Server:
    """A server with the configuration file that an install brings, and a folder for all it writes."""

    def __init__(self, folder: Path, env: dict[str, str], **config: Any) -> None:
        self._folder = folder
        self.config = folder / "config"
        (self.config / "jupyter_server_config.d").mkdir(parents=True)
        shutil.copy(
            ROOT / "hailuo_jupyter/server_extension.json",
            self.config / "jupyter_server_config.d" / "hailuo_jupyter.json",
        )
        off = {"ServerApp": {"jpserver_extensions": dict.fromkeys(_OTHERS, False)}}
        (self.config / "jupyter_server_config.json").write_text(json.dumps({**off, **config}))
        self._env = {
            **{k: v for k, v in os.environ.items() if k != "JPY_SESSION_NAME"},
            **env,
            "JUPYTER_CONFIG_DIR": str(self.config),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
        }
        self.log = folder / "server.log"

    def __enter__(self) -> Self:
        self._out = self.log.open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", START, "--no-browser", "--allow-root", "--port=0"),
                *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={self._folder}"),
            ],
            env=self._env,
            cwd=self._folder,
            stdout=self._out,
            stderr=subprocess.STDOUT,
        )
        self._url = self._until(self._address, 60)
        self._until(lambda: self._answers("/api/status"), 30)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._out.close()

    def end(self) -> int:
        """End it as a person's Ctrl+C and a hub do, and give its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kernel(self) -> LiveKernel:
        """Start a kernel."""
        started = self.ask("POST", "/api/kernels", {"name": "python3"})
        return LiveKernel(
            f"ws{self._url.removeprefix('http')}/api/kernels/{started['id']}/channels"
        )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        asked = urllib.request.Request(
            f"{self._url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as reply:
            return json.loads(reply.read() or b"null")

    def _answers(self, path: str) -> bool:
        try:
            self.ask("GET", path)
        except OSError:
            return False
        return True

    def _address(self) -> str | None:
        for path in (self._folder / "runtime").glob("jpserver-*.json"):
            try:
                return f"http://127.0.0.1:{json.loads(path.read_text())['port']}"
            except ValueError:  # just being written
                return None
        return None

    def _until(self, found: Any, timeout: float) -> Any:
        end = time.monotonic() + timeout
        while not (value := found()):
            assert time.monotonic() < end, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)
        return value


class LiveKernel:
    """A kernel of the server's, spoken to as a page does."""

    def __init__(self, url: str) -> None:
        self._socket = websocket.create_connection(
            url, header=[f"Authorization: token {TOKEN}"], timeout=60, http_no_proxy=["*"]
        )

    def run(self, code: str) -> str:
        """Run a cell to its end; gives what it printed."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "username": "",
            "session": "a-session",
            "msg_type": "execute_request",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
        self._socket.send(json.dumps(message))
        said = ""
        while True:
            got = json.loads(self._socket.recv())
            if got["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            content = got["content"]
            if got["msg_type"] == "stream":
                said += content["text"]
            elif got["msg_type"] == "error":
                raise AssertionError(content["evalue"])
            elif got["msg_type"] == "status" and content["execution_state"] == "idle":
                return said

    def close(self) -> None:
        self._socket.close()
