"""A process with the libraries of kernels and commands imported, which forks Python processes.

It is started as a script, so that it imports this package from where its forks would by themselves. A
request comes over a socket with the new process's standard streams, and the answer is its id. The end of
the socket ends this process.
"""

from __future__ import annotations

import builtins
import gc
import json
import os
import runpy
import shutil
import signal
import socket
import sys
import time
import types
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

del sys.path[0]  # this script's folder

from hailuo_jupyter import startup  # noqa: E402

#: What kernels with a run import, and commands; what an environment does not have is left out.
_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "IPython.core.completer",
    "jedi",
    "ipywidgets",
    "anyio._backends._asyncio",
    "httpcore",
    "av",
    "PIL.Image",
    "nbclient",
    "hailuo_jupyter.cli",
    "hailuo_jupyter.engine.process",
    "hailuo_jupyter.ipynb.execute",
    "hailuo_jupyter.ipynb.sync",
    "hailuo_jupyter.kernel.display.bundle",
    "hailuo_jupyter.kernel.generate",
    "hailuo_jupyter.kernel.magics",
)

_LARGEST = 200_000  # bytes of a request


def _serve(channel: socket.socket) -> dict[str, Any] | None:
    """Fork a process for each request; returns its request in each of them, and None at the end."""
    while True:
        request, streams, *_ = socket.recv_fds(channel, _LARGEST, 3)
        if not request:
            return None
        said, say = os.pipe()
        if not (between := os.fork()):
            between = os.getpid()
            if pid := os.fork():
                os.write(say, str(pid).encode())
                os._exit(0)
            # The process is the tests' own child as soon as the one between has ended.
            while os.getppid() == between:
                time.sleep(0.001)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            channel.detach()
            os.closerange(3, max([*streams, said, say]) + 1)
            return dict(json.loads(request))
        os.waitpid(between, 0)
        channel.send(os.read(said, 100))
        for each in (said, say, *streams):
            os.close(each)


def _run(request: dict[str, Any]) -> None:
    """Do what Python does when it starts with these arguments."""
    if request["session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    time.tzset()
    startup.read()
    sys.orig_argv = [sys.executable, *request["args"]]
    options, (kind, what, *rest) = request["options"], request["start"]
    sys.warnoptions += options
    warnings._processoptions(options)  # type: ignore[attr-defined]
    sys.argv = [kind, *rest]
    sys.path.insert(0, "")
    match kind:
        case "-m":
            _new_main()
            sys.path[0] = str(Path.cwd())
            runpy._run_module_as_main(what)
        case "-c":
            _execute(compile(what, "<string>", "exec"))
        case _:
            os.execvp = _instead_of_execvp
            _run_script(what, rest)


def _new_main(**names: Any) -> dict[str, Any]:
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__.update(names, __annotations__={}, __builtins__=builtins)
    return main.__dict__


def _execute(code: types.CodeType, **names: Any) -> None:
    exec(code, _new_main(**names))


def _run_script(path: str, arguments: Iterable[str]) -> None:
    sys.argv = [path, *arguments]
    sys.path[0] = str(Path(path).parent)
    _execute(compile(Path(path).read_bytes(), path, "exec"), __file__=path)


def _instead_of_execvp(file: str, arguments: Sequence[str]) -> NoReturn:
    """Run a script of this Python in place of the one that runs, as `jupyter hailuo` does."""
    path = shutil.which(file)
    assert path is not None
    if Path(path).parent == Path(sys.executable).parent:
        _run_script(path, arguments[1:])
        raise SystemExit
    os.execv(path, arguments)


def _prepare() -> None:
    for name in _MODULES:
        with suppress(ImportError):
            import_module(name)
    with suppress(ImportError):
        from jupyter_client.connect import LocalPortCache

        # By its file, as `tests` is not on the path of whatever is started here.
        ports = runpy.run_path(str(Path(__file__).parents[1] / "ports.py"))
        LocalPortCache.find_available_port = lambda *_: ports["free_port"]()  # type: ignore[method-assign]
    gc.collect()
    gc.freeze()  # or each fork would copy what its collector looks at


if __name__ == "__main__":
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prepare()
    if request := _serve(socket.socket(fileno=int(sys.argv[1]))):
        signal.signal(signal.SIGINT, handler)
        _run(request)
