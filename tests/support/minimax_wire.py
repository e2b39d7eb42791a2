"""MiniMax's adapter at its usual address, and answers for it to read."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.providers.base import Reply
from hailuo_jupyter.providers.minimax import MiniMax
from tests.support.replies import reply

MINIMAX = catalogue.provider("minimax")
API = "https://api.minimax.io"
WIRE = MiniMax(MINIMAX, {"api": API})
JOB = "176843862716480"
CLIP = "https://cdn.hailuoai.video/moss/prod/output_aigc.mp4?Expires=1795176000&Signature=x"


def answer(code: int = 0, message: str = "success", http: int = 200, **more: Any) -> Reply:
    """Return an answer with a code of MiniMax's own, as the engine sees it."""
    base = {"status_code": code, "status_msg": message}
    return WIRE.translated(reply(http, {**more, "base_resp": base}))


def status(word: str, code: int = 0, message: str = "success", **more: Any) -> Reply:
    """Return the status of the job."""
    return answer(code, message, **{"task_id": JOB, "status": word, "file_id": "", **more})
