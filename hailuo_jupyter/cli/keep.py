"""``jupyter hailuo du``, ``prune`` and ``relink``: clips on the disk, where they lie and which stay."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.cli.saying import say

if TYPE_CHECKING:
    from hailuo_jupyter.nbfile.prune_plan import Filter

_DAY_S = 86_400
_SPANS = {"h": 3600, "d": _DAY_S, "w": 7 * _DAY_S}
_ANEW = (
    "The run log would forget these runs: a cell that asks for one would buy its clip anew. What was "
    "paid for them still counts in costs and budgets."
)
_YES = "do it; without this, it is only shown what would be done"


def add(commands: Any) -> None:
    """Add the words of these commands to the command line's."""
    _command(
        commands,
        "du",
        "how much room clips take, by folder and notebook",
        "Adds up clips, records and kept frames of the runs in the run log. Changes nothing.",
    )
    prune = _command(
        commands,
        "prune",
        "delete clips that are no longer wanted (shows first which; --yes deletes)",
        "Deletes clips, their records and the frames that no other run needs, of runs that have ended "
        "and to which all filters given apply. The run log keeps the runs, and the day on which their "
        "clips were deleted, so that their cells do not buy them anew. A file that is not the one "
        "that the record tells of stays, and so does whatever is still being made.",
    )
    prune.add_argument(
        "--older-than", type=_span, metavar="AGE", help="asked for longer ago: 12h, 30d, 8w"
    )
    prune.add_argument(
        "--state",
        action="append",
        choices=["completed", "rejected", "failed", "expired"],
        help="in this state; may be repeated",
    )
    prune.add_argument(
        "--notebook",
        type=Path,
        action="append",
        metavar="NOTEBOOK",
        help="asked for in this notebook",
    )
    prune.add_argument("--tag", action="append", default=[], help="with this tag; may be repeated")
    prune.add_argument(
        "--rating-below",
        type=int,
        choices=range(1, 6),
        metavar="N",
        help="rated lower than N, 1 to 5",
    )
    prune.add_argument("--keep-rated", action="store_true", help="leave alone whatever is rated")
    prune.add_argument(
        "--forget",
        action="store_true",
        help="take the runs out of the run log, too: their cells would then buy anew",
    )
    prune.add_argument("--yes", action="store_true", help=_YES)
    relink = _command(
        commands,
        "relink",
        "find clips again whose folder was moved (shows first which; --yes writes it down)",
        "Looks through folders for clips that the run log misses, by run id and sha256, and has the "
        "log know where they lie now. No file is touched.",
    )
    relink.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="where to look, with all below it"
    )
    relink.add_argument("--yes", action="store_true", help=_YES)


def _command(commands: Any, name: str, line: str, text: str) -> argparse.ArgumentParser:
    found: argparse.ArgumentParser = commands.add_parser(
        name, help=line, description=text, allow_abbrev=False
    )
    return found


