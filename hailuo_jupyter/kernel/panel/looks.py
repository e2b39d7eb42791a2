"""What takes a while is looked up on a thread of its own, and only its newest answer counts."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

logger = logging.getLogger(__name__)


class Looks:
    """Answers to questions that block: frames read, keys found, the log asked.

    Parameters
    ----------
    changed
        Is called, on the thread, when an answer has come.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._asked: dict[str, object] = {}
        self._answers: dict[str, tuple[object, Any]] = {}
        self._closed = threading.Event()
        # By it ipykernel finds the parent header of what an answer has the widgets send.
        self._context = contextvars.copy_context()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="hailuo-panel-look")

    def close(self) -> None:
        """Answer nothing any more."""
        self._closed.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def ask(
        self, name: str, subject: object, look: Callable[[], Any], *, settle_s: float = 0.0
    ) -> None:
        """Have something looked up, unless just that was asked last.

        Parameters
        ----------
        name
            Which answer it is.
        subject
            What it depends on; compared by equality.
        look
            Gives the answer; may block.
        settle_s
            Seconds for which the subject has to stay the same first.
        """
        if name in self._asked and self._asked[name] == subject:
            return
        self._asked[name] = subject

        def work() -> None:
            if settle_s and self._asked.get(name) == subject:
                self._closed.wait(settle_s)
            if self._closed.is_set() or self._asked.get(name) != subject:
                return
            try:
                answer = look()
            except Exception:
                logger.exception("the panel could not look up %s", name)
                self.again(name)
                return
            if self._asked.get(name) == subject:
                self._answers[name] = (subject, answer)
                self._changed()

        try:
            self._worker.submit(self._context.copy().run, work)
        except RuntimeError:  # closed, or the kernel ends
            logger.debug("the panel asked for %s after its end", name)

    def again(self, name: str) -> None:
        """Have the next `ask` look anew, whatever its subject."""
        self._asked.pop(name, None)

    def answer(self, name: str) -> Any:
        """Give the answer to what was asked last; None while there is none."""
        subject, answer = self._answers.get(name, (None, None))
        return answer if name in self._asked and self._asked[name] == subject else None
