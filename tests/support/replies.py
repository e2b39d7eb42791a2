"""Answers for the adapters to read."""

from __future__ import annotations

import json
from typing import Any

from hailuo_jupyter.providers.base import Reply


def reply(status: int = 200, body: Any = None, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)
