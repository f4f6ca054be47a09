"""Random networks over all that a spec can say give the reference's spikes, or are refused by name."""

from __future__ import annotations

import pytest

from validation.fuzz.compare import Outcome, outcomes

SEEDS = range(10_000, 10_012)  # not those that validation/fuzz begins with


def check(found: list[Outcome]) -> None:
    assert [one for one in found if one.end not in ("equal", "refused")] == []
    assert any(one.end == "equal" for one in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_network_in_numpy(seed: int) -> None:
    check(list(outcomes(seed, ("numpy",), with_script=seed % 6 == 0)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_random_network_in_compiled_programs(seed: int) -> None:
    check(list(outcomes(seed, ("cpp_standalone",))))
