"""From what a person wrote to runs: one way for the magic, for Python and for later forms."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hailuo_jupyter import catalogue, keys
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.order import Order, Placed
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, KeyMissing, OptionError, from_problem
from hailuo_jupyter.kernel import origin, words
from hailuo_jupyter.kernel.run_source import resolved
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.own_prices import with_own_prices
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.request import Request, build
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

#: Seconds within which a cell returns, whether the provider has answered or not.
ANSWER_S = 2.0

#: Runs that one cell may ask for; more is a sweep, which shows its plan first.
MOST_AT_ONCE = 20


@dataclass(frozen=True)
class Wish:
    """What a person wrote, before any check.

    Parameters
    ----------
    prompt
        Literal text.
    provider
        Name, or None for the default.
    options
        The provider's own choices by name; None counts as not given.
    image, last_image
        First and last frame: path, URL, bytes, PIL image, numpy array, ``run:RUN@last``, or None.
    yes
        Send under a budget, though nobody knows the price.
    """

    prompt: str
    provider: str | None = None
    options: Mapping[str, str | int | None] = field(default_factory=dict)
    image: Any = None
    last_image: Any = None
    prompt_optimizer: bool = True
    output: str | Path | None = None
    count: int = 1
    new: bool = False
    name: str | None = None
    tags: Sequence[str] = ()
    note: str | None = None
    parent: str | None = None
    sweep: str | None = None
    position: int | None = None
    yes: bool = False


def choose_provider(settings: Hailuo, named: str | None, folder: Path) -> tuple[Provider, str]:
    """Choose the provider of a request that may name none.

    Returns
    -------
    provider, remark
        The remark says aloud what was chosen where that is not plain; else it is empty.

    Raises
    ------
    SettingsError
        If there is no provider of that name.
    KeyMissing
        If none is named and there is no key for any.
    """
    if chosen := (named or settings.provider):
        found = catalogue.provider(
            chosen, demo_dialect=settings.demo_dialect, demo_speed=settings.demo_speed
        )
        return with_own_prices(found, settings.prices_usd), ""
    with_key = [p for p in catalogue.providers() if keys.find(p.name, p.key_variables, folder)]
    if not with_key:
        variables = " or ".join(p.key_variables[0] for p in catalogue.providers())
        raise KeyMissing(
            "No provider is named, and there is a key for none.",
            money=NOTHING_SENT,
            todo=f"Set {variables}, or run '%hailuo key PROVIDER'; --provider demo needs no key and "
            "costs nothing.",
        )
    chosen_one = with_own_prices(with_key[0], settings.prices_usd)
    if len(with_key) == 1:
        return chosen_one, ""
    others = ", ".join(p.name for p in with_key[1:])
    remark = (
        f"There are keys for {chosen_one.name} and {others}; {chosen_one.name} is used. "
        "Choose with --provider or %config Hailuo.provider."
    )
    return chosen_one, remark


def request_of(wish: Wish, provider: Provider, settings: Hailuo, folder: Path) -> Request:
    """Check a wish and make the request of it; frames are opened here.

    Raises
    ------
    PromptError, FrameError, OptionError
        Before anything is sent.
    """
    wire = settings.aimlapi_wire if provider.dialect == "aimlapi" else provider.default_wire
    return build(
        wish.prompt,
        provider,
        options=wish.options,
        image=resolved(wish.image),
        last_image=resolved(wish.last_image),
        prompt_optimizer=wish.prompt_optimizer,
        wire=wire,
        base=folder,
    )


def check_count(count: int) -> None:
    """Check how many runs are wanted.

    Raises
    ------
    OptionError
        If they are none, or too many for one act.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise OptionError(
            f"The count is {count}, and has to be from 1 to {MOST_AT_ONCE}.",
            money=NOTHING_SENT,
        )


def output_folder(settings: Hailuo, given: str | Path | None, folder: Path) -> Path:
    """Give the absolute output folder; a relative one starts at the notebook's folder.

    Raises
    ------
    OptionError
        If it can be no path.
    """
    text = str(given or settings.output_dir)
    try:
        if "\0" not in text and text.strip():
            return (folder / Path(text).expanduser()).resolve()
    except (RuntimeError, OSError):  # there is no such user, or the links lead in a circle
        pass
    raise OptionError(
        "The output folder's name can be no path.",
        money=NOTHING_SENT,
        todo="Name another one with --output.",
    )


def order_of(wish: Wish, *, settings: Hailuo | None = None) -> tuple[Order, str]:
    """Check a wish, and make the order of it; nothing is set going.

    Returns
    -------
    order, remark
        The remark is what has to be said aloud about the choice of provider.

    Raises
    ------
    HailuoError
        Whatever is wrong with it.
    """
    settings = settings or Hailuo.instance()
    notebook, shell = origin.notebook(), origin.shell()
    check_count(wish.count)
    provider, remark = choose_provider(settings, wish.provider, notebook.folder)
    request = request_of(wish, provider, settings, notebook.folder)
    cell_id, source = origin.cell(shell)
    order = Order(
        request,
        provider,
        output_folder(settings, wish.output, notebook.folder),
        OriginRecord(
            notebook_id=notebook.id,
            notebook_path=notebook.path.name if notebook.path else None,
            cell_id=cell_id,
            source_sha256=source,
        ),
        count=wish.count,
        new=wish.new,
        yes=wish.yes,
        tags=tuple(wish.tags),
        note=wish.note,
        name=wish.name,
        parent=wish.parent,
        sweep=wish.sweep,
        position=wish.position,
        key_folder=notebook.folder,
    )
    return order, remark


