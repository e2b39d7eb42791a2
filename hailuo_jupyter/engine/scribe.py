"""Writing down what a provider's history tells of runs: one step for all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hailuo_jupyter.engine import settle_words
from hailuo_jupyter.engine.history import Finding, Found, Sought, find, sought
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import State

#: From so many seconds after sending on, a run that is not in the history is said to be not there.
#: Longer than any clip takes, since AI/ML API's log shows a request only when it has ended.
ABSENT_AFTER_S = 3600.0

_DAY_S = 86400.0


@dataclass(frozen=True)
class History:
    """What was read, and whether that is all there is of the time in question."""

    rows: tuple[HistoryRow, ...]
    whole: bool


class Scribe:
    """What writes a history's news down.

    Parameters
    ----------
    log
        The run log.
    source
        Whose history, in words: ``"Segmind's request history"``.
    now
        Seconds since 1970.
    by_our_id
        Whether the history names requests by our own id.
    """

    def __init__(self, log: RunLog, source: str, now: float, *, by_our_id: bool) -> None:
        self._log, self._source, self._now, self._by_our_id = log, source, now, by_our_id

    def write_down(self, run_ids: Sequence[str], history: History) -> list[Row]:
        """Write down what the history tells of some runs.

        Returns
        -------
        list of Row
            Those that have changed.
        """
        changed: list[Row] = []
        by_job = {row.job_id: row for row in history.rows if row.job_id is not None}
        with self._log.exclusive():
            # Read only now: whatever the history shows was in the log before it was sent.
            rows = [row for run_id in run_ids if (row := self._log.find(run_id)) is not None]
            findings = self._find([row for row in rows if self._is_lost(row)], history)
            for row in rows:
                after = row
                if row.run_id in findings:
                    run, finding = findings[row.run_id]
                    after = self._settle(row, run, finding, whole=history.whole)
                elif row.job_id in by_job:
                    after = self._charge(row, by_job[row.job_id])
                if after.revision != row.revision:
                    changed.append(after)
        return changed

    def _is_lost(self, row: Row) -> bool:
        # Whoever has lost the answer may still be writing that down; given its job back now, the run
        # would be let go by its old life, and no new one begins while that lasts.
        in_hand = row.owner is not None and self._log.alive(row.owner)
        return row.state is State.UNCONFIRMED and not in_hand

    def _find(self, lost: list[Row], history: History) -> dict[str, tuple[Sought, Finding]]:
        runs = {row.run_id: run for row in lost if (run := sought(row.record))}
        if not runs:
            return {}
        # A request on its way at this moment may be the one that the history shows. A day's margin:
        # a run may have waited before it was sent.
        others = self._log.unanswered(
            lost[0].provider,
            min(run.first for run in runs.values()) - _DAY_S,
            max(run.last for run in runs.values()) + _DAY_S,
        )
        claimants = {row.run_id: run for row in others if (run := sought(row.record))} | runs
        job_ids = [row.job_id for row in history.rows if row.job_id is not None]
        found = find(
            list(claimants.values()),
            history.rows,
            taken=set(self._log.known_jobs(lost[0].provider, job_ids)),
            by_our_id=self._by_our_id,
        )
        if any(row.state is State.SUBMITTING for row in others):
            # What fits twice may fit once when the answer of that one is here.
            found = {
                run_id: Finding(Found.UNREADABLE) if each.found is Found.SEVERAL else each
                for run_id, each in found.items()
            }
        return {run_id: (run, found[run_id]) for run_id, run in runs.items()}

    def _settle(self, row: Row, run: Sought, finding: Finding, *, whole: bool) -> Row:
        """Write down what became of a lost answer."""
        passed = self._now - run.sent
        if finding.found is Found.YES and finding.row is not None:
            return self._take(row, finding.row)
        if finding.found is Found.SEVERAL:
            problem = settle_words.ambiguous(self._source, finding.several)
        elif finding.found is Found.NO and whole and passed >= ABSENT_AFTER_S:
            problem = settle_words.absent(self._source, passed)
        else:
            return row
        told, known = problem.as_problem(), row.record.problem
        if known is not None and (known.money, known.todo) == (told["money"], told["todo"]):
            return row  # it was said before, maybe of another hour
        return self._change(row, problem=told)

    def _take(self, row: Row, found: HistoryRow) -> Row:
        """Give a run its job back; nothing but the id is taken from the history's row."""
        told = {"id": found.job_id, "outcome": found.outcome, "cost_usd": found.cost_usd}
        job: dict[str, Any] = {"answers": {**row.record.job.answers, "history": told}}
        if found.job_id is not None:
            job["id"] = found.job_id
        cost = self._cost(found)
        if found.outcome == "failed":
            refused = found.job_id is None and found.cost_usd == 0
            problem = settle_words.failed(self._source, found, refused=refused).as_problem()
            state = State.REJECTED if refused else State.FAILED
            return self._move(row, state, self._now, problem=problem, job=job, cost=cost)
        if found.job_id is None:
            return row
        # It was accepted when it was sent, whenever that is learned: the provider's retention
        # counts from then.
        at = row.record.entered(State.SUBMITTING) or self._now
        return self._move(row, State.SUBMITTED, at, problem=None, job=job, cost=cost)

    def _charge(self, row: Row, found: HistoryRow) -> Row:
        """Write down what a run that has ended did cost."""
        cost, problem = self._cost(found), row.record.problem
        if not cost or row.record.cost.actual is not None:
            return row
        if row.state is State.FAILED and problem is not None:
            money = settle_words.charged(self._source, cost["actual"])
            return self._change(row, cost=cost, problem={**problem.model_dump(), "money": money})
        return self._change(row, cost=cost)

    def _cost(self, found: HistoryRow) -> dict[str, Any]:
        if found.cost_usd is None:
            return {}
        return {"actual": found.cost_usd, "actual_source": self._source}

    def _change(self, row: Row, **changes: Mapping[str, Any]) -> Row:
        return self._log.update(
            row.run_id, lambda record: record.changed(**changes), only_from={row.state}
        )

    def _move(self, row: Row, state: State, at: float, **changes: Any) -> Row:
        return self._log.update(
            row.run_id,
            lambda record: record.moved(state, at=at, **changes),
            only_from={row.state},
        )
