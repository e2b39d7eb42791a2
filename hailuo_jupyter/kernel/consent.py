"""A person's consent to rerun a cell and buy: for one request, one count and one price.

The lab extension runs a cell with the token of the quote that the person has agreed to in the
request's metadata. A token is issued by this process and valid once: JupyterLab sends a cell's own
metadata along with each request, so nothing stored in a file is accepted as consent.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from hailuo_jupyter.errors import NOTHING_SENT, NotConfirmed
from hailuo_jupyter.kernel import context
from hailuo_jupyter.kernel.session import SessionState, session

if TYPE_CHECKING:
    from hailuo_jupyter.engine.submission import Submission

#: In the metadata of an execute request: the token of the quote that the person has agreed to.
_CONSENT = "hailuo_new"

Kind = TypeVar("Kind")

#: Maximum quotes that wait for consent; older ones have to be requested again.
_MOST_OPEN = 32


@dataclass(frozen=True)
class Quote:
    """The facts of a purchase that a person agrees to.

    Parameters
    ----------
    fingerprint
        Fingerprint of the request.
    count
        How many clips are bought; 0 if the notebook has them all.
    low, high
        Price of one clip in USD, or None if unknown.
    new
        Whether they are bought even if the notebook has such clips.
    """

    fingerprint: str
    count: int
    low: float | None
    high: float | None
    new: bool

    @classmethod
    def of(cls, submission: Submission) -> Quote:
        """Return the quote of a submission.

        Raises
        ------
        NotBought
            If an earlier run blocks the purchase.
        RunLogError, DiskError
            If the log cannot be used.
        """
        from hailuo_jupyter.engine import process

        count, price = submission.count, submission.price
        if not submission.new:
            count = process.get_engine().find_reusable(submission).missing
        fingerprint = submission.request.fingerprint
        return cls(fingerprint, count, price.low, price.high, submission.new)

    def agreed(self, submission: Submission) -> Submission:
        """Return a cell's submission as the person has agreed to it.

        Raises
        ------
        NotConfirmed
            If it does not match the quote: a variable, a frame, a price or the notebook's clips have
            changed meanwhile.
        """
        submission = replace(submission, new=self.new)
        if Quote.of(submission) != self:
            raise self.other()
        return submission

    @staticmethod
    def other() -> NotConfirmed:
        """Return the error for a cell whose request differs from the quote."""
        return NotConfirmed(
            "The request has changed since you confirmed its price.",
            money=NOTHING_SENT,
            todo="Choose New take again to see the new price.",
        )


class _Offers(SessionState):
    """The quotes that pages show now, by their tokens."""

    def __init__(self) -> None:
        self.open: dict[str, object] = {}


def agreed_quote(ip: Any) -> Quote | None:
    """Return the quote that the running cell was run for, or None. A quote is valid once."""
    return redeem(str(context.parent(ip).get("metadata", {}).get(_CONSENT)), Quote)


def redeem(token: str, kind: type[Kind]) -> Kind | None:
    """Return the quote of a kind that a token stands for, or None. A quote is valid once."""
    found = session.state(_Offers).open.pop(token, None)
    return found if isinstance(found, kind) else None


def offer(quote: object) -> str:
    """Store a quote, and return the token that stands for consent to it."""
    token = secrets.token_hex(16)
    offers = session.state(_Offers).open
    offers[token] = quote
    while len(offers) > _MOST_OPEN:
        offers.pop(next(iter(offers)))
    return token
