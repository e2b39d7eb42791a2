"""What a page can have done with a sweep: the actions of `comm_messages.ActOnSweep`.

What costs money is first described, with its price, and done when it is confirmed: by the way of
``%hailuo resume``, which buys nothing that was sent before or may have been charged.
"""

from __future__ import annotations

from typing import Any

from hailuo_jupyter.engine import process
from hailuo_jupyter.formatting import count
from hailuo_jupyter.kernel.action_answer import Answer, answered
from hailuo_jupyter.kernel.comm_messages import ActOnSweep
from hailuo_jupyter.kernel.consent import offer, redeem
from hailuo_jupyter.kernel.sweep import Sweep, of_row, plan_view
from hailuo_jupyter.kernel.sweep.plan import SweepQuote
from hailuo_jupyter.runlog.queries import no_such_sweep_error


def act(message: ActOnSweep) -> dict[str, Any]:
    """Perform an action on a sweep, or describe what would be done.

    Parameters
    ----------
    message
        The page's request. The notebook is that of `context.override_cell`.

    Returns
    -------
    dict
        See `action_answer.answered`.
    """
    return answered(lambda: _ACTIONS[message.action](_sweep(message.sweep), message))


def _sweep(sweep_id: str) -> Sweep:
    """Find a sweep.

    Raises
    ------
    HailuoError
        If no log has it, or its plan is unreadable.
    """
    found = (log.find_sweep(sweep_id) for log in process.get_engine().logs())
    row = next((each for each in found if each is not None), None)
    if row is None:
        raise no_such_sweep_error(sweep_id, [])
    return of_row(row)


def _watch(sweep: Sweep, _message: ActOnSweep) -> Answer:
    """Continue its runs that no live process works on, and keep its sheet current. Nothing is sent."""
    engine = sweep.engine
    rows = [engine.row(run.run_id) for run in sweep.runs]
    # The author of an imported run's record has chosen its job.
    engine.resume([row.run_id for row in rows if row.imported is None])
    for row in rows:
        engine.events.publish(engine.row(row.run_id))  # one of another process is followed, too
    return Answer(bundles=(sweep.keep_current(),))


def _stop(sweep: Sweep, _message: ActOnSweep) -> Answer:
    """Send nothing more; what was submitted goes on."""
    sweep.stop()
    return Answer((f"Stopped. {sweep.status}",), (sweep.keep_current(),))


def _resume(sweep: Sweep, message: ActOnSweep) -> Answer:
    """Send what is missing, as it was described and agreed to."""
    if sweep.sending:
        return Answer(problem=f"{sweep.sweep_id} is already being submitted.")
    if message.confirmed:
        agreed = redeem(message.about, SweepQuote)
        if agreed is None or agreed.sweep != sweep.sweep_id:
            return Answer(
                problem="Choose Resume again to see the price. Nothing was sent; no charge."
            )
        sweep.resume(agreed)
        return Answer((f"Resumed {sweep.sweep_id}.",), (sweep.keep_current(),))
    plan = sweep.resumption()
    sentences = plan_view.sentences(plan, sweep.engine)
    if not plan.missing:
        why = [f"Nothing of {sweep.sweep_id} is missing.", *sentences[1:]]
        return Answer(problem=" ".join(why))
    sent = [run for run in sweep.runs if not run.done]
    goes_on = [f"{count(len(sent), 'clip')} already submitted will not be sent again."]
    text = (plan.to_submit(), *sentences, *(goes_on if sent else []))
    return Answer(text, about=offer(plan.quote))


_ACTIONS = {"watch": _watch, "stop": _stop, "resume": _resume}
