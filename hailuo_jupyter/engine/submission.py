"""Submitting a request: which earlier runs are reused, how many are missing, and the runs reserved for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hailuo_jupyter.catalogue.types import Price, Provider
from hailuo_jupyter.clip_file import ClipFile, Condition, clip_file
from hailuo_jupyter.engine import budget
from hailuo_jupyter.engine.annotations import record_of
from hailuo_jupyter.engine.clip_location import clip_path, follow
from hailuo_jupyter.engine.decide import Action, Decision, EarlierRun, decide
from hailuo_jupyter.engine.download import check_folder
from hailuo_jupyter.engine.notebook_scope import Scope, Whose, earlier_request
from hailuo_jupyter.engine.recovery import Sidecars, recover
from hailuo_jupyter.engine.resources import OwnedLog, ProviderRegistry
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import NotBought, NotSent
from hailuo_jupyter.formatting import escape_control
from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.providers.base import NOTHING_BOUGHT
from hailuo_jupyter.record import Labels, OriginRecord, Record, new_run_id, prepare
from hailuo_jupyter.record.paths import named_stem, stem_of
from hailuo_jupyter.request import Request
from hailuo_jupyter.request.frames import keep
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import UNSENT, State


@dataclass(frozen=True)
class Submission:
    """A request with its options for the engine.

    Parameters
    ----------
    request, provider
        The request, and its provider.
    folder
        Output folder, absolute.
    origin
        Where it was requested; its notebook id is the scope of the search for earlier runs.
    key_folder
        The notebook's folder, where a ``.env`` may be.
    count
        Number of runs of this request.
    new
        Buy them even if the notebook already has them.
    yes
        Buy under a budget even if the price is unknown.
    most
        Buy at most this many now; None for all that are missing.
    labels
        The person's annotations for its runs.
    parent, sweep, position
        Stored in the record; see `hailuo_jupyter.record.prepare`. With `new`, runs of the same sweep
        are still reused, so that a sweep can be resumed.
    notebook
        The current notebook; if None, it is derived from `origin` and `key_folder`.
    remarks
        Remarks about reused runs, by their ids; filled in by `find_reusable`.
    """

    request: Request
    provider: Provider
    folder: Path
    origin: OriginRecord
    key_folder: Path
    count: int = 1
    new: bool = False
    yes: bool = False
    most: int | None = None
    labels: Labels = field(default_factory=Labels)
    parent: str | None = None
    sweep: str | None = None
    position: int | None = None
    notebook: Notebook | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)

    @property
    def asker(self) -> Notebook:
        """The current notebook, or the folder of code without a notebook."""
        if self.notebook is not None:
            return self.notebook
        name = self.origin.notebook_path
        path = None if name is None else self.key_folder / name
        return Notebook(self.origin.notebook_id or "", path, self.key_folder, name)

    @property
    def price(self) -> Price:
        """The price of one clip."""
        return self.provider.price(self.request.options)

    def record(
        self, now: float | None = None, *, is_free: Callable[[str], bool] = lambda _stem: True
    ) -> Record:
        """Return the initial record of one of its runs.

        Parameters
        ----------
        now
            Seconds since 1970, by the engine's clock; the system clock if None.
        is_free
            Returns whether no other run and no file has a stem; otherwise the files are named by the id.
        """
        run_id = new_run_id(now)
        stem = named_stem(self.labels.get("name"), run_id)
        return prepare(
            self.request,
            self.provider,
            run_id=run_id,
            stem=stem if stem is not None and is_free(stem) else None,
            origin=self.origin,
            parent=self.parent,
            sweep=self.sweep,
            position=self.position,
            frames_kept=True,
            at=now,
            **self.labels,
        )


@dataclass(frozen=True)
class SubmittedRun:
    """A run of a submission, what is done with it, and a remark about it, if any."""

    action: Action
    run: Run
    remark: str = ""


@dataclass(frozen=True)
class Candidate:
    """An earlier run of the same request that counts for a submission."""

    row: Row
    whose: Whose
    known: EarlierRun
    file: ClipFile

    @property
    def remark(self) -> str:
        """The remark if it is reused; empty for the notebook's own run with an unchanged clip."""
        sentences = []
        if self.whose.whence:
            sentences.append(
                f"Run {self.row.run_id} was requested {self.whose.whence}. Using it, no charge; "
                "--new generates another."
            )
        if self.file.condition is Condition.DAMAGED:
            sentences.append(
                f"The clip of run {self.row.run_id} is damaged: its file {self.file.why}. "
                "Downloading it again, no charge."
            )
        elif self.file.condition is Condition.CHANGED:
            sentences.append(
                f"The file of run {self.row.run_id}'s clip has changed since download. It is "
                "kept unchanged; no charge."
            )
        return " ".join(sentences)


