"""Which sinks there are: ours, and those that other packages offer by an entry point."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module, metadata, util

from hailuo_jupyter.errors import NOTHING_SENT, OptionError
from hailuo_jupyter.sinks.base import Sink

#: The group of entry points by which a package offers a sink.
GROUP = "hailuo_jupyter.sinks"


@dataclass(frozen=True)
class _Ours:
    home: str
    name: str
    needs: str  # the library's module


_OURS = {
    "mlflow": _Ours("hailuo_jupyter.sinks.to_mlflow", "MlflowSink", "mlflow"),
    "trackio": _Ours("hailuo_jupyter.sinks.to_trackio", "TrackioSink", "trackio"),
    "wandb": _Ours("hailuo_jupyter.sinks.to_wandb", "WandbSink", "wandb"),
}


def names() -> list[str]:
    """Give the names of all sinks, installed or not."""
    return sorted({*_OURS, *metadata.entry_points(group=GROUP).names})


def check(name: str) -> None:
    """See to it that a sink can be loaded.

    Raises
    ------
    OptionError
        If there is none of this name, or its library is not installed.
    """
    if name in _OURS:
        # A folder of the library's name in the working directory is no library: it has no origin.
        found = util.find_spec(_OURS[name].needs)
        if found is None or found.origin is None:
            raise OptionError(
                f"The sink {name} needs {name}, which is not installed here.",
                money="Runs and clips are as they were.",
                todo=f"Install it: pip install 'hailuo-jupyter[{name}]'.",
            )
    elif name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names())}."
        raise OptionError(f"There is no sink {name[:40]!a}.", money=NOTHING_SENT, todo=hint)


def load(name: str) -> Sink:
    """Make a sink; this imports its library.

    Raises
    ------
    OptionError
        As `check`.
    TypeError
        If what another package offers is no sink.
    """
    check(name)
    if name in _OURS:
        made = getattr(import_module(_OURS[name].home), _OURS[name].name)()
    else:
        (offered,) = metadata.entry_points(group=GROUP, name=name)
        made = offered.load()()
    if not isinstance(made, Sink):
        raise TypeError(f"what is offered as the sink {name} is no hailuo_jupyter.sinks.base.Sink")
    return made
