"""The engine: one daemon thread with one asyncio loop, in which all runs of this process live."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from hailuo_jupyter.engine import placing
from hailuo_jupyter.engine.annotate import Change, record_of
from hailuo_jupyter.engine.aside import put_aside
from hailuo_jupyter.engine.board import Board, Listener
from hailuo_jupyter.engine.decide import Act
from hailuo_jupyter.engine.desk import Desk, Desks, Wires
from hailuo_jupyter.engine.hand import Bench, Hand
from hailuo_jupyter.engine.life import cancelled, live, mistake, timing_of
from hailuo_jupyter.engine.order import Order, Placed
from hailuo_jupyter.engine.pace import Clock, Pace
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.engine.settle import Settling
from hailuo_jupyter.engine.sidecar import has_place, write_beside
from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.errors import (
    CannotCancel,
    DiskError,
    DiskFull,
    FolderNotWritable,
    HailuoError,
)
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.http import Http, Patience
from hailuo_jupyter.request import Request
from hailuo_jupyter.runlog import Row, RunLog
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import RESUMABLE, SETTLED, State

logger = logging.getLogger(__name__)

#: Seconds between looks at the log for runs that another process works on.
_FOLLOW_S = 0.5

_UNANSWERED = frozenset({State.PREPARED, State.UPLOADING, State.SUBMITTING})
_DISK_CODES = frozenset({DiskError.code, DiskFull.code, FolderNotWritable.code})


class Engine:
    """All runs of this process.

    Parameters
    ----------
    settings
        What the user has set.
    clock
        The clocks; tests turn them.
    wires
        How it reaches keys and providers; as the settings say if None.
    patience
        How long the network is waited for; as usual if None.
    """

    def __init__(
        self,
        settings: Hailuo,
        clock: Clock | None = None,
        wires: Wires | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._settings, self._clock = settings, clock or Clock()
        self._desks, self.wires = Desks(settings, self._clock), wires or Wires(settings)
        self._patience = patience
        self.board = Board()
        self._lives: dict[str, Future[None]] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._hands: dict[str, Hand] = {}
        self._taking = threading.Lock()
        self._http: Http | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="hailuo-engine", daemon=True)
        self._thread.start()
        self._following = self.spawn(self._follow())
        self._settling = Settling(
            self._desks,
            self.wires,
            board=self.board,
            clock=self._clock,
            http=self.http,
            go_on=self._go_on,
            wanted=lambda: self._settings.ask_history,
        )
        self.spawn(self._settling.keep_on())

    # ── the thread ─────────────────────────────────────────────────────────────────────────────

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self._thread.is_alive()

    @property
    def deadline_s(self) -> float:
        """Seconds after which a run counts as overdue, as it is set."""
        return self._settings.deadline_minutes * 60.0

    def now(self) -> float:
        """Give seconds since 1970 by the engine's clock."""
        return self._clock.wall()

    def spawn(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Run a coroutine on the engine's loop; it carries the caller's context with it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """End the engine. Runs in flight stay in the log, and the next engine goes on with them."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        self._desks.close()

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=5)
        await self._loop.shutdown_default_executor()
        if self._http is not None:
            await self._http.close()

    def http(self) -> Http:
        """Give the engine's connections; belongs to its own loop.

        Raises
        ------
        SettingsError
            If the environment names a proxy that cannot be used.
        """
        self._http = self._http or Http(self._patience)
        return self._http

    # ── placing orders ─────────────────────────────────────────────────────────────────────────

    def place(self, order: Order) -> list[Placed]:
        """Decide what an order needs, and set it going.

        Returns
        -------
        list of Placed
            ``order.count`` runs, the oldest first. None of them has been waited for.

        Raises
        ------
        NotBought
            If an earlier run stands in the way.
        BudgetExceeded
            If it would pass a budget.
        KeyMissing, SettingsError, DiskError, RunLogError
            Before anything is sent.
        """
        desk = self._desks.of(order.provider.name)
        order, lacking = placing.looked_for(order, desk.log, self._clock.wall())
        if lacking:
            placing.get_ready(order, self.wires)
        decided, rows = placing.buy(order, desk, self._settings, self._clock.wall())
        kept = sorted(decided.kept, key=lambda each: each[1])  # the oldest first
        placed = [
            Placed(act, self._take(run_id, act, desk), order.found.get(run_id, ""))
            for act, run_id in kept
        ]
        for row in rows:
            self.board.publish(row)
            self._set_going(row, order.provider, order.key_folder, order.request)
            placed.append(Placed(Act.BUY, Run(row.run_id, self)))
        return placed

    def lacks(self, order: Order) -> int:
        """Tell how many runs an order would buy, if it were placed now; nothing is bought.

        Raises
        ------
        NotBought, RunLogError, DiskError
            As `look_for`.
        """
        return self.look_for(order)[1]

    def look_for(self, order: Order) -> tuple[Order, int]:
        """Look for what serves an order already; see `hailuo_jupyter.engine.placing.looked_for`.

        Raises
        ------
        NotBought
            If an earlier run stands in the way.
        RunLogError, DiskError
            If the log cannot be used.
        """
        desk = self._desks.of(order.provider.name)
        return placing.looked_for(order, desk.log, self._clock.wall())

    def _take(self, run_id: str, act: Act, desk: Desk) -> Run:
        """See to it that somebody works on a run that serves an order."""
        row = desk.log.get(run_id)
        if act is Act.FETCH and row.state is State.COMPLETED:
            at = self._clock.wall()
            row = desk.log.update(
                run_id, lambda record: record.moved(State.DOWNLOADING, at=at), only_from={row.state}
            )
        self.board.publish(row)
        if row.state in RESUMABLE:
            self._go_on(row, desk)
        return Run(run_id, self)

    # ── going on with what is in the log ───────────────────────────────────────────────────────

    def resume(self, only: Iterable[str] | None = None) -> list[Run]:
        """Take over every unfinished run that no living process works on; nothing is sent.

        Where every run is meant, lost answers are looked for in the providers' histories too, in the
        background.

        Parameters
        ----------
        only
            Ids of the runs that are meant, imported ones too; every unfinished run if None.

        Returns
        -------
        list of Run
            The runs that are watched or fetched from now on.
        """
        if only is None:
            self._settling.soon()
        ids = None if only is None else tuple(only)
        found: list[Run] = []
        for desk in self._desks.all():
            rows = desk.log.unfinished() if ids is None else desk.log.rows(ids)
            open_ones = [row for row in rows if row.state not in SETTLED or row.owner is not None]
            found += [Run(run_id, self) for run_id in self._take_over(open_ones, desk)]
        return found

    def _go_on(self, row: Row, desk: Desk) -> bool:
        return bool(self._take_over([row], desk))

    def _take_over(self, rows: Sequence[Row], desk: Desk) -> list[str]:
        """Go on with whatever no other process works on; gives the ids of those that go on."""
        # Whoever asks for a run and who follows the log do so from two threads.
        with self._taking:
            going = {row.run_id for row in rows if self._in_hand(row.run_id)}
            for run_id in going:
                self._loop.call_soon_threadsafe(self._wake, run_id)
            had = {row.run_id: row.owner for row in rows if row.run_id not in going}
            # One transaction for all, since each waits for the disk.
            won = desk.log.rows(desk.log.claim(had, desk.owner.id)) if had else []
            try:
                while won:
                    if won[0].state in RESUMABLE:
                        self._begin_again(won[0])
                        going.add(won[0].run_id)
                    else:
                        died, at = had[won[0].run_id] is not None, self._clock.wall()
                        put_aside(won[0], desk.log, at=at, died=died)
                        self.board.publish(desk.log.release(won[0].run_id, desk.owner.id))
                    del won[0]
            finally:
                for row in won:  # one is not as it should be: nobody is kept from the others
                    desk.log.release(row.run_id, desk.owner.id)
            return [row.run_id for row in rows if row.run_id in going]

    def _begin_again(self, row: Row) -> None:
        self.board.publish(row)
        provider = self.wires.provider(row.provider, row.record.dialect)
        self._set_going(row, provider, Path.cwd(), None)

    def _in_hand(self, run_id: str) -> bool:
        life = self._lives.get(run_id)
        return life is not None and not life.done()

    def _wake(self, run_id: str) -> None:
        """Have a run looked after at once: who asks for it may have mended what it waits for."""
        if (hand := self._hands.get(run_id)) is not None:
            hand.wake()

    def _set_going(
        self, row: Row, provider: Provider, key_folder: Path, request: Request | None
    ) -> None:
        desk = self._desks.of(row.provider)

        async def work() -> None:
            if (task := asyncio.current_task()) is not None:
                self._tasks[row.run_id] = task
            try:
                http = self.http()
                dialect = await asyncio.to_thread(self.wires.dialect, provider)
            except HailuoError as error:
                self._leave(row, desk, error)
                return
            except asyncio.CancelledError:
                self._leave(row, desk, None if request is None else cancelled())
                raise
            except Exception as error:
                logger.exception("run %s could not be begun with", row.run_id)
                self._leave(row, desk, mistake(error))
                return
            bench = Bench(
                http,
                desk.log,
                Pace(desk.log, self._settings, self._clock),
                self._clock,
                desk.owner.id,
                self.board.publish,
                self.deadline_s,
                self._settings.largest_clip,
            )
            hand = Hand(bench, row, provider, dialect, lambda: self.wires.key(provider, key_folder))
            self._hands[row.run_id] = hand
            try:
                await live(hand, request)
            finally:
                del self._hands[row.run_id]

        life = self._lives[row.run_id] = self.spawn(work())
        life.add_done_callback(lambda _: self.board.look_again())

    def _leave(self, row: Row, desk: Desk, problem: HailuoError | None) -> None:
        """Give up a run that could not be begun with."""
        if problem is not None:
            told = problem.as_problem()
            desk.log.update(
                row.run_id, lambda record: record.changed(problem=told), only_from={row.state}
            )
        self.board.publish(desk.log.release(row.run_id, desk.owner.id))

    # ── what is known of a run ─────────────────────────────────────────────────────────────────

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

    def annotate(self, run_id: str, change: Change) -> Row:
        """Put a person's words on a run: into the log, and into the record beside its clip.

        Parameters
        ----------
        run_id
            Its id, or an unambiguous part of it.
        change
            One of `hailuo_jupyter.engine.annotate`.

        Returns
        -------
        Row
            As it stands afterwards.

        Raises
        ------
        RunNotFound
            If no log has it.
        RunLogError
            If the log could not be changed, or a newer version wrote the run.
        DiskError
            If the record beside the clip could not be written; the log has the change then.
        """
        row = self._desks.find(run_id)
        log = self._desks.of(row.provider).log
        record_of(row)
        row = log.update(row.run_id, change)
        self.board.publish(row)
        if has_place(row):
            write_beside(row, log)
        return row

    def runs_in_hand(self) -> list[Run]:
        """Give the runs that this process works on just now."""
        return [Run(run_id, self) for run_id in tuple(self._lives) if self._in_hand(run_id)]

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
        life = self._lives.get(run_id)
        if row.state in SETTLED or row.owner is None:
            # Its record is written beside the clip before anybody is told that all is done.
            return not self._in_hand(run_id)
        if life is not None and life.done() and row.owner == self._desks.of(row.provider).owner.id:
            return True  # it could not even be given up: the log took nothing
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

    def cancel(self, run_id: str) -> None:
        """Cancel a run while nothing is sent (see `Run.cancel`).

        Raises
        ------
        CannotCancel
            If it was sent.
        """
        asked = asyncio.run_coroutine_threadsafe(self._cancel_unsent(run_id), self._loop)
        if asked.result(10):
            self.board.wait_for(lambda: self.settled(run_id), 10)
            return
        row = self.row(run_id)
        title = self.wires.provider(row.provider).title
        if row.state in RESUMABLE or row.state is State.SUBMITTING:
            raise CannotCancel(
                f"{title} has no way to cancel a job.",
                money="The clip is paid for, and it will be fetched.",
            )
        raise CannotCancel(f"Run {run_id} is not going on ({row.state.words.lower()}).")

    async def _cancel_unsent(self, run_id: str) -> bool:
        """Cancel on the loop itself: there, nothing can be sent between the look and the act."""
        row, task = self.row(run_id), self._tasks.get(run_id)
        unsent = row.state in {State.PREPARED, State.UPLOADING}
        return unsent and task is not None and task.cancel()

    # ── telling others ─────────────────────────────────────────────────────────────────────────

    def listen(self, run_id: str, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with each change of a run (see `Board.listen`)."""
        if self.board.get(run_id) is None:
            self.board.publish(self.row(run_id))
        return self.board.listen(run_id, listener)

    async def _follow(self) -> None:
        """Learn from the log what other processes do with runs that somebody here looks at."""
        while True:
            await asyncio.sleep(_FOLLOW_S)
            others: dict[bool, list[Row]] = {}
            for row in self.board.rows():
                if row.state not in SETTLED and not self._in_hand(row.run_id):
                    others.setdefault(row.provider == "demo", []).append(row)
            for rows in others.values():
                try:
                    self._catch_up(rows, self._desks.of(rows[0].provider))
                except HailuoError:
                    logger.warning("the run log could not be read", exc_info=True)

    def _catch_up(self, rows: Sequence[Row], desk: Desk) -> None:
        known = {row.run_id: (row.revision, row.owner) for row in rows}
        now = desk.log.rows([*known])
        for row in now:
            if (row.revision, row.owner) != known[row.run_id]:
                self.board.publish(row)
        dead = {
            owner for owner in {row.owner for row in now} if owner and not desk.log.alive(owner)
        }
        if orphans := [row for row in now if row.owner in dead]:
            self._take_over(orphans, desk)
