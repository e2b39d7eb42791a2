"""Find the run of a command: by a variable, its name, its id, or a part of the id."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel.prompt import value_of
from hailuo_jupyter.kernel.run_names import find_run


def resolve_run(word: str, ip: Any, *, strict: bool = False) -> Run:
    """Find the run named by an argument of a command.

    Parameters
    ----------
    word
        ``canyon`` or ``{takes[0]}``, where that is a `Run` (``--name canyon`` binds one); else the name
        of a run of any notebook, an id, or an unambiguous part of it.
    ip
        The shell.
    strict
        Whether a name of several runs is refused; see `hailuo_jupyter.kernel.run_names`.

    Raises
    ------
    RunNotFound
        If there is no such variable or run.
    OptionError
        If the variable contains several runs, or something else.
    """
    braced = word.startswith("{")
    held = value_of(word, ip.user_ns) if braced else ip.user_ns.get(word)
    if isinstance(held, Run):
        return process.get_engine().run(held.run_id)
    if isinstance(held, list) and held and all(isinstance(each, Run) for each in held):
        raise OptionError(
            f"{word} contains {len(held)} runs.",
            todo=f"Choose one, such as {{{word}[0]}}, or give its id.",
        )
    if braced and not isinstance(held, str):
        raise OptionError(f"{word} isn't a run.", todo="Use a run or its id.")
    return find_run(held if braced else word, strict=strict)
