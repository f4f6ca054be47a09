"""Sphinx configuration."""

from __future__ import annotations

import re
from pathlib import Path

import ei_brian

HERE = Path(__file__).resolve().parent
TAKEN = {"models": "models/README.md", "claims": "validation/README.md", "frameworks": "validation/interop/table.md"}


def take(name: str, source: str) -> None:
    """Copy the body of a page of the repository; a link to a file outside the documentation becomes that file's name."""
    text = (HERE.parent / source).read_text(encoding="utf-8")
    body = re.sub(r"\A# .*\n", "", text)
    body = re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", body)
    path = HERE / "_taken" / f"{name}.md"
    path.parent.mkdir(exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != body:
        path.write_text(body, encoding="utf-8")


for name, source in TAKEN.items():
    take(name, source)

project = "ei_brian"
author = "The ei_brian developers"
copyright = f"2026, {author}"
release = version = ei_brian.__version__

extensions = [
    "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon", "sphinx.ext.viewcode",
]  # fmt: skip
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_taken"]
myst_enable_extensions = ["dollarmath", "deflist"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
html_theme = "furo"
html_title = "ei_brian"
