"""Imports run down the layers and never up; and which module alone may use which library."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

import hailuo_jupyter

PACKAGE = Path(hailuo_jupyter.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "labextension" not in path.parts)

#: The layers, the highest first. A module may import from its own layer and from lower ones.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("cli",),
    ("demo", "probe", "server_extension"),
    ("kernel", "ipynb", "collector", "doctor"),
    ("engine",),
    ("sinks", "providers", "runlog"),
    ("record", "request", "clip_file", "media", "preview", "container"),
    ("catalogue",),
    ("settings", "keys", "home"),
    ("errors", "states", "redact", "links", "formatting", "files", "ids", "startup"),
    ("hosts", "json_depth", "path_hints", "merge_conflict"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def top(module: str) -> str:
    """Return the part of the package that a module belongs to; empty for the package itself."""
    return [*module.split("."), ""][1]


@cache
def imports(path: Path, *, also_for_types: bool = True) -> tuple[str, ...]:
    """Return all that a file imports, at its top and inside functions, as absolute names."""
    return tuple(_imports(path, also_for_types))


def _imports(path: Path, also_for_types: bool) -> Iterator[str]:
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
    """Return the modules that import one of some libraries."""
    return {
        module_of(path)
        for path in FILES
        if any(name.split(".")[0] in libraries for name in imports(path))
    }


IDS = [str(path.relative_to(PACKAGE)) for path in FILES]


def test_every_module_has_its_layer() -> None:
    parts = {top(module_of(path)) for path in FILES} - {"", "simulator", "__main__"}
    assert parts <= set(RANK), "a new part of the package has to be given its layer"


def test_the_architecture_page_has_the_same_layers() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [0-9]+ \| (.+?) \|", page, re.MULTILINE)
    assert [tuple(re.findall(r"`(\w+)`", row)) for row in rows] == list(LAYERS)


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
    above = {"kernel", "ipynb", "cli", "collector", "demo", "server_extension"}
    for module in users_of("IPython", "ipykernel", "ipywidgets", "comm"):
        assert top(module) in above, module


def test_the_kernel_and_notebook_files_know_no_wire() -> None:
    wire = ("providers.segmind", "providers.aimlapi", "providers.http", "providers.base")
    for path in FILES:
        if top(module_of(path)) in {
            "kernel",
            "ipynb",
            "cli",
            "collector",
            "demo",
            "server_extension",
        }:
            for name in imports(path):
                assert not name.startswith(tuple(f"hailuo_jupyter.{each}" for each in wire)), path


def test_httpx_is_imported_in_one_module() -> None:
    assert users_of("httpx", "httpcore", "requests", "aiohttp") == {"hailuo_jupyter.providers.http"}


def test_pyav_is_imported_in_three_modules_and_by_the_simulator() -> None:
    modules = {m for m in users_of("av") if top(m) != "simulator"}
    assert modules == {
        "hailuo_jupyter.media",
        "hailuo_jupyter.preview",
        "hailuo_jupyter.kernel.join",
    }


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
def test_no_file_is_longer_than_600_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def loaded(*statements: str) -> set[str]:
    """Return what a fresh Python has loaded after some statements."""
    code = "\n".join(("import sys", *statements, "print('\\n'.join(sys.modules))"))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_next_to_nothing() -> None:
    heavy = {"httpx", "ipywidgets", "pydantic", "av", "PIL", "jinja2", "nest_asyncio2", "tornado"}
    assert not loaded("import hailuo_jupyter") & heavy


def test_loading_the_extension_loads_no_heavy_library() -> None:
    heavy = {"httpx", "ipywidgets", "pydantic", "av", "PIL", "jinja2"}
    assert not loaded("import hailuo_jupyter.kernel.extension") & heavy


def test_the_lowest_modules_load_nothing_of_the_rest() -> None:
    found = loaded("import hailuo_jupyter.errors, hailuo_jupyter.redact, hailuo_jupyter.states")
    assert {name for name in found if name.startswith("hailuo_jupyter")} == {
        "hailuo_jupyter",
        "hailuo_jupyter.errors",
        "hailuo_jupyter.links",
        "hailuo_jupyter.formatting",
        "hailuo_jupyter.redact",
        "hailuo_jupyter.startup",
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


#: What a module may rebind or change for the whole process, and why the kernel session cannot hold it.
PER_PROCESS = {
    "engine.process": {"_engine", "_lock"},  # one engine a process, also without a kernel
    "ids": {"_last", "_lock"},  # run ids ascend
    "keys": {"_memory", "_offered"},  # keys that were typed, or a host gave, for the engine
    "providers.network": {"_warned"},
    "redact": {"_secrets", "_remembered"},  # every log line passes it
    "runlog.connection": {"_opening"},
    "runlog.log": {"_logs", "_left_alone"},  # what a fork must not close
    "runlog.ownership": {"_owners"},  # locks on files
    "sinks.dispatch": {"_dispatcher"},
    "startup": {"_startup"},  # environment and folder at the process's start
    "kernel.session": {"session"},
    "kernel.context": {"_acting_for"},  # a context variable
}
#: Made once and never changed.
_CONSTANT = (
    "TypeVar(",
    "logging.getLogger(",
    "SystemRandom(",
    "random.SystemRandom(",
    "frozenset(",
    "re.compile(",
    "tuple(",
    "cast(",
)


def state_of(path: Path) -> set[str]:
    """Return the module-level names that may change: those in lower case, and those declared global."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {name for each in ast.walk(tree) if isinstance(each, ast.Global) for name in each.names}
    for each in tree.body:
        if not isinstance(each, ast.Assign | ast.AnnAssign) or each.value is None:
            continue
        targets = each.targets if isinstance(each, ast.Assign) else [each.target]
        called = isinstance(each.value, ast.Call | ast.List | ast.Dict | ast.Set)
        if called and not ast.unparse(each.value).startswith(_CONSTANT):
            found |= {
                t.id
                for t in targets
                if isinstance(t, ast.Name) and t.id.lower() == t.id and not t.id.startswith("__")
            }
    return found


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_what_is_remembered_is_in_the_kernel_session(path: Path) -> None:
    module = module_of(path).removeprefix("hailuo_jupyter.")
    if not module.startswith("simulator"):
        assert state_of(path) == PER_PROCESS.get(module, set()), "declare a SessionState for it"


