"""What is installed: versions of what takes part, and the extensions where Jupyter looks for them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

#: Name of the lab extension, and of its folder below ``labextensions``.
EXTENSION = "hailuo-jupyter"

#: Name of the server extension.
SERVER_EXTENSION = "hailuo_jupyter"

#: Distributions that take part, with the oldest version that does; empty where any will do.
TAKING_PART = {
    "ipython": "8.20",
    "ipykernel": "6.29",
    "ipywidgets": "8.1",
    "jupyterlab_widgets": "",
    "jupyterlab": "4.1",
    "notebook": "",
}


@dataclass(frozen=True)
class LabExtension:
    """The lab extension as a Jupyter server of this environment finds it.

    Parameters
    ----------
    version
        What its package.json says.
    folder
        Where it lies.
    disabled
        Whether a setting of JupyterLab's keeps it from being loaded.
    """

    version: str
    folder: Path
    disabled: bool


def version(distribution: str) -> str | None:
    """Give the version of a distribution in this environment, or None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def older(found: str, least: str) -> bool:
    """Tell whether a version is older than another; only their leading numbers count."""
    return _numbers(found) < _numbers(least)


def lab_extension() -> LabExtension | None:
    """Find the lab extension in Jupyter's data folders; the first one found is the one that is used."""
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("labextensions"):
        place = Path(folder) / EXTENSION
        found = _read(place / "package.json").get("version")
        if isinstance(found, str):
            return LabExtension(found, place, _disabled())
    return None


def server_extension() -> bool | None:
    """Tell whether a Jupyter server of this environment loads the server extension.

    Returns
    -------
    bool or None
        False where it was disabled; None where it is not installed.
    """
    from jupyter_core.paths import jupyter_config_path

    found: bool | None = None
    for folder in reversed(jupyter_config_path()):  # the first of the list has the last word
        base = Path(folder) / "jupyter_server_config"
        for path in (*sorted(base.with_suffix(".d").glob("*.json")), base.with_suffix(".json")):
            said = _read(path).get("ServerApp")
            extensions = said.get("jpserver_extensions") if isinstance(said, dict) else None
            if isinstance(extensions, dict) and SERVER_EXTENSION in extensions:
                found = extensions[SERVER_EXTENSION] is True
    return found


def _disabled() -> bool:
    """Read what ``jupyter labextension disable`` writes; the folder that comes first decides."""
    from jupyter_core.paths import jupyter_config_path

    for folder in jupyter_config_path():
        said = _read(Path(folder) / "labconfig" / "page_config.json").get("disabledExtensions")
        if isinstance(said, dict) and EXTENSION in said:
            return said[EXTENSION] is True
        if isinstance(said, list) and EXTENSION in said:
            return True
    return False


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _numbers(text: str) -> tuple[int, ...]:
    leading = re.match(r"[0-9]+(\.[0-9]+)*", text)
    return tuple(int(part) for part in leading[0].split(".")) if leading else ()
