"""Make the free calls, and compare the answers with what the adapter expects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine.resources import ProviderRegistry
from hailuo_jupyter.errors import HailuoError, RateLimited
from hailuo_jupyter.keys import KeyHeader
from hailuo_jupyter.probe import questions, shape
from hailuo_jupyter.probe.checks import ABSENT, Check, free_checks
from hailuo_jupyter.probe.report import Report, Row, Verdict
from hailuo_jupyter.providers.base import Dialect, Reply
from hailuo_jupyter.providers.http import Http, Lost, Unsent
from hailuo_jupyter.runlog.connection import is_there
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

#: Seconds for one call; a person waits for it.
_PATIENCE_S = 30.0

_CONTAINERS = ("object", "object (empty)", "list", "list (empty)")

#: Rows for checks without a free call at some providers or gateways.
_NO_CALL: tuple[tuple[str, Verdict, str], ...] = (
    ("balance", "not asked", "No call shows it."),
    ("price", "not asked", "No free call shows it; --buy does."),
    ("upload", "not asked", "Frames are part of the paid call, or their address is not set."),
    ("history", "not asked", "Its address is not set."),
)

#: Headers with the number of remaining requests.
_REMAINING = ("x-rate-limit-remaining", "x-ratelimit-remaining", "ratelimit-remaining")


def ask(settings: Hailuo, name: str, folder: Path) -> Report:
    """Make every free call, one after the other. Blocks; buys nothing.

    Parameters
    ----------
    settings
        The settings in force.
    name
        The provider.
    folder
        The folder of a ``.env`` that may have the key.

    Raises
    ------
    HailuoError
        If the provider does not exist or has no key, or one of its addresses is invalid.
    """
    registry = ProviderRegistry(settings)
    provider = registry.provider(name)
    dialect = registry.dialect(provider)
    key = dialect.key_header(registry.key(provider, folder))
    link = None if provider.name == "demo" else _older_link(settings, provider)
    rows = asyncio.run(_rows(dialect, key, link))
    own = all(
        dialect.addresses.get(role) == base.url for role, base in provider.base_urls.items()
    ) and bool(provider.base_urls)
    return Report(provider, rows, own_address=own)


async def _rows(dialect: Dialect, key: KeyHeader, link: tuple[str, float] | None) -> list[Row]:
    http = Http()
    rows: list[Row] = []
    replies: list[tuple[str, Reply]] = []
    stopped = False
    try:
        for check in free_checks(dialect):
            if stopped:
                rows.append(Row(check.name, "not asked", "The provider's rate limit was hit."))
                continue
            row, reply = await _asked(http, check, key)
            rows.append(row)
            if reply is not None:
                replies.append((check.name, reply))
                stopped = dialect.translated(reply).status == 429
        made = {row.check for row in rows} | {"key"}
        rows = [_key(made, replies), *rows]
        rows += [Row(*each) for each in _NO_CALL if each[0] not in made]
        rows.append(_limit_headers(reply for _, reply in replies))
        answered = [_polls_count(replies), await _link_life(http, dialect, link), *_described(rows)]
        answers = dict(filter(None, answered))
    finally:
        await http.close()
    return rows + open_questions(dialect.provider, answers)


def open_questions(provider: Provider, answers: Mapping[str, str]) -> list[Row]:
    """Return a row for each open question about a provider.

    Parameters
    ----------
    provider
        The provider.
    answers
        By the names of `questions`; missing ones were not asked.
    """
    return [
        Row(each.name, "answered", answers[each.name])
        if each.name in answers
        else Row(each.name, "not asked", each.how)
        for each in questions.QUESTIONS[provider.dialect]
    ]


async def _asked(http: Http, check: Check, key: KeyHeader) -> tuple[Row, Reply | None]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reply = await http.send(check.call, key if check.with_key else None)
    except (Unsent, Lost, TimeoutError) as error:
        why = "No connection." if isinstance(error, Unsent) else "The connection broke."
        return Row(check.name, "not answered", why), None
    return compared(check, reply), reply


def compared(check: Check, reply: Reply) -> Row:
    """Compare an answer with what the adapter expects of it.

    Parameters
    ----------
    check
        The check.
    reply
        The answer.

    Returns
    -------
    Row
        A row without any content of the answer.
    """
    raised: type[HailuoError] | None = None
    try:
        check.read(reply)
    except HailuoError as error:
        raised = type(error)
    found = shape.fields(reply.json)
    missing = [path for path, types in check.fields.items() if _lacks(found, path, types)]
    notes = []
    if reply.status not in check.expects:
        notes.append(f"Expected {' or '.join(map(str, check.expects))}.")
    if raised is not check.refusal:
        notes.append(
            f"The adapter reads it as {raised.__name__}." if raised else "The adapter accepts it."
        )
    if raised is RateLimited:
        notes.append("The remaining checks were not made.")
    return Row(
        check.name,
        "differs" if notes or missing else "as expected",
        " ".join(notes),
        status=reply.status,
        content_type=shape.media_type(reply.headers.get("content-type", "")),
        fields=found,
        missing=missing,
        new=[
            path
            for path, kind in found.items()
            if path and path not in check.fields and kind not in _CONTAINERS
        ],
        states=shape.states(reply.json),
        headers=shape.headers(reply.headers),
    )


def _lacks(found: Mapping[str, str], path: str, types: Sequence[str]) -> bool:
    head, items, _ = path.partition("[]")
    if items and found.get(head) == "list (empty)":
        return False
    return not all(kind in types for kind in found.get(path, ABSENT).split(" or "))


def _key(made: Collection[str], replies: Sequence[tuple[str, Reply]]) -> Row:
    """Return whether the answer to a check that was made shows that the key was accepted."""
    telling = {"balance", "history"}
    codes = [reply.status for name, reply in replies if name in telling]
    if any(200 <= code < 300 for code in codes):
        return Row("key", "as expected", "It is accepted.")
    if any(code in {401, 403} for code in codes):
        return Row("key", "differs", "It is refused.")
    if telling.isdisjoint(made):
        return Row("key", "not asked", "No free call shows whether it is accepted.")
    return Row("key", "not answered", "No answer shows whether it is accepted.")


def _described(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Return the questions that are answered by the fields in the rows."""
    for row in rows:
        if row.check == "price" and row.fields:
            yield questions.PRICE, "See the fields of the row 'price'."
        elif "of an unknown job" in row.check and row.status == 404:
            yield questions.NOT_FOUND, "See the fields of the rows of unknown jobs."


