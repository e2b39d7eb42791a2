"""nbclient with what our runs need: requests with the cell's id, and a final wait for all runs."""

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

from hailuo_jupyter.ipynb.events import CellBegins, KernelStarts, Tell, WaitBegins, ignore_event

#: Seconds for a kernel to shut down. Its exit hook waits for the answers to its submits.
_SHUTDOWN_S = 20.0

# If the package was not used, this is one dictionary lookup.
_WAIT = (
    "'hailuo_jupyter.engine.process' in __import__('sys').modules and "
    "__import__('hailuo_jupyter.kernel.commands.dispatch', fromlist=['run']).run('wait', get_ipython())"
)

_STARTS = "[IPKernelApp] WARNING"

_INTERRUPTS, _AGAIN_S = 4, 0.5

#: Seconds for an interrupted kernel to answer.
_FREED_S = 10.0

_PERSON = "person"

logger = logging.getLogger(__name__)
logger.addHandler(logging.NullHandler())  # nbclient's warnings must not appear in the terminal


class ExecutionStopped(Exception):
    """The person stopped the execution."""


class Client(NotebookClient):
    """Executes a notebook's cells, then waits for their runs.

    Parameters
    ----------
    nb
        The notebook; changed in place.
    on_event
        Called with each event.
    limit
        Seconds for the whole execution; None for no limit.
    **options
        As for `nbclient.NotebookClient`.
    """

    def __init__(
        self,
        nb: NotebookNode,
        on_event: Tell = ignore_event,
        limit: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nb, log=logger, record_timing=False, **options)
        self._on_event, self._limit = on_event, limit
        self._stopped_by, self._hangs, self._death = "", False, ""
        self._ending: asyncio.Task[None] | None = None

    async def run_all(self, environment: dict[str, str]) -> list[str]:
        """Run every cell, wait for all runs, and shut down the kernel.

        Parameters
        ----------
        environment
            The complete environment of the kernel.

        Returns
        -------
        list of str
            Failures, one sentence each; empty if there are none. In any case the outputs contain
            everything that was produced.

        Raises
        ------
        Stopped
            If the person stopped it; the notebook has everything up to then.
        """
        self.reset_execution_trackers()
        self._on_event(KernelStarts(self.kernel_name))
        self.km = self.create_kernel_manager()
        self.km.shutdown_wait_time = _SHUTDOWN_S
        # A kernel's output outside its cells is kept in case it dies, and not shown in the terminal.
        with tempfile.TemporaryFile() as output:
            try:
                async with self.async_setup_kernel(env=environment, stdout=output, stderr=output):
                    with self._interruptible():
                        return await self._all()
            except DeadKernelError:
                return [f"The kernel died{self._death}.{_last_line(output)}"]
            except (OSError, RuntimeError) as error:
                return [f"The kernel did not start: {error}.{_last_line(output)}"]

    async def _all(self) -> list[str]:
        try:
            problems = await self._cells()
            return problems if self._hangs else problems + await self._wait()
        except (asyncio.CancelledError, DeadKernelError):
            # nbclient takes every cancellation for the kernel's death.
            if self._stopped_by == _PERSON:
                raise ExecutionStopped from None
            if self._stopped_by:
                return [self._stopped_by]
            self._death = await self._exit_status()
            raise

    async def _exit_status(self) -> str:
        """Return how the kernel's process ended, in parentheses; empty if that is unknown."""
        provisioner = getattr(self.km, "provisioner", None)
        status = None if provisioner is None else await provisioner.poll()
        if status is None:
            return ""
        if status >= 0:
            return f" (exit status {status})"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        # Linux ends processes this way when memory runs out.
        reason = "; memory may have run out" if name == "SIGKILL" else ""
        return f" (killed by {name}{reason})"

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
            self._on_event(CellBegins(number, len(code), cell.source.strip().splitlines()[0]))
            # As front ends do: then a record names the cell in which its run was requested.
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
        """Wait for all runs in an extra cell, which updates the outputs before it.

        nbclient applies the update of a display only while a cell runs, by the display's id.
        """
        assert self.kc is not None  # noqa: S101 - for the type checker
        if self.nb.metadata.get("language_info", {}).get("name") != "python":
            return []
        self._on_event(WaitBegins())
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
        """Handle an interrupt instead of nbclient, which would end the kernel and keep waiting."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop(why: str) -> None:
            self._stopped_by = why
            # The running cell is stopped too, so that the kernel can exit by itself.
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
        """Interrupt a cell that takes too long; return whether the kernel answers again."""
        assert self.kc is not None  # noqa: S101 - for the type checker
        await self._interrupt(times=1)
        try:
            async with asyncio.timeout(_FREED_S):
                await self.async_wait_for_reply(str(self.kc.kernel_info()))
        except TimeoutError:
            return False
        return True

    async def _interrupt(self, times: int = _INTERRUPTS) -> None:
        """Stop the running cell, so that the kernel can exit by itself.

        An interrupt before the cell has started is ignored, so it is sent again; while
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


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").split("\n")
    # ipykernel's warnings are about how it was started, such as without encryption.
    messages = [" ".join(line.split()) for line in lines if line.strip() and _STARTS not in line]
    return f" Its last message: {messages[-1][:300]}" if messages else ""


def _words(error: CellExecutionError) -> str:
    """Return a cell's error on one line."""
    message = " ".join(str(error.evalue).split())
    message = message if len(message) <= 400 else message[:399] + "…"
    return f"{error.ename}: {message}" if message else f"{error.ename}."
