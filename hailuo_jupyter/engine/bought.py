"""What an error means for a run that the provider has already."""

from __future__ import annotations

from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, KeyMissing
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.base import NOTHING_BOUGHT

_PAID = "The clip stays paid for, and the provider keeps it for a while only."


def as_bought(problem: HailuoError, provider: Provider) -> HailuoError:
    """Give an error in words that are true of a run that was bought.

    What lacks before any call, a key or a proxy, says of itself that nothing was sent. So it is for a
    request that is to be sent, and not for a clip that is to be watched or fetched.

    Parameters
    ----------
    problem
        What keeps the run from going on.
    provider
        Who has it.
    """
    if problem.money not in {NOTHING_SENT, NOTHING_BOUGHT}:
        return problem
    first = problem.todo.rstrip(".")
    if isinstance(problem, KeyMissing):
        first = f"Set {provider.key_variables[0]}, or run '%hailuo key {provider.name}'"
    todo = f"{first}, then run '%hailuo resume'." if first else "Run '%hailuo resume'."
    return type(problem)(problem.what, money=_PAID, todo=todo)
