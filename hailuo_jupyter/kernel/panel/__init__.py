"""The panel: a form of ipywidgets that makes the same requests as ``%%hailuo``.

The form's state is plain data (`form_state`), checked by pure functions (`validation`). Widgets show it
(`inputs`, `frame_inputs`, `widgets`), runs appear as cards below (`run_list`), and `controller` connects
them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hailuo_jupyter import catalogue
from hailuo_jupyter.catalogue import validate_options
from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine import process
from hailuo_jupyter.engine.run import Run
from hailuo_jupyter.errors import KeyMissing
from hailuo_jupyter.formatting import print_safely
from hailuo_jupyter.kernel import comm, context, generate, host_secrets
from hailuo_jupyter.kernel.display.run_output import show
from hailuo_jupyter.kernel.panel import form_state
from hailuo_jupyter.kernel.panel.form_state import FormState
from hailuo_jupyter.kernel.panel.submission import submission_from
from hailuo_jupyter.kernel.session import SessionState, session
from hailuo_jupyter.settings import Hailuo

if TYPE_CHECKING:
    from hailuo_jupyter.kernel.panel.controller import FormController


class _Panels(SessionState):
    """The panel of each cell; running the cell again replaces it."""

    def __init__(self) -> None:
        self.by_cell: dict[tuple[str, str | None], Panel] = {}

    def close(self) -> None:
        """Remove the forms from the kernel; their runs continue."""
        for each in self.by_cell.values():
            each.close()


def panel() -> Panel:
    """Show a form that makes the same requests as ``%%hailuo``.

    Returns
    -------
    Panel
        To fill and submit the form from code; it may be ignored. If no form can be shown (in a
        terminal, under an executor, without ipywidgets), a sentence says so, and code still
        works.

    Examples
    --------
    In a script, where no form can be shown:

    >>> from hailuo_jupyter import panel
    >>> form = panel()
    The panel needs an open notebook. Use %%hailuo instead, or this panel from code.
    >>> form.provider = "demo"
    >>> form.prompt = "A heron lifts off a lake."
    >>> print(form.cell)
    %%hailuo --provider demo --mode standard
    A heron lifts off a lake.
    """
    ip = context.shell()
    place = context.current_cell(ip)
    made = Panel(place, ip)
    key = (place.notebook.id, place.cell_id)
    panels = session.state(_Panels).by_cell
    before = panels.pop(key, None)
    if before is not None and place.cell_id is not None:
        before.close()
    panels[key] = made
    made.show()
    return made


class Panel:
    """A form, as returned by `panel`.

    Parameters
    ----------
    place
        The cell that it belongs to.
    ip
        The shell, or None in a script.
    """

    def __init__(self, place: context.CellContext, ip: Any | None) -> None:
        self._place, self._ip, self._settings = place, ip, Hailuo.instance()
        self._form, self._shown_at = FormState(provider=self._default()), -1
        self._view: FormController | None = None

    def _default(self) -> str:
        """Return the provider that a cell without ``--provider`` has; the demo if there is no key."""
        folder = self._place.notebook.folder
        try:
            provider = generate.choose_provider(self._settings, None, folder)[0]
        except KeyMissing:
            return "demo"
        host_secrets.look([provider], folder)  # the form's handlers cannot
        return provider.name

    # ── display ─────────────────────────────────────────────────────────────────────────────

    def show(self) -> None:
        """Show the form in the running cell, or print why that is not possible."""
        self._shown_at = getattr(self._ip, "execution_count", 0)
        why = self._why_none()
        if why:
            print_safely(why)
        elif self._view is not None:
            self._view.shelf.open(self._view.root)
        else:
            from hailuo_jupyter.kernel.display.render_outputs import render_outputs
            from hailuo_jupyter.kernel.panel.controller import FormController

            comm.open_comm(self._ip, render_outputs)
            self._view = FormController(self._form, self._place, self._ip)
            self._view.open()

    def _why_none(self) -> str:
        audience = context.frontend(self._ip)
        if audience is not context.Frontend.INTERACTIVE:
            return (
                "The panel needs an open notebook. Use %%hailuo instead, or this panel from code."
            )
        try:
            import ipywidgets  # noqa: F401
        except ImportError:
            return (
                "The panel needs ipywidgets, which this kernel does not have: pip install "
                "ipywidgets. Use %%hailuo instead, or this panel from code."
            )
        return ""

    def _ipython_display_(self) -> None:
        """Show the form again, unless this cell has just shown it."""
        if getattr(self._ip, "execution_count", 0) != self._shown_at:
            self.show()

    def close(self) -> None:
        """Remove the form from the kernel; its runs continue."""
        if self._view is not None:
            self._view.close()
            self._view = None

    # ── the form's values from code ─────────────────────────────────────────────────────────────────────

    @property
    def form(self) -> FormState:
        """The form's values, as plain data."""
        return self._form if self._view is None else self._view.form

    def _set(self, **changes: Any) -> None:
        changed = replace(self.form, **changes)
        if self._view is None:
            self._form = changed
        else:
            self._view.set(changed)

    def _provider(self) -> Provider:
        folder = self._place.notebook.folder
        return generate.provider_or_default(
            self._settings, self.form.provider, folder, self.form.model
        )

    @property
    def prompt(self) -> str:
        """The prompt, taken literally; braces are not variables here."""
        return self.form.prompt

    @prompt.setter
    def prompt(self, text: str) -> None:
        self._set(prompt=text)

    @property
    def provider(self) -> str:
        """A provider's name, e.g. ``"segmind"`` or ``"demo"``."""
        return self.form.provider

    @provider.setter
    def provider(self, name: str) -> None:
        known = catalogue.provider(name).name
        self._set(provider=known)

    @property
    def model(self) -> str:
        """``"hailuo-02"``, or another model that the provider has."""
        return self._provider().model_name

    @model.setter
    def model(self, name: str) -> None:
        folder = self._place.notebook.folder
        chosen, _ = generate.choose_provider(self._settings, self.form.provider, folder, name)
        self._set(model=chosen.model_name)

    @property
    def options(self) -> dict[str, str]:
        """The provider's own options by name, e.g. ``{"mode": "pro"}``; set those that you want."""
        return form_state.options_of(self.form, self._provider())

    @options.setter
    def options(self, chosen: dict[str, Any]) -> None:
        checked = validate_options(self._provider(), chosen)
        self._set(options={name: str(checked[name]) for name in chosen})

    @property
    def image(self) -> Any:
        """First frame, as a path, a URL, bytes, a PIL image, an array, or None."""
        return self.form.first.value(self._namespace())

    @image.setter
    def image(self, value: Any) -> None:
        self._set(first=form_state.frame_field(value, self._namespace()))

    @property
    def last_image(self) -> Any:
        """Last frame, as `image`."""
        return self.form.last.value(self._namespace())

    @last_image.setter
    def last_image(self, value: Any) -> None:
        self._set(last=form_state.frame_field(value, self._namespace()))

    @property
    def prompt_optimizer(self) -> bool:
        """Whether the provider may rewrite the prompt (its default)."""
        return self.form.prompt_optimizer

    @prompt_optimizer.setter
    def prompt_optimizer(self, may: bool) -> None:
        self._set(prompt_optimizer=bool(may))

    @property
    def count(self) -> int:
        """Number of runs of this request in this notebook, 1 to 20."""
        return self.form.count

    @count.setter
    def count(self, wanted: int) -> None:
        generate.check_count(wanted)
        self._set(count=wanted)

    @property
    def tags(self) -> tuple[str, ...]:
        """Stored in the record."""
        return self.form.tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._set(tags=tuple(tags))

    @property
    def note(self) -> str:
        """Stored in the record."""
        return self.form.note

    @note.setter
    def note(self, text: str) -> None:
        self._set(note=text)

    @property
    def cell(self) -> str:
        """The form as a ``%%hailuo`` cell."""
        return form_state.cell_text(self.form, self._provider(), self._namespace())

    def repeat(self, run: Run) -> None:
        """Fill the form with a run's request; the next submission has it as its parent.

        Parameters
        ----------
        run
            Any run.
        """
        row = process.get_engine().row(run.run_id)
        filled = form_state.of_run(row.record, row.folder, self._place.notebook.folder)
        self._set(**{name: getattr(filled, name) for name in filled.__dataclass_fields__})

    def submit(self, *, new: bool = False, wait: bool = False) -> Run | list[Run]:
        """Submit the form, like its button.

        The run is shown below the form, or in the running cell if there is no form.

        Parameters
        ----------
        new
            Buy even if the notebook has such a run already.
        wait
            Return when the clips are downloaded; else when the provider has answered, after 2 s at the
            latest. Under an executor it always waits.

        Returns
        -------
        Run or list of Run
            A list if `count` is more than 1.

        Raises
        ------
        HailuoError
            If the request is wrong, was refused, or (after waiting) failed.
        """
        began = time.monotonic()
        headless = context.frontend(self._ip) is context.Frontend.HEADLESS
        if self._view is not None:
            submitted = self._view.submit(self.form, new=new, began=began)
        else:
            submission = submission_from(
                self.form, self._provider(), self._namespace(), new=new, settings=self._settings
            )
            submitted = generate.submit(submission, began)
            show(submitted.engine, submitted.runs, self._ip, wait=wait, saved=submitted.reused)
        self._set(parent=None)
        return submitted.to_result(wait=wait or headless)

    def _namespace(self) -> dict[str, Any]:
        return getattr(self._ip, "user_ns", {})

    def __repr__(self) -> str:
        return f"<Panel {self.form.provider}: {self.form.prompt[:40]!r}>"
