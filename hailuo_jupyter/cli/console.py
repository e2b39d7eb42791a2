"""Printing with control characters escaped, to streams of any encoding, closed or full.

A command's work never depends on what can be printed: text that cannot be written is left out, and
the exit status shows it at the end.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, TypeVar, cast

from hailuo_jupyter.formatting import encodable, escape_control

_Status = TypeVar("_Status")


def say(*lines: str) -> None:
    """Print lines."""
    for line in lines:
        sys.stdout.write(f"{escape_control(line)}\n")
    sys.stdout.flush()


def say_json(document: str) -> None:
    """Print a JSON text, in ASCII where standard output is not UTF-8.

    JSON between programs is UTF-8 (RFC 8259), whatever encoding a Windows pipe has;
    escaped, it is the same document in every encoding.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if codecs.lookup(encoding).name != "utf-8":
        document = re.sub(r"[^\x00-\x7f]+", lambda found: json.dumps(found[0])[1:-1], document)
    sys.stdout.write(f"{document}\n")
    sys.stdout.flush()


def complain(*lines: str) -> None:
    """Print lines on standard error, each message on one."""
    for line in lines:
        sys.stderr.write(f"{' '.join(escape_control(line).split())}\n")


class _Stream:
    """A standard stream that accepts every text; `problem` is why some of it was not written.

    Parameters
    ----------
    stream
        The stream to write to; None if the process was started without one.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.problem: OSError | ValueError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:  # closed
            return False

    def write(self, text: str) -> int:
        """Write what can be written."""
        with self._noting_problems():
            if self._stream is None:
                raise OSError(errno.EBADF, "it is closed")
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                self._stream.write(encodable(text, self._stream.encoding))
        return len(text)

    def flush(self) -> None:
        """Write what is pending. May be repeated: a full disk may have room later."""
        with self._noting_problems():
            if self._stream is not None:
                self._stream.flush()

    def discard(self) -> None:
        """Drop what could not be written; otherwise Python reports it at exit."""
        if self.problem is not None and self._stream is not None:
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self.problem = error


class Streams:
    """Both streams of a command."""

    def __init__(self) -> None:
        self.out, self.err = _Stream(sys.stdout), _Stream(sys.stderr)

    def status(self, status: _Status) -> _Status | int:
        """Return the exit status: the command's own, or 1 if its output was lost."""
        self.out.flush()
        problem = self.out.problem
        if problem is None:
            return status
        if not isinstance(problem, BrokenPipeError):  # head and less may close the pipe early
            why = getattr(problem, "strerror", None) or "it is closed"
            complain(
                f"Could not write to standard output ({why}). The command itself has finished."
            )
        return status or 1


@contextmanager
def standard_streams() -> Iterator[Streams]:
    """Install streams that a command can always write to."""
    _reserve_descriptors()
    before, streams = (sys.stdout, sys.stderr), Streams()
    sys.stdout, sys.stderr = cast("TextIO", streams.out), cast("TextIO", streams.err)
    try:
        yield streams
    finally:
        sys.stdout, sys.stderr = before
        for each in (streams.out, streams.err):
            each.flush()
            each.discard()


def _reserve_descriptors() -> None:
    """Open the null device for each standard stream that the process was started without.

    Otherwise the next file opened, perhaps a clip, would get its number, and with it everything that a
    library writes to "standard error".
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened == descriptor:
                os.set_inheritable(opened, True)
            else:
                os.dup2(opened, descriptor)
                os.close(opened)
