"""The cost of runs so far and their possible cost, summed by the log, and the runs with unsettled costs.

A run counts with the charge in the provider's history. A cost that only an answer about
the job has reported must not loosen a limit: until it is confirmed, the larger of it and the lower bound
of the estimate counts. Without any cost the upper bound does. A failed run counts 0 if the
catalogue cites the provider for that, else the lower bound. A run that was certainly not bought counts
0, and so does an imported one, until the provider has
answered this user's own key for its job. Every sum reads an index and no record.

For a run that was removed from the log, this data stays in ``forgotten``, and counts as before.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

from hailuo_jupyter import catalogue
from hailuo_jupyter.runlog import notebooks, ownership
from hailuo_jupyter.runlog.connection import LogReader
from hailuo_jupyter.runlog.row import ROW_COLUMNS, Row, row
from hailuo_jupyter.states import IN_FLIGHT, UNSENT, State

#: Keys by which sums can be grouped: the notebook's id, the provider, the local day (``YYYY-MM-DD``).
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
        Number of runs that count.
    charged
        The charges reported by the providers.
    estimated
        Bought, but the cost is not reported: the upper bounds of the estimates. If a cost below
        the estimate is reported but not confirmed, the lower bounds.
    reserved
        Active runs: the upper bounds of their estimates.
    maybe
        Unconfirmed, so possibly bought: the upper bounds of their estimates.
    inferred
        The share of the three estimates that is based on inferred prices.
    unknown
        Number of runs with an unknown price, which are in no sum.
    disputed
        The share for runs whose reported cost is outside the estimate, and
        is not confirmed.
    """

    runs: int = 0
    charged: float = 0.0
    estimated: float = 0.0
    reserved: float = 0.0
    maybe: float = 0.0
    inferred: float = 0.0
    unknown: int = 0
    disputed: float = 0.0

    @property
    def total(self) -> float:
        """The total, to a millionth of a dollar: the amount for budgets."""
        return round(self.charged + self.estimated + self.reserved + self.maybe, 6)

    def __add__(self, other: Spending) -> Spending:
        """Add two sums."""
        names = [each.name for each in fields(self)]
        return Spending(*(getattr(self, name) + getattr(other, name) for name in names))


def _named(states: frozenset[State]) -> str:
    return ", ".join(f"'{state.value}'" for state in sorted(states))


_ON_THEIR_WAY = IN_FLIGHT | UNSENT
_ENDED = frozenset({State.COMPLETED, State.FAILED, State.EXPIRED})

#: The job has ended, so a reported cost is that of the clip.
_MADE = frozenset({State.COMPLETED, State.DOWNLOADING, State.UNDOWNLOADED, State.EXPIRED})

#: The amount that a run counts with; NULL if unknown. Its parameter is the result of `_free_failures`.
_COUNTED_USD = f"""
    CASE
        WHEN cost_actual IS NOT NULL AND cost_confirmed THEN cost_actual
        WHEN state = '{State.FAILED}' THEN max(
            coalesce(cost_actual, 0),
            CASE WHEN provider IN (SELECT value FROM json_each(?)) THEN 0 ELSE coalesce(cost_low, 0) END
        )
        WHEN cost_actual IS NULL THEN cost_high
        WHEN state IN ({_named(_MADE)}) THEN max(cost_actual, coalesce(cost_low, 0))
        ELSE max(cost_actual, coalesce(cost_high, 0))
    END
"""  # noqa: S608 -- constants

#: Whether that is the charge reported by the provider, not an estimate.
_TOLD = "(cost_actual IS NOT NULL AND cost_actual >= counted)"

_SUMS = f"""
    count(*),
    total(CASE WHEN {_TOLD} THEN counted END),
    total(CASE WHEN NOT {_TOLD} AND state IN ({_named(_ENDED)}) THEN counted END),
    total(CASE WHEN NOT {_TOLD} AND state IN ({_named(_ON_THEIR_WAY)}) THEN counted END),
    total(CASE WHEN NOT {_TOLD} AND state NOT IN ({_named(_ENDED | _ON_THEIR_WAY)}) THEN counted END),
    total(CASE WHEN NOT {_TOLD} AND cost_kind = 'inferred' THEN counted END),
    count(CASE WHEN counted IS NULL THEN 1 END),
    total(CASE WHEN cost_actual IS NOT NULL AND NOT cost_confirmed
        AND (cost_actual < counted OR cost_actual > cost_high) THEN counted END)
"""

