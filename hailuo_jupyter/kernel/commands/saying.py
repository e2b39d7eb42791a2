"""How a command answers: lines of text, printed on the main thread."""

from __future__ import annotations


def say(*lines: str) -> None:
    """Print lines below the cell that runs the command."""
    print("\n".join(lines))  # noqa: T201 - what a command answers
