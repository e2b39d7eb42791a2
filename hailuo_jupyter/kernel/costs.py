"""What was spent, in words: the lines and the table of ``%hailuo cost`` and ``jupyter hailuo cost``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hailuo_jupyter.engine.budget import Budget, budgets
from hailuo_jupyter.kernel.words import harmless, shortened, usd
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.spending import Spending, Split
from hailuo_jupyter.settings import Hailuo

#: Lines of each part; older days and smaller notebooks are added up in one more.
_MOST = 14

_HEAD = ("", "Runs", "Charged", "Estimated", "Under way", "Maybe", "Total")

_LEGEND = (
    "USD. Charged: as the provider says. Estimated: bought, the cost not told (yet); the high end of "
    "the estimate counts, as it does for what is under way and for what may have been bought (no "
    "answer came). * rests, in part or in whole, on prices that nobody publishes and we inferred."
)


@dataclass(frozen=True)
class Part:
    """Sums of one kind: a heading, and a name with its sums for each line."""

    heading: str
    lines: tuple[tuple[str, Spending], ...]


@dataclass(frozen=True)
class Report:
    """What was spent, and what is left.

    Parameters
    ----------
    scope
        Whose runs, in words.
    whole
        All of them.
    parts
        The same by day, provider and notebook.
    budgets
        Those that are set.
    """

    scope: str
    whole: Spending
    parts: tuple[Part, ...]
    budgets: tuple[Budget, ...]

    def lines(self) -> list[str]:
        """Give the report as text."""
        if not self.whole.runs:
            return [f"Nothing was spent: {self.scope}.", *self.remarks()]
        rows = [("", _HEAD), *((part.heading, row) for part in self.parts for row in _rows(part))]
        rows.append(("", ("All", *_figures(self.whole))))
        widths = [max(len(row[place]) for _, row in rows) for place in range(len(_HEAD))]
        said, before = [f"Spent, {self.scope}:"], ""
        for heading, row in rows:
            if heading and heading != before:
                said.append(f"{heading}:")
            before = heading or before
            cells = (text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
            said.append(f"  {row[0]:<{widths[0]}}  {'  '.join(cells)}".rstrip())
        return [*said, _LEGEND, *self.remarks()]

    def remarks(self) -> list[str]:
        """Say what no table shows: unknown prices and budgets."""
        said: list[str] = []
        if self.whole.unknown:
            said.append(
                f"{self.whole.unknown} run(s) have a price that nobody knows; they are in no sum. "
                "Hailuo.prices_usd takes your own."
            )
        for each in self.budgets:
            left = max(each.left, 0.0)
            said.append(
                f"Budget for {each.whose} (Hailuo.{each.setting}): {usd(each.limit)} USD; "
                f"{usd(each.spending.total)} spent or reserved, {usd(left)} left."
            )
        if not self.budgets:
            said.append(
                "No budget is set (%config Hailuo.budget_notebook_usd, Hailuo.budget_day_usd)."
            )
        return said

    def html(self) -> str:
        """Give the report as a table."""
        from hailuo_jupyter.kernel.bundle import templates

        parts = [(part.heading, _rows(part)) for part in self.parts]
        return (
            templates()
            .get_template("cost.html.j2")
            .render(
                scope=self.scope,
                head=_HEAD[1:],
                parts=parts,
                whole=_figures(self.whole) if self.whole.runs else (),
                legend=_LEGEND,
                remarks=self.remarks(),
            )
        )

    def as_json(self) -> dict[str, object]:
        """Give the report as JSON."""
        return {
            "scope": self.scope,
            "currency": "USD",
            "whole": _as_json(self.whole),
            "parts": {
                part.heading: {name: _as_json(each) for name, each in part.lines}
                for part in self.parts
            },
            "budgets": [
                {"setting": each.setting, "limit": each.limit, "counted": each.spending.total,
                 "left": each.left}
                for each in self.budgets
            ],
        }  # fmt: skip


def report(
    log: RunLog, settings: Hailuo, now: float, *, notebook: tuple[str | None, ...] | None
) -> Report:
    """Add up what was spent.

    Parameters
    ----------
    log
        The user's own run log: what the demo makes costs nothing.
    settings
        Tells the budgets.
    now
        Seconds since 1970.
    notebook
        The id of the one notebook that is meant, alone in a tuple; None for all.
    """
    here = {} if notebook is None else {"in_notebook": True, "notebook_id": notebook[0]}

    def sums(by: Split) -> dict[str | None, Spending]:
        found = log.spending(by=(by,), **here)  # type: ignore[arg-type]
        return {key: each for (key,), each in found.items()}

    parts = [
        Part("By day", _shortened(sums("day"), newest=True)),
        Part("By provider", _shortened(sums("provider"))),
    ]
    if notebook is None:
        titled = _shortened(sums("notebook"), lambda key: _notebook(log, key))
        parts.append(Part("By notebook", titled))
    whole = log.spending(**here).get((), Spending())  # type: ignore[arg-type]
    notebook_id = None if notebook is None else notebook[0]
    standing = budgets(settings, log, notebook_id, now)
    if notebook is None:  # no notebook is meant, so none has a budget here
        standing = [each for each in standing if each.setting == "budget_day_usd"]
    scope = "all notebooks" if notebook is None else "this notebook"
    return Report(scope, whole, tuple(parts), tuple(standing))


def _shortened(
    sums: Mapping[str | None, Spending],
    named: Callable[[str | None], str] = lambda key: key or "",
    *,
    newest: bool = False,
) -> tuple[tuple[str, Spending], ...]:
    """Give the newest or the dearest lines, and the rest in one."""
    if newest:
        ordered = sorted(sums.items(), key=lambda each: each[0] or "", reverse=True)
    else:
        ordered = sorted(sums.items(), key=lambda each: (-each[1].total, each[0] or ""))
    lines = [(named(key), each) for key, each in ordered[:_MOST]]
    if rest := ordered[_MOST:]:
        lines.append((f"{len(rest)} more", sum((each for _, each in rest), Spending())))
    return tuple(lines)


def _notebook(log: RunLog, key: str | None) -> str:
    if key is None:
        return "no notebook"
    # Two notebooks may have the same name.
    path = log.notebook_path(key)
    return f"{shortened(harmless(path), 40)} ({key[:8]})" if path else key[:8]


def _rows(part: Part) -> list[tuple[str, ...]]:
    # Ids and providers may come from a stranger's notebook or record.
    return [(shortened(harmless(name), 60), *_figures(each)) for name, each in part.lines]


def _figures(each: Spending) -> tuple[str, ...]:
    mark = "*" if each.inferred else ""
    amounts = (each.charged, each.estimated, each.reserved, each.maybe)
    return (str(each.runs), *(usd(amount) if amount else "-" for amount in amounts),
            f"{usd(each.total)}{mark}")  # fmt: skip


def _as_json(each: Spending) -> dict[str, float | int]:
    amounts = {
        name: round(getattr(each, name), 6)
        for name in ("charged", "estimated", "reserved", "maybe", "inferred", "total")
    }
    return {"runs": each.runs, "unknown": each.unknown, **amounts}
