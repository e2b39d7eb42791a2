"""The runs that this process has in hand: begun, taken over from the dead, given up."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine.annotate import record_of
from hailuo_jupyter.engine.aside import put_aside
from hailuo_jupyter.engine.board import Board
from hailuo_jupyter.engine.bought import told
from hailuo_jupyter.engine.desk import Desk, Desks, Wires
from hailuo_jupyter.engine.hand import Bench, Hand
from hailuo_jupyter.engine.life import cancelled, live, mistake
from hailuo_jupyter.engine.loop import Loop
from hailuo_jupyter.engine.pace import Clock, Pace
from hailuo_jupyter.engine.switching import Switching
from hailuo_jupyter.errors import HailuoError, RunLogError, SettingsError
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.request import Request
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import RESUMABLE, State

logger = logging.getLogger(__name__)


class Lives:
    """What goes on with runs on the engine's loop; for all threads.

    Parameters
    ----------
    loop, desks, wires, board, settings, clock
        The engine's.
    """

    def __init__(
        self,
        loop: Loop,
        desks: Desks,
        wires: Wires,
        board: Board,
        *,
        settings: Hailuo,
        clock: Clock,
    ) -> None:
        self._loop, self._desks, self._wires, self._board = loop, desks, wires, board
        self._settings, self._clock = settings, clock
        self._going: dict[str, Future[None]] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._hands: dict[str, Hand] = {}
        self._kept: set[str] = set()
        self._left_alone: set[str] = set()
        self._taking, self._switching = threading.Lock(), Switching()

    # ── what is known of them ──────────────────────────────────────────────────────────────────

    def ids(self) -> list[str]:
        """Give the ids of the runs that this process works on just now."""
        return [run_id for run_id in tuple(self._going) if self.in_hand(run_id)]

    def in_hand(self, run_id: str) -> bool:
        """Tell whether this process works on a run just now."""
        life = self._going.get(run_id)
        return life is not None and not life.done()

    def over(self, run_id: str) -> bool:
        """Tell whether nothing more happens to a run here, though the log has it as somebody's.

        So it is where it could not even be given up, since the log took nothing, and where a newer
        version wrote it.
        """
        return run_id in self._left_alone or (run_id in self._kept and not self.in_hand(run_id))

    @property
    def left_alone(self) -> tuple[str, ...]:
        """Ids of the runs that nobody here goes on with, since a newer version wrote them."""
        return tuple(self._left_alone)

    # ── going on with what is in the log ───────────────────────────────────────────────────────

    def go_on(self, row: Row, desk: Desk) -> bool:
        """Take one run over; False where another process works on it, or there is nothing to do."""
        return bool(self.take_over([row], desk))

    def take_over(self, rows: Sequence[Row], desk: Desk) -> list[str]:
        """Go on with whatever no other process works on; gives the ids of those that go on.

        What a newer version wrote, or whose provider is not known here, is left as it is: neither
        taken nor changed.
        """
        # Whoever asks for a run and who follows the log do so from two threads.
        with self._taking:
            held = [row.run_id for row in rows if self.in_hand(row.run_id)]
            # A life that has let its run go lasts a moment longer, and does nothing more for it.
            going = {row.run_id for row in desk.log.rows(held) if row.owner is not None}
            for run_id in going:
                self._loop.call(self._wake, run_id)
            others = [row for row in rows if row.run_id not in going and self._readable(row)]
            had = {row.run_id: row.owner for row in others}
            # One transaction for all, since each waits for the disk.
            won = desk.log.rows(desk.log.claim(had, desk.owner.id)) if had else []
            try:
                while won:
                    row = won[0]
                    if not self._readable(row):
                        desk.log.release(row.run_id, desk.owner.id)
                    elif row.state in RESUMABLE:
                        self._begin_again(row)
                        going.add(row.run_id)
                    else:
                        died, at = had[row.run_id] is not None, self._clock.wall()
                        put_aside(row, desk.log, at=at, died=died)
                        self._board.publish(desk.log.release(row.run_id, desk.owner.id))
                    del won[0]
            finally:
                for row in won:  # one is not as it should be: nobody is kept from the others
                    desk.log.release(row.run_id, desk.owner.id)
            return [row.run_id for row in rows if row.run_id in going]

    def _readable(self, row: Row) -> bool:
        """Tell whether a run can be gone on with; where not, it is said once."""
        try:
            self._wires.provider(row.provider, record_of(row).dialect)
        except RunLogError as error:
            why = error.what
        except SettingsError:
            why = f"Run {row.run_id} is of a provider that this version does not know."
        else:
            return True
        if row.run_id not in self._left_alone:
            self._left_alone.add(row.run_id)
            logger.warning("%s It is left alone. Install the newest version.", why)
        return False

    def _begin_again(self, row: Row) -> None:
        self._board.publish(row)
        provider = self._wires.provider(row.provider, row.record.dialect)
        self.begin(row, provider, Path.cwd(), None)

    def _wake(self, run_id: str) -> None:
        """Have a run looked after at once: who asks for it may have mended what it waits for."""
        if (hand := self._hands.get(run_id)) is not None:
            hand.wake()

    # ── one life ───────────────────────────────────────────────────────────────────────────────

    def begin(
        self, row: Row, provider: Provider, key_folder: Path, request: Request | None
    ) -> None:
        """Work on a run, which this process owns, until it has ended or waits for the person.

        Parameters
        ----------
        row, provider
            The run, and whom it asks.
        key_folder
            Where a ``.env`` may lie.
        request
            What is asked for; needed only while nothing was sent.
        """
        run_id, desk = row.run_id, self._desks.of(row.provider)
        self._kept.discard(run_id)
        work = self._work(row, desk, provider, key_folder, request)
        self._switching.hold()
        life = self._going[run_id] = self._loop.spawn(work)
        life.add_done_callback(lambda ended: self._end(run_id, desk, ended))

    def _end(self, run_id: str, desk: Desk, life: Future[None]) -> None:
        self._switching.let_go()
        if self._going.get(run_id) is life:  # and not one that was begun since
            latest = self._board.get(run_id)
            if latest is not None and latest.owner == desk.owner.id:
                self._kept.add(run_id)
            del self._going[run_id]
        self._board.look_again()

    async def _work(
        self, row: Row, desk: Desk, provider: Provider, key_folder: Path, request: Request | None
    ) -> None:
        if (task := asyncio.current_task()) is not None:
            self._tasks[row.run_id] = task
        try:
            try:
                http = self._loop.http()
                dialect = await asyncio.to_thread(self._wires.dialect, provider)
            except HailuoError as error:
                self._leave(row, desk, provider, error)
                return
            except asyncio.CancelledError:
                self._leave(row, desk, provider, None if request is None else cancelled())
                raise
            except Exception as error:
                logger.exception("run %s could not be begun with", row.run_id)
                self._leave(row, desk, provider, mistake(error))
                return
            bench = Bench(
                http,
                desk.log,
                Pace(desk.log, self._settings, self._clock),
                self._clock,
                desk.owner.id,
                self._board.publish,
                deadline_s(self._settings),
                self._settings.largest_clip,
                among=lambda: len(self._going),
            )
            hand = Hand(
                bench, row, provider, dialect, lambda: self._wires.key(provider, key_folder)
            )
            self._hands[row.run_id] = hand
            await live(hand, request)
        finally:
            self._hands.pop(row.run_id, None)
            if self._tasks.get(row.run_id) is task:
                del self._tasks[row.run_id]

    def _leave(self, row: Row, desk: Desk, provider: Provider, problem: HailuoError | None) -> None:
        """Give up a run that could not be begun with."""
        if problem is not None:
            said = told(problem, row.state, provider)
            desk.log.update(
                row.run_id, lambda record: record.changed(problem=said), only_from={row.state}
            )
        self._board.publish(desk.log.release(row.run_id, desk.owner.id))

    async def cancel_unsent(self, run_id: str) -> bool:
        """Cancel on the loop itself: there, nothing can be sent between the look and the act."""
        row, task = self._board.get(run_id), self._tasks.get(run_id)
        unsent = row is not None and row.state in {State.PREPARED, State.UPLOADING}
        return unsent and task is not None and task.cancel()


def deadline_s(settings: Hailuo) -> float:
    """Give the seconds after which a run counts as overdue, as it is set."""
    return float(settings.deadline_minutes) * 60.0
