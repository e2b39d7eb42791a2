"""Messages about the form: the problem of each field, the price, and the duration.

The rules are those of a request; here they are only applied, one field at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hailuo_jupyter import catalogue, formatting
from hailuo_jupyter.catalogue import check_combination, validate_options
from hailuo_jupyter.catalogue.types import Camera, Options, Provider
from hailuo_jupyter.engine.eta import forecast
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel.generate import check_count
from hailuo_jupyter.kernel.panel.form_state import FIRST, LAST, FormState, options_of
from hailuo_jupyter.request import check_frames, check_prompt

#: The fields that can have problems, in display order.
FIELDS = ("prompt", FIRST, LAST, "provider", "options", "count")

_TITLES = {FIRST: "first frame", LAST: "last frame", "count": "takes"}
#: An option; or a command to type, which stays as it is.
_FLAG = re.compile(r"'%[^']*'|(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
_FIELD_NAMES = {
    "image": "first frame",
    "last-image": "last frame",
    "count": "takes",
    "no-optimizer": "no prompt optimizer",
}
_BRACKETS = re.compile(r"\[([^\[\]\n]{1,80})\]")


@dataclass(frozen=True)
class Problem:
    """A problem that blocks the submission of the form.

    Parameters
    ----------
    text
        The problem and what to do, in a sentence or two.
    waits
        Whether it is not an error: a value is still missing, or a check is running.
    no_key
        Whether a key is all that is missing.
    """

    text: str
    waits: bool = False
    no_key: bool = False


def problems(
    form: FormState, provider: Provider, seen: Mapping[str, Problem | None]
) -> dict[str, Problem]:
    """Return the problems by field; empty if the form can be submitted.

    Parameters
    ----------
    form, provider
        The form, and its provider.
    seen
        The results of slow checks: of the frames, and (``"provider"``) of the key.
    """
    found: dict[str, Problem | None] = {name: seen.get(name) for name in FIELDS}
    if not form.prompt.strip():
        found["prompt"] = Problem("Enter a prompt to continue.", waits=True)
    else:
        found["prompt"] = _asked(lambda: check_prompt(form.prompt, provider.prompt_max))
    found["options"] = _asked(lambda: validate_options(provider, options_of(form, provider)))
    found["count"] = _asked(lambda: check_count(form.count))
    for role in (FIRST, LAST):
        if form.frame(role).missing and found[role] is None:
            found[role] = Problem(f"Choose the {_TITLES[role]}, or none.", waits=True)
    frames = {role: form.frame(role).is_set for role in (FIRST, LAST)}
    lacking = provider.first_frame == "required" and not frames[FIRST]
    place = FIRST if lacking else LAST
    if found[place] is None:
        options = _resolved(form, provider)
        found[place] = _asked(
            lambda: check_frames(provider, first=frames[FIRST], last=frames[LAST], options=options)
        )
    return {name: problem for name, problem in found.items() if problem is not None}


def _asked(check: Callable[[], object]) -> Problem | None:
    try:
        check()
    except HailuoError as error:
        return error_to_problem(error)
    return None


def error_to_problem(error: HailuoError) -> Problem:
    """Show an error next to its field: in a form's words, without the sentence that nothing was sent."""
    return Problem(without_flags(" ".join(part for part in (error.what, error.todo) if part)))


def without_flags(text: str) -> str:
    """Return a text about a cell's options as one about the form's fields: no ``--mode``, but ``mode``."""

    def plain(found: re.Match[str]) -> str:
        name = found[1]
        return found[0] if name is None else _FIELD_NAMES.get(name, name.replace("-", " "))

    return _FLAG.sub(plain, text)


def submit_disabled_reason(found: Mapping[str, Problem]) -> str:
    """Return why the form can't be submitted; empty if it can.

    A mistake is only named: its field has the message, which a screen reader would read twice.
    """
    ordered = [name for name in FIELDS if name in found]
    if not ordered:
        return ""
    first = next((name for name in ordered if not found[name].waits), ordered[0])
    text = found[first].text
    if first != "provider" and not found[first].waits:
        text = f"Change the {_TITLES.get(first, first)} to continue."
    more = len(ordered) - 1
    rest = "" if not more else f" ({more} more field{'s' if more > 1 else ''} to look at.)"
    return text + rest


def count_words(prompt: str, limit: int) -> str:
    """Return the prompt's length and its limit."""
    used = len(prompt.replace("\r\n", "\n").strip())
    return f"{used} of {limit} characters"


