"""Buy the cheapest clip like any other, and report what its answers and its file show."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import cast

from hailuo_jupyter.catalogue import validate_options
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import HailuoError, OptionError
from hailuo_jupyter.kernel.generate import generate
from hailuo_jupyter.probe import questions, shape
from hailuo_jupyter.probe.report import Row
from hailuo_jupyter.record import Record
from hailuo_jupyter.states import State

#: Short, harmless, and easy for any model.
PROMPT = "A red ball rolls slowly across a white table."


def cheapest(provider: Provider) -> dict[str, str | int]:
    """Return the options of the cheapest clip, by the high end of the estimate."""
    found: list[dict[str, str | int]] = []
    for values in product(*(choice.values for choice in provider.choices)):
        chosen = {
            choice.name: value for choice, value in zip(provider.choices, values, strict=True)
        }
        try:
            found.append(validate_options(provider, chosen))
        except OptionError:  # a combination that the provider refuses
            continue
    return min(found, key=lambda options: _price(provider, options))


def _price(provider: Provider, options: Mapping[str, str | int]) -> float:
    high = provider.price(options).high
    return float("inf") if high is None else high


def buy(provider: Provider, options: Mapping[str, str | int]) -> Run:
    """Send the request. It is a run like any other: in the run log, fetched, settled.

    Raises
    ------
    HailuoError
        If it was refused within two seconds, or something blocks it.
    """
    sent = generate(
        PROMPT,
        provider.name,
        **options,  # type: ignore[arg-type]
        new=True,  # the person has confirmed this clip
        tags=["probe"],
    )
    return cast("Run", sent)  # one run, as count is not set


def rows(run: Run) -> tuple[list[Row], dict[str, str]]:
    """Wait for a run's end, and return what its answers and its clip show.

    Returns
    -------
    rows, answers
        A row for each answer of the provider, and answers to open questions by their names.
    """
    problem = ""
    try:
        run.wait()
    except HailuoError as error:
        problem = f"The run ended with {type(error).__name__}."
    record = run.record
    found = [_answer(name, body) for name, body in sorted(record.job.answers.items())]
    done = record.state is State.COMPLETED
    found.append(Row("clip", "as expected" if done else "differs", problem))
    return found, _answers(record)


def _answer(name: str, body: object) -> Row:
    return Row(
        f"answer to {name}",
        "answered",
        fields=shape.fields(body),
        states=shape.states(body),
    )


def _answers(record: Record) -> dict[str, str]:
    submit, result = (shape.fields(record.job.answers.get(name)) for name in ("submit", "result"))
    found: dict[str, str] = {}
    ids = [name for name in ("generation_id", "id", "request_id") if name in submit]
    if ids:
        found[questions.ID_FIELD] = ", ".join(ids)
    if link := next((result[name] for name in ("output", "video") if name in result), ""):
        found[questions.OUTPUT] = link
    if record.clip is None:
        return found
    clip, options = record.clip, ", ".join(f"{k}={v}" for k, v in record.request.options.items())
    found[questions.NULL_FRAME] = "Yes: the clip was generated."
    found[questions.SIZE] = f"{clip.width} x {clip.height}, {clip.duration_s:.2f} s ({options})"
    found[questions.CODEC] = f"{clip.codec}, {clip.fps:g} frames per second"
    if record.cost.actual is not None:
        found[questions.COST] = f"${record.cost.actual:g} ({options})"
    return found
