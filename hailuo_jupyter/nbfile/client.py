"""nbclient with what our runs need: cells that tell their id, and a wait at the end for all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from hailuo_jupyter.nbfile.events import CellBegins, KernelStarts, Tell, WaitBegins, nobody

#: Seconds that a kernel has to end. Its exit hook waits for the answers to its submits.
_SHUTDOWN_S = 20.0

# Where nothing of ours was used, this is one look into a dict.
_WAIT = (
    "'hailuo_jupyter.engine.process' in __import__('sys').modules and "
    "__import__('hailuo_jupyter.kernel.commands.dispatch', fromlist=['run']).run('wait', get_ipython())"
)

_INTERRUPTS, _AGAIN_S = 4, 0.5

#: Seconds in which an interrupted kernel has to answer.
_FREED_S = 10.0

_PERSON = "person"

logger = logging.getLogger(__name__)
logger.addHandler(logging.NullHandler())  # nbclient's warnings are not for the terminal


class Stopped(Exception):
    """The person stopped the execution."""


class Client(NotebookClient):
    """Executes a notebook's cells, then waits for their runs.

    Parameters
    ----------
    nb
        The notebook; changed in place.
    tell
        Told what happens.
    limit
        Seconds for all of it; None for no limit.
    **options
        As for `nbclient.NotebookClient`.
    """

    def __init__(
        self, nb: NotebookNode, tell: Tell = nobody, limit: float | None = None, **options: Any
    ) -> None:
        super().__init__(nb, log=logger, record_timing=False, **options)
        self._tell, self._limit = tell, limit
        self._stopped_by, self._hangs = "", False
        self._ending: asyncio.Task[None] | None = None

    async def run_all(self, environment: dict[str, str]) -> list[str]:
        """Run every cell, wait for all runs, and end the kernel.

        Parameters
        ----------
        environment
            Of the kernel, whole.

        Returns
        -------
        list of str
            What failed, each in a sentence; empty if all went well. The outputs hold all the same
            what there is.

        Raises
        ------
        Stopped
            If the person stopped it; what ran until then stands in the notebook.
        """
        self.reset_execution_trackers()
        self._tell(KernelStarts(self.kernel_name))
        self.km = self.create_kernel_manager()
        self.km.shutdown_wait_time = _SHUTDOWN_S
        # What a kernel says outside of its cells is for the case that it dies, not for the terminal.
        with tempfile.TemporaryFile() as said:
            try:
                async with self.async_setup_kernel(env=environment, stdout=said, stderr=said):
                    with self._interruptible():
                        return await self._all()
            except DeadKernelError:
                return [f"The kernel died.{_last_line(said)}"]
            except (OSError, RuntimeError) as error:
                return [f"The kernel did not start: {error}.{_last_line(said)}"]

    async def _all(self) -> list[str]:
        try:
            problems = await self._cells()
            return problems if self._hangs else problems + await self._wait()
        except (asyncio.CancelledError, DeadKernelError):
            # nbclient takes every cancellation for the kernel's death.
            if self._stopped_by == _PERSON:
                raise Stopped from None
            if self._stopped_by:
                return [self._stopped_by]
            raise

    async def _cells(self) -> list[str]:
        assert self.kc is not None  # noqa: S101 - for the type checker
        reply = await self.async_wait_for_reply(str(self.kc.kernel_info()))
        if reply is not None and "language_info" in reply["content"]:
            self.nb.metadata["language_info"] = reply["content"]["language_info"]
        code = [
            i for i, c in enumerate(self.nb.cells) if c.cell_type == "code" and c.source.strip()
        ]
        for number, index in enumerate(code, 1):
            cell = self.nb.cells[index]
            self._tell(CellBegins(number, len(code), cell.source.strip().splitlines()[0]))
            # As front ends do: a record then names the cell that its run was asked for in.
            self.kc.session.metadata = {"cellId": cell.id} if "id" in cell else {}
            try:
                await self.async_execute_cell(cell, index, execution_count=number)
            except CellExecutionError as error:
                return [f"Code cell {number} failed: {_words(error)}"]
            except CellTimeoutError:
                self._hangs = not await self._freed()
                return [f"Code cell {number} took longer than {self.timeout} s."]
        return []

    async def _wait(self) -> list[str]:
        """Wait for all runs in a cell of its own, which brings the outputs before it up to date.

        nbclient applies the update of a display only while a cell runs, by the display's id.
        """
        assert self.kc is not None  # noqa: S101 - for the type checker
        if self.nb.metadata.get("language_info", {}).get("name") != "python":
            return []
        self._tell(WaitBegins())
        self.kc.session.metadata = {}
        self.timeout, self.allow_errors = None, False
        self.nb.cells.append(new_code_cell(_WAIT))  # type: ignore[no-untyped-call]
        try:
            await self.async_execute_cell(
                self.nb.cells[-1], len(self.nb.cells) - 1, store_history=False
            )
        except CellExecutionError as error:
            return [_words(error)]
        finally:
            self.nb.cells.pop()
        return []

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Hear an interrupt in place of nbclient, which would end the kernel and go on waiting."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop(why: str) -> None:
            self._stopped_by = why
            # The running cell is stopped too, so that the kernel can end by itself.
            self._ending = loop.create_task(self._interrupt())
            if task is not None:
                task.cancel()

        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGINT, stop, _PERSON)
        ending = None
        if self._limit is not None:
            ending = loop.call_later(self._limit, stop, f"It took longer than {self._limit:g} s.")
        try:
            yield
        finally:
            if ending is not None:
                ending.cancel()

    async def _freed(self) -> bool:
        """Interrupt a cell that takes too long; tells whether the kernel answers again."""
        assert self.kc is not None  # noqa: S101 - for the type checker
        await self._interrupt(times=1)
        try:
            async with asyncio.timeout(_FREED_S):
                await self.async_wait_for_reply(str(self.kc.kernel_info()))
        except TimeoutError:
            return False
        return True

    async def _interrupt(self, times: int = _INTERRUPTS) -> None:
        """Stop the running cell, so that the kernel can end by itself.

        An interrupt that comes before the cell has begun is not heard, so it is sent again; while
        no cell runs, and in its exit hooks, a kernel ignores it.
        """
        for _ in range(times):
            if self.km is None:
                return
            with contextlib.suppress(RuntimeError):
                result = self.km.interrupt_kernel()
                if result is not None:
                    await result
            await asyncio.sleep(_AGAIN_S)


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").split("\n")
    told = [" ".join(line.split()) for line in lines if line.strip()]
    return f" It said: {told[-1][:300]}" if told else ""


def _words(error: CellExecutionError) -> str:
    """Give a cell's error on one line."""
    said = " ".join(str(error.evalue).split())
    said = said if len(said) <= 400 else said[:399] + "…"
    return f"{error.ename}: {said}" if said else f"{error.ename}."
