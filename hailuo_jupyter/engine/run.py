"""`Run`: the handle of one paid attempt at a request."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from hailuo_jupyter import errors
from hailuo_jupyter.clip_file import clip_file
from hailuo_jupyter.engine import wait
from hailuo_jupyter.engine.annotations import Change, noted, rated, record_of, tagged
from hailuo_jupyter.formatting import print_safely
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.record import Record, RequestRecord
    from hailuo_jupyter.request.frames import ClipFrame
    from hailuo_jupyter.runlog import Row


class RunBackend(Protocol):
    """The part of the engine that a run's handle uses."""

    def row(self, run_id: str) -> Row:
        """Return the run's current row."""

    def settled(self, run_id: str) -> bool:
        """Return whether waiting for the run may end."""

    def hindrance(self, run_id: str) -> errors.HailuoError | None:
        """Return why this process does not continue a run: it has another key, or its process is stopped."""

    def reported(self, run_id: str) -> None:
        """Record that the person has seen how the run ended."""

    def cancel(self, run_id: str) -> str:
        """Cancel the run, and return what that means."""

    def annotate(self, run_id: str, change: Change) -> Row:
        """Annotate the run."""

    def frame(self, run_id: str, where: str | float) -> ClipFrame:
        """Extract a picture from the run's clip."""


