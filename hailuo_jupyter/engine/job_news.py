"""Changes of the record by a provider's answer about a job, and when an answer counts."""

from __future__ import annotations

from typing import Any

from hailuo_jupyter import redact
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine.clock import Clock, Stopwatch
from hailuo_jupyter.errors import Cancelled, ProviderDown
from hailuo_jupyter.providers.base import PAID_AND_KEPT, JobState, News
from hailuo_jupyter.record import Record

#: The name of an accepted cancellation among a job's answers.
CANCEL = "cancel"

#: Seconds after which an unconfirmed end has to be reported again.
AGAIN_S = 60.0


def submit_cost(record: Record, provider: Provider, usd: float | None) -> dict[str, Any]:
    """Return the changes of the cost by the answer to the submit; nothing is charged yet."""
    if usd is None:
        return {}
    return record.cost.reported(usd, f"{provider.title}'s answer", early=True)


def job_changes(record: Record, provider: Provider, step: str, news: News) -> dict[str, Any]:
    """Return the changes of an answer about the job.

    Parameters
    ----------
    record, provider
        The run's.
    step
        The call that was answered: ``status`` or ``result``.
    news
        The content of the answer.
    """
    job: dict[str, Any] = {"answers": {**record.job.answers, step: news.answer}}
    if news.inference_s is not None:
        job["inference_time_s"] = news.inference_s
    if news.link is not None:
        job["media_link"] = redact.media_link(news.link)
    cost = record.cost
    if news.cancelled:
        charged = _charged_when_cancelled(record, provider, news)
        source = f"{provider.title}'s documentation"
        free = {"actual": 0.0, "actual_source": source, "confirmed": True}
        return {"job": job, "cost": free} if charged is False else {"job": job}
    usd = news.cost_usd
    if usd is None and news.billed_units is not None:
        unit = provider.price(record.request.options).unit_usd
        usd = None if unit is None else round(news.billed_units * unit, 6)
    if usd is not None:
        return {"job": job, "cost": cost.reported(usd, f"{provider.title}'s answer")}
    if news.state == "failed" and cost.actual and provider.failed_job.charged is False:
        # The amount in the answer to the submit was held for the job, and is released.
        source = f"{provider.title}'s documentation"
        return {"job": job, "cost": cost.reported(0.0, source, early=True)}
    return {"job": job}


def cancelled_problem(record: Record, provider: Provider, news: News) -> Cancelled:
    """Return the error of a job that was cancelled at the provider, with what that costs.

    Parameters
    ----------
    record, provider
        The run's.
    news
        The answer that says so.
    """
    title = provider.title
    money = {
        True: f"{title} charges for it, according to its documentation; there is no clip.",
        False: f"Not charged, according to {title}'s documentation; there is no clip.",
        None: "Whether it is charged is undocumented; check the provider's usage page.",
    }[_charged_when_cancelled(record, provider, news)]
    return Cancelled(
        f"The job was cancelled at {title}.", money=money, todo="Rerun the cell to send it again."
    )


def _charged_when_cancelled(record: Record, provider: Provider, news: News) -> bool | None:
    answer = record.job.answers.get(CANCEL)
    started = news.started
    if started is None and isinstance(answer, dict) and isinstance(answer.get("started"), bool):
        started = bool(answer["started"])
    return None if provider.cancellation is None else provider.cancellation.charged(started)


class SecondLook:
    """An end of a job reported with an HTTP error: gateways send these too, so it has to be repeated.

    Parameters
    ----------
    clock
        The engine's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reported: tuple[JobState, Stopwatch] | None = None

    @property
    def due_s(self) -> float:
        """Seconds until the next poll is due, 0 if nothing was reported."""
        return 0.0 if self._reported is None else max(AGAIN_S - self._reported[1].passed(), 0.0)

    def counts(self, news: News) -> bool:
        """Return whether an answer counts: it is certain, or repeats what was reported a minute ago."""
        if news.sure:
            self._reported = None
            return True
        if self._reported is None or self._reported[0] != news.state:
            self._reported = news.state, Stopwatch(self._clock, self._clock.wall())
        return self._reported[1].passed() >= AGAIN_S


def unsure(title: str, news: News) -> ProviderDown:
    """Return the problem of an answer that does not count yet."""
    end = "has failed" if news.state == "failed" else "is done"
    answer = f" ({news.reply.status}): {news.reply.shown()}" if news.reply else "."
    return ProviderDown(
        f"{title} reports that the job {end}, but with an error status{answer}",
        money=PAID_AND_KEPT,
        todo="It is checked again in a minute; a second such response counts.",
    )
