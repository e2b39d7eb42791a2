"""The field for a missing key: what is typed reaches the kernel's memory, and no document."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import Password, VBox
from markupsafe import Markup
from traitlets import Unicode

from hailuo_jupyter import keys
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel.panel import widgets
from hailuo_jupyter.kernel.panel.validation import Problem
from hailuo_jupyter.keys import Key

_UNUSABLE = "That isn't a usable key: it contains spaces or non-ASCII characters."


class KeyField(Password):  # type: ignore[misc]
    """A password field whose value is not sent back to the pages, and is removed when it was read."""

    value = Unicode("").tag(sync=True, echo_update=False)


class KeyEntry:
    """Asks for a provider's key where it is missing.

    Parameters
    ----------
    entered
        Called after a key was entered; it is in the kernel's memory then.
    """

    def __init__(self, entered: Callable[[], None]) -> None:
        self._entered = entered
        self._provider: Provider | None = None
        self._asked: tuple[str, Problem | None] = ("", None)
        self._field = KeyField(
            description="API key", placeholder="Paste the key", continuous_update=False
        )
        self._field.observe(lambda _change: self._received(), "value")
        # A press takes the focus from the field, which sends its value.
        self._use = widgets.button("Use key", name="Use this key in this kernel session")
        self._says = widgets.line()
        self._row = widgets.buttons(self._field, self._use)
        self.box: VBox = widgets.box("hailuo-key", self._says, self._row)
        widgets.shown(self.box, False)

    def ask(self, provider: Provider, problem: Problem | None) -> None:
        """Show the field while a provider's key is missing, or what else is wrong with its keys."""
        changed, self._asked = (provider.name, problem) != self._asked, (provider.name, problem)
        self._provider = provider
        widgets.shown(self.box, problem is not None and not problem.waits)
        if problem is None or not changed:
            return
        widgets.shown(self._row, problem.no_key)
        if problem.no_key:
            self._explain(provider)
        else:
            widgets.put(self._says, "value", widgets.problem(problem))

    def _explain(self, provider: Provider, wrong: str = "") -> None:
        where = Markup(
            'No key for {0} yet. <a href="{1}" target="_blank" rel="noopener noreferrer">Get one</a> '
            "and paste it here; it is kept until this kernel ends, and in no file."
        ).format(provider.title, provider.key_page)
        widgets.put(
            self._says,
            "value",
            widgets.says(wrong, wrong=True) if wrong else widgets.says(where),
        )

    def _received(self) -> None:
        # No local variable here has the key: a traceback from here on may show them.
        if not self._field.value:
            return
        key = Key(self._field.value, "the panel")
        self._field.value = ""
        if self._provider is None:
            return
        try:
            keys.remember(self._provider.name, key)
        except HailuoError:
            self._explain(self._provider, _UNUSABLE)
            return
        self._entered()
