"""Ports that nothing else takes between the choice and the use."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

#: Below what systems give to outgoing connections and to servers that ask for any port. Each process
#: starts elsewhere in the range, so that several test runs on one machine rarely try the same number.
_LOWEST, _HIGHEST = 12_000, 32_000
_numbers = (
    _LOWEST + (97 * os.getpid() + number) % (_HIGHEST - _LOWEST) for number in count(step=1)
)

_CHANNELS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def free_port() -> int:
    """Return a port for a server that must be told one before it starts.

    A port that the system chose may have gone to somebody else by the time the server binds it.
    """
    for number in _numbers:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
    raise AssertionError


def kernel_ports() -> dict[str, Any]:
    """Return traits of a `KernelManager`: it is told which ports to use.

    By itself it asks the system for free ones and lets them go, for the kernel to take them a second
    later; on a busy machine somebody else has one by then.
    """
    return {"cache_ports": False, **{channel: free_port() for channel in _CHANNELS}}


@contextmanager
def closed_port() -> Iterator[str]:
    """Hold a port that refuses connections; gives host and port.

    It is bound, so that no other test's server gets it meanwhile, and does not listen.
    """
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"
