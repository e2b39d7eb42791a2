"""`panel()`: the form in a notebook, and the same from code."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.choices import resolve
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import KeyMissing
from hailuo_jupyter.kernel import bridge, generate, origin
from hailuo_jupyter.kernel.display import show
from hailuo_jupyter.kernel.panel import form, ordering
from hailuo_jupyter.kernel.panel.form import Form
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.settings import Hailuo

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.panel.form_view import FormView

#: The panel of each cell; running the cell again makes another in its place.
_panels: dict[tuple[str, str | None], Panel] = {}


def panel() -> Panel:
    """Show a form that makes the same requests as ``%%hailuo``.

    Returns
    -------
    Panel
        To fill and submit the form from code; it may be ignored. Where there can be no form (in a
        terminal, under an executor, without ipywidgets) a sentence says so, and code works all the
        same.
    """
    ip = origin.shell()
    place = origin.here(ip)
    made = Panel(place, ip)
    key = (place.notebook.id, place.cell_id)
    before = _panels.pop(key, None)
    if before is not None and place.cell_id is not None:
        before.close()
    _panels[key] = made
    made.show()
    return made


class Panel:
    """A form, as `panel` shows it.

    Parameters
    ----------
    place
        The cell that it belongs to.
    ip
        The shell, or None in a script.
    """

    def __init__(self, place: origin.Place, ip: Any | None) -> None:
        self._place, self._ip, self._settings = place, ip, Hailuo.instance()
        self._form, self._shown_at = Form(provider=self._default()), -1
        self._view: FormView | None = None

    def _default(self) -> str:
        """Give the provider that a cell without ``--provider`` has; without any key the demo."""
        try:
            folder = self._place.notebook.folder
            return generate.choose_provider(self._settings, None, folder)[0].name
        except KeyMissing:
            return "demo"

    # ── showing it ─────────────────────────────────────────────────────────────────────────────

    def show(self) -> None:
        """Show the form in the running cell, or say why there can be none."""
        self._shown_at = getattr(self._ip, "execution_count", 0)
        why = self._why_none()
        if why:
            print(why)  # noqa: T201 - the answer of a cell
        elif self._view is not None:
            self._view.shelf.open(self._view.root)
        else:
            from hailuo_jupyter.kernel.outputs import bundles_now
            from hailuo_jupyter.kernel.panel.form_view import FormView

            bridge.open_bridge(self._ip, bundles_now)
            self._view = FormView(self._form, self._place, self._ip)
            self._view.open()

    def _why_none(self) -> str:
        audience = origin.audience(self._ip)
        if audience is not origin.Audience.FRONT_END:
            return (
                "The panel is a form to be used in an open notebook; nobody could click it here. "
                "%%hailuo makes the same requests, and so does this panel from code."
            )
        try:
            import ipywidgets  # noqa: F401
        except ImportError:
            return (
                "The panel needs ipywidgets, which this kernel does not have: pip install "
                "ipywidgets. %%hailuo makes the same requests, and so does this panel from code."
            )
        return ""

    def _ipython_display_(self) -> None:
        """Show the form once more, unless this very cell has just shown it."""
        if getattr(self._ip, "execution_count", 0) != self._shown_at:
            self.show()

    def close(self) -> None:
        """Take the form out of the kernel; its runs go on."""
        if self._view is not None:
            self._view.close()
            self._view = None

    # ── the same from code ─────────────────────────────────────────────────────────────────────

    @property
    def form(self) -> Form:
        """What the form holds, as plain data."""
        return self._form if self._view is None else self._view.form

    def _set(self, **changes: Any) -> None:
        changed = replace(self.form, **changes)
        if self._view is None:
            self._form = changed
        else:
            self._view.set(changed)

    def _provider(self) -> Provider:
        folder = self._place.notebook.folder
        return generate.choose_provider(self._settings, self.form.provider, folder)[0]

    @property
    def prompt(self) -> str:
        """The prompt, literally: braces are braces here."""
        return self.form.prompt

    @prompt.setter
    def prompt(self, text: str) -> None:
        self._set(prompt=text)

    @property
    def provider(self) -> str:
        """``"segmind"``, ``"aimlapi"`` or ``"demo"``."""
        return self.form.provider

    @provider.setter
    def provider(self, name: str) -> None:
        known = catalogue.provider(name).name
        self._set(provider=known)

    @property
    def options(self) -> dict[str, str]:
        """The provider's own options by name, e.g. ``{"mode": "pro"}``; set those that you want."""
        return form.options_of(self.form, self._provider())

    @options.setter
    def options(self, chosen: dict[str, Any]) -> None:
        checked = resolve(self._provider(), chosen)
        self._set(options={name: str(checked[name]) for name in chosen})

    @property
    def image(self) -> Any:
        """First frame: a path, a URL, bytes, a PIL image, an array, or None."""
        return self.form.first.value(self._namespace())

    @image.setter
    def image(self, value: Any) -> None:
        self._set(first=form.frame_field(value, self._namespace()))

    @property
    def last_image(self) -> Any:
        """Last frame, as `image`."""
        return self.form.last.value(self._namespace())

    @last_image.setter
    def last_image(self, value: Any) -> None:
        self._set(last=form.frame_field(value, self._namespace()))

    @property
    def prompt_optimizer(self) -> bool:
        """Whether the provider may rewrite the prompt (its default)."""
        return self.form.prompt_optimizer

    @prompt_optimizer.setter
    def prompt_optimizer(self, may: bool) -> None:
        self._set(prompt_optimizer=bool(may))

    @property
    def count(self) -> int:
        """Runs of this request that are wanted in this notebook, 1 to 20."""
        return self.form.count

    @count.setter
    def count(self, wanted: int) -> None:
        generate.check_count(wanted)
        self._set(count=wanted)

    @property
    def tags(self) -> tuple[str, ...]:
        """Kept in the record."""
        return self.form.tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._set(tags=tuple(tags))

    @property
    def note(self) -> str:
        """Kept in the record."""
        return self.form.note

    @note.setter
    def note(self, text: str) -> None:
        self._set(note=text)

    @property
    def cell(self) -> str:
        """The form as the ``%%hailuo`` cell that asks for the same."""
        return form.cell_text(self.form, self._provider(), self._namespace())

    def repeat(self, run: Run) -> None:
        """Fill the form with a run's request; what is submitted next has it as its parent.

        Parameters
        ----------
        run
            Any run.
        """
        row = process.engine().row(run.run_id)
        filled = form.of_run(row.record, row.folder, self._place.notebook.folder)
        self._set(**{name: getattr(filled, name) for name in filled.__dataclass_fields__})

    def submit(self, *, new: bool = False, wait: bool = False) -> Run | list[Run]:
        """Submit the form, as its button does.

        The run is shown below the form; where there is none, in the running cell.

        Parameters
        ----------
        new
            Buy, even where the notebook has such a run already.
        wait
            Return when the clips are there; else when the provider has answered, after 2 s at the
            latest. Under an executor it always waits.

        Returns
        -------
        Run or list of Run
            A list if `count` is more than 1.

        Raises
        ------
        HailuoError
            If the request is wrong, was refused, or (having waited) did not end well.
        """
        began = time.monotonic()
        wish = form.wish(self.form, self._provider(), self._namespace(), new=new)
        if self._view is not None:
            placed = self._view.place(wish)
            engine = process.engine()
        else:
            engine, placed = ordering.place(wish, self._settings)
            show(
                engine,
                [each.run for each in placed],
                self._ip,
                wait=wait,
                saved=ordering.saved(placed),
            )
        self._set(parent=None)
        headless = origin.audience(self._ip) is origin.Audience.HEADLESS
        return generate.handed(engine, placed, began, wait=wait or headless)

    def _namespace(self) -> dict[str, Any]:
        return getattr(self._ip, "user_ns", {})

    def __repr__(self) -> str:
        return f"<Panel {self.form.provider}: {self.form.prompt[:40]!r}>"
