"""The checks of ``jupyter hailuo doctor`` and ``%hailuo doctor``: whether runs have what they need.

Nothing is sent, created or changed. A marked finding says what to do about it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from hailuo_jupyter import __version__, catalogue, home, keys, redact
from hailuo_jupyter.engine.limit_status import statuses
from hailuo_jupyter.errors import HailuoError, RecordUnreadable
from hailuo_jupyter.formatting import count
from hailuo_jupyter.runlog.connection import locking_problem
from hailuo_jupyter.runlog.inspect import Unfinished, inspect, servers
from hailuo_jupyter.settings import LOOPBACK_ONLY, Hailuo, address, loopback_only
from hailuo_jupyter.states import BOUGHT, State

#: With less free space than this, no request is sent (see `hailuo_jupyter.engine.download`).
_LEAST_ROOM = 64 * 1024 * 1024

#: Name of the lab extension, and of its folder below ``labextensions``.
_EXTENSION = "hailuo-jupyter"

#: Name of the server extension.
_SERVER_EXTENSION = "hailuo_jupyter"

#: Distributions that are checked, with the oldest version that works; empty if any does.
_DISTRIBUTIONS = {
    "ipython": "8.20",
    "ipykernel": "6.29",
    "ipywidgets": "8.1",
    "jupyterlab_widgets": "",
    "jupyterlab": "4.1",
    "notebook": "",
}


_INSTALL = "install hailuo-jupyter in the environment that starts JupyterLab"
_SAME = "Install the same version in both environments, restart the kernel and reload the page."
_ADDRESS_OF_THE_DEMO = "HAILUO_SIMULATOR_URL"


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Parameters
    ----------
    part
        What it belongs to: versions, lab extension, server extension, keys, addresses, network,
        clips, sinks, run log.
    name
        What was checked.
    value
        What was found.
    todo
        What to do about it; empty if nothing is wrong.
    """

    part: str
    name: str
    value: str
    todo: str = ""


@dataclass(frozen=True)
class FrontEnd:
    """What the front ends that have a kernel's notebook open have reported to it.

    Parameters
    ----------
    protocol
        The protocol version that one of them shares with this package; None if none has
        reported, or none shares it.
    version
        The version of its extension, where it is known.
    """

    protocol: int | None
    version: str = ""


@dataclass(frozen=True)
class DoctorReport:
    """All findings, in display order."""

    findings: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing needs action."""
        return not any(finding.todo for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data; a finding that needs no action has an empty ``todo``."""
        return {"ok": self.ok, "findings": [asdict(finding) for finding in self.findings]}

    def lines(self) -> list[str]:
        """Return it as lines for a person, those that need action marked with ``!``."""
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
            f"{count(marked, 'problem')} found (marked !)." if marked else "No problems found.",
        ]
        return lines


def diagnose(
    settings: Hailuo, folder: Path, *, kernel: bool = False, front_end: FrontEnd | None = None
) -> DoctorReport:
    """Check everything.

    Parameters
    ----------
    settings
        The settings in force.
    folder
        The notebook's folder, or the one that a command was started in.
    kernel
        Whether this runs in a kernel, whose environment may differ from JupyterLab's.
    front_end
        What front ends have reported to the kernel.
    """
    found = [
        *_versions(),
        *_extension(kernel=kernel, front_end=front_end),
        *_server(settings),
        *_keys(settings, folder),
        *_addresses(),
        *_network(),
        *_clips(settings, folder),
        *_sinks(settings),
        *_logs(settings, folder),
    ]
    return DoctorReport(
        tuple(Check(each.part, each.name, _line(each.value), _line(each.todo)) for each in found)
    )


def _versions() -> Iterator[Check]:
    yield Check("versions", "hailuo-jupyter", __version__)
    yield Check("versions", "Python", platform.python_version())
    for name, least in _DISTRIBUTIONS.items():
        found = _installed_version(name)
        too_old = bool(found and least and _is_older(found, least))
        yield Check(
            "versions",
            name,
            found or "not in this environment",
            f"Update {name} to {least} or newer." if too_old else "",
        )


