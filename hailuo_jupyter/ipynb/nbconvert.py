"""nbconvert with clips: a preprocessor, and the exporters ``hailuo-html`` and ``hailuo-webpdf``.

A Jupyter server loads the exporters whenever it lists its formats, so that what draws outputs is
imported only when a notebook is converted.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbconvert.exporters import HTMLExporter, WebPDFExporter
from nbconvert.preprocessors import Preprocessor
from nbformat.v4 import new_output
from traitlets import Bool

if TYPE_CHECKING:
    from hailuo_jupyter.ipynb.embed import Embedding
    from hailuo_jupyter.kernel.display.run_view import RunView

_HTML, _TEXT, _JPEG = "text/html", "text/plain", "image/jpeg"

#: Most pixels across of a picture in place of a clip, as a page shows it.
_WIDE = 480

#: nbconvert's exporters that print; by name, since its older versions lack some.
_PRINTING = {"WebPDFExporter", "QtExporter"}


class EmbedClips(Preprocessor):
    """Puts clips or previews into the outputs that show runs.

    An exporter that prints gets pictures and open records. One that sanitizes HTML, and would show a
    video's markup as text, gets pictures and texts.

    Usable with every exporter: ``jupyter nbconvert --to slides
    --Exporter.preprocessors=hailuo_jupyter.ipynb.nbconvert.EmbedClips``.
    """

    enabled = Bool(True, help="Whether clips are put into the outputs.").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Write clips into a notebook's outputs; nbconvert calls this with a copy.

        Parameters
        ----------
        nb
            The notebook; changed in place.
        resources
            nbconvert's own; its ``metadata`` names the notebook's folder as ``path``.
        """
        from hailuo_jupyter.errors import HailuoError

        base = Path(resources.get("metadata", {}).get("path") or "").absolute()
        try:
            remarks = self._put(nb, base)
        except HailuoError as error:  # such as a run log that cannot be read
            remarks = (f"Clips were left out: {' '.join(str(error).split())}",)
        for remark in remarks:
            self.log.warning(remark)
        return nb, resources

    def _put(self, nb: Any, base: Path) -> tuple[str, ...]:
        from hailuo_jupyter.ipynb.embed import Embedding, Limits
        from hailuo_jupyter.ipynb.locate import RunLocator
        from hailuo_jupyter.settings import Hailuo

        settings = Hailuo(config=self.config)
        with RunLocator(base, nb, settings=settings) as places:
            embedding = Embedding(places, base, Limits.of(settings))
            if self._sanitizes():
                _write_as_text(nb, embedding)
            elif _is_one_of(self.parent, _PRINTING):
                embedding.put_pictures(nb)
            else:
                embedding.put(nb, None)
            return embedding.remarks

    def _sanitizes(self) -> bool:
        others = getattr(self.parent, "_preprocessors", ())
        return bool(getattr(self.parent, "sanitize_html", False)) or any(
            _is_one_of(each, {"SanitizeHTML"}) and each.enabled for each in others
        )


class HailuoHTMLExporter(HTMLExporter):
    """An HTML page with the clips inside it."""

    export_from_notebook = "HTML with clips"

    def _init_preprocessors(self) -> None:
        self.default_preprocessors = [*self.default_preprocessors, EmbedClips]
        super()._init_preprocessors()  # type: ignore[no-untyped-call]


class HailuoWebPDFExporter(WebPDFExporter):
    """A PDF with a picture of each clip, its caption and its record."""

    export_from_notebook = "PDF with pictures of clips"

    def _init_preprocessors(self) -> None:
        self.default_preprocessors = [*self.default_preprocessors, EmbedClips]
        super()._init_preprocessors()  # type: ignore[no-untyped-call]


def _is_one_of(found: object, names: set[str]) -> bool:
    return any(each.__name__ in names for each in type(found).__mro__)


def _write_as_text(nb: Any, embedding: Embedding) -> None:
    """Replace what outputs show of runs by pictures and texts that every sanitizer lets through."""
    from hailuo_jupyter.ipynb import records

    written = {
        id(output.output): [each for view in embedding.views(output, rows) for each in _plain(view)]
        for output, rows in embedding.outputs(nb)
    }
    for output in list(records.outputs(nb)):
        if instead := written.get(id(output.output)):
            at = next(at for at, each in enumerate(output.cell["outputs"]) if each is output.output)
            output.cell["outputs"][at : at + 1] = instead
    _leave_text(nb)


def _leave_text(nb: Any) -> None:
    """Remove the HTML of what else we have drawn (tables, records of other versions) for its plain text."""
    from hailuo_jupyter.ipynb import records
    from hailuo_jupyter.kernel.display.bundle import MIME, templates

    ours = str(templates().get_template("run.html.j2").module.text)  # type: ignore[attr-defined]
    for cell in records.code_cells(nb):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if data.get(_TEXT) and (MIME in data or ours in str(data.get(_HTML))):
                data.pop(_HTML, None)


def _plain(view: RunView) -> list[Any]:
    """Return a run as separate outputs: its picture, and a text in the plainest HTML."""
    from hailuo_jupyter.kernel.display.bundle import line

    made = []
    clip = view.clip
    if clip and clip.poster:
        data = {_JPEG: clip.poster.partition(",")[2], _TEXT: f"Picture of run {view.run_id}"}
        size = {_JPEG: {"width": min(_WIDE, clip.width)}}
        made.append(_output(data, size))
    facts = [*view.caption, clip.name] if clip else [view.when, view.cost]
    said = [*view.problem, clip.absent if clip else ""]
    html = (
        f"<strong>{escape(view.state)}</strong> · {escape(view.source)}"
        f"<blockquote>{escape(view.prompt)}</blockquote>"
        f"{escape(' · '.join(filter(None, facts)))}"
        + "".join(f"<blockquote>{escape(each)}</blockquote>" for each in said if each)
    )
    made.append(_output({_HTML: html, _TEXT: line(view)}, {}))
    return made


def _output(data: dict[str, Any], metadata: dict[str, Any]) -> Any:
    return new_output("display_data", data, metadata=metadata)  # type: ignore[no-untyped-call]
