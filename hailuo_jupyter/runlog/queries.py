"""Read single runs, lists of runs and sweeps. All queries use an index, and none parses a record."""

from __future__ import annotations

import difflib
import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.errors import RunNotFound
from hailuo_jupyter.runlog import deliveries, heartbeats, notebooks, ownership, rate_limits
from hailuo_jupyter.runlog.connection import LogReader
from hailuo_jupyter.runlog.heartbeats import Beat
from hailuo_jupyter.runlog.row import ROW_COLUMNS, Row, row
from hailuo_jupyter.states import FINAL, RESUMABLE, State

_SHORTEST_PREFIX = 4
_NOTHING_BOUGHT = "Nothing was sent."


def peek_unfinished(path: Path) -> int:
    """Count the runs that are not finished, with SQLite only; 0 if there is no readable log.

    Parameters
    ----------
    path
        The log's file; it is neither created nor changed.
    """
    return _peek(path, "SELECT count(*) FROM runs WHERE unfinished = 1")


def peek_notebook(path: Path, notebook_ids: Iterable[str]) -> bool:
    """Return whether a notebook has runs in a log, with nothing but SQLite.

    Parameters
    ----------
    path
        The log's file; it is neither made nor changed.
    notebook_ids
        All by which the notebook is known.
    """
    query = (
        "SELECT EXISTS (SELECT 1 FROM runs WHERE notebook_id IN (SELECT value FROM json_each(?)))"
    )
    return _peek(path, query, json.dumps([*notebook_ids])) > 0


def _peek(path: Path, query: str, *values: object) -> int:
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib raises where the folder cannot be entered
        return 0
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
        try:
            found = connection.execute(query, values).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return 0  # reported when the log is used, not when the extension is loaded
    return int(found[0])


@dataclass(frozen=True)
class SweepRow:
    """The plan of one sweep.

    A waiting run has no row among the runs, where it would look bought and count against
    budgets; it is only in this plan.

    Parameters
    ----------
    sweep
        Its id.
    notebook_id
        The notebook that it belongs to, if any.
    digest
        Equal for equal plans.
    created
        Seconds since 1970.
    stopped
        Whether nothing more will be sent.
    plan_json
        The plan, as text.
    """

    sweep: str
    notebook_id: str | None
    digest: str
    created: float
    stopped: bool
    plan_json: str


