"""Filling ``{variables}`` of the notebook into a prompt and into option values."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from hailuo_jupyter.errors import NOTHING_SENT, PromptError

_DOUBLE = "For a brace that stands for itself, write it twice: {{ and }}."


class _Filler(string.Formatter):
    """str.format's own fields (attributes, indexes, format specs; no calls) over a namespace."""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        del args  # a prompt has no positional fields
        if isinstance(key, int):
            raise PromptError(
                f"There is a field without a name ({{{key}}} or {{}}).",
                money=NOTHING_SENT,
                todo=_DOUBLE,
            )
        if key in kwargs:
            return kwargs[key]
        near = get_close_matches(key, [name for name in kwargs if not name.startswith("_")], n=1)
        raise PromptError(
            f"There is no variable {key!r} in the notebook.",
            money=NOTHING_SENT,
            todo=(f"Did you mean {{{near[0]}}}? " if near else "") + _DOUBLE,
        )


def fill(text: str, namespace: Mapping[str, Any]) -> str:
    """Fill a text's ``{fields}`` with the values of a namespace, once.

    Parameters
    ----------
    text
        ``{name}``, ``{name.attribute}``, ``{name[key]}``, ``{name:.2f}``; ``{{`` and ``}}`` are
        literal braces.
    namespace
        The notebook's variables.

    Returns
    -------
    str
        The text; braces inside a value stay as they are.

    Raises
    ------
    PromptError
        For an unknown name, a missing attribute or key, and a brace without its partner.
    """
    try:
        return _Filler().vformat(text, (), namespace)
    except PromptError:
        raise
    except (ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        said = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise PromptError(
            f"A field between braces cannot be filled in: {said}.",
            money=NOTHING_SENT,
            todo=_DOUBLE,
        ) from None


def value_of(text: str, namespace: Mapping[str, Any]) -> Any:
    """Give the object that an option value names, or the value with its fields filled in.

    ``{frame}`` alone gives the variable itself, so that a picture in memory can be a frame;
    ``{folder}/first.png`` gives text.

    Raises
    ------
    PromptError
        As `fill`.
    """
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError:
        return fill(text, namespace)
    if len(pieces) == 1:
        literal, name, spec, conversion = pieces[0]
        if not literal and name and not spec and not conversion:
            try:
                return _Filler().get_field(name, (), namespace)[0]
            except (KeyError, AttributeError, IndexError, TypeError, ValueError):
                return fill(text, namespace)
    return fill(text, namespace)
