"""Fill ``{variables}`` of the notebook into a prompt and into option values."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from inspect import isroutine
from types import ModuleType
from typing import Any

from hailuo_jupyter.errors import NOTHING_SENT, PromptError
from hailuo_jupyter.formatting import shorten

_DOUBLE = "Double a literal brace: {{ or }}."

#: Part of Python's default text for functions and for objects that define none.
_ADDRESS = re.compile(r"<.+ at 0x[0-9a-fA-F]+>")


class _Filler(string.Formatter):
    """str.format's own fields (attributes, indexes, format specs; no calls) over a namespace."""

    _field = ""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        del args  # a prompt has no positional fields
        if isinstance(key, int):
            raise PromptError(
                f"There is a field without a name ({{{key}}} or {{}}).",
                money=NOTHING_SENT,
                todo=_DOUBLE,
            )
        return kwargs[key]

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        name = re.split(r"[.[]", field_name, maxsplit=1)[0]
        if name and not name.isdecimal() and name not in kwargs:
            raise _cannot_fill(
                field_name, f"There is no variable {name.strip()!r} in the notebook", kwargs
            )
        try:
            found = super().get_field(field_name, args, kwargs)
        except (ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
            reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
            what = f"{{{field_name}}} cannot be filled in: {reason.rstrip('.')}"
            meant = _attribute_meant(field_name, error)
            raise _cannot_fill(field_name, what, kwargs, meant) from None
        if found[0] is None:
            # A frame that does not exist yet would be left out, and the clip paid for without it.
            raise PromptError(
                f"{{{field_name}}} is None, so it can't be filled in.",
                money=NOTHING_SENT,
                todo="Run the cell that defines it, or remove it.",
            )
        self._field = field_name
        return found

    def format_field(self, value: Any, format_spec: str) -> Any:
        text = super().format_field(value, format_spec)
        no_text = isroutine(value) or isinstance(value, type | ModuleType)
        if no_text or _ADDRESS.search(text):
            # Nobody means that, and with an address it would be another request in every kernel.
            raise PromptError(
                f"{{{self._field}}} is {shorten(text, 60)}, which is no text to fill in.",
                money=NOTHING_SENT,
                todo=_DOUBLE,
            )
        return text


def _attribute_meant(field: str, error: Exception) -> str:
    """Return the field with the attribute that was probably meant, such as ``run.run_id`` for ``run.id``."""
    if not isinstance(error, AttributeError) or not error.name:
        return ""
    # Not `dir`: the object may have its own, which can run any code.
    names = [each for each in object.__dir__(error.obj) if not each.startswith("_")]
    near = get_close_matches(error.name, names, n=1, cutoff=0.5)
    return re.sub(rf"\.{re.escape(error.name)}\b", f".{near[0]}", field, count=1) if near else ""


def _variables(namespace: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that a prompt may mean: neither functions nor modules, nor IPython's own."""
    for name, value in namespace.items():
        own = name.startswith("_") or name in {"In", "Out"}
        if not own and not callable(value) and not isinstance(value, ModuleType):
            yield name


def _cannot_fill(
    field: str, what: str, namespace: Mapping[str, Any], meant: str = ""
) -> PromptError:
    """Return the error for a field, with the correct way to write what was probably meant.

    An f-string accepts any expression between braces, this only names, attributes and keys without quotes.
    """
    name = field.strip()
    plain = re.sub(r"""\[\s*(["'])([^\]]*)\1\s*\]""", r"[\2]", name)
    first = re.split(r"[.[]", name, maxsplit=1)[0]
    if len(name.split()) > 2 and not _is_expression(name):  # such as the template's placeholder
        return PromptError(
            f"{{{name}}} is not a variable.",
            money=NOTHING_SENT,
            todo=f"Replace it and its braces with your text. {_DOUBLE}",
        )
    near = get_close_matches(first, list(_variables(namespace)), n=1)
    if meant and _has_value(meant, namespace):
        todo = f"Did you mean {{{meant}}}?"
    elif plain != field and _has_value(plain, namespace):
        todo = f"Write {{{plain}}}, without {'spaces' if plain == name else 'quotes'}."
    elif _is_expression(name):
        todo = f"Compute it in a cell first: value = {name}. Then write {{value}}."
    elif near:
        todo = f"Did you mean {{{near[0]}}}? {_DOUBLE}"
    else:
        todo = _DOUBLE
    return PromptError(f"{what}.", money=NOTHING_SENT, todo=todo)


def _has_value(field: str, namespace: Mapping[str, Any]) -> bool:
    try:
        return string.Formatter().get_field(field, (), namespace)[0] is not None
    except (ValueError, KeyError, AttributeError, IndexError, TypeError):
        return False


def _is_expression(text: str) -> bool:
    """Return whether Python can compute a text, that is more than one name or one constant."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not isinstance(tree.body, ast.Name | ast.Constant) and any(
        isinstance(node, ast.Name) for node in ast.walk(tree)
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
        For an unknown name, a missing attribute or key, a value that is None, and an unmatched
        brace.
    """
    try:
        return _Filler().vformat(text, (), namespace)
    except PromptError:
        raise
    except (
        ValueError,
        TypeError,
    ) as error:  # a lone brace, or an unsupported format
        raise PromptError(
            f"Invalid field in the prompt: {str(error).rstrip('.')}.",
            money=NOTHING_SENT,
            todo=_DOUBLE,
        ) from None


def value_of(text: str, namespace: Mapping[str, Any]) -> Any:
    """Return the object that an option value references, or the value with its fields filled in.

    ``{frame}`` alone returns the variable itself, so that a picture in memory can be a frame;
    ``{folder}/first.png`` returns text.

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
            return _Filler().get_field(name, (), namespace)[0]
    return fill(text, namespace)
