"""What the form has looked up for it: frames, uploads, the key, how long such runs took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import generate, origin
from hailuo_jupyter.kernel.panel import checks, form, frames, recall
from hailuo_jupyter.kernel.panel.checks import Problem
from hailuo_jupyter.kernel.panel.form import FIRST, LAST, Form, Source
from hailuo_jupyter.kernel.panel.frames import Seen
from hailuo_jupyter.kernel.panel.looks import Looks
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.settings import Hailuo

#: Seconds for which an address has to stand before a page is told to show what is there.
_TYPED_S = 0.7

_ROLES = {FIRST: "first frame", LAST: "last frame"}


class Lookups:
    """The questions of a form, each asked when what it depends on has changed. None blocks.

    Parameters
    ----------
    place
        The form's cell.
    settings
        What is in force.
    changed
        Is called, on another thread, when an answer has come.
    """

    def __init__(self, place: origin.Place, settings: Hailuo, changed: Callable[[], None]) -> None:
        self._place, self._settings, self._looks = place, settings, Looks(changed)

    def close(self) -> None:
        """Answer nothing any more."""
        self._looks.close()

    def again(self, given: Form) -> None:
        """Look anew at whatever another cell may have changed: the key, a frame's variable."""
        for name in ("provider", *(role for role in _ROLES if given.frame(role).variable)):
            self._looks.again(name)

    def provider(self, given: Form) -> Provider:
        """Give the provider that a form names, with the person's own prices."""
        with origin.acting_for(self._place):
            folder = origin.notebook().folder
        return generate.choose_provider(self._settings, given.provider, folder)[0]

    def keep(self, role: str, data: bytes, provider: Provider, kept: Callable[[str], None]) -> None:
        """Have an uploaded file checked and kept beside the clips.

        Parameters
        ----------
        role, data
            Which frame, and the file's bytes.
        provider
            Whose limits hold.
        kept
            Is called, on another thread, with the path as one writes it in the notebook.
        """

        def work() -> Problem | None:
            with origin.acting_for(self._place):
                here = origin.notebook().folder
            folder = generate.output_folder(self._settings, None, here)
            try:
                path = frames.keep_upload(data, _ROLES[role], provider.frame_limits, folder)
            except HailuoError as error:
                return checks.told(error)
            kept(form.seen_from(path, here))
            return None

        self._looks.ask(f"upload {role}", object(), work)

    def of(
        self, given: Form, provider: Provider, namespace: Mapping[str, Any]
    ) -> tuple[dict[str, Seen | None], dict[str, Problem | None]]:
        """Give what is known by now of a form's frames and key, and have the rest looked up.

        Parameters
        ----------
        given, provider
            The form, and the provider that it names.
        namespace
            The notebook's variables.

        Returns
        -------
        seen, problems
            The frames by role, and what is wrong or still looked at by field.
        """
        seen: dict[str, Seen | None] = {}
        found: dict[str, Problem | None] = {}
        for role in _ROLES:
            seen[role], found[role] = self._frame(role, given, provider, namespace)
        if provider.name != "demo":
            self._looks.ask("provider", provider.name, lambda: recall.key(provider, self._place))
            answer: recall.KeyLook | None = self._looks.answer("provider")
            looking = Problem(f"Looking for the key for {provider.title} …", waits=True)
            found["provider"] = looking if answer is None else answer.problem
        return seen, found

    def _frame(
        self, role: str, given: Form, provider: Provider, namespace: Mapping[str, Any]
    ) -> tuple[Seen | None, Problem | None]:
        field = given.frame(role)
        if field.source is Source.UPLOAD and field.missing:
            return None, self._looks.answer(f"upload {role}")
        if field.source is Source.NONE or field.missing:
            return None, None
        try:
            value = field.value(namespace)
        except HailuoError as error:
            return None, checks.told(error)
        with origin.acting_for(self._place):
            folder = origin.notebook().folder
        limits, title = provider.frame_limits, _ROLES[role]
        typed = isinstance(value, str) and value.casefold().startswith(("http:", "https:"))
        self._looks.ask(
            role,
            (field.source, field.text, id(value), provider.name, str(folder)),
            lambda: frames.look(value, title, limits, folder),
            settle_s=_TYPED_S if typed else 0.0,
        )
        seen: Seen | None = self._looks.answer(role)
        if seen is None:
            return None, Problem(f"Looking at the {title} …", waits=True)
        return seen, seen.problem

    def durations(self, given: Form, provider: Provider) -> Sequence[float]:
        """Give how many seconds such runs took here, as far as it is known by now."""
        kind = checks.kind(given, provider)
        self._looks.ask("time", kind, lambda: recall.durations(kind, self._settings))
        known: Sequence[float] | None = self._looks.answer("time")
        return known or ()
