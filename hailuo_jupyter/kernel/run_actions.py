"""What a page can have done with a run: the actions of `comm_messages.Act`.

Where the user has to agree, the action is first described, with what it costs, and done when it is confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.kernel.action_answer import Answer, answered
from hailuo_jupyter.kernel.consent import offer, redeem
from hailuo_jupyter.states import AT_PROVIDER, RESUMABLE, UNSENT, State

if TYPE_CHECKING:
    from hailuo_jupyter.engine.engine import Engine
    from hailuo_jupyter.ipynb.prune import DeletableFile
    from hailuo_jupyter.kernel.comm_messages import Act
    from hailuo_jupyter.record import ClipRecord, Record
    from hailuo_jupyter.runlog import Row


def act(message: Act) -> dict[str, Any]:
    """Perform an action on a run, or describe what would be done.

    Parameters
    ----------
    message
        The page's request. The notebook is that of `context.override_cell`.

    Returns
    -------
    dict
        ``problem``, ``text``, ``bundles`` and ``about``, as `comm_messages.schema.json` defines them.
    """
    from hailuo_jupyter.engine import process

    return answered(lambda: _ACTIONS[message.action](process.get_engine(), message))


def _delete(engine: Engine, message: Act) -> Answer:
    """Delete the clip that the notebook shows, and its record file; frames stay."""
    from hailuo_jupyter.engine.clip_location import clip_path
    from hailuo_jupyter.ipynb.prune import PruneFilter, plan_prune, prune
    from hailuo_jupyter.kernel import context
    from hailuo_jupyter.kernel.display.run_view import clip_at

    row, run_id = engine.row(message.run_id), message.run_id
    clip = row.record.clip
    if clip is None or clip_path(row) is None:
        return Answer(problem=f"Run {run_id} has no clip.")
    shown = clip_at(row.folder, clip, context.notebook().folder)
    if shown.parent.resolve() != row.folder.resolve():
        return _delete_copy(engine, message, row, shown)
    plan = plan_prune(PruneFilter(run_ids=frozenset({run_id})), engine.logs(), forget=False)
    found = next((each for each in plan.candidates if each.clip is not None), None)
    if found is None or found.clip is None:
        why = " ".join(plan.remarks) or f"Run {run_id} has no clip in its folder."
        return Answer(problem=why)
    if not message.confirmed:
        return Answer(
            (
                _question(found.clip),
                _IRREPLACEABLE,
                "The notebook and the run log keep the run's record and its cost.",
            ),
            about=offer(_Deletion(run_id, found.clip)),
        )
    if redeem(message.about, _Deletion) != _Deletion(run_id, found.clip):
        return Answer(problem=_OTHER_FILES)
    done = prune([replace(found, frames={})], forget=False)
    engine.events.publish(found.log.get(run_id))
    if found.clip.path.exists():
        return Answer(problem=" ".join(done.remarks))
    return Answer((f"{found.clip.path.name} was deleted.", *done.remarks))


def _delete_copy(engine: Engine, message: Act, row: Row, path: Path) -> Answer:
    """Delete the notebook's own copy of a clip, and the record file next to it."""
    from hailuo_jupyter.engine.clip_location import is_clip
    from hailuo_jupyter.ipynb.prune import copied_files, delete_files

    files = copied_files(row, path.parent)
    if not files:
        return Answer(problem=f"{path.name} does not match its record; the file is kept.")
    if not message.confirmed:
        clip = row.record.clip
        kept = clip is not None and is_clip(row.folder / clip.path, clip)
        stays = f"The run's own clip in {row.folder} stays." if kept else _IRREPLACEABLE
        about = offer(_Deletion(row.run_id, files[0]))
        return Answer((_question(files[0], "the copy "), stays), about=about)
    if redeem(message.about, _Deletion) != _Deletion(row.run_id, files[0]):
        return Answer(problem=_OTHER_FILES)
    done = delete_files(files)
    if path.exists():
        return Answer(problem=" ".join(done.remarks))
    bundle = _bundle(engine, message)
    return Answer((f"The copy {path.name} was deleted.", *done.remarks), (bundle,))


@dataclass(frozen=True)
class _Deletion:
    """What a person agrees to: to delete this file, as it is, of this run."""

    run_id: str
    clip: DeletableFile


_OTHER_FILES = "The clip's files have changed. Delete it again to see which ones."

_IRREPLACEABLE = "A clip can't be bought back: the same request makes a different one."


def _question(clip: DeletableFile, what: str = "") -> str:
    size = f"{clip.bytes / 1e6:.1f} MB"
    path = clip.path
    return f"Delete {what}{path.name} ({size}) in {path.parent} and the record file next to it?"


def _bundle(engine: Engine, message: Act) -> dict[str, Any]:
    """Return the present content of the output that shows the run."""
    from hailuo_jupyter.kernel import context, frontends
    from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
    from hailuo_jupyter.kernel.display.run_output import bundle_now

    runs = [engine.run(run_id) for run_id in message.output or (message.run_id,)]
    # Only our lab extension asks.
    return bundle_now(engine, runs, OutputPlace(frontends.JUPYTER, context.notebook()))