def _span(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age such as 12h, 30d or 8w")
    return int(found[1]) * float(_SPANS[found[2]])


def du(_arguments: argparse.Namespace) -> int:
    """Do ``du``."""
    from hailuo_jupyter.nbfile.logs import logs_there
    from hailuo_jupyter.nbfile.usage import usage

    with logs_there() as logs:
        uses = usage(logs)
    if not uses:
        _say(["There are no runs yet."])
        return 0
    lines = []
    for use in uses:
        gone = f", {use.gone} not there" if use.gone else ""
        where = use.notebook or "no notebook"
        clips = f"{use.clips} clip(s){gone}"
        lines.append(f"{_size(use.bytes):>9}  {clips:<26} {where}  in {use.folder}")
    together = {path: size for use in uses for path, size in use.sizes.items()}
    total = sum(use.clips for use in uses)
    _say([*lines, f"{_size(sum(together.values())):>9}  {total} clip(s) in all"])
    return 0


def prune(arguments: argparse.Namespace) -> int:
    """Do ``prune``."""
    from hailuo_jupyter.nbfile.logs import logs_there
    from hailuo_jupyter.nbfile.prune import prune as delete
    from hailuo_jupyter.nbfile.prune_plan import plan as look

    which, forget = _filter(arguments), arguments.forget
    with logs_there() as logs:
        plan = look(which, logs, forget=forget)
        if not plan.candidates:
            _say([*plan.remarks, "Nothing is to be deleted."])
            return 0
        if not arguments.yes:
            _say(_shown(plan.candidates))
            _say(plan.remarks)
            clips = sum(each.clip is not None for each in plan.candidates)
            _say([f"{clips} clip(s) of {len(plan.candidates)} run(s), {_size(plan.bytes)} in all."])
            if forget:
                _say([_ANEW])
            _say(["Nothing was deleted. --yes deletes them; what was paid for is not paid back."])
            return 0
        done = delete(plan.candidates, forget=forget)
    forgotten = f", {done.forgotten} forgotten" if forget else ""
    _say([*plan.remarks, *done.remarks])
    _say([f"{done.runs} run(s){forgotten}: {done.files} file(s) deleted, {_size(done.bytes)}."])
    return 1 if done.remarks else 0


def _filter(arguments: argparse.Namespace) -> Filter:
    from hailuo_jupyter.errors import OptionError
    from hailuo_jupyter.nbfile.prune_plan import Filter
    from hailuo_jupyter.states import FINAL, State

    given = (
        arguments.older_than,
        arguments.state,
        arguments.notebook,
        arguments.tag,
        arguments.rating_below,
    )
    if all(each is None or each == [] for each in given):
        raise OptionError(
            "It is not said which runs are meant.",
            money="Nothing was deleted.",
            todo="Give at least one of --older-than, --state, --notebook, --tag, --rating-below.",
        )
    return Filter(
        older_than_s=arguments.older_than,
        states=frozenset(map(State, arguments.state)) if arguments.state else FINAL,
        notebook_ids=_ids(arguments.notebook) if arguments.notebook else None,
        tags=frozenset(arguments.tag),
        rating_below=arguments.rating_below,
        keep_rated=arguments.keep_rated,
    )


def _ids(notebooks: Iterable[Path]) -> frozenset[str]:
    """Give the ids that notebooks go by: the one written in each, and the one made of its path."""
    from hailuo_jupyter.nbfile.document import read
    from hailuo_jupyter.nbfile.records import written_id
    from hailuo_jupyter.notebook_id import made_of_path

    found: set[str] = set()
    for path in notebooks:
        # One that is gone has its id by its path alone, where it had no other.
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
            parts.append(f"{len(each.frames)} frame(s)")
        rated = "" if record.rating is None else f"rated {record.rating}"
        lines.append(
            f"  {each.row.run_id}  {each.row.state.words:<9} {rated:<7} {_size(each.bytes):>9}  "
            f"{' + '.join(parts) or 'no file'} in {each.row.folder}"
        )
    return lines


def relink(arguments: argparse.Namespace) -> int:
    """Do ``relink``."""
    from hailuo_jupyter.nbfile import relink as linking
    from hailuo_jupyter.nbfile.logs import logs_there

    with logs_there() as logs:
        found = linking.look(arguments.folders, logs)
        _say(found.remarks)
        if not found.moves:
            _say([f"No clip is found again; {found.in_place} lie(s) where the run log says."])
            return 1 if found.remarks else 0
        if not arguments.yes:
            _say(f"  {m.row.run_id}  {m.row.folder} -> {m.folder}" for m in found.moves)
            _say([f"{len(found.moves)} clip(s) were moved. --yes has the run log know it."])
            return 0
        done = linking.relink(found.moves)
    _say([f"{done} clip(s) are known at their new place."])
    return 0


def _say(lines: Iterable[str]) -> None:
    from hailuo_jupyter.kernel.words import harmless

    say(*(harmless(" ".join(line.splitlines())) for line in lines))


def _size(amount: int) -> str:
    import humanize

    return humanize.naturalsize(amount)


DO: dict[str, Callable[[argparse.Namespace], int]] = {"du": du, "prune": prune, "relink": relink}
