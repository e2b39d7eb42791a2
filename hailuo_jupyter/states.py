"""The states of a run, which of them may follow which, and the words people read for them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """One state of a run; its value is what the run log and the record hold."""

    PREPARED = "prepared"
    UPLOADING = "uploading"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    QUEUED = "queued"
    GENERATING = "generating"
    DOWNLOADING = "downloading"
    COMPLETED = "completed"
    UNDOWNLOADED = "undownloaded"
    REJECTED = "rejected"
    FAILED = "failed"
    EXPIRED = "expired"
    UNCONFIRMED = "unconfirmed"

    @property
    def words(self) -> str:
        """What a person reads for this state."""
        return _WORDS[self]


_WORDS = {
    State.PREPARED: "Not sent",
    State.UPLOADING: "Uploading frames",
    State.SUBMITTING: "Submitting",
    State.SUBMITTED: "Submitted",
    State.QUEUED: "Queued",
    State.GENERATING: "Generating",
    State.DOWNLOADING: "Downloading",
    State.COMPLETED: "Completed",
    State.UNDOWNLOADED: "Bought, not downloaded yet",
    State.REJECTED: "Rejected",
    State.FAILED: "Failed",
    State.EXPIRED: "Expired",
    State.UNCONFIRMED: "Unconfirmed",
}

#: The provider works, and what it does next is learned by asking.
AT_PROVIDER = frozenset({State.SUBMITTED, State.QUEUED, State.GENERATING})

#: Nothing more happens by itself, and no act of ours can change the outcome.
FINAL = frozenset({State.COMPLETED, State.REJECTED, State.FAILED, State.EXPIRED})

#: No engine does anything with these by itself, whoever owns the run.
SETTLED = FINAL | {State.UNCONFIRMED}

#: Work that a process has in hand (or had, when it was killed).
IN_FLIGHT = (
    frozenset({State.UPLOADING, State.SUBMITTING, State.DOWNLOADING, State.UNDOWNLOADED})
    | AT_PROVIDER
)

#: The next process may go on with these: the provider's id is known, so asking again is free.
RESUMABLE = AT_PROVIDER | {State.DOWNLOADING, State.UNDOWNLOADED}

#: The provider has accepted this run, so it is paid for or will be.
BOUGHT = RESUMABLE | {State.COMPLETED}

#: Arrows that the design allows. Anything else is a defect or a late process.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.PREPARED: frozenset({State.UPLOADING, State.SUBMITTING, State.REJECTED}),
    State.UPLOADING: frozenset({State.SUBMITTING, State.PREPARED, State.REJECTED}),
    # Back to prepared: an answer or an error proved that nothing had arrived.
    State.SUBMITTING: frozenset(
        {State.SUBMITTED, State.REJECTED, State.UNCONFIRMED, State.PREPARED}
    ),
    State.SUBMITTED: frozenset(
        {State.QUEUED, State.GENERATING, State.DOWNLOADING, State.FAILED, State.EXPIRED}
    ),
    # Providers were seen to go back from generating to queued.
    State.QUEUED: frozenset({State.GENERATING, State.DOWNLOADING, State.FAILED, State.EXPIRED}),
    State.GENERATING: frozenset({State.QUEUED, State.DOWNLOADING, State.FAILED, State.EXPIRED}),
    State.DOWNLOADING: frozenset({State.COMPLETED, State.UNDOWNLOADED, State.FAILED}),
    State.UNDOWNLOADED: frozenset({State.DOWNLOADING, State.COMPLETED, State.EXPIRED}),
    # A clip that was deleted afterwards may be fetched again while the provider keeps it.
    State.COMPLETED: frozenset({State.DOWNLOADING}),
    State.REJECTED: frozenset(),
    State.FAILED: frozenset(),
    State.EXPIRED: frozenset(),
    # What was paid for may always be recorded, however late it is learned.
    State.UNCONFIRMED: frozenset({State.SUBMITTED, State.REJECTED, State.FAILED}),
}


def may_follow(before: State, after: State) -> bool:
    """Tell whether a run may go from `before` to `after`; staying is always allowed."""
    return before == after or after in TRANSITIONS[before]
