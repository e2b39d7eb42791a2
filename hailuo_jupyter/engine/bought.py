"""What is said of a run that cannot go on, by whether the provider has it already."""

from __future__ import annotations

from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, KeyMissing
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.base import NOTHING_BOUGHT
from hailuo_jupyter.states import RESUMABLE, State

_PAID = "The clip stays paid for, and the provider keeps it for a while only."


def told(problem: HailuoError, state: State, provider: Provider) -> dict[str, str]:
    """Give a problem as the record keeps it, in words that are true of where its run stands.

    What lacks before any call, a key or a proxy, says of itself that nothing was sent. So it is for a
    request that is to be sent, and not for a clip that is to be watched or fetched.

    Parameters
    ----------
    problem
        What keeps the run from going on.
    state, provider
        The run's.
    """
    if state not in RESUMABLE or problem.money not in {NOTHING_SENT, NOTHING_BOUGHT}:
        return problem.as_problem()
    first = problem.todo.rstrip(".")
    if isinstance(problem, KeyMissing):
        first = f"Set {provider.key_variables[0]}, or run '%hailuo key {provider.name}'"
    todo = f"{first}, then run '%hailuo resume'." if first else "Run '%hailuo resume'."
    return type(problem)(problem.what, money=_PAID, todo=todo).as_problem()
