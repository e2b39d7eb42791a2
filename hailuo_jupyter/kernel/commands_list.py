"""The commands of ``%hailuo``: their names, what follows them, and a line of help for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Command:
    """One command: what follows its name, whether that may be left out, and one line of help."""

    help: str
    argument: Literal["", "RUN", "PROVIDER"] = ""
    optional: bool = False

    @property
    def usage(self) -> str:
        """What follows the name, as help shows it."""
        return f"[{self.argument}]" if self.argument and self.optional else self.argument


COMMANDS = {
    "runs": Command("the newest runs of this notebook (--all: of every notebook)"),
    "show": Command("a run's status and clip, in this cell", "RUN"),
    "resume": Command("watch and fetch whatever was bought and is not here yet; sends nothing"),
    "wait": Command("wait for a run, or for all of this notebook", "RUN", optional=True),
    "cancel": Command("cancel a run while nothing is sent", "RUN"),
    "providers": Command("providers, their choices, prices, and whether there is a key"),
    "key": Command("enter a key, unseen (--keyring: keep it in the system's keyring)", "PROVIDER"),
    "settings": Command("the settings in force, and where each comes from"),
    "doctor": Command("whether all is there: versions, lab extension, keys, folders, run log"),
    "version": Command("versions of what takes part"),
}
