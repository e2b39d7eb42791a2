"""MiniMax Hailuo video from a notebook: ``%load_ext hailuo_jupyter``, then ``%%hailuo``.

Loading imports next to nothing; what a command needs is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hailuo_jupyter import startup as _startup  # noqa: F401 -- it reads the working directory now

if TYPE_CHECKING:
    from hailuo_jupyter.engine.run import Run
    from hailuo_jupyter.errors import HailuoError
    from hailuo_jupyter.kernel.generate import generate
    from hailuo_jupyter.kernel.join import join
    from hailuo_jupyter.kernel.panel import panel
    from hailuo_jupyter.kernel.quote import quote
    from hailuo_jupyter.kernel.rerun import rerun
    from hailuo_jupyter.kernel.runs import runs
    from hailuo_jupyter.kernel.runs.compare import compare
    from hailuo_jupyter.kernel.sweep import sweep

__version__ = "0.1.0"

__all__ = [
    "HailuoError",
    "Run",
    "__version__",
    "compare",
    "generate",
    "join",
    "panel",
    "quote",
    "rerun",
    "runs",
    "sweep",
]

_HOMES = {
    "HailuoError": "hailuo_jupyter.errors",
    "Run": "hailuo_jupyter.engine.run",
    "compare": "hailuo_jupyter.kernel.runs.compare",
    "generate": "hailuo_jupyter.kernel.generate",
    "join": "hailuo_jupyter.kernel.join",
    "panel": "hailuo_jupyter.kernel.panel",
    "quote": "hailuo_jupyter.kernel.quote",
    "runs": "hailuo_jupyter.kernel.runs",
    "rerun": "hailuo_jupyter.kernel.rerun",
    "sweep": "hailuo_jupyter.kernel.sweep",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # Not the modules and names of this file, which Tab would offer.
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def load_ipython_extension(ip: Any) -> None:
    """Load the extension: IPython calls this for ``%load_ext hailuo_jupyter``."""
    from hailuo_jupyter.kernel.extension import load

    load(ip)


def unload_ipython_extension(ip: Any) -> None:
    """Unload the extension: IPython calls this for ``%unload_ext hailuo_jupyter``."""
    from hailuo_jupyter.kernel.extension import unload

    unload(ip)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Load the server extension: Jupyter Server calls this."""
    from hailuo_jupyter.server_extension import extension_points

    return extension_points()
