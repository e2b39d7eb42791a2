"""Imports run down the layers and never up; and which module alone may use which library."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hailuo_jupyter

PACKAGE = Path(hailuo_jupyter.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "labextension" not in path.parts)

#: The layers, the highest first. A module may import from its own layer and from lower ones.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("cli",),
    ("demo",),
    ("server_extension",),
    ("kernel", "nbfile", "collector"),
    ("doctor",),
    ("engine",),
    ("sinks",),
    ("providers", "runlog"),
    ("record_file",),
    ("record", "record_parts", "splice"),
    ("media",),
    ("request",),
    ("images", "pictures", "frame"),
    ("choices", "own_prices", "catalogue", "run_id", "notebook_id"),
    ("offer",),
    ("settings", "keys"),
    ("redact", "installed"),
    ("errors", "states"),
    ("plain", "closing", "chance", "whole"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def top(module: str) -> str:
    """Give the part of the package that a module belongs to; empty for the package itself."""
    return [*module.split("."), ""][1]


def imports(path: Path, *, also_for_types: bool = True) -> Iterator[str]:
    """Give all that a file imports, at its top and inside functions, as absolute names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for_types.update(each for part in node.body for each in ast.walk(part))
    for node in ast.walk(tree):
        if node in for_types and not also_for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module
            yield node.module
            # `from hailuo_jupyter import catalogue` names a module of the package.
            if node.module.startswith("hailuo_jupyter"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> set[str]:
    return {
        top(name)
        for name in imports(path, also_for_types=False)
        if name.startswith("hailuo_jupyter.")
        and ((PACKAGE / top(name)).is_dir() or (PACKAGE / f"{top(name)}.py").is_file())
    }


def users_of(*libraries: str) -> set[str]:
    """Give the modules that import one of some libraries."""
    return {
        module_of(path)
        for path in FILES
        if any(name.split(".")[0] in libraries for name in imports(path))
    }


IDS = [str(path.relative_to(PACKAGE)) for path in FILES]


def test_every_module_has_its_layer() -> None:
    parts = {top(module_of(path)) for path in FILES} - {"", "simulator", "__main__"}
    assert parts <= set(RANK), "a new part of the package has to be given its layer"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_run_down(path: Path) -> None:
    here = top(module_of(path))
    if here in {"", "__main__"}:
        return  # the package itself hands out names of all layers, at their first use
    for there in ours(path) - {here}:
        if here == "simulator":
            pytest.fail(f"the simulator is the other side of the wire, and imports {there}")
        if there == "simulator":
            # Only the command that starts one; the engine starts it as another process.
            assert here in {"cli", "demo"}
            continue
        assert RANK[here] <= RANK[there], f"{here} imports {there}, which lies above"


def test_the_engine_and_what_lies_below_know_no_ipython() -> None:
    above = {"kernel", "nbfile", "cli", "collector", "demo", "server_extension"}
    for module in users_of("IPython", "ipykernel", "ipywidgets", "comm"):
        assert top(module) in above, module


def test_the_kernel_and_notebook_files_know_no_wire() -> None:
    wire = ("providers.segmind", "providers.aimlapi", "providers.http", "providers.base")
    for path in FILES:
        if top(module_of(path)) in {
            "kernel",
            "nbfile",
            "cli",
            "collector",
            "demo",
            "server_extension",
        }:
            for name in imports(path):
                assert not name.startswith(tuple(f"hailuo_jupyter.{each}" for each in wire)), path


def test_httpx_is_imported_in_one_module() -> None:
    assert users_of("httpx", "httpcore", "requests", "aiohttp") == {"hailuo_jupyter.providers.http"}


def test_pyav_is_imported_in_two_modules_and_by_the_simulator() -> None:
    modules = {m for m in users_of("av") if top(m) != "simulator"}
    assert modules == {"hailuo_jupyter.media", "hailuo_jupyter.splice"}


def test_sqlite_is_spoken_by_the_run_log_alone() -> None:
    assert {top(module) for module in users_of("sqlite3")} == {"runlog"}


def test_nothing_imports_the_command_line() -> None:
    for path in FILES:
        if top(module_of(path)) not in {"cli", "__main__"}:
            assert "cli" not in ours(path), path


def test_the_providers_adapters_do_no_input_and_output() -> None:
    for name in ("segmind", "aimlapi", "base"):
        found = {each.split(".")[0] for each in imports(PACKAGE / "providers" / f"{name}.py")}
        assert not found & {"httpx", "socket", "asyncio", "urllib3", "os", "pathlib", "threading"}


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_file_is_longer_than_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def loaded(*statements: str) -> set[str]:
    """Give what a fresh Python has loaded after some statements."""
    code = "\n".join(("import sys", *statements, "print('\\n'.join(sys.modules))"))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_next_to_nothing() -> None:
    heavy = {"httpx", "ipywidgets", "pydantic", "av", "PIL", "jinja2", "nest_asyncio2", "tornado"}
    assert not loaded("import hailuo_jupyter") & heavy


def test_the_lowest_modules_load_nothing_of_the_rest() -> None:
    found = loaded("import hailuo_jupyter.errors, hailuo_jupyter.redact, hailuo_jupyter.states")
    assert {name for name in found if name.startswith("hailuo_jupyter")} == {
        "hailuo_jupyter",
        "hailuo_jupyter.errors",
        "hailuo_jupyter.plain",
        "hailuo_jupyter.redact",
        "hailuo_jupyter.states",
    }


def test_the_engine_loads_no_ipython_and_no_simulator() -> None:
    found = loaded("import hailuo_jupyter.engine.process")
    assert not found & {"IPython", "ipykernel", "ipywidgets", "hailuo_jupyter.simulator"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {module_of(path) for path in FILES} - {"hailuo_jupyter"}
    # `from package import module` names both; a package that only hands names on is no tie.
    found = {
        module_of(path): {name for name in imports(path) if name in known}
        - {module_of(path), module_of(path).rpartition(".")[0]}
        for path in FILES
    }
    for names in found.values():
        names -= {each.rpartition(".")[0] for each in names}
    TopologicalSorter(found).prepare()  # raises CycleError, which names the circle
