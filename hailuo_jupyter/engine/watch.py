"""Watching a job at the provider until it has ended."""

from __future__ import annotations

from hailuo_jupyter.chance import CHANCE
from hailuo_jupyter.engine.hand import Hand
from hailuo_jupyter.engine.pace import back_off
from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.errors import ProviderDown
from hailuo_jupyter.states import State

#: Seconds between looks at a run that is overdue.
_OVERDUE_INTERVAL = 60.0

#: Seconds after the end of the provider's retention at which nobody asks any more.
GRACE_S = 300.0

#: Looks in vain, after that, until it is left to the person: the network may be down just now.
LAST_TRIES = 5

#: The first look at a job that is older than this comes so soon, both in seconds.
_TAKEN_OVER_S, _FIRST_LOOK_S = 5.0, 1.5

_STATES = {"queued": State.QUEUED, "generating": State.GENERATING}


async def watch(hand: Hand, timing: Timing) -> str | None:
    """Ask until the job has ended.

    Parameters
    ----------
    hand
        The run; it is in ``submitted``, ``queued`` or ``generating``.
    timing
        How long such runs take, which paces the asking.

    Returns
    -------
    str or None
        The clip's link, if the answer held it.

    Raises
    ------
    Parked
        If only the person can go on.
    Overtaken
        If another process took the run.
    """
    since, failures, looks = hand.since_submit(), 0, 0
    while True:
        passed = since.passed()
        over = passed > hand.provider.retention_s + GRACE_S
        # Never without having asked: a laptop may have slept until now.
        if over and looks and (failures == 0 or failures >= LAST_TRIES):
            hand.park(_unanswered(hand, passed) if failures else _overdue(hand, passed))
        interval = timing.poll_interval(passed, hand.bench.among())
        if looks == 0:
            # Whoever takes a run over looks at once: the clip may be about to expire.
            soon = _FIRST_LOOK_S if passed > _TAKEN_OVER_S else interval
            # Runs that were sent together would be looked at together for ever.
            interval = min(interval, soon) * CHANCE.uniform(0.7, 1.0)
        elif passed > hand.bench.deadline_s:
            interval = max(interval, _OVERDUE_INTERVAL)
        if failures:
            interval = back_off(failures) if over else max(interval, back_off(failures))
        await hand.rest(interval)
        looks += 1
        call = hand.dialect.status(hand.job_id, hand.row.record.wire)
        news = await hand.ask(call, since, failures)
        if news is None:
            failures += 1
            continue
        failures = 0
        if news.state == "completed":
            hand.learned(State.DOWNLOADING, "status", news)
            return news.link
        if news.state == "failed":
            hand.learned(State.FAILED, "status", news)
            await hand.write_sidecar()
            return None
        state = _STATES.get(news.state)
        if state is not None and state is not hand.row.state:
            hand.learned(state, "status", news)
        else:
            hand.note(None)


def _unanswered(hand: Hand, passed: float) -> ProviderDown:
    known = hand.row.record.problem
    return ProviderDown(
        f"{hand.provider.title} gave no usable answer about this clip until {passed / 60:.0f} minutes "
        "after it was bought, which is longer than it keeps a result."
        + (f" The last try ended so: {known.what}" if known else ""),
        money="It was paid for, or will be; the clip may still be there.",
        todo="Run '%hailuo resume' to ask once more, and look at the provider's history.",
    )


def _overdue(hand: Hand, passed: float) -> ProviderDown:
    return ProviderDown(
        f"{hand.provider.title} has not finished this clip after {passed / 60:.0f} minutes, which is "
        "longer than it keeps a result.",
        money="It may have been charged.",
        todo="Run '%hailuo resume' to ask once more, and look at the provider's history.",
    )
