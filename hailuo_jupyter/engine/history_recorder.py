"""Record what a provider's history shows about runs, in one transaction for all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hailuo_jupyter.engine.match_history import (
    HistoryMatch,
    LostRequest,
    MatchKind,
    lost_request,
    match_history,
)
from hailuo_jupyter.errors import AnswerLost, HailuoError, JobFailed, Rejected
from hailuo_jupyter.formatting import exact_usd
from hailuo_jupyter.providers.base import NOTHING_BOUGHT, Dialect
from hailuo_jupyter.providers.history import HistoryRow
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.runlog.accounts import Account, Match, match
from hailuo_jupyter.states import State

_DAY_S = 86400.0


@dataclass(frozen=True)
class History:
    """The rows read.

    Parameters
    ----------
    rows
        Requests, with times by the provider's clock.
    whole
        Whether they are all requests of the period.
    ahead_s
        Seconds by which the provider's clock is ahead of this machine's.
    """

    rows: tuple[HistoryRow, ...]
    whole: bool
    ahead_s: float = 0.0


class HistoryRecorder:
    """Records the news of a history.

    Parameters
    ----------
    log
        The run log.
    dialect, account
        Whose history it is.
    now
        Seconds since 1970.
    absent_after_s
        See `Timings.absent_after_s`.
    """

    def __init__(
        self, log: RunLog, dialect: Dialect, account: Account, now: float, absent_after_s: float
    ) -> None:
        self._absent_after_s = absent_after_s
        self._log, self._account, self._now = log, account, now
        self._provider, self._by_our_id = dialect.provider, dialect.logs_our_id
        self._source = f"{self._provider.title}'s {dialect.history_title}"

    def may_be_asked(self, row: Row) -> bool:
        """Return whether this account's key may ask about a run by the id of its job."""
        return self._match(row) is not Match.OTHER_ADDRESS

    def may_be_ours(self, row: Row) -> bool:
        """Return whether this account's history may show a run.

        Another account's history cannot; but what a history shows under the id of a run, or of its job,
        belongs to that run, and a lost answer may belong to any account if the run's account is unknown.
        """
        if (how := self._match(row)) is Match.UNPROVED:
            return row.job_id is not None or row.account is None or self._by_our_id
        return how is Match.SAME

    def _match(self, row: Row) -> Match:
        return Match.SAME if row.provider == "demo" else match(row, self._account)

    def write_down(self, run_ids: Sequence[str], history: History) -> list[Row]:
        """Record what the history shows about some runs.

        Returns
        -------
        list of Row
            The changed rows.
        """
        changed: list[Row] = []
        by_job = {row.job_id: row for row in history.rows if row.job_id is not None}
        with self._log.exclusive():
            # Read only now: every request in the history was in the log before it was sent.
            logged = [row for run_id in run_ids if (row := self._log.find(run_id)) is not None]
            rows = [row for row in logged if row.is_readable]
            matches = self._find([row for row in rows if self._is_lost(row)], history)
            for row in rows:
                after = row
                if row.run_id in matches:
                    run, match = matches[row.run_id]
                    after = self._settle(row, run, match, whole=history.whole)
                elif row.job_id in by_job:
                    after = self._charge(row, by_job[row.job_id])
                if after.revision != row.revision:
                    changed.append(after)
        return changed

    def give_job(self, run_id: str, job_id: str, answer: object) -> Row:
        """Restore the job that a run's lost response named, if the provider knows it.

        Parameters
        ----------
        run_id, job_id
            The run, and the job.
        answer
            The stored part of the provider's answer about the job.
        """
        with self._log.exclusive():
            row = self._log.get(run_id)
            taken = self._log.known_jobs(row.provider, [job_id])
            if not self._is_lost(row) or taken:
                return row
            row = self._own(row)
            answers = {"submit": answer, **row.record.job.answers}
            job = {"id": job_id, "hint": None, "answers": answers}
            accepted_at = row.record.entered(State.SUBMITTING) or self._now
            return self._move(row, State.SUBMITTED, accepted_at, problem=None, job=job)

    def _is_lost(self, row: Row) -> bool:
        # The process that lost the answer may still be recording that. If the job were restored now, the run
        # would be released by its old task, and no new task starts while that is active.
        in_hand = row.owner is not None and self._log.alive(row.owner)
        return row.state is State.UNCONFIRMED and not in_hand

    def _find(
        self, lost: list[Row], history: History
    ) -> dict[str, tuple[LostRequest, HistoryMatch]]:
        runs = {row.run_id: run for row in lost if (run := lost_request(row.record))}
        if not runs:
            return {}
        # A request in flight may be the one that the history shows. A day's margin:
        # a run may wait before it is sent.
        others = self._log.unanswered(
            lost[0].provider,
            min(run.first for run in runs.values()) - _DAY_S,
            max(run.last for run in runs.values()) + _DAY_S,
        )
        rivals = (
            row
            for row in others
            if row.is_readable
            # The history is that of one model.
            and row.record.model == self._provider.model
            and self.may_be_ours(row)
        )
        claimants = {row.run_id: run for row in rivals if (run := lost_request(row.record))} | runs
        job_ids = [row.job_id for row in history.rows if row.job_id is not None]
        matches = match_history(
            [each.widened(history.ahead_s) for each in claimants.values()],
            history.rows,
            taken=set(self._log.known_jobs(lost[0].provider, job_ids)),
            by_our_id=self._by_our_id,
        )
        if any(row.state is State.SUBMITTING for row in others):
            # A double match may become unique once the answer to the other run arrives.
            matches = {
                run_id: HistoryMatch(MatchKind.UNREADABLE)
                if each.kind is MatchKind.SEVERAL
                else each
                for run_id, each in matches.items()
            }
        return {run_id: (run, matches[run_id]) for run_id, run in runs.items()}

    def _settle(self, row: Row, run: LostRequest, match: HistoryMatch, *, whole: bool) -> Row:
        """Record the outcome of a lost answer."""
        passed = self._now - run.sent
        if match.kind is MatchKind.YES and match.row is not None:
            return self._take(row, match.row)
        if match.kind is MatchKind.SEVERAL:
            problem = _ambiguous(self._source, match.several)
        elif self._match(row) is not Match.SAME:
            return row  # its absence proves nothing
        elif match.kind is MatchKind.NO and whole and passed >= self._absent_after_s:
            problem = _absent(self._source, passed)
        else:
            return row
        new, old = problem.as_problem(), row.record.problem
        if old is not None and (old.money, old.todo) == (new["money"], new["todo"]):
            return row  # already recorded, possibly at another hour
        return self._change(row, problem=new)

    def _take(self, row: Row, history_row: HistoryRow) -> Row:
        """Restore a run's job; only the id is taken from the history's row."""
        row = self._own(row)
        shown = {
            "id": history_row.job_id,
            "outcome": history_row.outcome,
            "cost_usd": history_row.cost_usd,
        }
        job: dict[str, Any] = {
            "answers": {**row.record.job.answers, "history": shown},
            "hint": None,
        }
        if history_row.job_id is not None:
            job["id"] = history_row.job_id
        cost = self._cost(history_row)
        if history_row.outcome == "failed":
            refused = history_row.job_id is None and history_row.cost_usd == 0
            problem = _failed(self._source, history_row, refused=refused).as_problem()
            state = State.REJECTED if refused else State.FAILED
            return self._move(row, state, self._now, problem=problem, job=job, cost=cost)
        if history_row.job_id is None:
            return row
        # It was accepted when it was sent, not when that became known: the provider's retention
        # starts then.
        accepted_at = row.record.entered(State.SUBMITTING) or self._now
        return self._move(row, State.SUBMITTED, accepted_at, problem=None, job=job, cost=cost)

    def _charge(self, row: Row, history_row: HistoryRow) -> Row:
        """Record the cost of a finished run."""
        row = self._own(row)
        cost, problem = self._cost(history_row), row.record.problem
        if not cost or row.record.cost.confirmed:
            return row
        if row.state is State.COMPLETED and not cost["actual"]:
            return row  # the clip exists, so it was not free
        if row.state is State.FAILED and problem is not None:
            money = _charged(self._source, cost["actual"])
            return self._change(row, cost=cost, problem={**problem.model_dump(), "money": money})
        return self._change(row, cost=cost)

    def _own(self, row: Row) -> Row:
        """Count a run that the history shows, which proves that the run belongs to this key's account."""
        if not row.elsewhere and row.account == self._account.name:
            return row
        price = self._provider.price(row.record.request.options)
        return self._log.prove(row.run_id, self._account, price)

    def _cost(self, history_row: HistoryRow) -> dict[str, Any]:
        if history_row.cost_usd is None:
            return {}
        return {"actual": history_row.cost_usd, "actual_source": self._source, "confirmed": True}

    def _change(self, row: Row, **changes: Mapping[str, Any]) -> Row:
        return self._log.update(
            row.run_id, lambda record: record.changed(**changes), only_from={row.state}
        )

    def _move(self, row: Row, state: State, timestamp: float, **changes: Any) -> Row:
        return self._log.update(
            row.run_id,
            lambda record: record.moved(state, at=timestamp, **changes),
            only_from={row.state},
        )


