"""The options of a simulator, set when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SimulatorOptions:
    """Options of one simulator; the defaults follow the providers' documentation.

    Parameters
    ----------
    port : int
        TCP port on 127.0.0.1; 0 picks a free one.
    speed : float
        Virtual seconds per real second, above 0.
    caption : bool
        Draw the prompt and a "simulated clip" mark into the clips.
    seed : int or None
        Makes the drawn durations repeatable. It does not affect ids or clips.
    cache : Path or None
        Folder for rendered clips; by default one in the user's cache folder.
    token : str or None
        The only key that is accepted; None accepts every key.
    render_threads : int
        How many clips are rendered at the same time.
    variants : int
        Number of scenes for prompts, 1 to 6. With 1 the clips of one size and duration
        are rendered once.
    shrink : int
        Divides width and height of the clips (1 to 16).
    min_polls : int
        Minimum number of polls answered "not yet" before the job may end, 0 or more.
    segmind_seconds, aimlapi_6s_seconds, aimlapi_10s_seconds : float
        Medians of the time from submission to clip, in virtual seconds. Segmind's model page
        states 173.29 s; AI/ML API's page 4 to 5 min for 6 s clips and 8 to 9 min for 10 s.
    sigma : float
        Width of the log-normal distribution of these times, 0 for none.
    queue_share : float
        Share of that time that a job spends in the queue, 0 to 1.
    segmind_retention : float
        Virtual seconds from submission until Segmind forgets a job; published: 1 h.
    segmind_file_lifetime : float
        Virtual seconds from submission until its clip is gone; 7 days according to the documentation.
    aimlapi_retention : float
        Virtual seconds from submission until AI/ML API answers 404 for a job (not published).
    link_life : float
        Virtual seconds from completion until a signed AI/ML API link expires (not published).
    """

    port: int = 0
    speed: float = 1.0
    caption: bool = False
    seed: int | None = None
    cache: Path | None = None
    token: str | None = field(default=None, repr=False)
    render_threads: int = 2
    variants: int = 6
    shrink: int = 1
    min_polls: int = 2
    segmind_seconds: float = 173.0
    aimlapi_6s_seconds: float = 270.0
    aimlapi_10s_seconds: float = 510.0
    sigma: float = 0.15
    queue_share: float = 0.2
    segmind_retention: float = 3600.0
    segmind_file_lifetime: float = 604_800.0
    aimlapi_retention: float = 86400.0
    link_life: float = 7200.0

    def __post_init__(self) -> None:
        if not 0 <= self.queue_share <= 1:
            raise ValueError(f"queue_share is a part from 0 to 1, not {self.queue_share}")
        if self.min_polls < 0 or self.sigma < 0 or self.shrink < 1 or self.render_threads < 1:
            raise ValueError("min_polls and sigma start at 0, shrink and render_threads at 1")
