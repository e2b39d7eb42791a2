"""The front ends in which notebooks are opened, and how each of them gets a clip: the one place for that.

Facts and their sources:

- VS Code: cell ids and rendering order from the sources of VS Code 1.139 and its Jupyter extension; it has
  no way for a kernel to write notebook metadata.
- Google Colab: outputs are frames of another origin, so a relative link cannot resolve; widgets that a
  thread changes do not show (googlecolab/colabtools, issue 3373). Its kernels have ``COLAB_NOTEBOOK_ID``.
- Kaggle, Databricks: outputs come from another origin; the variables are those by which plotly knows them.
- Voila: ``VOILA_BASE_URL`` and ``SERVER_SOFTWARE`` are set in its kernels; its default list of files that it
  serves has no MP4. It renders outputs once, when the notebook has run; of what comes later only widgets
  change (seen with 0.5.13).
- marimo: not an IPython kernel; it renders ``_repr_mimebundle_``.
- PyCharm and DataSpell: ``PYCHARM_HOSTED`` is set; not seen running.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hailuo_jupyter.ids import Notebook, notebook_path

#: How VS Code names a cell: this scheme, the notebook's path, and a counter of its session.
_VSCODE = "vscode-notebook-cell:"

_DRIVE = re.compile(r"/[A-Za-z]:/")

#: The variable in which VS Code's Jupyter extension puts the notebook's path.
VSCODE_VARIABLE = "__vsc_ipynb_file__"

#: Where Kaggle mounts its data sets.
_KAGGLE_INPUT = Path("/kaggle/input")

#: Most bytes of a preview; see `hailuo_jupyter.media`.
PREVIEW_BYTES = 1_000_000


class Delivery(Enum):
    """How an output gets its clip."""

    LINK = auto()  # a relative link to the file beside the notebook
    EMBED = auto()  # the whole clip, in the output
    PREVIEW = auto()  # a smaller clip, in the output
    POSTER = auto()  # a picture, in the output


@dataclass(frozen=True)
class Host:
    """One front end, as far as outputs depend on it.

    Parameters
    ----------
    title
        Its name, as messages have it.
    links
        Whether an output's relative links resolve from the notebook's folder.
    live_widgets
        Whether a widget that a background thread changes is redrawn.
    updates_outputs
        Whether an output can be changed by its display's id once its cell has ended.
    keeps_metadata
        Whether something in it (our lab extension, or our executor) writes notebook metadata.
    is_page
        Whether a person can use a form in it.
    names_file
        Whether it tells the kernel where the notebook's file is. If it does not, the file is on another
        machine than the clips.
    secrets
        What it calls its store of a person's secrets; empty where there is none.
    kept_folder
        A folder that outlives the machine, where the machine's own disk does not; else empty.
    """

    title: str
    links: bool = True
    live_widgets: bool = True
    updates_outputs: bool = True
    keeps_metadata: bool = False
    is_page: bool = True
    names_file: bool = False
    secrets: str = ""
    kept_folder: str = ""

    def metadata_note(self, notebook: str | None) -> str:
        """Return how records get into the notebook's metadata here; empty where they do by themselves.

        Parameters
        ----------
        notebook
            The notebook's file name, if it is known.
        """
        if self.keeps_metadata:
            return ""
        name = notebook or "NOTEBOOK.ipynb"
        return (
            f"{self.title} keeps no records in the notebook's metadata. After saving: "
            f"jupyter hailuo sync {name}"
        )


JUPYTER = Host("JupyterLab", keeps_metadata=True)
VSCODE = Host("VS Code", names_file=True)
COLAB = Host(
    "Google Colab", links=False, live_widgets=False,
    secrets="Colab's secrets", kept_folder="/content/drive/MyDrive",
)  # fmt: skip
KAGGLE = Host("Kaggle", links=False, secrets="Kaggle's secrets")
DATABRICKS = Host("Databricks", links=False)
# It shows a copy that nobody saves.
VOILA = Host("Voila", links=False, updates_outputs=False, keeps_metadata=True)
PYCHARM = Host("PyCharm", links=False)
MARIMO = Host("marimo", links=False, live_widgets=False)
#: A page, slides or a mailed notebook, read anywhere and without a kernel.
EXPORTED_FILE = Host("an exported file", links=False, live_widgets=False, updates_outputs=False)


def detect(
    request: Mapping[str, Any],
    namespace: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    kaggle_input: Path = _KAGGLE_INPUT,
) -> Host:
    """Return the front end of a request.

    Parameters
    ----------
    request
        The message whose code runs; empty where there is none.
    namespace
        The user's variables.
    environ
        The process's environment.
    kaggle_input
        The folder that exists on Kaggle alone.

    Returns
    -------
    Host
        `JUPYTER` where nothing speaks for another one.
    """
    if "COLAB_NOTEBOOK_ID" in environ or "COLAB_RELEASE_TAG" in environ:
        return COLAB
    if "KAGGLE_KERNEL_RUN_TYPE" in environ or kaggle_input.is_dir():
        return KAGGLE
    if "DATABRICKS_RUNTIME_VERSION" in environ:
        return DATABRICKS
    if "VOILA_BASE_URL" in environ or environ.get("SERVER_SOFTWARE", "").startswith("voila/"):
        return VOILA
    # By the request, not by the process: one kernel can serve VS Code and JupyterLab.
    cell_id = request.get("metadata", {}).get("cellId")
    if path_in_cell_id(cell_id) is not None:
        return VSCODE
    if cell_id is None and isinstance(namespace.get(VSCODE_VARIABLE), str):
        return VSCODE
    if environ.get("PYCHARM_HOSTED"):
        return PYCHARM
    return JUPYTER


def path_in_cell_id(cell_id: object) -> Path | None:
    """Return the path of a notebook from the id that VS Code gives a cell; None for any other id.

    The form is read from VS Code's source (``CellUri.generate`` in ``notebookCommon.ts``, 1.139): a URI
    with the notebook's path and, for a remote folder, an authority.
    """
    if not isinstance(cell_id, str) or not cell_id.startswith(_VSCODE):
        return None
    text = cell_id.removeprefix(_VSCODE).partition("#")[0]
    if text.startswith("//"):
        text = "/" + text[2:].partition("/")[2]
    text = unquote(text)
    return notebook_path(text[1:] if _DRIVE.match(text) else text)


def link_folder(host: Host, notebook: Notebook) -> Path | None:
    """Return the folder from which an output's relative links start; None where no link resolves."""
    if not host.links or (host.names_file and notebook.path is None):
        return None
    return notebook.folder


def choose_delivery(
    host: Host,
    *,
    size: int,
    embedded: int,
    resolves: bool,
    asked: bool = False,
    clip_limit: float = 2e6,
    notebook_limit: float = 20e6,
) -> Delivery:
    """Decide how an output gets its clip.

    Parameters
    ----------
    host
        The front end.
    size
        Of the clip, in bytes.
    embedded
        Bytes of clips that the notebook's outputs hold already.
    resolves
        Whether a relative link from the notebook leads to the clip.
    asked
        Whether the person asked for the clip itself in the notebook (``--embed``).
    clip_limit, notebook_limit
        Most bytes of an embedded clip, and of all of a notebook.
    """
    if asked:
        return Delivery.EMBED
    if host.links and resolves:
        return Delivery.LINK
    if size <= clip_limit and embedded + size <= notebook_limit:
        return Delivery.EMBED
    if embedded + PREVIEW_BYTES <= notebook_limit:
        return Delivery.PREVIEW
    return Delivery.POSTER
