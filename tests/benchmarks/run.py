"""The benchmark suite: one table of what this package takes, beside its peers, and what it may take.

    python tests/benchmarks/run.py [--rows 2,3,5] [--full [ROWS]] [--json FILE] [--figures FOLDER]

Every figure of a row is measured in one run, ours and the peer's in turn, so that the ratio holds
where the machine is busy; the load when a row begins goes into the JSON. The peers come with the extra
``benchmarks``; what is missing is left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

#: Row: the module that measures it, and what it is about.
ROWS = {
    1: ("polling", "looks at a job, and how late its end is known"),
    2: ("loading", "%load_ext in a warm kernel"),
    3: ("returning", "from Enter to the cell's return"),
    4: ("page_delay", "from completion to the clip in the page"),
    5: ("in_flight", "10, 100 and 1,000 runs at once in a kernel"),
    6: ("busy", "a clip that is done while the kernel is busy"),
    7: ("downloading", "download of a long clip"),
    8: ("opening", "opening a notebook with many runs"),
    9: ("runlog", "the run log with 1,000 to 100,000 runs"),
    10: ("restarting", "taking over 500 unfinished runs"),
    11: ("ending", "from a job's end to the clip on disk, beside other ways to wait"),
    12: ("limits", "rate limits that nobody knows, in virtual time"),
}


def _rows(given: str) -> list[int]:
    rows = [int(each) for each in given.split(",")]
    if unknown := sorted(set(rows) - set(ROWS)):
        raise argparse.ArgumentTypeError(f"there is no row {unknown[0]}")
    return rows


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    reader = argparse.ArgumentParser(
        description="What hailuo-jupyter takes, beside its peers.",
        epilog="rows:\n" + "\n".join(f"{row:>4}  {about}" for row, (_, about) in ROWS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reader.add_argument("--rows", type=_rows, default=list(ROWS), help="e.g. 2,3,5; all by default")
    reader.add_argument(
        "--full",
        type=_rows,
        nargs="?",
        const=list(ROWS),
        default=[],
        metavar="ROWS",
        help="longer, larger and more often; of all rows, or of these",
    )
    reader.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")
    reader.add_argument("--figures", type=Path, metavar="FOLDER", help="draw curves (matplotlib)")
    return reader.parse_args(argv)


def line(each: dict[str, Any]) -> str:
    """Set a figure as a line of the table."""
    peer = "" if each["peer"] is None else f"{each['peer']:.4g}"
    ratio = "" if each["ratio"] is None else f"{each['ratio']:.2f}"
    met = {None: "", True: "yes", False: "NO"}[each["met"]]
    ours = f"{each['ours']:.4g} {each['unit']}".strip()
    return f"{each['row']:>3}  {each['what']:<50}{ours:>11}{peer:>9}  {ratio:>6}  {met:<4}  {each['goal']}"


def main(argv: list[str] | None = None) -> None:
    """Measure the rows, and print."""
    given = arguments(argv)
    found: list[dict[str, Any]] = []
    say = sys.stdout.write
    say(f"{'row':>3}  {'what':<50}{'ours':>11}{'peer':>9}  {'ratio':>6}  met?  goal\n")
    for row in given.rows:
        module, _ = ROWS[row]
        load = os.getloadavg()[0]
        measured = importlib.import_module(module)
        # Some have a command and a `measure` of their own, and give the suite a part of it.
        measure = getattr(measured, "measure_row", None) or measured.measure
        for figure in measure(full=row in given.full):
            found.append({**asdict(figure), "ratio": figure.ratio, "load": load})
            say(line(found[-1]) + "\n")
        sys.stdout.flush()
        if given.figures and hasattr(measured, "figure"):
            given.figures.mkdir(parents=True, exist_ok=True)
            measured.figure(given.figures / f"{module}.svg", 400)
    if given.json:
        machine = {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
        }
        document = {"machine": machine, "full": given.full, "figures": found}
        given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
