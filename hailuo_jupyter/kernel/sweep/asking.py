"""The plan of a sweep with the button that sends it."""

from __future__ import annotations

import contextvars
import logging
import threading
from uuid import uuid4

from ipywidgets import HTML, Button, VBox

from hailuo_jupyter.errors import HailuoError
from hailuo_jupyter.kernel import bridge, origin
from hailuo_jupyter.kernel.bundle import MIME
from hailuo_jupyter.kernel.origin import Place
from hailuo_jupyter.kernel.outputs import bundles_now
from hailuo_jupyter.kernel.panel import look
from hailuo_jupyter.kernel.sweep import plan_view
from hailuo_jupyter.kernel.sweep.sweep import Sweep

logger = logging.getLogger(__name__)

_WIDGET = "application/vnd.jupyter.widget-view+json"


class Asking:
    """One question; it is answered once.

    Parameters
    ----------
    sweep
        What would be sent.
    place
        The cell that asks.
    """

    def __init__(self, sweep: Sweep, place: Place) -> None:
        self._sweep, self._place, self._display_id = sweep, place, uuid4().hex
        self._context = contextvars.copy_context()
        self._answered = threading.Event()
        engine, plan = sweep.engine, sweep.plan
        shown = plan_view.bundle(plan, engine, last="Nothing is sent yet.")
        self._button: Button = look.button(f"Send {plan.sends()}", primary=True)
        self._button.layout.width, self._button.layout.align_self = "auto", "flex-start"
        self._button.on_click(lambda _button: self._clicked())
        self._says = look.line(look.says())
        self._box = VBox([HTML(shown["text/html"]), self._button, self._says])

    def open(self) -> None:
        """Show plan and button in the running cell."""
        from IPython.display import display

        bridge.open_bridge(origin.shell(), bundles_now)
        self._context = contextvars.copy_context()
        last = "Nothing was sent. Run the cell to get the button that sends it, or put --yes on it."
        data = plan_view.bundle(self._sweep.plan, self._sweep.engine, last=last)
        data[MIME] = {"sweep": self._sweep.sheet().as_json(), "runs": []}
        data[_WIDGET] = {
            "version_major": 2,
            "version_minor": 0,
            "model_id": self._box.model_id,
        }
        display(data, raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]

    def _clicked(self) -> None:
        # What was agreed to once is sent once, however often the button was pressed.
        if self._answered.is_set():
            return
        self._answered.set()
        self._button.disabled = True
        context = self._context.copy()
        threading.Thread(
            target=context.run, args=(self._send,), name="hailuo-sweep", daemon=True
        ).start()

    def _send(self) -> None:
        try:
            with origin.acting_for(self._place):
                self._sweep.send()
                self._sweep.show(display_id=self._display_id)
        except HailuoError as error:
            self._refuse(str(error))
        except Exception:
            logger.exception("a sweep was not sent")
            self._refuse("hailuo-jupyter made a mistake; the kernel's log has its traceback.")
        else:
            look.close(self._box)

    def _refuse(self, said: str) -> None:
        look.put(self._says, "value", look.says(said, wrong=True))
        self._button.disabled = False
        self._answered.clear()
