"""Runware's adapter at its usual address."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.providers.runware import Runware
from tests.support.replies import reply

RUNWARE = catalogue.provider("runware")
API = "https://api.runware.ai/v1"
WIRE = Runware(RUNWARE, {"api": API})
JOB = "50836053-a0ee-4cf5-b9d6-ae7c5d140ada"
CLIP = "https://vm.runware.ai/video/ws/5/vi/abc.mp4"


def entry(status: int = 200, **more: Any) -> Reply:
    """Return an answer with one entry."""
    return reply(status, {"data": [{"taskType": "videoInference", "taskUUID": JOB, **more}]})


def errors(http: int, code: str, message: str = "no", **more: Any) -> Reply:
    """Return an answer with one error."""
    error = {"code": code, "message": message, "taskUUID": JOB, **more}
    return reply(http, {"data": [], "errors": [error]})
