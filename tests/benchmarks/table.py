"""Write the table of docs/performance.md from the suite's results: `run.py --full --json FILE`.

    python tests/benchmarks/table.py FILE [FILE] [--into docs/performance.md]

With two files, the figures of the second measurement follow in brackets.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

_BEGIN, _END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _both(one: str, other: str | None) -> str:
    return f"{one} ({other})" if other and one else one


def _line(figure: dict[str, Any], again: dict[str, Any] | None) -> str:
    mets = [each["met"] for each in (figure, again) if each is not None]
    met = {(True,): "yes", (False,): "**no**", (None,): ""}.get(tuple(sorted(set(mets), key=str)))
    # Text that differs between measurements is marked "(here ...)" in the goal.
    goal = figure["goal"].partition(" (here")[0]
    other = again or {"ours": None, "peer": None, "ratio": None}
    cells = [
        str(figure["row"]),
        figure["what"],
        f"{_both(_number(figure['ours']), _number(other['ours']))} {figure['unit']}".strip(),
        _both(_number(figure["peer"]), _number(other["peer"])),
        _both(_ratio(figure["ratio"]), _ratio(other["ratio"])),
        goal,
        "once" if met is None else met,
    ]
    return "| " + " | ".join(cells) + " |"


def table(figures: list[dict[str, Any]], again: list[dict[str, Any]]) -> str:
    """Set the figures as a table in Markdown."""
    # Match by position: a number in the text may differ between measurements.
    second = {(each["row"], at): each for at, each in _numbered(again)}
    lines = [
        "| | what | this package | peer | ratio | goal | met |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_line(each, second.get((each["row"], at))) for at, each in _numbered(figures)]
    return "\n".join(lines)


def _numbered(figures: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    counts: dict[int, int] = {}
    found = []
    for each in figures:
        counts[each["row"]] = at = counts.get(each["row"], -1) + 1
        found.append((at, each))
    return found


def main(argv: list[str] | None = None) -> None:
    """Print the table, or replace it in a file."""
    reader = argparse.ArgumentParser(description="write the table of benchmarks")
    reader.add_argument("files", type=Path, nargs="+", metavar="FILE")
    reader.add_argument("--into", type=Path, help="replace the table in this file")
    arguments = reader.parse_args(argv)
    first, *others = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.files[:2]]
    text = table(first["figures"], others[0]["figures"] if others else [])
    if arguments.into is None:
        sys.stdout.write(text + "\n")
        return
    page = arguments.into.read_text(encoding="utf-8")
    before, rest = page.split(_BEGIN)
    arguments.into.write_text(
        f"{before}{_BEGIN}\n{text}\n{_END}{rest.split(_END)[1]}", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
