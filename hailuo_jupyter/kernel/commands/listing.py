"""The commands of ``%hailuo``: their names, what follows them, and a line of help for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command.

    Parameters
    ----------
    help
        One line.
    home
        The module of this package whose table ``DO`` has its function.
    words
        What follows its name, as help shows it.
    least, most
        How many words may follow; None for any number.
    """

    help: str
    home: str
    words: str = ""
    least: int = 0
    most: int | None = 0

    @property
    def takes_run(self) -> bool:
        """Whether its first word is a run, which Tab completes."""
        return self.words.lstrip("[").startswith("RUN")

    @property
    def takes_runs(self) -> bool:
        """Whether runs follow its first word."""
        return self.words.startswith("RUN RUN")

    @property
    def takes_provider(self) -> bool:
        """Whether its first word is a provider, which Tab completes."""
        return self.words.lstrip("[").startswith("PROVIDER")


COMMANDS = {
    "runs": Command(
        "a table of this notebook's runs (--all: of every notebook; --help: filters, order)", "runs"
    ),
    "show": Command("a run's status and clip, in this cell", "runs", "RUN", 1, 1),
    "resume": Command(
        "watch and fetch whatever was bought and is not here yet; sends nothing but the rest of SWEEP",
        "running",
        "[SWEEP]",
        0,
        1,
    ),
    "sweep": Command(
        "a sweep's contact sheet; alone: this notebook's sweeps", "sweep", "[ID]", 0, 1
    ),
    "stop": Command("send nothing more of a sweep; what is bought is fetched", "sweep", "ID", 1, 1),
    "wait": Command("wait for a run, or for all of this notebook", "running", "[RUN]", 0, 1),
    "cancel": Command("cancel a run while nothing is sent", "running", "RUN", 1, 1),
    "rate": Command("rate a run from 0 to 5 (none: take it away)", "annotate", "RUN N", 1, 2),
    "tag": Command(
        "add tags to a run (--remove: take them away)", "annotate", "RUN TAG...", 2, None
    ),
    "note": Command("put a note on a run (--clear: take it away)", "annotate", "RUN TEXT", 1, None),
    "rerun": Command(
        "ask again for what a run asked for, with changes; this buys (--help: its options)",
        "annotate",
        "RUN",
        0,
        1,
    ),
    "compare": Command(
        "clips side by side, played in step, and what differs", "compare", "RUN RUN...", 2, None
    ),
    "join": Command(
        "put clips together into one file (--replace: in place of another)",
        "compare",
        "RUN RUN... -o FILE.mp4",
        2,
        None,
    ),
    "panel": Command("a form that makes the same requests as %%hailuo", "panel"),
    "cost": Command(
        "what this notebook's clips did cost, and what is left (--all: of every notebook)", "money"
    ),
    "providers": Command(
        "providers, their choices, prices, and whether there is a key (--balance: ask what is left)",
        "setup",
    ),
    "key": Command(
        "enter a key, unseen (--keyring: keep it in the system's keyring)",
        "setup",
        "PROVIDER",
        1,
        1,
    ),
    "sinks": Command("where ended runs are sent besides, and how that goes", "sinks"),
    "settings": Command("the settings in force, and where each comes from", "setup"),
    "doctor": Command(
        "whether all is there: versions, lab extension, keys, folders, run log", "setup"
    ),
    "version": Command("versions of what takes part", "setup"),
}
