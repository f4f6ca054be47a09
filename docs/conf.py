"""Sphinx configuration."""

from __future__ import annotations

import ei_brian

project = "ei_brian"
author = "The ei_brian developers"
copyright = f"2026, {author}"
release = version = ei_brian.__version__

extensions = [
    "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon", "sphinx.ext.viewcode",
]  # fmt: skip
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "deflist"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
html_theme = "furo"
html_title = "ei_brian"
suppress_warnings = ["myst.xref_missing"]