def place(wish: Wish, *, settings: Hailuo | None = None) -> tuple[Engine, list[Placed], str]:
    """Check a wish, decide what it needs, and set it going.

    Returns
    -------
    engine, placed, remark
        The runs, the oldest first, and what has to be said aloud: about the choice of provider, and
        about runs of other notebooks that serve.

    Raises
    ------
    HailuoError
        Whatever stands in the way; nothing was sent then.
    """
    order, remark = order_of(wish, settings=settings)
    engine = process.engine()
    placed = engine.place(order)
    remarks = [remark, *(words.harmless(each.remark) for each in placed)]
    return engine, placed, "\n".join(each for each in remarks if each)


def refusal(run: Run) -> HailuoError | None:
    """Give the error of a run that the provider refused, or that was not or maybe sent; else None."""
    row = run.record
    if (
        row.state in {State.REJECTED, State.UNCONFIRMED, State.PREPARED, State.FAILED}
        and row.problem
    ):
        if row.state is State.PREPARED and not run.done:
            return None  # the provider put it off, and it is offered again
        return from_problem(row.problem.model_dump())
    return None


def answered(engine: Engine, placed: Sequence[Placed], began: float) -> HailuoError | None:
    """Wait until the submits are answered, `ANSWER_S` after `began` at the latest.

    Parameters
    ----------
    engine, placed
        As `place` gave them.
    began
        `time.monotonic` at the start of the cell.

    Returns
    -------
    HailuoError or None
        The first refusal.
    """
    runs = [each.run for each in placed]
    engine.wait_answers(runs, max(0.0, ANSWER_S - (time.monotonic() - began)))
    return next((error for run in runs if (error := refusal(run))), None)


def _show(run: Run) -> None:
    from hailuo_jupyter.kernel.display import show_run

    show_run(run)


Run.show = _show


def generate(
    prompt: str,
    provider: str | None = None,
    *,
    mode: str | None = None,
    resolution: str | None = None,
    duration: int | None = None,
    image: Any = None,
    last_image: Any = None,
    prompt_optimizer: bool = True,
    count: int = 1,
    new: bool = False,
    yes: bool = False,
    wait: bool = False,
    output: str | Path | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    name: str | None = None,
) -> Run | list[Run]:
    """Ask for a clip, in a notebook, in IPython or in a plain script.

    Parameters
    ----------
    prompt
        1 to 2000 characters, taken literally.
    provider
        ``"segmind"``, ``"aimlapi"`` or ``"demo"``; None for the setting, or the one with a key.
    mode
        Segmind: ``"standard"`` or ``"pro"``.
    resolution, duration
        AI/ML API: ``"768P"`` or ``"1080P"``; 6 or 10 seconds (10 at 768P only).
    image, last_image
        First and last frame: a path, a URL, bytes, a PIL image, a numpy array, or a picture of an
        earlier clip: ``"run:RUN@last"`` (or ``@first``, ``@2.5s``), or ``run.frame("last")``.
    prompt_optimizer
        Let the provider rewrite the prompt (its default).
    count
        Runs of this request wanted in this notebook, 1 to 20; only what is missing is bought.
    new
        Buy, even where the notebook has such a run already.
    yes
        Send under a budget (``Hailuo.budget_notebook_usd``, ``Hailuo.budget_day_usd``), though nobody
        publishes what the clip costs.
    wait
        Return when the clips are there; else when the provider has answered, after 2 s at the latest.
    output
        Folder for the clips, relative to the notebook's.
    tags, note, name
        Kept in the record.

    Returns
    -------
    Run or list of Run
        A list if `count` is more than 1.

    Raises
    ------
    HailuoError
        If the request is wrong, was refused within that time, or (with `wait`) did not end well.
    """
    began = time.monotonic()
    wish = Wish(
        prompt,
        provider,
        {"mode": mode, "resolution": resolution, "duration": duration},
        image,
        last_image,
        prompt_optimizer,
        output,
        count,
        new,
        name,
        tags,
        note,
        yes=yes,
    )
    engine, placed, _ = place(wish)
    return handed(engine, placed, began, wait=wait)


def handed(
    engine: Engine, placed: Sequence[Placed], began: float, *, wait: bool
) -> Run | list[Run]:
    """Give what was placed as Python code gets it: one run, or a list of several.

    Parameters
    ----------
    engine, placed, began
        See `answered`.
    wait
        Return when the clips are there.

    Raises
    ------
    HailuoError
        If a run was refused by now, or (with `wait`) did not end well.
    """
    if error := answered(engine, placed, began):
        raise error
    runs = [each.run for each in placed]
    if wait:
        for run in runs:
            run.wait()
    return runs if len(runs) > 1 else runs[0]
