"""The body of a submit as the record keeps it: exactly as sent, frames by their hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hailuo_jupyter import redact
from hailuo_jupyter.request import Request


def as_recorded(
    body: Mapping[str, Any], request: Request, frames: Mapping[str, str]
) -> dict[str, Any]:
    """Give a body with every local frame replaced by its hash, and the prompt untouched.

    Parameters
    ----------
    body
        The JSON object that is sent.
    request
        What it asks for; tells which frames are local.
    frames
        ``first`` and ``last`` as they stand in the body: a URL or a data URI.
    """
    shown: dict[str, Any] = {}
    for role, frame in (("first", request.first_frame), ("last", request.last_frame)):
        if frame is not None:
            local = frame.sha256 is not None
            shown[frames[role]] = {"frame": frame.sha256} if local else redact.link(frames[role])
    return {
        name: shown.get(value, value) if isinstance(value, str) and name != "prompt" else value
        for name, value in body.items()
    }
