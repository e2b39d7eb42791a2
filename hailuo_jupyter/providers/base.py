"""The common base of the providers' adapters: calls, replies, and their results.

An adapter does no I/O: it builds a `Call` and reads a `Reply`. So every rule about an
API can be tested with bytes alone, and httpx stays in one module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import urljoin

from hailuo_jupyter import redact
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import (
    NOTHING_SENT,
    AnswerLost,
    Blocked,
    CannotCancel,
    HailuoError,
    JobExpired,
    JobFailed,
    KeyRefused,
    Moderated,
    NoCredits,
    ProviderDown,
    ProviderError,
    RateLimited,
    Rejected,
    SettingsError,
)
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers import clip_link, firewall, messages
from hailuo_jupyter.providers.history import HistoryPage, HistoryRow
from hailuo_jupyter.providers.reply import Call, Reply
from hailuo_jupyter.request import Request
from hailuo_jupyter.request.frames import Frame

__all__ = [
    "NOTHING_BOUGHT",
    "PAID_AND_FETCHED",
    "PAID_AND_KEPT",
    "Accepted",
    "Call",
    "Dialect",
    "JobState",
    "News",
    "Reply",
    "number",
    "usable_id",
]

NOTHING_BOUGHT = "No charge."
PAID_AND_KEPT = "The clip is paid for, and its run continues."

#: The money of a job that could not be cancelled.
PAID_AND_FETCHED = "The clip is paid for and will be downloaded."

#: Maximum characters of a state.
_WORD = 60

#: Maximum characters of a job's id; known ones have at most 100. A notebook and every poll's address hold it.
_LONGEST_ID = 1000

#: The state of a job at the provider; ``unknown`` is an undocumented one.
JobState = Literal["queued", "generating", "completed", "failed", "unknown"]

#: States of a finished job that only other providers document: its clip is requested.
_TRIED: Mapping[str, JobState] = {"succeeded": "completed", "success": "completed"}


@dataclass(frozen=True)
class Accepted:
    """The provider has accepted the job; ``cost_usd`` is the amount that it reserved for it."""

    job_id: str
    answer: Any
    cost_usd: float | None = None


@dataclass(frozen=True)
class News:
    """The result of one poll of a job.

    Parameters
    ----------
    state
        ``queued``, ``generating``, ``completed``, ``failed``, or ``unknown`` for an
        undocumented one, which counts as in progress.
    word
        The state in the provider's own words.
    link
        Address of the clip, if known.
    in_body
        Whether the answer is the clip itself.
    sure
        Whether this may end the run. If not, its status code may come from a gateway
        rather than the job, and it counts when it is repeated a minute later.
    problem
        Why the job failed; None if it was cancelled.
    cancelled
        Whether a failed job was cancelled.
    started
        Whether the work of a cancelled job had started; None if unknown.
    queue_position
        Jobs before it in the provider's queue, if reported.
    inference_s
        Seconds of work, if reported.
    cost_usd
        The charge, if reported.
    billed_units
        The charge in the provider's units, if reported so; see `Price.unit_usd`.
    reply
        The reply itself.
    """

    state: JobState
    word: str = ""
    link: str | None = None
    in_body: bool = False
    sure: bool = True
    problem: HailuoError | None = None
    cancelled: bool = False
    started: bool | None = None
    queue_position: int | None = None
    inference_s: float | None = None
    cost_usd: float | None = None
    billed_units: float | None = None
    reply: Reply | None = field(default=None, repr=False)

    @property
    def answer(self) -> Any:
        """The reply, redacted, for the record. Most polls contain nothing to store."""
        return None if self.reply is None else self.reply.kept


class Dialect(ABC):
    """One provider's API: builds its calls, and reads the answers.

    Parameters
    ----------
    provider
        Entry of the catalogue; has names and the model.
    addresses
        Base address by role.
    """

    #: Status words by lower case. Others count as in progress.
    states: ClassVar[Mapping[str, JobState]] = {}

    #: Keys of the job's id in an answer to a submit, and a header that contains it, too.
    id_names: ClassVar[tuple[str, ...]] = ()
    id_header: ClassVar[str] = ""

    #: Whether the history shows a request by its job's id, and its clip's link.
    shows_clips: ClassVar[bool] = False

    #: The display name of the provider's history, after its name; empty if it has none.
    history_title: ClassVar[str] = ""

    #: Whether the history shows what a request cost.
    shows_costs: ClassVar[bool] = True

    #: Whether the link of a finished job needs a separate call (see `result`).
    link_apart: ClassVar[bool] = False

    #: Whether the history contains our `client_request_id`.
    logs_our_id: ClassVar[bool] = False

    def __init__(self, provider: Provider, addresses: Mapping[str, str]) -> None:
        self.provider, self.addresses = provider, addresses

    @abstractmethod
    def key_header(self, key: Key) -> KeyHeader:
        """Return the header that carries the key."""

    @abstractmethod
    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build the paid call.

        Parameters
        ----------
        request
            The request.
        frames
            ``first`` and ``last``: the frame's value in the request, a URL or a data URI.
        client_request_id
            Our id of this attempt, for providers that store it in their logs.
        """

    @abstractmethod
    def status(self, job_id: str, wire: str) -> Call:
        """Build the free call that polls a job."""

    def translated(self, reply: Reply) -> Reply:
        """Return an answer in the terms of HTTP: some providers report errors under 200."""
        return reply

    def result(self, job_id: str, wire: str, status: Any = None) -> Call | None:  # noqa: ARG002
        """Build the free call that returns the clip's link; None if the status has it, or must come first.

        Parameters
        ----------
        job_id, wire
            The job.
        status
            The body of its last status, which has the file's id at some providers; None if unknown.
        """
        return None

    def cancel(self, job_id: str, wire: str) -> Call | None:  # noqa: ARG002
        """Build the free call that cancels a job; None if the provider cannot. It may be repeated."""
        return None

    def read_cancel(self, reply: Reply) -> bool | None:
        """Read the answer to a cancellation.

        Returns
        -------
        bool or None
            Whether the job's work had started when it was cancelled; None if unknown.

        Raises
        ------
        CannotCancel
            If the job has ended already.
        ProviderError
            If the reply does not say that the job is or will be cancelled.
        """
        raise self.down(reply)

    def too_late(self) -> CannotCancel:
        """Return the error for a job that ended before it could be cancelled."""
        return CannotCancel(
            f"{self.provider.title} had finished the job already.", money=PAID_AND_FETCHED
        )

    def upload(self, frame: Frame) -> Call | None:  # noqa: ARG002
        """Build the free call that uploads a local frame; None if frames are part of the body.

        Raises
        ------
        SettingsError
            As for `check_storage`.
        """
        return None

    def upload_content(self, reply: Reply, frame: Frame) -> Call | None:  # noqa: ARG002
        """Build the call, without a key, that sends a frame's bytes to the address in the answer to `upload`.

        None if they were sent with `upload`.
        """
        return None

    def check_storage(self) -> None:
        """Check whether local frames can be uploaded, before anything is sent.

        A gateway's key must not be sent to the provider's own storage, which is another host than the API's.

        Raises
        ------
        SettingsError
            If the key would go to a host that it is not meant for.
        """
        base = self.provider.base_urls
        if "storage" in self.addresses or "storage" not in base:
            return
        raise SettingsError(
            f"Without {base['storage'].variable}, your key would go to {base['storage'].url}.",
            money=NOTHING_SENT,
            todo=f"Set it as you set {base['api'].variable}, or pass the image as a URL.",
        )

    def uploaded(self, reply: Reply) -> str:
        """Read the address of a stored frame.

        Raises
        ------
        ProviderError
            If it was not stored.
        """
        raise self.refusal(reply) or self.down(reply)

    def history(self, since: float, until: float, page: int) -> Call | None:  # noqa: ARG002
        """Build the free call that lists past requests, the newest first; None without a history.

        Parameters
        ----------
        since, until
            The period of the requests, in seconds since 1970. The answer may
            contain others.
        page
            From 0.
        """
        return None

    def read_history(self, reply: Reply) -> HistoryPage:
        """Read a page of the history.

        Raises
        ------
        ProviderError
            If it is not one.
        """
        raise self.down(reply)

    def history_row(self, job_id: str) -> Call | None:  # noqa: ARG002
        """Build the free call that shows one request by its job's id; None without such a call."""
        return None

    def read_history_row(self, reply: Reply) -> HistoryRow:
        """Read one request of the history, with errors as `read_history`."""
        raise self.down(reply)

    def price_list(self) -> Call | None:
        """Build the free call, without a key, that lists prices; None if there is none."""
        return None

    def balance(self) -> Call | None:
        """Build the free call for the account's balance; None if there is none."""
        return None

    def read_balance(self, reply: Reply) -> str:
        """Return the account's balance, in words.

        Raises
        ------
        ProviderError
            If the reply does not contain it.
        """
        raise self.refusal(reply) or self.down(reply)

    @abstractmethod
    def job_id(self, reply: Reply) -> str | None:
        """Find the job's id in the answer to a submit; None if there is none."""

    @abstractmethod
    def news(self, reply: Reply, job_id: str | None = None) -> News:
        """Read a status or result reply.

        Parameters
        ----------
        reply
            The reply.
        job_id
            The job of the request, if known.

        Raises
        ------
        ProviderError
            If the reply has no information about the job: `JobExpired`, `KeyRefused`, `RateLimited`,
            `ProviderDown`. None of these means that the job failed.
        """

    def read_state(self, reply: Reply, job_id: str | None) -> News:
        """Read state, clip and reason, alike for all providers; the body overrides the status code.

        Raises
        ------
        ProviderError
            As for `news`.
        """
        if reply.ok and clip_link.is_video(reply.headers, reply.content):
            return News("completed", in_body=True, reply=reply)
        target = reply.headers.get("location", "") if 300 <= reply.status < 400 else ""
        if clip_link.leads_to_video(target):
            # Only under this name: a captive portal redirects too.
            return News("completed", link=self._absolute(target), reply=reply)
        word = reply.table.get("status")
        word = word.strip() if isinstance(word, str) else None
        state: JobState = "unknown"
        if word is not None:
            state = self.states.get(word.lower(), "unknown")
            if reply.ok and state == "unknown":
                state = _TRIED.get(word.lower(), "unknown")
        elif self.ended_without_word(reply):
            state = "failed"
        link = clip_link.find(reply.table) if state == "completed" else None
        ended = state in {"completed", "failed"}
        if not (reply.ok and word is not None) and not (
            ended and (link or self.is_about(reply, job_id))
        ):
            raise self.down(reply)
        return News(
            state,
            word=" ".join(redact.text(word or "").split())[:_WORD],
            link=link,
            sure=reply.ok or link is not None or self.documented(reply),
            problem=self.failed(reply.words()) if state == "failed" else None,
            reply=reply,
        )

    def _absolute(self, target: str) -> str:
        try:
            return urljoin(f"{self.addresses['api']}/", target)
        except ValueError:
            return target

    def is_about(self, reply: Reply, job_id: str | None) -> bool:  # noqa: ARG002
        """Return whether the end in an answer with an error status is that of the requested job."""
        return True

    def ended_without_word(self, reply: Reply) -> bool:  # noqa: ARG002
        """Return whether the status code of an answer without a state means that the job has failed."""
        return False

    def documented(self, reply: Reply) -> bool:  # noqa: ARG002
        """Return whether the provider documents a state in an answer with an error status."""
        return False

    def ends(self, reply: Reply, job_id: str) -> bool:
        """Return whether an answer reports an end of the job."""
        try:
            return self.news(reply, job_id).state in {"completed", "failed"}
        except ProviderError:
            return False

    def accepted(self, reply: Reply) -> Accepted:
        """Read the answer to a submit.

        Raises
        ------
        KeyRefused, NoCredits, Rejected, Moderated
            The provider refused: nothing was bought.
        Blocked
            A firewall in front of it refused: nothing was bought.
        RateLimited, ProviderDown
            The answer proves that the job was not accepted (429; 503 with Retry-After): send again.
        AnswerLost
            Anything else: the job may have been accepted.
        """
        if reply.ok and (job_id := self.job_id(reply)):
            return Accepted(job_id, reply.kept)
        if error := self.refusal(reply):
            raise error
        page = ", with an HTML page," if reply.page else ""
        raise AnswerLost(
            f"{self.provider.title} answered {reply.status}{page} without naming a job"
            + (f": {words}" if (words := reply.words()) else "."),
            money="You may have been charged.",
            todo="Check the provider's request history before you send it again with --new.",
        )

    def refusal(self, reply: Reply) -> HailuoError | None:
        """Return the error for an answer that proves that nothing was bought; None for every other."""
        title, message = self.provider.title, reply.words()
        quoted = f": {message}" if message else "."
        match reply.status:
            case code if code == 407 or (code in firewall.REFUSALS and reply.page):
                what, todo = firewall.refusal(title, code, reply.content)
                return Blocked(what, money=NOTHING_BOUGHT, todo=todo)
            case 401:
                return KeyRefused(
                    f"{title} refused the key{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Check the key and enter it again with '%hailuo key "
                    f"{self.provider.name}' or {(*self.provider.key_variables, 'it')[0]}.",
                )
            case 402 | 403 | 406 if self.without_credits(reply.status, message):
                return NoCredits(
                    f"Not enough credits at {title}{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Top up, then rerun the cell.",
                )
            case 403:
                return KeyRefused(
                    f"Your {title} key is not permitted to do this{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Check the key's permissions at the provider, or use another key.",
                )
            case 429:
                return RateLimited(
                    f"{title}'s rate limit was hit{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Retrying automatically.",
                )
            case 503 if reply.retry_after and not reply.page:
                return ProviderDown(
                    f"{title} is not available{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Retrying automatically.",
                )
            case code if 400 <= code < 500 and code != 408:
                if messages.is_moderation(message):
                    return Moderated(
                        f"{title} refused the content: {message}",
                        money=NOTHING_BOUGHT,
                        todo="Change the prompt or the frames.",
                    )
                return Rejected(
                    f"{title} refused the request ({code}){quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Fix the problem above and rerun the cell.",
                )
        return None

    def without_credits(self, status: int, words: str) -> bool:  # noqa: ARG002
        """Return whether this refusal means an empty account."""
        return status in {402, 406}

    def failed(self, words: str) -> HailuoError:
        """Return the error for a job that failed according to the provider."""
        title = self.provider.title
        money = {
            True: f"It was charged, according to {title}; there is no clip.",
            False: f"Not charged, according to {title}; there is no clip.",
            None: "Whether it was charged is undocumented; there is no clip.",
        }[self.provider.failed_job.charged]
        if messages.is_moderation(words):
            return Moderated(
                f"{title} blocked the content: {words}",
                money=money,
                todo="Change the prompt or the frames.",
            )
        return JobFailed(
            f"{title} could not generate the clip: {words or 'no reason given.'}",
            money=money,
            todo="Rerun the cell to retry.",
        )

    def down(self, reply: Reply) -> HailuoError:
        """Return the error for a reply without information about a job."""
        title, message = self.provider.title, reply.words()
        if reply.status == 407 or (reply.page and reply.status != 429):
            return ProviderDown(
                f"{title} cannot be reached: a firewall or proxy answered ({reply.status}).",
                money=PAID_AND_KEPT,
                todo="Retrying automatically. If this persists, check VPN, firewall and proxy.",
            )
        if reply.status in {401, 403}:
            return KeyRefused(
                f"{title} refused the key while being asked about the job"
                + (f": {message}" if message else "."),
                money=PAID_AND_KEPT,
                todo=f"Run '%hailuo key {self.provider.name}', then '%hailuo resume'.",
            )
        if reply.status == 429:
            return RateLimited(
                f"{title}'s rate limit was hit.",
                money=PAID_AND_KEPT,
                todo="Retrying automatically.",
            )
        if reply.status in {404, 410}:
            return JobExpired(
                f"{title} no longer knows this job.",
                money="It was paid for.",
                todo="Check the provider's history; use --new to buy another clip.",
            )
        return ProviderDown(
            f"{title} sent no usable answer ({reply.status}).",
            money=PAID_AND_KEPT,
            todo="Retrying automatically.",
        )


def usable_id(value: Any) -> str | None:
    """Return a job's id, or None if it is unusable in a URL: not text, blank, dots, lone surrogates, long."""
    if isinstance(value, str) and len(value) <= _LONGEST_ID and value.isprintable():
        return value if value.strip(" .") else None
    return None


def number(value: Any) -> float | None:
    """Return a finite, non-negative number, or None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12:
        return float(value)
    return None
