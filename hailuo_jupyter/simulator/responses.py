"""Responses as values, and checks that refuse requests."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Response:
    """A response.

    Parameters
    ----------
    status : int
        HTTP status.
    body : object
        JSON value, or bytes that are sent unchanged.
    headers : dict of str
        Further headers.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body's bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()

    def content_type(self) -> str:
        """Return the content type: the one in the headers, else JSON."""
        return self.headers.get("Content-Type", "application/json; charset=utf-8")

    def with_body(self, body: Any, **headers: str) -> Response:
        """Return the same response with another body (``Content_Type`` names a header)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, body=body, headers={**self.headers, **named})


class RefusedError(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        The text of the body.
    headers : dict of str or None
        Further headers.
    details : dict of str or None
        The problem of each field, which AI/ML API includes.
    """

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        details: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.details = details or {}


#: The names of this machine. A request with another name was redirected here by it (DNS rebinding).
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def is_foreign(host: str, origin: str | None, own: Collection[str]) -> bool:
    """Check whether a request comes from a web page, or was meant for another machine.

    Parameters
    ----------
    host : str
        Its Host header.
    origin : str or None
        Its Origin header, which browsers send with requests of pages.
    own : collection of str
        The simulator's own addresses.
    """
    try:
        named = urlsplit(f"//{host}").hostname
    except ValueError:
        return True
    return named not in _HERE or (origin is not None and origin not in own)


def proof(token: str, nonce: str) -> str:
    """Return a proof of knowing the token, without revealing it."""
    return hmac.new(token.encode(), nonce.encode(), "sha256").hexdigest()


def key_hash(key: str) -> str:
    """Return a short name for a key, from which the key cannot be recovered."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]
