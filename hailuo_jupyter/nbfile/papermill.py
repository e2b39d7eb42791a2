"""papermill's engine ``hailuo``: ``papermill in.ipynb out.ipynb --engine hailuo``.

papermill runs cell after cell, so each ``%%hailuo`` cell waits for its clips. What the engine adds:
the notebook's own id, so that its earlier runs are found, and the records in the metadata.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hailuo_jupyter.kernel import origin
from hailuo_jupyter.nbfile import records
from hailuo_jupyter.notebook_id import made_of_path


class HailuoEngine:
    """papermill's usual engine, with our records lifted into the metadata at the end.

    papermill loads this class while it is itself being imported, so papermill is asked for its own
    engine only when a notebook runs.
    """

    @staticmethod
    def execute_notebook(nb: Any, kernel_name: str, **kwargs: Any) -> Any:
        """Execute a notebook; papermill calls this.

        Parameters
        ----------
        nb
            The notebook.
        kernel_name
            Name of the kernel.
        **kwargs
            papermill's own, among them ``input_path``.
        """
        return _engine().execute_notebook(nb, kernel_name, **kwargs)

    @staticmethod
    def nb_kernel_name(nb: Any, name: str | None = None) -> Any:
        """Tell the notebook's kernel, as papermill does."""
        return _engine().nb_kernel_name(nb, name)

    @staticmethod
    def nb_language(nb: Any, language: str | None = None) -> Any:
        """Tell the notebook's language, as papermill does."""
        return _engine().nb_language(nb, language)


@cache
def _engine() -> Any:
    from papermill.engines import NBClientEngine

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            notebook_id = _id(nb_man.nb, kwargs.get("input_path"))
            try:
                with _told(notebook_id):
                    return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
            finally:
                records.name(nb_man.nb, notebook_id)
                records.lift(nb_man.nb, notebook_id)

    return Engine


def _id(nb: dict[str, Any], path: object) -> str:
    if given := records.written_id(nb):
        return given
    name = str(path) if path else "papermill.ipynb"
    return made_of_path(Path(os.path.abspath(name)))  # noqa: PTH100


@contextmanager
def _told(notebook_id: str) -> Iterator[None]:
    """Tell the kernel, which inherits this process's environment, whose notebook it runs."""
    before = os.environ.get(origin.NOTEBOOK_ID)
    os.environ[origin.NOTEBOOK_ID] = notebook_id
    try:
        yield
    finally:
        if before is None:
            del os.environ[origin.NOTEBOOK_ID]
        else:
            os.environ[origin.NOTEBOOK_ID] = before