def _watch(engine: Engine, message: Act) -> Answer:
    """Continue an output's runs that no live process works on, and keep it current. Nothing is sent."""
    from hailuo_jupyter.kernel import context, frontends
    from hailuo_jupyter.kernel.display.clip_delivery import OutputPlace
    from hailuo_jupyter.kernel.display.run_output import keep_current

    run_ids = message.output or (message.run_id,)
    runs = [engine.run(run_id) for run_id in run_ids]
    # The author of an imported run's record has chosen its job.
    engine.resume([run_id for run_id in run_ids if engine.row(run_id).imported is None])
    active = {run.run_id for run in engine.active_runs()}
    for row in map(engine.row, run_ids):
        if row.state in RESUMABLE and row.owner is None and row.run_id not in active:
            return Answer(
                problem=f"Run {row.run_id} was imported. Rerun its cell, or use 'jupyter hailuo wait "
                f"{row.run_id}', to follow it with your key."
            )
        engine.events.publish(row)  # one of another process is followed, too
    # Only our lab extension asks.
    place = OutputPlace(frontends.JUPYTER, context.notebook())
    return Answer(bundles=(keep_current(engine, runs, place),))


def _copy(engine: Engine, message: Act) -> Answer:
    """Copy a clip and its record file from the folder that has them into the notebook's."""
    from hailuo_jupyter.engine.clip_location import is_clip
    from hailuo_jupyter.kernel import context
    from hailuo_jupyter.kernel.display.run_view import copy_place

    row, notebook = engine.row(message.run_id), context.notebook()
    clip = row.record.clip
    if clip is None or clip.deleted is not None:
        return Answer(problem=f"Run {row.run_id} has no clip, or it was deleted.")
    target = copy_place(row.folder, clip, notebook.folder)
    own = row.imported is None and target.parent == row.folder
    if not own and not target.parent.resolve().is_relative_to(notebook.folder.resolve()):
        # The notebook's author may have made that link, and the record may be the author's, too.
        return Answer(
            problem=f"The folder {target.parent.name} leads out of the notebook's folder; nothing was copied."
        )
    if not is_clip(target, clip):
        if target.is_symlink() or target.exists():
            return Answer(
                problem=f"A different file named {target.name} is already in that folder."
            )
        source = _find_clip(engine, row, clip)
        if source is None:
            return Answer(
                problem=f"{clip.path} is in no folder that the run log knows. Rerun the cell to download "
                "it again while the provider keeps it, or copy it here from where the notebook came from."
            )
        _copy_clip(source, target, row.record)
        if not (row.folder / clip.path).exists():
            engine.relocate(row, target.parent)
    return Answer((f"{target.name} was copied.",), (_bundle(engine, message),))


def _find_clip(engine: Engine, row: Row, clip: ClipRecord) -> Path | None:
    """Return a file with exactly the clip's bytes, in its own folder or that of another run."""
    from hailuo_jupyter.engine.clip_location import is_clip
    from hailuo_jupyter.ipynb.locate import all_rows

    folders = [row.folder, *(each.folder for log in engine.logs() for each in all_rows(log)[0])]
    paths = (folder / clip.path for folder in dict.fromkeys(folders))
    return next((path for path in paths if is_clip(path, clip)), None)


def _copy_clip(source: Path, target: Path, record: Record) -> None:
    """Copy a clip to a new path, after its record was written there."""
    from hailuo_jupyter.errors import DiskError
    from hailuo_jupyter.files import atomic_write

    _write_record(record, target.parent)
    try:
        atomic_write(target, source.read_bytes())
    except OSError as error:
        raise DiskError(
            f"{source.name} could not be copied to {target.parent}: {error.strerror}."
        ) from None


def _write_record(record: Record, folder: Path) -> None:
    """Write a record file, unless the folder has a later one of the run."""
    from hailuo_jupyter.record.paths import sidecar_name
    from hailuo_jupyter.record.sidecar import read_file, read_sidecar, write_sidecar

    path = folder / sidecar_name(record.file_stem)
    try:
        later = read_sidecar(path, read_file(path)).revision > record.revision
    except (OSError, ValueError):
        later = False
    if not later:
        write_sidecar(record, folder)


def _cancel(engine: Engine, message: Act) -> Answer:
    """Cancel a run that was not sent yet, or its job at a provider that can stop one."""
    if message.confirmed:
        # The text was about one state: a job costs something else in another one.
        described = {state for state in State if state.value == message.about}
        return Answer((engine.cancel(message.run_id, only_in=described),))
    row = engine.row(message.run_id)
    provider = engine.providers.of_record(row.record)
    if row.state in UNSENT:
        return Answer(
            ("Nothing was sent yet. If it is still unsent when you confirm, nothing is charged.",),
            about=row.state.value,
        )
    if row.state is State.SUBMITTING and provider.cancellation is not None:
        return Answer(
            problem=f"Run {row.run_id} is being submitted. Once it is submitted, cancel it again."
        )
    if row.state not in AT_PROVIDER or provider.cancellation is None:
        return Answer(
            problem=f"Run {row.run_id} can't be cancelled now ({row.state.words.lower()})."
        )
    # What "submitted" means, no provider has said yet.
    started = {State.GENERATING: True, State.QUEUED: False}.get(row.state)
    money = {
        True: f"{provider.title} charges for a job that has started, according to its documentation.",
        False: f"A job that hasn't started isn't charged, according to {provider.title}'s documentation.",
        None: f"{provider.title} doesn't document whether a job at this stage is charged.",
    }[provider.cancellation.charged(started)]
    after = "If it finishes first, its clip is downloaded and paid for."
    return Answer((money, after), about=row.state.value)


def _tag(engine: Engine, message: Act) -> Answer:
    """Add tags to a run, as ``%hailuo tag`` does."""
    if not message.tags:
        return Answer(problem="Give a tag of 1 to 60 characters.")
    run = engine.run(message.run_id)
    run.tag(*message.tags)
    return Answer((f"Tags of run {run.run_id}: {', '.join(run.record.tags)}.",))


_ACTIONS = {"delete": _delete, "watch": _watch, "copy": _copy, "cancel": _cancel, "tag": _tag}
