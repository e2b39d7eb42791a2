"""Jobs that go on until they are let go: a busy machine might miss a live card of a few seconds."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulator import Simulator

#: So long a job is held, in seconds of the simulator's clock: half a minute, and not half of the hour
#: for which a result is kept.
_HELD_S = 1500.0


def holding(simulator: Simulator, prompt: str) -> Callable[[], object]:
    """Have a job go on until what this gives is called."""
    simulator.fault("seconds", count=1, prompt=prompt, seconds=_HELD_S)

    def let_go() -> None:
        (job,) = (each for each in simulator.ledger if prompt in each.prompt)
        simulator.advance(max(0.0, job.time + _HELD_S - simulator.now()))

    return let_go
