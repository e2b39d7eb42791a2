"""``jupyter hailuo execute``, ``sync``, ``verify``, ``embed`` and ``export``: notebooks as files."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from hailuo_jupyter.cli.arguments import command
from hailuo_jupyter.cli.console import complain, say
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.formatting import count

_INTERRUPTED = 130


def add(commands: Any) -> None:
    """Add these commands."""
    adding = command(
        commands,
        "execute",
        execute,
        "run a notebook without a browser, with its clips in parallel",
        "Runs a notebook's cells, waits for all its clips, and writes outputs and records into the "
        "file. Clips that the notebook already has are not bought again.",
    )
    _notebook(adding)
    adding.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="write here instead of into NOTEBOOK"
    )
    adding.add_argument("--kernel", metavar="NAME", help="kernel to use (default: the notebook's)")
    adding.add_argument(
        "--timeout",
        type=_seconds,
        metavar="S",
        help="timeout per cell in seconds (the wait for clips at the end has none)",
    )
    adding.add_argument(
        "--allow-errors", action="store_true", help="continue after a cell that fails"
    )
    adding = command(
        commands,
        "sync",
        sync,
        "bring a notebook's records up to date",
        "Puts the records of a notebook's outputs into its metadata, takes newer ones from the run "
        "log and from the files next to the clips, and updates outdated outputs.",
    )
    _notebook(adding)
    _clips(adding)
    adding = command(
        commands,
        "verify",
        verify,
        "check a notebook's records against clips, frames, sidecars, run log and cells",
        "Checks a notebook's records; changes nothing. The exit status is 0 only if all is correct.",
    )
    _notebook(adding)
    _clips(adding)
    adding.add_argument("--json", action="store_true", help="JSON output")
    adding = command(
        commands,
        "embed",
        embed,
        "write a copy of a notebook that holds its clips, to play anywhere",
        "Puts clips into the outputs of a copy: small ones whole, previews of larger ones, and "
        "pictures once the copy is full. Runs whose clip is missing are left as they are and "
        "reported; the exit status is then 1.",
    )
    _notebook(adding)
    adding.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="the copy; may be NOTEBOOK itself",
    )
    adding.add_argument(
        "--clip-mb",
        type=_megabytes,
        metavar="MB",
        help="largest clip that goes in whole (default: Hailuo.embed_clip_mb, 2)",
    )
    adding.add_argument(
        "--notebook-mb",
        type=_megabytes,
        metavar="MB",
        help="most MB of clips and previews together (default: Hailuo.embed_notebook_mb, 20)",
    )
    _clips(adding)
    adding = command(
        commands,
        "export",
        export,
        "export a notebook with its clips and records as an RO-Crate",
        "Writes an RO-Crate (profile Process Run Crate): the notebook, its clips, frames and "
        "records, and what produced them. Missing or mismatched clips are skipped and reported; "
        "the exit status is then 1.",
    )
    _notebook(adding)
    adding.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="a new folder, or a new file that ends in .zip",
    )
    adding.add_argument(
        "--license", default="", metavar="LINK", help="license of the crate, as a link or name"
    )
    _clips(adding)


def _notebook(adding: argparse.ArgumentParser) -> None:
    adding.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="an .ipynb file")


def _clips(adding: argparse.ArgumentParser) -> None:
    adding.add_argument(
        "--clips",
        type=Path,
        metavar="DIR",
        help="folder of the clips, if neither the run log nor a link in the notebook names it",
    )


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of seconds, 1 or more: {text!r}")
    return int(text)


def _megabytes(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not 0 <= size < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of MB, 0 or more: {text!r}")
    return size


def execute(arguments: argparse.Namespace) -> int:
    """Run ``execute``."""
    from hailuo_jupyter.cli.progress import Progress
    from hailuo_jupyter.ipynb.execute import execute as run

    with Progress() as progress:
        outcome = run(
            arguments.notebook,
            arguments.output,
            kernel=arguments.kernel,
            timeout=arguments.timeout,
            allow_errors=arguments.allow_errors,
            tell=progress,
        )
    say(f"Wrote {outcome.path} with the records of {count(outcome.runs, 'run')}.")
    wanted = arguments.output or arguments.notebook
    if outcome.path != wanted:
        say(f"{wanted} was changed by another program in the meantime and was not overwritten.")
    if outcome.stopped:
        complain("Stopped.", *_collect(outcome.going_on, outcome.path))
        return _INTERRUPTED
    complain(*outcome.problems)
    if outcome.problems:
        complain(*_collect(outcome.going_on, outcome.path))
    return 1 if outcome.problems else 0


def _collect(going_on: tuple[str, ...], path: Path) -> list[str]:
    if not going_on:
        return []
    message = (
        f"{count(len(going_on), 'clip')} not ready yet: {', '.join(going_on)}. Use 'jupyter hailuo wait' "
        f"to download, then 'jupyter hailuo sync {path}' to update the notebook."
    )
    return [message]


def sync(arguments: argparse.Namespace) -> int:
    """Run ``sync``."""
    from hailuo_jupyter.ipynb.sync import sync as run

    done = run(arguments.notebook, arguments.clips)
    if not done.changed and not done.sidecars:
        say(f"{arguments.notebook}: up to date, {count(done.runs, 'run')}.")
    else:
        say(
            f"{arguments.notebook}: {count(done.runs, 'run')}; {count(done.lifted, 'record')} added or "
            f"updated, {count(done.redrawn, 'output')} updated, {count(done.sidecars, 'sidecar')} written."
        )
    complain(*done.remarks)
    return 1 if done.remarks else 0


def verify(arguments: argparse.Namespace) -> int:
    """Run ``verify``."""
    from hailuo_jupyter.formatting import escape_control
    from hailuo_jupyter.ipynb.verify import verify as run

    verdict = run(arguments.notebook, arguments.clips)
    if arguments.json:
        say(json.dumps(verdict.as_json(), indent=1))
        return 0 if verdict.ok else 1
    for finding in verdict.findings:
        about = f"run {finding.run_id}: " if finding.run_id else ""
        mark = "wrong" if finding.wrong else "note "
        say(
            escape_control(" ".join(f"{mark}  {finding.kind:<8} {about}{finding.text}".split("\n")))
        )
    wrong = sum(finding.wrong for finding in verdict.findings)
    clips = f"{verdict.clips} of {count(verdict.completed, 'clip')} present with the right hash"
    end = count(wrong, "problem") if wrong else "no problems"
    say(f"{arguments.notebook}: {count(verdict.runs, 'run')}, {clips}, {end}.")
    return 0 if verdict.ok else 1


def embed(arguments: argparse.Namespace) -> int:
    """Run ``embed``."""
    from hailuo_jupyter.ipynb.embed import embed as write

    done = write(
        arguments.notebook,
        arguments.output,
        arguments.clips,
        clip_mb=arguments.clip_mb,
        notebook_mb=arguments.notebook_mb,
    )
    held = [count(done.clips, "clip"), count(done.previews, "preview")]
    if done.pictures:
        held.append(f"{count(done.pictures, 'picture')} in place of a clip")
    repeated = done.clips + done.previews + done.pictures > done.runs
    of = f" ({count(done.runs, 'run')}; some are in several outputs)" if repeated else ""
    say(f"Wrote {done.path}: {', '.join(held)}{of}.")
    complain(*done.remarks)
    return 1 if done.remarks else 0


def export(arguments: argparse.Namespace) -> int:
    """Run ``export``."""
    try:
        from hailuo_jupyter.ipynb.crate import export as write
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rocrate":
            raise
        raise HailuoError(
            "Writing an RO-Crate needs rocrate, which is not installed.",
            money="Nothing was changed.",
            todo="Install it: pip install 'hailuo-jupyter[crate]'.",
        ) from None

    done = write(arguments.notebook, arguments.output, arguments.clips, licence=arguments.license)
    say(f"Wrote {done.path}: {count(done.runs, 'run')}, {count(done.clips, 'clip')}.")
    complain(*done.remarks)
    return 1 if done.remarks else 0
