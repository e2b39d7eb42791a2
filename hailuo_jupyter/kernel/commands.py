"""What the commands of ``%hailuo`` do."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Callable
from importlib import metadata
from typing import Any

from hailuo_jupyter import catalogue, keys
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, OptionError
from hailuo_jupyter.kernel import options, origin
from hailuo_jupyter.kernel.bridge import PROTOCOL, heard_version
from hailuo_jupyter.kernel.commands_list import COMMANDS
from hailuo_jupyter.kernel.display import bring_up_to_date, show
from hailuo_jupyter.kernel.dry_run import price_words
from hailuo_jupyter.kernel.options import Line, Option, Takes
from hailuo_jupyter.runlog.schema import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import IN_FLIGHT, State

_OPTIONS = {
    "runs": (Option("all", Takes.NOTHING, "of every notebook"),),
    "key": (Option("keyring", Takes.NOTHING, "keep it in the system's keyring"),),
}

_SHOWN = 20


def run(line: str, ip: Any) -> None:
    """Do one command.

    Raises
    ------
    HailuoError
        If there is no such command, or it cannot be done.
    """
    words = options.words_of(line)
    if not words or words[0] in {"--help", "help"}:
        _overview()
        return
    name, *rest = words
    if name not in COMMANDS:
        raise options.unknown(name, list(COMMANDS))
    read = options.read(rest, _OPTIONS.get(name, ()))
    command = COMMANDS[name]
    most = 1 if command.argument else 0
    if len(read.words) > most or (most and not read.words and not command.optional):
        raise OptionError(
            f"It is written: %hailuo {name} {command.usage}".rstrip() + ".",
            money=NOTHING_SENT,
        )
    _DO[name](read, ip)


def _say(*lines: str) -> None:
    print("\n".join(lines))  # noqa: T201 - what a command answers, on the main thread


def _overview() -> None:
    lines = [
        "%%hailuo [options] with a prompt below makes a clip; %%hailuo --help lists the options.",
        "",
    ]
    lines += [f"  %hailuo {name + ' ' + c.usage:<20} {c.help}" for name, c in COMMANDS.items()]
    running = [row for row in _rows_here() if row.state in IN_FLIGHT]
    lines += [
        "",
        f"{len(running)} run(s) of this notebook going on." if running else "Nothing is going on.",
    ]
    _say(*lines, *(_line(row) for row in running))


def _rows_here(*, everywhere: bool = False, limit: int = _SHOWN) -> list[Row]:
    engine, here = process.engine(), None if everywhere else origin.notebook().id
    rows = [row for log in engine.logs() for row in log.recent(limit, notebook_id=here)]
    return sorted(rows, key=lambda row: row.created, reverse=True)[:limit]


def _line(row: Row) -> str:
    prompt = " ".join(row.record.request.prompt.split())
    prompt = prompt if len(prompt) <= 56 else prompt[:55] + "…"
    return f"  {row.run_id}  {row.state.words:<14} {row.provider:<8} {prompt}"


def _runs(read: Line, _ip: Any) -> None:
    rows = _rows_here(everywhere=read.flag("all"))
    if not rows:
        _say(
            "No runs yet."
            if read.flag("all")
            else "No runs of this notebook yet (--all: of every notebook)."
        )
        return
    _say(*(_line(row) for row in rows))


def _show(read: Line, ip: Any) -> None:
    engine = process.engine()
    show(engine, [engine.run(read.words[0])], ip)


def _resume(_read: Line, ip: Any) -> None:
    engine = process.engine()
    taken = engine.resume()
    if not taken:
        _say("Nothing waits to be watched or fetched.")
        return
    _say(f"{len(taken)} run(s) are watched or fetched again; nothing was sent.")
    show(engine, taken, ip)


def _wait(read: Line, ip: Any) -> None:
    engine = process.engine()
    if read.words:
        runs = [engine.run(read.words[0])]
    else:
        runs = [Run(row.run_id, engine) for row in _rows_here(limit=200) if row.state in IN_FLIGHT]
    if origin.audience(ip) is origin.Audience.PARALLEL:
        bring_up_to_date()
    failed: HailuoError | None = None
    for each in runs:
        try:
            each.wait()
        except HailuoError as error:
            failed = failed or error
    ended = sum(each.status is State.COMPLETED for each in runs)
    _say(f"{ended} of {len(runs)} run(s) completed." if runs else "Nothing to wait for.")
    if failed:
        raise failed


def _cancel(read: Line, _ip: Any) -> None:
    run = process.engine().run(read.words[0])
    run.cancel()
    _say(f"Run {run.run_id} was cancelled; nothing was sent and nothing was paid.")


def _providers(_read: Line, _ip: Any) -> None:
    folder = origin.notebook().folder
    for provider in catalogue.providers():
        key = keys.find(provider.name, provider.key_variables, folder)
        _say(
            f"{provider.name}: {provider.title}, {provider.model} (as of {provider.as_of})",
            f"  key: {'present, ' + key.origin if key else 'absent; set ' + provider.key_variables[0]}",
            *(
                f"  --{c.name} {'|'.join(map(str, c.values))} (default {c.default}): {c.help}"
                for c in provider.choices
            ),
            *(f"  {_with(rule.when)}{price_words(rule.then)}" for rule in provider.prices),
        )
    _say("demo: simulated clips, no key, nothing to pay")


def _with(when: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in when.items()) + (": " if when else "")


def _key(read: Line, _ip: Any) -> None:
    provider = catalogue.provider(read.words[0])
    value = getpass.getpass(f"Key for {provider.title}: ")
    if read.flag("keyring"):
        keys.store(provider.name, value)
        _say("The key is in the system's keyring.")
    else:
        keys.remember(provider.name, value)
        _say("The key is in this kernel's memory until it ends.")


def _settings(_read: Line, _ip: Any) -> None:
    rows = Hailuo.instance().origins()
    width = max(len(name) for name, _, _ in rows)
    _say(*(f"  {name:<{width}}  {value!r}  ({where})" for name, value, where in rows))


def _doctor(_read: Line, ip: Any) -> None:
    from hailuo_jupyter.doctor import FrontEnd, diagnose

    page = None
    if origin.audience(ip) is origin.Audience.FRONT_END:
        page = FrontEnd(PROTOCOL if origin.heard() else None, heard_version())
    here = origin.notebook().folder
    _say(*diagnose(Hailuo.instance(), here, kernel=True, front_end=page).lines())


def _version(_read: Line, _ip: Any) -> None:
    names = ("hailuo-jupyter", "ipython", "ipykernel", "ipywidgets", "jupyterlab", "httpx", "av")
    versions: list[str] = []
    for name in names:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} is not installed")
    _say(*versions, f"Python {platform.python_version()}")


_DO: dict[str, Callable[[Line, Any], None]] = {
    "runs": _runs,
    "show": _show,
    "resume": _resume,
    "wait": _wait,
    "cancel": _cancel,
    "providers": _providers,
    "key": _key,
    "settings": _settings,
    "doctor": _doctor,
    "version": _version,
}
