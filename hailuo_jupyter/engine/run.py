"""`Run`: the handle of one paid attempt at a request."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from hailuo_jupyter import errors
from hailuo_jupyter.engine import waiting
from hailuo_jupyter.engine.annotate import Change, noted, rated, record_of, tagged
from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.frame import ClipFrame
    from hailuo_jupyter.record import Record, RequestRecord
    from hailuo_jupyter.runlog import Row


class Keeper(Protocol):
    """Who knows how runs do: the engine."""

    def row(self, run_id: str) -> Row:
        """Give the run as it stands."""

    def settled(self, run_id: str) -> bool:
        """Tell whether waiting for it may end."""

    def cancel(self, run_id: str) -> None:
        """Cancel it while nothing is sent."""

    def annotate(self, run_id: str, change: Change) -> Row:
        """Put a person's words on it."""


class WaitInterrupted(KeyboardInterrupt):
    """The person has ended a wait; what was waited for goes on."""

    def _render_traceback_(self) -> list[str]:
        """Give IPython one line in place of a traceback of our internals."""
        return [f"{type(self).__name__}: {self}"]


class Run:
    """One paid attempt at a request, as `generate` and ``%%hailuo --name`` give it.

    Awaiting a run, or `wait`, gives the run itself once it is completed.

    Parameters
    ----------
    run_id
        Its id, e.g. ``20261120-140312-7f3kq9``.
    engine
        The engine that knows it.
    """

    __slots__ = ("_engine", "_run_id")

    #: How the run shows itself in a notebook. The layer that knows IPython puts it here.
    show: ClassVar[Callable[[Run], None] | None] = None

    def __init__(self, run_id: str, engine: Keeper) -> None:
        self._run_id, self._engine = run_id, engine

    @property
    def run_id(self) -> str:
        """Its id: sortable by time, safe in file names."""
        return self._run_id

    @property
    def status(self) -> State:
        """Its state now, as the run log has it."""
        return self._engine.row(self._run_id).state

    @property
    def record(self) -> Record:
        """Its reproducibility record, as it stands now.

        Raises
        ------
        RunLogError
            If a newer version wrote it.
        """
        return record_of(self._engine.row(self._run_id))

    @property
    def request(self) -> RequestRecord:
        """What was asked for: prompt, options, frames."""
        return self.record.request

    @property
    def clip(self) -> Path | None:
        """Path of the MP4, once it lies there; None before, and where it was deleted since."""
        row = self._engine.row(self._run_id)
        if row.state is not State.COMPLETED or row.record.clip is None:
            return None
        path = row.folder / row.record.clip.path
        return path if path.is_file() else None

    @property
    def done(self) -> bool:
        """Whether waiting has come to an end: completed, or nothing more happens by itself."""
        return self._engine.settled(self._run_id)

    def wait(self, timeout: float | None = None) -> Run:
        """Wait, blocking, until the run is completed; other runs and cards go on meanwhile.

        Parameters
        ----------
        timeout
            Seconds; None for no limit. When they have passed, the waiting ends, not the run.

        Returns
        -------
        Run
            Itself.

        Raises
        ------
        WaitTimeout
            After `timeout` seconds.
        HailuoError
            If the run failed, was rejected, expired, is unconfirmed, or waits for the person.
        """
        try:
            done = waiting.block_until(lambda: self.done, timeout)
        except KeyboardInterrupt:
            raise WaitInterrupted(
                f"Run {self._run_id} goes on; '%hailuo wait {self._run_id}' waits again."
            ) from None
        return self._outcome(done, timeout)

    def __await__(self) -> Generator[object, None, Run]:
        """Wait on the running loop; a cancelled wait leaves the run as it is."""
        yield from waiting.awaiting(lambda: self.done)
        return self._outcome(True, None)

    def _outcome(self, done: bool, timeout: float | None) -> Run:
        row = self._engine.row(self._run_id)
        if not done:
            raise errors.WaitTimeout(
                f"Run {self._run_id} is not done after {timeout:g} s ({row.state.words.lower()}).",
                money="It goes on, and its clip will be fetched.",
                todo=f"Wait again with '%hailuo wait {self._run_id}'.",
            )
        if row.state is State.COMPLETED:
            return self
        problem = record_of(row).problem
        if problem is not None:
            raise errors.from_problem(problem.model_dump())
        raise errors.NotSent(
            f"Run {self._run_id} is {row.state.words.lower()}, and nobody works on it.",
            money="What was bought stays in the run log.",
            todo="Run '%hailuo resume' to go on.",
        )

    def frame(self, where: str | float = "last") -> ClipFrame:
        """Take a picture out of the clip, to be the first or last frame of another one.

        Parameters
        ----------
        where
            ``"first"``, ``"last"``, or seconds from the clip's beginning.

        Raises
        ------
        FrameError
            If the clip is not here, or is shorter.
        """
        from hailuo_jupyter.engine.clip_frame import clip_frame

        return clip_frame(self._engine.row(self._run_id), where)

    def cancel(self) -> None:
        """Cancel the run while nothing is sent.

        Raises
        ------
        CannotCancel
            If it was sent: neither Segmind nor AI/ML API can stop a job, so it is paid for, and its
            clip will be fetched.
        """
        self._engine.cancel(self._run_id)

    def rate(self, rating: int | None) -> None:
        """Rate the run: from 0 to 5, or None to take the rating away.

        Raises
        ------
        OptionError
            If it is no such number.
        """
        self._engine.annotate(self._run_id, rated(rating))

    def tag(self, *tags: str) -> None:
        """Add tags to those that the run has.

        Raises
        ------
        OptionError
            If one is empty, longer than 60 characters or more than a line.
        """
        self._engine.annotate(self._run_id, tagged(tags))

    def untag(self, *tags: str) -> None:
        """Take tags away; one that the run has not changes nothing."""
        self._engine.annotate(self._run_id, tagged(remove=tags))

    def note(self, text: str | None) -> None:
        """Put a note on the run in place of the one that it has; None takes that away.

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
            print(repr(self))  # noqa: T201 - what IPython would do without this method
