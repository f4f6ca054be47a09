"""Texts of the catalogue in the form that Brian2 leaves alone."""

from __future__ import annotations

import pytest

from ei_brian.core.texts import split_self_assignments


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("g = g - rate*g", "g_next = g - rate*g\ng = g_next"),
        ("v = rate*g", "v = rate*g"),
        ("g = gain*g_other", "g = gain*g_other"),  # another name that begins alike
        ("y = x\nx = 2*x", "y = x\nx_next = 2*x\nx = x_next"),
        ("", ""),
    ],
)
def test_no_variable_is_set_from_itself_in_one_line(text: str, split: str) -> None:
    assert split_self_assignments(text) == split
