"""Which run a command means: a variable that holds it, its id, or a part of that."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel.prompt import value_of


def run_of(word: str, ip: Any) -> Run:
    """Find the run that a word of a command names.

    Parameters
    ----------
    word
        ``canyon`` or ``{takes[0]}``, where that is a `Run` (``--name canyon`` binds one); else an id
        or an unambiguous part of it.
    ip
        The shell.

    Raises
    ------
    RunNotFound
        If nothing of the kind is there.
    OptionError
        If the variable holds several runs, or something else.
    """
    engine = process.engine()
    braced = word.startswith("{")
    held = value_of(word, ip.user_ns) if braced else ip.user_ns.get(word)
    if isinstance(held, Run):
        return engine.run(held.run_id)
    if isinstance(held, list) and held and all(isinstance(each, Run) for each in held):
        raise OptionError(
            f"{word} holds {len(held)} runs.", todo=f"Name one of them: {{{word}[0]}}, or its id."
        )
    if braced and not isinstance(held, str):
        raise OptionError(f"{word} holds no run.", todo="Give a run, or its id.")
    return engine.run(held if braced else word)
