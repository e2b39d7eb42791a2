"""Whether each sink is set and installed, and its status; in words."""

from __future__ import annotations

from dataclasses import dataclass

from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import dispatch, registry


@dataclass(frozen=True)
class SinkStatus:
    """One sink.

    Parameters
    ----------
    name
        Its name in the settings.
    chosen
        Whether finished runs are sent to it.
    words
        Its status, in one line.
    todo
        What to do; empty if nothing is wrong, or it is not used.
    """

    name: str
    chosen: bool
    words: str
    todo: str = ""


def status(settings: Hailuo) -> list[SinkStatus]:
    """Return the configured sinks, then the other ones."""
    chosen = list(dict.fromkeys(settings.sinks))
    others = [name for name in registry.names() if name not in chosen]
    return [
        *(_one(name, chosen=True) for name in chosen),
        *(_one(name, chosen=False) for name in others),
    ]


def _one(name: str, *, chosen: bool) -> SinkStatus:
    try:
        registry.check(name)
    except HailuoError as error:
        return SinkStatus(name, chosen, error.what, error.todo if chosen else "")
    if not chosen:
        return SinkStatus(name, chosen, "installed, not set")
    does = dispatch.health().get(name)
    if does is None:
        return SinkStatus(name, chosen, "set; no run has finished since")
    parts = [f"{does.sent} sent"]
    parts += [f"{does.waiting} waiting"] if does.waiting else []
    parts += [f"{does.failed} failed"] if does.failed else []
    todo = ""
    if does.problem:
        todo = f"{does.problem} Use 'jupyter hailuo log-to {name}' to send earlier runs."
    return SinkStatus(name, chosen, f"set; {', '.join(parts)}", todo)
