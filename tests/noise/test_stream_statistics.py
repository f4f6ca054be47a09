"""Quality of the numbers: 20 Kolmogorov-Smirnov tests, family error 1e-4, fixed seeds; and no two runs share a key."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from ei_brian.core.noise.draw import check_streams
from ei_brian.core.noise.philox import key_of, normals, uniforms
from ei_brian.core.noise.seed import fresh_seed
from ei_brian.errors import SpecError

N = 50_000
FAMILY_ERROR = 1e-4
FIRST = np.arange(N)
VARIED: dict[str, Callable[[Callable[..., np.ndarray]], np.ndarray]] = {
    # what is varied: every other part of the counter and key stays
    "units": lambda law: law(11, 5, 3, 2, N),
    "steps": lambda law: law(11, 5, 3, FIRST, 1)[:, 0],
    "trials": lambda law: law(11, 5, FIRST, 2, 1)[:, 0],
    "streams": lambda law: law(11, FIRST, 3, 2, 1)[:, 0],
    "seeds": lambda law: np.array([law(seed, 5, 3, 2, 1)[0] for seed in range(N // 25)]),
    "high words of seeds": lambda law: np.array([law(seed << 32, 5, 3, 2, 1)[0] for seed in range(N // 25)]),
    "differences of neighbouring units": lambda law: _differences(law, law(12, 5, 3, 2, 2 * N).reshape(-1, 2)),
    "differences of neighbouring steps": lambda law: _differences(law, law(12, 5, 3, np.arange(2 * N), 1).reshape(-1, 2)),
    "differences of neighbouring trials": lambda law: _differences(law, law(12, 5, np.arange(2 * N), 3, 1).reshape(-1, 2)),
    "differences of the words of one counter": lambda law: _differences(law, law(13, 5, FIRST // 16, 3, 64)[:, [0, 16]]),
}


def _differences(law: Callable[..., np.ndarray], pairs: np.ndarray) -> np.ndarray:
    """Return what has the same law again if the two are independent."""
    pairs = pairs.astype(np.float64)
    if law is normals:
        return (pairs[:, 0] - pairs[:, 1]) / np.sqrt(2)
    return (pairs[:, 0] - pairs[:, 1]) % 1.0


@pytest.mark.parametrize("law", [uniforms, normals])
@pytest.mark.parametrize("what", VARIED)
def test_law(law: Callable[..., np.ndarray], what: str) -> None:
    sample = VARIED[what](law).astype(np.float64)
    if what == "differences of the words of one counter":
        sample = sample[::16]  # sixteen events share a trial above: one each
    result = stats.kstest(sample, "uniform" if law is uniforms else "norm")
    assert result.pvalue > FAMILY_ERROR / 20


def test_a_planted_fault_is_found() -> None:
    """The same test refuses numbers that are 5 % too wide, and words of one counter used twice."""
    assert stats.kstest(normals(11, 5, 3, 2, N) * 1.05, "norm").pvalue < FAMILY_ERROR / 20
    assert stats.kstest(np.tile(uniforms(11, 5, 3, 2, 200), N // 200), "uniform").pvalue < FAMILY_ERROR / 20


def test_keys_of_10000_runs_are_disjoint() -> None:
    """Compared, not sampled: consecutive seeds, seeds 2**32 apart, and drawn ones have each their own key."""
    seeds = [*range(5_000), *(seed << 32 for seed in range(1, 3_000)), *(fresh_seed() for _ in range(2_001))]
    assert len(seeds) == 10_000
    keys = {key_of(seed) for seed in set(seeds)}
    assert len(keys) == len(set(seeds)) == 10_000
    assert all(high << 32 | low in set(seeds) for low, high in list(keys)[:100])


def test_streams_that_overlap_are_refused_by_name() -> None:
    check_streams([("a", 10, 5), ("b", 15, 1)])
    with pytest.raises(SpecError, match=r"a and b would share random numbers"):
        check_streams([("b", 14, 1), ("a", 10, 5)])
