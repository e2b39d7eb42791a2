from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_jupyter.kernel import frontends
from hailuo_jupyter.kernel.frontends import Delivery, Host, choose_delivery, detect

VSCODE_CELL = "vscode-notebook-cell:/home/ann/work.ipynb#W0sZmlsZQ%3D%3D"
HOSTS = [
    frontends.JUPYTER, frontends.VSCODE, frontends.COLAB, frontends.KAGGLE, frontends.DATABRICKS,
    frontends.VOILA, frontends.PYCHARM, frontends.MARIMO,
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_metadata", "namespace", "environ", "host"),
    [
        ({}, {}, {}, frontends.JUPYTER),
        ({"cellId": "0b1c2d3e"}, {}, {}, frontends.JUPYTER),
        ({"cellId": VSCODE_CELL}, {}, {}, frontends.VSCODE),
        ({"cellId": VSCODE_CELL.replace(":/", "://remote:1/", 1)}, {}, {}, frontends.VSCODE),
        ({}, {"__vsc_ipynb_file__": "/home/ann/work.ipynb"}, {}, frontends.VSCODE),
        # A kernel that VS Code has started, and that JupyterLab has joined.
        ({"cellId": "0b1c2d3e"}, {"__vsc_ipynb_file__": "/a.ipynb"}, {}, frontends.JUPYTER),
        ({}, {"__vsc_ipynb_file__": 7}, {}, frontends.JUPYTER),
        ({}, {}, {"COLAB_NOTEBOOK_ID": "1A"}, frontends.COLAB),
        ({}, {}, {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, frontends.KAGGLE),
        ({}, {}, {"DATABRICKS_RUNTIME_VERSION": "15.4"}, frontends.DATABRICKS),
        ({}, {}, {"VOILA_BASE_URL": "/"}, frontends.VOILA),
        ({}, {}, {"SERVER_SOFTWARE": "voila/0.5.13"}, frontends.VOILA),
        ({}, {}, {"SERVER_SOFTWARE": "nginx"}, frontends.JUPYTER),
        ({}, {}, {"PYCHARM_HOSTED": "1"}, frontends.PYCHARM),
    ],
)
def test_the_front_end_is_known_by_what_it_says(
    request_metadata: dict[str, Any], namespace: dict[str, Any], environ: dict[str, str], host: Host
) -> None:
    found = detect(
        {"metadata": request_metadata}, namespace, environ, kaggle_input=Path("/does/not/exist")
    )
    assert found is host


def test_kaggle_is_known_by_its_folder(tmp_path: Path) -> None:
    assert detect({}, {}, {}, kaggle_input=tmp_path) is frontends.KAGGLE


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.title)
@pytest.mark.parametrize(
    ("size", "embedded", "elsewhere"),
    [
        (1_500_000, 0, Delivery.EMBED),
        (2_000_001, 0, Delivery.PREVIEW),
        (1_500_000, 18_900_000, Delivery.PREVIEW),
        (1_500_000, 19_500_000, Delivery.POSTER),
        (5_000_000, 20_000_000, Delivery.POSTER),
    ],
)
def test_a_clip_is_linked_where_a_link_plays_and_else_as_large_as_it_may_be(
    host: Host, size: int, embedded: int, elsewhere: Delivery
) -> None:
    plays = choose_delivery(host, size=size, embedded=embedded, resolves=True)
    assert plays is (Delivery.LINK if host.links else elsewhere)
    assert choose_delivery(host, size=size, embedded=embedded, resolves=False) is elsewhere
    asked = choose_delivery(host, size=size, embedded=embedded, resolves=True, asked=True)
    assert asked is Delivery.EMBED


@given(
    st.sampled_from(HOSTS), st.integers(0, 10**9), st.integers(0, 10**8),
    st.tuples(st.integers(0, 10**7), st.integers(0, 10**8)), st.booleans(),
)  # fmt: skip
def test_limits_hold_and_no_link_is_written_that_cannot_resolve(
    host: Host, size: int, embedded: int, limits: tuple[int, int], resolves: bool
) -> None:
    clip_limit, notebook_limit = limits
    chosen = choose_delivery(
        host, size=size, embedded=embedded, resolves=resolves,
        clip_limit=clip_limit, notebook_limit=notebook_limit,
    )  # fmt: skip
    if chosen is Delivery.LINK:
        assert resolves
        assert host.links
    if chosen is Delivery.EMBED:
        assert size <= clip_limit
        assert embedded + size <= notebook_limit
    if chosen is Delivery.PREVIEW:
        assert embedded + frontends.PREVIEW_BYTES <= notebook_limit


def test_only_a_front_end_without_our_extension_speaks_of_sync() -> None:
    assert frontends.JUPYTER.metadata_note("work.ipynb") == ""
    assert frontends.VSCODE.metadata_note("work.ipynb") == (
        "VS Code keeps no records in the notebook's metadata. After saving: jupyter hailuo sync work.ipynb"
    )
    assert "NOTEBOOK.ipynb" in frontends.VSCODE.metadata_note(None)
