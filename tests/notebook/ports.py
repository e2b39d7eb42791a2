"""Ports of the tests' own kernels, which no connection of another test can take meanwhile."""

from __future__ import annotations

import os
import socket
from itertools import count
from typing import Any

#: Below what systems give to outgoing connections; for each process of the test run its own few thousand.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = count(12_000 + 4_000 * _WORKER)

_CHANNELS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def kernel_ports() -> dict[str, Any]:
    """Give traits of a `KernelManager`: it is told which ports to use.

    By itself it asks the system for free ones and lets them go, for the kernel to take them a second
    later; on a busy machine somebody else has one by then.
    """
    return {"cache_ports": False, **{channel: _free() for channel in _CHANNELS}}


def _free() -> int:
    for number in _numbers:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
    raise AssertionError