def _extension(*, kernel: bool, front_end: FrontEnd | None) -> Iterator[Check]:
    part, here = "lab extension", _lab_extension()
    if here is not None:
        todo = ""
        if here.version != __version__:
            todo = f"The package is {__version__}. Reinstall hailuo-jupyter."
        elif here.disabled:
            todo = f"Run 'jupyter labextension enable {_EXTENSION}', and reload the page."
        disabled = ", disabled" if here.disabled else ""
        yield Check(part, "here", f"{here.version}{disabled}, {here.folder}", todo)
    elif kernel or _installed_version("jupyterlab") is None:
        yield Check(part, "here", "not installed; install it in the JupyterLab environment")
    else:
        todo = f"I{_INSTALL[1:]}; this includes the extension."
        yield Check(part, "here", "not installed, although JupyterLab is in this environment", todo)
    if front_end is not None:
        yield _front_end_check(part, front_end)


def _front_end_check(part: str, front_end: FrontEnd) -> Check:
    name = "in the page"
    if front_end.protocol is None:
        # A kernel that was busy since the extension was loaded has not read its greeting yet.
        todo = (
            f"Run this again in a few seconds. If nothing changes, {_INSTALL}, in the same version."
        )
        return Check(part, name, "not seen: records do not reach the notebook's metadata", todo)
    version = f", version {front_end.version}" if front_end.version else ""
    todo = _SAME if front_end.version not in {"", __version__} else ""
    return Check(part, name, f"seen, protocol {front_end.protocol}{version}", todo)


def _server(settings: Hailuo) -> Iterator[Check]:
    """Report what finishes runs whose kernel is gone. Without a Jupyter server, nothing is needed."""
    part, enabled = "server extension", _server_extension()
    name = _SERVER_EXTENSION
    here = {
        True: "enabled",
        False: f"disabled (enable it with 'jupyter server extension enable {name}')",
        None: "not installed; install it in the Jupyter server's environment",
    }
    yield Check(part, "here", here[enabled])
    try:
        running = servers(settings.run_log_path())
    except HailuoError:  # no folder for a log; reported below
        running = []
    if running:
        seen = f"seen, process {', '.join(running)}: finishes runs whose kernel is gone"
    else:
        seen = "not seen: runs whose kernel is gone wait for the next one, or for 'jupyter hailuo collect'"
    yield Check(part, "collector", seen)


def _keys(settings: Hailuo, folder: Path) -> Iterator[Check]:
    from hailuo_jupyter.engine.resources import ProviderRegistry, which_key

    registry = ProviderRegistry(settings)
    if ignored := keys.dotenv_ignored(folder):
        todo = "Keep only the keys in it, or set them in the environment."
        yield Check("keys", ".env", ignored, todo)
    for provider in catalogue.providers():
        needed = settings.provider.strip().casefold() == provider.name
        variable = provider.key_variables[0]
        try:
            key = registry.find(provider, folder)
            undecided = registry.undecided(provider, folder)
        except HailuoError as error:
            yield Check("keys", provider.name, error.what, error.todo)
            continue
        if undecided:
            what = "the .env file and the system keyring hold different keys"
            yield Check("keys", provider.name, what, which_key(provider))
        elif key is not None:
            checks = f"'jupyter hailuo probe {provider.name}' checks the account for free"
            yield Check("keys", provider.name, f"present, {key.origin}; {checks}")
        elif needed:
            todo = f"This is your default provider: set {variable}, or choose another one."
            yield Check("keys", provider.name, "absent", todo)
        else:
            yield Check("keys", provider.name, f"not set ({variable})")


def _addresses() -> Iterator[Check]:
    addresses = [(_ADDRESS_OF_THE_DEMO, "")]
    for provider in catalogue.providers():
        addresses += [(base.variable, base.url) for base in provider.base_urls.values()]
    for variable, default in addresses:
        value = os.environ.get(variable)
        if not value:
            continue
        try:
            found, todo = address(default, variable), ""
        except HailuoError as error:
            found, todo = value, error.todo
        yield Check("addresses", variable, redact.link(found), todo)
    if loopback_only():
        yield Check("addresses", LOOPBACK_ONLY, "set: only connections to this machine are allowed")


