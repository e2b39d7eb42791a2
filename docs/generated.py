"""What pages of the documentation take from the package: each function returns Markdown.

A page marks the place with `<!-- generated: NAME -->`, where NAME is a key of `PARTS`.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from typing import Any

import hailuo_jupyter
from hailuo_jupyter import catalogue, errors
from hailuo_jupyter.catalogue.table import behavior as behavior_of
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.cli import parser
from hailuo_jupyter.formatting import dollars
from hailuo_jupyter.kernel.cell_source import CELL_OPTIONS
from hailuo_jupyter.kernel.commands.registry import GROUPS, options_of
from hailuo_jupyter.kernel.magic_args import HELP, Option, Takes
from hailuo_jupyter.settings import ENVIRONMENT, Hailuo
from hailuo_jupyter.states import State

from error_advice import ADVICE  # isort: skip - beside this file
from state_diagram import diagram  # isort: skip

_MARK = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)


def filled(text: str) -> str:
    """Return a page's text with its generated parts.

    Raises
    ------
    KeyError
        If a mark names no part.
    """
    return _MARK.sub(lambda match: PARTS[match[1]](), text)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; a bar or a line break in a cell does not end it."""
    titles = tuple(titles)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in line)} |"
        for line in lines
    )


# Providers


def keys() -> str:
    """Return where each provider's key comes from."""
    return table(
        ("Provider", "Get a key", "Enter it", "Or set"),
        (
            (
                each.title,
                f"[{each.key_page.split('/')[2]}]({each.key_page})",
                f"`%hailuo key {each.name}`",
                ", ".join(f"`{name}`" for name in each.key_variables),
            )
            for each in catalogue.providers()
        ),
    )


def addresses() -> str:
    """Return the addresses that the package contacts, and the variables that change them."""
    return table(
        ("Provider", "Address", "Variable"),
        (
            (each.title, f"`{base.url}`", f"`{base.variable}`")
            for each in catalogue.providers()
            for base in each.base_urls.values()
        ),
    )


def prices() -> str:
    """Return every price of the catalogue, with its source."""
    return "\n\n".join(_prices(offer) for offer in catalogue.offers())


def _prices(offer: Provider) -> str:
    sources: list[str] = []
    rows = []
    for rule in offer.prices:
        price = rule.then
        source = ". ".join(linked(each.rstrip(".")) for each in (price.source, price.note) if each)
        if source not in sources:
            sources.append(source)
        rows.append(
            (
                ", ".join(f"`--{name} {value}`" for name, value in rule.when.items())
                or "otherwise",
                "unknown"
                if price.low is None or price.high is None
                else dollars(price.low, price.high),
                f"{price.kind}, {price.as_of}",
                str(sources.index(source) + 1),
            )
        )
    heading = f"### {offer.title}: `{offer.model_name}`"
    listed = "\n".join(f"{number}. {source}" for number, source in enumerate(sources, 1))
    titles = ("Options", "Price of a clip", "Kind and date", "Source")
    return f"{heading}\n\n{table(titles, rows)}\n\nSources:\n\n{listed}"


def policies() -> str:
    """Return what each provider does with files, failed jobs and cancellations."""
    return table(
        ("Provider", "Clip kept for", "Failed job", "Cancel a job", "Prices read from its API"),
        (
            (
                each.title,
                f"{_long(each.keeps_s)} ({each.file_lifetime.kind})",
                {True: "charged", False: "not charged", None: "undocumented"}[
                    each.failed_job.charged
                ],
                "possible" if each.can_cancel else "not possible",
                "yes" if each.has_price_list else "no",
            )
            for each in catalogue.providers()
        ),
    )


def behavior() -> str:
    """Return what adapters rely on besides prices, sizes and times, and where that comes from."""
    return table(
        ("Provider", "What is relied on", "Kind and date", "Source"),
        (
            (each.title, fact.fact, f"{fact.kind}, {fact.as_of}", linked(fact.source))
            for each in catalogue.providers()
            for fact in behavior_of(each)
        ),
    )


def _long(seconds: float) -> str:
    days = seconds / 86400
    return f"{days:g} days" if days >= 2 else f"{seconds / 3600:g} h"


def linked(text: str) -> str:
    """Return text with its addresses as links."""
    return re.sub(
        r"https?://[^\s);,]+",
        lambda match: f"<{match[0].rstrip('.:')}>{match[0][len(match[0].rstrip('.:')) :]}",
        text,
    )


# Commands


def cell_options() -> str:
    """Return the options of a `%%hailuo` cell."""
    return _options(CELL_OPTIONS)


def _options(options: Iterable[Option]) -> str:
    rows = [(f"`{each.usage}`", _help_of(each)) for each in options]
    return table(("Option", "Meaning"), rows)


def _help_of(option: Option) -> str:
    repeated = option.takes is Takes.MANY and "repeated" not in option.help
    return option.help + ("; may be repeated" if repeated else "")


def commands() -> str:
    """Return the commands of `%hailuo`, by group."""
    return "\n\n".join(_commands())


def _commands() -> Iterator[str]:
    for group, members in GROUPS.items():
        yield f"## {group}"
        for name, command in members.items():
            usage = f"%hailuo {name} {command.words}".rstrip()
            yield f"### `%hailuo {name}`"
            yield f"`{usage}`: {command.help}."
            own = [each for each in options_of(name) if each is not HELP]
            if name == "rerun":
                own = [each for each in own if each not in CELL_OPTIONS]
                yield "It takes the [options of a cell](cell.md#options), and these:"
            if own:
                yield _options(own)


def command_line() -> str:
    """Return the commands of `jupyter hailuo`."""
    return "\n\n".join(_command_line())


