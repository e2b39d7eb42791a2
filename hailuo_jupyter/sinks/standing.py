"""How each sink stands: set, installed, and how it does; in words."""

from __future__ import annotations

from dataclasses import dataclass

from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks import offered, relay


@dataclass(frozen=True)
class Standing:
    """One sink.

    Parameters
    ----------
    name
        As it is set.
    chosen
        Whether ended runs go there.
    words
        How it does, in one line.
    todo
        What to do; empty where nothing is wrong, or where nobody wants it.
    """

    name: str
    chosen: bool
    words: str
    todo: str = ""


def standing(settings: Hailuo) -> list[Standing]:
    """Give the sinks that are set, and then those that could be."""
    chosen = list(dict.fromkeys(settings.sinks))
    others = [name for name in offered.names() if name not in chosen]
    return [
        *(_one(name, chosen=True) for name in chosen),
        *(_one(name, chosen=False) for name in others),
    ]


def _one(name: str, *, chosen: bool) -> Standing:
    try:
        offered.check(name)
    except HailuoError as error:
        return Standing(name, chosen, error.what, error.todo if chosen else "")
    if not chosen:
        return Standing(name, chosen, "installed, not set")
    does = relay.health().get(name)
    if does is None:
        return Standing(name, chosen, "set; no run has ended since")
    parts = [f"{does.sent} sent"]
    parts += [f"{does.waiting} waiting"] if does.waiting else []
    parts += [f"{does.failed} not taken"] if does.failed else []
    parts += [f"{does.left_out} left out"] if does.left_out else []
    todo = ""
    if does.problem:
        todo = f"{does.problem} 'jupyter hailuo log-to {name}' sends earlier runs."
    return Standing(name, chosen, f"set; {', '.join(parts)}", todo)
