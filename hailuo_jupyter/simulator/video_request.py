"""What a submit asks for, after each wire has checked its own fields."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hailuo_jupyter.simulator.answers import RefusedError

#: MiniMax's own limit for prompts; AI/ML API publishes it too, Segmind publishes none.
MAX_PROMPT = 2000


@dataclass(frozen=True)
class VideoRequest:
    """A checked request.

    Parameters
    ----------
    prompt : str
        The text.
    height : int
        768 or 1080: the shorter side in pixels.
    seconds : int
        6 or 10.
    first, last : str or None
        Pictures as they came: an address, a ``data:`` URI or bare base64.
    sampled : bool
        Whether the first frame is the provider's published sample, not the user's.
    price : float
        US dollars.
    median : float
        Virtual seconds that such a job usually takes.
    failure : str or None
        Why it will fail although it is accepted.
    """

    prompt: str
    height: int
    seconds: int
    first: str | None
    last: str | None
    price: float
    median: float
    sampled: bool = False
    failure: str | None = None


def read_json_object(content: bytes, status: int = 400) -> dict[str, Any]:
    """Return a request body's JSON object.

    Raises
    ------
    RefusedError
        If the body is no JSON (``NaN`` and the like are none), or no object.
    """
    try:
        body = json.loads(content, parse_constant=_refuse_constant)
    # Very deep and very long numbers are a client's mistakes as well.
    except (ValueError, RecursionError) as problem:
        raise RefusedError(status, "the body is not valid JSON") from problem
    if not isinstance(body, dict):
        raise RefusedError(status, f"expected a JSON object, received {type_name(body)}")
    return body


def type_name(value: object) -> str:
    """Return what JSON calls the type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "unknown")


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")
