"""MiniMax Hailuo-02 video from a notebook: ``%load_ext hailuo_jupyter``, then ``%%hailuo``.

Loading imports next to nothing; what a command needs comes with its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hailuo_jupyter.engine.run import Run
    from hailuo_jupyter.errors import HailuoError
    from hailuo_jupyter.kernel.comparison import compare
    from hailuo_jupyter.kernel.generate import generate
    from hailuo_jupyter.kernel.panel.panel import panel
    from hailuo_jupyter.kernel.rerun import rerun
    from hailuo_jupyter.kernel.runs import runs
    from hailuo_jupyter.kernel.scene import join
    from hailuo_jupyter.kernel.sweep.sweep import sweep

__version__ = "0.1.0"

__all__ = [
    "HailuoError",
    "Run",
    "__version__",
    "compare",
    "generate",
    "join",
    "panel",
    "rerun",
    "runs",
    "sweep",
]

_HOMES = {
    "HailuoError": "hailuo_jupyter.errors",
    "Run": "hailuo_jupyter.engine.run",
    "compare": "hailuo_jupyter.kernel.comparison",
    "generate": "hailuo_jupyter.kernel.generate",
    "join": "hailuo_jupyter.kernel.scene",
    "panel": "hailuo_jupyter.kernel.panel.panel",
    "runs": "hailuo_jupyter.kernel.runs",
    "rerun": "hailuo_jupyter.kernel.rerun",
    "sweep": "hailuo_jupyter.kernel.sweep.sweep",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def load_ipython_extension(ip: Any) -> None:
    """Do ``%load_ext hailuo_jupyter``: IPython calls this."""
    from hailuo_jupyter.kernel.extension import load

    load(ip)


def unload_ipython_extension(ip: Any) -> None:
    """Do ``%unload_ext hailuo_jupyter``: IPython calls this."""
    from hailuo_jupyter.kernel.extension import unload

    unload(ip)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Do what makes the package a server extension: Jupyter Server calls this."""
    from hailuo_jupyter.server_extension import extension_points

    return extension_points()