def _charged(source: str, usd: float) -> str:
    """Return the cost of a job without a clip, in words."""
    if usd == 0:
        return f"Not charged, according to {source}; no clip was made."
    return f"${exact_usd(usd)} charged, according to {source}; no clip was made."


def _failed(source: str, row: HistoryRow, *, refused: bool) -> HailuoError:
    """Return the error for a request whose answer was lost and that has failed.

    Parameters
    ----------
    source
        Whose history.
    row
        Its row.
    refused
        Whether no job was created and nothing was charged.
    """
    words = f": {row.words}" if row.words else "."
    again = "Rerun the cell to send it again."
    if refused:
        return Rejected(
            f"The response was lost. According to {source} the request was rejected{words}",
            money=NOTHING_BOUGHT,
            todo=again,
        )
    money = (
        "It does not show whether it was charged. No clip was made."
        if row.cost_usd is None
        else _charged(source, row.cost_usd)
    )
    return JobFailed(
        f"The response was lost. According to {source} the job was accepted and failed{words}",
        money=money,
        todo=again,
    )


def _ambiguous(source: str, several: int) -> AnswerLost:
    """Return the error for several requests of the history, or several runs, that match each other."""
    return AnswerLost(
        f"The response was lost; {source} has {several} matching requests.",
        money="You may have been charged.",
        todo="Check the provider's history before resending with --new.",
    )


def _absent(source: str, passed: float) -> AnswerLost:
    """Return the error for a request that the history does not show after `passed` seconds."""
    return AnswerLost(
        f"The response was lost. {source}, checked with the current key, does not show the "
        f"request after {passed / 60:.0f} minutes.",
        money="You were probably not charged.",
        todo="Add --new to the cell to send it again.",
    )
