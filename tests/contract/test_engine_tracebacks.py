"""A defect below the HTTP seam, logged by the engine with local variables: no key in it."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest
from rich.console import Console
from rich.logging import RichHandler

from tests.support.engine_fixture import KEYS, EngineFixture, eventually


@pytest.mark.parametrize(
    ("provider", "variable"), [("segmind", "SEGMIND_API_KEY"), ("aimlapi", "AIML_API_KEY")]
)
def test_the_log_of_a_defect_shows_no_key(
    lab: EngineFixture, monkeypatch: pytest.MonkeyPatch, provider: str, variable: str
) -> None:
    # Nothing real brings one about.
    async def write(_self: Any, buffer: bytes, timeout: float | None = None) -> None:
        assert KEYS[variable].encode() in buffer
        raise TypeError("a defect")

    monkeypatch.setattr("httpcore._backends.anyio.AnyIOStream.write", write)
    shown = io.StringIO()
    handler = RichHandler(
        console=Console(file=shown, width=300),
        rich_tracebacks=True,
        tracebacks_show_locals=True,
        tracebacks_max_frames=0,
        locals_max_length=None,
        locals_max_string=None,
    )
    logger = logging.getLogger("hailuo_jupyter")
    logger.addHandler(handler)
    try:
        run = lab.place(lab.engine(), provider=provider)
        eventually(lambda: run.record.problem is not None)
    finally:
        logger.removeHandler(handler)
    said = shown.getvalue()
    assert "TypeError: a defect" in said
    assert "locals" in said
    assert KEYS[variable] not in said
    assert KEYS[variable][3:] not in said
    assert run.record.problem is not None
    assert run.record.problem.what == "Internal error in hailuo-jupyter (TypeError)."
