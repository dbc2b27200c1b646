"""How these pages become HTML: ``sphinx-build -W docs build/html``; no network is needed."""

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

import gallery  # noqa: E402

import motsim  # noqa: E402

project = "motsim"
author = "The motsim developers"
release = version = motsim.__version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generated/picture.md"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # console blocks with cut output
numpydoc_show_class_members = False
autosummary_generate = False
numpydoc_class_members_toctree = False
autodoc_typehints = "none"  # numpydoc's sections carry them
html_theme = "alabaster"
html_title = "motsim"
html_static_path: list[str] = []
html_theme_options = {"page_width": "70rem", "sidebar_width": "15rem"}

OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)#]*)[^)]*\)")


def without_links_outside(app, name, source):
    """Files of the repository that are no pages are named, and not linked."""
    source[0] = OUTSIDE.sub(
        lambda found: (
            f"`{found[2]}`" if found[1].strip("`") in found[2] else f"{found[1]} (`{found[2]}`)"
        ),
        source[0],
    )


def setup(app):
    """Write the pages that are made, then read all."""
    results = os.environ.get("MOTSIM_DOCS_RESULTS", HERE.parent / "results")
    gallery.write(HERE / "generated", Path(results))
    app.connect("source-read", without_links_outside)
    return {"parallel_read_safe": True}
