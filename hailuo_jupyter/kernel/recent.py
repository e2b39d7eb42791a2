"""Recent runs and sweeps, and pictures in variables, each with a short description; Tab offers them.

Each function reads the run log with a limited query at most, and never waits for a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.formatting import count, escape_control, shorten
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.sweep import Sweep
from hailuo_jupyter.kernel.sweep.store import shape_of
from hailuo_jupyter.runlog import Row

_MOST_RUNS, _MOST_SWEEPS = 30, 20

#: Characters of a prompt in a description.
_PROMPT = 48


def runs(namespace: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the variables that hold a run, then the ids of recent runs, the newest first.

    Parameters
    ----------
    namespace
        The notebook's variables.
    """
    variables = [
        (name, f"variable · {value.run_id}")
        for name, value in _variables(namespace)
        if isinstance(value, Run)
    ]
    try:
        rows = [row for log in process.get_engine().logs() for row in log.recent(_MOST_RUNS)]
    except HailuoError:  # reported by the command
        return variables
    rows.sort(key=lambda row: row.created, reverse=True)
    return variables + [(row.run_id, _words(row)) for row in rows]


def _variables(namespace: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in list(namespace.items()) if not name.startswith("_")]


def _words(row: Row) -> str:
    if not row.is_readable:
        return "cannot be read"
    prompt = shorten(row.record.request.prompt, _PROMPT)
    return escape_control(f"{row.record.name} · {prompt}" if row.record.name else prompt)


def sweeps(namespace: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the variables that hold a sweep, then the ids of this notebook's recent ones, the newest first.

    Parameters
    ----------
    namespace
        The notebook's variables.
    """
    here = context.notebook().id
    found = [
        (name, f"variable · {value.sweep_id}")
        for name, value in _variables(namespace)
        if isinstance(value, Sweep)
    ]
    try:
        logs = process.get_engine().logs()
        rows = [row for log in logs for row in log.recent_sweeps(here, _MOST_SWEEPS)]
    except HailuoError:  # reported by the command
        return found
    for row in sorted(rows, key=lambda each: each.created, reverse=True):
        try:
            shape, takes = shape_of(row)
        except (HailuoError, ValueError, LookupError, TypeError, AttributeError):
            found.append((row.sweep, "cannot be read"))
            continue
        axes = ", ".join(name for name, _ in shape.axes)
        text = f"{count(len(shape.places) * takes, 'run')} · {axes}" + " · stopped" * row.stopped
        found.append((row.sweep, escape_control(shorten(text, _PROMPT))))
    return found


def pictures(namespace: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the variables that hold a picture, as option values; no library is loaded for this.

    Parameters
    ----------
    namespace
        The notebook's variables.
    """
    found = []
    for name, value in _variables(namespace):
        kind = type(value)
        if kind.__module__.startswith("PIL."):
            found.append((f"{{{name}}}", "picture in memory"))
        elif kind.__name__ == "ndarray" and getattr(value, "ndim", 0) in {2, 3}:
            found.append((f"{{{name}}}", "array in memory"))
        elif kind.__name__ == "ClipFrame":
            found.append((f"{{{name}}}", "frame of a clip"))
    return found
