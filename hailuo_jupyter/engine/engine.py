"""The engine of a process: what is asked of its runs, from whatever thread."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from typing import Any

from hailuo_jupyter.engine import placing
from hailuo_jupyter.engine.annotate import Change, record_of
from hailuo_jupyter.engine.board import Board
from hailuo_jupyter.engine.decide import Act
from hailuo_jupyter.engine.desk import Desk, Desks, Wires
from hailuo_jupyter.engine.following import follow
from hailuo_jupyter.engine.lives import Lives, deadline_s
from hailuo_jupyter.engine.loop import Loop
from hailuo_jupyter.engine.order import Order, Placed
from hailuo_jupyter.engine.pace import Clock
from hailuo_jupyter.engine.reader import RunReader
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.engine.settle import Settling
from hailuo_jupyter.engine.sidecar import has_place, write_beside
from hailuo_jupyter.errors import CannotCancel
from hailuo_jupyter.providers.http import Http, Patience
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import RESUMABLE, SETTLED, State


class Engine(RunReader):
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
        self.board, self._loop = Board(), Loop(patience)
        self._lives = Lives(
            self._loop, self._desks, self.wires, self.board, settings=settings, clock=self._clock
        )
        self.spawn(follow(self.board, self._desks, self._lives))
        self._settling = Settling(
            self._desks,
            self.wires,
            board=self.board,
            clock=self._clock,
            http=self.http,
            go_on=self._lives.go_on,
            wanted=lambda: self._settings.ask_history,
        )
        self.spawn(self._settling.keep_on())

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self._loop.alive

    @property
    def deadline_s(self) -> float:
        """Seconds after which a run counts as overdue, as it is set."""
        return deadline_s(self._settings)

    def now(self) -> float:
        """Give seconds since 1970 by the engine's clock."""
        return self._clock.wall()

    def spawn(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Run a coroutine on the engine's loop; it carries the caller's context with it."""
        return self._loop.spawn(work)

    def stop(self) -> None:
        """End the engine. Runs in flight stay in the log, and the next engine goes on with them."""
        self._loop.stop()
        self._desks.close()

    def http(self) -> Http:
        """Give the engine's connections; belongs to its own loop.

        Raises
        ------
        SettingsError
            If the environment names a proxy that cannot be used.
        """
        return self._loop.http()

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
        return self._loop.do(lambda: self._serve(order, desk))

    def _serve(self, order: Order, desk: Desk) -> list[Placed]:
        """Buy what an order lacks, and see to it that each of its runs is worked on."""
        decided, rows = placing.buy(order, desk, self._settings, self._clock.wall())
        kept = sorted(decided.kept, key=lambda each: each[1])  # the oldest first
        placed = [
            Placed(act, self._take(run_id, act, desk), order.found.get(run_id, ""))
            for act, run_id in kept
        ]
        for row in rows:
            self.board.publish(row)
            self._lives.begin(row, order.provider, order.key_folder, order.request)
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
            self._lives.go_on(row, desk)
        return Run(run_id, self)

    def resume(self, only: Iterable[str] | None = None) -> list[Run]:
        """Take over every unfinished run that no living process works on; nothing is sent.

        What a newer version wrote is left alone (see `left_alone`), and nothing is changed of it.

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
            found += [Run(run_id, self) for run_id in self._lives.take_over(open_ones, desk)]
        return found

    # ── acts on a run that is there ────────────────────────────────────────────────────────────

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

    def cancel(self, run_id: str) -> None:
        """Cancel a run while nothing is sent (see `Run.cancel`).

        Raises
        ------
        CannotCancel
            If it was sent.
        """
        if self._loop.spawn(self._lives.cancel_unsent(run_id)).result(10):
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
