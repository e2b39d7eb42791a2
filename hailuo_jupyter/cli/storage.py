"""``jupyter hailuo du``, ``prune`` and ``relink``: disk usage, deleting clips, and clips that were moved."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.cli.arguments import command
from hailuo_jupyter.cli.console import say
from hailuo_jupyter.formatting import count

if TYPE_CHECKING:
    from hailuo_jupyter.ipynb.prune import PruneFilter
    from hailuo_jupyter.ipynb.relink import MovedClip

_DAY_S = 86_400
_SPANS = {"h": 3600, "d": _DAY_S, "w": 7 * _DAY_S}
_BOUGHT_AGAIN = (
    "The run log would forget these runs: their cells would buy them again. Their cost still counts in "
    "costs and budgets."
)
_YES = "do it; without this option, only list what would be done"


def add(commands: Any) -> None:
    """Add these commands."""
    command(
        commands,
        "du",
        du,
        "disk usage of clips, by folder and notebook",
        "Adds up clips, records and kept frames of the runs in the run log. Changes nothing.",
    )
    adding = command(
        commands,
        "prune",
        prune,
        "delete clips you no longer need (lists them first; --yes deletes)",
        "Deletes clips, records and unshared frames of finished runs that match all given filters. The "
        "run log keeps the runs, and the day on which their clips were deleted, so that their cells do "
        "not buy them again. A file that does not match its record is kept, and so is everything that "
        "is still being generated.",
    )
    adding.add_argument(
        "--older-than", type=_span, metavar="AGE", help="submitted longer ago than: 12h, 30d, 8w"
    )
    adding.add_argument(
        "--state",
        action="append",
        choices=["completed", "rejected", "failed", "expired"],
        help="only runs in this state; may be repeated",
    )
    adding.add_argument(
        "--notebook",
        type=Path,
        action="append",
        metavar="NOTEBOOK",
        help="only this notebook's runs",
    )
    adding.add_argument(
        "--tag", action="append", default=[], help="only runs with this tag; may be repeated"
    )
    adding.add_argument(
        "--rating-below",
        type=int,
        choices=range(1, 6),
        metavar="N",
        help="only runs rated lower than N, 1 to 5",
    )
    adding.add_argument("--keep-rated", action="store_true", help="keep all rated runs")
    adding.add_argument(
        "--forget",
        action="store_true",
        help="also remove the runs from the run log: their cells would buy them again",
    )
    adding.add_argument("--yes", action="store_true", help=_YES)
    adding = command(
        commands,
        "relink",
        relink,
        "find clips that were moved or renamed (lists them first; --yes updates the run log)",
        "Searches folders for clips that are missing from the run log's folders, by sha256, "
        "and updates the log. No file is changed.",
    )
    adding.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="where to search, including subfolders",
    )
    adding.add_argument("--yes", action="store_true", help=_YES)


def _span(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"invalid age {text!r} (examples: 12h, 30d, 8w)")
    return int(found[1]) * float(_SPANS[found[2]])


def du(_arguments: argparse.Namespace) -> int:
    """Run ``du``."""
    from hailuo_jupyter.ipynb.disk_usage import disk_usage
    from hailuo_jupyter.ipynb.locate import existing_logs

    with existing_logs() as logs:
        uses, remarks = disk_usage(logs)
    _say(remarks)
    if not uses:
        if not remarks:
            _say(["No runs yet."])
        return 0
    lines = []
    for use in uses:
        gone = f", {use.gone} missing" if use.gone else ""
        where = use.notebook or "no notebook"
        clips = f"{count(use.clips, 'clip')}{gone}"
        lines.append(f"{_size(use.bytes):>9}  {clips:<26} {where}  in {use.folder}")
    together = {path: size for use in uses for path, size in use.sizes.items()}
    total = sum(use.clips for use in uses)
    _say([*lines, f"{_size(sum(together.values())):>9}  {count(total, 'clip')} in total"])
    return 0


def prune(arguments: argparse.Namespace) -> int:
    """Run ``prune``."""
    from hailuo_jupyter.ipynb.locate import existing_logs
    from hailuo_jupyter.ipynb.prune import plan_prune as look
    from hailuo_jupyter.ipynb.prune import prune as delete

    which, forget = _filter(arguments), arguments.forget
    with existing_logs() as logs:
        plan = look(which, logs, forget=forget)
        if not plan.candidates:
            _say([*plan.remarks, "Nothing to delete."])
            return 0
        if not arguments.yes:
            _say(_shown(plan.candidates))
            _say(plan.remarks)
            clips = count(sum(each.clip is not None for each in plan.candidates), "clip")
            runs = count(len(plan.candidates), "run")
            _say([f"{clips} of {runs}, {_size(plan.bytes)} in total."])
            if forget:
                _say([_BOUGHT_AGAIN])
            _say(
                [
                    "Nothing was deleted. Use --yes to delete them. Deleting does not refund their cost."
                ]
            )
            return 0
        done = delete(plan.candidates, forget=forget)
    forgotten = f", {done.forgotten} forgotten" if forget else ""
    _say([*plan.remarks, *done.remarks])
    files = count(done.files, "file")
    _say([f"{count(done.runs, 'run')}{forgotten}: {files} deleted, {_size(done.bytes)}."])
    return 1 if done.remarks else 0


def _filter(arguments: argparse.Namespace) -> PruneFilter:
    from hailuo_jupyter.errors import OptionError
    from hailuo_jupyter.ipynb.prune import PruneFilter
    from hailuo_jupyter.states import FINAL, State

    filters = (
        arguments.older_than,
        arguments.state,
        arguments.notebook,
        arguments.tag,
        arguments.rating_below,
    )
    if all(each is None or each == [] for each in filters):
        raise OptionError(
            "Specify which runs to delete.",
            money="Nothing was deleted.",
            todo="Use at least one of --older-than, --state, --notebook, --tag, --rating-below.",
        )
    return PruneFilter(
        older_than_s=arguments.older_than,
        states=frozenset(map(State, arguments.state)) if arguments.state else FINAL,
        notebook_ids=_ids(arguments.notebook) if arguments.notebook else None,
        tags=frozenset(arguments.tag),
        rating_below=arguments.rating_below,
        keep_rated=arguments.keep_rated,
    )


def _ids(notebooks: Iterable[Path]) -> frozenset[str]:
    """Return the ids of notebooks: the one written in each, and the one derived from its path."""
    from hailuo_jupyter.ids import made_of_path
    from hailuo_jupyter.ipynb.document import read
    from hailuo_jupyter.ipynb.records import written_id

    found: set[str] = set()
    for path in notebooks:
        # A deleted notebook can only be found by the id derived from its path.
        written = written_id(read(path).nb) if path.is_file() else None
        whole = Path(os.path.abspath(path))  # noqa: PTH100 - without following links
        found |= {made_of_path(whole)} | ({written} if written else set())
    return frozenset(found)


def _shown(candidates: Iterable[Any]) -> list[str]:
    lines = []
    for each in candidates:
        record, parts = each.row.record, []
        if each.clip is not None:
            parts.append("clip")
        if each.sidecar is not None:
            parts.append("record")
        if each.frames:
            parts.append(count(len(each.frames), "frame"))
        rated = "" if record.rating is None else f"rated {record.rating}"
        lines.append(
            f"  {each.row.run_id}  {each.row.state.words:<9} {rated:<7} {_size(each.bytes):>9}  "
            f"{' + '.join(parts) or 'no file'} in {each.row.folder}"
        )
    return lines


def relink(arguments: argparse.Namespace) -> int:
    """Run ``relink``."""
    from hailuo_jupyter.ipynb import relink as linking
    from hailuo_jupyter.ipynb.locate import existing_logs

    with existing_logs() as logs:
        found = linking.find_moved(arguments.folders, logs)
        _say(found.remarks)
        if not found.moves:
            in_place = count(found.in_place, "clip")
            _say([f"No moved clips found. In place, as the run log says: {in_place}."])
            return 1 if found.remarks else 0
        if not arguments.yes:
            _say(_moved(move) for move in found.moves)
            moved = count(len(found.moves), "moved clip")
            _say([f"{moved} found. Use --yes to update the run log."])
            return 0
        done = linking.relink(found.moves)
    _say([f"Run log updated: {count(done, 'clip')} in a new place."])
    return 0


def _moved(move: MovedClip) -> str:
    clip = move.row.record.clip
    renamed = "" if clip is None or clip.path == move.path.name else f"/{move.path.name}"
    return f"  {move.row.run_id}  {move.row.folder} -> {move.path.parent}{renamed}"


def _say(lines: Iterable[str]) -> None:
    from hailuo_jupyter.formatting import escape_control

    say(*(escape_control(" ".join(line.splitlines())) for line in lines))


def _size(amount: int) -> str:
    import humanize

    return humanize.naturalsize(amount)