def summarize(
    row: Row, whose: Whose, *, in_hand: bool, file: ClipFile, keeps_s: float, now: float
) -> Candidate:
    """Return what `decide` needs to know about an earlier run.

    Parameters
    ----------
    row, whose
        The run, and its origin.
    in_hand
        Whether a live process is working on it.
    file
        The state of the file at its clip's path.
    keeps_s
        Seconds for which its provider keeps a clip.
    now
        Seconds since 1970.

    Raises
    ------
    RunLogError
        If a newer version wrote it: whether it can be reused is unknown.
    """
    record = record_of(row)
    clip, problem = record.clip, record.problem
    earlier = EarlierRun(
        row.run_id,
        row.state,
        in_hand=in_hand,
        clip_here=file.usable,
        damaged=file.why,
        provider_keeps=now - row.created < keeps_s,
        problem=problem.what if problem else "",
        folder=row.folder.name,
        deleted=clip.deleted[:10] if clip and clip.deleted else "",
        whence=whose.whence,
    )
    return Candidate(row, whose, earlier, file)


def eligible(rows: Iterable[Candidate], submission: Submission) -> list[Candidate]:
    """Return the runs that a submission may reuse, the best first.

    A rerun reuses only reruns of the same run. An ordinary cell prefers the takes that it requested
    itself to those of a rerun, but does not buy again what a rerun has bought. The
    notebook's own runs come before those of others.
    """
    if submission.new:
        if submission.sweep is None:
            return []
        return [each for each in rows if each.row.record.sweep == submission.sweep]
    if submission.parent is not None:
        return [each for each in rows if each.row.record.parent == submission.parent]
    return sorted(
        rows, key=lambda each: (each.row.record.parent is not None, bool(each.whose.whence))
    )


@dataclass(frozen=True)
class Reusable:
    """Reusable runs of a submission, as far as files and locks have to be checked for them.

    Parameters
    ----------
    submission
        The submission.
    earlier
        The runs that count, by id.
    others
        Ids of runs of the same request that do not count.
    living
        Owners whose process was alive, of those checked.
    asked
        Owners that were checked.
    missing
        How many runs have to be bought.
    stems
        Stems of the files in the output folder, which no new run may have.
    """

    submission: Submission
    earlier: Mapping[str, Candidate]
    others: frozenset[str]
    living: frozenset[str]
    asked: frozenset[str]
    missing: int
    _scope: Scope
    stems: frozenset[str] = frozenset()

    def refreshed(self, rows: Iterable[Row], now: float) -> list[Candidate]:
        """Return the rows now in the log that count. Checks no files and no locks."""
        return [each for row in rows if (each := self._refreshed(row, now))]

    def _refreshed(self, row: Row, now: float) -> Candidate | None:
        if row.run_id in self.others:
            return None
        before = self.earlier.get(row.run_id)
        whose = before.whose if before else self._scope.at_a_glance(row)
        if whose is None:
            return None
        same = before is not None and before.row.state is row.state
        return summarize(
            row,
            whose,
            in_hand=row.owner is not None and self.alive(row.owner),
            # The clip of a run that was just completed exists.
            file=before.file if same and before else ClipFile(_completed(row)),
            keeps_s=self.submission.provider.keeps_s,
            now=now,
        )

    def alive(self, owner: str) -> bool:
        """Return whether an owner's process is alive; a new owner counts as alive."""
        return owner in self.living or owner not in self.asked


