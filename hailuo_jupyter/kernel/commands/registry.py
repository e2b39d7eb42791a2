"""The commands of ``%hailuo``: their names, arguments, and a line of help for each; a light table."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from hailuo_jupyter.kernel.magic_args import HELP, Option


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
        Its arguments, as shown in help.
    least, most
        How many arguments it takes; None for any number.
    hint
        The options to know, for the list of commands.
    """

    help: str
    home: str
    words: str = ""
    least: int = 0
    most: int | None = 0
    hint: str = ""

    @property
    def takes_run(self) -> bool:
        """Whether its first argument is a run, which Tab completes."""
        return self.words.lstrip("[").startswith("RUN")

    @property
    def takes_runs(self) -> bool:
        """Whether runs follow its first argument."""
        return self.words.startswith("RUN RUN")

    @property
    def takes_sweep(self) -> bool:
        """Whether its first argument is a sweep, which Tab completes."""
        return self.words.lstrip("[").startswith("SWEEP")

    @property
    def takes_provider(self) -> bool:
        """Whether its first argument is a provider, which Tab completes."""
        return self.words.lstrip("[").startswith("PROVIDER")


#: The commands by group, in the order in which they are listed.
GROUPS = {
    "Runs": {
        "runs": Command(
            "list this notebook's runs, one page at a time",
            "runs",
            hint="--all: every notebook; --help: filters, order",
        ),
        "show": Command("show a run's status and clip in this cell", "runs", "RUN", 1, 1),
        "wait": Command(
            "wait for a run, or for all runs of this notebook", "control", "[RUN]", 0, 1
        ),
        "resume": Command(
            "pick up unfinished runs and download their clips; SWEEP: submit the rest",
            "control",
            "[SWEEP]",
            0,
            1,
        ),
        "cancel": Command(
            "cancel a run before it is sent, or its job if possible", "control", "RUN", 1, 1
        ),
        "rerun": Command(
            "rerun with changes; costs money",
            "annotate",
            "RUN",
            0,
            1,
            hint="takes the options of %%hailuo",
        ),
        "panel": Command("open a form with the options of %%hailuo", "control"),
    },
    "Sweeps and comparison": {
        "sweep": Command(
            "show a sweep's contact sheet, or list this notebook's sweeps", "sweep", "[SWEEP]", 0, 1
        ),
        "stop": Command(
            "stop a sweep; clips already submitted still download", "sweep", "[SWEEP]", 0, 1
        ),
        "compare": Command(
            "play clips side by side and list their differences", "compare", "RUN RUN...", 2, None
        ),
        "join": Command(
            "join clips into one file",
            "compare",
            "RUN RUN... -o FILE.mp4",
            2,
            None,
            hint="--replace: overwrite",
        ),
    },
    "Notes and ratings": {
        "rate": Command("rate a run from 0 to 5 (none clears it)", "annotate", "RUN N", 1, 2),
        "tag": Command(
            "add tags to a run", "annotate", "RUN TAG...", 2, None, hint="--remove: remove them"
        ),
        "note": Command(
            "add a note to a run", "annotate", "RUN TEXT", 1, None, hint="--clear: remove it"
        ),
    },
    "Money and keys": {
        "cost": Command(
            "show what clips cost and what is left", "runs", hint="--all: every notebook"
        ),
        "providers": Command(
            "list providers, options, prices and keys", "setup", hint="--balance: show the balance"
        ),
        "key": Command(
            "enter an API key, hidden",
            "setup",
            "PROVIDER",
            1,
            None,
            hint="--keyring: save it in the system keyring",
        ),
    },
    "Setup": {
        "settings": Command("show the settings and where each comes from", "setup"),
        "doctor": Command(
            "check the installation: versions, lab extension, keys, folders, run log", "setup"
        ),
        "sinks": Command(
            "show where finished runs are logged (MLflow, W&B...), and status", "setup"
        ),
        "version": Command("show versions", "setup"),
    },
}

COMMANDS = {name: each for group in GROUPS.values() for name, each in group.items()}


def options_of(name: str) -> tuple[Option, ...]:
    """Return the options of a command; each has ``--help``."""
    home = import_module(f"hailuo_jupyter.kernel.commands.{COMMANDS[name].home}")
    own: tuple[Option, ...] = home.OPTIONS.get(name, ())
    return own if HELP in own else (*own, HELP)
