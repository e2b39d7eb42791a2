"""The one engine of a process: started at first use, stopped by unloading, absent after a fork."""

from __future__ import annotations

import atexit
import os
import threading
from concurrent.futures import thread as _pools  # noqa: F401 - registers its end, before ours

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import relay
from hailuo_jupyter.states import RESUMABLE

#: Seconds that a script's end waits for the answers to its submits.
_EXIT_S = 15.0

_engine: Engine | None = None
_lock = threading.Lock()


def engine() -> Engine:
    """Give this process's engine; started at the first call."""
    global _engine  # noqa: PLW0603 - there is one engine a process, by design
    with _lock:
        if _engine is None or not _engine.alive:
            _engine = Engine(Hailuo.instance())
            relay.follow(Hailuo.instance(), _engine.board.listen)
        return _engine


def started() -> Engine | None:
    """Give this process's engine if there is one already; none is started."""
    return _engine


def shut_down() -> None:
    """Stop this process's engine, if there is one."""
    global _engine
    with _lock:
        running, _engine = _engine, None
    if running is not None:
        running.stop()
    relay.close()


def _forget_in_child() -> None:
    """Start anew in a forked child, which has the parent's memory but not its threads."""
    global _engine, _lock
    _engine, _lock = None, threading.Lock()


def _at_exit() -> None:
    """Wait, bounded, until the answers to this script's submits are on disk, and say how to collect."""
    running = _engine
    if running is None or not running.alive:
        return
    runs = running.runs_in_hand()
    running.wait_answers(runs, _EXIT_S)
    bought = [run.run_id for run in runs if run.status in RESUMABLE]
    if bought:
        print(  # noqa: T201 - the last thing that a script's person reads
            f"hailuo: {len(bought)} clip(s) are still being made: {', '.join(bought)}. They are fetched by "
            "'jupyter hailuo wait', or by whoever loads the extension next."
        )
    shut_down()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
# At Python's end no more threads are given out even before `atexit` is called, and a request that is
# still to be sent needs one (name lookup). What comes before that has no public name; it goes from the
# last registered to the first, hence the import of the pools above.
getattr(threading, "_register_atexit", atexit.register)(_at_exit)
