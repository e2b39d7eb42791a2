"""The one engine of a process: started at first use, stopped by unloading, absent after a fork."""

from __future__ import annotations

import atexit
import copyreg
import os
import re
import threading
from concurrent.futures import thread as _pools  # noqa: F401 - registers its exit hook before ours
from typing import Any, cast

from hailuo_jupyter import ids as run_ids
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.run import Run, RunBackend
from hailuo_jupyter.formatting import count, print_safely
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import dispatch
from hailuo_jupyter.states import RESUMABLE

#: Seconds that a script waits at exit for the answers to its submits.
_EXIT_S = 15.0

_engine: Engine | None = None
_lock = threading.Lock()


def get_engine() -> Engine:
    """Return this process's engine; started at the first call."""
    global _engine  # noqa: PLW0603 - one engine per process, by design
    with _lock:
        if _engine is None or not _engine.alive:
            _engine = Engine(Hailuo.instance())
            dispatch.follow(Hailuo.instance(), _engine.events.listen)
        return _engine


def started() -> Engine | None:
    """Return this process's engine if it exists; does not start one."""
    return _engine


def restored(run_id: str) -> Run:
    """Return the handle of a run that was pickled or copied; only the id is stored.

    Nothing is opened or started until the handle is used, so that a store of variables (``%store``)
    can be read anywhere.

    Parameters
    ----------
    run_id
        Its id.

    Raises
    ------
    ValueError
        If it is not an id of ours.
    """
    if not re.fullmatch(run_ids.PATTERN, run_id):
        raise ValueError("this is not the id of a run")
    return Run.of(run_id, cast("RunBackend", _CurrentEngine()))


class _CurrentEngine:
    """The engine of the current process, looked up at each use."""

    def __getattr__(self, name: str) -> Any:
        return getattr(get_engine(), name)


# Here rather than in the class: a handle has an engine, but does not know which one is the process's.
copyreg.pickle(Run, lambda run: (restored, (run.run_id,)))


def shut_down() -> None:
    """Stop this process's engine, if there is one."""
    global _engine
    with _lock:
        running, _engine = _engine, None
    if running is not None:
        running.stop()
    dispatch.close()


def _forget_in_child() -> None:
    """Reset in a forked child, which has the parent's memory but not its threads."""
    global _engine, _lock
    _engine, _lock = None, threading.Lock()


def _at_exit() -> None:
    """Wait a limited time until the answers to this script's submits are on disk; say how to collect."""
    running = _engine
    if running is None or not running.alive:
        return
    runs = running.active_runs()
    running.wait_answers(runs, _EXIT_S)
    bought = [run.run_id for run in runs if run.status in RESUMABLE]
    if bought:
        print_safely(
            f"hailuo: {count(len(bought), 'clip')} not ready yet: {', '.join(bought)}. Use "
            "'jupyter hailuo wait' to download, or load the extension again."
        )
    if unsent := running.unsent():
        print_safely(
            f"hailuo: {count(len(unsent), 'request')} not sent (no charge): {', '.join(unsent)}. "
            "See 'jupyter hailuo show RUN' for the reason.",
            to_stderr=True,
        )
    shut_down()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
# At exit Python starts no more threads even before `atexit` is called, and a request that is still to be sent
# needs one (name lookup). The hook before that has no public name; `concurrent.futures` uses it too
# (https://github.com/python/cpython/issues/83993). Hooks run from the last registered to the first, hence the
# import of the pools above.
getattr(threading, "_register_atexit", atexit.register)(_at_exit)
