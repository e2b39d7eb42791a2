"""The states of a run, the allowed transitions, and their display texts."""

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
        """The display text of this state."""
        return _WORDS[self]

    @property
    def meaning(self) -> str:
        """What this state means for the person, as the documentation explains it."""
        return _MEANINGS[self]


_WORDS = {
    State.PREPARED: "Not sent",
    State.UPLOADING: "Uploading frames",
    State.SUBMITTING: "Submitting",
    State.SUBMITTED: "Submitted",
    State.QUEUED: "Queued",
    State.GENERATING: "Generating",
    State.DOWNLOADING: "Downloading",
    State.COMPLETED: "Completed",
    State.UNDOWNLOADED: "Ready, not downloaded",
    State.REJECTED: "Rejected",
    State.FAILED: "Failed",
    State.EXPIRED: "Expired",
    State.UNCONFIRMED: "Unconfirmed",
}

_MEANINGS = {
    State.PREPARED: "In the run log; nothing was sent. Rerun the cell to send it.",
    State.UPLOADING: "A local frame is being sent to the provider. That is free.",
    State.SUBMITTING: "The paid request is being sent. It is sent once.",
    State.SUBMITTED: "The provider accepted the job and named it. From here on the clip is paid for.",
    State.QUEUED: "The job waits for its turn at the provider.",
    State.GENERATING: "The provider is making the clip.",
    State.DOWNLOADING: "The clip is ready and is being downloaded and checked.",
    State.COMPLETED: "The clip is in its folder, with its record.",
    State.UNDOWNLOADED: "The clip is paid for and ready, but could not be downloaded yet. Downloads are "
    "repeated; '%hailuo resume' tries at once.",
    State.REJECTED: "The provider refused the request. Nothing was bought.",
    State.FAILED: "The provider accepted the job and made no clip. The message says whether that is "
    "charged, if the provider documents it.",
    State.EXPIRED: "The clip was paid for, and the provider no longer has it.",
    State.UNCONFIRMED: "The request was sent, but its answer was lost: you may have been charged. It is "
    "looked up at the provider, where that is possible, and never sent again without '--new'.",
}

#: The provider is working, and its progress is found out by polling.
AT_PROVIDER = frozenset({State.SUBMITTED, State.QUEUED, State.GENERATING})

#: Nothing changes automatically, and this package cannot change the outcome.
FINAL = frozenset({State.COMPLETED, State.REJECTED, State.FAILED, State.EXPIRED})

#: No engine does anything with these automatically, whatever their owner.
SETTLED = FINAL | {State.UNCONFIRMED}

#: Work that a process is doing (or was doing when it was killed).
IN_FLIGHT = (
    frozenset({State.UPLOADING, State.SUBMITTING, State.DOWNLOADING, State.UNDOWNLOADED})
    | AT_PROVIDER
)

#: Nothing was sent yet.
UNSENT = frozenset({State.PREPARED, State.UPLOADING})

#: The next process may continue these: the provider's id is known, so polling is free.
RESUMABLE = AT_PROVIDER | {State.DOWNLOADING, State.UNDOWNLOADED}

#: The provider has accepted this run, so it is paid for or will be.
BOUGHT = RESUMABLE | {State.COMPLETED}

#: Allowed transitions. Any other is a bug or a late process.
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
    # Providers sometimes go back from generating to queued.
    State.QUEUED: frozenset({State.GENERATING, State.DOWNLOADING, State.FAILED, State.EXPIRED}),
    State.GENERATING: frozenset({State.QUEUED, State.DOWNLOADING, State.FAILED, State.EXPIRED}),
    State.DOWNLOADING: frozenset({State.COMPLETED, State.UNDOWNLOADED, State.FAILED}),
    State.UNDOWNLOADED: frozenset({State.DOWNLOADING, State.COMPLETED, State.EXPIRED}),
    # A clip deleted afterwards may be downloaded again while the provider keeps it.
    State.COMPLETED: frozenset({State.DOWNLOADING}),
    State.REJECTED: frozenset(),
    State.FAILED: frozenset(),
    State.EXPIRED: frozenset(),
    # A paid clip may always be recorded, however late it is discovered.
    State.UNCONFIRMED: frozenset({State.SUBMITTED, State.REJECTED, State.FAILED}),
}


def may_follow(before: State, after: State) -> bool:
    """Return whether a run may go from `before` to `after`; staying is always allowed."""
    return before == after or after in TRANSITIONS[before]
