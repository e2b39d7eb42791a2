"""The panel in a cell's output: fields that depend on the choices, Generate, and runs below.

Handlers run on the main thread or on one of the kernel's subshells. They update the display and pass
slow work on: lookups to one thread, submissions to another.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ipywidgets import VBox

from hailuo_jupyter.catalogue.types import Provider
from hailuo_jupyter.engine.lifecycle import internal_error
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import comm, context
from hailuo_jupyter.kernel.comm import insert_below
from hailuo_jupyter.kernel.generate import Submitted, submit
from hailuo_jupyter.kernel.panel import form_state, frame_inputs, queries, validation, widgets
from hailuo_jupyter.kernel.panel.background import Lookups
from hailuo_jupyter.kernel.panel.form_state import FormState, FrameField, Source, request_options
from hailuo_jupyter.kernel.panel.inputs import Fields
from hailuo_jupyter.kernel.panel.price_table import PriceTable
from hailuo_jupyter.kernel.panel.run_list import CellPreview, RunActions, RunList
from hailuo_jupyter.kernel.panel.submission import result_text, submission_from
from hailuo_jupyter.kernel.panel.validation import Problem
from hailuo_jupyter.kernel.quote import quote_of
from hailuo_jupyter.settings import Hailuo

logger = logging.getLogger(__name__)

#: A page sends a click at once, but typed or chosen values only when the kernel has answered the
#: previous change: this many seconds must pass without a change, or a request could be sent with half
#: a prompt.
_STILL_S = 0.5


class FormController:
    """The form and its runs.

    Parameters
    ----------
    form
        The initial values of the form.
    place
        The cell of its output.
    ip
        The shell; its variables may contain frames.
    """

    def __init__(self, form: FormState, place: context.CellContext, ip: Any) -> None:
        self._settings, self._place, self._ip = Hailuo.instance(), place, ip
        self._lock = threading.RLock()
        self._context = contextvars.copy_context()
        self._orders = ThreadPoolExecutor(1, thread_name_prefix="hailuo-panel-order")
        self._lookups = Lookups(place, self._settings, self._render)
        self._form, self._began = form, bool(form.prompt)
        self._moved, self._busy, self._message = 0.0, False, ""
        self.fields = Fields(
            form,
            self._lookups.provider(form),
            self._changed,
            self.receive,
            self._when_still,
            key_entered=self._key_entered,
        )
        self._facts, self._status = widgets.line(), widgets.line()
        self._facts.add_class("hailuo-price")
        self._submit = widgets.button("Generate", primary=True, name="Generate (Ctrl+Enter)")
        self._submit.add_class("hailuo-generate")
        self._submit.on_click(lambda _button: self._clicked())
        insert = widgets.button("Insert as cell", name="Insert as a %%hailuo cell below")
        insert.on_click(lambda _button: self._inserts())
        reset = widgets.button("Reset", name="Reset: an empty form")
        reset.on_click(lambda _button: self.set(FormState(provider=self._form.provider)))
        self._area = CellPreview(place.cell_id, "As a cell")
        self._prices = PriceTable(self._compares)
        self.shelf = RunList(
            place, RunActions(self._repeat, self._take, lambda: None), embed=self._settings.embed
        )
        keys = widgets.line('<span class="hailuo-keys">Ctrl+Enter</span>')
        side = widgets.box(
            "hailuo-side",
            self.fields.zones,
            self._facts,
            widgets.buttons(self._submit, keys),
            widgets.buttons(insert, self._prices.button, reset),
            self._status,
        )
        self.root: VBox = widgets.box(
            "hailuo-panel",
            widgets.line(widgets.style()),
            widgets.row("hailuo-form", self.fields.main, side),
            self._prices.box,
            self._area.box,
            self.shelf.box,
        )
        self._ip.events.register("post_execute", self._after_cell)
        self._after_cell()

    def open(self) -> None:
        """Show the form in the running cell, with existing runs below it."""
        self.shelf.open(self.root)
        self._in_turn(self._recall)

    def close(self) -> None:
        """Remove the form from the kernel; its runs continue."""
        self._ip.events.unregister("post_execute", self._after_cell)
        self._lookups.close()
        self._orders.shutdown(wait=False, cancel_futures=True)
        self.shelf.close()
        self.fields.close()
        widgets.close(self.root)

    # ── the form's values ────────────────────────────────────────────────────────────────────

    @property
    def form(self) -> FormState:
        """Its current values."""
        with self._lock:
            return self._form

    def set(self, form: FormState) -> None:
        """Replace the form's values."""
        with self._lock:
            self.fields.set(form, self._lookups.provider(form))
            self._form, self._began, self._message = form, bool(form.prompt), ""
            self._moved = time.monotonic()
            self._render()

    def _changed(self) -> None:
        with self._lock:
            self._form = self.fields.form()
            self._began = self._began or bool(self._form.prompt)
            self._moved, self._message = time.monotonic(), ""
            self._render()

    def _after_cell(self) -> None:
        """Check again after each cell: variables and keys may have changed."""
        names = frame_inputs.variables(self._ip.user_ns)
        with self._lock:
            for row in self.fields.frames.values():
                row.offer(Source.VARIABLE, [(name, name) for name in names])
            self._lookups.again(self._form)
            self._lookups.clips_again()
            self._render()

    def _key_entered(self) -> None:
        with self._lock:
            self._lookups.again(self._form)
            self._render()

    def receive(self, role: str, data: bytes) -> None:
        """Check and save an uploaded or dropped file; it is chosen once saved."""

        def kept(path: str) -> None:
            self._put_frame(role, FrameField(Source.UPLOAD, path))

        with self._lock:
            self._put_frame(role, FrameField(Source.UPLOAD))
            self._lookups.keep(role, data, self._lookups.provider(self._form), kept)
            self._render()

    def _put_frame(self, role: str, frame: FrameField) -> None:
        with self._lock:
            self.fields.frames[role].set(frame)
            self._form = self._form.with_frame(role, frame)

    # ── messages ─────────────────────────────────────────────────────────────────────

    def _render(self) -> None:
        """Update all messages. Nothing here blocks, and no field is recreated."""
        with self._lock:
            form, provider = self._form, self._lookups.provider(self._form)
            self.fields.follow(form, provider)
            for zone in self.fields.frames.values():
                zone.offer(Source.RUN, self._lookups.clips())
            seen, looked = self._lookups.of(form, provider, self._ip.user_ns)
            found = validation.problems(form, provider, looked)
            self.fields.say(form, provider, found, seen, calm=not self._began)
            durations = self._lookups.durations(form, provider)
            sources = (validation.price(form, provider), validation.time(form, provider, durations))
            widgets.put(
                self._facts,
                "value",
                widgets.folded(validation.summary(form, provider, durations), sources),
            )
            self._say_status(found, validation.button_price(form, provider))
            if self._area.is_open:
                self._area.show(*self._cell(form, provider))

    def _say_status(self, found: Mapping[str, Problem], price: str) -> None:
        why = validation.submit_disabled_reason(found)
        # During a submission only the handler is off: a disabled button would lose the focus.
        widgets.put(self._submit, "disabled", bool(why) and not self._busy)
        widgets.put(
            self._submit,
            "description",
            "Sending …" if self._busy else f"Generate · {price}" if price else "Generate",
        )
        parent = self._form.parent
        child = f" Based on run {parent}." if parent else ""
        if self._busy:
            text = widgets.says("Sending …")
        elif why:
            text = widgets.says(why)
        else:
            text = self._message or widgets.says(child.strip())
        widgets.put(self._status, "value", text)

    def _inserts(self) -> None:
        """Insert the form as a cell; show its text if the front end cannot, or the form has no text."""
        with self._lock:
            form = self._form
            text, why = self._cell(form, self._lookups.provider(form))
            if text and insert_below(text, self._place.cell_id):
                self._message = widgets.says("Inserted below (not run).")
            else:
                self._area.toggle()
                self._message = widgets.says(why, wrong=bool(why))
            self._render()

    def _compares(self) -> None:
        """Look up what every provider and model would ask for the form's clip."""

        def work() -> None:
            with self._lock:
                form = self._form
            try:
                options = request_options(form, self._lookups.provider(form), self._ip.user_ns)
                self._prices.show(quote_of(form.prompt.strip() or "a clip", options))
            except HailuoError as error:
                self._prices.fail(validation.error_to_problem(error))

        self._in_turn(work)

    def _cell(self, form: FormState, provider: Provider) -> tuple[str, str]:
        try:
            return form_state.cell_text(form, provider, self._ip.user_ns), ""
        except HailuoError as error:
            return "", validation.error_to_problem(error).text

    # ── submitting ─────────────────────────────────────────────────────────────────────────────

    def _in_turn(self, work: Any) -> None:
        def guarded() -> None:
            try:
                with context.override_cell(self._place):
                    work()
            except Exception:
                logger.exception("the panel could not finish what it was asked for")

        try:
            self._orders.submit(self._context.copy().run, guarded)
        except RuntimeError:  # the panel was closed meanwhile
            logger.debug("the panel was asked for something after its end")

    def _clicked(self) -> None:
        with self._lock:
            if self._busy:
                return
            self._busy, self._moved = True, time.monotonic()
            self._render()
        self._in_turn(self._send)

    def _repeat(self, form: FormState) -> None:
        self.set(form)
        self.fields.prompt.focus()  # the request is shown there, maybe out of view

    def _take(self, form: FormState) -> None:
        """Buy another clip of a run's request, which may differ from the form's."""
        with self._lock:
            if self._busy:
                return
            self._busy = True
            self._render()
        # It has no parent, since nothing was changed.
        order = replace(form, parent=None)
        self._in_turn(lambda: self._order(order, new=True))

    def _send(self) -> None:
        self._order(self._still())

    def _still(self) -> FormState:
        """Wait until the page has sent everything that was typed; return the form's values."""
        while True:
            with self._lock:
                left = self._moved + _STILL_S - time.monotonic()
                form = self._form
            if left <= 0:
                return form
            time.sleep(left)

    def _when_still(self, work: Callable[[], None]) -> None:
        """Change the fields without overwriting what is still being typed."""

        def wait() -> None:
            self._still()
            with self._lock:
                work()

        with self._lock:
            self._moved = time.monotonic()
        threading.Thread(target=self._context.copy().run, args=(wait,), daemon=True).start()

    def _order(self, form: FormState, *, new: bool = False) -> None:
        message = ""
        try:
            message = widgets.says(result_text(self.submit(form, new=new)))
        except HailuoError as error:
            message = widgets.says(str(error), wrong=True)
        except Exception as error:
            logger.exception("the panel could not submit")
            message = widgets.says(str(internal_error(error)), wrong=True)
        finally:
            with self._lock:
                self._busy = False
                self._lookups.clips_again()
                if form is self._form and form.parent:
                    self.fields.set(replace(form, parent=None), self._lookups.provider(form))
                    self._form = replace(form, parent=None)
                self._message = message
                self._render()

    def submit(
        self, form: FormState, *, new: bool = False, began: float | None = None
    ) -> Submitted:
        """Submit a form, and show its runs below. May block for a while.

        Parameters
        ----------
        form
            Its values.
        new
            Buy even if the notebook has such a run already.
        began
            `time.monotonic` at the start of the cell; now if None.

        Raises
        ------
        HailuoError
            For any problem; nothing was sent then.
        """
        began = time.monotonic() if began is None else began
        provider = self._lookups.provider(form)
        with context.override_cell(self._place):
            submission = submission_from(
                form, provider, self._ip.user_ns, new=new, settings=self._settings
            )
            submitted = submit(submission, began)
        comm.follow(submitted.engine)
        self.shelf.add(submitted.engine, submitted.runs, submitted.reused)
        return submitted

    def _recall(self) -> None:
        """Show this cell's runs again, and this notebook's unfinished ones."""
        found = queries.earlier_runs(self._place, self._settings)
        if found is not None:
            engine, runs = found
            comm.follow(engine)
            self.shelf.add(engine, runs, frozenset())
