"""Ports of the tests' own kernels, which no connection of another test can take meanwhile."""

from __future__ import annotations

import os
import socket
from itertools import count
from typing import Any

#: Below what systems give to outgoing connections. Each process starts elsewhere in the range, so that
#: several test runs on one machine rarely try the same number.
_LOWEST, _HIGHEST = 12_000, 32_000
_numbers = (
    _LOWEST + (97 * os.getpid() + number) % (_HIGHEST - _LOWEST) for number in count(step=1)
)

_CHANNELS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def kernel_ports() -> dict[str, Any]:
    """Return traits of a `KernelManager`: it is told which ports to use.

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
