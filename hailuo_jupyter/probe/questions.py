"""Open questions about each API that only a real call can answer, and what would answer them.

They are what could not be verified when the adapters were written (see the modules of `providers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_BUY = "--buy answers it."
_COSTS = "Only a paid call shows it, which is not worth the price of a clip."


class Question(NamedTuple):
    """An open question; `how` says what answers it, if this report does not."""

    name: str
    how: str


OUTPUT = "type of the clip's link in a result"
NULL_FRAME = "whether a frame of null counts as no frame"
SIZE = "size of a clip of this mode"
COST = "price of a clip of this mode"
CODEC = "codec and frames per second of a clip"
ID_FIELD = "field of the job's id in the answer to a submit"
LINK_LIFE = "how long the clip's link is valid"
POLLS_COUNT = "whether polls count against the limit"
NOT_FOUND = "body of a 404"
PRICE = "published price"

#: By dialect; the ones above are answered by a check or by `buy`.
QUESTIONS: Mapping[str, tuple[Question, ...]] = {
    "segmind": (
        Question(OUTPUT, _BUY),
        Question(NULL_FRAME, _BUY),
        Question("whether a frame may be a data URI", _COSTS),
        Question(SIZE, _BUY),
        Question(LINK_LIFE, "The run log has no completed run of this provider with its link."),
        Question(POLLS_COUNT, "No answer had a header that counts requests."),
        Question(COST, _BUY),
        Question(NOT_FOUND, "The provider answered no 404."),
        Question(CODEC, _BUY),
    ),
    "aimlapi": (
        Question(ID_FIELD, _BUY),
        Question("default duration of a clip", "Every request sets it."),
        Question("form of a content refusal", _COSTS),
        Question("refusal of 1080P with 10 seconds", "It may be accepted and charged."),
        Question(PRICE, "The provider did not report a price."),
        Question(LINK_LIFE, "Its link is signed, so no record keeps it."),
        Question("whether the legacy path takes a last frame under another name", _COSTS),
        Question(CODEC, _BUY),
    ),
    "runware": (
        Question("for how long a taskUUID is remembered", _COSTS),
        Question("whether a waiting job has an entry", _BUY),
        Question(COST, _BUY),
        Question(CODEC, _BUY),
    ),
    "fal": (
        Question("unit of x-fal-billable-units", _BUY),
        Question("status of a job that was cancelled in the queue", _COSTS),
        Question(SIZE, _BUY),
        Question(CODEC, _BUY),
    ),
    "minimax": (
        Question("code for an unknown task", "The row of an unknown job has only its form."),
        Question("for how long a task is kept", _COSTS),
        Question(LINK_LIFE, "Its link is signed, so no record keeps it."),
        Question("charge for a failed job", _COSTS),
        Question(SIZE, _BUY),
        Question(CODEC, _BUY),
    ),
    "replicate": (
        Question(PRICE, "The account's page on usage shows it."),
        Question("body of a refusal for lack of credit", _COSTS),
        Question("charge for a failed or cancelled job", _COSTS),
        Question(SIZE, _BUY),
        Question(CODEC, _BUY),
    ),
}
