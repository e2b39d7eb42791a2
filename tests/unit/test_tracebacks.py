"""No key in the local variables of any frame that a traceback may show, however it is shown."""

from __future__ import annotations

import asyncio
import io
import logging
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from IPython.core.ultratb import VerboseTB
from rich.console import Console
from rich.logging import RichHandler
from rich.traceback import Traceback

from hailuo_jupyter import keys, redact
from hailuo_jupyter.errors import SettingsError
from hailuo_jupyter.keys import Key, KeyHeader
from hailuo_jupyter.providers.base import Call
from hailuo_jupyter.providers.http import Http, Lost, Patience, Unsent

SECRET = "SG_7d1c5be02f94a863"
HEADERS = {
    "x-api-key": KeyHeader("x-api-key", Key(SECRET, "the test")),
    "bearer": KeyHeader("Authorization", Key(SECRET, "the test"), "Bearer"),
}


def everything(error: BaseException) -> Iterator[str]:
    """Show an error in each way that tells the local variables, and then each variable by itself."""
    kind, trace = type(error), error.__traceback__
    assert trace is not None
    buffer = io.StringIO()
    console = Console(file=buffer, width=300)
    console.print(
        Traceback.from_exception(
            kind,
            error,
            trace,
            show_locals=True,
            locals_max_length=None,
            locals_max_string=None,
        )
    )
    handler = RichHandler(
        console=console,
        rich_tracebacks=True,
        tracebacks_show_locals=True,
        tracebacks_max_frames=0,
        locals_max_length=None,
        locals_max_string=None,
    )
    handler.handle(
        logging.LogRecord("x", logging.ERROR, "x.py", 1, "said", (), (kind, error, trace))
    )
    yield buffer.getvalue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # IPython 9 calls it theme_name
        verbose = VerboseTB(color_scheme="NoColor")
    yield verbose.text(kind, error, trace)
    yield "".join(
        traceback.TracebackException(kind, error, trace, capture_locals=True).format(chain=True)
    )
    if sys.version_info < (3, 13):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import cgitb
        yield cgitb.text((kind, error, trace))
        yield cgitb.html((kind, error, trace))
    # A debugger looks into what all of these pass over: an error's context, though it is suppressed.
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        each = chain.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield f"{each} {each!r} {getattr(each, '__notes__', '')}"
        chain += [each.__cause__, each.__context__]
        for frame in _frames(each.__traceback__):
            yield from (f"{name}={value!r}" for name, value in frame.items())


def _frames(trace: TracebackType | None) -> Iterator[dict[str, Any]]:
    while trace is not None:
        # The test's own frames hold the secret.
        if trace.tb_frame.f_code.co_filename != __file__:
            yield trace.tb_frame.f_locals
        trace = trace.tb_next


def without_ours(error: BaseException) -> BaseException:
    """Cut off the frames of this file, which hold the secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return error.with_traceback(trace)


def check(error: BaseException) -> None:
    shown = list(everything(without_ours(error)))
    assert "send" in shown[0] or "keys.py" in shown[0], "it shows our frames"
    for text in shown:
        for form in (SECRET, SECRET[3:], SECRET.encode().hex()):
            assert form not in text, text[:4000]


async def caught(act: Callable[[Http, str], Awaitable[object]], url: str) -> BaseException:
    http = Http(Patience(connect=2.0, whole=20.0))
    try:
        await act(http, url)
    except BaseException as error:  # noqa: BLE001
        return error
    finally:
        await http.close()
    raise AssertionError("nothing was raised")


@contextmanager
def serving(answer: bytes, *, hang: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one request; gives the address, and what came."""
    got: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(10)
                got.append(connection.recv(65536))
                connection.sendall(answer)
                if hang:
                    connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v2/x", got
    finally:
        listening.close()
        thread.join(10)


@pytest.mark.parametrize("key", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", Lost),
        (b"no HTTP at all", Lost),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Lost),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone", Lost),
    ],
)
def test_a_connection_that_breaks(answer: bytes, kind: type[BaseException], key: KeyHeader) -> None:
    with serving(answer) as (url, got):
        call = Call("POST", url, {"prompt": "a cat"})
        error = asyncio.run(caught(lambda http, _: http.send(call, key, fresh=True), url))
    assert SECRET.encode() in got[0], "the key was sent"
    assert type(error) is kind
    check(error)


