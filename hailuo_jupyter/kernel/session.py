"""The kernel session: state that modules keep from one cell to the next, and its end.

A module that needs to remember something declares a `SessionState` and asks the session for it. So
`%unload_ext` and a fork find all of it in one place, and no module has its own globals.
"""

from __future__ import annotations

import os
import threading
from typing import ClassVar, TypeVar

S = TypeVar("S", bound="SessionState")


class SessionState:
    """The state of one module; created without arguments when first requested."""

    #: Whether it outlives `%unload_ext` and a fork. A notebook's identity does: with another one, a cell
    #: would not find the clips that it has bought, and buy them again.
    keep: ClassVar[bool] = False

    def close(self) -> None:
        """Free its resources when the extension is unloaded."""

    def after_fork(self) -> None:
        """Repair what a forked child must not inherit, such as a lock that another thread held."""


class KernelSession:
    """The state in this process for its one IPython shell. Thread-safe."""

    def __init__(self) -> None:
        self._states: dict[type[SessionState], SessionState] = {}
        self._lock = threading.RLock()

    def state(self, kind: type[S]) -> S:
        """Return this session's one object of a class.

        Parameters
        ----------
        kind
            The module's own class.
        """
        with self._lock:
            found = self._states.get(kind)
            if not isinstance(found, kind):
                found = self._states[kind] = kind()
            return found

    def unload(self) -> None:
        """Discard all state that is not kept, and free it."""
        with self._lock:
            ended = [each for each in self._states.values() if not each.keep]
            self._states = {kind: each for kind, each in self._states.items() if each.keep}
        for each in ended:
            each.close()

    def after_fork(self) -> None:
        """Discard, in a forked child, state that belongs to the parent's threads and connections.

        Nothing is closed: comm, widgets and displays are the parent's.
        """
        self._lock = threading.RLock()
        self._states = {kind: each for kind, each in self._states.items() if each.keep}
        for each in self._states.values():
            each.after_fork()


session = KernelSession()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=session.after_fork)
