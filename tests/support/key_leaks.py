"""Keys of a browser test's server, and whether anything of them is seen where no key belongs."""

from __future__ import annotations

import secrets
from pathlib import Path

from playwright.sync_api import Page, WebSocket

from hailuo_jupyter.ipynb.audit import scan_bytes

#: No vowels and no hexadecimal digits alone: nothing else is like eight of these in a row.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZbcdfghjklmnpqrstvwxz0123456789"

#: Of a file in many places, and of one that has not changed, nothing new is to be learned.
Known = tuple[int, int, int, int]

#: Everything that a kernel's libraries say, in a file.
_LOGGING = "import logging\nlogging.basicConfig(filename={!r}, level=logging.DEBUG, force=True)\n"


class Watch:
    """One server's keys, what its pages send and get, and all the files below its folder.

    Parameters
    ----------
    folder
        Where server and kernels write, work folder and run log too.
    """

    #: Every server of this session.
    all: list[Watch] = []  # noqa: RUF012 - shared on purpose

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = {
            "SEGMIND_API_KEY": f"SG_{_random(16)}",
            "AIML_API_KEY": _random(32),
            "FAL_KEY": _random(32),
            "MINIMAX_API_KEY": f"sk-api-{_random(32)}",
        }
        self.frames = 0
        self._heard: list[bytes] = []
        self._read: set[Known] = set()
        startup = folder / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "00-debug.py").write_text(_LOGGING.format(str(folder / "kernels.log")))
        Watch.all.append(self)

    def listen(self, page: Page) -> None:
        """Keep all that goes through a page's websockets."""
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        self._hear(socket.url)
        socket.on("framesent", self._hear)
        socket.on("framereceived", self._hear)

    def _hear(self, payload: str | bytes) -> None:
        self.frames += 1
        data = payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogatepass")
        self._heard.append(data)

    def findings(self) -> list[str]:
        """Look for the keys in whatever is new since the last look; names places, never a secret."""
        heard, self._heard = b"\n".join(self._heard), []
        found = [f"websocket: {kind}" for kind in scan_bytes(heard, self.keys.values())]
        for path in sorted(self.folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            facts = path.stat()
            known = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if known not in self._read:
                self._read.add(known)
                kinds = scan_bytes(path.read_bytes(), self.keys.values())
                found += [f"{path.relative_to(self.folder)}: {kind}" for kind in kinds]
        return found


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
