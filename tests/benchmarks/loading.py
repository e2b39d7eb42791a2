"""Row 2: what `%load_ext` takes in a warm kernel, beside jupyter_ai_magic_commands."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

from bench import Figure, Kernel, median

#: Neither of these may be imported by loading.
_LATER = ("httpx", "ipywidgets", "pydantic", "av", "PIL", "jinja2")

_LOAD = """
import gc, json, psutil, sys, time
from IPython import get_ipython
%config Completer.use_jedi = False
gc.collect()
before, had = psutil.Process().memory_info().rss, set(sys.modules)
began = time.perf_counter()
get_ipython().run_line_magic("load_ext", "{name}")
taken = time.perf_counter() - began
[taken, psutil.Process().memory_info().rss - before, sorted(set(sys.modules) - had)]
"""


def loading(name: str, folder: Path) -> tuple[float, float, list[str]]:
    """Load an extension in a new kernel; gives milliseconds, MiB and what was imported."""
    with Kernel(folder, {}) as kernel:
        kernel.run("1 + 1")
        seconds, size, modules = kernel.value(_LOAD.replace("{name}", name))
    return seconds * 1e3, size / 2**20, modules


def measure(*, full: bool) -> list[Figure]:
    """Load each in new kernels, in turn."""
    peer = "jupyter_ai_magic_commands"
    names = ["hailuo_jupyter", *([peer] if find_spec(peer) else [])]
    found: dict[str, list[tuple[float, float, list[str]]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(8 if full else 4):
            for name in names:
                found[name].append(loading(name, Path(folder) / f"{turn}-{name}"))
    # The first of each fills the system's cache of files.
    ours, theirs = found["hailuo_jupyter"][1:], found.get(peer, [])[1:]
    time, size = (median([each[at] for each in ours]) for at in (0, 1))  # type: ignore[misc]
    early = [name for name in _LATER if name in ours[0][2]]
    beside = [median([each[at] for each in theirs]) if theirs else None for at in (0, 1)]  # type: ignore[misc]
    return [
        Figure(2, "%load_ext, warm kernel", time, beside[0], "ms", "at most 40 ms", time <= 40),
        Figure(2, "%load_ext, memory", size, beside[1], "MiB", "at most 6 MiB", size <= 6),
        Figure(2, "heavy libraries imported", len(early), None, "", "none", not early),
    ]
