"""The demo's provider: a simulator in a process of its own, shared by all kernels of this user.

It outlives the kernel that started it, as a real provider would, and ends by itself when nobody has
asked it anything for an hour.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from hailuo_jupyter.errors import ProviderDown

_ADDRESS = "HAILUO_SIMULATOR_URL"
_START_S = 30.0
_IDLE_S = 3600


def simulator_address(folder: Path, speed: float) -> str:
    """Give the address of a running simulator, and start one where there is none.

    Parameters
    ----------
    folder
        Where the demo's run log lies; the address of the running simulator is kept beside it.
    speed
        How many times faster than a real provider.

    Raises
    ------
    ProviderDown
        If it does not start within half a minute.
    """
    if given := os.environ.get(_ADDRESS):
        return given.rstrip("/")
    ready = folder / f"simulator-{speed:g}.json"
    if url := _alive(ready):
        return url
    folder.mkdir(parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    subprocess.Popen(  # noqa: S603 - our own module
        [
            sys.executable,
            *("-m", "hailuo_jupyter.simulator", "--caption", "--speed", f"{speed:g}"),
            *("--ready-file", str(ready), "--idle-exit", str(_IDLE_S)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=folder,
    )
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if url := _alive(ready):
            return url
        time.sleep(0.05)
    raise ProviderDown(
        "The demo's simulator did not start.",
        money="The demo costs nothing.",
        todo="Run 'jupyter hailuo simulator' in a terminal to see why.",
    )


def _alive(ready: Path) -> str | None:
    try:
        url = str(json.loads(ready.read_text())["url"])
        # urllib, not the engine's connections: this runs before there is an engine, on any thread.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/_sim/health", timeout=2) as reply:
            return url if json.load(reply).get("name") == "hailuo-simulator" else None
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return None
