"""Google Colab's kernel stack: runs in an environment of its own, made from `colab.txt` by `.ci/run`.

pytest -c /dev/null tests/environments/test_colab.py
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

PINS = dict(
    line.split("==")
    for line in Path(__file__).with_name("colab.txt").read_text("utf-8").split()
    if "==" in line
)
MIME = "application/vnd.hailuo.run+json"
VIDEO = 'src="data:video/mp4;base64,'


def test_installing_leaves_the_host_its_kernel() -> None:
    """What pip would install beside the package, asked with the package's own requirements."""
    asked = [each for each in metadata.requires("hailuo-jupyter") or [] if "extra ==" not in each]
    report = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", *asked],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    changed = {each["metadata"]["name"].lower() for each in json.loads(report.stdout)["install"]}
    assert not changed & {"ipykernel", "ipython", "ipywidgets", "tornado", "traitlets"}
    for name, version in PINS.items():
        assert metadata.version(name) == version


class Colab:
    """A kernel as Colab has it, and its requests."""

    def __init__(self, folder: Path) -> None:
        environ = {
            **os.environ,
            "COLAB_NOTEBOOK_ID": "1AbC-dEf",
            "HAILUO_RUN_LOG": str(folder / "runs.sqlite3"),
        }
        environ.pop("JPY_SESSION_NAME", None)
        self.manager, self.client = start_new_kernel(cwd=str(folder), env=environ)
        self.outputs: list[dict[str, Any]] = []

    def run(self, code: str) -> list[dict[str, Any]]:
        """Execute a cell; returns its outputs, and those that came meanwhile for earlier ones."""
        before = len(self.outputs)
        asked = self.client.execute(code, allow_stdin=True)
        while True:
            message = self.client.get_iopub_msg(timeout=120)
            kind, content = message["msg_type"], message["content"]
            if kind == "error":
                pytest.fail("\n".join(content["traceback"]))
            if kind in {"stream", "display_data", "update_display_data", "execute_result"}:
                self.outputs.append({"kind": kind, **content})
            ours = message["parent_header"].get("msg_id") == asked
            if ours and kind == "status" and content["execution_state"] == "idle":
                return self.outputs[before:]

    def until(self, done: Callable[[], bool], seconds: float = 120) -> None:
        """Take in what comes without a request."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "the kernel did not get there in time"
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                continue
            if message["msg_type"] in {"display_data", "update_display_data"}:
                self.outputs.append({"kind": message["msg_type"], **message["content"]})

    def updates(self) -> list[dict[str, Any]]:
        """Return the updates of displays so far."""
        return [each for each in self.outputs if each["kind"] == "update_display_data"]


@pytest.fixture(scope="module")
def colab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Colab]:
    kernel = Colab(tmp_path_factory.mktemp("content"))
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def text(outputs: list[dict[str, Any]]) -> str:
    return "".join(each["text"] for each in outputs if each["kind"] == "stream")


def test_magic_wait_panel_and_record(colab: Colab) -> None:
    assert not colab.run("%load_ext hailuo_jupyter")
    shown = colab.run("%%hailuo --provider demo --mode standard\nA heron lifts off a lake.")
    card = next(each for each in shown if each["kind"] == "display_data")
    assert set(card["data"]) == {"text/plain", "text/html", MIME}, "a card of plain HTML"
    assert "1 of 1" in text(colab.run("%hailuo wait"))
    colab.until(lambda: VIDEO in colab.updates()[-1]["data"]["text/html"])
    updates = colab.updates()
    assert {each["transient"]["display_id"] for each in updates} == {
        card["transient"]["display_id"]
    }
    last = updates[-1]["data"]
    assert last[MIME]["state"] == "completed", "the record is in the output"
    holding = [each for each in updates if VIDEO in each["data"]["text/html"]]
    assert {each["data"][MIME]["state"] for each in holding} == {"completed"}, "only at the end"
    assert 'href="' not in last["text/html"], "a link would start at another origin"
    assert last[MIME]["clip"]["path"] in last["text/html"], "the file is named"
    panel = colab.run("%hailuo panel")
    assert any("application/vnd.jupyter.widget-view+json" in each["data"] for each in panel)
    read = text(
        colab.run(
            "import hailuo_jupyter as h\n"
            "run = h.runs()[0]\n"
            "print(run.record.state.value, run.clip.name, run.clip.exists())"
        )
    )
    assert read.startswith("completed ")
    assert read.rstrip().endswith("True")


#: Stands for the module that only Colab has; its interface is read in googlecolab/colabtools.
SECRETS = """
import sys, threading, types
asked = []
def get(name):
    asked.append((name, threading.current_thread() is threading.main_thread()))
    if name != "AIML_API_KEY":
        raise LookupError(name)
    return "aiml-0123456789abcdef"
google, colab = types.ModuleType("google"), types.ModuleType("google.colab")
userdata = types.ModuleType("google.colab.userdata")
userdata.get = get
sys.modules.update({"google": google, "google.colab": colab, "google.colab.userdata": userdata})
"""


def test_a_key_in_colabs_secrets_is_asked_for_by_a_cell_alone(colab: Colab) -> None:
    colab.run("%reload_ext hailuo_jupyter")
    colab.run(SECRETS)
    shown = text(colab.run("%hailuo providers"))
    assert "key: present, Colab's secrets (AIML_API_KEY)" in shown
    assert "aiml-0123456789abcdef" not in shown
    assert "key: absent; set SEGMIND_API_KEY" in shown
    asked = text(colab.run("print(asked)"))
    assert "('AIML_API_KEY', True)" in asked
    assert "False" not in asked
