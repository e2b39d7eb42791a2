"""papermill's engine ``hailuo``: ``papermill in.ipynb out.ipynb --engine hailuo``.

papermill runs cell after cell, so each ``%%hailuo`` cell waits for its clips. What the engine adds:
the notebook's id, so that its earlier runs are found, and the records in the metadata.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hailuo_jupyter import startup
from hailuo_jupyter.ids import is_file, made_of_path
from hailuo_jupyter.ipynb import records


class HailuoEngine:
    """papermill's usual engine, which also copies our records into the metadata at the end.

    papermill loads this class while it is itself being imported, so papermill's own
    engine is looked up only when a notebook runs.
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
            papermill's own, including ``input_path``.
        """
        return _engine().execute_notebook(nb, kernel_name, **kwargs)

    @staticmethod
    def nb_kernel_name(nb: Any, name: str | None = None) -> Any:
        """Return the notebook's kernel, as papermill does."""
        return _engine().nb_kernel_name(nb, name)

    @staticmethod
    def nb_language(nb: Any, language: str | None = None) -> Any:
        """Return the notebook's language, as papermill does."""
        return _engine().nb_language(nb, language)


@cache
def _engine() -> Any:
    from papermill.engines import NBClientEngine

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            path = _input(kwargs.get("input_path"))
            notebook_id = records.written_id(nb_man.nb) or made_of_path(path)
            try:
                with _environment(notebook_id, path):
                    return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
            finally:
                records.write_id(nb_man.nb, notebook_id)
                records.lift_records(nb_man.nb, notebook_id)

    return Engine


def _input(value: object) -> Path:
    """Return the notebook's path; an address, such as ``s3://…``, is returned unchanged."""
    name = str(value) if isinstance(value, str | os.PathLike) else "papermill.ipynb"
    return Path(name if "://" in name else os.path.abspath(name))  # noqa: PTH100


@contextmanager
def _environment(notebook_id: str, path: Path) -> Iterator[None]:
    """Pass the notebook's path to the kernel, which inherits this process's environment."""
    named = str(path) if is_file(path) else ""
    variables = {startup.NOTEBOOK_ID: notebook_id, startup.NOTEBOOK_PATH: named}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
