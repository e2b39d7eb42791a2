"""``%hailuo sinks``: where ended runs are sent besides, and how that goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter.kernel.commands.saying import say
from hailuo_jupyter.kernel.options import Line, Option
from hailuo_jupyter.kernel.words import harmless
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks.standing import standing

OPTIONS: dict[str, tuple[Option, ...]] = {}


def _sinks(_read: Line, _ip: Any) -> None:
    settings = Hailuo.instance()
    found = standing(settings)
    width = max(len(each.name) for each in found)
    for each in found:
        said = f"{each.words.rstrip('.')}. {each.todo}".strip() if each.todo else each.words
        say(harmless(f"{'*' if each.chosen else ' '} {each.name:<{width}}  {said}"))
    say(
        "Record and clip of each run that ends go to the sinks marked *; keys never."
        if settings.sinks
        else "Nothing is sent anywhere. %config Hailuo.sinks = ['mlflow'] sets one."
    )


DO: dict[str, Callable[[Line, Any], None]] = {"sinks": _sinks}
