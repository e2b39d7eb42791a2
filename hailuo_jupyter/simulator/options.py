"""Everything about a simulator that can be chosen when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ImageDefault = Literal["sample", "none", "refuse"]


@dataclass(frozen=True)
class SimulatorOptions:
    """Choices for one simulator; the defaults follow what the providers publish.

    Parameters
    ----------
    port : int
        TCP port on 127.0.0.1; 0 takes a free one.
    speed : float
        Virtual seconds per real second, above 0.
    caption : bool
        Draw the prompt and a "simulated clip" mark into the clips.
    seed : int or None
        Makes the drawn durations repeatable. It has no part in ids or clips.
    cache : Path or None
        Folder for rendered clips; by default one in the user's cache folder.
    render_threads : int
        How many clips are rendered at the same time.
    variants : int
        From how many scenes a prompt chooses, 1 to 6. With 1 the clips of one size and duration
        are rendered once, which is what most tests want.
    shrink : int
        Divides width and height of the clips (1 to 16). Only for tests that do not look at sizes.
    min_polls : int
        How many answers of a job say "not yet" before one says that it has ended, 0 or more.
    segmind_seconds, aimlapi_6s_seconds, aimlapi_10s_seconds : float
        Medians of the time from submission to clip, in virtual seconds. Segmind's model page
        states 173.29 s; AI/ML API's page 4 to 5 min for 6 s clips and 8 to 9 min for 10 s.
    sigma : float
        Width of the log-normal distribution of these times, 0 for none.
    queue_share : float
        Part of that time a job stands in the queue, 0 to 1.
    balance : float
        US dollars in the account at the start.
    keys : tuple of str or None
        The keys that are accepted; None accepts any key (see `hailuo_jupyter.simulator.access`).
    segmind_per_minute : int or None
        Requests per virtual minute; the free plan has 5 and the Pro plan 50.
    aimlapi_per_minute : int or None
        The same for AI/ML API, which publishes no number.
    polls_count : bool
        Whether status and result requests count for these limits (not published).
    retry_after : bool
        Whether a 429 says when to try again (not documented by either provider).
    segmind_retention : float
        Virtual seconds from submission until Segmind forgets a job and its clip; published: 1 h.
    aimlapi_retention : float
        Virtual seconds from submission until AI/ML API answers 404 for a job (not published).
    link_life : float
        Virtual seconds from completion until a signed AI/ML API link expires (not published).
    history_delay : float
        Virtual seconds until history, log and transaction rows land.
    omitted_image, null_image, empty_image : {"sample", "none", "refuse"}
        What Segmind does when ``image_url`` is left out, null or "". The model page publishes a
        sample picture as the field's default; whether the server applies it is not known.
    segmind_data_uris : bool
        Whether Segmind takes ``data:`` URIs as pictures (not known; the schema says uri).
    segmind_invalid_status : {400, 422}
        Status of a refused Segmind body: the model page says 400, other pages 422.
    long_1080p : {"refuse", "fail", "allow"}
        What AI/ML API does with 10 s at 1080P: answer 400, end the job with an error, or make it.
    v1_answer : {"video", "json"}
        What Segmind's synchronous endpoint answers: the file, or JSON with a link.
    separate_accounts : bool
        Treat each key as an account of its own that sees no other's jobs.
    media_elsewhere : bool
        Serve clips from the second port under the name ``localhost``, which is another host.
    """

    port: int = 0
    speed: float = 1.0
    caption: bool = False
    seed: int | None = None
    cache: Path | None = None
    render_threads: int = 2
    variants: int = 6
    shrink: int = 1
    min_polls: int = 2
    segmind_seconds: float = 173.0
    aimlapi_6s_seconds: float = 270.0
    aimlapi_10s_seconds: float = 510.0
    sigma: float = 0.15
    queue_share: float = 0.2
    balance: float = 1000.0
    keys: tuple[str, ...] | None = None
    segmind_per_minute: int | None = None
    aimlapi_per_minute: int | None = None
    polls_count: bool = False
    retry_after: bool = False
    segmind_retention: float = 3600.0
    aimlapi_retention: float = 86400.0
    link_life: float = 7200.0
    history_delay: float = 15.0
    omitted_image: ImageDefault = "sample"
    null_image: ImageDefault = "none"
    empty_image: ImageDefault = "none"
    segmind_data_uris: bool = False
    segmind_invalid_status: Literal[400, 422] = 400
    long_1080p: Literal["refuse", "fail", "allow"] = "refuse"
    v1_answer: Literal["video", "json"] = "video"
    separate_accounts: bool = False
    media_elsewhere: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.queue_share <= 1:
            raise ValueError(f"queue_share is a part from 0 to 1, not {self.queue_share}")
        if self.min_polls < 0 or self.sigma < 0 or self.shrink < 1 or self.render_threads < 1:
            raise ValueError("min_polls and sigma start at 0, shrink and render_threads at 1")
