"""Build the front end: ``python frontend/build.py [--link | --check]``.

Needs Node 20.19 or newer, and ``pip install jupyter-builder``. ``--link`` has this environment's
JupyterLab and Notebook use the result from here on; ``--check`` fails where it differs from what is
committed.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

NAME = "hailuo-jupyter"
FRONTEND = Path(__file__).resolve().parent
BUILT = FRONTEND.parent / "hailuo_jupyter" / "labextension"


def build() -> None:
    """Install what the lock file names, and build the bundle."""
    # The scripts of package.json call each other, and jupyter-builder, by name.
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    jlpm = shutil.which("jlpm", path=path)
    if jlpm is None:
        sys.exit("There is no jlpm: pip install jupyter-builder.")
    for command in (["install", "--immutable"], ["build"]):
        environment = {**os.environ, "PATH": path}
        subprocess.run([jlpm, *command], cwd=FRONTEND, env=environment, check=True)  # noqa: S603


def link() -> None:
    """Put a link to the bundle where JupyterLab looks, in place of what an install has copied."""
    target = Path(sysconfig.get_path("data")) / "share" / "jupyter" / "labextensions" / NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        shutil.rmtree(target)
    target.symlink_to(BUILT)


def check() -> None:
    """Build anew, and compare with what was there."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "labextension"
        shutil.copytree(BUILT, before)
        build()
        if changed := differences(before, BUILT):
            sys.exit(f"The committed bundle is not what frontend/ builds: {', '.join(changed)}.")


def differences(one: Path, other: Path) -> list[str]:
    """Give the files that are not the same in two folders."""
    names = {path.relative_to(root) for root in (one, other) for path in root.rglob("*")}
    return sorted(
        str(name)
        for name in names
        if not (one / name).is_dir()
        and not (
            (one / name).is_file()
            and (other / name).is_file()
            and filecmp.cmp(one / name, other / name, shallow=False)
        )
    )


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--link", action="store_true", help="use it in this environment")
    options.add_argument("--check", action="store_true", help="compare it with what is committed")
    chosen = options.parse_args()
    if chosen.check:
        check()
    else:
        build()
    if chosen.link:
        link()
