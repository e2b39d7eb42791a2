"""The demo's provider: a simulator in its own process. It is started only here.

The one that `running` returns is shared by all kernels of this user. It outlives the kernel that started
it, as a real provider would, and exits after an hour without requests. That of
`temporary` ends with the command that needs it. Both reject requests without the token that they write
into their ready file, which only this user can read.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hailuo_jupyter import catalogue, redact, settings
from hailuo_jupyter.errors import ProviderDown
from hailuo_jupyter.keys import Key

#: A simulator that is already running, and its token if it wants one.
ADDRESS, TOKEN = "HAILUO_SIMULATOR_URL", "HAILUO_SIMULATOR_TOKEN"

_START_S = 30.0
_END_S = 5.0
_IDLE_S = 3600

#: Names of variables that hold secrets of any kind.
_SECRET_NAME = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)


@dataclass(frozen=True)
class DemoSimulator:
    """A running simulator: its address, and the key that it accepts."""

    url: str
    key: Key


def base_addresses(url: str) -> dict[str, str]:
    """Return the base addresses of a simulator by role, as `hailuo_jupyter.providers.dialect` takes them."""
    return {"api": url, "storage": url, "history": f"{url}/inference-request"}


def running(folder: Path, speed: float) -> DemoSimulator:
    """Return the running simulator; start one if there is none.

    Parameters
    ----------
    folder
        Where the demo's run log is; the file that identifies the running simulator is next to it.
    speed
        How many times faster than a real provider.

    Raises
    ------
    ProviderDown
        If it does not start within half a minute.
    SettingsError
        If the environment names an address that is neither https nor this machine.
    """
    if url := os.environ.get(ADDRESS):
        token = os.environ.get(TOKEN) or "the-demo-needs-no-key"
        return DemoSimulator(settings.address(url, ADDRESS), Key(token, "the demo"))
    ready = folder / f"simulator-{speed:g}.json"
    if found := read(ready):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    return _wait_for(start(ready, speed), ready)


@contextmanager
def temporary(speed: float) -> Iterator[DemoSimulator]:
    """Run a separate simulator. It also exits after a while if this process is killed.

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
        # In its own session: an interrupt goes to the demo, which stops the simulator last.
        process = start(ready, speed)
        try:
            yield _wait_for(process, ready)
        finally:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(process: subprocess.Popen[bytes], ready: Path) -> DemoSimulator:
    end = time.monotonic() + _START_S
    # Another kernel may have started one at the same moment: then the file names either.
    while time.monotonic() < end:
        if server := read(ready):
            return server
        if process.poll() is not None and not ready.exists():
            break
        time.sleep(0.02)
    raise ProviderDown(
        "The demo's simulator did not start.",
        money="The demo costs nothing.",
        todo="Run 'jupyter hailuo simulator' in a terminal to see the error.",
    )


def start(ready: Path, speed: float) -> subprocess.Popen[bytes]:
    """Start a simulator; once it listens, `read` finds it by its ready file.

    Parameters
    ----------
    ready
        The file.
    speed
        How many times faster than a real provider.
    """
    return subprocess.Popen(  # noqa: S603 - our own module
        [
            sys.executable,
            *("-m", "hailuo_jupyter.simulator", "--caption", "--speed", f"{speed:g}"),
            *("--ready-file", str(ready), "--require-token", "--idle-exit", str(_IDLE_S)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=ready.parent,
        env=environment_without_secrets(),
    )


def environment_without_secrets() -> dict[str, str]:
    """Return this process's environment without keys, tokens and passwords: a simulator needs none."""
    keys = {name for each in catalogue.providers() for name in each.key_variables}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in keys and not _SECRET_NAME.search(name) and redact.text(value) == value
    }


def read(ready: Path) -> DemoSimulator | None:
    """Return the simulator named by a ready file; None unless exactly that one answers."""
    try:
        found = json.loads(_own_text(ready))
        url, token, nonce = str(found["url"]), str(found["token"]), secrets.token_hex(16)
        if not settings.is_loopback(urlsplit(url).hostname):
            return None
        # urllib, not the engine's connections: this runs before there is an engine, on any thread.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        # Another program may have its port by now, and must not receive the token.
        with opener.open(f"{url}/_sim/health?nonce={nonce}", timeout=2) as reply:
            shown = str(json.load(reply).get("proof"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    expected = hmac.new(token.encode(), nonce.encode(), "sha256").hexdigest()
    same = hmac.compare_digest(shown.encode(), expected.encode())
    return DemoSimulator(url, Key(token, "the demo")) if same else None


def _own_text(path: Path) -> str:
    """Return the text of a file that this user alone may write and read.

    Raises
    ------
    OSError
        If it belongs to another user, or cannot be read.
    """
    with path.open(encoding="utf-8") as file:
        found = os.fstat(file.fileno())
        others = os.name == "posix" and (found.st_uid != os.geteuid() or found.st_mode & 0o077)
        if others or not stat.S_ISREG(found.st_mode):
            raise PermissionError(f"{path.name} is accessible to other users")
        return file.read()
