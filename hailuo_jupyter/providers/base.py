"""What every provider's adapter has in common: calls, replies, and what is read from them.

An adapter does no input and output: it builds a `Call` and reads a `Reply`. So every rule about a
wire can be tested with bytes alone, and httpx stays in one module.
"""

from __future__ import annotations

import json as jsonlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from hailuo_jupyter import redact
from hailuo_jupyter.errors import (
    AnswerLost,
    HailuoError,
    JobExpired,
    JobFailed,
    KeyRefused,
    Moderated,
    NoCredits,
    ProviderDown,
    RateLimited,
    Rejected,
)
from hailuo_jupyter.frame import Frame
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.providers.history import HistoryPage
from hailuo_jupyter.request import Request

NOTHING_BOUGHT = "Nothing was bought."
PAID_AND_KEPT = "The clip stays paid for, and its run goes on."

#: Words that providers and upstream were seen to use when the content is refused. There is no code
#: for it at either provider, so the message is all there is to go by. Not meant: "case-sensitive".
_MODERATION = re.compile(
    r"moderat|nsfw|(?<!case.)(?<!in)sensitive|content policy|safety|inappropriate|prohibited|\brai\b"
)

#: Characters of an answer in which its message is looked for; what is shown is shorter still.
_WORDS = 4000

#: Bytes and levels of an answer that goes into the record. Known ones have some 2000 and 4.
_KEPT_BYTES, _KEPT_DEPTH = 64 * 1024, 16


#: What a job does at the provider; ``unknown`` is a word that nobody documented.
JobState = Literal["queued", "generating", "completed", "failed", "unknown"]


@dataclass(frozen=True)
class Call:
    """One HTTP request as an adapter wants it sent.

    Parameters
    ----------
    method, url
        Verb and whole address.
    body
        JSON object, or None for no body.
    headers
        Further headers; the key is not among them.
    """

    method: Literal["GET", "POST", "PUT"]
    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One HTTP answer: status code, headers with lower-case names, and the body's bytes."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = field(default=b"", repr=False)

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or None where it is no JSON."""
        try:
            return jsonlib.loads(self.content)
        except (ValueError, RecursionError):
            return None

    @property
    def table(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is anything else."""
        value = self.json
        return value if isinstance(value, dict) else {}

    @property
    def ok(self) -> bool:
        """Whether the status code says success."""
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> str | None:
        """The header by which a server says when to come again."""
        return self.headers.get("retry-after")

    @property
    def kept(self) -> Any:
        """What the record keeps of the body: redacted; of an odd one only how large it was.

        The record travels in notebooks, and no nesting of a provider's may keep a job's id out of it.
        """
        if len(self.content) > _KEPT_BYTES or _deeper(self.json, _KEPT_DEPTH):
            return {"left_out": f"an answer of {len(self.content)} bytes"}
        return redact.json(self.table)

    def words(self) -> str:
        """Give the provider's own words for what is wrong, redacted and at most 500 characters."""
        found = _message(self.json)
        if not found and not self.content.lstrip().startswith(b"<"):
            found = self.content[: 4 * _WORDS].decode("utf-8", "replace")
        if len(found) > _WORDS:
            # No half word at the end: half a key would not be known for one.
            found = next(iter(found[:_WORDS].rsplit(None, 1)), "")
        found = " ".join(redact.text(found).split())
        return found if len(found) <= 500 else found[:499] + "…"


def _deeper(value: Any, most: int) -> bool:
    """Tell whether JSON is nested deeper than `most`; level by level, since recursion has an end."""
    level = [value]
    for _ in range(most + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)


def _message(value: Any, depth: int = 0) -> str:
    """Find the sentence in the shapes that the two providers were seen to use."""
    if depth > 4:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, (_message(item, depth + 1) for item in value[:5])))
    if isinstance(value, dict):
        for name in ("error", "message", "detail", "msg", "error_description", "name"):
            if found := _message(value.get(name), depth + 1):
                return found
    return ""


@dataclass(frozen=True)
class Accepted:
    """The provider has taken the job."""

    job_id: str
    answer: Any


