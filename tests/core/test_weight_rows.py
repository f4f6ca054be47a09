"""Rows of a sparse table are added as those of a dense one, to the bit, whatever the delays and factors."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from ei_brian.core import weight_rows
from ei_brian.core.projection import Projection
from ei_brian.core.weight_rows import add_rows, delay_tables


def _pair(generator: np.random.Generator, delays: str) -> tuple[Projection, Projection]:
    n_target, n_source = (int(n) for n in generator.integers(3, 40, 2))
    dense = generator.normal(size=(n_target, n_source)) * (generator.random((n_target, n_source)) < 0.4)
    table: Any = sparse.csr_array(dense)
    if delays == "one":
        steps = int(generator.integers(0, 4))
        return Projection("a", "b", dense, "drive", steps), Projection("a", "b", table, "drive", steps)
    late = generator.integers(0, 4, dense.shape).astype(np.int32)
    return Projection("a", "b", dense, "drive", late), Projection("a", "b", table, "drive", late[table.tocoo().coords])


@pytest.mark.parametrize("delays", ["one", "per synapse"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scaled", [False, True])
def test_sparse_rows_add_the_bits_of_dense_ones(
    delays: str, dtype: Any, scaled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(4)
    for at_once in (1, 17, 2**21):
        monkeypatch.setattr(weight_rows, "AT_ONCE", at_once)
        plain, compact = _pair(generator, delays)
        both = delay_tables(plain, dtype, 1e-9), delay_tables(compact, dtype, 1e-9)
        assert [late for late, _ in both[0]] == [late for late, _ in both[1]]
        for (_, dense), (_, rows) in zip(*both, strict=True):
            assert sparse.issparse(rows)
            np.testing.assert_array_equal(rows.toarray(), dense)
            trial, unit = np.nonzero(generator.random((5, dense.shape[0])) < 0.5)
            size = generator.normal(size=trial.size).astype(dtype)
            factors = generator.random((trial.size, dense.shape[1])).astype(dtype) if scaled else None
            start = generator.normal(size=(5, dense.shape[1])).astype(dtype)
            results = start.copy(), start.copy()
            for result, table in zip(results, (dense, rows), strict=True):
                add_rows(result, (trial, unit, size), table, factors)
            assert results[0].dtype == dtype
            np.testing.assert_array_equal(results[0].view(f"u{results[0].itemsize}"), results[1].view(f"u{results[1].itemsize}"))


def test_a_sparse_table_is_never_written_out() -> None:
    table: Any = sparse.eye_array(20_000, dtype=np.float32, format="csr")
    projection = Projection("a", "b", table, "drive", 1)
    tracemalloc.start()
    delay_tables(projection, np.float64, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000 * 200  # bytes; 3 GB if it were dense


def test_a_target_whose_flat_form_is_a_copy_is_refused() -> None:
    """Else the sums would go into the copy."""
    table = sparse.csr_array(np.ones((2, 3)))
    events = (np.zeros(1, np.int32), np.zeros(1, np.int32), np.ones(1))
    with pytest.raises(ValueError, match="not contiguous"):
        add_rows(np.zeros((2, 6))[:, ::2], events, table)
