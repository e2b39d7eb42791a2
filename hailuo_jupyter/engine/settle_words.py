"""What is said of a run by its provider's history."""

from __future__ import annotations

from hailuo_jupyter.errors import AnswerLost, HailuoError, JobFailed, Rejected
from hailuo_jupyter.providers.base import NOTHING_BOUGHT
from hailuo_jupyter.providers.history import HistoryRow


def charged(source: str, usd: float) -> str:
    """Say what a job without a clip did cost."""
    if usd == 0:
        return f"It was not charged, says {source}; there is no clip."
    return f"{usd:.4g} USD were charged, says {source}; there is no clip."


def failed(source: str, row: HistoryRow, *, refused: bool) -> HailuoError:
    """Say that a request whose answer was lost has failed.

    Parameters
    ----------
    source
        Whose history.
    row
        Its row.
    refused
        Whether no job was made and nothing charged.
    """
    words = f": {row.words}" if row.words else "."
    again = "Run the cell again to send it once more."
    if refused:
        return Rejected(
            f"The answer was lost; by {source} the request was refused{words}",
            money=NOTHING_BOUGHT,
            todo=again,
        )
    money = (
        "Whether it was charged is not told there; there is no clip."
        if row.cost_usd is None
        else charged(source, row.cost_usd)
    )
    return JobFailed(
        f"The answer was lost; by {source} the job was taken and has failed{words}",
        money=money,
        todo=again,
    )


def ambiguous(source: str, several: int) -> AnswerLost:
    """Say that several requests of the history, or several runs, could be each other."""
    return AnswerLost(
        f"The answer was lost, and {source} does not tell which request of that time is this run: "
        f"{several} are alike.",
        money="The clip may have been bought.",
        todo="Look at the provider's history before you send it again with --new.",
    )


def absent(source: str, passed: float) -> AnswerLost:
    """Say that the history does not show the request after `passed` seconds."""
    return AnswerLost(
        f"The answer was lost, and {source}, asked with the present key, does not show the request "
        f"{passed / 60:.0f} minutes later.",
        money="It was probably not bought.",
        todo="Put --new on the cell to send it again.",
    )