def _limit_headers(replies: Iterable[Reply]) -> Row:
    names = {
        name
        for reply in replies
        for name in reply.headers
        if "limit" in name.lower() or name.lower() == "retry-after"
    }
    found = shape.headers(names)
    return Row("headers about a limit", "answered", ", ".join(found) or "There are none.")


def _polls_count(replies: Sequence[tuple[str, Reply]]) -> tuple[str, str] | None:
    """Return whether polls count, by a header after one poll and after the next."""
    left = []
    for name, reply in replies:
        if name.startswith(("status of an unknown job", "result of an unknown job")):
            remaining = next(
                (reply.headers[each] for each in _REMAINING if each in reply.headers), ""
            )
            left.append(int(remaining) if remaining.isdecimal() else None)
    if len(left) < 2 or left[0] is None or left[1] is None:
        return None
    counts = left[1] < left[0]
    return questions.POLLS_COUNT, "They count." if counts else "They do not count."


def _older_link(settings: Hailuo, provider: Provider) -> tuple[str, float] | None:
    """Return the link of the latest clip whose job the provider has deleted, and its age in s.

    AI/ML API's links are signed, so no record has them complete.
    """
    from hailuo_jupyter.runlog import RunLog

    path, now = settings.run_log_path(), time.time()
    if provider.dialect != "segmind" or not is_there(path):
        return None
    with RunLog(path) as log:
        for row in log.recent(50, provider=provider.name, states={State.COMPLETED}):
            if (link := row.record.job.media_link) and now - row.created > provider.retention_s:
                return link, now - row.created
    return None


async def _link_life(
    http: Http, dialect: Dialect, link: tuple[str, float] | None
) -> tuple[str, str] | None:
    if link is None:
        return None
    url, age_s = link
    host = urlsplit(dialect.addresses["api"]).hostname
    with suppress(Unsent, Lost):
        async with http.download(url, trusted_host=host) as stream:
            available = f"It is there {age_s / 3600:.0f} hours after the request."
            gone = f"It is gone {age_s / 3600:.0f} hours after the request ({stream.status})."
            return questions.LINK_LIFE, available if stream.status == 200 else gone
    return None