def test_nobody_listens() -> None:
    call = Call("POST", "http://127.0.0.1:1/v2/x", {"prompt": "a cat"})
    error = asyncio.run(caught(lambda http, _: http.send(call, HEADERS["bearer"]), call.url))
    assert isinstance(error, Unsent)
    check(error)


def test_a_key_that_no_header_can_carry() -> None:
    bad = KeyHeader("x-api-key", Key(f"{SECRET}\r\nx: y\u00e9", "the test"))
    call = Call("GET", "http://127.0.0.1:1/v2/x")
    check(asyncio.run(caught(lambda http, _: http.send(call, bad), call.url)))


def test_a_call_that_is_cancelled_while_it_waits() -> None:
    async def act(http: Http, url: str) -> None:
        sending = asyncio.ensure_future(http.send(Call("GET", url), HEADERS["bearer"]))
        while not got:
            await asyncio.sleep(0.01)
        sending.cancel()
        await sending

    with serving(b"", hang=True) as (url, got):
        error = asyncio.run(caught(act, url))
    assert isinstance(error, asyncio.CancelledError)
    check(error)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, RecursionError])
@pytest.mark.parametrize("key", HEADERS.values(), ids=HEADERS)
def test_a_defect_in_the_libraries_below_the_seam(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException], key: KeyHeader
) -> None:
    # Nothing real brings one about: the frame that fails holds the whole request as bytes.
    async def write(self: Any, buffer: bytes, timeout: float | None = None) -> None:
        assert SECRET.encode() in buffer
        raise ExceptionGroup("several", [ValueError("first")]) if kind is RuntimeError else kind

    monkeypatch.setattr("httpcore._backends.anyio.AnyIOStream.write", write)

    with serving(b"") as (url, _):
        error = asyncio.run(caught(lambda http, _: http.send(Call("GET", url), key), url))
    assert isinstance(error, ExceptionGroup if kind is RuntimeError else kind)
    check(error)
    if isinstance(error, Exception):
        assert "Raised in test_tracebacks.py, line " in error.__notes__[0]


BAD = [f"{SECRET} and more", f"{SECRET}\u00e9", f"{SECRET}\tx"]


@pytest.mark.parametrize("bad", BAD)
def test_a_key_that_cannot_be_one(
    bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_from_keyring", lambda _provider: None)
    monkeypatch.delenv("SEGMIND_API_KEY", raising=False)
    (tmp_path / ".env").write_text(f"OTHER={SECRET}\nSEGMIND_API_KEY='{bad}'\n", encoding="utf-8")
    acts: list[Callable[[], object]] = [
        lambda: keys.find("segmind", ["SEGMIND_API_KEY"], tmp_path),
        lambda: keys.remember("segmind", Key(bad, "the test")),
        lambda: keys.store("segmind", Key(bad, "the test")),
    ]
    for act in acts:
        with pytest.raises(SettingsError) as failed:
            act()
        check(failed.value)
    monkeypatch.setenv("SEGMIND_API_KEY", bad)
    with pytest.raises(SettingsError) as failed:
        keys.require("segmind", "Segmind", ["SEGMIND_API_KEY"], "a page")
    check(failed.value)


def test_a_keyring_that_fails_with_the_key_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")

    def refuse(_service: str, _name: str, password: str) -> None:
        raise RuntimeError(f"cannot store {password}")

    monkeypatch.setattr(keyring, "set_password", refuse)
    with pytest.raises(SettingsError) as failed:
        keys.store("segmind", Key(SECRET, "the test"))
    check(failed.value)


def test_an_error_while_secrets_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    redact.register(SECRET)

    def fail(_value: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(redact, "_by_form", fail)
    with pytest.raises(KeyboardInterrupt) as failed:
        redact.text("nothing in it")
    for text in everything(without_ours(failed.value)):
        assert SECRET not in text
