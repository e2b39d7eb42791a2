"""The plan of a sweep with the button that sends it."""

from __future__ import annotations

import contextvars
import logging
import threading

from ipywidgets import HTML, Button, VBox

from hailuo_jupyter.errors import INTERNAL_ERROR, HailuoError
from hailuo_jupyter.kernel import comm, context
from hailuo_jupyter.kernel.context import CellContext, Frontend
from hailuo_jupyter.kernel.display.bundle import MIME
from hailuo_jupyter.kernel.display.render_outputs import render_outputs
from hailuo_jupyter.kernel.panel import widgets
from hailuo_jupyter.kernel.sweep import Sweep, plan_view
from hailuo_jupyter.kernel.sweep.live_sheet import new_handle

logger = logging.getLogger(__name__)

_WIDGET = "application/vnd.jupyter.widget-view+json"


class ConfirmPlan:
    """One confirmation; it is answered once.

    Parameters
    ----------
    sweep
        The sweep to send.
    place
        The cell with the button.
    """

    def __init__(self, sweep: Sweep, place: CellContext) -> None:
        self._sweep, self._place = sweep, place
        self._handle = new_handle(Frontend.INTERACTIVE, sweep.sweep_id)
        self._context = contextvars.copy_context()
        self._answered = threading.Event()
        engine, plan = sweep.engine, sweep.plan
        shown = plan_view.bundle(plan, engine, last="Not sent yet.")
        self._label = f"Generate {plan.to_submit()}"
        self._button: Button = widgets.button(self._label, primary=True)
        self._button.layout.width, self._button.layout.align_self = "auto", "flex-start"
        self._button.on_click(lambda _button: self._clicked())
        self._says = widgets.line(widgets.says())
        self._box = VBox([HTML(shown["text/html"]), self._button, self._says])

    def open(self) -> None:
        """Show plan and button in the running cell."""
        comm.open_comm(context.shell(), render_outputs)
        self._context = contextvars.copy_context()
        last = "Nothing was sent. Run the cell to get the button, or add --yes."
        data = plan_view.bundle(self._sweep.plan, self._sweep.engine, last=last)
        data[MIME] = {"sweep": self._sweep.sheet().as_json(), "runs": []}
        data[_WIDGET] = {
            "version_major": 2,
            "version_minor": 0,
            "model_id": self._box.model_id,
        }
        self._handle.open(data)

    def _clicked(self) -> None:
        # One confirmation sends once, however often the button is pressed.
        if self._answered.is_set():
            return
        self._answered.set()
        # It stays enabled: a disabled button would lose the focus.
        self._button.description = "Sending …"
        context = self._context.copy()
        threading.Thread(
            target=context.run, args=(self._send,), name="hailuo-sweep", daemon=True
        ).start()

    def _send(self) -> None:
        try:
            with context.override_cell(self._place):
                self._sweep.send()
                self._sweep.show(handle=self._handle)
        except HailuoError as error:
            self._refuse(str(error))
        except Exception:
            logger.exception("a sweep was not sent")
            self._refuse(INTERNAL_ERROR)
        else:
            widgets.close(self._box)

    def _refuse(self, message: str) -> None:
        widgets.put(self._says, "value", widgets.says(message, wrong=True))
        self._button.description = self._label
        self._answered.clear()
