"""Build the documentation: `python docs/build.py [OUT]`; any warning is an error.

The sources are the pages in this folder, the notebooks in `notebooks/`, which are executed against the demo,
and the package itself: `generated.py` fills the places that pages mark with `<!-- generated: NAME -->`.
Nothing leaves this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import generated

from hailuo_jupyter.catalogue import DEMO_SPEED, providers
from hailuo_jupyter.engine.demo_server import ADDRESS, TOKEN
from hailuo_jupyter.ipynb.embed import embed
from hailuo_jupyter.ipynb.execute import execute
from hailuo_jupyter.settings import LOOPBACK_ONLY, Hailuo
from hailuo_jupyter.simulator import Simulator, SimulatorOptions

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

# Behind the environment's own packages, so that what is installed there is what is documented.
sys.path.append(str(ROOT))

from tests.support.forking.kernels import fork_kernels  # noqa: E402

#: The tutorials, in the order in which they are read.
TUTORIALS = ("quickstart", "image_to_video", "sweep", "research_log", "scripts", "lab_notebook")

#: Pages of the repository's root that are part of the site, in its folder `project`.
PROJECT = ("CONTRIBUTING.md", "CHANGELOG.md")

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def main() -> int:
    """Build the site; return Sphinx's exit status, or 1 if a notebook fails."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("out", nargs="?", type=Path, default=DOCS / "_build")
    arguments.add_argument("--no-notebooks", action="store_true", help="do not execute notebooks")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="hailuo-docs-") as folder:
        source = Path(folder) / "source"
        copy_pages(source)
        if not add_tutorials(source / "tutorials", Path(folder), run=not chosen.no_notebooks):
            return 1
        words = ("-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-j", "2", "-E")
        doctrees = Path(folder) / "doctrees"
        built = subprocess.run(
            [sys.executable, *words, "-d", str(doctrees), str(source), str(chosen.out)], check=False
        )
    if not built.returncode:
        print(f"The documentation is in {chosen.out / 'index.html'}.")
    return built.returncode


def copy_pages(source: Path) -> None:
    """Copy this folder, the notebooks and the root's pages; fill in what is generated."""
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("_build", "*.py", "__pycache__"))
    shutil.copyfile(DOCS / "conf.py", source / "conf.py")
    shutil.copytree(
        ROOT / "notebooks", source / "notebooks", ignore=shutil.ignore_patterns("hailuo")
    )
    (source / "project").mkdir()
    for name in PROJECT:
        shutil.copyfile(ROOT / name, source / "project" / name)
    for page in source.rglob("*.md"):
        text = generated.filled(page.read_text(encoding="utf-8"))
        page.write_text(relinked(text, page.relative_to(source)), encoding="utf-8")


def relinked(text: str, page: Path) -> str:
    """Return a page's text with links between the repository's root and `docs/` as the site has them.

    A link to a notebook leads to its tutorial; one whose text is the file's name downloads it.

    Parameters
    ----------
    text
        Links are relative to the page's file in the repository.
    page
        The page in the site.
    """
    at_root = page.parent.name == "project"
    here = ROOT if at_root else (DOCS / page).parent

    def link(match: re.Match[str]) -> str:
        target = (here / match["path"]).resolve()
        if target in {ROOT / name for name in PROJECT}:
            moved = Path("project") / target.name
        elif target.is_relative_to(DOCS):
            moved = target.relative_to(DOCS)
        elif target.parent == ROOT / "notebooks" and not match["text"].endswith(target.suffix):
            moved = Path("tutorials") / target.name
        elif target.parent == ROOT / "notebooks":
            return f"{{download}}`{match['text']} </{target.relative_to(ROOT).as_posix()}>`"
        else:
            return match[0]
        path = Path(os.path.relpath(moved, page.parent)).as_posix()
        return f"[{match['text']}]({path}{match['anchor'] or ''})"

    return _LINK.sub(link, text)


def add_tutorials(target: Path, work: Path, *, run: bool) -> bool:
    """Write the executed notebooks, with their clips inside; return whether all succeeded."""
    if not run:
        for name in TUTORIALS:
            notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8"))
            # What a kernel writes, and Sphinx reads to highlight magics.
            notebook["metadata"]["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
            (target / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        return True
    for variable in {TOKEN, *(name for each in providers() for name in each.key_variables)}:
        os.environ.pop(variable, None)
    # Loading the libraries takes a kernel longer than most notebooks take.
    fork_kernels()
    # Clips of half the size: drawing them takes time, and a page has to hold them.
    options = SimulatorOptions(speed=DEMO_SPEED, caption=True, shrink=2, cache=work / "clips")
    # All at once, since they mostly wait for clips.
    with Simulator(options) as simulator, ThreadPoolExecutor(len(TUTORIALS)) as pool:
        done = pool.map(lambda name: _execute(name, target, work / name, simulator.url), TUTORIALS)
        problems = [problem for each in done for problem in each]
    for problem in problems:
        print(problem, file=sys.stderr)
    return not problems


def _execute(name: str, target: Path, folder: Path, simulator: str) -> list[str]:
    """Execute a notebook and write it with its clips inside; return what failed."""
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns("hailuo", "*.ipynb"))
    notebook = folder / f"{name}.ipynb"
    shutil.copyfile(ROOT / "notebooks" / notebook.name, notebook)
    profile = folder / ".ipython" / "profile_default"
    profile.mkdir(parents=True)
    # Not ipykernel's warning about its local connection.
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 'ERROR'\n")
    settings = Hailuo(run_log=str(folder / ".hailuo" / "runs.sqlite3"), output_dir="hailuo")
    environment = {
        LOOPBACK_ONLY: "1",
        ADDRESS: simulator,
        # One notebook shows what a budget refuses, which a missing key would refuse first.
        "SEGMIND_API_KEY": "not-a-key",
        "HAILUO_RUN_LOG": settings.run_log,
        "HAILUO_OUTPUT_DIR": settings.output_dir,
        "HAILUO_PROVIDER": "",
        "IPYTHONDIR": str(folder / ".ipython"),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
    problems = execute(notebook, settings=settings, environment=environment).problems
    done = embed(notebook, target / notebook.name, settings=settings)
    # A notebook of scripts shows no run in its outputs, which embedding remarks upon.
    remarks = done.remarks if done.clips else ()
    return [f"{name}: {each}" for each in (*problems, *remarks)]


if __name__ == "__main__":
    sys.exit(main())