def remarks(prompt: str, camera: Camera) -> list[str]:
    """Return a hint about unusual camera commands in a prompt, which is sent unchanged."""
    documented = {name.casefold() for name in camera.commands}
    found = []
    for group in _BRACKETS.findall(prompt):
        names = [name.strip() for name in group.split(",")]
        other = [name for name in names if name.casefold() not in documented]
        if other:
            found.append(
                f"[{formatting.escape_control(other[0])}] isn't one of the "
                f"{len(camera.commands)} documented camera commands; it is sent unchanged."
            )
        elif len(names) > camera.most_together:
            found.append(
                f"{len(names)} camera commands are combined in "
                f"[{formatting.escape_control(group)}]; "
                f"at most {camera.most_together} are advised."
            )
    return found


def impossible_values(form: FormState, provider: Provider, name: str) -> dict[str, str]:
    """Return the values of an option that the provider refuses with the form's other choices, and why."""
    choice, chosen = provider.choice(name), options_of(form, provider)
    found: dict[str, str] = {}
    for value in choice.values if choice is not None else ():
        try:
            options = validate_options(provider, {**chosen, name: value})
            frames = {f"{role}_frame": _yes(form.frame(role).is_set) for role in (FIRST, LAST)}
            check_combination(provider, {**options, **frames})
        except HailuoError as error:
            found[str(value)] = without_flags(error.what).rstrip(".")
    return found


def impossible_models(form: FormState) -> dict[str, str]:
    """Return the form's provider's models that cannot take its frames, and why."""
    frames = {role: form.frame(role).is_set for role in (FIRST, LAST)}
    if not any(frames.values()):
        return {}  # a model that needs a frame asks for it
    found = {}
    for offer in catalogue.offers():
        if offer.name != form.provider or offer.takes(first=True, last=frames[LAST]):
            continue
        found[offer.model_name] = "takes no last frame" if frames[LAST] else "takes no first frame"
    return found


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def button_price(form: FormState, provider: Provider) -> str:
    """Return what the form's clips cost, for its button; empty while its options are invalid."""
    options = _resolved(form, provider)
    if options is None:
        return ""
    found = provider.price(options)
    if found.kind == "free":
        return "free"
    if found.low is None or found.high is None:
        return "price unknown"
    count = max(1, form.count)
    return formatting.dollars(found.low * count, found.high * count)


def summary(form: FormState, provider: Provider, durations: Sequence[float]) -> str:
    """Return briefly how long a clip takes, and how sure its price is."""
    options = _resolved(form, provider)
    if options is None:
        return ""
    prior = provider.expected(options)
    usual = forecast(prior.median_s, prior.sigma, durations).median_s
    kind = provider.price(options).kind
    source = "free" if kind == "free" else f"price: {formatting.price_source(kind)}"
    return f"About {formatting.approx_duration(usual)} · {source}"


def price(form: FormState, provider: Provider) -> str:
    """Return what the form's clips cost, with the source; empty while its options are invalid."""
    options = _resolved(form, provider)
    return "" if options is None else provider.price(options).sentence(max(1, form.count))


def take_price(provider: Provider, options: Options) -> str:
    """Return briefly what another clip with these options costs."""
    return provider.price(options).text


def time(form: FormState, provider: Provider, durations: Sequence[float]) -> str:
    """Return how long the clip takes, with the source.

    Parameters
    ----------
    form, provider
        The form, and its provider.
    durations
        Durations of such runs here, in seconds.
    """
    options = _resolved(form, provider)
    if options is None:
        return ""
    prior = provider.expected(options)
    timing = forecast(prior.median_s, prior.sigma, durations)
    usual, most = (
        formatting.approx_duration(timing.median_s),
        formatting.approx_duration(timing.quantile(0.9)),
    )
    source = prior.source.rstrip(".")
    runs = f"{len(durations)} such run{'s' if len(durations) > 1 else ''} here, and: "
    return (
        f"Time: usually about {usual}, 9 of 10 within {most} ({runs if durations else ''}{source})."
    )


def kind(form: FormState, provider: Provider) -> str:
    """Return the key under which durations of such runs are learned; empty if there is none."""
    options = _resolved(form, provider)
    return "" if options is None else provider.kind(options)


def _resolved(form: FormState, provider: Provider) -> Options | None:
    try:
        return validate_options(provider, options_of(form, provider))
    except HailuoError:
        return None
