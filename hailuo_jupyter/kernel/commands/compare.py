"""``%hailuo compare`` and ``join``: several clips at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel.commands.naming import run_of
from hailuo_jupyter.kernel.commands.saying import say
from hailuo_jupyter.kernel.options import Line, Option, Takes
from hailuo_jupyter.kernel.prompt import fill

OPTIONS: dict[str, tuple[Option, ...]] = {
    "compare": (),
    "join": (
        Option("output", Takes.FILE, "the file to write, as -o", "FILE.mp4"),
        Option("replace", Takes.NOTHING, "write in place of a file that this did not make"),
    ),
}


def _compare(read: Line, ip: Any) -> None:
    from hailuo_jupyter.kernel.comparison import compare

    compare(*(run_of(word, ip) for word in read.words))


def _join(read: Line, ip: Any) -> None:
    from hailuo_jupyter.kernel import scene

    words, target = list(read.words), read.text("output")
    if "-o" in words and target is None:
        at = words.index("-o")
        target = words[at + 1] if at + 1 < len(words) else None
        del words[at : at + 2]
    if target is None or len(words) < 2:
        raise OptionError("It is written: %hailuo join RUN RUN... -o FILE.mp4.")
    clips = [word if scene.is_file(word) else run_of(word, ip) for word in words]
    made = scene.join(clips, fill(target, ip.user_ns), replace=read.flag("replace"))
    if hasattr(ip, "kernel"):
        from IPython.display import display

        display(made)  # type: ignore[no-untyped-call]
    else:
        say(repr(made))


DO: dict[str, Callable[[Line, Any], None]] = {"compare": _compare, "join": _join}
