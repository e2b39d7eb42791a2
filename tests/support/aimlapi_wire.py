"""AI/ML API's adapter at its usual address, and refusals for it to read."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.providers.aimlapi import AimlApi
from hailuo_jupyter.providers.base import Reply
from tests.support.replies import reply

AIMLAPI = catalogue.provider("aimlapi")
API = "https://api.aimlapi.com"
WIRE = AimlApi(AIMLAPI, {"api": API})
PATHS = {"legacy": "/v2/generate/video/minimax/generation", "unified": "/v2/video/generations"}
CLIP = "https://cdn.aimlapi.com/clip.mp4?Expires=1750446300&OSSAccessKeyId=abc&Signature=def%3D"


def refused(status: int, message: str, code: Any = None) -> Reply:
    return reply(
        status,
        {
            "message": message,
            "path": PATHS["legacy"],
            "requestId": "6f1c",
            "statusCode": str(status) if code is None else code,
            "timestamp": "2026-11-20T12:00:00.000Z",
        },
    )