def _network() -> Iterator[Check]:
    """Check proxy and certificate settings of the environment; without any, nothing is reported."""
    from hailuo_jupyter.providers import network

    part = "network"
    try:
        proxy = network.proxy()
    except HailuoError as error:
        yield Check(part, "proxy", error.what, error.todo)
    else:
        if proxy is not None:
            from hailuo_jupyter.providers.http import parses  # which loads httpx

            yield Check(part, "proxy", str(proxy))
            patterns, skipped = network.exceptions(parses)
            value = f"{len(patterns)} valid" + (
                f"; skipped: {', '.join(skipped)}" if skipped else ""
            )
            if patterns or skipped:
                yield Check(part, "NO_PROXY", value)
    for variable, value in network.certificates().items():
        try:
            network.check_certificates(variable, value)
        except HailuoError as error:
            yield Check(part, variable, error.what, error.todo)
        else:
            yield Check(part, variable, value)


def _clips(settings: Hailuo, folder: Path) -> Iterator[Check]:
    try:
        place = folder / home.expand(settings.output_dir)
    except HailuoError as error:
        yield Check("clips", "folder", error.what, error.todo)
        return
    existing = _nearest(place)
    elsewhere = (
        "Make it writable, or choose another one: %config Hailuo.output_dir, HAILUO_OUTPUT_DIR."
    )
    state = "" if place == existing else "; will be created by the first run"
    if not _takes_files(existing):
        yield Check("clips", "folder", f"{place}: cannot be written to", elsewhere)
        return
    yield Check("clips", "folder", f"{place}{state}")
    free = shutil.disk_usage(existing).free
    todo = (
        ""
        if free >= _LEAST_ROOM
        else ("Free some space: no request is sent without room for its clip.")
    )
    yield Check("clips", "free space", f"{free / 1e9:.1f} GB", todo)


def _sinks(settings: Hailuo) -> Iterator[Check]:
    """Report the sinks that are set; without any, nothing is reported."""
    if not settings.sinks:
        return
    from hailuo_jupyter.sinks.status import status

    for each in status(settings):
        if each.chosen:
            yield Check("sinks", each.name, each.words, each.todo)


def _logs(settings: Hailuo, folder: Path) -> Iterator[Check]:
    try:
        path, of_the_demo = settings.run_log_path(), settings.run_log_path(demo=True)
    except HailuoError as error:
        yield Check("run log", "file", error.what, error.todo)
        return
    yield from _log(path, "run log", folder)
    if why := locking_problem(_nearest(path.parent)):
        todo = "Set HAILUO_RUN_LOG to a file on a local disk."
        yield Check("run log", "locks", f"not supported by the drive ({why})", todo)
    if of_the_demo in settings.existing_run_logs():  # exists only after a demo
        yield from _log(of_the_demo, "demo run log", folder)


def _log(path: Path, part: str, folder: Path) -> Iterator[Check]:
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib raises where a folder cannot be entered
        writable = not os.path.exists(path) and _takes_files(_nearest(path.parent))  # noqa: PTH110
        value = "will be created by the first run" if writable else "cannot be created"
        todo = (
            "" if writable else "Make its folder writable, or set HAILUO_RUN_LOG to another file."
        )
        yield Check(part, "file", f"{path}: {value}", todo)
        return
    try:
        seen = inspect(path)
    except HailuoError as error:
        yield Check(part, "file", f"{path}: {error.what}", error.todo)
        return
    writable = os.access(path, os.W_OK) and _takes_files(path.parent)
    todo = (
        "" if writable else "Make file and folder writable, or set HAILUO_RUN_LOG to another file."
    )
    yield Check(part, "file", f"{path}{'' if writable else ': cannot be written to'}", todo)
    mode = "write-ahead log" if seen.journal == "wal" else f"{seen.journal} (no shared memory here)"
    yield Check(part, "mode", mode)
    yield Check(part, "size", f"{seen.size / 1e6:.1f} MB")
    yield Check(part, "runs", f"{seen.runs}, {len(seen.unfinished)} of them unfinished")
    keyless = {
        provider.name: f"; waiting for a key ({provider.key_variables[0]})"
        for provider in catalogue.providers()
        if not keys.every(provider.name, provider.key_variables, folder)
    }
    now = time.time()
    for limit in statuses(seen.limits, now):
        title = catalogue.provider(limit.provider).title
        yield Check(part, "rate limit", limit.words(title, now))
    for each in seen.unfinished:
        yield _watcher(part, each, keyless.get(each.row.provider, ""))


