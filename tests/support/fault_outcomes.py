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
    happens="There is trouble on the way, but the clip arrives.",
    money="One clip is paid for, and you get it.",
    we="Poll, upload and download again with growing delays. A submit is resent only if it "
    "certainly did not arrive, or the provider said so.",
    you="Nothing.",
)
ANOTHER_WAY = _outcome(
    "Completed another way",
    State.COMPLETED,
    (),
    1,
    happens="The provider reports nothing about the job for longer than it keeps a result, or no "
    "longer knows it; the clip's file still exists.",
    money="One clip is paid for, and you get it.",
    we="Download it from the known link, or from the link in the provider's history (Segmind).",
    you="Nothing.",
)
NOT_SENT = _outcome(
    "Not sent",
    State.PREPARED,
    (errors.ProviderDown, errors.RateLimited),
    0,
    happens="The request never reached the provider, or was postponed for too long.",
    money="No charge.",
    we="Try three times, then stop; after 429 and 503 with Retry-After, once nothing has been "
    "accepted for five minutes. Nothing is sent later automatically.",
    you="Rerun the cell when the network or the provider is back.",
)
REJECTED = _outcome(
    "Rejected",
    State.REJECTED,
    (
        errors.Rejected,
        errors.Blocked,
        errors.KeyRefused,
        errors.NoCredits,
        errors.Moderated,
    ),
    0,
    happens="The provider, or a firewall in front of it, refused the request.",
    money="No charge.",
    we="Show the provider's message, or the title of the firewall's page. The request is not "
    "resent.",
    you="Fix the problem (key, credits, prompt, frame, network) and rerun the cell.",
)
UNCONFIRMED = _outcome(
    "Unconfirmed",
    State.UNCONFIRMED,
    errors.AnswerLost,
    None,
    happens="The request was sent, but no valid response arrived.",
    money="You may have been charged.",
    we="Never resend it (at Runware only under the same id, within 5 minutes). Search the provider's "
    "history; if the job is found, follow it and download its clip.",
    you="Wait, or check the history yourself. If the job is not there, use `--new`.",
)
PAUSED = _outcome(
    "Waiting for a key",
    AT_PROVIDER | {State.UNDOWNLOADED},
    errors.KeyRefused,
    1,
    happens="The key was refused three times in a row over a minute or longer, or is missing, "
    "while a clip is being generated or downloaded.",
    money="The clip is paid for, and its job continues at the provider.",
    we="Stop using this key. A firewall's page does not count as a refusal; it is retried like a "
    "503.",
    you="`%hailuo key`, then `%hailuo resume`.",
)
UNANSWERED = _outcome(
    "Left to you",
    AT_PROVIDER | {State.UNDOWNLOADED},
    (errors.ProviderDown, errors.ClipError),
    1,
    happens="No usable answer arrived for longer than the provider keeps a result.",
    money="The clip is paid for, or will be, and may still exist.",
    we="Poll until then and a little longer, then stop. The run does not count as lost.",
    you="Use `%hailuo resume` to ask again, and check the provider's history.",
)
TOO_LARGE = _outcome(
    "Too large",
    State.UNDOWNLOADED,
    errors.ClipTooLarge,
    1,
    happens="The clip is larger than `Hailuo.max_clip_gb` (2 GB).",
    money="The clip is paid for; the provider keeps it for a while.",
    we="Stop at the limit and discard the data.",
    you="If you expect clips this large, raise the limit, then use `%hailuo resume`.",
)
EXPIRED = _outcome(
    "Expired",
    State.EXPIRED,
    errors.JobExpired,
    1,
    happens="The provider no longer keeps the result, and every way to the clip has failed: it "
    "does not know the job, the links have expired, the history has no link. Or it no "
    "longer keeps files from that time.",
    money="The clip was paid for and is gone, according to the provider.",
    we="Stop polling. Before that time such an answer proves nothing, and polling continues. The "
    "message names any way that could not be tried.",
    you="Check the provider's history; use `--new` to buy another clip.",
)
FAILED = _outcome(
    "Failed",
    State.FAILED,
    (errors.JobFailed, errors.Moderated),
    1,
    happens="The provider accepted the job and reports that it failed.",
    money="Not charged, according to the documentation of Segmind and AI/ML API; undocumented at "
    "Replicate, Runware and MiniMax; fal may charge if the input was the reason. There is no clip.",
    we="Keep the provider's message in the record.",
    you="Fix the problem and rerun the cell.",
)

OUTCOMES = (
    DONE, ANOTHER_WAY, NOT_SENT, REJECTED, UNCONFIRMED, PAUSED, UNANSWERED, TOO_LARGE, EXPIRED, FAILED,
)  # fmt: skip