class Outdated(Exception):
    """More has to be bought than planned: another process has changed the reusable runs."""


def find_reusable(submission: Submission, log: RunLog, now: float, sidecars: Sidecars) -> Reusable:
    """Find reusable runs for a submission; nothing is bought.

    A run counts in every state, by `hailuo_jupyter.engine.notebook_scope`. Clips that were moved with
    their notebook are located here, and runs that exist only as a record next to the clip are
    added to the log.

    Parameters
    ----------
    submission
        The submission.
    log
        The log of its provider's runs.
    now
        Seconds since 1970.
    sidecars
        The sidecars of output folders read so far.

    Raises
    ------
    NotBought
        If an earlier run blocks the purchase.
    RunLogError
        If a newer version wrote one of them.
    """
    scope = Scope(submission.asker, submission.folder, log)
    refusal: NotBought | None = None
    try:
        reusable = _in_log(submission, log, now, scope)
        if submission.new or not reusable.missing:
            return replace(reusable, stems=_stems(submission))
    except NotBought as error:
        refusal = error
    request, provider = submission.request, submission.provider
    recovered = recover(
        request.fingerprint,
        provider.name,
        submission.folder,
        log=log,
        scope=scope,
        sidecars=sidecars,
    )
    if recovered.run_ids:
        reusable, refusal = _in_log(submission, log, now, scope), None
    if refusal is not None:
        raise refusal
    # A rerun is served by reruns of its run alone, and such a record does not say whose it is.
    if recovered.unusable and reusable.missing and submission.parent is None:
        raise _unusable(*recovered.unusable[0])
    return replace(reusable, stems=_stems(submission))


def _unusable(sidecar: Path, why: str) -> NotBought:
    """Return the refusal because of a record that may be that of a clip which is paid for."""
    return NotBought(
        f"The record {escape_control(sidecar.name)} in {sidecar.parent.name!r} cannot be used: "
        f"{escape_control(why.rstrip('.'))}.",
        money="Its clip may be paid for; nothing was sent now.",
        todo="Repair or remove it, or update hailuo-jupyter; --new buys another clip.",
    )


def _stems(submission: Submission) -> frozenset[str]:
    """Return the stems of the files in the output folder, if new runs are to be named."""
    if not submission.labels.get("name"):
        return frozenset()
    try:
        with os.scandir(submission.folder) as entries:
            return frozenset(stem_of(each.name.lower()) for each in entries)
    except OSError:
        return frozenset()


def _in_log(submission: Submission, log: RunLog, now: float, scope: Scope) -> Reusable:
    earlier: dict[str, Candidate] = {}
    others: set[str] = set()
    rows = _same(submission, log)
    owners = frozenset(row.owner for row in rows if row.owner is not None)
    living = frozenset(owner for owner in owners if log.alive(owner))
    for row in rows:
        whose = scope.whose(earlier_request(row, submission.folder))
        if whose is None:
            others.add(row.run_id)
            continue
        record_of(row)
        here = follow(row, submission.folder, log)
        clip, path = here.record.clip, clip_path(here)
        file = ClipFile(Condition.GONE) if clip is None or path is None else clip_file(path, clip)
        earlier[row.run_id] = summarize(
            here,
            whose,
            in_hand=here.owner in living,
            file=file,
            keeps_s=submission.provider.keeps_s,
            now=now,
        )
    decided = decision(earlier.values(), submission)
    remarks = {run_id: remark for _, run_id in decided.kept if (remark := earlier[run_id].remark)}
    submission = replace(submission, remarks=remarks)
    return Reusable(submission, earlier, frozenset(others), living, owners, decided.buy, scope)


def _completed(row: Row) -> Condition:
    return Condition.HERE if row.state is State.COMPLETED else Condition.GONE


def _same(submission: Submission, log: RunLog) -> list[Row]:
    """Return the runs of a submission's request in any notebook, the newest first."""
    rows = log.by_request(submission.request.fingerprint)
    return [row for row in rows if row.provider == submission.provider.name]


