"""How a command answers: lines of text, printed on the main thread."""

from __future__ import annotations

from hailuo_jupyter.plain import harmless


def say(*lines: str) -> None:
    """Print lines below the cell that runs the command."""
    print(harmless("\n".join(lines)))  # noqa: T201 - what a command answers
