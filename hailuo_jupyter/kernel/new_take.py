"""What running a cell again would buy: for the lab extension's "New take".

The cell's current source is parsed as by its magic, with the notebook's variables as they are
now, and nothing is sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.errors import NOTHING_SENT, HailuoError, OptionError

if TYPE_CHECKING:
    from hailuo_jupyter.catalogue.types import Price
    from hailuo_jupyter.engine.submission import Submission
    from hailuo_jupyter.kernel.magic_args import OptionLine
    from hailuo_jupyter.record import Record


def quote(source: str, record: Record | None, ip: Any) -> dict[str, Any]:
    """Return what running a cell again would buy, as text for `comm_messages`. Nothing is sent.

    Parameters
    ----------
    source
        The cell's current source.
    record
        The run that the cell shows; None if the run log does not have it.
    ip
        The shell, whose variables the cell may use.

    Returns
    -------
    dict
        ``problem``, and if that is empty ``token``, ``count``, ``price``, ``was``, ``changes`` and
        ``existing``.
    """
    try:
        return _quoted(source, record, ip)
    except HailuoError as error:
        return _refused(str(error))
    except Exception as error:  # noqa: BLE001 - a field may be a property of the person's own objects
        return _refused(f"The cell cannot be read ({type(error).__name__}). {NOTHING_SENT}")


def _refused(why: str) -> dict[str, Any]:
    from hailuo_jupyter.formatting import escape_control

    return {"problem": escape_control(why), "token": "", "count": 0}


def _quoted(source: str, record: Record | None, ip: Any) -> dict[str, Any]:
    from hailuo_jupyter import formatting
    from hailuo_jupyter.kernel.consent import Quote, offer

    submission = _submission(source, ip)
    changes = None if record is None else _changes(submission, record)
    # Another take was asked for only of the request that is shown. Any other one is bought as by
    # running the cell, since the notebook may have its clip: of another take, or from another cell.
    another_take = changes == ""
    submission = replace(submission, new=another_take or submission.new)
    agreed = Quote.of(submission)
    return {
        "problem": "",
        "token": offer(agreed),
        "count": agreed.count,
        "price": _times(submission.price, agreed.count).text,
        "was": "" if record is None else formatting.escape_control(record.cost.text()),
        "changes": None if changes is None else formatting.escape_control(changes),
        "existing": "" if submission.new else _existing(submission),
    }


def _changes(submission: Submission, record: Record) -> str:
    """Return how a cell's submission differs from the one run that it shows; empty if it does not."""
    from hailuo_jupyter.kernel import rerun

    if record.fingerprint != submission.request.fingerprint:
        return rerun.changes(submission.request, record) or "another request"
    return "" if submission.count == 1 else f"{submission.count} clips"


def _existing(submission: Submission) -> str:
    """Return which runs running the cell shows instead of buying; empty if it shows none."""
    from hailuo_jupyter.engine import process
    from hailuo_jupyter.engine.decide import Action
    from hailuo_jupyter.engine.submission import decision

    words = {
        Action.SHOW: "has made this clip already",
        Action.ATTACH: "is making this clip already",
        Action.FETCH: "has made this clip already; it is downloaded again",
    }
    earlier = process.get_engine().find_reusable(submission).earlier
    kept = decision(earlier.values(), submission).kept
    return " ".join(f"Run {run_id} {words[action]}." for action, run_id in kept)


def _times(price: Price, count: int) -> Price:
    if price.low is None or price.high is None:
        return price
    return replace(price, low=price.low * count, high=price.high * count)


def _submission(source: str, ip: Any) -> Submission:
    """Parse a cell's source as its magic does.

    Raises
    ------
    HailuoError
        If the cell does not buy, or is invalid.
    """
    from hailuo_jupyter.kernel import generate
    from hailuo_jupyter.kernel.cell_source import (
        CELL_OPTIONS,
        options_from,
        parse_cell,
        prompt_of,
    )
    from hailuo_jupyter.kernel.commands import annotate
    from hailuo_jupyter.kernel.magic_args import parse_line, split
    from hailuo_jupyter.kernel.prompt import fill
    from hailuo_jupyter.settings import Hailuo

    lines = source.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    magic, _, line = (lines[0] if lines else "").strip().partition(" ")
    below = "\n".join(lines[1:])
    if magic == "%%hailuo":
        parsed, cell = parse_cell(line, below)
        _check_buys(parsed)
        prompt = fill(prompt_of(cell), ip.user_ns)
        options = options_from(parsed, CELL_OPTIONS, ip.user_ns)
        submission, _ = generate.submission_from(prompt, options, settings=Hailuo.instance())
        return submission
    words = split(line) if magic == "%hailuo" else []
    if words[:1] == ["rerun"] and not below.strip():
        parsed = parse_line(words[1:], annotate.RERUN_OPTIONS)
        _check_buys(parsed)
        return annotate.planned(parsed, ip).submission
    raise OptionError("This is no longer a %%hailuo cell.", money=NOTHING_SENT)


def _check_buys(parsed: OptionLine) -> None:
    if parsed.flag("help") or parsed.flag("dry-run"):
        raise OptionError(
            "A cell with --dry-run or --help sends nothing.",
            money=NOTHING_SENT,
            todo="Remove the option to make a clip.",
        )
    if parsed.many("sweep") or parsed.text("grid") is not None:
        raise OptionError(
            "This cell is a sweep now.",
            money=NOTHING_SENT,
            todo="Run it; it shows its plan and price first.",
        )
