"""Intervals and waits of an engine: the constants that tests shorten, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from hailuo_jupyter.engine.eta import DurationEstimate


@dataclass(frozen=True)
class Timings:
    """Intervals, delays and limits of one engine; all in seconds where the name ends in ``_s``."""

    #: Between checks of the run log for changes by other processes.
    log_watch_s: float = 0.5

    #: After which an operation in a folder counts as stuck: a slow disk takes a minute to sync 1 GB.
    stuck_folder_s: float = 120.0

    #: Without data, after which a download checks whether this process still owns the run.
    ownership_gap_s: float = 10.0

    #: Minimum span of several refusals of a key before its run waits for the user: a restarting gateway
    #: refuses every key for a moment.
    key_refused_for_s: float = 60.0

    #: Before each query about a job that an answer named without accepting it: it may know a job only a
    #: moment after it was accepted.
    hint_looks_s: tuple[float, ...] = (0.0, 3.0, 6.0)

    #: Between two polls; None to follow the estimate of the job's duration.
    poll_interval_s: float | None = None

    #: How long jobs take; None to estimate it from the catalogue and the run log.
    expected_duration: DurationEstimate | None = None

    #: After the end of the provider's retention, when polling stops.
    retention_grace_s: float = 300.0

    #: Failed attempts, after that, until the run is left to the user: the network may be down just now.
    last_attempts: int = 5

    #: Longest wait between two downloads that may each transfer a whole clip and fail.
    costly_retry_s: float = 300.0

    #: Between two polls of a run that was bought with another key.
    account_check_s: float = 60.0

    #: Between two checks for runs whose provider's history is due.
    history_round_s: float = 5.0

    #: After a run's end, or after its answer was lost, when the history is read.
    history_looks_s: tuple[float, ...] = (
        *(20.0, 60.0, 180.0, 600.0),
        *(1800.0, 3700.0, 7200.0, 86400.0),
    )

    #: After which runs of other processes are checked: their own process may be gone.
    history_of_others_s: float = 300.0

    #: History calls per minute: Segmind's smallest plan allows 5 calls of any kind.
    history_per_minute: int = 5

    #: After sending, until a run that is not in the history is reported as not found. Longer than any
    #: clip takes, since AI/ML API's log shows a request only when it has ended.
    absent_after_s: float = 3600.0


#: The default timings of an engine.
DEFAULT = Timings()
