"""Run slow lookups on a thread; only the newest result counts."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import context, generate
from hailuo_jupyter.kernel.panel import form_state, frame_inputs, queries, validation
from hailuo_jupyter.kernel.panel.form_state import FIRST, LAST, FormState, Source
from hailuo_jupyter.kernel.panel.frame_inputs import FramePreview
from hailuo_jupyter.kernel.panel.validation import Problem
from hailuo_jupyter.settings import Hailuo

logger = logging.getLogger(__name__)


class LatestTask:
    """Results of blocking lookups: frames, keys, and the log.

    Parameters
    ----------
    changed
        Called on the thread when a result is ready.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._asked: dict[str, object] = {}
        self._answers: dict[str, tuple[object, Any]] = {}
        self._closed = threading.Event()
        # ipykernel uses it to find the parent header of messages that the widgets send on a result.
        self._context = contextvars.copy_context()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="hailuo-panel-look")

    def close(self) -> None:
        """Stop answering."""
        self._closed.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def ask(
        self, name: str, subject: object, look: Callable[[], Any], *, settle_s: float = 0.0
    ) -> None:
        """Look something up, unless the subject is the last requested one.

        Parameters
        ----------
        name
            Name of the lookup.
        subject
            The input of the lookup; compared by equality.
        look
            Returns the result; may block.
        settle_s
            Seconds for which the subject must stay unchanged first.
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
        """Make the next `ask` run again, whatever its subject."""
        self._asked.pop(name, None)

    def answer(self, name: str) -> Any:
        """Return the result of the last lookup; None if there is none yet."""
        subject, answer = self._answers.get(name, (None, None))
        return answer if name in self._asked and self._asked[name] == subject else None


#: Seconds for which an address must stay unchanged before a page shows its picture.
_TYPED_S = 0.7

_ROLES = {FIRST: "first frame", LAST: "last frame"}


class Lookups:
    """The lookups of a form, each repeated when its input has changed. None blocks.

    Parameters
    ----------
    place
        The form's cell.
    settings
        The settings in force.
    changed
        Called on another thread when a result is ready.
    """

    def __init__(
        self, place: context.CellContext, settings: Hailuo, changed: Callable[[], None]
    ) -> None:
        self._place, self._settings, self._looks = place, settings, LatestTask(changed)

    def close(self) -> None:
        """Stop answering."""
        self._looks.close()

    def again(self, form: FormState) -> None:
        """Repeat the checks of what another cell may have changed: the key, a frame's variable."""
        for name in ("provider", *(role for role in _ROLES if form.frame(role).variable)):
            self._looks.again(name)

    def provider(self, form: FormState) -> Provider:
        """Return the form's provider, with the person's own prices."""
        with context.override_cell(self._place):
            folder = context.notebook().folder
        return generate.provider_or_default(self._settings, form.provider, folder, form.model)

    def keep(self, role: str, data: bytes, provider: Provider, kept: Callable[[str], None]) -> None:
        """Check an uploaded file and save it next to the clips.

        Parameters
        ----------
        role, data
            Which frame, and the file's bytes.
        provider
            The provider whose limits apply.
        kept
            Called on another thread with the path to write in the notebook.
        """

        def work() -> Problem | None:
            with context.override_cell(self._place):
                here = context.notebook().folder
            folder = generate.output_folder(self._settings, None, here)
            try:
                path = frame_inputs.keep_upload(data, _ROLES[role], provider.frame_limits, folder)
            except HailuoError as error:
                return validation.error_to_problem(error)
            kept(form_state.seen_from(path, here))
            return None

        self._looks.ask(f"upload {role}", object(), work)

    def of(
        self, form: FormState, provider: Provider, namespace: Mapping[str, Any]
    ) -> tuple[dict[str, FramePreview | None], dict[str, Problem | None]]:
        """Return what is known about a form's frames and key, and look up the rest.

        Parameters
        ----------
        form, provider
            The form, and its provider.
        namespace
            The notebook's variables.

        Returns
        -------
        seen, problems
            The frames by role, and the problems and pending checks by field.
        """
        seen: dict[str, FramePreview | None] = {}
        found: dict[str, Problem | None] = {}
        for role in _ROLES:
            seen[role], found[role] = self._frame(role, form, provider, namespace)
        if provider.name != "demo":
            self._looks.ask(
                "provider", provider.name, lambda: queries.look_up_key(provider, self._place)
            )
            answer: queries.KeyState | None = self._looks.answer("provider")
            looking = Problem(f"Looking for the key for {provider.title} …", waits=True)
            found["provider"] = looking if answer is None else answer.problem
        return seen, found

    def _frame(
        self, role: str, form: FormState, provider: Provider, namespace: Mapping[str, Any]
    ) -> tuple[FramePreview | None, Problem | None]:
        field = form.frame(role)
        if field.source is Source.UPLOAD and field.missing:
            return None, self._looks.answer(f"upload {role}")
        if field.source is Source.NONE or field.missing:
            return None, None
        try:
            value = field.value(namespace)
        except HailuoError as error:
            return None, validation.error_to_problem(error)
        with context.override_cell(self._place):
            folder = context.notebook().folder
        limits, title = provider.frame_limits, _ROLES[role]
        typed = isinstance(value, str) and value.casefold().startswith(("http:", "https:"))
        self._looks.ask(
            role,
            (field.source, field.text, id(value), provider.name, str(folder)),
            lambda: frame_inputs.preview_frame(context.written_path(value), title, limits, folder),
            settle_s=_TYPED_S if typed else 0.0,
        )
        seen: FramePreview | None = self._looks.answer(role)
        if seen is None:
            return None, Problem(f"Looking at the {title} …", waits=True)
        return seen, seen.problem

    def clips(self) -> list[tuple[str, str]]:
        """Return the clips whose last frame may be chosen, as far as known."""
        self._looks.ask("clips", "", lambda: queries.clips_to_choose(self._settings))
        found: list[tuple[str, str]] | None = self._looks.answer("clips")
        return found or []

    def clips_again(self) -> None:
        """Look for new clips at the next call of `clips`."""
        self._looks.again("clips")

    def durations(self, form: FormState, provider: Provider) -> Sequence[float]:
        """Return how many seconds such runs took here, as far as known."""
        kind = validation.kind(form, provider)
        self._looks.ask("time", kind, lambda: queries.known_durations(kind, self._settings))
        seconds: Sequence[float] | None = self._looks.answer("time")
        return seconds or ()
