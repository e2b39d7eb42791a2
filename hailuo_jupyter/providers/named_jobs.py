"""Job ids in answers that do not say whether the job was accepted, or is known."""

from __future__ import annotations

import json
import re

from hailuo_jupyter.errors import HailuoError, JobExpired
from hailuo_jupyter.providers.base import Dialect, Reply, usable_id


def named_job(dialect: Dialect, reply: Reply) -> str | None:
    """Find a job's id in an answer to a submit which does not say that the job was accepted.

    The answer may be truncated, or report a failure. The id proves nothing; it can be polled,
    which is free.

    Parameters
    ----------
    dialect
        The provider's adapter.
    reply
        The answer, or as much of it as arrived.
    """
    if reply.page:
        return None
    if job_id := dialect.job_id(reply):
        return job_id
    text = reply.content.decode("utf-8", "replace")
    for name in dialect.id_names:
        for found in re.finditer(rf'"{name}"\s*:\s*("(?:[^"\\]|\\.){{1,300}}")', text):
            if job_id := _read(found[1]):
                return job_id
    # Each answer of AI/ML API has the header. With 3xx and 4xx it names a request, not a job.
    if reply.ok or reply.status >= 500:
        return usable_id(reply.headers.get(dialect.id_header))
    return None


def _read(literal: str) -> str | None:
    try:
        return usable_id(json.loads(literal))
    except ValueError:
        return None


def knows_job(dialect: Dialect, reply: Reply) -> bool | None:
    """Return whether the provider knows a job, by a reply about it; None if the reply does not say."""
    try:
        news = dialect.news(reply)
    except JobExpired:
        return False
    except HailuoError:
        return None
    return True if (reply.ok and news.sure) or dialect.documented(reply) else None
