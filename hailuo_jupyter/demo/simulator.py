"""The demo's simulator: a process of its own, ended with the demo."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hailuo_jupyter.errors import ProviderDown

#: It also ends by itself, should the demo be killed.
_IDLE_S = 3600
_START_S = 30.0
_END_S = 5.0


@contextmanager
def simulator(speed: float) -> Iterator[str]:
    """Run a simulator; gives its address.

    Parameters
    ----------
    speed
        How many times faster than a real provider.

    Raises
    ------
    ProviderDown
        If it does not start within half a minute.
    """
    with tempfile.TemporaryDirectory(prefix="hailuo-") as folder:
        ready = Path(folder) / "ready.json"
        running = subprocess.Popen(  # noqa: S603 - our own module
            [
                sys.executable,
                *("-m", "hailuo_jupyter.simulator", "--caption", "--speed", f"{speed:g}"),
                *("--ready-file", str(ready), "--idle-exit", str(_IDLE_S)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # An interrupt is for the demo, which ends the simulator last.
            start_new_session=True,
        )
        try:
            yield _address(running, ready)
        finally:
            running.terminate()
            try:
                running.wait(_END_S)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def _address(running: subprocess.Popen[bytes], ready: Path) -> str:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and running.poll() is None:
        if ready.is_file():  # it appears whole
            return str(json.loads(ready.read_text(encoding="utf-8"))["url"])
        time.sleep(0.02)
    raise ProviderDown(
        "The demo's simulator did not start.",
        money="The demo costs nothing.",
        todo="Run 'jupyter hailuo simulator' to see why.",
    )