def _command_line() -> Iterator[str]:
    (subparsers,) = (
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    summaries = {action.dest: action.help or "" for action in subparsers._choices_actions}
    for name, each in subparsers.choices.items():
        yield f"## `jupyter hailuo {name}`"
        if name == "simulator":
            yield f"{_sentence(summaries[name])} `jupyter hailuo simulator --help` lists its options."
            continue
        usage = " ".join(each.format_usage().removeprefix("usage: ").split())
        yield f"```text\n{usage}\n```"
        yield each.description or _sentence(summaries[name])
        rows = [
            (f"`{_usage(action)}`", (action.help or "").replace("%%", "%"))
            for action in each._actions
            if not isinstance(action, argparse._HelpAction)
        ]
        if rows:
            yield table(("Argument", "Meaning"), rows)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _usage(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    if isinstance(value, tuple):
        value = " ".join(value)
    if not action.option_strings:
        return value or action.dest
    return f"{', '.join(action.option_strings)}{f' {value}' if value else ''}"


# Settings, records, states


def settings() -> str:
    """Return every setting, its default, and the variable that sets it."""
    return table(
        ("Setting", "Meaning", "Default", "Variable"),
        (
            (
                f"`Hailuo.{name}`",
                trait.help,
                f"`{_default(name, trait.default_value)}`",
                f"`{ENVIRONMENT[name]}`" if name in ENVIRONMENT else "",
            )
            for name, trait in sorted(Hailuo.class_own_traits(config=True).items())
        ),
    )


def _default(name: str, value: object) -> str:
    # Two have a default that depends on where they are read.
    return {"output_dir": "'hailuo'", "run_log": "user data folder"}.get(name) or repr(
        {"requests_per_minute": {}, "prices_usd": {}, "sinks": []}.get(name, value)
    )


def record() -> str:
    """Return the fields of a record, part by part."""
    text = (files("hailuo_jupyter.record") / "record.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    parts = {"Record": schema} | {
        name: part for name, part in schema["$defs"].items() if part.get("properties")
    }
    return "\n\n".join(
        f"## {name}\n\n{part.get('description', '')}\n\n{_fields(part)}"
        for name, part in parts.items()
    )


def _fields(part: dict[str, Any]) -> str:
    return table(
        ("Field", "Type", "Meaning"),
        (
            (f"`{name}`", _type(field), field.get("description", ""))
            for name, field in part["properties"].items()
        ),
    )


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return {"State": "[state](states.md)", "JsonValue": "any"}.get(
            name, f"[{name}](#{name.lower()})"
        )
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    kind = str(field.get("type", "any"))
    return f"{kind} of {_type(field['items'])}" if "items" in field else kind


def states() -> str:
    """Return the states of a run with their meaning, and a diagram of their order."""
    rows = ((each.words, f"`{each.value}`", each.meaning) for each in State)
    return f"{diagram()}\n\n{table(('Shown as', 'State', 'Meaning'), rows)}"


# Errors


def error_tree() -> str:
    """Return the tree of the exceptions."""
    return "```text\n" + "\n".join(_branches(errors.HailuoError, "")) + "\n```"


def _branches(cls: type[errors.HailuoError], indent: str) -> Iterator[str]:
    yield f"{indent}{cls.__name__}"
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _branches(child, f"{indent}    ")


def error_classes() -> str:
    """Return every exception with its causes and what to do."""
    return "\n\n".join(_error(cls) for cls in sorted(all_errors(), key=lambda cls: cls.__name__))


def all_errors(cls: type[errors.HailuoError] = errors.HailuoError) -> list[type]:
    """Return the tree's classes, the base first."""
    own = [child for child in cls.__subclasses__() if child.__module__ == errors.__name__]
    return [cls, *(found for child in own for found in all_errors(child))]


def _error(cls: type) -> str:
    summary = (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("``", "`")
    shown = [f"## {cls.__name__}", summary]
    if cls is not errors.HailuoError:
        causes, todo = ADVICE[cls.__name__]
        shown += [f"**Causes:** {causes}", f"**What to do:** {todo}"]
    return "\n\n".join(shown)


# Python


def python_api() -> str:
    """Return the directives that document each public name, and the classes that they return."""
    names = [name for name in dir(hailuo_jupyter) if not name.startswith("__")]
    more = (
        "hailuo_jupyter.kernel.runs.Runs",
        "hailuo_jupyter.kernel.sweep.Sweep",
        "hailuo_jupyter.kernel.panel.Panel",
        "hailuo_jupyter.kernel.quote.Quote",
        "hailuo_jupyter.kernel.join.Joined",
    )
    public = [_directive(f"hailuo_jupyter.{name}", getattr(hailuo_jupyter, name)) for name in names]
    returned = [_directive(path, type) for path in more]
    return "\n\n".join(
        [*public, "## What they return", *returned],
    )


def _directive(path: str, what: object) -> str:
    title = f"{'##' if path.count('.') == 1 else '###'} `{path.rpartition('.')[2]}`"
    lines = [f".. autofunction:: {path}"]
    if isinstance(what, type):
        lines = [f".. autoclass:: {path}", "   :members:"]
    return "\n".join([title, "", "```{eval-rst}", *lines, "```"])


PARTS: dict[str, Callable[[], str]] = {
    "addresses": addresses,
    "cell-options": cell_options,
    "command-line": command_line,
    "commands": commands,
    "error-classes": error_classes,
    "error-tree": error_tree,
    "keys": keys,
    "policies": policies,
    "behavior": behavior,
    "prices": prices,
    "python-api": python_api,
    "record": record,
    "settings": settings,
    "states": states,
}
