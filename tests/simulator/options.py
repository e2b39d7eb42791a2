"""Everything about the tests' simulator that can be chosen when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hailuo_jupyter import simulator
from tests.simulator.limits import Counting

ImageDefault = Literal["sample", "none", "refuse"]


@dataclass(frozen=True)
class SimulatorOptions(simulator.SimulatorOptions):
    """Choices for one simulator, beside those of the product's own; the defaults change nothing.

    Parameters
    ----------
    balance : float
        US dollars in the account at the start.
    keys : tuple of str or None
        The keys that are accepted; None accepts any key (see `FaultyHandler.authorize`).
    segmind_per_minute : int or None
        Requests per virtual minute; the free plan has 5 and the Pro plan 50.
    aimlapi_per_minute : int or None
        The same for AI/ML API, which publishes no number.
    counting : {"sliding", "fixed", "bucket"}
        How these requests are counted (not published): within any minute, within the minutes of a
        clock, or by a bucket that fills steadily.
    burst : int or None
        Requests that a full bucket holds; those of a minute if None.
    polls_count : bool
        Whether status and result requests count for these limits (not published).
    retry_after : bool
        Whether a 429 carries ``Retry-After`` (not documented by either provider).
    reset_at : bool
        Whether Segmind's 429 carries ``x-rate-limit-reset-at-utc``, as its documentation says.
    history_delay : float
        Virtual seconds until history, log and transaction rows land.
    omitted_image, null_image, empty_image : {"sample", "none", "refuse"}
        What Segmind does when ``image_url`` is left out, null or "". The model page publishes a
        sample picture as the field's default; whether the server applies it is not known.
    segmind_data_uris : bool
        Whether Segmind takes ``data:`` URIs as pictures (not known; the schema says uri).
    segmind_invalid_status : {200, 400, 422}
        Status of a wrong Segmind body: the model page says 400. With 200 it is queued, and the job
        fails at once, as was measured with other models.
    long_1080p : {"refuse", "fail", "allow"}
        What AI/ML API does with 10 s at 1080P: answer 400, end the job with an error, or make it.
    replicate_seconds : float
        Median of the virtual seconds from submission to clip at Replicate, which publishes none.
    replicate_retention : float
        Virtual seconds from submission until Replicate removes a clip; published: 1 h.
    runware_seconds : float
        Median of the virtual seconds from submission to clip at Runware, which publishes none.
    minimax_seconds : float
        Median of the virtual seconds from submission to clip at MiniMax, which publishes none.
    v1_answer : {"video", "json"}
        What Segmind's synchronous endpoint answers: the file, or JSON with a link.
    result_as : {"json", "file", "redirect"}
        What tells of a finished job's clip: JSON with a link, as documented, the file itself, or a
        redirect to it.
    fal_seconds : float
        Virtual seconds that a fal job usually takes.
    fal_queue : int
        Jobs before a new one in fal's queue.
    fal_units : bool
        Whether fal's result carries ``x-fal-billable-units``.
    fal_status_tells : bool
        Whether the status of a failed fal job has its error, or only the result's call.
    fal_cancels_late : bool
        Whether a fal job goes on although its cancellation was accepted.
    fal_forgets_cancelled : bool
        Whether fal answers 404 for a job that left its queue by a cancellation (not published).
    separate_accounts : bool
        Treat each key as an account of its own that sees no other's jobs.
    media_elsewhere : bool
        Serve clips from the second port under the name ``localhost``, which is another host.
    """

    balance: float = 1000.0
    keys: tuple[str, ...] | None = None
    segmind_per_minute: int | None = None
    aimlapi_per_minute: int | None = None
    counting: Counting = "sliding"
    burst: int | None = None
    polls_count: bool = False
    retry_after: bool = False
    reset_at: bool = True
    history_delay: float = 15.0
    omitted_image: ImageDefault = "sample"
    null_image: ImageDefault = "none"
    empty_image: ImageDefault = "none"
    segmind_data_uris: bool = False
    segmind_invalid_status: Literal[200, 400, 422] = 400
    long_1080p: Literal["refuse", "fail", "allow"] = "refuse"
    replicate_seconds: float = 220.0
    replicate_retention: float = 3600.0
    runware_seconds: float = 220.0
    minimax_seconds: float = 220.0
    v1_answer: Literal["video", "json"] = "video"
    result_as: Literal["json", "file", "redirect"] = "json"
    fal_seconds: float = 240.0
    fal_queue: int = 3
    fal_units: bool = True
    fal_status_tells: bool = True
    fal_cancels_late: bool = False
    fal_forgets_cancelled: bool = False
    separate_accounts: bool = False
    media_elsewhere: bool = False
