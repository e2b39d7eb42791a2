"""``%hailuo compare`` and ``join``: several clips at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hailuo_jupyter.errors import OptionError
from hailuo_jupyter.kernel.commands.echo import echo
from hailuo_jupyter.kernel.commands.resolve_run import resolve_run
from hailuo_jupyter.kernel.magic_args import Option, OptionLine, Takes
from hailuo_jupyter.kernel.prompt import fill

OPTIONS: dict[str, tuple[Option, ...]] = {
    "compare": (),
    "join": (
        Option("output", Takes.FILE, "file to write (same as -o)", "FILE.mp4", suffixes=(".mp4",)),
        Option("replace", Takes.NOTHING, "overwrite a file that this command did not make"),
    ),
}


def _compare(read: OptionLine, ip: Any) -> None:
    from hailuo_jupyter.kernel.runs.compare import compare

    compare(*(resolve_run(word, ip) for word in read.words))


def _join(read: OptionLine, ip: Any) -> None:
    from hailuo_jupyter.kernel import join as joining

    words, target = list(read.words), read.text("output")
    if "-o" in words and target is None:
        index = words.index("-o")
        target = words[index + 1] if index + 1 < len(words) else None
        del words[index : index + 2]
    if target is None or len(words) < 2:
        raise OptionError("Usage: %hailuo join RUN RUN... -o FILE.mp4")
    clips = [word if joining.is_file(word) else resolve_run(word, ip) for word in words]
    made = joining.join(clips, fill(target, ip.user_ns), replace=read.flag("replace"))
    if hasattr(ip, "kernel"):
        from IPython.display import display

        display(made)  # type: ignore[no-untyped-call]
    else:
        echo(repr(made))


DO: dict[str, Callable[[OptionLine, Any], None]] = {"compare": _compare, "join": _join}
