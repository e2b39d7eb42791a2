"""One sink's process as seen from here: started when needed, given runs, ended when it hangs."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from hailuo_jupyter import catalogue, redact
from hailuo_jupyter.runlog import Row

#: Seconds that a sink has for one run, its clip among it.
TIMEOUT_S = 300.0

#: Seconds between looks whether the kernel ends meanwhile.
_SLICE_S = 0.1

#: Seconds that a process without work is given to end.
ENDS_S = 5.0


class Courier:
    """Brings runs to one sink. For one thread, but for `interrupt`.

    Parameters
    ----------
    name
        The sink.
    lock
        The file that keeps two processes from taking a run at once.
    timeout_s
        Seconds that it has for one run.
    """

    def __init__(self, name: str, lock: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.name, self._lock, self._timeout_s = name, lock, timeout_s
        self._process: subprocess.Popen[str] | None = None
        self._environment: dict[str, str] = {}
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._interrupted = threading.Event()

    @property
    def running(self) -> bool:
        """Whether the process was started, and not ended since."""
        return self._process is not None

    def bring(self, row: Row) -> str:
        """Bring a run, and wait for the sink's answer.

        Returns
        -------
        str
            What went wrong, in one line; empty where all went well.
        """
        try:
            self._start()
            self._write(_line(row))
            return self._answer()
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._kill()
            return redact.text(f"Its process could not be used: {error}")

    def interrupt(self) -> None:
        """Have a `bring` that waits just now return; the sink goes on with what it has."""
        self._interrupted.set()

    def leave(self, rows: Iterable[Row] = (), wait_s: float = 0.0) -> None:
        """Give the process the last runs, and let it end by itself.

        Parameters
        ----------
        rows
            They are given without waiting for answers.
        wait_s
            Most seconds that its end is waited for; it goes on afterwards, for a minute at most.
        """
        rest = [_line(row) for row in rows]
        try:
            if rest:
                self._start(listen=False)
            for line in (*rest, ""):
                self._write(line)
        except OSError:
            self._kill()
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            _stream(process.stdin).close()
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.returncode = 0  # or Python would complain, at its end, of one that still runs

    def _answer(self) -> str:
        end = time.monotonic() + self._timeout_s
        while not self._interrupted.is_set():
            try:
                answer = self._answers.get(timeout=_SLICE_S)
            except queue.Empty:
                if time.monotonic() < end:
                    continue
                self._kill()
                return f"It gave no answer within {self._timeout_s:g} s, and was ended."
            if answer is None:
                self._kill()
                return "Its process ended without an answer."
            return redact.text(str(json.loads(answer)["problem"]))
        return ""

    def _start(self, *, listen: bool = True) -> None:
        environment = _environment()
        if self._process is not None and environment != self._environment and listen:
            self.leave(wait_s=ENDS_S)  # such as after mlflow.set_tracking_uri
        if self._process is not None:
            return
        self._environment, self._answers = environment, queue.Queue()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # -P: nothing that lies in the notebook's folder is taken for a library.
            [
                *(sys.executable, "-P", "-m", "hailuo_jupyter.sinks.worker"),
                *(self.name, str(self._lock)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if listen else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # an interrupt of the kernel is not meant for it
        )
        if listen:
            streams = _stream(self._process.stdout), self._answers
            try:
                threading.Thread(target=_listen, args=streams, daemon=True).start()
            except RuntimeError:  # Python ends: it gives no thread, and nobody waits for an answer
                self._interrupted.set()

    def _write(self, line: str) -> None:
        if self._process is not None:
            stdin = _stream(self._process.stdin)
            stdin.write(line + "\n")
            stdin.flush()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if sys.platform == "win32":
                process.kill()
            else:
                with suppress(ProcessLookupError):  # with what the library has started
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            with suppress(OSError):
                _stream(process.stdin).close()


def _line(row: Row) -> str:
    return json.dumps({"record": row.record_json, "folder": str(row.folder)})


def _environment() -> dict[str, str]:
    """Give the process what this one has, but for the providers' keys."""
    keys = {name for each in catalogue.providers() for name in each.key_variables}
    return {name: value for name, value in os.environ.items() if name not in keys}


def _listen(stream: IO[str], answers: queue.Queue[str | None]) -> None:
    with stream:
        for line in stream:
            answers.put(line)
    answers.put(None)


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # noqa: S101 - it was asked for as a pipe
    return stream
