"""Spending, in words: the lines and the table of ``%hailuo cost`` and ``jupyter hailuo cost``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hailuo_jupyter.engine.budget import Budget, budgets, disputed
from hailuo_jupyter.formatting import count, dollars, escape_control, shorten, usd
from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.runlog import RunLog
from hailuo_jupyter.runlog.spending import Spending, Split
from hailuo_jupyter.settings import Hailuo

#: Maximum lines of each part; older days and smaller notebooks are added up in one more line.
_MOST = 14

_HEAD = ("", "Runs", "Charged", "Estimated", "Pending", "Unconfirmed", "Total")

_LEGEND = (
    "All in USD. Charged: reported by the provider. Estimated: not reported yet; the upper "
    "estimate is used, also for pending and unconfirmed runs. Failed runs count as the "
    "provider's pricing pages say. * includes unpublished prices that we estimated."
)


@dataclass(frozen=True)
class CostGroup:
    """Sums of one kind: a heading, and lines with a name and its sums."""

    heading: str
    lines: tuple[tuple[str, Spending], ...]


@dataclass(frozen=True)
class CostReport:
    """What was spent, and what remains.

    Parameters
    ----------
    scope
        The notebooks, in words.
    whole
        The sum of all runs.
    parts
        The same by day, provider and notebook.
    budgets
        The budgets that are set.
    elsewhere
        Runs from elsewhere: imported, or found next to clips.
    """

    scope: str
    whole: Spending
    parts: tuple[CostGroup, ...]
    budgets: tuple[Budget, ...]
    elsewhere: Spending = field(default_factory=Spending)

    def lines(self) -> list[str]:
        """Return the report as text."""
        if not self.whole.runs:
            return [f"{self.scope.capitalize()}: $0.00 spent.", *self.remarks()]
        rows = [("", _HEAD), *((part.heading, row) for part in self.parts for row in _rows(part))]
        rows.append(("", ("All", *_figures(self.whole))))
        widths = [max(len(row[place]) for _, row in rows) for place in range(len(_HEAD))]
        report, before = [f"Spent, {self.scope}:"], ""
        for heading, row in rows:
            if heading and heading != before:
                report.append(f"{heading}:")
            before = heading or before
            cells = (text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
            report.append(f"  {row[0]:<{widths[0]}}  {'  '.join(cells)}".rstrip())
        return [*report, _LEGEND, *self.remarks()]

    def remarks(self) -> list[str]:
        """Return the lines that are not in a table: unknown prices and budgets."""
        sentences: list[str] = []
        if self.whole.unknown:
            sentences.append(
                f"{count(self.whole.unknown, 'run')} with an unknown price, not in the totals. "
                "Set your own price in Hailuo.prices_usd."
            )
        if self.whole.disputed:
            sentences.append(disputed(self.whole.disputed))
        if self.elsewhere.runs:
            sentences.append(
                f"{count(self.elsewhere.runs, 'imported run')} ({dollars(self.elsewhere.total)}) "
                "not counted in any budget until the provider confirms the jobs with your key."
            )
        for each in self.budgets:
            left = max(each.left, 0.0)
            sentences.append(
                f"Budget for {each.whose} (Hailuo.{each.setting}): {dollars(each.limit)}; "
                f"{dollars(each.spending.total)} spent or reserved, {dollars(left)} left."
            )
        if not self.budgets:
            sentences.append(
                "No budget is set (in a notebook: %config Hailuo.budget_notebook_usd, Hailuo.budget_day_usd)."
            )
        return sentences

    def html(self) -> str:
        """Return the report as a table."""
        from hailuo_jupyter.kernel.display.bundle import templates

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
        """Return the report as JSON."""
        return {
            "scope": self.scope,
            "currency": "USD",
            "whole": _as_json(self.whole),
            "elsewhere": _as_json(self.elsewhere),
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


def cost_report(
    log: RunLog,
    settings: Hailuo,
    now: float,
    *,
    notebook: tuple[str | None, ...] | None,
    present: Notebook | None = None,
) -> CostReport:
    """Add up what was spent.

    Parameters
    ----------
    log
        The user's own run log: the demo's clips cost nothing.
    settings
        Contain the budgets.
    now
        Seconds since 1970.
    notebook
        A tuple with the id of one notebook; None for all.
    present
        The notebook that asks: its runs go by its name of today.
    """
    here = {} if notebook is None else {"in_notebook": True, "notebook_id": notebook[0]}

    def sums(by: Split) -> dict[str | None, Spending]:
        found = log.spending(by=(by,), **here)  # type: ignore[arg-type]
        return {key: each for (key,), each in found.items()}

    parts = [
        CostGroup("By day", _shortened(sums("day"), newest=True)),
        CostGroup("By provider", _shortened(sums("provider"))),
    ]
    if notebook is None:
        own = log.notebook_ids((present.id, *present.aliases)) if present else []
        names = {} if present is None or present.name is None else dict.fromkeys(own, present.name)
        titled = _shortened(sums("notebook"), lambda key: _notebook(log, key, names))
        parts.append(CostGroup("By notebook", titled))
    whole = log.spending(**here).get((), Spending())  # type: ignore[arg-type]
    notebook_id = None if notebook is None else notebook[0]
    standing = budgets(settings, log, notebook_id, now)
    if notebook is None:  # no notebook is selected, so its budget does not apply
        standing = [each for each in standing if each.setting == "budget_day_usd"]
    scope = "all notebooks" if notebook is None else "this notebook"
    elsewhere = log.spending(elsewhere=True, **here).get((), Spending())  # type: ignore[arg-type]
    return CostReport(scope, whole, tuple(parts), tuple(standing), elsewhere)


def _shortened(
    sums: Mapping[str | None, Spending],
    named: Callable[[str | None], str] = lambda key: key or "",
    *,
    newest: bool = False,
) -> tuple[tuple[str, Spending], ...]:
    """Return the newest or the most expensive lines, and the rest in one."""
    if newest:
        ordered = sorted(sums.items(), key=lambda each: each[0] or "", reverse=True)
    else:
        ordered = sorted(sums.items(), key=lambda each: (-each[1].total, each[0] or ""))
    lines = [(named(key), each) for key, each in ordered[:_MOST]]
    if rest := ordered[_MOST:]:
        lines.append((f"{len(rest)} more", sum((each for _, each in rest), Spending())))
    return tuple(lines)


def _notebook(log: RunLog, key: str | None, names: Mapping[str, str]) -> str:
    if key is None:
        return "no notebook"
    # Two notebooks may have the same name.
    path = names.get(key) or log.notebook_path(key)
    return f"{shorten(escape_control(path), 40)} ({key[:8]})" if path else key[:8]


def _rows(part: CostGroup) -> list[tuple[str, ...]]:
    # Ids and providers may come from a foreign notebook or record.
    return [(shorten(escape_control(name), 60), *_figures(each)) for name, each in part.lines]


def _figures(each: Spending) -> tuple[str, ...]:
    mark = "*" if each.inferred else ""
    amounts = (each.charged, each.estimated, each.reserved, each.maybe)
    return (str(each.runs), *(usd(amount) if amount else "-" for amount in amounts),
            f"{usd(each.total)}{mark}")  # fmt: skip


def _as_json(each: Spending) -> dict[str, float | int]:
    amounts = {
        name: round(getattr(each, name), 6)
        for name in ("charged", "estimated", "reserved", "maybe", "inferred", "disputed", "total")
    }
    return {"runs": each.runs, "unknown": each.unknown, **amounts}
