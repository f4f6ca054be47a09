"""Roots of many functions at once."""

from __future__ import annotations

import numpy as np

from ei_brian.core.roots import rising_root


def test_roots_of_known_functions_with_few_evaluations() -> None:
    at = np.linspace(0.1, 0.9, 9)[:, None]
    for shape in (np.sin, lambda d: d**3, np.sinh, lambda d: np.expm1(8 * d), lambda d: np.where(d < -0.3, -np.inf, d), np.sign):
        calls = []

        def function(x: np.ndarray, shape=shape, calls=calls) -> np.ndarray:
            calls.append(1)
            return shape(x - at)

        found = rising_root(function, np.zeros_like(at), np.ones_like(at))
        np.testing.assert_allclose(found, at, atol=1e-12, rtol=0)
        assert len(calls) < 100
    calls = []
    rising_root(lambda x: (calls.append(1), np.expm1(x - at))[1], np.zeros_like(at), np.ones_like(at))
    assert len(calls) <= 14  # bisection takes 46


def test_without_a_root_the_end_is_returned() -> None:
    low, high = np.array([[0.0], [0.0], [0.0]]), np.array([[1.0], [1.0], [1.0]])
    offset = np.array([[0.5], [-2.0], [2.0]])
    np.testing.assert_array_equal(rising_root(lambda x: x - 0.25 + offset - 0.5, low, high)[1:], [[1.0], [0.0]])


def test_values_as_small_as_their_rounding_are_zero() -> None:
    calls = []
    low, high = np.zeros((1, 1)), np.ones((1, 1))
    found = rising_root(lambda x: (calls.append(1), np.expm1(x - 0.3))[1], low, high, rounding=np.full((1, 1), 1e-3))
    assert abs(float(found.item()) - 0.3) < 2e-3
    assert len(calls) < 7


def test_a_root_that_is_met_ends_the_search() -> None:
    calls = []
    found = rising_root(lambda x: (calls.append(1), x - 0.5)[1], np.zeros(1), np.ones(1))
    assert found.tolist() == [0.5]
    assert len(calls) == 3  # both ends and the middle