# ── the names of a run's files ────────────────────────────────────────────────────────────────────

#: Where alone the name of a run's clip, sidecar or part follows from its id.
NAMING = "record/paths.py"


def is_run_id(node: ast.AST) -> bool:
    """Check whether an expression is a run's id by its name: `run_id`, `row.run_id`, `str(run.run_id)`."""
    return any(
        (isinstance(each, ast.Name) and each.id == "run_id")
        or (isinstance(each, ast.Attribute) and each.attr == "run_id")
        for each in ast.walk(node)
    )


def names_made_of_ids(source: str) -> list[str]:
    """Return the expressions that make a file's name of a run's id."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = [*node.values, ast.Constant("")]
            for part, after in pairwise(parts):
                if not (isinstance(part, ast.FormattedValue) and is_run_id(part.value)):
                    continue
                # `{run_id}.json`, `{run_id}{suffix}`, `.{run_id}`, and not the end of a sentence
                text = after.value if isinstance(after, ast.Constant) else None
                before = parts[parts.index(part) - 1] if part is not parts[0] else None
                hidden = isinstance(before, ast.Constant) and before.value in {".", "/", "/."}
                if text is None or re.match(r"\.[A-Za-z]", str(text)) or hidden:
                    found.append(ast.unparse(node))
        elif isinstance(node, ast.BinOp):
            made = isinstance(node.op, ast.Div) and isinstance(node.right, ast.Name | ast.Attribute)
            added = isinstance(node.op, ast.Add) and is_run_id(node.left)
            if (made and is_run_id(node.right)) or added:
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = node.func.attr in {"with_name", "with_stem", "joinpath", "glob", "format"}
            if named and any(
                isinstance(each, ast.Name | ast.Attribute) and is_run_id(each) for each in node.args
            ):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "code",
    [
        'f"{run_id}.mp4"', 'f"{row.run_id}{suffix}"', "folder / run_id", 'run_id + ".json"',
        'f".{run_id}.part"', "path.with_stem(row.run_id)", 'f"{folder}/{run_id}"',
        'f"{record.run_id}.unchecked"',
    ],
)  # fmt: skip
def test_a_name_that_is_made_of_an_id_is_seen(code: str) -> None:
    assert names_made_of_ids(code)


OURS = [path for path in FILES if top(module_of(path)) != "simulator"]


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_makes_a_files_name_of_a_runs_id(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if path.relative_to(PACKAGE).as_posix() == NAMING:
        assert names_made_of_ids(source)
        return
    assert not names_made_of_ids(source)
    assert not re.search(r"\.(unchecked|part)\b[\"']", source), "a suffix of a run's file"
