"""Writes the fault table down for users: ``python -m tests.contract.fault_page``.

Run it in the repository's root; a test tells when `docs/faults.md` is no longer what it would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hailuo_jupyter import catalogue

from .fault_outcomes import OUTCOMES, Outcome
from .fault_table import LACKS, STAGES, TROUBLES, Met, Stage, Trouble

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

_HEAD = """\
# When something goes wrong

What hailuo-jupyter does when the network, a provider, a clip's file, a clock or the disk fails: what it
means for your money and your clip, what happens by itself, and what is left to you.

Two rules stand behind every line. **A submit is sent once**: it is repeated only where it surely did not
arrive, or where the provider said so. **What is paid for is not given up**: asking and fetching cost
nothing, so they are repeated for as long as the provider keeps the clip.

This page is written by `python -m tests.contract.fault_page` from the table that the tests let happen,
against the simulator and not against a real provider.

## What can become of a run
"""

_MATRIX = """\
## Which fault leads where

The columns are the stages of a run: *upload* of a local frame (Segmind), *submit*, *poll* (how is the
job doing), *result* (where is the clip; Segmind), *download*, and *history*, which is asked when the
answer to a submit was lost. Where two outcomes stand in a cell, the first holds if the fault passes, the
second if it does not end. A dash: the fault cannot meet that stage.
"""

_DISK = """\
## The disk

| Fault | What happens | Money and clip | What we do | What you do |
|---|---|---|---|---|
| No space, before a submit | The cell is refused | Nothing was sent and nothing was paid | Look for 64 MB \
beforehand | Make room, or name another folder with `--output` |
| No space, a read-only folder, or a folder that is gone, when the clip comes | The run is *bought, not \
downloaded yet* | The clip is paid for and stays at the provider for a while | Try again by itself until \
the provider has deleted it; nothing half is left behind | Make room or mend the folder; `%hailuo resume` \
tries at once |
| No space for the run log, before a submit | The cell is refused | Nothing was sent and nothing was paid \
| Write down before sending | Make room |
| No space for the run log, after a submit | The run waits for the log | The clip is paid for; its job's id \
is held in memory and written as soon as there is room | Try again by itself | Make room, and let the \
kernel run until then |
| A clip was deleted afterwards | The cell fetches it again while the provider keeps it, else it is refused \
| Nothing is bought by itself | `jupyter hailuo verify` tells; `%hailuo show` says how to fetch it | Run the \
cell again, or put the file back |
| A clip was altered afterwards | `jupyter hailuo verify` tells | Nothing is bought | Compare the file with \
the sha256 of its record | Delete the file and run the cell again, while the provider keeps the clip |

No name of a prompt, a provider or a record leads out of the output folder: clips are named by the run's
id alone.
"""


def page() -> str:
    """Give the page's text."""
    return "\n".join([_HEAD, *_outcomes(), _MATRIX, *_groups(), _DISK]).rstrip() + "\n"


def _outcomes() -> Iterator[str]:
    yield "| Outcome | What happens | Money and clip | What we do | What you do |"
    yield "|---|---|---|---|---|"
    for each in OUTCOMES:
        cells = (f"**{each.title}**", each.happens, each.money, each.we, each.you)
        yield f"| {' | '.join(cells)} |"
    yield ""


def _groups() -> Iterator[str]:
    for group in dict.fromkeys(row.group for row in TROUBLES):
        yield f"### {group}\n"
        yield f"| Fault | {' | '.join(stage.capitalize() for stage in STAGES)} |"
        yield "|---" * (len(STAGES) + 1) + "|"
        for row in (row for row in TROUBLES if row.group == group):
            cells = [_cell(row, stage) for stage in STAGES]
            yield f"| {_named(row)} | {' | '.join(cells)} |"
        yield ""


def _named(row: Trouble) -> str:
    if len(row.only) == len(LACKS):
        return row.name
    return f"{row.name} ({', '.join(catalogue.provider(name).title for name in row.only)})"


def _cell(row: Trouble, stage: Stage) -> str:
    told: dict[str, list[str]] = {}
    for provider in row.only:
        for each, met in row.stages(provider):
            if each == stage:
                told.setdefault(_words(met), []).append(catalogue.provider(provider).title)
    if len(told) <= 1:
        return next(iter(told), "-")
    return "; ".join(f"{', '.join(titles)}: {words}" for words, titles in told.items())


def _words(met: Met) -> str:
    both: list[Outcome] = [each for each in (met.passing, met.lasting) if each is not None]
    return ", or ".join(each.title for each in both)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
