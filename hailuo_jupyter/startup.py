"""The working directory and the environment of this process, read once, when the package is imported.

Values derived from them (the notebook, a relative path of the run log) must not change when a
cell runs ``%cd`` or `os.chdir`, or changes the environment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

#: `jupyter hailuo execute` and the papermill engine name the notebook that they run with these.
NOTEBOOK_ID = "HAILUO_NOTEBOOK_ID"
NOTEBOOK_PATH = "HAILUO_NOTEBOOK_PATH"

#: Set by `jupyter hailuo execute`: cells return at once, and all runs are awaited at the end.
PARALLEL = "HAILUO_PARALLEL"

#: Jupyter Server's: the notebook's absolute path when its kernel was started.
SESSION_NAME = "JPY_SESSION_NAME"

#: Google Colab's: the notebook's id in its drive.
COLAB_ID = "COLAB_NOTEBOOK_ID"

_READ = (NOTEBOOK_ID, NOTEBOOK_PATH, PARALLEL, SESSION_NAME, COLAB_ID)


@dataclass(frozen=True)
class _Startup:
    folder: Path
    variables: dict[str, str]


def read() -> None:
    """Read both again, as in a new process. For tests."""
    global _startup  # noqa: PLW0603 -- there is one per process
    _startup = _Startup(_working_directory(), {name: os.environ.get(name, "") for name in _READ})


def folder() -> Path:
    """Return the working directory at import, absolute. It may not exist any more."""
    return _startup.folder


def variable(name: str) -> str:
    """Return one of the variables named above with its value at import; empty if it was not set."""
    return _startup.variables[name]


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        # The path used by the shell or the program that started the kernel.
        named = (os.environ.get("PWD", ""), os.path.expanduser("~"), os.sep)  # noqa: PTH111 -- never raises
        return next(Path(each) for each in named if Path(each).is_absolute())


_startup: _Startup
read()
