"""The panel in a real kernel, filled and clicked as a page does it."""

from __future__ import annotations

import re
from typing import Any

from tests.support.fake_front_end import Cell, FrontEnd
from tests.support.notebook_files import MIME

#: The name of the form's main button, whose text has the price.
GENERATE = "Generate (Ctrl+Enter)"


class PanelWidgets:
    """The widgets of the panel on a page, found by what stands on them."""

    def __init__(self, page: FrontEnd, cell: Cell) -> None:
        self.page, self.cell = page, cell

    def _comm(self, label: str) -> str:
        found = [
            cid
            for cid, state in self.page.comms.items()
            if label in {state.get("description"), state.get("tooltip")}
        ]
        assert len(found) == 1, (label, found)
        return found[0]

    def state(self, label: str) -> dict[str, Any]:
        return self.page.comms[self._comm(label)]

    def send(self, label: str, *buffers: bytes, **data: Any) -> None:
        client = self.page._client
        content = {"comm_id": self._comm(label), "data": data}
        message = {**client.session.msg("comm_msg", content), "buffers": list(buffers)}
        client.shell_channel.send(message)

    def type(self, label: str, value: Any, trait: str = "value") -> None:
        self.send(label, method="update", state={trait: value}, buffer_paths=[])

    def press(self, title: str, option: str) -> None:
        """Press one of a row of buttons."""
        self.type(f"{title}: {option}", True)

    def choose(self, label: str, option: str) -> None:
        at = self.state(label)["_options_labels"].index(option)
        self.type(label, at, "index")

    def upload(self, label: str, data: bytes) -> None:
        file = {"name": "a.jpg", "type": "image/jpeg", "size": len(data), "last_modified": 1}
        where = [["value", 0, "content"]]
        self.send(label, data, method="update", state={"value": [file]}, buffer_paths=where)

    def click(self, label: str) -> None:
        self.send(label, method="custom", content={"event": "click"})

    def clicks_when_on(self, label: str) -> None:
        self.page.until(lambda: self.state(label)["disabled"] is False)
        self.click(label)

    def says(self, text: str) -> bool:
        values = (str(state.get("value", "")) for state in self.page.comms.values())
        return any(text in re.sub(r"<[^>]+>", "", value) for value in values)

    def until_says(self, text: str) -> None:
        self.page.until(lambda: self.says(text), 30)

    @property
    def bundle(self) -> dict[str, Any]:
        return next(o["data"] for o in self.cell.outputs if o["type"] == "display_data")

    @property
    def records(self) -> list[dict[str, Any]]:
        return list(self.bundle[MIME]["runs"])

    def until_completed(self, count: int) -> None:
        self.page.until(
            lambda: [r["state"] for r in self.records] == ["completed"] * count, timeout=40
        )
