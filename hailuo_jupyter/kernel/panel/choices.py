"""One value of several, as a row of buttons; those that are impossible now are disabled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ipywidgets import Box, ToggleButton

from hailuo_jupyter.kernel.panel import widgets


class Choices:
    """A title and a button for each value, one of which is pressed.

    Parameters
    ----------
    title
        What is chosen.
    changed
        Called when a person has chosen another value.
    """

    def __init__(self, title: str, changed: Callable[[Choices], None]) -> None:
        self._title, self._changed, self._quiet = title, changed, False
        self._buttons: dict[str, ToggleButton] = {}
        self._group = Box([])
        self._group.add_class("hailuo-group")
        self.box = Box([widgets.line(widgets.label(title)), self._group])
        self.box.add_class("hailuo-choices")
        self.value = ""

    def offer(
        self,
        values: Sequence[tuple[str, str]],
        value: str,
        impossible: Mapping[str, str] | None = None,
    ) -> None:
        """Show these values.

        Parameters
        ----------
        values
            Labels and values, in order.
        value
            The chosen one.
        impossible
            Why some of them cannot be chosen now; the chosen one stays enabled.
        """
        impossible = impossible or {}
        quiet, self._quiet, self.value = self._quiet, True, value
        try:
            shown = []
            for label, each in values:
                button = self._button(each, label)
                why = impossible.get(each, "") if each != value else ""
                name = f"{self._title}: {label}"
                widgets.put(button, "value", each == value)
                widgets.put(button, "disabled", bool(why))
                widgets.put(button, "tooltip", f"{name} ({why})" if why else name)
                shown.append(button)
            if self._group.children != tuple(shown):
                self._group.children = tuple(shown)
        finally:
            self._quiet = quiet

    def _button(self, value: str, label: str) -> ToggleButton:
        button = self._buttons.get(value)
        if button is None:
            button = self._buttons[value] = ToggleButton(description=label)
            button.observe(lambda change: self._pressed(value, pressed=change["new"]), "value")
        widgets.put(button, "description", label)
        return button

    def _pressed(self, value: str, *, pressed: bool) -> None:
        if self._quiet:
            return
        self._quiet = True
        try:
            # The chosen one stays pressed.
            for each, button in self._buttons.items():
                widgets.put(button, "value", each == (value if pressed else self.value))
        finally:
            self._quiet = False
        if pressed and value != self.value:
            self.value = value
            self._changed(self)

    def close(self) -> None:
        """Remove the buttons that are not shown from the kernel; the others belong to the box."""
        for button in self._buttons.values():
            if button not in self._group.children:
                widgets.close(button)
