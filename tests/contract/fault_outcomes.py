"""What can become of a run under a fault: as the tests expect it, and as the page tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hailuo_jupyter import errors
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.states import AT_PROVIDER, State


@dataclass(frozen=True)
class Outcome:
    """One way in which a run can end, or wait for the person.

    ``jobs`` is how many jobs the provider's ledger holds afterwards: one means that a clip is paid
    for; None where the fault decides (`Trouble.arrives`). The four sentences are the page's.
    """

    title: str
    states: frozenset[State]
    errors: tuple[type[HailuoError], ...]
    jobs: int | None
    happens: str
    money: str
    we: str
    you: str

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(" ", "-")


def _outcome(
    title: str,
    states: State | frozenset[State],
    kinds: type[HailuoError] | tuple[type[HailuoError], ...],
    jobs: int | None,
    **sentences: Any,
) -> Outcome:
    return Outcome(
        title,
        frozenset({states}) if isinstance(states, State) else states,
        kinds if isinstance(kinds, tuple) else (kinds,),
        jobs,
        **sentences,
    )


DONE = _outcome(
    "Completed",
    State.COMPLETED,
    (),
    1,
    happens="Trouble on the way; the clip comes.",
    money="One clip is paid for, and you get it.",
    we="Ask, upload and fetch again with growing waits. A submit is sent again only where it surely did "
    "not arrive, or the provider said so.",
    you="Nothing.",
)
NOT_SENT = _outcome(
    "Not sent",
    State.PREPARED,
    (errors.ProviderDown, errors.RateLimited),
    0,
    happens="The request never reached the provider, or was put off for too long.",
    money="Nothing was bought.",
    we="Try three times (after 429 and 503 with Retry-After: for five minutes), then leave it to you. "
    "Nothing is sent later by itself.",
    you="Run the cell again when the network or the provider is back.",
)
REJECTED = _outcome(
    "Rejected",
    State.REJECTED,
    (
        errors.Rejected,
        errors.KeyRefused,
        errors.NoCredits,
        errors.Moderated,
    ),
    0,
    happens="The provider refused the request, and says why.",
    money="Nothing was bought.",
    we="Show the provider's words.",
    you="Mend what they name (key, credits, prompt, frame) and run the cell again.",
)
UNCONFIRMED = _outcome(
    "Unconfirmed",
    State.UNCONFIRMED,
    errors.AnswerLost,
    None,
    happens="The request was sent, but no readable answer came back.",
    money="The clip may have been bought.",
    we="Never send it a second time. The provider's history is asked; a job found there is watched and "
    "its clip fetched.",
    you="Wait for the history, or look at it yourself. If the job is not there: `--new` on the cell.",
)
PAUSED = _outcome(
    "Waiting for a key",
    AT_PROVIDER | {State.UNDOWNLOADED},
    errors.KeyRefused,
    1,
    happens="The key was refused, or is gone, while a clip is being made or fetched.",
    money="The clip stays paid for, and its job goes on at the provider.",
    we="Stop asking with this key.",
    you="`%hailuo key`, then `%hailuo resume`.",
)
UNANSWERED = _outcome(
    "Left to you",
    AT_PROVIDER | {State.UNDOWNLOADED},
    (errors.ProviderDown, errors.ClipError),
    1,
    happens="No usable answer came for longer than the provider keeps a result.",
    money="The clip is paid for, or will be, and may still be there.",
    we="Ask until then and a little longer, then stop. The run is not given up for lost: nobody knows "
    "that.",
    you="`%hailuo resume` asks once more; look at the provider's history.",
)
TOO_LARGE = _outcome(
    "Too large",
    State.UNDOWNLOADED,
    errors.ClipTooLarge,
    1,
    happens="What stands in the clip's place is larger than `Hailuo.max_clip_gb` (2 GB).",
    money="The clip is paid for and stays at the provider for a while.",
    we="Stop at the limit and keep nothing of it.",
    you="Raise the limit if that can be right, then `%hailuo resume`.",
)
EXPIRED = _outcome(
    "Expired",
    State.EXPIRED,
    errors.JobExpired,
    1,
    happens="The provider says that it no longer knows the job, or its links are dead, after the time "
    "for which it keeps a result.",
    money="The clip was paid for and is gone, as far as the provider tells.",
    we="Stop asking. Before that time such an answer proves nothing, and we go on asking.",
    you="Look at the provider's history; `--new` buys another one.",
)
FAILED = _outcome(
    "Failed",
    State.FAILED,
    (errors.JobFailed, errors.Moderated),
    1,
    happens="The provider took the job and says that it failed.",
    money="Whether it was charged stands in the provider's history; there is no clip.",
    we="Keep the provider's words in the record.",
    you="Change what they name, and run the cell again.",
)

OUTCOMES = (
    DONE, NOT_SENT, REJECTED, UNCONFIRMED, PAUSED, UNANSWERED, TOO_LARGE, EXPIRED, FAILED,
)  # fmt: skip
