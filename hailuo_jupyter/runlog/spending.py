"""What runs have cost and may still cost, added up by the log, and which of them are not settled.

A run counts with what the provider says it has charged, else with the high end of its estimate.
What was surely not bought counts for nothing. Every sum reads an index and no record.

Of a run that was taken out of the log this much stays in ``forgotten``, and counts as before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from hailuo_jupyter.runlog.schema import ROW_COLUMNS, Row, row
from hailuo_jupyter.states import IN_FLIGHT, State

#: By what sums can be split: the notebook's id, the provider, the local day (``YYYY-MM-DD``).
Split = Literal["notebook", "provider", "day"]

_COLUMNS: dict[Split, str] = {
    "notebook": "notebook_id",
    "provider": "provider",
    "day": "date(created, 'unixepoch', 'localtime')",
}


@dataclass(frozen=True)
class Spending:
    """Sums of some runs, in USD.

    Parameters
    ----------
    runs
        How many count.
    charged
        What the providers say they have charged.
    estimated
        Bought, and no provider has told the cost: the high ends of the estimates.
    reserved
        On their way: the high ends of their estimates.
    maybe
        Unconfirmed, so maybe bought: the high ends of their estimates.
    inferred
        How much of the three estimates rests on prices that we have inferred.
    unknown
        Runs whose price nobody knows; they are in no sum.
    """

    runs: int = 0
    charged: float = 0.0
    estimated: float = 0.0
    reserved: float = 0.0
    maybe: float = 0.0
    inferred: float = 0.0
    unknown: int = 0

    @property
    def total(self) -> float:
        """All of it, to a millionth of a dollar: what a budget counts."""
        return round(self.charged + self.estimated + self.reserved + self.maybe, 6)

    def __add__(self, other: Spending) -> Spending:
        """Add two sums up."""
        names = [each.name for each in fields(self)]
        return Spending(*(getattr(self, name) + getattr(other, name) for name in names))


def _named(states: frozenset[State]) -> str:
    return ", ".join(f"'{state.value}'" for state in sorted(states))


#: Nothing has left this machine yet: it counts only while a living process is about to send it.
_UNSENT = frozenset({State.PREPARED, State.UPLOADING})
_ON_THEIR_WAY = IN_FLIGHT | _UNSENT
_ENDED = frozenset({State.COMPLETED, State.FAILED, State.EXPIRED})

_SUMS = f"""
    count(*),
    total(cost_actual),
    total(CASE WHEN cost_actual IS NULL AND state IN ({_named(_ENDED)}) THEN cost_high END),
    total(CASE WHEN cost_actual IS NULL AND state IN ({_named(_ON_THEIR_WAY)}) THEN cost_high END),
    total(CASE WHEN cost_actual IS NULL AND state = '{State.UNCONFIRMED}' THEN cost_high END),
    total(CASE WHEN cost_actual IS NULL AND cost_kind = 'inferred' THEN cost_high END),
    count(CASE WHEN cost_actual IS NULL AND cost_high IS NULL THEN 1 END)
"""

_COUNTED = f"""
    state <> '{State.REJECTED}' AND cost_kind <> 'free' AND provider <> 'demo'
    AND NOT (state = '{State.FAILED}' AND cost_actual IS NOT NULL AND cost_actual = 0)
