"""The documentation's table of "Running a cell again", for every state and every way to ask again.

Rows come from the `State` enum: a new state without a row fails. Columns are `COLUMNS`: each says who
asked first, what happens in between, and who asks again. A column of one's own is one more entry there,
with what it changes of the rows' answers, if it changes any.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hailuo_jupyter import keys, startup
from hailuo_jupyter.engine.clock import Clock
from hailuo_jupyter.engine.decide import Action
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.recovery import Sidecars
from hailuo_jupyter.engine.resources import OwnedLog
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.engine.submission import Submission, find_reusable, reserve
from hailuo_jupyter.errors import JobExpired, NotBought, OwnerStopped, WaitsForItsKey
from hailuo_jupyter.ids import Notebook, notebook_at
from hailuo_jupyter.kernel import context, generate
from hailuo_jupyter.kernel.context import Sessions
from hailuo_jupyter.record.sidecar import write_sidecar
from hailuo_jupyter.runlog import Owner, Row, RunLog, heartbeats
from hailuo_jupyter.runlog.heartbeats import Limits
from hailuo_jupyter.states import SETTLED, State
from tests.support.engine_fixture import KEYS, EngineFixture, eventually, shorten

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "running-again.md"

# ── the rows: what there is, and what a plain run of the cell does ─────────────────────────────

SHOWN = "a completed run, its clip in place"
DELETED = "a completed run whose clip was deleted (by hand or by `prune`)"
DAMAGED = "a completed run whose clip is damaged (a Git LFS or git-annex pointer, empty, truncated)"
CHANGED = "a completed run whose clip was changed (trimmed, for example)"
GOING_ON = "a run in progress, or bought and not downloaded yet"
IN_THE_WAY = "an unconfirmed or expired run"
NOTHING = "a run that was rejected, failed or never sent; or nothing"


@dataclass(frozen=True)
class Case:
    """One way in which a state is met.

    Parameters
    ----------
    row
        The first cell of its row in the guide's table.
    act
        What running the cell again does; None where it refuses.
    alive
        Whether the process that has the run in hand lives.
    recorded
        Whether a record beside the clips tells of it.
    deleted, late
        The clip was deleted; the provider has deleted it, too.
    damage
        What became of the clip's bytes.
    """

    row: str
    act: Action | None
    alive: bool = False
    recorded: bool = True
    deleted: bool = False
    late: bool = False
    damage: Callable[[bytes], bytes] | None = None


def pointer(_: bytes) -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


def tagged(clip: bytes) -> bytes:
    return clip + b"a tag"


_UNSENT = (
    Case(NOTHING, Action.BUY, recorded=False),
    Case(GOING_ON, Action.ATTACH, alive=True, recorded=False),
)
CASES: dict[State, tuple[Case, ...]] = {
    State.PREPARED: _UNSENT,
    State.UPLOADING: _UNSENT,
    State.SUBMITTING: (
        Case(IN_THE_WAY, None, recorded=False),
        Case(GOING_ON, Action.ATTACH, alive=True, recorded=False),
    ),
    State.SUBMITTED: (Case(GOING_ON, Action.ATTACH),),
    State.QUEUED: (Case(GOING_ON, Action.ATTACH),),
    State.GENERATING: (Case(GOING_ON, Action.ATTACH),),
    State.DOWNLOADING: (Case(GOING_ON, Action.ATTACH),),
    State.UNDOWNLOADED: (Case(GOING_ON, Action.FETCH),),
    State.COMPLETED: (
        Case(SHOWN, Action.SHOW),
        Case(DELETED, Action.FETCH, deleted=True),
        Case(DELETED, None, deleted=True, late=True),
        Case(DAMAGED, Action.FETCH, deleted=True, damage=pointer),
        Case(DAMAGED, None, deleted=True, late=True, damage=pointer),
        Case(CHANGED, Action.SHOW, damage=tagged),
    ),
    State.REJECTED: (Case(NOTHING, Action.BUY, recorded=False),),
    State.FAILED: (Case(NOTHING, Action.BUY),),
    State.EXPIRED: (Case(IN_THE_WAY, None),),
    State.UNCONFIRMED: (Case(IN_THE_WAY, None),),
}


def test_every_state_has_its_rows_and_the_guide_has_them() -> None:
    assert set(CASES) == set(State)
    rows = {case.row for cases in CASES.values() for case in cases}
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    table = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert set(table) == {"the notebook has", *rows}


# ── the columns: who asks, and what happens in between ─────────────────────────────────────────


@dataclass
class Scene:
    """A notebook in a folder, and how kernels are started for it."""

    lab: EngineFixture
    path: Path
    start_in: Callable[[Path], None]
    patch: pytest.MonkeyPatch

    def kernel(
        self,
        folder: Path,
        *,
        server: Path | None = None,
        cell_id: str = "cell-1",
        executor: Path | None = None,
    ) -> None:
        """Be a kernel that was started in a folder, and runs a request's cell now."""
        named = {} if executor is None else {
            startup.NOTEBOOK_ID: notebook_at(executor).id, startup.NOTEBOOK_PATH: str(executor),
        }  # fmt: skip
        values = {startup.SESSION_NAME: str(server or ""), **named}
        for name in (startup.SESSION_NAME, startup.NOTEBOOK_ID, startup.NOTEBOOK_PATH):
            self.patch.setenv(name, values.get(name, ""))
        self.start_in(folder)
        request = {"header": {"session": "page"}, "metadata": {"cellId": cell_id}}
        shell = SimpleNamespace(get_parent=lambda: request, user_ns={})
        self.patch.setattr(context, "shell", lambda: shell)
        self.patch.setattr(context, "_sessions", cache(Sessions))

    def order(self, **how: Any) -> Submission:
        """Make the order that the running cell makes."""
        options: Any = {"provider": "segmind", **how}
        submission, _ = generate.submission_from(
            "A heron lifts off a lake.", options, settings=self.lab.settings
        )
        return submission


