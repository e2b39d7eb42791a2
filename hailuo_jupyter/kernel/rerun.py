"""Rerun a run with changes: from its record and its stored frames to a new submission.

A rerun always buys, so requesting it is the consent. But a repeated request buys once: if this
notebook has a rerun of the same run with the same request, that one is shown, so that Run All buys
nothing. ``--new`` buys another.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Unpack, cast

from hailuo_jupyter import catalogue, formatting
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.annotations import record_of
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.engine.submission import Submission
from hailuo_jupyter.errors import NOTHING_SENT, FrameError
from hailuo_jupyter.files import sha256_of
from hailuo_jupyter.kernel import context, generate
from hailuo_jupyter.kernel.generate_options import GenerateOptions, takes_options
from hailuo_jupyter.record import FrameRecord, Record
from hailuo_jupyter.request import Request
from hailuo_jupyter.request.frames import Frame
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo


class _Unchanged:
    def __repr__(self) -> str:
        return "the same"


#: Placeholder for the run's own frame; None means no frame.
UNCHANGED: Final = _Unchanged()

_FRAMES = {"image": ("first frame", "--image"), "last_image": ("last frame", "--last-frame")}


@dataclass(frozen=True)
class RerunPlan:
    """A rerun that is not submitted yet.

    Parameters
    ----------
    record
        The run to repeat.
    submission, remark
        As returned by `generate.submission_from`.
    """

    record: Record
    submission: Submission
    remark: str


def plan(run: Run, prompt: str | None, changes: GenerateOptions) -> RerunPlan:
    """Check a rerun, and build its submission; nothing is started.

    Parameters
    ----------
    run
        The run.
    prompt
        Another prompt; None for the run's own.
    changes
        The options that are set. Missing ones are the run's own if they are part of its request;
        not the options of provider and model if one of these changes.

    Raises
    ------
    FrameError
        If a frame to reuse is not available as it was sent.
    HailuoError
        For any other problem with it.
    """
    engine = process.get_engine()
    # Read again: another process may have moved its files and updated the log.
    row = engine.row(engine.run(run.run_id).run_id)
    record, settings = record_of(row), Hailuo.instance()
    old = record.request
    options: dict[str, Any] = {"prompt_optimizer": old.prompt_optimizer}
    provider = catalogue.provider(record.provider, model=record.model, demo_dialect=record.dialect)
    options["model"] = provider.model_name
    if changes.get("provider") in {None, record.provider}:
        options["provider"] = record.provider
        settings = _with_dialect(record, settings)
        if changes.get("model") in {None, provider.model_name}:
            options |= old.options
    folder = generate.output_folder(settings, changes.get("output"), context.notebook().folder)
    for name, frame in (("image", old.first_frame), ("last_image", old.last_frame)):
        if name not in changes and frame is not None:
            options[name] = _kept(row, name, frame, folder)
    submission, remark = generate.submission_from(
        old.prompt if prompt is None else prompt,
        cast("GenerateOptions", {**options, **changes}),
        parent=record.run_id,
        settings=settings,
    )
    return RerunPlan(record, submission, remark)


def preview(plan: RerunPlan) -> list[str]:
    """Return a message with the cost of a rerun and that its clip will differ; empty if it buys nothing.

    Raises
    ------
    HailuoError
        For any problem; nothing was sent.
    """
    submission = plan.submission
    missing = process.get_engine().find_reusable(submission).missing
    if not missing:
        return []
    different = changes(submission.request, plan.record)
    how = f"with {different}" if different else "unchanged"
    each = f", each of {missing}" if missing > 1 else ""
    unseen = ", and the optimizer rewrites the prompt without showing it"
    seedless = "The clip will differ: no provider accepts a seed"
    price = submission.price
    cost = "it costs nothing (demo)" if price.kind == "free" else f"it costs {price.text}"
    named = formatting.escape_control(plan.record.name or plan.record.run_id)
    return [
        formatting.sentence(f"Run {named} again, {how}: {cost}{each}"),
        f"{seedless}{unseen if submission.request.prompt_optimizer else ''}.",
    ]


@takes_options(prompt_optimizer=None, image=UNCHANGED, last_image=UNCHANGED)
def rerun(
    run: Run | str, *, prompt: str | None = None, **options: Unpack[GenerateOptions]
) -> Run | list[Run]:
    """Repeat the request of a run, with changes. This buys, and the clip will differ.

    The new run has the old one's id as its ``parent``. If this notebook has such a rerun already
    (of the same run, with the same request), that one is returned and nothing is bought.

    Parameters
    ----------
    run
        The run, its id, or an unambiguous part of it.
    prompt, mode, resolution, duration, ratio, prompt_optimizer
        As for `generate`; None leaves each as it was.
    provider, model
        As for `generate`; None for the same one. With another, its own options apply.
    image, last_image
        As for `generate`; None for no frame. If omitted, the frame that was sent is used: the file
        that was stored, checked by its sha256, or its address.
    count
        Number of reruns in this notebook, 1 to 20; only what is missing is bought.
    new
        Buy even if the notebook has made this rerun already.
    wait, output, tags, note, name, yes
        As for `generate`; tags and note are the new run's own.

    Returns
    -------
    Run or list of Run
        A list if `count` is more than 1.

    Raises
    ------
    RunNotFound
        If the run does not exist.
    FrameError
        If a frame is not available as it was sent.
    HailuoError
        As for `generate`.

    Examples
    --------
    >>> from hailuo_jupyter import generate, rerun
    >>> run = generate("A heron lifts off a lake.", "demo").wait()
    >>> finer = rerun(run, mode="pro").wait()
    >>> finer.record.parent == run.run_id
    True
    """
    began = time.monotonic()
    changed = {name: value for name, value in options.items() if _is_set(name, value)}
    planned = plan(
        run if isinstance(run, Run) else process.get_engine().run(run),
        prompt,
        cast("GenerateOptions", changed),
    )
    submitted = generate.submit(planned.submission, began)
    return submitted.to_result(wait=options.get("wait", False))


def _is_set(name: str, value: object) -> bool:
    return value is not (UNCHANGED if name in _FRAMES else None)


def _with_dialect(record: Record, settings: Hailuo) -> Hailuo:
    """Return settings with which the demo imitates the API that the run used, to have its options."""
    if record.provider != "demo" or record.dialect == settings.demo_dialect:
        return settings
    values = {name: getattr(settings, name) for name in settings.class_own_traits(config=True)}
    return Hailuo(**{**values, "demo_dialect": record.dialect})


def _kept(row: Row, name: str, frame: FrameRecord, folder: Path) -> Path | str:
    """Find a frame as it was sent: its stored file, by its hash, or its address."""
    wrong = "was not saved"
    for home in dict.fromkeys((row.folder, folder)) if frame.kept else ():
        path = home / str(frame.kept)
        found = sha256_of(path)
        if found is not None and found == frame.sha256:
            return path
        if found is not None:
            wrong = f"has changed in {home.name}/frames since it was sent"
        elif wrong == "was not saved":
            wrong = f"is no longer in {home.name}/frames"
    if frame.url is not None:
        if whole_links(row.record):
            return frame.url
        wrong = "was a signed link, and signatures are not saved"
    raise FrameError(
        formatting.escape_control(f"The {_FRAMES[name][0]} of run {row.run_id} {wrong}."),
        money=NOTHING_SENT,
        todo=f"Specify it again with {_FRAMES[name][1]} ({name}= in Python).",
    )


def recorded_request(
    record: Record, first_frame: Frame | None, last_frame: Frame | None, *, kind: str = ""
) -> Request:
    """Return the request of a record, with its frames.

    It is the same request only if its fingerprint is the record's.
    """
    request = record.request
    return Request(
        prompt=request.prompt,
        provider=record.provider,
        model=record.model,
        dialect=record.dialect,
        wire=record.wire,
        options=request.options,
        prompt_optimizer=request.prompt_optimizer,
        first_frame=first_frame,
        last_frame=last_frame,
        kind=kind,
    )


def whole_links(record: Record) -> bool:
    """Return whether the record's links are the ones that were sent: by the request's fingerprint."""
    frames = _named(record.request.first_frame), _named(record.request.last_frame)
    return recorded_request(record, *frames).fingerprint == record.fingerprint


def _named(frame: FrameRecord | None) -> Frame | None:
    if frame is None:
        return None
    return Frame(
        f"url:{frame.url}" if frame.url else f"file:{frame.source_sha256}", source=frame.source
    )


def changes(request: Request, record: Record) -> str:
    """Return how a request differs from that of an earlier run; empty if it does not.

    Parameters
    ----------
    request
        The request.
    record
        The earlier run.
    """
    was = record.request
    found = [f"provider {request.provider}"] if request.provider != record.provider else []
    if request.provider == record.provider and request.model != record.model:
        found.append(f"model {request.model}")
    found += ["another prompt"] if request.prompt != was.prompt else []
    found += [f"{name} {value}" for name, value in request.options.items()
              if was.options.get(name) != value]  # fmt: skip
    if request.prompt_optimizer != was.prompt_optimizer:
        found.append("the prompt optimizer " + ("on" if request.prompt_optimizer else "off"))
    for role, new, old in (
        ("first frame", request.first_frame, was.first_frame),
        ("last frame", request.last_frame, was.last_frame),
    ):
        if new is None and old is not None:
            found.append(f"no {role}")
        elif new is not None and (
            old is None or (new.url, new.sha256) != (old.url or None, old.sha256)
        ):
            found.append(f"another {role}")
    return ", ".join(found)
