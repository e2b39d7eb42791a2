"""The README's table, from what the suite has written: `run.py --full --json FILE`, once or twice.

    python tests/benchmarks/table.py FILE [FILE] [--into README.md]

Of two files, the second one's figures stand in brackets: the same, measured again.
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
    # What differs from run to run stands in the goal's words as "(here ...)".
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
    # A count within the words differs from time to time.
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
    """Print the table, or put it in its place."""
    reader = argparse.ArgumentParser(description="the README's table of benchmarks")
    reader.add_argument("files", type=Path, nargs="+", metavar="FILE")
    reader.add_argument("--into", type=Path, help="replace the table that stands in this file")
    given = reader.parse_args(argv)
    first, *others = [json.loads(path.read_text(encoding="utf-8")) for path in given.files[:2]]
    text = table(first["figures"], others[0]["figures"] if others else [])
    if given.into is None:
        sys.stdout.write(text + "\n")
        return
    page = given.into.read_text(encoding="utf-8")
    before, rest = page.split(_BEGIN)
    given.into.write_text(
        f"{before}{_BEGIN}\n{text}\n{_END}{rest.split(_END)[1]}", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
