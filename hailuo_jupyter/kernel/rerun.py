"""A run asked for again, with changes: from its record and its kept frames to a new order.

A rerun always buys, so asking for it is the consent. It is asked for once, all the same: where this
notebook has a rerun of the same run with the same request, that one is shown, so that Run All buys
nothing. ``--new`` buys another.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.annotate import record_of
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import NOTHING_SENT, FrameError
from hailuo_jupyter.frame import Frame, sha256
from hailuo_jupyter.kernel import generate, origin, words
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.record import FrameRecord, Record
from hailuo_jupyter.request import Request
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo


class _Same:
    def __repr__(self) -> str:
        return "the same"


#: Stands for the frame that the run had; None for no frame at all.
SAME: Final = _Same()

_OPTION = {"image": "--image", "last_image": "--last-frame"}
_ROLE = {"image": "first frame", "last_image": "last frame"}


@dataclass(frozen=True)
class Again:
    """A rerun that nothing was done for yet.

    Parameters
    ----------
    record
        The run that is asked for again.
    wish, settings
        What is asked for now, and the settings in force for it.
    """

    record: Record
    wish: Wish
    settings: Hailuo


def plan(run: Run, wish: Wish, *, keep: Collection[str]) -> Again:
    """Put what a run asked for in place of what a wish leaves open.

    Parameters
    ----------
    run
        The run.
    wish
        What is wanted anew. Options that are None are the run's own, unless the provider changes.
    keep
        Which of ``prompt``, ``prompt_optimizer``, ``image`` and ``last_image`` are the run's own.

    Raises
    ------
    FrameError
        If a frame that is to be kept is not at hand as it was sent.
    """
    engine = process.engine()
    # Asked for anew: another process may have told the log meanwhile where its files lie.
    row = engine.row(engine.run(run.run_id).run_id)
    record, settings = record_of(row), Hailuo.instance()
    old = record.request
    values: dict[str, Any] = {"parent": record.run_id}
    if wish.provider in {None, record.provider}:
        given = {name: value for name, value in wish.options.items() if value is not None}
        values |= {"provider": record.provider, "options": {**old.options, **given}}
        settings = _speaking(record, settings)
    if "prompt" in keep:
        values["prompt"] = old.prompt
    if "prompt_optimizer" in keep:
        values["prompt_optimizer"] = old.prompt_optimizer
    folder = generate.output_folder(settings, wish.output, origin.notebook().folder)
    for name, frame in (("image", old.first_frame), ("last_image", old.last_frame)):
        if name in keep and frame is not None:
            values[name] = _kept(row, name, frame, folder)
    return Again(record, replace(wish, **values), settings)


def beforehand(again: Again) -> list[str]:
    """Say what a rerun will cost and that its clip will differ; nothing where it buys nothing.

    Raises
    ------
    HailuoError
        Whatever stands in the way; nothing was sent.
    """
    order, _ = generate.order_of(again.wish, settings=again.settings)
    lacking = process.engine().lacks(order)
    if not lacking:
        return []
    changes = _changes(order.request, again.record)
    how = f"with {changes}" if changes else "unchanged"
    each = f", each of {lacking}" if lacking > 1 else ""
    unseen = ", and the prompt optimizer rewrites the prompt unseen"
    seedless = "The clip will be another one: no provider takes a seed"
    return [
        f"Run {again.record.run_id} again, {how}: {_price(order.provider, order.request)}{each}.",
        f"{seedless}{unseen if order.request.prompt_optimizer else ''}.",
    ]


def rerun(
    run: Run | str,
    *,
    prompt: str | None = None,
    provider: str | None = None,
    mode: str | None = None,
    resolution: str | None = None,
    duration: int | None = None,
    image: Any = SAME,
    last_image: Any = SAME,
    prompt_optimizer: bool | None = None,
    count: int = 1,
    new: bool = False,
    wait: bool = False,
    output: str | Path | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    name: str | None = None,
    yes: bool = False,
) -> Run | list[Run]:
    """Ask again for what a run asked for, with changes. This buys, and the clip will be another one.

    The new run has the old one's id as its ``parent``. Where this notebook has such a rerun already
    (of the same run, with the same request), that one is given and nothing is bought.

    Parameters
    ----------
    run
        The run, its id, or an unambiguous part of it.
    prompt, mode, resolution, duration, prompt_optimizer
        As for `generate`; None leaves each as it was.
    provider
        As for `generate`; None for the same one. With another one its own options hold.
    image, last_image
        As for `generate`; None for no frame. Left out, the frame is the one that was sent: the file
        that was kept, checked by its sha256, or its address.
    count
        Reruns wanted in this notebook, 1 to 20; only what is missing is bought.
    new
        Buy, even where the notebook has made this rerun already.
    wait, output, tags, note, name, yes
        As for `generate`; tags and note are the new run's own.

    Returns
    -------
    Run or list of Run
        A list if `count` is more than 1.

    Raises
    ------
    RunNotFound
        If there is no such run.
    FrameError
        If a frame is not at hand as it was sent.
    HailuoError
        As `generate`.
    """
    began = time.monotonic()
    found = run if isinstance(run, Run) else process.engine().run(run)
    wish = Wish(
        prompt or "",
        provider,
        {"mode": mode, "resolution": resolution, "duration": duration},
        None if image is SAME else image,
        None if last_image is SAME else last_image,
        prompt_optimizer is not False,
        output,
        count,
        new,
        name,
        tags,
        note,
        yes=yes,
    )
    same = {
        "prompt": prompt is None,
        "prompt_optimizer": prompt_optimizer is None,
        "image": image is SAME,
        "last_image": last_image is SAME,
    }
    again = plan(found, wish, keep=[each for each, kept in same.items() if kept])
    engine, placed, _ = generate.place(again.wish, settings=again.settings)
    return generate.handed(engine, placed, began, wait=wait)


def _speaking(record: Record, settings: Hailuo) -> Hailuo:
    """Give settings by which the demo speaks the wire that the run spoke, whose options it has."""
    if record.provider != "demo" or record.dialect == settings.demo_dialect:
        return settings
    values = {name: getattr(settings, name) for name in settings.class_own_traits(config=True)}
    return Hailuo(**{**values, "demo_dialect": record.dialect})


def _kept(row: Row, name: str, frame: FrameRecord, folder: Path) -> Path | str:
    """Find a frame as it was sent: its kept file, by its hash, or its address."""
    wrong = "has no copy"
    for home in dict.fromkeys((row.folder, folder)) if frame.kept else ():
        path = home / str(frame.kept)
        try:
            if sha256(path.read_bytes()) == frame.sha256:
                return path
            wrong = f"is no longer what was sent: the file in {home.name}/frames was changed"
        except OSError:
            if wrong == "has no copy":
                wrong = f"is no longer in {home.name}/frames"
    if frame.url is not None:
        if whole_links(row.record):
            return frame.url
        wrong = "was a link whose signature is not kept"
    raise FrameError(
        words.harmless(f"The {_ROLE[name]} of run {row.run_id} {wrong}."),
        money=NOTHING_SENT,
        todo=f"Give it again, with {_OPTION[name]} ({name}= in Python).",
    )


def whole_links(record: Record) -> bool:
    """Tell whether the record's links are the ones that were sent: by the request's fingerprint."""
    request = record.request
    asked = Request(
        prompt=request.prompt,
        provider=record.provider,
        model=record.model,
        dialect=record.dialect,
        wire=record.wire,
        options=request.options,
        prompt_optimizer=request.prompt_optimizer,
        first_frame=_named(request.first_frame),
        last_frame=_named(request.last_frame),
        kind="",
    )
    return asked.fingerprint == record.fingerprint


def _named(frame: FrameRecord | None) -> Frame | None:
    if frame is None:
        return None
    return Frame(
        f"url:{frame.url}" if frame.url else f"file:{frame.source_sha256}", source=frame.source
    )


def _changes(asked: Request, record: Record) -> str:
    was = record.request
    found = [f"provider {asked.provider}"] if asked.provider != record.provider else []
    found += ["another prompt"] if asked.prompt != was.prompt else []
    found += [f"{name} {value}" for name, value in asked.options.items()
              if was.options.get(name) != value]  # fmt: skip
    if asked.prompt_optimizer != was.prompt_optimizer:
        found.append("the prompt optimizer " + ("on" if asked.prompt_optimizer else "off"))
    for role, new, old in (
        ("first frame", asked.first_frame, was.first_frame),
        ("last frame", asked.last_frame, was.last_frame),
    ):
        if new is None and old is not None:
            found.append(f"no {role}")
        elif new is not None and (
            old is None or (new.url, new.sha256) != (old.url or None, old.sha256)
        ):
            found.append(f"another {role}")
    return ", ".join(found)


def _price(provider: Provider, request: Request) -> str:
    price = provider.price(request.options)
    return "it costs nothing (demo)" if price.kind == "free" else f"it costs {words.price(price)}"