class WaitInterrupted(KeyboardInterrupt):
    """The person has interrupted a wait; the run continues."""

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback of our internals."""
        return errors.below_cell(f"{type(self).__name__}: {self}")


class Run:
    """One paid attempt at a request, as returned by `generate` and ``%%hailuo --name``.

    Do not create one; `generate`, `rerun` and `runs` return them. Awaiting a run, or calling `wait`, returns
    the run itself once it is completed.

    Attributes
    ----------
    run_id
        The id, as commands take it, e.g. ``20261120-140312-7f3kq9``: ``%hailuo show RUN``.
    status
        The state now, such as ``"generating"`` or ``"completed"``.
    done
        Whether it is completed, or changes no more without you.
    clip
        Path of the MP4; None until it is there.
    request
        Prompt, options and frames.
    record
        The whole reproducibility record.

    Methods
    -------
    wait(timeout=None)
        Wait for the clip, at most `timeout` seconds; ``await run`` does the same without blocking.
    show()
        Show its live card in this cell.
    frame(where="last")
        A picture of the clip, to use as a frame of another one.
    rate(rating), note(text), tag(*tags), untag(*tags)
        Annotate it: a rating from 0 to 5, a note, tags.
    cancel()
        Cancel it, if it was not sent yet, or at a provider that can cancel a job.

    Examples
    --------
    >>> from hailuo_jupyter import generate
    >>> run = generate("A heron lifts off a lake.", "demo").wait()
    >>> run.status
    <State.COMPLETED: 'completed'>
    >>> run.rate(4)
    >>> run.record.rating
    4
    >>> later = generate("It lands again.", "demo", image=run.frame("last"))
    """

    __slots__ = ("_engine", "_run_id")

    #: Displays the run in a notebook. Set by the layer that imports IPython.
    show: ClassVar[Callable[[Run], None] | None] = None

    #: Returns a display for front ends that ask for it once, such as marimo; set by the same layer.
    static_bundle: ClassVar[Callable[[Run], dict[str, Any]] | None] = None

    _run_id: str
    _engine: RunBackend

    def __init__(self) -> None:
        # What `Run?` shows is for users, who have no engine to pass.
        raise TypeError("Runs are not created, but returned: by generate, rerun and runs.")

    @classmethod
    def of(cls, run_id: str, engine: RunBackend) -> Self:
        """Return the handle of a run.

        Parameters
        ----------
        run_id
            Its id.
        engine
            The engine that has it.
        """
        made = cls.__new__(cls)
        made._run_id, made._engine = run_id, engine  # noqa: SLF001 - its own
        return made

    @property
    def run_id(self) -> str:
        """Its id, sortable by time and safe in file names."""
        return self._run_id

    @property
    def status(self) -> State:
        """Its current state in the run log."""
        return self._engine.row(self._run_id).state

    @property
    def record(self) -> Record:
        """Its reproducibility record, as it is now.

        Raises
        ------
        RunLogError
            If a newer version wrote it.
        """
        return record_of(self._engine.row(self._run_id))

    @property
    def request(self) -> RequestRecord:
        """What was asked for, with prompt, options and frames."""
        return self.record.request

    @property
    def clip(self) -> Path | None:
        """Path of the clip, once it exists; None before that, or if it was deleted or damaged since."""
        row = self._engine.row(self._run_id)
        if row.state is not State.COMPLETED or row.record.clip is None:
            return None
        path = row.folder / row.record.clip.path
        return path if clip_file(path, row.record.clip).usable else None

    @property
    def done(self) -> bool:
        """Whether the run is completed, or changes no more without user action."""
        return self._engine.settled(self._run_id)

    def wait(self, timeout: float | None = None) -> Run:
        """Block until the run is completed; other runs and cards continue meanwhile.

        Parameters
        ----------
        timeout
            Seconds; None for no limit. After a timeout the run continues.

        Returns
        -------
        Run
            The run itself.

        Raises
        ------
        WaitTimeout
            After `timeout` seconds.
        HailuoError
            If the run failed, was rejected, expired, is unconfirmed, or waits for the person.
        """
        try:
            done = wait.block_until(lambda: self.done, timeout)
        except KeyboardInterrupt:
            raise WaitInterrupted(
                f"Run {self._run_id} continues; use '%hailuo wait {self._run_id}' to wait again."
            ) from None
        return self._outcome(done, timeout)

    def __await__(self) -> Generator[object, None, Run]:
        """Wait on the running loop; a cancelled wait does not affect the run."""
        yield from wait.awaiting(lambda: self.done)
        return self._outcome(True, None)

    def _outcome(self, done: bool, timeout: float | None) -> Run:
        row = self._engine.row(self._run_id)
        if not done:
            raise errors.WaitTimeout(
                f"Run {self._run_id} is not done after {timeout:g} s ({row.state.words.lower()}).",
                money="It continues, and its clip will be downloaded.",
                todo=f"Wait again with '%hailuo wait {self._run_id}'.",
            )
        self._engine.reported(self._run_id)
        if hindrance := self._engine.hindrance(self._run_id):
            raise hindrance
        problem = record_of(row).problem
        if row.state is State.COMPLETED and (problem is None or self.clip is not None):
            return self
        if problem is not None:
            raise errors.from_problem(problem.model_dump())
        raise errors.NotSent(
            f"Run {self._run_id} is {row.state.words.lower()}, but no process has it.",
            money="Runs already bought stay in the run log.",
            todo="Run '%hailuo resume' to continue.",
        )

    def frame(self, where: str | float = "last") -> ClipFrame:
        """Extract a picture from the clip, to use as first or last frame of another one.

        Parameters
        ----------
        where
            ``"first"``, ``"last"``, or seconds from the clip's start.

        Raises
        ------
        FrameError
            If the clip is not here, or is shorter.
        """
        return self._engine.frame(self._run_id, where)

    def cancel(self) -> None:
        """Cancel the run before it is sent, or its job at a provider that can cancel one.

        A job may finish before it is cancelled; then its clip is downloaded. The run's problem says what
        a cancelled job costs.

        Raises
        ------
        CannotCancel
            If it was sent, and the provider cannot stop a job: it is paid for and its clip is downloaded.
        ProviderError
            If the provider did not accept the cancellation; the job continues.
        """
        self._engine.cancel(self._run_id)

    def rate(self, rating: int | None) -> None:
        """Rate the run: from 0 to 5, or None to remove the rating.

        Raises
        ------
        OptionError
            If the rating is not such a number.
        """
        self._engine.annotate(self._run_id, rated(rating))

    def tag(self, *tags: str) -> None:
        """Add tags to those that the run has.

        Raises
        ------
        OptionError
            If one is empty, longer than 60 characters or more than one line.
        """
        self._engine.annotate(self._run_id, tagged(tags))

    def untag(self, *tags: str) -> None:
        """Remove tags; one that the run does not have is ignored."""
        self._engine.annotate(self._run_id, tagged(remove=tags))

    def note(self, text: str | None) -> None:
        """Set the run's note; None removes it.

        Raises
        ------
        OptionError
            If it is longer than 2000 characters.
        """
        self._engine.annotate(self._run_id, noted(text))

    def __repr__(self) -> str:
        state = self.status
        where = f", clip={self.clip.name!r}" if state is State.COMPLETED and self.clip else ""
        return f"<Run {self._run_id} {state}{where}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.run_id == self._run_id

    def __hash__(self) -> int:
        return hash(self._run_id)

    def _ipython_display_(self) -> None:
        """Show the run live; IPython calls this for a cell's last expression and by `display`."""
        if Run.show is not None:
            Run.show(self)
        else:
            print_safely(repr(self))  # as IPython does without this method

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """Return a display of the run's current state; called by front ends such as marimo."""
        del include, exclude
        if Run.static_bundle is None:
            return {"text/plain": repr(self)}
        return Run.static_bundle(self)
