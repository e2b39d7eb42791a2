"""What is to be said of the form: what is wrong with which field, what it costs, how long it takes.

The rules are those of a request; here they are only asked, one field at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hailuo_jupyter.choices import resolve
from hailuo_jupyter.engine.forecast import forecast
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import words
from hailuo_jupyter.kernel.dry_run import price_words
from hailuo_jupyter.kernel.generate import check_count
from hailuo_jupyter.kernel.panel.form import FIRST, LAST, Form, options_of
from hailuo_jupyter.offer import Camera, Options, Provider
from hailuo_jupyter.request import check_frames, check_prompt

#: The fields that something can be wrong with, in the order in which a reader meets them.
FIELDS = ("provider", "prompt", "options", FIRST, LAST, "count")

_TITLES = {FIRST: "first frame", LAST: "last frame"}
_BRACKETS = re.compile(r"\[([^\[\]\n]{1,80})\]")


@dataclass(frozen=True)
class Problem:
    """What keeps the form from being submitted.

    Parameters
    ----------
    text
        What is wrong and what to do, in a sentence or two.
    waits
        Nothing is wrong yet: something is still to be filled in, or is being looked at.
    """

    text: str
    waits: bool = False


def problems(
    form: Form, provider: Provider, seen: Mapping[str, Problem | None]
) -> dict[str, Problem]:
    """Give what is wrong, by field; empty where the form can be submitted.

    Parameters
    ----------
    form, provider
        What it holds, and the provider that it names.
    seen
        What those looks have found that take a while: at the frames, and (``"provider"``) for a key.
    """
    found: dict[str, Problem | None] = {name: seen.get(name) for name in FIELDS}
    if not form.prompt.strip():
        found["prompt"] = Problem("Write a prompt: what the clip should show.", waits=True)
    else:
        found["prompt"] = _asked(lambda: check_prompt(form.prompt, provider.prompt_max))
    found["options"] = _asked(lambda: resolve(provider, options_of(form, provider)))
    found["count"] = _asked(lambda: check_count(form.count))
    for role in (FIRST, LAST):
        if form.frame(role).missing and found[role] is None:
            found[role] = Problem(f"Choose the {_TITLES[role]}, or none.", waits=True)
    if found[LAST] is None:
        there = {role: form.frame(role).source != "none" for role in (FIRST, LAST)}
        found[LAST] = _asked(lambda: check_frames(provider, first=there[FIRST], last=there[LAST]))
    return {name: problem for name, problem in found.items() if problem is not None}


def _asked(check: Callable[[], object]) -> Problem | None:
    try:
        check()
    except HailuoError as error:
        return told(error)
    return None


def told(error: HailuoError) -> Problem:
    """Put an error beside its field; there nobody has to be told that nothing was sent."""
    return Problem(" ".join(part for part in (error.what, error.todo) if part))


def why_not(found: Mapping[str, Problem]) -> str:
    """Say why the form cannot be submitted; empty where it can."""
    ordered = [found[name] for name in FIELDS if name in found]
    if not ordered:
        return ""
    first = next((each for each in ordered if not each.waits), ordered[0])
    more = len(ordered) - 1
    rest = "" if not more else f" ({more} more field{'s' if more > 1 else ''} to look at.)"
    return first.text + rest


def count_words(prompt: str, limit: int) -> str:
    """Say how long the prompt is, and how long it may be."""
    used = len(prompt.replace("\r\n", "\n").strip())
    return f"{used} of {limit} characters"


def remarks(prompt: str, camera: Camera) -> list[str]:
    """Say what is odd about the camera commands in a prompt; it is sent as it is all the same."""
    known = {name.casefold() for name in camera.commands}
    found = []
    for group in _BRACKETS.findall(prompt):
        names = [name.strip() for name in group.split(",")]
        other = [name for name in names if name.casefold() not in known]
        if other:
            found.append(
                f"[{words.harmless(other[0])}] is none of the {len(camera.commands)} documented "
                "camera commands. It is sent as it stands."
            )
        elif len(names) > camera.most_together:
            found.append(
                f"{len(names)} camera commands act at once in [{words.harmless(group)}]; "
                f"at most {camera.most_together} are advised."
            )
    return found


def price(form: Form, provider: Provider) -> str:
    """Say what the form's clips cost, and who says so; empty while its options do not fit."""
    options = _resolved(form, provider)
    return "" if options is None else price_words(provider.price(options), max(1, form.count))


def take_price(provider: Provider, options: Options) -> str:
    """Say in a few words what another clip with these options costs."""
    return words.price(provider.price(options))


def time(form: Form, provider: Provider, durations: Sequence[float]) -> str:
    """Say how long the clip takes, and who says so.

    Parameters
    ----------
    form, provider
        What is asked for.
    durations
        Seconds that such runs took here.
    """
    options = _resolved(form, provider)
    if options is None:
        return ""
    prior = provider.expected(options)
    timing = forecast(prior.median_s, prior.sigma, durations)
    usual, most = words.about(timing.median_s), words.about(timing.quantile(0.9))
    source = prior.source.rstrip(".")
    runs = f"{len(durations)} such run{'s' if len(durations) > 1 else ''} here, and: "
    return (
        f"Time: usually about {usual}, 9 of 10 within {most} ({runs if durations else ''}{source})."
    )


def kind(form: Form, provider: Provider) -> str:
    """Give the key under which durations of such runs are learned; empty while there is none."""
    options = _resolved(form, provider)
    return "" if options is None else provider.kind(options)


def _resolved(form: Form, provider: Provider) -> Options | None:
    try:
        return resolve(provider, options_of(form, provider))
    except HailuoError:
        return None
