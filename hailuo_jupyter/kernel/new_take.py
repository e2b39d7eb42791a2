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
        ``problem``, and if that is empty ``token``, ``count``, ``price``, ``was`` and ``changes``.
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
    from hailuo_jupyter.kernel import rerun
    from hailuo_jupyter.kernel.consent import Quote, offer

    submission = _submission(source, ip)
    changes: str | None = None
    if record is not None:
        same = record.fingerprint == submission.request.fingerprint
        changes = "" if same else rerun.changes(submission.request, record) or "another request"
    return {
        "problem": "",
        "token": offer(Quote.of(submission)),
        "count": submission.count,
        "price": _times(submission.price, submission.count).text,
        "was": "" if record is None else formatting.escape_control(record.cost.text()),
        "changes": None if changes is None else formatting.escape_control(changes),
    }


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
        return replace(submission, new=True)
    words = split(line) if magic == "%hailuo" else []
    if words[:1] == ["rerun"] and not below.strip():
        parsed = parse_line(words[1:], annotate.RERUN_OPTIONS)
        _check_buys(parsed)
        return annotate.planned(parsed, ip, new=True).submission
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
