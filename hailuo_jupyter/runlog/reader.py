"""What a log can be asked: methods that read, each by a query of a module of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from hailuo_jupyter.runlog import ownership, pacing, queries, search, spending, sweeps
from hailuo_jupyter.runlog.schema import Row
from hailuo_jupyter.runlog.search import Key, Page, Search
from hailuo_jupyter.runlog.sweeps import SweepRow
from hailuo_jupyter.states import State


class LogReader:
    """The reading half of `hailuo_jupyter.runlog.RunLog`; see there."""

    path: Path

    #: Whether the connection can use the text index.
    _indexed = False

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def get(self, run_id: str) -> Row:
        """Find one run.

        Parameters
        ----------
        run_id
            Its id; or 4 or more characters of the id's beginning or of its tail, if unambiguous.

        Raises
        ------
        RunNotFound
            With the closest ids, or all that fit.
        """
        with self._reading() as connection:
            return queries.get(connection, run_id)

    def fitting(self, run_id: str) -> list[Row]:
        """Give the run of this id, or those whose id begins or ends so, six at most."""
        with self._reading() as connection:
            return queries.fitting(connection, run_id)

    def find(self, run_id: str) -> Row | None:
        """Give the run of exactly this id, or None."""
        with self._reading() as connection:
            return queries.find(connection, run_id)

    def unfinished(self) -> list[Row]:
        """Give runs in flight, and those never sent that the person was not told of, by age."""
        with self._reading() as connection:
            return queries.unfinished(connection)

    def by_fingerprint(self, notebook_id: str | None, fingerprint: str) -> list[Row]:
        """Give the runs of one request in one notebook (None: in none), the newest first."""
        with self._reading() as connection:
            return queries.by_fingerprint(connection, notebook_id, fingerprint)

    def by_request(self, fingerprint: str) -> list[Row]:
        """Give the runs of one request in whatever notebook, the newest first."""
        with self._reading() as connection:
            return queries.by_request(connection, fingerprint)

    def known(self, run_ids: Iterable[str]) -> set[str]:
        """Give those of some full ids that runs of this log have."""
        with self._reading() as connection:
            return queries.known(connection, run_ids)

    def recent(
        self,
        limit: int = 50,
        *,
        notebook_id: str | None = None,
        provider: str | None = None,
        states: Collection[State] | None = None,
    ) -> list[Row]:
        """Give the newest runs that pass all filters given, the newest first."""
        with self._reading() as connection:
            return queries.recent(connection, limit, notebook_id, provider, states)

    def count(
        self,
        *,
        notebook_id: str | None = None,
        provider: str | None = None,
        states: Collection[State] | None = None,
    ) -> int:
        """Count the runs that pass all filters given."""
        with self._reading() as connection:
            return queries.count(connection, notebook_id, provider, states)

    def page(self, wanted: Search, *, offset: int = 0, limit: int = 20) -> Page:
        """Give some of the runs that a search finds, by their places, and how many there are."""
        with self._reading() as connection:
            return search.page(
                connection, wanted, offset=offset, limit=limit, indexed=self._indexed
            )

    def keys(self, wanted: Search, *, limit: int | None = None) -> list[Key]:
        """Give the places of the runs that a search finds, the first `limit` or all."""
        with self._reading() as connection:
            return search.keys(connection, wanted, limit=limit, indexed=self._indexed)

    def found(self, wanted: Search) -> int:
        """Count the runs that a search finds."""
        with self._reading() as connection:
            return search.count(connection, wanted, indexed=self._indexed)

    def rows(self, run_ids: Sequence[str]) -> list[Row]:
        """Give runs by their full ids, in this order; those that are not there are left out."""
        with self._reading() as connection:
            return search.rows(connection, run_ids)

    def durations(self, kind: str, limit: int = 200) -> list[float]:
        """Give how long runs of a kind took, in seconds, the newest first.

        From the submit's answer to the moment when the job's end was known. Left out are the demo's
        runs, and those that went without a watcher for a while: their end was learned late.
        """
        with self._reading() as connection:
            return queries.durations(connection, kind, limit)

    def changed_since(self, updated: float) -> list[Row]:
        """Give rows changed after the row with this `Row.updated`, in order; 0.0 gives all."""
        with self._reading() as connection:
            return queries.changed_since(connection, updated)

    def spending(
        self,
        *,
        by: Sequence[spending.Split] = (),
        notebook_id: str | None = None,
        in_notebook: bool = False,
        since: float | None = None,
    ) -> dict[tuple[str | None, ...], spending.Spending]:
        """Add up what runs have cost and may still cost; see `runlog.spending.spending`."""
        with self._reading() as connection:
            return spending.spending(
                connection,
                self.alive,
                by=by,
                notebook_id=notebook_id,
                in_notebook=in_notebook,
                since=since,
            )

    def notebook_path(self, notebook_id: str) -> str | None:
        """Give the path under which a notebook's newest run was asked for; None if none is known."""
        with self._reading() as connection:
            return spending.notebook_path(connection, notebook_id)

    def unsettled(self, since: float, limit: int = 500) -> list[str]:
        """Give the ids of runs since then that a provider's history could tell more of, newest first."""
        with self._reading() as connection:
            return spending.unsettled(connection, since, limit)

    def unanswered(self, provider: str, since: float, until: float) -> list[Row]:
        """Give runs made between two moments that were sent, and whose job is not known (yet)."""
        with self._reading() as connection:
            return spending.unanswered(connection, provider, since, until)

    def known_jobs(self, provider: str, job_ids: Sequence[str]) -> dict[str, str]:
        """Give, of some of a provider's job ids, those that runs have, with these runs' ids."""
        with self._reading() as connection:
            return spending.known_jobs(connection, provider, job_ids)

    def find_sweep(self, sweep: str) -> SweepRow | None:
        """Find the sweep of exactly this id, or None."""
        with self._reading() as connection:
            return sweeps.find(connection, sweep)

    def sweep_stopped(self, sweep: str) -> bool:
        """Tell whether nothing more of a sweep is to be sent."""
        with self._reading() as connection:
            return sweeps.is_stopped(connection, sweep)

    def fitting_sweeps(self, given: str) -> list[SweepRow]:
        """Give the sweep of this id, or those whose id begins or ends so, six at most."""
        with self._reading() as connection:
            return sweeps.fitting(connection, given)

    def latest_sweep(self, notebook_id: str | None, digest: str) -> SweepRow | None:
        """Give the newest sweep of a notebook (None: of none) that has this plan, or None."""
        with self._reading() as connection:
            return sweeps.latest(connection, notebook_id, digest)

    def recent_sweeps(self, notebook_id: str | None, limit: int = 20) -> list[SweepRow]:
        """Give the newest sweeps of a notebook (None: of none), the newest first."""
        with self._reading() as connection:
            return sweeps.recent(connection, notebook_id, limit)

    def blocked_at(self, provider: str) -> float | None:
        """Tell when the provider last named such a moment, in seconds since 1970; None if never."""
        with self._reading() as connection:
            return pacing.blocked_at(connection, provider)

    def alive(self, owner: str) -> bool:
        """Tell whether the process lives that has this owner's id."""
        return ownership.alive(self.path, owner)