Ask = Callable[[Scene], None]


def lab(scene: Scene) -> None:
    scene.kernel(scene.path.parent, server=scene.path)
    told = Notebook(notebook_at(scene.path).id, scene.path, scene.path.parent, scene.path.name)
    context.set_notebook("page", told)


def lab_with_an_unsaved_id(scene: Scene) -> None:
    scene.kernel(scene.path.parent, server=scene.path)
    context.set_notebook("page", Notebook("an-id", scene.path, scene.path.parent, scene.path.name))


def lab_without_extension(scene: Scene) -> None:
    scene.kernel(scene.path.parent, server=scene.path)


def vscode(scene: Scene) -> None:
    # Started in the workspace, above the notebook's folder.
    scene.kernel(scene.lab.folder, cell_id=f"vscode-notebook-cell:{scene.path}#W0sZmlsZQ%3D%3D")


def nbconvert(scene: Scene) -> None:
    scene.kernel(scene.path.parent)


def execute(scene: Scene) -> None:
    scene.kernel(scene.path.parent, executor=scene.path)


def nothing(_: Scene) -> None:
    pass


def rename(scene: Scene) -> None:
    scene.path = scene.path.rename(scene.path.with_name("tale.ipynb"))


def move(scene: Scene) -> None:
    home = scene.path.parent.rename(scene.lab.folder / "after")
    scene.path = home / scene.path.name


def lose_the_log(scene: Scene) -> None:
    shutil.rmtree(scene.lab.log.parent)


def use_another_account(scene: Scene) -> None:
    scene.patch.setenv("SEGMIND_API_KEY", "SG_another_0123456789")


def and_cd(ask: Ask) -> Ask:
    def work(scene: Scene) -> None:
        ask(scene)
        (scene.path.parent / "sub").mkdir(exist_ok=True)
        os.chdir(scene.path.parent / "sub")

    return work


