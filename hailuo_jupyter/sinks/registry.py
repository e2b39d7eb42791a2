"""The sinks that exist: ours, and those that other packages provide as entry points."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module, metadata, util

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.sinks.base import Sink

#: The group of entry points for sinks of other packages.
GROUP = "hailuo_jupyter.sinks"


@dataclass(frozen=True)
class _BuiltIn:
    home: str
    name: str
    needs: str  # the library's module


_BUILTIN = {
    "mlflow": _BuiltIn("hailuo_jupyter.sinks.mlflow", "MlflowSink", "mlflow"),
    "trackio": _BuiltIn("hailuo_jupyter.sinks.trackio", "TrackioSink", "trackio"),
    "wandb": _BuiltIn("hailuo_jupyter.sinks.wandb", "WandbSink", "wandb"),
}


def names() -> list[str]:
    """Return the names of all sinks, installed or not."""
    return sorted({*_BUILTIN, *metadata.entry_points(group=GROUP).names})


def check(name: str) -> None:
    """Check that a sink can be loaded.

    Raises
    ------
    OptionError
        If no sink has this name, or its library is not installed.
    """
    if name in _BUILTIN:
        # A folder with the library's name in the working directory is not a library: it has no origin.
        found = util.find_spec(_BUILTIN[name].needs)
        if found is None or found.origin is None:
            raise OptionError(
                f"The sink {name} needs {name}, which is not installed.",
                money="Runs and clips are unchanged.",
                todo=f"Install it: pip install 'hailuo-jupyter[{name}]'.",
            )
    elif name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"Available: {', '.join(names())}."
        raise OptionError(f"Unknown sink {name[:40]!a}.", money=NOTHING_SENT, todo=hint)


def load(name: str) -> Sink:
    """Create a sink; this imports its library.

    Raises
    ------
    OptionError
        As for `check`.
    TypeError
        If another package's entry point is not a sink.
    """
    check(name)
    if name in _BUILTIN:
        made = getattr(import_module(_BUILTIN[name].home), _BUILTIN[name].name)()
    else:
        (offered,) = metadata.entry_points(group=GROUP, name=name)
        made = offered.load()()
    if not isinstance(made, Sink):
        raise TypeError(
            f"the entry point of the sink {name} is not a hailuo_jupyter.sinks.base.Sink"
        )
    return made