"""

#: Word for word the condition of the index ``runs_unsettled``.
UNSETTLED = (
    "state = 'unconfirmed' OR (cost_actual IS NULL AND cost_kind <> 'free' "
    "AND state IN ('completed', 'failed', 'expired'))"
)


def spending(
    connection: sqlite3.Connection,
    alive: Callable[[str], bool],
    *,
    by: Sequence[Split] = (),
    notebook_id: str | None = None,
    in_notebook: bool = False,
    since: float | None = None,
) -> dict[tuple[str | None, ...], Spending]:
    """Add up what runs have cost and may still cost.

    Parameters
    ----------
    alive
        Tells whether the process of an owner's id lives.
    by
        How the sums are split; their values make up the keys. Without, the one key is ``()``.
    notebook_id, in_notebook
        With `in_notebook` only the runs of this notebook (None: of none).
    since
        Only runs made since then, in seconds since 1970.
    """
    unsent = f"state IN ({_named(_UNSENT)})"
    owners = connection.execute(
        f"SELECT DISTINCT owner FROM runs WHERE {unsent} AND owner IS NOT NULL"  # noqa: S608
    ).fetchall()
    living = [owner for (owner,) in owners if alive(owner)]
    marks = ", ".join("?" * len(living))
    sent = f"(state NOT IN ({_named(_UNSENT)}) OR owner IN ({marks}))"
    terms, values = [_COUNTED], []  # type: list[str], list[object]
    if in_notebook:
        terms.append("notebook_id IS ?")
        values.append(notebook_id)
    if since is not None:
        terms.append("created >= ?")
        values.append(since)
    keys = [_COLUMNS[each] for each in by]
    # Named, since SQLite would rather sort by an index that makes it read every record.
    index = "runs_money_notebook" if in_notebook else "runs_money"
    sums: dict[tuple[str | None, ...], Spending] = {}
    for source, wanted, given in (
        (f"runs INDEXED BY {index}", [*terms, sent], [*values, *living]),
        ("forgotten", terms, values),  # all of which have ended
    ):
        query = f"SELECT {', '.join([*keys, _SUMS])} FROM {source} WHERE {' AND '.join(wanted)}"  # noqa: S608
        if keys:
            query += f" GROUP BY {', '.join(keys)}"
        for each in connection.execute(query, given):
            key = tuple(each[: len(keys)])
            sums[key] = sums.get(key, Spending()) + Spending(*each[len(keys) :])
    return {key: each for key, each in sums.items() if each.runs}


def keep_paid(connection: sqlite3.Connection, run_id: str) -> None:
    """Keep what was paid for a run that is about to be removed, when, to whom and in which notebook.

    Its job's id is kept too: a history's row of that id is no other run's.
    """
    names = (
        "run_id, created, provider, notebook_id, notebook_path, job_id, state, cost_kind, "
        "cost_high, cost_actual"
    )
    connection.execute(
        f"INSERT OR REPLACE INTO forgotten ({names}) "  # noqa: S608 -- constants
        f"SELECT {names} FROM runs WHERE run_id = ?",
        (run_id,),
    )


def drop_paid(connection: sqlite3.Connection, run_id: str) -> None:
    """Drop what was kept of a run that is back in the log, where it counts itself."""
    connection.execute("DELETE FROM forgotten WHERE run_id = ?", (run_id,))


def unsettled(connection: sqlite3.Connection, since: float, limit: int) -> list[str]:
    """Give the ids of runs made since then that a history could tell more of, the newest first."""
    found = connection.execute(
        f"SELECT run_id FROM runs WHERE ({UNSETTLED}) AND created >= ? "  # noqa: S608 -- constants
        "ORDER BY created DESC LIMIT ?",
        (since, limit),
    )
    return [str(run_id) for (run_id,) in found]


def unanswered(
    connection: sqlite3.Connection, provider: str, since: float, until: float
) -> list[Row]:
    """Give runs made between two moments that were sent, and whose job is not known (yet)."""
    return [
        row(each)
        for each in connection.execute(
            f"SELECT {ROW_COLUMNS} FROM runs "  # noqa: S608 -- constants
            "WHERE state IN ('submitting', 'unconfirmed') AND created >= ? AND created <= ? "
            "AND provider = ? AND job_id IS NULL",
            (since, until, provider),
        )
    ]


def known_jobs(
    connection: sqlite3.Connection, provider: str, job_ids: Sequence[str]
) -> dict[str, str]:
    """Give, of some of a provider's job ids, those that runs have, with these runs' ids."""
    marks = ", ".join("?" * len(job_ids))
    return {
        str(job_id): str(run_id)
        for table in ("forgotten", "runs")
        for job_id, run_id in connection.execute(
            f"SELECT job_id, run_id FROM {table} "  # noqa: S608 -- constants
            f"WHERE job_id IN ({marks}) AND provider = ?",
            (*job_ids, provider),
        )
    }


def notebook_path(connection: sqlite3.Connection, notebook_id: str) -> str | None:
    """Give the path under which a notebook's newest run was asked for."""
    for table in ("runs", "forgotten"):
        found = connection.execute(
            f"SELECT notebook_path FROM {table} "  # noqa: S608 -- constants
            "WHERE notebook_id = ? ORDER BY created DESC LIMIT 1",
            (notebook_id,),
        ).fetchone()
        if found is not None:
            return None if found[0] is None else str(found[0])
    return None