@dataclass(frozen=True)
class Column:
    """One way to ask again.

    Parameters
    ----------
    name
        What is different.
    first, between, again
        Who asks first, what happens then, and who asks again.
    changes
        What it makes of a row's answer; the row's own as it is.
    own_key
        Whether the key is the one that the run was bought with. With another one it serves as well, but
        what is at the provider arrives only when its own key is there again.
    stopped
        Whether a process has the run, where it is not settled, that is stopped: what is bought is taken
        over, and what is not sent is neither waited for nor bought.
    """

    name: str
    first: Ask = lab
    between: Callable[[Scene], None] = nothing
    again: Ask = lab
    changes: Callable[[Case], Case] = field(default=lambda case: case)
    own_key: bool = True
    stopped: bool = False


def only_what_is_recorded(case: Case) -> Case:
    """What the log alone has told is not known any more.

    Nothing beside the clips tells of a run before its provider's answer; after that its record does,
    which is not written again until the clip is there.
    """
    if not case.recorded:
        return replace(case, act=Action.BUY)
    return (
        case if case.deleted or case.act is not Action.FETCH else replace(case, act=Action.ATTACH)
    )


COLUMNS = (
    Column("the same notebook"),
    Column("renamed notebook", between=rename),
    Column("renamed notebook, in VS Code", first=vscode, between=rename, again=vscode),
    Column("moved folder", between=move),
    Column("moved folder, a script's", first=nbconvert, between=move, again=nbconvert),
    Column("lost log", between=lose_the_log, changes=only_what_is_recorded),
    Column("different front end", again=vscode),
    Column("different front end, back", first=vscode),
    Column("different front end, id unsaved", first=lab_with_an_unsaved_id, again=vscode),
    Column("no lab extension", first=lab_without_extension, again=lab_with_an_unsaved_id),
    Column("different executor", again=nbconvert),
    Column("different executor, back", first=nbconvert),
    Column("execute", again=execute),
    Column("another account on the same log", between=use_another_account, own_key=False),
    Column("stopped owner", stopped=True),
    Column("%cd", first=nbconvert, again=and_cd(nbconvert)),
    Column("%cd before", first=and_cd(vscode), again=vscode),
)


# ── how a run comes to its state ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class LaterClock(Clock):
    """Days later, when no provider has the clip any more."""

    wall: Callable[[], float] = lambda: Clock().wall() + 30 * 86400.0


#: What a run comes to before, or without, the provider's answer.
EARLY = frozenset({State.PREPARED, State.UPLOADING, State.SUBMITTING, State.REJECTED})


def in_hand(scene: Scene, order: Submission, state: State) -> tuple[Row, Owner]:
    """Bring a run to a state before the provider's answer, in the hands of a process."""
    with RunLog(scene.lab.log) as log:
        limiter: Any = None  # nothing is sent by it
        desk = OwnedLog(log, Owner(log.path), limiter)
        seen = find_reusable(order, log, Clock().wall(), Sidecars())
        (row,) = reserve(seen, desk, scene.lab.settings, Clock().wall()).rows
        for each in (State.UPLOADING, State.SUBMITTING):
            if state in {each, State.SUBMITTING} and state is not State.PREPARED:
                row = log.update(row.run_id, lambda record, to=each: record.moved(to))
        if state is State.REJECTED:
            row = log.update(row.run_id, lambda record: record.moved(State.REJECTED))
        return row, desk.owner


def at_provider(scene: Scene, order: Submission, state: State, case: Case) -> Row:
    """Bring a run to a state that the provider's answer leads to; its job is a real one."""
    engine = scene.lab.engine()
    run = engine.submit(order)[0].run
    beside = order.folder / f"{run.run_id}.json"
    if state is State.COMPLETED:
        run.wait(60)
    else:
        eventually(lambda: run.record.job.id and beside.is_file())
    engine.stop()
    with RunLog(scene.lab.log) as log:
        row = log.get(run.run_id)
        if state is not State.COMPLETED:
            changes: dict[str, Any] = {"state": state}
            if state is State.UNCONFIRMED:
                changes["job"] = {"id": None}
            if state in {State.EXPIRED, State.FAILED}:
                changes["problem"] = JobExpired("It is gone.").as_problem()
            row = log.update(row.run_id, lambda record: record.changed(**changes))
            if state in {State.UNCONFIRMED, State.EXPIRED, State.FAILED}:
                write_sidecar(row.record, row.folder)
        clip = row.folder / f"{row.run_id}.mp4"
        if case.damage is not None:
            clip.write_bytes(case.damage(clip.read_bytes()))
        elif case.deleted:
            clip.unlink()
        return row


