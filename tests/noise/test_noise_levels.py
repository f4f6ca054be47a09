"""Levels and seeds: what is refused, and what the table of kinds says."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.seed import checked_seed, fresh_seed, seed_for
from ei_brian.errors import ConfigError


def test_every_field_has_a_row_with_unit_and_meaning_and_every_kind_a_reference() -> None:
    assert [field.name for field in fields(Noise)] == list(NOISE_KINDS)
    for kind in NOISE_KINDS.values():
        assert kind.unit
        assert kind.meaning
        assert kind.setting_of or "doi" in kind.reference
        assert kind.setting_of or getattr(Noise(), kind.field) == 0


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "0.1", True, None, 1e9])
@pytest.mark.parametrize("name", ["membrane_white_sd", "spike_failure", "weight_bits"])
def test_wrong_levels_are_refused_with_the_range(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"noise\.{name}"):
        Noise(**{name: value})  # type: ignore[arg-type]


def test_numpy_levels_are_taken_and_unknown_kinds_named() -> None:
    assert Noise.of("membrane_ou_sd", np.float32(0.5)) == Noise(membrane_ou_sd=0.5)
    with pytest.raises(ConfigError, match="membrane_white_sd"):
        Noise.of("membrane_whit", 0.1)
    with pytest.raises(ConfigError, match="weight_bits"):
        Noise(weight_bits=2.5)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, 0.5, "7", True, np.float64(3)])
def test_wrong_seeds_are_refused(seed: object) -> None:
    with pytest.raises(ConfigError, match="seed"):
        checked_seed(seed)
    with pytest.raises(ConfigError, match="seed"):
        seed_for(None, seed)


def test_seeds() -> None:
    assert checked_seed(np.uint64(2**64 - 1)) == 2**64 - 1
    assert checked_seed(np.int32(5)) == 5
    assert seed_for(Noise(), 5) is None
    assert seed_for(Noise(membrane_white_sd=0.1), np.int64(5)) == 5
    assert fresh_seed() != fresh_seed()
    assert seed_for(Noise(membrane_white_sd=0.1), None) != seed_for(Noise(membrane_white_sd=0.1), None)


@pytest.mark.parametrize("name", ["membrane_white", "membrane_ou"])
def test_levels_of_the_former_unit_are_refused_by_name_and_never_taken_for_new_ones(name: str) -> None:
    for make in (lambda: Noise(**{name: 0.1}), lambda: Noise.of(name, 0.1)):
        with pytest.raises(ConfigError, match=rf"noise\.{name}: .* {name}_sd is the standard deviation"):
            make()
    assert Noise(**{name: 0.0}) == Noise()  # off is off in every unit


def test_what_is_done_to_input_weights_and_cells_before_a_run_is_no_part_of_the_run() -> None:
    before = ("input_", "weight_", "threshold_", "tau_", "cell_", "exc_death", "inh_death", "delay_")
    for kind, facts in NOISE_KINDS.items():
        assert facts.dynamic != kind.startswith(before), kind
