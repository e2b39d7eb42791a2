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

from hailuo_jupyter import home, startup
from hailuo_jupyter.errors import NotebookError
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.ipynb import document, records, trust
from hailuo_jupyter.ipynb.client import Client, ExecutionStopped
from hailuo_jupyter.ipynb.events import RunWatcher, Tell, ignore_event
from hailuo_jupyter.ipynb.locate import RunLocator
from hailuo_jupyter.ipynb.redraw import redraw
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import IN_FLIGHT

if TYPE_CHECKING:
    from nbformat import NotebookNode


@dataclass(frozen=True)
class ExecutionResult:
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
    tell: Tell = ignore_event,
    settings: Hailuo | None = None,
    environment: Mapping[str, str] | None = None,
) -> ExecutionResult:
    """Run a notebook's cells, wait for all its runs, and write outputs and metadata.

    The result is signed if the notebook was trusted, or if all of its outputs are of this execution.

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
        Tell where the run logs are, if not where the environment says.
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
    trusted = trust.is_trusted(document.text_of(source.nb, path.name))
    records.hailuo_metadata(source.nb)  # refused before anything runs, not after
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
        startup.PARALLEL: "1",
        startup.NOTEBOOK_ID: notebook_id,
        startup.NOTEBOOK_PATH: str(absolute),
    }
    if given := told.get("HAILUO_RUN_LOG"):  # a relative path counts from here, not from the kernel
        told["HAILUO_RUN_LOG"] = str(startup.folder() / Path(given).expanduser())
    earlier = [cell.get("outputs") for cell in nb.cells]
    stopped, problems = False, ["The execution was stopped."]
    try:
        problems = asyncio.run(_watched(client, told, RunWatcher(settings, notebook_id, tell)))
    except (ExecutionStopped, KeyboardInterrupt):
        stopped = True

    target = out or path
    with RunLocator(source.base, nb, settings=settings) as places:
        made = places.of_notebook(notebook_id, began)
        records.write_id(nb, notebook_id)
        elsewhere = Path(os.path.abspath(target)).parent != absolute.parent  # noqa: PTH100
        records.lift_records(nb, notebook_id, made)  # what is drawn refers to them
        redraw(nb, places, target.absolute().parent, everything=elsewhere)
        records.lift_records(nb, notebook_id)
    written, text = _write(nb, source, target)
    if (trusted or _all_executed(nb, earlier)) and not trust.sign(text):
        problems.append(trust.NOT_SIGNED)
    going_on = tuple(record.run_id for record in made if record.state in IN_FLIGHT)
    count = len(records.stored(nb))
    return ExecutionResult(written, tuple(problems), count, stopped, going_on)


async def _watched(client: Client, environment: dict[str, str], watch: RunWatcher) -> list[str]:
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
            f"{source.path.name} is not a valid notebook: {type(error).__name__}.",
            money="Nothing was run and nothing was sent.",
            todo="Open it in Jupyter and save it.",
        ) from None
    return nb


def _all_executed(nb: NotebookNode, earlier: list[object]) -> bool:
    """Return whether every output is of this execution.

    nbclient gives a cell that it executes a new list of outputs. A cell without a source, one with
    the tag skip-execution and those after an error keep what the file's author put there.
    """
    return all(
        not now.get("outputs") or now.get("outputs") is not before
        for now, before in zip(nb.cells, earlier, strict=True)
    )


def _write(nb: NotebookNode, source: document.Document, target: Path) -> tuple[Path, str]:
    text = nbformat.writes(nb) + "\n"  # type: ignore[no-untyped-call]
    same = os.path.realpath(target) == os.path.realpath(source.path)
    if same and not source.unchanged():
        # Whoever edited it meanwhile loses nothing.
        target = target.with_name(f"{target.stem}-executed.ipynb")
    document.write(target, text)
    return target, text


def _named(nb: NotebookNode) -> str | None:
    name = nb.metadata.get("kernelspec", {}).get("name")
    return name if isinstance(name, str) and name else None


def _check_kernel(name: str) -> None:
    known = KernelSpecManager()
    try:
        known.get_kernel_spec(name)
    except RuntimeError:
        raise NotebookError(
            f"Jupyter cannot start a kernel without a home folder: {home.missing()}.",
            money="Nothing was run and nothing was sent.",
            todo="Set HOME to a writable folder.",
        ) from None
    except (NoSuchKernel, ValueError):
        there = ", ".join(sorted(known.find_kernel_specs())) or "none"
        raise NotebookError(
            f"Kernel not found: {name!a}.",
            money="Nothing was run and nothing was sent.",
            todo=f"Choose one with --kernel: {there}.",
        ) from None
