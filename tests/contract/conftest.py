"""Simulator, folders and engines of the contract tests."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hailuo_jupyter import catalogue, request
from hailuo_jupyter.engine import settle
from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.order import Order, Placed
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.engine.timing import Timing
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.record import OriginRecord
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.simulator import Simulator, SimulatorOptions

KEYS = {"SEGMIND_API_KEY": "SG_0123456789abcdef", "AIML_API_KEY": "aiml-0123456789abcdef"}

#: Put at the head of scripts that are run in a process of their own: what `quick` does here.
PREAMBLE = """
import hailuo_jupyter.engine.life as life
from hailuo_jupyter.engine.timing import Timing
life.timing_of = lambda *_: Timing(1.5, 0.3)
import hailuo_jupyter as h
"""


def options(cache: Path, **changes: Any) -> SimulatorOptions:
    """Give the choices of a simulator whose jobs take about half a second."""
    usual: dict[str, Any] = {
        "cache": cache,
        "variants": 1,
        "shrink": 8,
        "segmind_seconds": 0.4,
        "aimlapi_6s_seconds": 0.4,
        "aimlapi_10s_seconds": 0.4,
        "sigma": 0.0,
        "min_polls": 0,
    }
    return SimulatorOptions(**{**usual, **changes})


@dataclass
class Lab:
    """A simulator, a folder with a log, and engines that end with the test.

    ``log`` is the run log's file; ``settings`` are what every engine here is made with.
    """

    sim: Simulator
    folder: Path
    log: Path
    settings: Hailuo
    engines: list[Engine] = field(default_factory=list)

    def engine(self) -> Engine:
        """Start a further engine on the log, as another kernel would."""
        self.engines.append(Engine(self.settings))
        return self.engines[-1]

    @property
    def clips(self) -> Path:
        return self.folder / "hailuo"

    def order(
        self,
        prompt: str = "a cat",
        provider: str = "segmind",
        *,
        count: int = 1,
        new: bool = False,
        image: object = None,
        last_image: object = None,
        wire: str | None = None,
        folder: Path | None = None,
        **options: Any,
    ) -> Order:
        whose = catalogue.provider(provider)
        asked = request.build(
            prompt, whose, options=options, image=image, last_image=last_image, wire=wire
        )
        return Order(
            asked,
            whose,
            folder or self.clips,
            OriginRecord(
                notebook_id="a-notebook", notebook_path=None, cell_id=None, source_sha256=None
            ),
            key_folder=self.folder,
            count=count,
            new=new,
        )

    def place(self, engine: Engine, *args: Any, **how: Any) -> Run:
        """Place an order of one run."""
        (placed,) = engine.place(self.order(*args, **how))
        return placed.run

    def placed(self, engine: Engine, *args: Any, **how: Any) -> list[Placed]:
        return engine.place(self.order(*args, **how))

    def submits(self) -> int:
        """Give how many submits arrived, accepted or not."""
        return sum(each.stage == "submit" for each in self.sim.requests)

    def beside(self, run: Run) -> dict[str, Any]:
        """Give the record beside a run's clip."""
        found: dict[str, Any] = json.loads((self.clips / f"{run.run_id}.json").read_text())
        return found

    def leftovers(self) -> list[str]:
        """Give files that no download should leave behind."""
        return [path.name for path in self.folder.rglob("*.part")]


def ending(run: Run, timeout: float = 60.0) -> HailuoError | None:
    """Wait for a run and give what it ended with; None for a clip."""
    try:
        run.wait(timeout)
    except HailuoError as error:
        return error
    return None


def eventually(true: Callable[[], object], timeout: float = 60.0) -> None:
    """Wait until something holds; what it is stands in the failure's traceback."""
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def script(*lines: str) -> str:
    """Make a script for a process of its own."""
    return PREAMBLE + "\n".join(textwrap.dedent(line) for line in lines)


@pytest.fixture(scope="session")
def clip_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips are rendered once for all tests."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines expect jobs of a second or two: polls go by the providers' real minutes else."""
    monkeypatch.setattr("hailuo_jupyter.engine.life.timing_of", lambda *_: Timing(1.5, 0.3))


@pytest.fixture
def make_lab(
    tmp_path: Path, clip_cache: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> Iterator[Callable[..., Lab]]:
    """Make a lab with a simulator of one's choice."""
    labs: list[Lab] = []

    def make(**changes: Any) -> Lab:
        sim = Simulator(options(clip_cache, **changes)).start()
        folder = tmp_path / f"lab{len(labs)}"
        folder.mkdir()
        log = folder / "log" / "runs.sqlite3"
        values = {
            **KEYS,
            **sim.environment(),
            "HAILUO_RUN_LOG": str(log),
            "HAILUO_LOOPBACK_ONLY": "1",
            "HAILUO_SIMULATOR_URL": sim.url,
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        limits = {"segmind": 100_000, "aimlapi": 100_000}
        labs.append(Lab(sim, folder, log, Hailuo(run_log=str(log), requests_per_minute=limits)))
        return labs[-1]

    yield make
    for lab in labs:
        for engine in lab.engines:
            engine.stop()
        lab.sim.stop()


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """The usual lab."""
    return make_lab()


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    """A picture that both providers take."""
    path = tmp_path / "frame.png"
    Image.effect_noise((480, 320), 60).convert("RGB").save(path)
    return path


@pytest.fixture
def histories_soon(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    """Let jobs be done, and the histories be asked, within moments."""
    monkeypatch.setattr(Timing, "poll_interval", lambda *_: 0.1)
    monkeypatch.setattr(settle, "ROUND_S", 0.05)
    monkeypatch.setattr(settle, "LOOKS", tuple(0.1 * each for each in range(1, 100)))
    monkeypatch.setattr(settle, "_PER_MINUTE", 10_000)
