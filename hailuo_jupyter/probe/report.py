"""The result of a probe: rows for a person and a JSON document for a bug report, without personal data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hailuo_jupyter import __version__
from hailuo_jupyter.catalogue.types import Provider

#: Name of the format; incremented when a field changes its meaning.
FORM = "hailuo-probe/1"

Verdict = Literal["as expected", "differs", "answered", "not answered", "not asked"]


@dataclass(frozen=True)
class Row:
    """One check of a probe.

    Parameters
    ----------
    check
        What was checked.
    verdict
        ``as expected`` and ``differs`` compare with the adapter; ``answered`` is an open question with
        an answer.
    note
        The answer, or why there is none, in this package's own words.
    status
        The answer's status code.
    content_type
        Its media type.
    fields
        Types of its fields by their paths; see `shape.fields`.
    missing, new
        Fields that the adapter expects and that were missing or of another type; fields that it does
        not read.
    states, headers
        States and names of headers in it.
    """

    check: str
    verdict: Verdict
    note: str = ""
    status: int | None = None
    content_type: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """All rows, and the provider."""

    provider: Provider
    rows: Sequence[Row]
    own_address: bool

    @property
    def ok(self) -> bool:
        """Whether every check was answered as the adapter expects."""
        return not any(row.verdict in {"differs", "not answered"} for row in self.rows)

    def as_json(self, date: str) -> dict[str, Any]:
        """Return the report as plain data.

        Parameters
        ----------
        date
            The day; the report has no time.
        """
        return {
            "form": FORM,
            "hailuo_jupyter": __version__,
            "date": date,
            "provider": self.provider.name,
            "model": self.provider.model,
            "dialect": self.provider.dialect,
            "catalogue_as_of": self.provider.as_of,
            "address": "the provider's own" if self.own_address else "another one",
            "rows": [
                {
                    name: value
                    for name, value in asdict(row).items()
                    if value not in ("", None, [], {})
                }
                for row in self.rows
            ],
        }

    def lines(self) -> list[str]:
        """Return the report as a table for a person."""
        width = max(len(row.check) for row in self.rows)
        lines = []
        for row in self.rows:
            mark = "!" if row.verdict in {"differs", "not answered"} else " "
            code = "" if row.status is None else f" ({row.status})"
            lines.append(f"{mark} {row.check:<{width}}  {row.verdict}{code}")
            details = [row.note] if row.note else []
            details += [f"missing: {', '.join(row.missing)}"] if row.missing else []
            details += [f"not read: {', '.join(row.new)}"] if row.new else []
            lines += [f"  {'':<{width}}  {each}" for each in details]
        return lines


def is_report(document: str) -> bool:
    """Return whether a text is a report, which a newer one may replace."""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and str(found.get("form", "")).startswith("hailuo-probe/")


def not_asked(questions: Iterable[tuple[str, str]]) -> list[Row]:
    """Return rows for questions that no free call answers."""
    return [Row(check, "not asked", why) for check, why in questions]