_READ = "created, provider, notebook_id, state, cost_kind, cost_high, cost_actual, cost_confirmed"

_BOUGHT = f"state <> '{State.REJECTED}' AND cost_kind <> 'free' AND provider <> 'demo'"


def _free_failures() -> str:
    """Return the providers that document that a failed job is not charged, as JSON."""
    names = [each.name for each in catalogue.providers() if each.failed_job.charged is False]
    return json.dumps(names)


#: Must equal the condition of the index ``runs_unsettled``.
UNSETTLED = (
    "state = 'unconfirmed' OR (cost_confirmed = 0 AND cost_kind <> 'free' "
    "AND state IN ('completed', 'failed', 'expired'))"
)


class SpendingQueries(LogReader):
    """Queries of the costs of runs, and of unsettled costs."""

    def spending(
        self,
        *,
        by: Sequence[Split] = (),
        notebook_id: str | None = None,
        in_notebook: bool = False,
        since: float | None = None,
        elsewhere: bool = False,
        alive: Callable[[str], bool] | None = None,
    ) -> dict[tuple[str | None, ...], Spending]:
        """Sum the costs of runs, and their possible costs.

        Parameters
        ----------
        by
            How the sums are grouped; the values form the keys. If empty, the only key is ``()``.
        notebook_id, in_notebook
            With `in_notebook` only the runs of this notebook (None: without a notebook).
        since
            Only runs created since then, in seconds since 1970.
        elsewhere
            Imported runs instead of this user's own.
        alive
            Checks whether the process of an owner's id is alive; by its lock if None.
        """
        with self._reading() as connection:
            return _spending(
                connection,
                alive or partial(ownership.alive, self.path),
                by=by,
                notebook_id=notebook_id,
                in_notebook=in_notebook,
                since=since,
                elsewhere=elsewhere,
            )

    def unsettled(self, since: float, limit: int = 500) -> list[str]:
        """Return the ids of runs since then that a provider's history may have news of, newest first."""
        query = (
            f"SELECT run_id FROM runs WHERE ({UNSETTLED}) AND created >= ? "  # noqa: S608 -- constants
            "ORDER BY created DESC LIMIT ?"
        )
        with self._reading() as connection:
            return [str(run_id) for (run_id,) in connection.execute(query, (since, limit))]

    def unanswered(self, provider: str, since: float, until: float) -> list[Row]:
        """Return runs created between two times that were sent, and whose job is not known (yet)."""
        query = (
            f"SELECT {ROW_COLUMNS} FROM runs "  # noqa: S608 -- constants
            "WHERE state IN ('submitting', 'unconfirmed') AND created >= ? AND created <= ? "
            "AND provider = ? AND job_id IS NULL"
        )
        with self._reading() as connection:
            return [row(each) for each in connection.execute(query, (since, until, provider))]

    def known_jobs(self, provider: str, job_ids: Sequence[str]) -> dict[str, str]:
        """Return which of some job ids of a provider belong to runs, with these runs' ids."""
        marks = ", ".join("?" * len(job_ids))
        with self._reading() as connection:
            return {
                str(job_id): str(run_id)
                for table in ("forgotten", "runs")
                for job_id, run_id in connection.execute(
                    f"SELECT job_id, run_id FROM {table} "  # noqa: S608 -- constants
                    f"WHERE job_id IN ({marks}) AND provider = ?",
                    (*job_ids, provider),
                )
            }

    def notebook_path(self, notebook_id: str) -> str | None:
        """Return the notebook's path at its newest run; None if unknown."""
        for table in ("runs", "forgotten"):
            query = (
                f"SELECT notebook_path FROM {table} "  # noqa: S608 -- constants
                "WHERE notebook_id = ? ORDER BY created DESC LIMIT 1"
            )
            with self._reading() as connection:
                found = connection.execute(query, (notebook_id,)).fetchone()
            if found is not None:
                return None if found[0] is None else str(found[0])
        return None


