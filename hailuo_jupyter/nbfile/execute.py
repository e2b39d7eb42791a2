"""``jupyter hailuo execute``: run a notebook without a browser, its clips made at the same time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.kernel import origin
from hailuo_jupyter.nbfile import document, records
from hailuo_jupyter.nbfile.client import Client, Stopped
from hailuo_jupyter.nbfile.events import Tell, Watch, nobody
from hailuo_jupyter.nbfile.places import Places
from hailuo_jupyter.nbfile.redraw import redraw
from hailuo_jupyter.notebook_id import made_of_path
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import IN_FLIGHT

if TYPE_CHECKING:
    from nbformat import NotebookNode


@dataclass(frozen=True)
class Outcome:
    """How an execution ended.

    Parameters
    ----------
    path
        The notebook that was written.
    problems
        What failed, each in a sentence.
    runs
        How many runs the notebook's metadata holds.
    stopped
        Whether the person stopped it.
    going_on
        Runs that go on at the provider all the same.
    """

    path: Path
    problems: tuple[str, ...]
    runs: int
    stopped: bool = False
    going_on: tuple[str, ...] = ()


def execute(
    path: Path,
    out: Path | None = None,
    *,
    kernel: str | None = None,
    timeout: int | None = None,
    allow_errors: bool = False,
    limit: float | None = None,
    tell: Tell = nobody,
    settings: Hailuo | None = None,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a notebook's cells, wait for all its runs, and write outputs and metadata.

    Parameters
    ----------
    path
        The notebook.
    out
        Where the result goes; the notebook itself if None.
    kernel
        Name of the kernel; the notebook's own if None.
    timeout
        Seconds that a cell may take. The wait at the end is not limited by it.
    allow_errors
        Go on after a cell that fails.
    limit
        Seconds for all of it, the wait included; None for no limit.
    tell
        Told what happens.
    settings
        Tell where the run logs lie, if not where the environment says.
    environment
        Further variables for the kernel.

    Returns
    -------
    Outcome
        The file is written, whatever failed.

    Raises
    ------
    NotebookError
        If the notebook cannot be read, or has no kernel.
    DiskError
        If the result cannot be written.
    """
    began, settings = time.time(), settings or Hailuo.instance()
    source = document.read(path)
    nb = _parsed(source)
    records.home(source.nb)  # refused before anything runs, not after
    # The notebook goes by the path that JupyterLab would tell, so that runs made there are found.
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
    notebook_id = records.written_id(source.nb) or made_of_path(absolute)
    kernel = kernel or _named(nb) or "python3"
    _check_kernel(kernel)

    client = Client(
        nb,
        tell,
        limit,
        timeout=timeout,
        kernel_name=kernel,
        allow_errors=allow_errors,
        resources={"metadata": {"path": str(source.base)}},
    )
    told = {
        **os.environ,
        **(environment or {}),
        origin.PARALLEL: "1",
        origin.NOTEBOOK_ID: notebook_id,
        origin.NOTEBOOK_PATH: str(absolute),
    }
    stopped, problems = False, ["The execution was stopped."]
    try:
        problems = asyncio.run(_watched(client, told, Watch(settings, notebook_id, tell)))
    except (Stopped, KeyboardInterrupt):
        stopped = True

    target = out or path
    with Places(source.base, nb, settings=settings) as places:
        made = places.of_notebook(notebook_id, began)
        records.name(nb, notebook_id)
        elsewhere = Path(os.path.abspath(target)).parent != absolute.parent  # noqa: PTH100
        redraw(nb, places, target.absolute().parent, everything=elsewhere)
        records.lift(nb, notebook_id, made)
    written = _write(nb, source, target)
    going_on = tuple(record.run_id for record in made if record.state in IN_FLIGHT)
    count = len(records.stored(nb))
    return Outcome(written, tuple(problems), count, stopped, going_on)


async def _watched(client: Client, environment: dict[str, str], watch: Watch) -> list[str]:
    following = asyncio.create_task(watch.follow())
    try:
        return await client.run_all(environment)
    finally:
        following.cancel()
        watch.close()


def _parsed(source: document.Document) -> NotebookNode:
    text = document.text_of(source.nb, source.path.name)
    try:
        nb: NotebookNode = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    except (nbformat.ValidationError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise NotebookError(
            f"{source.path.name} is no valid notebook: {type(error).__name__}.",
            money="Nothing was run and nothing was sent.",
            todo="Open it in Jupyter and save it.",
        ) from None
    return nb


def _write(nb: NotebookNode, source: document.Document, target: Path) -> Path:
    text = nbformat.writes(nb) + "\n"  # type: ignore[no-untyped-call]
    same = os.path.realpath(target) == os.path.realpath(source.path)
    if same and not source.unchanged():
        # Whoever edited it meanwhile loses nothing.
        target = target.with_name(f"{target.stem}-executed.ipynb")
    document.write(target, text)
    return target


def _named(nb: NotebookNode) -> str | None:
    name = nb.metadata.get("kernelspec", {}).get("name")
    return name if isinstance(name, str) and name else None


def _check_kernel(name: str) -> None:
    known = KernelSpecManager()
    try:
        known.get_kernel_spec(name)
    except (NoSuchKernel, ValueError):
        there = ", ".join(sorted(known.find_kernel_specs())) or "none"
        raise NotebookError(
            f"There is no kernel {name!a} here.",
            money="Nothing was run and nothing was sent.",
            todo=f"Name another one with --kernel; there are: {there}.",
        ) from None
