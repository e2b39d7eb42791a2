"""How an output gets its clips: by a link, or inside itself as far as the notebook stays small."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hailuo_jupyter.clip_file import clip_file
from hailuo_jupyter.errors import ClipError
from hailuo_jupyter.ids import Notebook
from hailuo_jupyter.kernel import context, frontends
from hailuo_jupyter.kernel.display.run_view import Inside, clip_at, is_inside
from hailuo_jupyter.kernel.frontends import Delivery, Host, choose_delivery
from hailuo_jupyter.kernel.session import SessionState, session
from hailuo_jupyter.preview import preview
from hailuo_jupyter.runlog import Row
from hailuo_jupyter.settings import Hailuo
from hailuo_jupyter.states import State

logger = logging.getLogger(__name__)


class _Embedded(SessionState):
    """What outputs of this session hold of clips. For all threads."""

    def __init__(self) -> None:
        #: Bytes of each run's clip or preview, by notebook.
        self.sizes: dict[str, dict[str, int]] = {}
        #: By run; None where none can be made. A notebook's limit keeps them few.
        self.previews: dict[str, bytes | None] = {}
        #: One is encoded at a time: a burst of finished clips is not to take every core.
        self.encoding = threading.Lock()


@dataclass(frozen=True)
class OutputPlace:
    """Where an output stands.

    Parameters
    ----------
    host
        The front end.
    notebook
        The notebook that it belongs to.
    embed
        Whether the person asked for the clips themselves in the notebook.
    """

    host: Host
    notebook: Notebook
    embed: bool = False

    @classmethod
    def here(cls, *, embed: bool = False) -> OutputPlace:
        """Return the running cell's."""
        return cls(context.host(context.shell()), context.notebook(), embed)

    @property
    def base(self) -> Path | None:
        """The folder that links are relative to; None where no link resolves."""
        return frontends.link_folder(self.host, self.notebook)

    def inside(self, row: Row) -> Inside:
        """Return what the output is to hold of a run's clip, and count it.

        A preview that is not made yet is left out; see `make_previews`.
        """
        state, chosen = session.state(_Embedded), self._choose(row)
        if chosen is Delivery.EMBED:
            self._held()[row.run_id] = row.record.clip.bytes if row.record.clip else 0
            return Inside(whole=True)
        if chosen is Delivery.PREVIEW and (made := state.previews.get(row.run_id)):
            self._held()[row.run_id] = len(made)
            return Inside(preview=made)
        return Inside()

    def make_previews(self, rows: Sequence[Row]) -> bool:
        """Encode the previews that an output still lacks; returns whether there were any.

        It takes seconds for each: never called on the kernel's thread or on an event loop.
        """
        state, made = session.state(_Embedded), False
        for row in rows:
            if self._choose(row) is not Delivery.PREVIEW:
                continue
            with state.encoding:
                if row.run_id not in state.previews:
                    state.previews[row.run_id] = _encoded(row)
                    made = True
        return made

    def lacks_preview(self, row: Row) -> bool:
        """Return whether a preview of a run's clip is to be made first."""
        missing = row.run_id not in session.state(_Embedded).previews
        return missing and self._choose(row) is Delivery.PREVIEW

    def _held(self) -> dict[str, int]:
        return session.state(_Embedded).sizes.setdefault(self.notebook.id, {})

    def _choose(self, row: Row) -> Delivery:
        clip = row.record.clip
        if row.state is not State.COMPLETED or clip is None:
            return Delivery.POSTER
        path = clip_at(row.folder, clip, self.base)
        if not clip_file(path, clip).usable:
            return Delivery.POSTER
        settings, held = Hailuo.instance(), self._held()
        return choose_delivery(
            self.host,
            size=clip.bytes,
            # What is in the notebook stays in it when the output is drawn again.
            embedded=0 if row.run_id in held else sum(tuple(held.values())),
            resolves=is_inside(path, self.base),
            asked=self.embed,
            clip_limit=settings.embed_clip_mb * 1e6,
            notebook_limit=settings.embed_notebook_mb * 1e6,
        )


def _encoded(row: Row) -> bytes | None:
    assert row.record.clip is not None  # noqa: S101 - `_choose` has looked
    try:
        return preview(row.folder / row.record.clip.path)
    except (ClipError, OSError) as error:
        logger.debug("run %s has a picture in place of a preview: %s", row.run_id, error)
        return None
