"""What others refer to by name: scripts, settings files, notebooks, front ends and plugins."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from nbconvert.exporters import Exporter

import hailuo_jupyter
from hailuo_jupyter import errors, record
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.sinks.base import Sink

PACKAGE = Path(hailuo_jupyter.__file__).parent

WORDS = ["output", "tags", "note", "name"]
OPTIONS = [
    "model", "mode", "resolution", "duration", "ratio", "image", "last_image", "prompt_optimizer",
]  # fmt: skip
SIGNATURES = {
    "compare": ["runs"],
    "generate": ["prompt", "provider", *OPTIONS, "count", "new", "yes", "wait", *WORDS],
    "join": ["runs_or_paths", "path", "replace"],
    "panel": [],
    "quote": ["prompt", "provider", *OPTIONS],
    "rerun": ["run", "prompt", "provider", *OPTIONS, "count", "new", "wait", *WORDS, "yes"],
    "runs": [
        "notebook", "provider", "state", "tag", "text", "since", "sweep", "rating", "sort", "ascending",
        "page_size",
    ],
    "sweep": [
        "prompt", "axes", "rows", "count", "yes", "provider", *OPTIONS, "new", "wait", *WORDS,
    ],
}  # fmt: skip


def test_the_package_exports_its_names() -> None:
    assert set(hailuo_jupyter.__all__) == {*SIGNATURES, "HailuoError", "Run", "__version__"}
    assert all(getattr(hailuo_jupyter, name) is not None for name in hailuo_jupyter.__all__)


def test_tab_offers_the_exported_names_only() -> None:
    offered = {name for name in dir(hailuo_jupyter) if not name.startswith("__")}
    assert offered == {name for name in hailuo_jupyter.__all__ if name != "__version__"}
    assert {"__version__", "__doc__", "__file__", "__name__", "__path__"} <= set(
        dir(hailuo_jupyter)
    )


@pytest.mark.parametrize("name", SIGNATURES)
def test_help_shows_every_parameter(name: str) -> None:
    assert set(inspect.signature(getattr(hailuo_jupyter, name)).parameters) >= set(SIGNATURES[name])


def test_a_run_has_its_methods() -> None:
    assert set(dir(hailuo_jupyter.Run)) >= {
        "cancel", "clip", "done", "frame", "note", "rate", "record", "request", "run_id", "show", "status",
        "tag", "untag", "wait",
    }  # fmt: skip


def test_the_help_of_a_run_explains_its_members() -> None:
    text = inspect.getdoc(hailuo_jupyter.Run) or ""
    public = {name for name in dir(hailuo_jupyter.Run) if not name.startswith("_")}
    assert {name for name in public if name not in text} == {"static_bundle"}
    assert "Examples" in text


def test_errors_can_be_caught_by_name() -> None:
    for name in (
        "AnswerLost", "Blocked", "BudgetExceeded", "CannotCancel", "ClipError", "ClipTooLarge", "CrateError",
        "DiskError", "DiskFull", "FolderNotWritable", "FrameError", "HailuoError", "JobExpired", "JobFailed",
        "KeyConflict", "KeyMissing", "KeyRefused", "Moderated", "NoCredits", "NotBought", "NotConfirmed",
        "NotSent", "NotebookError", "OptionError", "OwnerStopped", "PromptError", "ProviderDown",
        "ProviderError", "RateLimited", "RecordUnreadable", "Rejected", "RequestError", "RunLogError",
        "RunNotFound", "SettingsError", "WaitTimeout", "WaitsForItsKey",
    ):  # fmt: skip
        assert issubclass(getattr(errors, name), errors.HailuoError)


def test_settings_keep_their_names() -> None:
    assert set(Hailuo.class_trait_names(config=True)) >= {
        "aimlapi_wire", "ask_history", "budget_day_usd", "budget_notebook_usd", "collector",
        "deadline_minutes", "demo_dialect", "demo_speed", "embed", "max_clip_gb", "output_dir", "prices_usd",
        "provider", "requests_per_minute", "run_log", "sinks", "sweep_confirm_runs", "sweep_confirm_usd",
        "sweep_parallel",
    }  # fmt: skip


def test_entry_points_lead_to_something() -> None:
    (papermill,) = metadata.entry_points(group="papermill.engine", name="hailuo")
    module, _, _ = papermill.value.partition(":")
    assert importlib.util.find_spec(module)
    (script,) = metadata.entry_points(group="console_scripts", name="jupyter-hailuo")
    assert script.value == "hailuo_jupyter.cli:main"
    assert callable(script.load())
    # Where other packages register sinks of their own.
    assert Sink.__module__.startswith("hailuo_jupyter.sinks")


def test_nbconvert_finds_its_exporters() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    exporters = project["entry-points"]["nbconvert.exporters"]
    assert set(exporters) == {"hailuo-html", "hailuo-webpdf"}
    for value in exporters.values():
        module, _, name = value.partition(":")
        assert issubclass(getattr(importlib.import_module(module), name), Exporter)
    # Named in command lines and configurations.
    assert callable(importlib.import_module("hailuo_jupyter.ipynb.nbconvert").EmbedClips)


@pytest.mark.parametrize("module", ["hailuo_jupyter.simulator", "hailuo_jupyter.record"])
def test_modules_run_with_dash_m(module: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert not spec.submodule_search_locations or importlib.util.find_spec(f"{module}.__main__")


def test_commands_keep_their_names() -> None:
    words = _help().split()
    assert set(words) >= {
        "demo", "execute", "sync", "verify", "embed", "wait", "collect", "import", "audit", "du", "prune",
        "relink", "runs", "show", "cost", "join", "export", "log-to", "probe", "doctor", "simulator",
    }  # fmt: skip


def _help() -> str:
    return subprocess.run(
        [sys.executable, "-c", "from hailuo_jupyter.cli import main; main(['--help'])"],
        capture_output=True, text=True, check=False, timeout=60,
    ).stdout  # fmt: skip


def test_what_notebooks_and_front_ends_name_stays() -> None:
    sources = "".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")))
    for name in ("application/vnd.hailuo.run+json", '"hailuo.sync"', '"hailuo_jupyter.sinks"'):
        assert name in sources, name


def test_the_record_schema_stays() -> None:
    schema = json.dumps(record.json_schema(), sort_keys=True)
    assert hashlib.sha256(schema.encode()).hexdigest() == (
        "ec1424f2620bfe66c10a7305cb68b7d54f5d094907fa64521143c3f4e2f7994f"
    )