def decision(earlier: Iterable[Candidate], submission: Submission) -> Decision:
    """Decide what a submission needs, by the earlier runs that count for it.

    Raises
    ------
    NotBought
        If an earlier run blocks the purchase.
    """
    decided = decide(
        [each.known for each in eligible(earlier, submission)],
        count=submission.count,
        new=submission.new and submission.sweep is None,
    )
    if submission.most is not None and decided.buy > submission.most:
        return Decision(decided.kept, submission.most)
    return decided


def preflight(submission: Submission, providers: ProviderRegistry) -> None:
    """Check for whatever would fail later, before anything is recorded or paid.

    Raises
    ------
    KeyMissing, KeyConflict, SettingsError, DiskError, ProviderDown
        Before anything is sent.
    """
    providers.check_key(submission.provider, submission.key_folder)
    dialect = providers.dialect(submission.provider)
    request = submission.request
    frames = [each for each in (request.first_frame, request.last_frame) if each]
    if any(frame.url is None for frame in frames):
        dialect.check_storage()
    check_folder(submission.folder)
    for frame in frames:
        keep(frame, submission.folder)


@dataclass(frozen=True)
class Reserved:
    """The result of a submission.

    Parameters
    ----------
    kept
        What is done with reused runs, with their ids and remarks.
    rows
        The runs that were stored to be sent.
    replaced
        Runs that were never sent, which the new ones replace.
    """

    kept: tuple[tuple[Action, str, str], ...]
    rows: tuple[Row, ...]
    replaced: tuple[Row, ...]


def reserve(reusable: Reusable, owned: OwnedLog, settings: Hailuo, now: float) -> Reserved:
    """Decide what a submission needs, and store the runs to buy: one transaction for all processes.

    Two processes that submit at once to one log buy one clip, and cannot exceed a budget together. Others
    wait meanwhile, so nothing but the log is accessed.

    Raises
    ------
    NotBought
        If an earlier run blocks the purchase.
    BudgetExceeded
        If it would exceed a budget; nothing is stored then.
    Outdated
        If more has to be bought than was planned.
    """
    submission, log = reusable.submission, owned.log
    with log.exclusive():
        log.keep_notebook(submission.asker)
        earlier = reusable.refreshed(_same(submission, log), now)
        decided = decision(earlier, submission)
        if decided.buy > reusable.missing:
            raise Outdated
        by_id = {each.row.run_id: each for each in earlier}
        for _, run_id in decided.kept:
            row, whose = by_id[run_id].row, by_id[run_id].whose
            if whose.inherits and row.notebook_id is not None:
                log.include_notebook(submission.asker.id, row.notebook_id)
        if decided.buy:
            standing = budget.budgets(
                settings, log, submission.origin.notebook_id, now, alive=reusable.alive
            )
            budget.check(submission.price, decided.buy, standing, yes=submission.yes)
        rows = tuple(_insert(reusable, owned, now) for _ in range(decided.buy))
        unsent = [each for each in earlier if each.row.state in UNSENT and not each.known.in_hand]
        replaced = tuple(_replace(each.row, rows[0], log, now) for each in unsent if rows)
    kept = tuple((act, run_id, by_id[run_id].remark) for act, run_id in decided.kept)
    return Reserved(kept, rows, replaced)


def _replace(row: Row, by: Row, log: RunLog, now: float) -> Row:
    """Mark a run as never to be sent, even if another process is about to send it."""
    problem = NotSent(
        f"Run {by.run_id} replaced it.",
        money=NOTHING_BOUGHT,
        todo=f"See '%hailuo show {by.run_id}'.",
    ).as_problem()
    return log.replace(
        row.run_id, by.run_id, lambda record: record.moved(State.PREPARED, at=now, problem=problem)
    )


def _insert(reusable: Reusable, owned: OwnedLog, now: float) -> Row:
    submission, log = reusable.submission, owned.log

    def is_free(stem: str) -> bool:
        others = (row.record.file_stem for row in log.ending_with(stem[-6:]) if row.is_readable)
        return stem not in reusable.stems and stem not in others

    return log.insert(
        submission.record(now, is_free=is_free),
        folder=submission.folder,
        kind=submission.request.kind,
        owner=owned.owner.id,
    )
