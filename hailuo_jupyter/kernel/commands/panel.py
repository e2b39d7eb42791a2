"""``%hailuo panel``: the form that makes the same requests as ``%%hailuo``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter.kernel.options import Line, Option
from hailuo_jupyter.kernel.panel.panel import panel

OPTIONS: dict[str, tuple[Option, ...]] = {}


def _panel(_read: Line, _ip: Any) -> None:
    panel()


DO: dict[str, Callable[[Line, Any], None]] = {"panel": _panel}
