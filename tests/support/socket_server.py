"""A server of plain sockets, which answers whatever bytes a test likes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Serve = Callable[[socket.socket], None]


class Server:
    """A plain socket on this machine; a function serves each connection."""

    def __init__(self, serve: Serve, host: str = "127.0.0.1") -> None:
        self._serve, self.connections = serve, 0
        self.received: list[bytes] = []
        self._socket = socket.create_server((host, 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(5)
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._serve(connection)

    def read(self, connection: socket.socket) -> bytes:
        """Read one whole request."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                while len(body) < int(line.split(b":")[1]):
                    body += connection.recv(65536)
        self.received.append(head + b"\r\n\r\n" + body)
        return self.received[-1]

    def close(self) -> None:
        self._socket.close()


@contextmanager
def serving(serve: Callable[[Server, socket.socket], None]) -> Iterator[Server]:
    box: list[Server] = []
    server = Server(lambda connection: serve(box[0], connection))
    box.append(server)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def answering(*answers: bytes) -> Iterator[Server]:
    """Serve these answers, the last one again and again, on connections that are kept."""
    left = list(answers)

    def serve(server: Server, connection: socket.socket) -> None:
        while server.read(connection):
            connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    with serving(serve) as server:
        yield server
