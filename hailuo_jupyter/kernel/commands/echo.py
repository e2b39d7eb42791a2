"""Output of commands: lines of text, printed on the main thread."""

from __future__ import annotations

from hailuo_jupyter.formatting import escape_control, print_safely


def echo(*lines: str) -> None:
    """Print lines below the cell that runs the command."""
    print_safely(escape_control("\n".join(lines)))
