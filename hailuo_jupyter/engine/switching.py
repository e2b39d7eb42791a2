"""How soon the engine's threads get the interpreter while a cell computes.

CPython lets a thread that wants the interpreter wait for the switch interval (`sys.setswitchinterval`,
5 ms by default) as long as another one computes. From a job's end to its clip on the disk the engine
waits for network, disk and log some hundreds of times, and each time for the interpreter again.
"""

from __future__ import annotations

import sys
import threading

#: Seconds for which a computing cell may keep the interpreter, while runs are in hand.
_INTERVAL_S = 0.0005


class Switching:
    """Shortens the process's switch interval for as long as somebody holds it; for all threads.

    A cell that computes alone is not slower by it: nobody else wants the interpreter then. What a
    person has set is put back at the end, and what was set meanwhile is left as it is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._before: float | None = None
        self._ours = 0.0

    def hold(self) -> None:
        """Shorten it, unless it is as short already."""
        with self._lock:
            self._holders += 1
            before = sys.getswitchinterval()
            if self._holders == 1 and before > _INTERVAL_S:
                sys.setswitchinterval(_INTERVAL_S)
                # Python keeps it in whole microseconds, so it may say something a little else.
                self._before, self._ours = before, sys.getswitchinterval()

    def let_go(self) -> None:
        """Put it back when the last one lets go."""
        with self._lock:
            self._holders -= 1
            if self._holders or self._before is None:
                return
            if sys.getswitchinterval() == self._ours:
                sys.setswitchinterval(self._before)
            self._before = None
