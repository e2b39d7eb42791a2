"""Answers as values, and the error bodies of both wires."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from hailuo_jupyter.simulator.clock import iso_time
from hailuo_jupyter.simulator.jobs import Wire


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    Parameters
    ----------
    status : int
        HTTP status.
    body : object
        JSON value, or bytes that are sent as they are.
    headers : dict of str
        Further headers.
    cut_after : int or None
        Number of body bytes after which the connection is dropped; the header still promises
        the whole body.
    reset : bool
        Drop it by a reset, as a dead machine or a firewall does.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    reset: bool = False

    def content(self) -> bytes:
        """Return the body's bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()

    def content_type(self) -> str:
        """Return the content type: the header given, else JSON."""
        return self.headers.get("Content-Type", "application/json; charset=utf-8")

    def with_body(self, body: Any, **headers: str) -> Answer:
        """Return the same answer with another body (``Content_Type`` names a header)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, body=body, headers={**self.headers, **named})


class RefusedError(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        What the body says.
    headers : dict of str or None
        Further headers.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def error_answer(
    wire: Wire | None,
    status: int,
    message: str,
    *,
    path: str,
    now: float,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Return an error in the form of a wire.

    Segmind sends ``{"error": text}`` (its Python client reads no other key). AI/ML API sends
    message, path, requestId, statusCode and timestamp; its documentation shows ``statusCode`` as
    a string.
    """
    if wire == "aimlapi":
        body: dict[str, Any] = {
            "message": message,
            "path": path,
            "requestId": str(uuid.uuid4()),
            "statusCode": str(status),
            "timestamp": iso_time(now),
        }
    else:
        body = {"error": message}
    return Answer(status, body, headers or {})


#: What either wire says for a status, where nothing more fitting is known.
MESSAGES = {
    400: "Bad request",
    401: "Invalid API key",
    403: "You do not have permission for this",
    404: "Not found",
    405: "Method not allowed",
    406: "Insufficient credits",
    422: "Validation error",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
}

#: AI/ML API's 403 for an empty account; its text points to the billing page.
OUT_OF_CREDITS = "You have run out of credits. Top up your balance on the billing page."
