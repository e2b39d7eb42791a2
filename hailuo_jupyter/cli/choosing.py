"""Which runs a command is about: the same words for every command that goes through the run log."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from hailuo_jupyter.states import State

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.runs import Runs


def add(parser: argparse.ArgumentParser) -> None:
    """Add the words to a command's."""
    parser.add_argument("--notebook", metavar="PATH", help="of one notebook (default: of all)")
    parser.add_argument(
        "--provider", choices=("segmind", "aimlapi", "demo"), help="of one provider"
    )
    parser.add_argument(
        "--state",
        action="append",
        choices=tuple(map(str, State)),
        metavar="STATE",
        help="in this state",
    )
    parser.add_argument("--tag", action="append", metavar="TAG", help="with this tag")
    parser.add_argument("--text", help="with this text in prompt, name, note or tags")
    parser.add_argument("--since", metavar="AGE|DATE", help="not older: 7d, 12h, or a date")
    parser.add_argument("--sweep", metavar="ID", help="of one sweep")
    parser.add_argument("--rating", type=int, choices=range(6), help="rated so or better")


def chosen(arguments: argparse.Namespace, **how: Any) -> Runs:
    """Give the runs that were chosen.

    Parameters
    ----------
    arguments
        What was written.
    **how
        Their order and pages, as for `hailuo_jupyter.kernel.runs.runs`.
    """
    from hailuo_jupyter.kernel.runs import runs

    return runs(
        arguments.notebook or "all",
        provider=arguments.provider,
        state=arguments.state,
        tag=arguments.tag,
        text=arguments.text,
        since=arguments.since,
        sweep=arguments.sweep,
        rating=arguments.rating,
        **how,
    )
