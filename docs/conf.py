"""Sphinx's configuration. `docs/build.py` calls Sphinx: it makes the pages that come from the code first."""

import re
from typing import Any

from docutils import nodes

from hailuo_jupyter import __version__, errors

project = "hailuo-jupyter"
author = "The hailuo-jupyter developers"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["notebooks"]
default_role = "code"
# Options such as --new, and quotes in code, are to be copied as they are.
smartquotes = False

# Pages. A heading can be linked to as on GitHub.
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
# Notebooks were executed by build.py. Their records are in a MIME type that myst-nb does not know.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
suppress_warnings = ["mystnb.unknown_mime_type"]

# The Python API. Types are in the text: links to other projects' pages would need a network.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
# Types of attributes that need no page of their own.
nitpick_ignore = [
    ("py:class", "pathlib.Path"),
    ("py:class", "hailuo_jupyter.kernel.join.Scene"),
    ("py:class", "hailuo_jupyter.kernel.join.SourceClip"),
    ("py:class", "hailuo_jupyter.kernel.quote.QuoteRow"),
]

html_theme = "pydata_sphinx_theme"
html_title = "hailuo-jupyter"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
# Wide tables and a wide diagram take the room of the site's navigation; its header stays.
html_sidebars: dict[str, list[str]] = {"architecture": [], "faults": [], "front-ends": []}
html_theme_options = {
    "logo": {"text": "hailuo-jupyter"},
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "article_header_start": ["breadcrumbs"],
    "secondary_sidebar_items": ["page-toc"],
}
copyright = author
copybutton_exclude = ".linenos, .gp, .go"


def without_members(
    _app: Any, what: str, _name: str, _what: Any, _options: Any, lines: list[str]
) -> None:
    """Remove a class docstring's lists of attributes and methods: each has its own entry."""
    if what != "class":
        return
    kept: list[str] = []
    dropping = False
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below.startswith("---"):
            dropping = line in {"Attributes", "Methods"}
        if not dropping:
            kept.append(line)
    lines[:] = kept


def link_to_error(_app: Any, _env: Any, node: Any, text: Any) -> Any:
    """Link the name of an exception to its part of the page of errors."""
    name = str(node.get("reftarget", "")).rpartition(".")[2]
    if node.get("reftype") != "exc" or not hasattr(errors, name):
        return None
    return nodes.reference("", "", text, refuri=f"errors.html#{name.lower()}", internal=True)


def break_names(
    _app: Any, _page: Any, _template: Any, context: dict[str, Any], _doctree: Any
) -> None:
    """Allow a line break inside a long name in code, after an underscore, a slash or a bar."""
    if body := context.get("body"):
        context["body"] = re.sub(
            r'(?<=<span class="pre">)[^<]+',
            lambda name: re.sub(r"(?<=\w)([_/|]+)(?=\w)", r"\1<wbr>", name[0]),
            body,
        )


def setup(app: Any) -> None:
    """Register these with Sphinx, which calls this."""
    app.connect("html-page-context", break_names)
    app.connect("autodoc-process-docstring", without_members, priority=400)
    app.connect("missing-reference", link_to_error)
