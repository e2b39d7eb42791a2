"""The options besides the prompt, under the names that `generate`, `rerun` and `sweep` share.

A new option is declared here, once for Python, and in `hailuo_jupyter.kernel.cell_source.CELL_OPTIONS`,
once for the option line.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from pathlib import Path
from typing import Any, Final, TypedDict, TypeVar, cast, get_type_hints

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: Maximum runs that one cell may request; more is a sweep, which shows its plan first.
MOST_AT_ONCE = 20


class KeywordOptions(TypedDict, total=False):
    """The options that `generate` takes by keyword only; its docstring explains each."""

    model: str | None
    mode: str | None
    resolution: str | None
    duration: int | str | None
    ratio: str | None
    image: Any
    last_image: Any
    prompt_optimizer: bool | None
    count: int
    new: bool
    yes: bool
    wait: bool
    output: str | Path | None
    tags: Sequence[str]
    note: str | None
    name: str | None


class GenerateOptions(KeywordOptions, total=False):
    """All options. A missing key means not set: `generate` has a default, `rerun` the run's own value."""

    provider: str | None


#: The defaults of the options, in the order of the signatures.
DEFAULTS: Final[GenerateOptions] = {
    "provider": None,
    "model": None,
    "mode": None,
    "resolution": None,
    "duration": None,
    "ratio": None,
    "image": None,
    "last_image": None,
    "prompt_optimizer": True,
    "count": 1,
    "new": False,
    "yes": False,
    "wait": False,
    "output": None,
    "tags": (),
    "note": None,
    "name": None,
}


def takes_options(**defaults: Any) -> Callable[[_Function], _Function]:
    """Replace the ``**options`` of a function's signature by the options themselves.

    Type checkers and editors read them from ``Unpack[GenerateOptions]``. At run time that is only
    ``**options``: help(), Tab and `inspect.signature` would show no names, and Python would accept any.

    Parameters
    ----------
    **defaults
        The function's own defaults, for its signature.
    """

    def decorated(function: _Function) -> _Function:
        signature = inspect.signature(function, eval_str=True)
        own = {
            name: each
            for name, each in signature.parameters.items()
            if each.kind is not Parameter.VAR_KEYWORD
        }

        @functools.wraps(function)
        def checked(*args: Any, **options: Any) -> Any:
            for name in options:
                if name not in own and name not in DEFAULTS:
                    raise TypeError(
                        f"{function.__name__}() got an unexpected keyword argument {name!r}"
                    )
            return function(*args, **options)

        parameters = [*own.values(), *_parameters(own, {**DEFAULTS, **defaults})]
        checked.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return cast("_Function", checked)

    return decorated


def _parameters(own: Mapping[str, Parameter], defaults: Mapping[str, Any]) -> list[Parameter]:
    types = get_type_hints(GenerateOptions)
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=types.get(name, Any))
        for name, default in defaults.items()
        if name not in own
    ]
