"""One engine that is to be killed: its request, its folder, and what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.submission import Submission, SubmittedRun
from hailuo_jupyter.ids import made_of_path
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.settings import Hailuo
from tests.support.kill.provider import NO_HISTORY

KEYS = {each.name: each.key_variables[0] for each in catalogue.providers()}


@dataclass(frozen=True)
class Work:
    """One engine to be killed.

    Parameters
    ----------
    folder
        Its own: log, notebook and clips lie there.
    name
        Of the step before which it is killed, at its ``turn``-th time; None for one that lives.
    held
        Kill it when the provider has accepted the submit, whose answer is held back.
    cancelled
        Its job never ends, and is cancelled.
    """

    folder: str
    url: str
    wire: str
    key: str
    prompt: str
    frame: str | None = None
    name: str | None = None
    turn: int = 1
    held: bool = False
    cancelled: bool = False

    @property
    def settles(self) -> bool:
        """Whether the provider tells of a run whose answer was lost, by its history or under our own id."""
        return self.wire in {"segmind", "runware"} and NO_HISTORY not in self.key

    @property
    def home(self) -> Path:
        return Path(self.folder)

    @property
    def log(self) -> Path:
        return self.home / "log" / "runs.sqlite3"

    @property
    def notebook(self) -> Path:
        return self.home / "clips.ipynb"

    @property
    def clips(self) -> Path:
        return self.home / "hailuo"

    @property
    def source(self) -> str:
        return f"%%hailuo --provider {self.wire}\n{self.prompt}"

    @property
    def settings(self) -> Hailuo:
        limits = dict.fromkeys(KEYS, 100_000)
        return Hailuo(run_log=str(self.log), requests_per_minute=limits)

    def engine(self) -> Engine:
        return Engine(self.settings)

    def place(self, engine: Engine) -> SubmittedRun:
        """Do what running its cell does."""
        whose = catalogue.provider(self.wire)
        asked = request.build(self.prompt, whose, options={}, image=self.frame)
        origin = OriginRecord(
            notebook_id=made_of_path(self.notebook),
            notebook_path=self.notebook.name,
            cell_id="clip",
            source_sha256=hashlib.sha256(self.source.encode()).hexdigest(),
        )
        (placed,) = engine.submit(
            Submission(asked, whose, self.clips, origin, key_folder=self.home)
        )
        return placed


@dataclass
class Outcome:
    """What became of it: the steps before the death, and the run's states as the log told them.

    ``wrong`` holds a sentence for each promise that was broken.
    """

    trail: list[str] = field(default_factory=list)
    died: bool = False
    at_death: str | None = None
    known: bool = False
    taken_over: str | None = None
    again: str | None = None
    bought: int = 0
    wrong: list[str] = field(default_factory=list)
