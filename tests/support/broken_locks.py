"""A process in which no file can be locked, as on a network drive without a lock service.

The kernel itself refuses: a seccomp filter lets `flock`, and `fcntl` where it locks, fail with ENOLCK.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import platform
import struct

_SYSTEM_CALLS = {"x86_64": (73, 72), "aarch64": (32, 25)}  # flock, fcntl

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.ENOLCK
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


def break_locks() -> None:
    """Let every lock of this process and its children fail from here on."""
    flock, fcntl_call = _SYSTEM_CALLS[platform.machine()]
    locking = (fcntl.F_SETLK, fcntl.F_SETLKW, 37, 38)  # the last two: F_OFD_SETLK and F_OFD_SETLKW
    rules = [
        (_LOAD, 0, 0, 0),  # the system call's number
        (_EQUAL, len(locking) + 3, 0, flock),
        (_EQUAL, 0, len(locking) + 1, fcntl_call),
        (_LOAD, 0, 0, 24),  # its second argument
        *((_EQUAL, len(locking) - at, 0, each) for at, each in enumerate(locking)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL),
    ]
    code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp")
