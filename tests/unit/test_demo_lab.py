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
    """A process while which we get signals; it then ends."""

    def __init__(self, signals: list[signal.Signals]) -> None:
        self.signals, self.terminated, self.command = signals, 0, [""]

    def __call__(self, command: list[str], **_: object) -> Lab:
        self.command = command
        return self

    def wait(self) -> int:
        for each in self.signals:
            signal.raise_signal(each)
        return -signal.SIGTERM if self.terminated else -signal.SIGINT

    def terminate(self) -> None:
        self.terminated += 1


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def temporary(_speed: float) -> Iterator[DemoSimulator]:
        yield DemoSimulator("http://127.0.0.1:1", Key("a-demo-key", "a test"))

    monkeypatch.setattr(demo, "temporary", temporary)


@pytest.fixture
def background() -> Iterator[None]:
    """Signals are handled as in a process that a shell starts in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("simulated", "background")
@pytest.mark.parametrize(
    ("terminal", "signals", "terminated"),
    [
        (True, [signal.SIGINT], 0),
        (True, [signal.SIGINT, signal.SIGINT], 1),
        (False, [signal.SIGINT], 1),
        (False, [], 0),
        (True, [signal.SIGTERM], 1),
    ],
)
def test_a_signal_reaches_jupyterlab(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    terminal: bool,
    signals: list[signal.Signals],
    terminated: int,
) -> None:
    lab, before = Lab(signals), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(demo.subprocess, "Popen", lab)
    monkeypatch.setattr(demo, "_in_terminal", lambda: terminal)
    assert demo.lab(tmp_path, lambda *_: None, ["--no-browser"]) == 0
    assert lab.terminated == terminated
    assert lab.command[-1] == "--no-browser"
    assert lab.command[-2] == "--LabApp.default_url=/lab/tree/quickstart.ipynb"
    assert lab.command[-3].endswith("quickstart.ipynb")
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) == before
