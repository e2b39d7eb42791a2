"""What an engine knows of its runs, and the waiting for what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hailuo_jupyter.engine.board import Board, Listener
from hailuo_jupyter.engine.desk import Desks, Wires
from hailuo_jupyter.engine.life import timing_of
from hailuo_jupyter.engine.lives import Lives
from hailuo_jupyter.engine.run import Keeper, Run
from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.errors import DiskError, DiskFull, FolderNotWritable
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.states import SETTLED, State

_UNANSWERED = frozenset({State.PREPARED, State.UPLOADING, State.SUBMITTING})
_DISK_CODES = frozenset({DiskError.code, DiskFull.code, FolderNotWritable.code})


class RunReader(Keeper):
    """The reading half of `hailuo_jupyter.engine.engine.Engine`; see there."""

    board: Board
    wires: Wires
    _desks: Desks
    _lives: Lives

    def logs(self) -> list[RunLog]:
        """Give the run logs there are: the user's, and the demo's where that was ever used."""
        return [desk.log for desk in self._desks.all()]

    def row(self, run_id: str) -> Row:
        """Give a run as it stands: from memory where it is followed here, else from the log.

        Raises
        ------
        RunNotFound
            If no log has it.
        """
        return self.board.get(run_id) or self._desks.find(run_id)

    def run(self, run_id: str) -> Run:
        """Give the handle of a run by its id, or by an unambiguous part of it.

        Raises
        ------
        RunNotFound
            If no log has it.
        """
        row = self._desks.find(run_id)
        known = self.board.get(row.run_id)
        if known is not None and known != row and known.state in SETTLED:
            # Nobody follows a run that has ended, and another process may have rated or moved it.
            self.board.publish(row)
        return Run(row.run_id, self)

    def runs_in_hand(self) -> list[Run]:
        """Give the runs that this process works on just now."""
        return [Run(run_id, self) for run_id in self._lives.ids()]

    @property
    def left_alone(self) -> tuple[str, ...]:
        """Ids of the runs that were not taken over, since a newer version wrote them."""
        return self._lives.left_alone

    def timing(self, row: Row) -> Timing:
        """Give how long such a run takes."""
        provider = self.wires.provider(row.provider, row.record.dialect)
        return timing_of(self._desks.of(row.provider).log, provider, row.record)

    def settled(self, run_id: str) -> bool:
        """Tell whether nothing more happens to a run by itself, so that waiting for it may end."""
        row = self.row(run_id)
        if self.board.get(run_id) is None:
            # Whoever waits has it followed, and taken over if its owner dies.
            self.board.publish(row)
        if row.state in SETTLED or row.owner is None:
            # Its record is written beside the clip before anybody is told that all is done.
            return not self._lives.in_hand(run_id)
        if self._lives.over(run_id):
            return True
        # The fetching goes on, but only the person can make room.
        problem = row.record.problem if row.state is State.UNDOWNLOADED else None
        return problem is not None and problem.code in _DISK_CODES

    def wait_answers(self, runs: Iterable[Run], timeout: float) -> bool:
        """Wait, at most `timeout` seconds, until the submits of these runs are answered."""
        ids = [run.run_id for run in runs]
        return self.board.wait_for(lambda: all(map(self._answered, ids)), timeout)

    def _answered(self, run_id: str) -> bool:
        row = self.row(run_id)
        return row.state not in _UNANSWERED or row.owner is None

    def listen(self, run_id: str, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with each change of a run (see `Board.listen`)."""
        if self.board.get(run_id) is None:
            self.board.publish(self.row(run_id))
        return self.board.listen(run_id, listener)