def _spending(
    connection: sqlite3.Connection,
    alive: Callable[[str], bool],
    *,
    by: Sequence[Split] = (),
    notebook_id: str | None = None,
    in_notebook: bool = False,
    since: float | None = None,
    elsewhere: bool = False,
) -> dict[tuple[str | None, ...], Spending]:
    # An unsent run counts only while a live process is about to send it.
    unsent = f"state IN ({_named(UNSENT)})"
    owners = connection.execute(
        f"SELECT DISTINCT owner FROM runs WHERE {unsent} AND owner IS NOT NULL"  # noqa: S608
    ).fetchall()
    living = [owner for (owner,) in owners if alive(owner)]
    marks = ", ".join("?" * len(living))
    sent = f"(state NOT IN ({_named(UNSENT)}) OR owner IN ({marks}))"
    terms, values = [_BOUGHT, "elsewhere = ?"], [int(elsewhere)]  # type: list[str], list[object]
    if in_notebook:
        ours, ids = notebooks.same(connection, "notebook_id", notebook_id)
        terms.append(ours)
        values += ids
    if since is not None:
        terms.append("created >= ?")
        values.append(since)
    keys = [_COLUMNS[each] for each in by]
    # The index is named, since SQLite would otherwise sort by one that makes it read every record.
    index = "runs_money_notebook" if in_notebook else "runs_money"
    sums: dict[tuple[str | None, ...], Spending] = {}
    free = _free_failures()
    for source, wanted, parameters in (
        (f"runs INDEXED BY {index}", [*terms, sent], [*values, *living]),
        ("forgotten", terms, values),  # all of them finished
    ):
        rows = (
            f"SELECT {_READ}, {_COUNTED_USD} AS counted FROM {source} WHERE {' AND '.join(wanted)}"  # noqa: S608
        )
        query = f"SELECT {', '.join([*keys, _SUMS])} FROM ({rows})"  # noqa: S608
        query += f" WHERE NOT (state = '{State.FAILED}' AND counted = 0)"
        if keys:
            query += f" GROUP BY {', '.join(keys)}"
        for each in connection.execute(query, [free, *parameters]):
            key = tuple(each[: len(keys)])
            sums[key] = sums.get(key, Spending()) + Spending(*each[len(keys) :])
    return {key: each for key, each in sums.items() if each.runs}


def keep_paid(connection: sqlite3.Connection, run_id: str) -> None:
    """Save the cost, date, provider and notebook of a run that is about to be removed.

    Its job's id is stored too: a row with that id in a history does not belong to another run.
    """
    names = (
        "run_id, created, provider, notebook_id, notebook_path, job_id, state, cost_kind, "
        "cost_low, cost_high, cost_actual, cost_confirmed, elsewhere"
    )
    connection.execute(
        f"INSERT OR REPLACE INTO forgotten ({names}) "  # noqa: S608 -- constants
        f"SELECT {names} FROM runs WHERE run_id = ?",
        (run_id,),
    )


@dataclass(frozen=True)
class Paid:
    """What is known of a run of this user's that was removed from the log.

    Parameters
    ----------
    created, notebook_id
        When and in which notebook it was requested: whose budgets it counts toward.
    state, job_id
        Its state, and the provider's id.
    cost
        Its cost, by the names of `CostRecord`.
    """

    created: float
    notebook_id: str | None
    state: str
    job_id: str | None
    cost: dict[str, Any]


def paid(connection: sqlite3.Connection, run_id: str) -> Paid | None:
    """Return what is known of a removed run; None if it was not this user's own."""
    found = connection.execute(
        "SELECT created, notebook_id, state, job_id, cost_kind, cost_low, cost_high, cost_actual, "
        "cost_confirmed FROM forgotten WHERE run_id = ? AND elsewhere = 0",
        (run_id,),
    ).fetchone()
    if found is None:
        return None
    names = ("kind", "estimate_low", "estimate_high", "actual", "confirmed")
    created, notebook_id, state, job_id, *costs = found
    cost = {**dict(zip(names, costs, strict=True)), "confirmed": bool(costs[-1])}
    return Paid(created, notebook_id, state, job_id, cost)


def drop_paid(connection: sqlite3.Connection, run_id: str) -> None:
    """Drop the stored cost of a run that is in the log again, where it counts itself."""
    connection.execute("DELETE FROM forgotten WHERE run_id = ?", (run_id,))


def own_jobs(connection: sqlite3.Connection, provider: str, job_ids: Sequence[str]) -> set[str]:
    """Return which of some job ids of a provider belong to this user's own runs."""
    marks = ", ".join("?" * len(job_ids))
    return {
        str(job_id)
        for table in ("forgotten", "runs")
        for (job_id,) in connection.execute(
            f"SELECT job_id FROM {table} "  # noqa: S608 -- constants
            f"WHERE job_id IN ({marks}) AND provider = ? AND elsewhere = 0",
            (*job_ids, provider),
        )
    }