class RunQueries(LogReader):
    """Queries of runs."""

    def find(self, run_id: str) -> Row | None:
        """Return the run of exactly this id, or None."""
        found = self._rows("WHERE run_id = ?", run_id)
        return found[0] if found else None

    def get(self, run_id: str) -> Row:
        """Find one run.

        Parameters
        ----------
        run_id
            Its id, the stem of its files, or 4 or more characters of the id's start or end, if unambiguous.

        Raises
        ------
        RunNotFound
            With the closest ids, or all that match.
        """
        found = self.fitting(run_id)
        if len(found) == 1:
            return found[0]
        if found:
            raise ambiguous_id_error(run_id, [each.run_id for each in found])
        raise self._not_found(run_id)

    def fitting(self, run_id: str) -> list[Row]:
        """Return the run of this id or stem, or those whose id starts or ends with it, at most six."""
        run_id = run_id.strip()
        if exact := self.find(run_id):
            return [exact]
        run_id = run_id.lower()
        same_end = self.ending_with(run_id[-6:])
        if stem := [row for row in same_end if row.is_readable and row.record.stem == run_id]:
            return stem
        if len(run_id) < _SHORTEST_PREFIX:
            return []
        end = f"{run_id}\U0010ffff"
        tail = "substr(run_id, -6)"
        return self._rows("WHERE run_id >= ? AND run_id < ? LIMIT 6", run_id, end) or self._rows(
            f"WHERE {tail} >= ? AND {tail} < ? LIMIT 6", run_id, end
        )

    def ending_with(self, tail: str) -> list[Row]:
        """Return the runs whose id ends with these six characters: one, unless chance repeats them."""
        return self._rows("WHERE substr(run_id, -6) = ?", tail)

    def named(self, name: str) -> list[Row]:
        """Return the runs with a name, the newest first."""
        # `texts` has a name on a separate line, and is much smaller than the runs; a note or a tag may
        # be the same line.
        line = "instr(body, char(10) || ? || char(10))"
        return self._rows(
            f"WHERE run_id IN (SELECT run_id FROM texts WHERE {line}) AND name = ? "  # noqa: S608
            "ORDER BY created DESC, rowid DESC",
            name,
            name,
        )

    def unfinished(self) -> list[Row]:
        """Return active runs, and unsent ones that the person does not know about, by age."""
        return self._rows("WHERE unfinished = 1 ORDER BY created, rowid")

    def by_fingerprint(self, notebook_id: str | None, fingerprint: str) -> list[Row]:
        """Return the runs of one request in one notebook (None: outside of notebooks), the newest first."""
        with self._reading() as connection:
            ours, values = notebooks.same(connection, "notebook_id", notebook_id)
            where = f"WHERE fingerprint = ? AND {ours} ORDER BY created DESC, rowid DESC"
            return self._rows(where, fingerprint, *values)

    def by_request(self, fingerprint: str) -> list[Row]:
        """Return the runs of one request in any notebook, the newest first."""
        return self._rows("WHERE fingerprint = ? ORDER BY created DESC, rowid DESC", fingerprint)

    def naming(self, sha256: str, since: float) -> list[Row]:
        """Return runs created since then whose record contains a hash, the oldest first.

        Imported runs are left out.
        """
        return self._rows(
            "WHERE created >= ? AND elsewhere = 0 AND imported IS NULL AND instr(record_json, ?) "
            "ORDER BY created, rowid",
            since,
            sha256,
        )

    def fingerprints(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Return the request fingerprints of the runs with these full ids."""
        query = (
            "SELECT run_id, fingerprint FROM runs WHERE run_id IN (SELECT value FROM json_each(?))"
        )
        with self._reading() as connection:
            found = connection.execute(query, (json.dumps([*run_ids]),))
            return {str(run_id): str(fingerprint) for run_id, fingerprint in found}

    def rows(self, run_ids: Sequence[str]) -> list[Row]:
        """Return runs by their full ids, in this order; missing ones are left out."""
        found = self._rows(
            "WHERE run_id IN (SELECT value FROM json_each(?))", json.dumps([*run_ids])
        )
        by_id = {each.run_id: each for each in found}
        return [by_id[run_id] for run_id in run_ids if run_id in by_id]

    def recent(
        self,
        limit: int = 50,
        *,
        notebook_id: str | None = None,
        provider: str | None = None,
        states: Collection[State] | None = None,
    ) -> list[Row]:
        """Return the newest runs that match all filters, the newest first."""
        where, values = self._filters(notebook_id, provider, states)
        return self._rows(f"{where} ORDER BY created DESC, rowid DESC LIMIT ?", *values, limit)

    def count(
        self,
        *,
        notebook_id: str | None = None,
        provider: str | None = None,
        states: Collection[State] | None = None,
    ) -> int:
        """Count the runs that match all filters."""
        where, values = self._filters(notebook_id, provider, states)
        with self._reading() as connection:
            found = connection.execute(f"SELECT count(*) FROM runs {where}", values)  # noqa: S608
            return int(found.fetchone()[0])

    def durations(self, kind: str, limit: int = 200) -> list[float]:
        """Return the durations of runs of a kind, in seconds, the newest first.

        From the submit's answer to the time when the job's end was known. Excluded are the demo's
        runs, and those that had no owner for a while: their end was noticed late.
        """
        query = (
            "SELECT duration FROM runs WHERE kind = ? AND duration IS NOT NULL AND interrupted = 0 "
            "ORDER BY created DESC LIMIT ?"
        )
        with self._reading() as connection:
            return [seconds for (seconds,) in connection.execute(query, (kind, limit))]

    def bought(self, provider: str) -> list[tuple[str, float]]:
        """Return the runs of a provider that are bought and not downloaded yet, each with its submit time."""
        states = sorted(state.value for state in RESUMABLE)
        # A damaged record must not abort a query.
        submitted = (
            "CASE WHEN json_valid(record_json) "
            "THEN json_extract(record_json, '$.times.submitted') END"
        )
        query = (
            f"SELECT run_id, coalesce((julianday({submitted}) - 2440587.5) * 86400.0, created) "  # noqa: S608
            "FROM runs WHERE unfinished = 1 AND elsewhere = 0 AND provider = ? "
            f"AND state IN ({_marks(states)})"
        )
        with self._reading() as connection:
            found = connection.execute(query, (provider, *states))
            return [(str(run_id), float(time)) for run_id, time in found]

    def changed_since(self, updated: float) -> list[Row]:
        """Return rows changed after the row with this `Row.updated`, in order; 0.0 returns all."""
        return self._rows("WHERE updated > ? ORDER BY updated", updated)

    def undelivered(self, sink: str) -> list[Row]:
        """Return the finished runs that a sink should get and does not have, by their last changes."""
        with self._reading() as connection:
            if not deliveries.exist(connection):
                return []
            return self._rows(
                f"WHERE state IN ({_marks(FINAL)}) AND {deliveries.UNDELIVERED} ORDER BY updated",
                *(state.value for state in FINAL),
                sink,
            )

    def rate_limits(self, now: float) -> list[rate_limits.StoredLimit]:
        """Return each account's stored rate limit; see `runlog.rate_limits.stored`."""
        with self._reading() as connection:
            return rate_limits.stored(connection, now)

    def beats(self, owners: Collection[str]) -> dict[str, Beat]:
        """Return the last heartbeat of each of some owners."""
        with self._reading() as connection:
            return heartbeats.beats(connection, owners)

    def alive(self, owner: str) -> bool:
        """Check whether the process that has this owner's id is alive."""
        return ownership.alive(self.path, owner)

    def _not_found(self, typed: str) -> RunNotFound:
        query = "SELECT run_id FROM runs ORDER BY created DESC LIMIT 500"
        with self._reading() as connection:
            latest = [run_id for (run_id,) in connection.execute(query)]
        tails = {each.rsplit("-", 1)[-1]: each for each in reversed(latest)}
        close = difflib.get_close_matches(typed.lower(), [*latest, *tails], n=6)
        near = list(dict.fromkeys(str(tails.get(each, each)) for each in close))[:3]
        return RunNotFound(
            f"Run not found: {typed!a}.",
            money=_NOTHING_BOUGHT,
            todo=f"Did you mean {' or '.join(near)}?"
            if near
            else "List the runs to see their ids ('%hailuo runs' or 'jupyter hailuo runs').",
        )

    def _filters(
        self,
        notebook_id: str | None,
        provider: str | None,
        states: Collection[State] | None,
    ) -> tuple[str, list[object]]:
        terms: list[str] = []
        values: list[object] = []
        if notebook_id is not None:
            with self._reading() as connection:
                ours, values = notebooks.same(connection, "notebook_id", notebook_id)
            terms.append(ours)
        if provider is not None:
            terms.append("provider = ?")
            values.append(provider)
        if states is not None:
            terms.append(f"state IN ({_marks(states)})")
            values.extend(State(state).value for state in states)
        return (f"WHERE {' AND '.join(terms)}" if terms else ""), values

    def _rows(self, rest: str, *values: object) -> list[Row]:
        with self._reading() as connection:
            found = connection.execute(f"SELECT {ROW_COLUMNS} FROM runs {rest}", values)  # noqa: S608
            return [row(each) for each in found]


class SweepQueries(LogReader):
    """Queries of sweeps."""

    def find_sweep(self, sweep: str) -> SweepRow | None:
        """Return the sweep of exactly this id, or None."""
        found = self._sweeps("WHERE sweep = ?", sweep)
        return found[0] if found else None

    def sweep_stopped(self, sweep: str) -> bool:
        """Check whether nothing more of a sweep will be sent; also true for an unknown sweep."""
        found = self.find_sweep(sweep)
        return found is None or found.stopped

    def fitting_sweeps(self, query: str) -> list[SweepRow]:
        """Return the sweep of this id, else those of this name or with this start or end, at most six."""
        text = query.strip().lower()
        if exact := self.find_sweep(text):
            return [exact]
        where = "sweep IN (SELECT sweep FROM runs WHERE sweep IS NOT NULL AND name = ?)"
        values: list[object] = [query.strip()]
        if len(text.removeprefix("sweep-")) >= _SHORTEST_PREFIX:
            where += " OR substr(sweep, 1, ?) = ? OR substr(sweep, -?) = ?"
            values += (len(text), text) * 2
        return self._sweeps(f"WHERE {where} ORDER BY created DESC LIMIT 6", *values)

    def sweep_ids(self, query: str) -> list[str]:
        """Return the ids of the sweeps that `fitting_sweeps` finds, or of one without a plan here."""
        if found := self.fitting_sweeps(query):
            return [each.sweep for each in found]
        # The runs of a sweep may be imported: then only they name it.
        with self._reading() as connection:
            found_id = connection.execute(
                "SELECT sweep FROM runs WHERE sweep = ? LIMIT 1", (query.strip(),)
            )
            return [sweep for (sweep,) in found_id]

    def latest_sweep(self, notebook_id: str | None, digest: str) -> SweepRow | None:
        """Return the newest sweep of a notebook (None: without a notebook) that has this plan, or None."""
        with self._reading() as connection:
            ours, ids = notebooks.same(connection, "notebook_id", notebook_id)
            where = f"WHERE digest = ? AND {ours} ORDER BY created DESC LIMIT 1"
            found = self._sweeps(where, digest, *ids)
        return found[0] if found else None

    def recent_sweeps(self, notebook_id: str | None, limit: int = 20) -> list[SweepRow]:
        """Return the newest sweeps of a notebook (None: without a notebook), the newest first."""
        with self._reading() as connection:
            ours, ids = notebooks.same(connection, "notebook_id", notebook_id)
            return self._sweeps(f"WHERE {ours} ORDER BY created DESC LIMIT ?", *ids, limit)

    def _sweeps(self, rest: str, *values: object) -> list[SweepRow]:
        query = "SELECT sweep, notebook_id, digest, created, stopped, plan_json FROM sweeps "
        with self._reading() as connection:
            return [
                SweepRow(sweep, notebook_id, digest, created, bool(stopped), plan)
                for sweep, notebook_id, digest, created, stopped, plan in connection.execute(
                    query + rest, values
                )
            ]


def ambiguous_id_error(query: str, ids: Sequence[str]) -> RunNotFound:
    """Return the error for a part of an id that matches several runs."""
    return RunNotFound(
        f"Several runs match {query!a}: {', '.join(ids[:5])}" + (", …." if len(ids) > 5 else "."),
        money=_NOTHING_BOUGHT,
        todo="Use more of the id.",
    )


def no_such_sweep_error(query: str, ids: Sequence[str]) -> RunNotFound:
    """Return the error for a text that matches no sweep, or several."""
    if ids:
        return RunNotFound(
            f"Several sweeps match {query!a}: {', '.join(ids)}.",
            money="Nothing was sent.",
            todo="Use one of these ids.",
        )
    return RunNotFound(
        f"No sweep {query!a} is in the run log.",
        money="Nothing was sent.",
        todo="'%hailuo sweep' lists this notebook's sweeps.",
    )


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
