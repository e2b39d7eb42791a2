"""``jupyter hailuo demo --lab``: how JupyterLab is started and stopped, without JupyterLab."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hailuo_jupyter import demo
from hailuo_jupyter.engine.demo_server import DemoSimulator
from hailuo_jupyter.keys import Key


class Lab:
    """A process that is interrupted some times, and then ends."""

    def __init__(self, interrupts: int) -> None:
        self.interrupts, self.terminated, self.command = interrupts, 0, [""]

    def __call__(self, command: list[str], **_: object) -> Lab:
        self.command = command
        return self

    def wait(self) -> int:
        if self.terminated:
            return -signal.SIGTERM
        if self.interrupts:
            self.interrupts -= 1
            raise KeyboardInterrupt
        return -signal.SIGINT

    def terminate(self) -> None:
        self.terminated += 1


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def temporary(_speed: float) -> Iterator[DemoSimulator]:
        yield DemoSimulator("http://127.0.0.1:1", Key("a-demo-key", "a test"))

    monkeypatch.setattr(demo, "temporary", temporary)


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize(
    ("terminal", "interrupts", "terminated"),
    [(True, 1, 0), (True, 2, 1), (False, 1, 1), (False, 0, 0)],
)
def test_an_interrupt_reaches_jupyterlab(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    terminal: bool,
    interrupts: int,
    terminated: int,
) -> None:
    lab = Lab(interrupts)
    monkeypatch.setattr(demo.subprocess, "Popen", lab)
    monkeypatch.setattr(demo, "_in_terminal", lambda: terminal)
    assert demo.lab(tmp_path, lambda *_: None, ["--no-browser"]) == 0
    assert lab.terminated == terminated
    assert lab.command[-1] == "--no-browser"
    assert lab.command[-2].endswith("quickstart.ipynb")
