"""The panel in a cell's output: fields that follow what is chosen, Submit, and runs below.

Handlers run on the main thread or on one of the kernel's subshells. They set what is shown and hand
on whatever may take a while: looks to one thread, orders to another.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ipywidgets import VBox
from markupsafe import Markup, escape

from hailuo_jupyter.engine.engine import Engine
from hailuo_jupyter.engine.life import mistake
from hailuo_jupyter.engine.order import Placed
from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import bridge, origin
from hailuo_jupyter.kernel.generate import Wish
from hailuo_jupyter.kernel.panel import checks, form, frames, look, ordering, recall
from hailuo_jupyter.kernel.panel.card_slot import Acts
from hailuo_jupyter.kernel.panel.cell_area import CellArea
from hailuo_jupyter.kernel.panel.checks import Problem
from hailuo_jupyter.kernel.panel.fields import Fields
from hailuo_jupyter.kernel.panel.form import Form, FrameField, Source
from hailuo_jupyter.kernel.panel.lookups import Lookups
from hailuo_jupyter.kernel.panel.shelf import Shelf
from hailuo_jupyter.offer import Provider
from hailuo_jupyter.settings import Hailuo

logger = logging.getLogger(__name__)

#: A page sends a click at once, but what was typed or chosen only when the kernel has answered the
#: change before: so many seconds have to pass without a change, or an order could go out with half
#: a prompt.
_STILL_S = 0.5


class FormView:
    """The form and its runs.

    Parameters
    ----------
    given
        What the form holds at first.
    place
        The cell in whose output it stands.
    ip
        The shell; its variables may be frames.
    """

    def __init__(self, given: Form, place: origin.Place, ip: Any) -> None:
        self._settings, self._place, self._ip = Hailuo.instance(), place, ip
        self._lock = threading.RLock()
        self._context = contextvars.copy_context()
        self._orders = ThreadPoolExecutor(1, thread_name_prefix="hailuo-panel-order")
        self._lookups = Lookups(place, self._settings, self._render)
        self._form, self._began = given, bool(given.prompt)
        self._moved, self._busy, self._said = 0.0, False, ""
        self.fields = Fields(
            given, self._lookups.provider(given), self._changed, self._uploaded, self._when_still
        )
        self._facts, self._status, self._child = look.line(), look.line(), look.line()
        self._submit = look.button("Submit", primary=True)
        self._submit.on_click(lambda _button: self._clicked())
        self._as_cell = look.button("As cell", name="Show the form as a %%hailuo cell")
        self._as_cell.on_click(lambda _button: self._writes())
        self._afresh = look.button("Start afresh", name="Start afresh: an empty form")
        self._afresh.on_click(lambda _button: self.set(Form(provider=self._form.provider)))
        self._area = CellArea(place.cell_id, "The form as a cell")
        self.shelf = Shelf(
            place, Acts(self._repeat, self._take, lambda: None), embed=self._settings.embed
        )
        self.fields.box.children = (
            look.line('<div class="hailuo-title">Make a clip with MiniMax Hailuo-02</div>'),
            *self.fields.box.children,
            self._facts,
            look.field(look.buttons(self._submit, self._as_cell, self._afresh), self._status),
            self._area.box,
        )
        self.root: VBox = look.box(
            "hailuo-panel", look.line(look.style()), self.fields.box, self.shelf.box
        )
        self._ip.events.register("post_execute", self._after_cell)
        self._after_cell()

    def open(self) -> None:
        """Show the form in the running cell, and below it what there is to be seen already."""
        self.shelf.open(self.root)
        self._in_turn(self._recall)

    def close(self) -> None:
        """Take the form out of the kernel; its runs go on."""
        self._ip.events.unregister("post_execute", self._after_cell)
        self._lookups.close()
        self._orders.shutdown(wait=False, cancel_futures=True)
        self.shelf.close()
        look.close(self.root)

    # ── what the form holds ────────────────────────────────────────────────────────────────────

    @property
    def form(self) -> Form:
        """What it holds now."""
        with self._lock:
            return self._form

    def set(self, given: Form) -> None:
        """Have the form hold something else."""
        with self._lock:
            self.fields.set(given, self._lookups.provider(given))
            self._form, self._began, self._said = given, bool(given.prompt), ""
            self._moved = time.monotonic()
            self._render()

    def _changed(self) -> None:
        with self._lock:
            self._form = self.fields.form()
            self._began = self._began or bool(self._form.prompt)
            self._moved, self._said = time.monotonic(), ""
            self._render()

    def _after_cell(self) -> None:
        """Look anew after each cell: variables and keys may have changed."""
        names = frames.variables(self._ip.user_ns)
        with self._lock:
            for row in self.fields.frames.values():
                row.offer(names)
            self._lookups.again(self._form)
            self._render()

    def _uploaded(self, role: str, data: bytes) -> None:
        """Have an uploaded file checked and kept; it is chosen when it lies there."""

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

    # ── what is said of it ─────────────────────────────────────────────────────────────────────

    def _render(self) -> None:
        """Bring all that is said up to date. Nothing here blocks, and no field is made anew."""
        with self._lock:
            given, provider = self._form, self._lookups.provider(self._form)
            self.fields.follow(provider)
            seen, looked = self._lookups.of(given, provider, self._ip.user_ns)
            found = checks.problems(given, provider, looked)
            self.fields.say(given, provider, found, seen, calm=not self._began)
            known = self._lookups.durations(given, provider)
            facts = [checks.price(given, provider), checks.time(given, provider, known)]
            if not any(facts):
                facts = ["Price and time stand here as soon as the options fit."]
            said = Markup("").join(Markup("<div>{}</div>").format(each) for each in facts if each)
            look.put(
                self._facts, "value", f'<div class="hailuo-facts" aria-live="polite">{said}</div>'
            )
            self._say_status(found)
            if self._area.is_open:
                self._area.show(*self._cell(given, provider))

    def _say_status(self, found: Mapping[str, Problem]) -> None:
        why = checks.why_not(found)
        # While an order is placed it is off by its handler alone: a disabled button loses the focus.
        look.put(self._submit, "disabled", bool(why) and not self._busy)
        look.put(self._submit, "description", "Sending …" if self._busy else "Submit")
        parent = self._form.parent
        child = f" It repeats run {parent} with changes." if parent else ""
        if self._busy:
            text = look.says("Sending …")
        elif why:
            text = look.says(Markup("<b>Submit is off:</b> {}").format(escape(why)))
        else:
            text = self._said or look.says(f"Ready to be submitted.{child}")
        look.put(self._status, "value", text)

    def _writes(self) -> None:
        with self._lock:
            self._area.toggle()
            self._render()

    def _cell(self, given: Form, provider: Provider) -> tuple[str, str]:
        try:
            return form.cell_text(given, provider, self._ip.user_ns), ""
        except HailuoError as error:
            return "", checks.told(error).text

    # ── orders ─────────────────────────────────────────────────────────────────────────────────

    def _in_turn(self, work: Any) -> None:
        def guarded() -> None:
            try:
                with origin.acting_for(self._place):
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

    def _repeat(self, given: Form) -> None:
        self.set(given)
        self.fields.prompt.focus()  # what one has asked for stands there, maybe out of sight

    def _take(self, given: Form) -> None:
        """Buy another clip of a run's request, which the form itself need not hold."""
        with self._lock:
            if self._busy:
                return
            self._busy = True
            self._render()
        # It has no parent: nothing of it is changed.
        asked = replace(given, parent=None)
        self._in_turn(lambda: self._order(asked, new=True))

    def _send(self) -> None:
        self._order(self._still())

    def _still(self) -> Form:
        """Wait until the page has told of everything that was typed; gives what the form holds."""
        while True:
            with self._lock:
                left = self._moved + _STILL_S - time.monotonic()
                given = self._form
            if left <= 0:
                return given
            time.sleep(left)

    def _when_still(self, work: Callable[[], None]) -> None:
        """Do something to the fields that must not run over what is still being typed."""

        def wait() -> None:
            self._still()
            with self._lock:
                work()

        with self._lock:
            self._moved = time.monotonic()
        threading.Thread(target=self._context.copy().run, args=(wait,), daemon=True).start()

    def _order(self, given: Form, *, new: bool = False) -> None:
        said = ""
        try:
            wish = form.wish(given, self._lookups.provider(given), self._ip.user_ns, new=new)
            said = look.says(ordering.words(self.place(wish)))
        except HailuoError as error:
            said = look.says(str(error), wrong=True)
        except Exception as error:
            logger.exception("the panel could not place an order")
            said = look.says(str(mistake(error)), wrong=True)
        finally:
            with self._lock:
                self._busy = False
                if given is self._form and given.parent:
                    self.fields.set(replace(given, parent=None), self._lookups.provider(given))
                    self._form = replace(given, parent=None)
                self._said = said
                self._render()

    def place(self, wish: Wish) -> list[Placed]:
        """Place an order, and show its runs below the form. May block for a while.

        Raises
        ------
        HailuoError
            Whatever stands in the way; nothing was sent then.
        """
        with origin.acting_for(self._place):
            engine, placed = ordering.place(wish, self._settings)
        self._show(engine, placed)
        return placed

    def _show(self, engine: Engine, placed: Sequence[Placed]) -> None:
        bridge.follow(engine)
        self.shelf.add(engine, [each.run for each in placed], ordering.saved(placed))

    def _recall(self) -> None:
        """Show again what this cell has asked for, and what of this notebook is unfinished."""
        found = recall.runs(self._place, self._settings)
        if found is not None:
            engine, runs = found
            bridge.follow(engine)
            self.shelf.add(engine, runs, frozenset())
