"""Replicate's adapter at its usual address, and predictions for it to read."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.providers.replicate import Replicate
from tests.support.replies import reply

REPLICATE = catalogue.provider("replicate")
API = "https://api.replicate.com"
WIRE = Replicate(REPLICATE, {"api": API})
JOB = "gm3qorzdhgbfurvjtvhg6dckhu"
CLIP = "https://replicate.delivery/pbxt/abc/output.mp4"


def prediction(status: str, code: int = 200, **more: Any) -> Reply:
    """Return the answer with a prediction in a state."""
    usual = {
        "id": JOB,
        "model": "minimax/hailuo-02",
        "input": {"prompt": "a cat"},
        "logs": "",
        "output": None,
        "error": None,
        "created_at": "2026-11-20T12:00:00.000Z",
        "started_at": None,
        "data_removed": False,
    }
    return reply(code, {**usual, "status": status, **more})


def refused(status: int, detail: str, title: str = "") -> Reply:
    """Return a problem document."""
    return reply(status, {"title": title, "detail": detail, "status": status})