@dataclass(frozen=True)
class News:
    """What one look at a job told.

    Parameters
    ----------
    state
        ``queued``, ``generating``, ``completed``, ``failed``, or ``unknown`` for a word nobody
        documented, which counts as in progress.
    link
        Address of the clip, where it is told.
    problem
        Why the job failed.
    inference_s
        Seconds of work, where told.
    cost_usd
        What was charged, where told.
    reply
        The reply itself.
    """

    state: JobState
    link: str | None = None
    problem: HailuoError | None = None
    inference_s: float | None = None
    cost_usd: float | None = None
    reply: Reply | None = field(default=None, repr=False)

    @property
    def answer(self) -> Any:
        """The reply, redacted, for the record. Most looks tell nothing that is kept."""
        return None if self.reply is None else self.reply.kept


class Dialect(ABC):
    """One provider's wire: how a job is asked for, and how the answers are read.

    Parameters
    ----------
    provider
        Entry of the catalogue; gives names and the model.
    addresses
        Base address by role.
    """

    #: Status words by lower case. Whatever is not among them counts as in progress.
    states: ClassVar[Mapping[str, JobState]] = {}

    #: What a person calls the provider's history, after its name; empty where it has none.
    history_title: ClassVar[str] = ""

    #: Whether the history names a request by our own `client_request_id`.
    logs_our_id: ClassVar[bool] = False

    def __init__(self, provider: Provider, addresses: Mapping[str, str]) -> None:
        self.provider, self.addresses = provider, addresses

    @abstractmethod
    def key_headers(self, key: str) -> dict[str, str]:
        """Give the headers that carry the key."""

    @abstractmethod
    def submit(self, request: Request, frames: Mapping[str, str], client_request_id: str) -> Call:
        """Build the paid call.

        Parameters
        ----------
        request
            What is asked for.
        frames
            ``first`` and ``last``: what stands for the frame on the wire, a URL or a data URI.
        client_request_id
            Our name for this attempt, for providers that write one into their logs.
        """

    @abstractmethod
    def status(self, job_id: str, wire: str) -> Call:
        """Build the free call that asks how a job is doing."""

    def result(self, job_id: str, wire: str) -> Call | None:  # noqa: ARG002
        """Build the free call that tells the clip's link; None where the status tells it."""
        return None

    def upload(self, frame: Frame) -> Call | None:  # noqa: ARG002
        """Build the free call that stores a local frame; None where frames travel in the body.

        Raises
        ------
        SettingsError
            As `check_storage`.
        """
        return None

    def check_storage(self) -> None:  # noqa: B027 - most wires have none
        """Find out whether local frames have a place to go, before anything is sent.

        Raises
        ------
        SettingsError
            If the key would go to a host that it is not meant for.
        """

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
            Of interest are requests made between the two, in seconds since 1970. The answer may
            hold others.
        page
            From 0.
        """
        return None

    def read_history(self, reply: Reply) -> HistoryPage:
        """Read a page of the history.

        Raises
        ------
        ProviderError
            If it is none.
        """
        raise self.down(reply)

    def balance(self) -> Call | None:
        """Build the free call that asks what is left in the account; None where there is none."""
        return None

    def read_balance(self, reply: Reply) -> str:
        """Read what is left in the account, in words.

        Raises
        ------
        ProviderError
            If the reply does not tell.
        """
        raise self.refusal(reply) or self.down(reply)

    @abstractmethod
    def job_id(self, reply: Reply) -> str | None:
        """Find the job's id in the answer to a submit; None where there is none."""

    @abstractmethod
    def news(self, reply: Reply) -> News:
        """Read a status or result reply.

        Raises
        ------
        ProviderError
            If the reply tells nothing about the job: `JobExpired`, `KeyRefused`, `RateLimited`,
            `ProviderDown`. None of these means that the job failed.
        """

    def accepted(self, reply: Reply) -> Accepted:
        """Read the answer to a submit.

        Raises
        ------
        KeyRefused, NoCredits, Rejected, Moderated
            The provider said no: nothing was bought.
        RateLimited, ProviderDown
            The answer proves that the job was not taken (429; 503 with Retry-After): send again.
        AnswerLost
            Anything else: the job may have been taken.
        """
        if reply.ok and (job_id := self.job_id(reply)):
            return Accepted(job_id, reply.kept)
        if error := self.refusal(reply):
            raise error
        raise AnswerLost(
            f"{self.provider.title} answered {reply.status} without naming a job"
            + (f": {words}" if (words := reply.words()) else "."),
            money="The clip may have been bought.",
            todo="Look at the provider's request history before you send it again with --new.",
        )

    def refusal(self, reply: Reply) -> HailuoError | None:
        """Give the error of an answer that proves that nothing was bought; None for every other."""
        title, said = self.provider.title, reply.words()
        quoted = f": {said}" if said else "."
        match reply.status:
            case 401:
                return KeyRefused(
                    f"{title} refused the key{quoted}",
                    money=NOTHING_BOUGHT,
                    todo=f"Check it, then run '%hailuo key {self.provider.name}' or set "
                    f"{(*self.provider.key_variables, 'it')[0]} anew.",
                )
            case 402 | 403 | 406 if self.without_credits(reply.status, said):
                return NoCredits(
                    f"Your account at {title} has not enough credits{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Top it up at the provider, then run the cell again.",
                )
            case 403:
                return KeyRefused(
                    f"{title} does not allow this to your key{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Check at the provider what the key may do, or use another one.",
                )
            case 429:
                return RateLimited(
                    f"{title} wants fewer requests a minute{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="It is sent again by itself in a while.",
                )
            case 503 if reply.retry_after:
                return ProviderDown(
                    f"{title} is not available just now{quoted}",
                    money=NOTHING_BOUGHT,
                    todo="It is sent again by itself in a while.",
                )
            case 408:
                return None
            case code if 400 <= code < 500:
                if is_moderation(said):
                    return Moderated(
                        f"{title} refused the content: {said}",
                        money=NOTHING_BOUGHT,
                        todo="Change the prompt or the frames.",
                    )
                return Rejected(
                    f"{title} refused the request ({code}){quoted}",
                    money=NOTHING_BOUGHT,
                    todo="Change what it names, then run the cell again.",
                )
        return None

    def without_credits(self, status: int, words: str) -> bool:  # noqa: ARG002
        """Tell whether this refusal means an empty account."""
        return status in {402, 406}

    def failed(self, words: str) -> HailuoError:
        """Give the error of a job that the provider says has failed."""
        title = self.provider.title
        if is_moderation(words):
            return Moderated(
                f"{title} blocked the content: {words}",
                money="Look at the provider's history for whether it was charged; there is no clip.",
                todo="Change the prompt or the frames.",
            )
        return JobFailed(
            f"{title} could not make the clip: {words or 'it gave no reason.'}",
            money="Look at the provider's history for whether it was charged; there is no clip.",
            todo="Run the cell again to send it once more.",
        )

    def down(self, reply: Reply) -> HailuoError:
        """Give the error of a reply that tells nothing about a job."""
        title, said = self.provider.title, reply.words()
        if reply.status in {401, 403}:
            return KeyRefused(
                f"{title} refused the key while being asked about the job"
                + (f": {said}" if said else "."),
                money=PAID_AND_KEPT,
                todo=f"Run '%hailuo key {self.provider.name}', then '%hailuo resume'.",
            )
        if reply.status == 429:
            return RateLimited(
                f"{title} wants fewer requests a minute.",
                money=PAID_AND_KEPT,
                todo="It is asked again by itself.",
            )
        if reply.status in {404, 410}:
            return JobExpired(
                f"{title} does not know this job (any more).",
                money="It was paid for.",
                todo="Look at the provider's history; --new buys another clip.",
            )
        return ProviderDown(
            f"{title} gave no usable answer ({reply.status}).",
            money=PAID_AND_KEPT,
            todo="It is asked again by itself.",
        )


def is_moderation(words: str) -> bool:
    """Tell whether a provider's message speaks of refused content."""
    return _MODERATION.search(words.lower()) is not None


def first_link(value: Any, names: Iterable[str] = ("url", "video_url")) -> str | None:
    """Find a link in a string, in an object that holds one, or in a list of either."""
    if isinstance(value, str):
        return value if value.startswith(("https://", "http://")) else None
    if isinstance(value, dict):
        for name in names:
            if found := first_link(value.get(name), ()):
                return found
        return None
    if isinstance(value, list) and value:
        return first_link(value[0], names)
    return None


def usable_id(value: Any) -> str | None:
    """Give a job's id, or None for what no address can name: no text, blank, dots, half characters."""
    if isinstance(value, str) and value.isprintable() and value.strip(" ."):
        return value
    return None


def number(value: Any) -> float | None:
    """Give a finite, non-negative number, or None for whatever else stands there."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12:
        return float(value)
    return None