def _watcher(part: str, run: Unfinished, keyless: str) -> Check:
    state, todo = run.row.state, ""
    try:
        _ = run.row.record
    except RecordUnreadable as error:
        return Check(part, run.row.run_id, error.what, error.todo)
    if run.watched:
        who = f"tracked by process {run.pid}"
    elif state is State.PREPARED:
        who = "not sent: rerun its cell to send it"
    else:
        who = f"its process {run.pid} is gone" if run.pid else "no process is tracking it"
        who += keyless if state in BOUGHT else ""
        todo = (
            "Use '%hailuo resume' or 'jupyter hailuo collect' to continue; the clip is paid for."
            if state in BOUGHT
            else "Use '%hailuo resume' or 'jupyter hailuo collect' to find out what happened."
        )
    return Check(part, run.row.run_id, f"{state.words}, {run.row.provider}: {who}", todo)


def _nearest(path: Path) -> Path:
    """Return the first of a path and its parents that is there."""
    # pathlib raises where a folder cannot be entered.
    return next((p for p in (path, *path.parents) if os.path.exists(p)), path)  # noqa: PTH110


def _takes_files(folder: Path) -> bool:
    """Check by creating a file: permissions do not show read-only disks and quotas."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _line(value: str) -> str:
    """Return a text as one printable line without keys."""
    redacted = redact.text(" ".join(value.split()))
    return redacted if redacted.isprintable() else ascii(redacted)


# ── what is installed ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _LabExtension:
    """The lab extension as a Jupyter server of this environment finds it.

    Parameters
    ----------
    version
        What its package.json says.
    folder
        Where it is.
    disabled
        Whether it is disabled in JupyterLab's settings.
    """

    version: str
    folder: Path
    disabled: bool


def _installed_version(distribution: str) -> str | None:
    """Return the version of a distribution in this environment, or None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _is_older(found: str, least: str) -> bool:
    """Check whether a version is older than another; only their leading numbers count."""
    return _numbers(found) < _numbers(least)


def _lab_extension() -> _LabExtension | None:
    """Find the lab extension in Jupyter's data folders; the first one found is the one that is used."""
    from jupyter_core.paths import jupyter_path

    for folder in _folders(lambda: jupyter_path("labextensions")):
        place = Path(folder) / _EXTENSION
        found = _read_json(place / "package.json").get("version")
        if isinstance(found, str):
            return _LabExtension(found, place, _is_disabled())
    return None


def _server_extension() -> bool | None:
    """Check whether a Jupyter server of this environment loads the server extension.

    Returns
    -------
    bool or None
        False where it was disabled; None where it is not installed.
    """
    from jupyter_core.paths import jupyter_config_path

    found: bool | None = None
    # The first of the list wins.
    for folder in reversed(_folders(jupyter_config_path)):
        base = Path(folder) / "jupyter_server_config"
        for path in (*_json_files(base.with_suffix(".d")), base.with_suffix(".json")):
            section = _read_json(path).get("ServerApp")
            extensions = section.get("jpserver_extensions") if isinstance(section, dict) else None
            if isinstance(extensions, dict) and _SERVER_EXTENSION in extensions:
                found = extensions[_SERVER_EXTENSION] is True
    return found


def _is_disabled() -> bool:
    """Read what ``jupyter labextension disable`` writes; the folder that comes first decides."""
    from jupyter_core.paths import jupyter_config_path

    for folder in _folders(jupyter_config_path):
        disabled = _read_json(Path(folder) / "labconfig" / "page_config.json").get(
            "disabledExtensions"
        )
        if isinstance(disabled, dict) and _EXTENSION in disabled:
            return disabled[_EXTENSION] is True
        if isinstance(disabled, list) and _EXTENSION in disabled:
            return True
    return False


def _folders(of_jupyter: Callable[[], list[str]]) -> list[str]:
    try:
        return of_jupyter()
    except RuntimeError:  # there is no home folder
        return []


def _json_files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.json"))
    except OSError:  # it cannot be entered
        return []


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _numbers(text: str) -> tuple[int, ...]:
    leading = re.match(r"[0-9]+(\.[0-9]+)*", text)
    return tuple(int(part) for part in leading[0].split(".")) if leading else ()
