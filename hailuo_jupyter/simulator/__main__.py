"""The simulator as a program: ``python -m hailuo_jupyter.simulator``."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hailuo_jupyter.simulator.options import SimulatorOptions
from hailuo_jupyter.simulator.server import Simulator, health

_LOOK_EVERY = 0.25


def main(
    argv: Sequence[str] | None = None,
    make: Callable[[SimulatorOptions], Simulator] = Simulator,
    prog: str = "python -m hailuo_jupyter.simulator",
) -> int:
    """Run the simulator until it is stopped.

    It prints one line with its address when it listens, and exits cleanly on SIGTERM and SIGINT.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments without the program's name; None uses those of the process.
    make : callable
        Creates the simulator.
    prog : str
        The program's name, for its help.

    Returns
    -------
    int
        Exit status: 0, or 1 if it could not start.
    """
    arguments = _parser(prog).parse_args(argv)
    options = SimulatorOptions(
        port=arguments.port,
        speed=arguments.speed,
        caption=arguments.caption,
        seed=arguments.seed,
        cache=arguments.cache,
        token=secrets.token_hex(24) if arguments.require_token else None,
    )
    ending = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ending.set())
    try:
        simulator = make(options).start()
    except OSError as problem:
        sys.stderr.write(f"The simulator cannot listen: {problem}\n")
        return 1
    with simulator:
        if arguments.ready_file is not None:
            token = {"token": options.token} if options.token else {}
            _write_whole(arguments.ready_file, json.dumps({**health(simulator.state), **token}))
        _say(f"Simulated Segmind and AI/ML API at {simulator.url}")
        while not ending.wait(_LOOK_EVERY):
            if arguments.idle_exit is not None and simulator.idle_seconds() >= arguments.idle_exit:
                break
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="A stand-in for Segmind and AI/ML API on this machine; it costs nothing.",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)"
    )
    parser.add_argument("--speed", type=float, default=1.0, help="virtual seconds per real second")
    parser.add_argument("--caption", action="store_true", help="draw the prompt into the clips")
    parser.add_argument("--seed", type=int, help="make the waiting times repeatable")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder for rendered clips")
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="written when it listens")
    parser.add_argument(
        "--require-token",
        action="store_true",
        help="make a token, write it into the ready file, and accept no other key",
    )
    parser.add_argument(
        "--idle-exit", type=float, metavar="SECONDS", help="end after so long without a request"
    )
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _write_whole(path: Path, text: str) -> None:
    # A reader must never see a partial file, and only this user may read it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    sys.exit(main())
