"""``jupyter hailuo join``: clips put together into one file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add it to the parser of ``jupyter hailuo``."""
    join = commands.add_parser(
        "join",
        help="put clips together into one file",
        description="Puts the clips of runs, or MP4 files, together in order: copied as they are where "
        "their streams agree, else encoded anew. Writes a JSON beside the file that says what it is "
        "made of. Sends nothing; a run's clip is never written over.",
        allow_abbrev=False,
    )
    join.add_argument(
        "clips", nargs="+", metavar="RUN|FILE.mp4", help="two or more, ids or parts of these"
    )
    join.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.mp4", help="the file to write"
    )
    join.add_argument(
        "--replace", action="store_true", help="write in place of a file that this did not make"
    )


def join(arguments: argparse.Namespace) -> int:
    """Do ``join``."""
    from hailuo_jupyter.kernel import scene
    from hailuo_jupyter.kernel.words import harmless

    made = scene.join(arguments.clips, arguments.output, replace=arguments.replace)
    sys.stdout.write("".join(f"{harmless(line)}\n" for line in made.lines()))
    return 0


DO: dict[str, Callable[[argparse.Namespace], int]] = {"join": join}
