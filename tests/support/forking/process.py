"""Python processes of tests, forked from one that has the libraries imported: that takes a second less.

Such a process is as any other: a child of this one, with its own streams, environment and folder, and with
a module `__main__` of its own. Only its modules are imported already.
"""

from __future__ import annotations

import atexit
import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_SERVER = Path(__file__).with_name("server.py")
_SET_CHILD_SUBREAPER = 36  # prctl(2)

_servers: dict[str, tuple[socket.socket, subprocess.Popen[bytes]] | None] = {}
_lock = threading.Lock()


class PythonProcess(subprocess.Popen[Any]):
    """A process of this Python; where forking is not possible it is started as usual.

    The arguments are those of `subprocess.Popen`; the command is `sys.executable` with options, or a
    script beside it.
    """

    def _execute_child(self, *args: Any, **kwargs: Any) -> None:
        start = super()._execute_child  # type: ignore[misc]
        how = inspect.signature(start).bind(*args, **kwargs).arguments
        request = _request(how)
        channel = request and _server(request["env"])
        if channel is None:
            start(*args, **kwargs)
            return
        ends = [how[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [number if end == -1 else end for number, end in enumerate(ends)]
        self.pid = _fork(channel, request, streams)
        self._child_created = True
        self._close_pipe_fds(*(how[name] for name in _PIPES))  # type: ignore[attr-defined]


#: What the server knows nothing of.
_USUAL = (
    ("preexec_fn", None),
    ("pass_fds", ()),
    ("shell", False),
    ("executable", None),
    ("process_group", -1),
    ("umask", -1),
    ("uid", None),
    ("gid", None),
)
_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


def run_python(
    args: list[str],
    *,
    capture_output: bool = False,
    check: bool = False,
    timeout: float | None = None,
    **how: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a process of this Python to its end, as `subprocess.run` does."""
    if capture_output:
        how |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with PythonProcess(args, **how) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _request(how: dict[str, Any]) -> dict[str, Any] | None:
    """Return what to fork; None for what is only possible with a program of its own."""
    measured = any(name.startswith("COVERAGE_PROCESS") for name in os.environ)
    if sys.platform != "linux" or measured or any(how[name] != usual for name, usual in _USUAL):
        return None
    program, *args = map(os.fsdecode, how["args"])
    options: list[str] = []
    if program == sys.executable:
        start = list(args)
        while start[:1] == ["-W"]:
            options.append(start[1])
            del start[:2]
        if start[:1] not in (["-c"], ["-m"]):
            return None
    elif Path(program).parent == Path(sys.executable).parent and _is_python(program):
        start = ["script", program, *args]
    else:
        return None
    return {
        "start": start,
        "args": args,
        "options": options,
        "env": dict(os.environ if how["env"] is None else how["env"]),
        "cwd": str(Path(how["cwd"] or "").absolute()),
        "session": how["start_new_session"],
    }


def _is_python(program: str) -> bool:
    with Path(program).open("rb") as file:
        return file.readline().strip() == b"#!" + os.fsencode(sys.executable)


def _fork(channel: socket.socket, request: dict[str, Any], streams: list[int]) -> int:
    with _lock:
        _adopt_orphans(True)
        try:
            socket.send_fds(channel, [json.dumps(request).encode()], streams)
            return int(channel.recv(100))
        finally:
            _adopt_orphans(False)


def _adopt_orphans(whether: bool) -> None:
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(whether), 0, 0, 0)


def _server(env: dict[str, str]) -> socket.socket | None:
    """Return the server for what Python reads of an environment when it starts.

    There is none for the first process of an environment, since most have no second one.
    """
    read = {
        name: value for name, value in env.items() if name.startswith(("PYTHON", "LC_", "LANG"))
    }
    key = json.dumps(read, sort_keys=True)
    with _lock:
        if key not in _servers:
            _servers[key] = None
        elif _servers[key] is None:
            _servers[key] = _start_server(env)
        server = _servers[key]
    return server and server[0]


def _start_server(env: dict[str, str]) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    channel, other = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with other:
        command = [sys.executable, str(_SERVER), str(other.fileno())]
        server = subprocess.Popen(command, pass_fds=[other.fileno()], env=env, cwd="/")
    atexit.register(_end_server, channel, server)
    return channel, server


def _end_server(channel: socket.socket, server: subprocess.Popen[bytes]) -> None:
    channel.close()
    server.wait()
