"""Every step of this process towards disk, log and network, counted, named, and deadly on request.

A step is named by what it does and not by its number alone, so that a run in another process, where
threads come in another order, has the same steps: run ids, job ids, ports and processes are left out
of the names. Nothing here lists the steps of the engine: what it does is what is counted.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: A clip comes in a few pieces, so that there is a middle of it.
_PIECE = 16_384

_INET = {socket.AF_INET, socket.AF_INET6}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_NAMES = (
    (re.compile(r"\d{8}-\d{6}-[0-9a-z]{6}"), "RUN"),
    (re.compile(r"[0-9a-f]{64}"), "SHA"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d+-[0-9a-f]{8}\b"), "PROCESS"),
    (re.compile(r"[0-9a-f]{8}\.[0-9a-f]{16}\.part"), "PART"),
    (re.compile(r"\?.*"), ""),
    (re.compile(r"\d{12,}"), "JOB"),
    (re.compile(r"\b[a-z0-9]{26}\b"), "JOB"),
)


class Steps:
    """The steps of this process.

    Parameters
    ----------
    root
        Only files below it count.
    trail
        A file that gets a line for each step, before it is done.
    name, turn
        The process kills itself before the ``turn``-th step of this name; never if None.
    number
        It kills itself before so many steps have been done; never if None.
    """

    def __init__(
        self,
        root: Path,
        trail: Path,
        *,
        name: str | None = None,
        turn: int = 1,
        number: int | None = None,
    ) -> None:
        self._root = str(root.resolve())
        self._trail = os.open(trail, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._name, self._turn, self._number = name, turn, number
        self._seen: Counter[str] = Counter()
        self._lock = threading.RLock()

    def aim(self, name: str, turn: int = 1) -> None:
        """Choose another step to die before, counted from now on."""
        with self._lock:
            self._seen.clear()
            self._name, self._turn = name, turn

    def take(self, step: str) -> None:
        """Count a step that is about to be done, or die before it."""
        for pattern, word in _NAMES:
            step = pattern.sub(word, step)
        with self._lock:
            self._seen[step] += 1
            os.write(self._trail, f"{step}\n".encode())
            here = step == self._name and self._seen[step] == self._turn
            if here or self._seen.total() == self._number:
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()  # other threads are stopped a moment later

    def below(self, path: object) -> str | None:
        """Return a path's name if it lies below the root."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 -- follows no link
        return full[len(self._root) + 1 :] if full.startswith(self._root + os.sep) else None


def arm(root: Path, trail: Path, **when: Any) -> Steps:
    """Count the steps of this process from now on; see `Steps`. It cannot be taken back."""
    steps = Steps(root, trail, **when)
    _watch_files(steps)
    _watch_log(steps)
    _watch_network(steps)
    return steps


def _watch_files(steps: Steps) -> None:
    def hook(event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(args[2], int) and args[2] & _WRITES
        changes = event in {"os.rename", "os.remove", "os.mkdir", "os.link", "os.truncate"}
        if (writes or changes) and (path := steps.below(args[0])) is not None:
            steps.take(f"{event.removeprefix('os.')} {path}")

    sys.addaudithook(hook)
    fsync = os.fsync

    def counted(handle: int) -> None:
        path = steps.below(_opened(handle))
        steps.take(f"fsync {path}")
        fsync(handle)

    os.fsync = counted


def _opened(handle: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{handle}").readlink())
    except OSError:  # no such folder on this system
        return ""


def _watch_log(steps: Steps) -> None:
    class Connection(sqlite3.Connection):
        _about = ""

        def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
            word = sql.split(None, 1)[0]
            if word == "COMMIT":
                steps.take(f"commit {self._about}")
            elif word == "BEGIN":
                self._about = ""
            elif word in {"INSERT", "UPDATE", "DELETE", "CREATE", "ALTER"}:
                state = values.get("state", "") if isinstance(values, dict) else ""
                if state or not self._about:  # what becomes of a run says most
                    self._about = " ".join((*sql.split()[:3], state))
            return super().execute(sql, values)

    connect = sqlite3.connect

    def counted(*args: Any, **options: Any) -> sqlite3.Connection:
        return connect(*args, **{"factory": Connection, **options})

    sqlite3.connect = counted


def _watch_network(steps: Steps) -> None:
    requests: weakref.WeakKeyDictionary[socket.socket, str] = weakref.WeakKeyDictionary()
    halves: weakref.WeakKeyDictionary[socket.socket, str] = weakref.WeakKeyDictionary()
    ours: dict[str, Callable[..., Any]] = {
        name: getattr(socket.socket, name) for name in ("connect", "send", "sendmsg", "recv")
    }

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in _INET:
            steps.take("connect")
        ours["connect"](self, address)

    def send(self: socket.socket, data: Any, *flags: int) -> int:
        if self.family not in _INET:
            return int(ours["send"](self, data, *flags))
        data = bytes(data)
        match = re.match(rb"([A-Z]+ \S+) HTTP/1\.1\r\n", data)
        if match:
            requests[self] = match[1].decode()
        request = requests.get(self, "")
        if not request.startswith("POST"):
            steps.take(f"send {request}")
            return int(ours["send"](self, data, *flags))
        # A short write, as the system may do it at any time: so there is a half-sent request.
        if (part := halves.get(self)) is None:
            part = f"{'head' if match else 'body'} of {request}"
            steps.take(f"send the {part}")
            halves[self] = part
            sent = int(ours["send"](self, data[: len(data) // 2 or 1], *flags))
            steps.take(f"send the other half of the {part}")
            return sent
        sent = int(ours["send"](self, data, *flags))
        if sent == len(data):
            del halves[self]
            steps.take(f"have sent the {part}")
        return sent

    def sendmsg(self: socket.socket, buffers: Any, *rest: Any) -> int:
        if self.family not in _INET or rest:
            return int(ours["sendmsg"](self, buffers, *rest))
        return send(self, b"".join(buffers))

    def recv(self: socket.socket, size: int, *flags: int) -> bytes:
        if self.family not in _INET:
            return bytes(ours["recv"](self, size, *flags))
        request = requests.get(self, "")
        steps.take(f"read the answer to {request}")
        data = bytes(ours["recv"](self, min(size, _PIECE), *flags))
        if request.startswith("POST"):
            steps.take(f"have read of the answer to {request}")
        return data

    for name, counted in (
        ("connect", connect),
        ("send", send),
        ("sendmsg", sendmsg),
        ("recv", recv),
    ):
        setattr(socket.socket, name, counted)
