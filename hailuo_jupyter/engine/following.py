"""What other processes do with runs that somebody here looks at, learned from the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from hailuo_jupyter.engine.board import Board
from hailuo_jupyter.engine.desk import Desk, Desks
from hailuo_jupyter.engine.lives import Lives
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.states import SETTLED

logger = logging.getLogger(__name__)

#: Seconds between looks at the log.
_FOLLOW_S = 0.5


async def follow(board: Board, desks: Desks, lives: Lives) -> None:
    """Put up what changes in the log, and take over runs whose process has died, until cancelled.

    Parameters
    ----------
    board, desks, lives
        The engine's.
    """
    while True:
        await asyncio.sleep(_FOLLOW_S)
        others: dict[bool, list[Row]] = {}
        for row in board.rows():
            if row.state not in SETTLED and not lives.in_hand(row.run_id):
                others.setdefault(row.provider == "demo", []).append(row)
        for rows in others.values():
            try:
                _catch_up(rows, desks.of(rows[0].provider), board, lives)
            except HailuoError:
                logger.warning("the run log could not be read", exc_info=True)


def _catch_up(rows: Sequence[Row], desk: Desk, board: Board, lives: Lives) -> None:
    known = {row.run_id: (row.revision, row.owner) for row in rows}
    now = desk.log.rows([*known])
    for row in now:
        if (row.revision, row.owner) != known[row.run_id]:
            board.publish(row)
    dead = {owner for owner in {row.owner for row in now} if owner and not desk.log.alive(owner)}
    if orphans := [row for row in now if row.owner in dead]:
        lives.take_over(orphans, desk)
