"""No circle of imports; a planted one is found."""

from __future__ import annotations

from validation.house import circles, import_graph


def test_no_two_modules_import_each_other_when_they_are_loaded() -> None:
    graph = import_graph()
    assert len(graph) > 300
    assert circles(graph) == []


def test_a_planted_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}) == [("a", "b", "c")]
