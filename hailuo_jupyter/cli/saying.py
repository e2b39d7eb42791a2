"""What a command says: lines that obey nobody, whatever stands in them."""

from __future__ import annotations

import sys

from hailuo_jupyter.plain import harmless


def say(*lines: str) -> None:
    """Print lines."""
    for line in lines:
        sys.stdout.write(f"{harmless(line)}\n")
    sys.stdout.flush()


def complain(*lines: str) -> None:
    """Print lines on standard error, each message on one."""
    for line in lines:
        sys.stderr.write(f"{' '.join(harmless(line).split())}\n")
