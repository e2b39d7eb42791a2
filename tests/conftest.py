"""Where tests write and what is loaded; the order of the files; no engine outlives its test."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

# Four workers and the hundreds of processes that they start load the same modules: compile each once.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What is made until the tests begin stays until they end; see pytest_collection.
gc.disable()

from hypothesis import settings  # noqa: E402 -- pytest rewrites it, which takes a second

# Before any of them is imported: a failed assertion of a helper shows its values, too.
pytest.register_assert_rewrite("tests.support")

# For this process and all that it starts.
ABSENT = str(Path(__file__).parent / "support" / "absent")
_PATHS = os.environ.get("PYTHONPATH", "").split(os.pathsep)
if ABSENT not in _PATHS:
    os.environ["PYTHONPATH"] = os.pathsep.join([ABSENT, *filter(None, _PATHS)])
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
# Each engine reads the certificates that these name, and no test reaches a server that has one of them.
for _name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(_name, None)

# How long an example takes says more of a busy machine than of the code; benchmarks measure time.
settings.register_profile("patient", parent=settings(), deadline=None)
# Ten times as many, for who has the time: --hypothesis-profile long.
settings.register_profile("long", parent=settings(), deadline=None, max_examples=1000)
settings.load_profile("patient")


_MEMORY = Path("/dev/shm")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have tests write into memory, where there is room: thousands of commits wait for the disk else.

    With `--basetemp` they write where that says, and what they wrote stays.
    """
    if config.option.basetemp or hasattr(config, "workerinput") or not _MEMORY.is_dir():
        return
    if shutil.disk_usage(_MEMORY).free > 4e9:
        folder = tempfile.mkdtemp(prefix="hailuo-tests-", dir=_MEMORY)
        config.option.basetemp = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the last line what was not run for want of a browser."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if count := sum("there is no Chromium" in str(each.longrepr) for each in skipped):
        reporter.write_line(
            f"{count} browser tests were not run: there is no Chromium. Install it (Debian: "
            "apt install chromium), or set HAILUO_CHROMIUM to its program."
        )


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect without looking for garbage, and share the work of compiling the tests.

    All workers collect all tests: each compiles a part of them first, and finds the others' parts done.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        files = sorted(Path(__file__).parent.glob("[!e]*/test_*.py"))  # not environments'
        ours = files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]
        for path in ours:
            # Collecting the file reports it.
            with suppress(Exception, pytest.skip.Exception):
                importlib.import_module(f"tests.{path.parent.name}.{path.stem}")
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def an_engine_ends_with_its_test() -> Iterator[None]:
    """Stop this process's engine, so that the next test gets one with a run log of its own."""
    yield
    # Where no test has used it, it is not loaded either: some tests hold what is imported when.
    if process := sys.modules.get("hailuo_jupyter.engine.process"):
        process.shut_down()


@pytest.fixture(autouse=True)
def a_secret_ends_with_its_test() -> Iterator[None]:
    """Forget what a test registered as secret: a key such as "forbidden" is part of another's text."""
    before = set(redact._secrets) if (redact := sys.modules.get("hailuo_jupyter.redact")) else set()
    yield
    if redact := sys.modules.get("hailuo_jupyter.redact"):
        redact._secrets.intersection_update(before)


@pytest.fixture
def start_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Have this process be one that was started in a folder, with the environment as it is then."""
    from hailuo_jupyter import startup

    def start(folder: Path) -> None:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(startup, "_startup", startup._startup)  # put back at the end
        startup.read()

    return start


#: Files of these folders take long: they are spread over the first part of the run, so that browsers
#: do not crowd each other, and no worker is left alone with one at the end.
_LONG = {"browser": 0.75, "kill": 0.6, "notebook": 0.85}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix the folders' files evenly; within each the order stays random, as it was shuffled."""
    folders = defaultdict[str, dict[Path, None]](dict)
    for item in items:
        folders[item.path.parent.name][item.path] = None
    places = {
        path: (at + 0.5) / len(files) * _LONG.get(name, 1.0)
        for name, files in folders.items()
        for at, path in enumerate(files)
    }
    items.sort(key=lambda item: places[item.path])
