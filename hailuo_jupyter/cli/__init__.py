"""``jupyter hailuo …``: what can be done with notebooks and runs from a command line."""

from hailuo_jupyter.cli.main import main

__all__ = ["main"]