def hold(scene: Scene, row: Row) -> Owner:
    """Have a process own a run that lives and does nothing."""
    with RunLog(scene.lab.log) as log:
        owner = Owner(log.path)
        with log.exclusive() as connection:
            connection.execute("UPDATE runs SET owner = ? WHERE run_id = ?", (owner.id, row.run_id))
        return owner


ALL = [
    pytest.param(state, case, column, id=f"{state}-{number}-{column.name}")
    for state, cases in CASES.items()
    for number, case in enumerate(cases)
    for column in COLUMNS
]


@pytest.fixture
def scene(
    make_lab: Callable[..., EngineFixture],
    start_in: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    shorten(monkeypatch, poll_interval_s=0.02, account_check_s=0.1)
    monkeypatch.setattr(heartbeats, "LIMITS", Limits(beat_s=0.1, stopped_s=1.0))
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)
    lab = make_lab(segmind_seconds=0.05, separate_accounts=True)
    monkeypatch.chdir(lab.folder)
    path = lab.folder / "before" / "story.ipynb"
    path.parent.mkdir()
    path.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    return Scene(lab, path, start_in, monkeypatch)


def is_refused(engine: Engine, order: Submission, row: Row) -> None:
    with pytest.raises(NotBought) as refused:
        engine.submit(order)
    assert "--new" in str(refused.value)
    assert row.run_id in refused.value.what


def says_who_has_it(run: Run) -> None:
    with pytest.raises(OwnerStopped, match=f"has run {run.run_id} but is suspended") as told:
        run.wait(60)
    assert "end it" in told.value.todo


def waits_for_its_key(run: Run, scene: Scene) -> None:
    """It does, until its key is there."""
    with pytest.raises(WaitsForItsKey):
        run.wait(60)
    scene.patch.setenv("SEGMIND_API_KEY", KEYS["SEGMIND_API_KEY"])
    eventually(lambda: run.clip)


@pytest.mark.parametrize(("state", "case", "column"), ALL)
def test_a_cell_that_is_run_again(state: State, case: Case, column: Column, scene: Scene) -> None:
    lab = scene.lab
    column.first(scene)
    order, owner = scene.order(), None
    if state in EARLY:
        row, owner = in_hand(scene, order, state)
        if not case.alive:
            owner.close()
    else:
        row = at_provider(scene, order, state, case)
    bought = len(lab.sim.ledger)
    if not column.own_key and state is not State.COMPLETED:
        # Whatever has arrived needs no key.
        (row.folder / f"{row.run_id}.mp4").unlink(missing_ok=True)
    column.between(scene)
    is_held = column.stopped and state not in SETTLED
    owner = hold(scene, row) if is_held else owner
    if is_held and state in EARLY:
        case = replace(case, act=Action.ATTACH, alive=True)
    column.again(scene)
    order, expected = scene.order(), column.changes(case).act
    engine = Engine(lab.settings, clock=LaterClock() if case.late else None)
    lab.engines.append(engine)

    if expected is None:
        is_refused(engine, order, row)
        assert len(lab.sim.ledger) == bought
    else:
        (placed,) = engine.submit(order)
        assert placed.action is expected
        assert (placed.run.run_id == row.run_id) is (expected is not Action.BUY)
        if expected is Action.BUY:
            placed.run.wait(60)
        if is_held and state in EARLY:
            says_who_has_it(placed.run)
        if expected in {Action.SHOW, Action.FETCH} or (
            expected is Action.ATTACH and not case.alive
        ):
            if expected is not Action.SHOW and not column.own_key:
                waits_for_its_key(placed.run, scene)
            clip = placed.run.wait(60).clip
            assert clip is not None
            assert clip.is_file(), "nothing that was paid for is lost"
            assert clip.parent == order.folder
        assert len(lab.sim.ledger) == bought + (expected is Action.BUY), "nothing is bought twice"
    if owner is not None:
        owner.close()
    engine.stop()
