"""What ``jupyter hailuo doctor`` and ``%hailuo doctor`` find: whether all is there that a run needs.

Nothing is sent, made or changed. A finding that is marked needs somebody's act, and says which.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hailuo_jupyter import __version__, catalogue, installed, keys, redact
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.runlog.look import Unfinished, look, servers
from hailuo_jupyter.settings import LOOPBACK_ONLY, Hailuo, address, loopback_only
from hailuo_jupyter.states import BOUGHT, State

#: With less room than this no request leaves (see `hailuo_jupyter.engine.download`).
_LEAST_ROOM = 64 * 1024 * 1024

_INSTALL = "install hailuo-jupyter into the environment that JupyterLab is started from"
_SAME = "Install the same version in both environments, restart the kernel and load the page again."
_ADDRESS_OF_THE_DEMO = "HAILUO_SIMULATOR_URL"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    part
        What it belongs to: versions, lab extension, server extension, keys, addresses, clips,
        sinks, run log.
    name
        What was looked at.
    value
        What was found.
    todo
        What to do about it; empty where nothing is wrong.
    """

    part: str
    name: str
    value: str
    todo: str = ""


@dataclass(frozen=True)
class FrontEnd:
    """What a kernel has heard from the front ends that have its notebook open.

    Parameters
    ----------
    protocol
        The version of the protocol that one of them speaks as this package does; None where none
        was heard, or none that does.
    version
        The version of its extension, where it is known.
    """

    protocol: int | None
    version: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in the order in which they are read."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing needs anybody's act."""
        return not any(finding.todo for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain data; what needs no act has an empty ``todo``."""
        return {"ok": self.ok, "findings": [asdict(finding) for finding in self.findings]}

    def lines(self) -> list[str]:
        """Give it as lines for a person, those that need an act marked with ``!``."""
        lines: list[str] = []
        width = max(len(finding.name) for finding in self.findings)
        part = ""
        for finding in self.findings:
            if finding.part != part:
                part = finding.part
                lines.append(part)
            mark = "!" if finding.todo else " "
            lines.append(f"{mark} {finding.name:<{width}}  {finding.value}")
            if finding.todo:
                lines.append(f"  {'':<{width}}  {finding.todo}")
        marked = sum(bool(finding.todo) for finding in self.findings)
        lines += [
            "",
            f"{marked} finding(s) marked ! need something done." if marked else "All is well.",
        ]
        return lines


def diagnose(
    settings: Hailuo, folder: Path, *, kernel: bool = False, front_end: FrontEnd | None = None
) -> Diagnosis:
    """Look at everything.

    Parameters
    ----------
    settings
        What is in force.
    folder
        The notebook's folder, or the one that a command was started in.
    kernel
        Whether a kernel asks. Its environment may be another than JupyterLab's.
    front_end
        What the kernel has heard.
    """
    found = [
        *_versions(),
        *_extension(kernel=kernel, front_end=front_end),
        *_server(settings),
        *_keys(settings, folder),
        *_addresses(),
        *_clips(settings, folder),
        *_sinks(settings),
        *_log(settings.run_log_path(), "run log", folder),
        *_log(settings.run_log_path(demo=True), "run log of the demo", folder),
    ]
    return Diagnosis(
        tuple(Finding(each.part, each.name, _line(each.value), _line(each.todo)) for each in found)
    )


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "hailuo-jupyter", __version__)
    yield Finding("versions", "Python", platform.python_version())
    for name, least in installed.TAKING_PART.items():
        found = installed.version(name)
        too_old = bool(found and least and installed.older(found, least))
        yield Finding(
            "versions",
            name,
            found or "not in this environment",
            f"Update {name} to {least} or newer." if too_old else "",
        )


def _extension(*, kernel: bool, front_end: FrontEnd | None) -> Iterator[Finding]:
    part, here = "lab extension", installed.lab_extension()
    if here is not None:
        todo = ""
        if here.version != __version__:
            todo = f"The package is {__version__}. Install hailuo-jupyter anew."
        elif here.disabled:
            todo = (
                f"Run 'jupyter labextension enable {installed.EXTENSION}', and load the page again."
            )
        disabled = ", disabled" if here.disabled else ""
        yield Finding(part, "here", f"{here.version}{disabled}, {here.folder}", todo)
    elif kernel or installed.version("jupyterlab") is None:
        yield Finding(part, "here", "none; it belongs into the environment of JupyterLab")
    else:
        todo = f"I{_INSTALL[1:]}; the extension comes with it."
        yield Finding(part, "here", "none, though JupyterLab is in this environment", todo)
    if front_end is not None:
        yield _heard(part, front_end)


def _heard(part: str, front_end: FrontEnd) -> Finding:
    name = "in the page"
    if front_end.protocol is None:
        # A kernel that was busy since the extension was loaded has not read its greeting yet.
        todo = (
            f"Run this once more in a few seconds. If it stays so: {_INSTALL}, in the same version."
        )
        return Finding(part, name, "not seen: records do not reach the notebook's metadata", todo)
    version = f", version {front_end.version}" if front_end.version else ""
    todo = _SAME if front_end.version not in {"", __version__} else ""
    return Finding(part, name, f"seen, protocol {front_end.protocol}{version}", todo)


def _server(settings: Hailuo) -> Iterator[Finding]:
    """Tell who goes on with runs whose kernel is gone. Whoever has no server needs none."""
    part, enabled = "server extension", installed.server_extension()
    name = installed.SERVER_EXTENSION
    here = {
        True: "enabled",
        False: f"disabled ('jupyter server extension enable {name}' would enable it)",
        None: "none; it belongs into the environment of the Jupyter server",
    }
    yield Finding(part, "here", here[enabled])
    running = servers(settings.run_log_path())
    if running:
        seen = f"seen, process {', '.join(running)}: finishes runs whose kernel is gone"
    else:
        seen = "not seen: runs whose kernel is gone wait for the next one, or for 'jupyter hailuo collect'"
    yield Finding(part, "collector", seen)


def _keys(settings: Hailuo, folder: Path) -> Iterator[Finding]:
    for provider in catalogue.providers():
        needed = settings.provider.strip().casefold() == provider.name
        variable = provider.key_variables[0]
        try:
            key = keys.find(provider.name, provider.key_variables, folder)
        except HailuoError as error:
            yield Finding("keys", provider.name, error.what, error.todo)
            continue
        if key is not None:
            yield Finding("keys", provider.name, f"present, {key.origin}")
        elif needed:
            todo = f"It is the provider that is set: set {variable}, or choose another one."
            yield Finding("keys", provider.name, "absent", todo)
        else:
            yield Finding("keys", provider.name, f"absent ({variable} would hold it)")


def _addresses() -> Iterator[Finding]:
    given = [(_ADDRESS_OF_THE_DEMO, "")]
    for provider in catalogue.providers():
        given += [(base.variable, base.url) for base in provider.base_urls.values()]
    for variable, default in given:
        value = os.environ.get(variable)
        if not value:
            continue
        try:
            found, todo = address(default, variable), ""
        except HailuoError as error:
            found, todo = value, error.todo
        yield Finding("addresses", variable, redact.link(found), todo)
    if loopback_only():
        yield Finding("addresses", LOOPBACK_ONLY, "set: no host but this machine is spoken to")


def _clips(settings: Hailuo, folder: Path) -> Iterator[Finding]:
    place = folder / Path(settings.output_dir).expanduser()
    there = _nearest(place)
    elsewhere = (
        "Make it writable, or name another one: %config Hailuo.output_dir, HAILUO_OUTPUT_DIR."
    )
    state = "" if place == there else "; made at the first run"
    if not _takes_files(there):
        yield Finding("clips", "folder", f"{place}: cannot be written to", elsewhere)
        return
    yield Finding("clips", "folder", f"{place}{state}")
    free = shutil.disk_usage(there).free
    todo = "" if free >= _LEAST_ROOM else "Free some space: no request leaves without room for it."
    yield Finding("clips", "free space", f"{free / 1e9:.1f} GB", todo)


def _sinks(settings: Hailuo) -> Iterator[Finding]:
    """Tell of those that are set; whoever wants none need not hear of them."""
    if not settings.sinks:
        return
    from hailuo_jupyter.sinks.standing import standing

    for each in standing(settings):
        if each.chosen:
            yield Finding("sinks", each.name, each.words, each.todo)


def _log(path: Path, part: str, folder: Path) -> Iterator[Finding]:
    if not path.is_file():
        if part != "run log":
            return  # whoever never ran the demo need not hear of its log
        writable = not path.exists() and _takes_files(_nearest(path.parent))
        value = "not there yet; made at the first run" if writable else "cannot be made"
        todo = (
            "" if writable else "Make its folder writable, or set HAILUO_RUN_LOG to another file."
        )
        yield Finding(part, "file", f"{path}: {value}", todo)
        return
    try:
        seen = look(path)
    except HailuoError as error:
        yield Finding(part, "file", f"{path}: {error.what}", error.todo)
        return
    writable = os.access(path, os.W_OK) and _takes_files(path.parent)
    todo = (
        "" if writable else "Make file and folder writable, or set HAILUO_RUN_LOG to another file."
    )
    yield Finding(part, "file", f"{path}{'' if writable else ': cannot be written to'}", todo)
    mode = "write-ahead log" if seen.journal == "wal" else f"{seen.journal} (no shared memory here)"
    yield Finding(part, "mode", mode)
    yield Finding(part, "size", f"{seen.size / 1e6:.1f} MB")
    yield Finding(part, "runs", f"{seen.runs}, {len(seen.unfinished)} of them unfinished")
    keyless = {
        provider.name: f"; waiting for a key ({provider.key_variables[0]})"
        for provider in catalogue.providers()
        if not keys.every(provider.name, provider.key_variables, folder)
    }
    for each in seen.unfinished:
        yield _watcher(part, each, keyless.get(each.row.provider, ""))


def _watcher(part: str, run: Unfinished, keyless: str) -> Finding:
    state, todo = run.row.state, ""
    if run.watched:
        who = f"watched by process {run.pid}"
    elif state is State.PREPARED:
        who = "waits for you: run its cell again to send it"
    else:
        who = f"process {run.pid}, which watched it, is gone" if run.pid else "nobody watches it"
        who += keyless if state in BOUGHT else ""
        todo = (
            "'%hailuo resume' or 'jupyter hailuo collect' goes on with it; the clip is paid for."
            if state in BOUGHT
            else "'%hailuo resume' or 'jupyter hailuo collect' finds out what became of it."
        )
    return Finding(part, run.row.run_id, f"{state.words}, {run.row.provider}: {who}", todo)


def _nearest(path: Path) -> Path:
    """Give the first of a path and its parents that is there."""
    return next((each for each in (path, *path.parents) if each.exists()), path)


def _takes_files(folder: Path) -> bool:
    """Try it: rights alone do not tell of read-only disks and of quotas."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _line(value: str) -> str:
    """Make it one line, without a key, that a terminal can show."""
    told = redact.text(" ".join(value.split()))
    return told if told.isprintable() else ascii(told)
