"""Swapped cells stay within the bounds of their types: where they rest, what holds them, and how fast their membrane is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.models.physiology import IN_VIVO_FACTOR, OWN_REST_SPAN_MV, PUBLISHED_REST, rest_range
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.receptor import BACKGROUND
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.cell_stand import stand_table, where_cells_stand
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.holding import bounded, held, hold_limits, is_bounded, wanted_current
from ei_brian.sim.backend import Backend
from tests.biology.networks import some_input, trained_like

LOOSE = "AdEx delayed regular bursting"  # a = -g_L: without a background no current holds it
FAST = ("RS", "LTS", "RS2007", "Pyramidal", "Basket", "AdEx tonic", "AdEx irregular", LOOSE)
TYPES = [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in CELL_TYPES]


def cells_of(name: str, size: int = 3, **parameters: object) -> Population:
    kind = CELL_TYPES[name]
    given_ = {**kind.parameters, "gain_g": 1.0, **parameters}
    return Population("A", size, "mixed", kind.model, (("g", "exponential_current"),), given_, (name,) * size)


@pytest.fixture(scope="module")
def swapped() -> NetworkSpec:
    return diversify(trained_like(0.4, 0.3, 0.3, e_to_i=None), "cortex FS/LTS", "all", seed=1)


@pytest.fixture(scope="module")
def calibrated(swapped: NetworkSpec) -> NetworkSpec:
    return calibrate(swapped, some_input(14, 1), iterations=2, rate_tolerance=0.9, least_agreement=0.0)


@pytest.mark.parametrize("name", TYPES)
def test_cells_pushed_far_rest_within_the_range_of_their_type_and_stay_there(name: str) -> None:
    """Whatever current is asked for, the cells rest where their type does, do not drift without input, and do not fire."""
    far = 30 * np.abs(hold_limits(cells_of(name)).low) + 10
    made = bounded(cells_of(name, offset_g=far * np.array([-1.0, -0.05, 1.0])))
    point, limits = made.operating_point(), hold_limits(made)
    span = rest_range(name, float(limits.own_rest[0]))
    assert (point.rest > min(span.low_mv, limits.rest_low.min()) - 0.1).all()
    assert (point.rest < span.high_mv + 0.1).all()
    assert (made.constant_current < point.rheobase).all()
    without = {key: value for key, value in made.parameters.items() if key not in BACKGROUND}
    unopened = made.neuron().operating_point(without, limits.low).tau_ms  # v alone has no finite one at the own rest of RZ
    assert (point.tau_ms > 0.95 * np.minimum(limits.own_tau_ms / IN_VIVO_FACTOR, unopened)).all()
    assert (np.asarray(made.parameters[BACKGROUND[0]])[unopened < limits.own_tau_ms / IN_VIVO_FACTOR] == 0).all()
    dt_ms = min(0.5, made.neuron().max_dt_ms)
    alone = NetworkSpec((Population("input", 1, "input"), made), (Projection("input", "A", np.zeros((3, 1), np.float32)),), dt_ms)
    recording = simulate(alone, Stimulus(Spikes([], [], [], 1, 200, 1, dt_ms)), traces=[("A", "v")])
    assert recording.counts["A"].sum() == 0
    assert np.abs(recording.traces[("A", "v")][0] - point.rest).max() < 0.1


def test_a_cell_that_no_current_holds_rests_where_its_background_reverses() -> None:
    """However weak the background is, so long as it is stronger than the foot of the upstroke there (0.0055 nS)."""
    limits = hold_limits(cells_of(LOOSE))
    assert limits.own_rest == pytest.approx(-65.0, abs=0.1), "E_L of Naud et al. 2008"
    for share in (1e-3, 1e-2, 0.3, 1.0):
        made = bounded(cells_of(LOOSE, offset_g=limits.low - share * limits.most * limits.swing))
        point = made.operating_point()
        assert point.rests.all()
        assert point.rest == pytest.approx(limits.rest_low, abs=0.2)


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(["RS", "LTS", "RS2007", "Ivy"]), share=st.floats(-40.0, 3.0))
def test_a_wanted_current_becomes_current_and_background_of_the_same_effect(name: str, share: float) -> None:
    made = bounded(cells_of(name, 1))
    limits = hold_limits(made)
    wanted = share * np.abs(limits.low - limits.high)
    got = replace(made, parameters={**made.parameters, **held(wanted, "offset_g", limits)})
    reached = np.clip(wanted, limits.low - limits.most * limits.swing, limits.high)
    assert wanted_current(got, "offset_g", limits) == pytest.approx(reached, rel=1e-9, abs=1e-9)
    if wanted < limits.low:  # what a cell needs to be held at its threshold has grown by what was asked for
        at_threshold = np.asarray(got.parameters["tonic_conductance"]) * limits.swing
        assert np.asarray(got.parameters["offset_g"]) - at_threshold == pytest.approx(reached, rel=1e-9, abs=1e-9)


def test_published_ranges_and_the_rule() -> None:
    assert rest_range("FS", -70.0) == PUBLISHED_REST["FS"]
    assert "Izhikevich 2003" in PUBLISHED_REST["FS"].source
    assert rest_range("Ivy", -70.4).low_mv == -70.4 - OWN_REST_SPAN_MV
    assert rest_range("Ivy", -70.4).source.startswith("rule")
    assert rest_range("LTS", -58.0).high_mv == -58.0  # its own rest is always allowed


def test_a_calibrated_network_tells_where_its_cells_stand(swapped: NetworkSpec, calibrated: NetworkSpec) -> None:
    before, after = where_cells_stand(swapped), where_cells_stand(calibrated)
    assert any(each.outside > 0 for each in before), "the first map pushes cells beyond their bounds"
    assert all(each.outside == 0 for each in after)
    assert all(is_bounded(calibrated[name]) for name in ("E", "I"))
    for each in after:
        assert each.rest_bounds_mv[0] - 0.1 <= each.rest_mv[1] <= each.rest_mv[2] <= each.rest_bounds_mv[1] + 0.1
        assert each.background[2] <= each.most_background * (1 + 1e-9)
        assert each.tau_ms[1] >= 0.95 * each.own_tau_ms / IN_VIVO_FACTOR
    assert [line["cell_type"] for line in calibrated.provenance[-1]["cells"]] == [each.cell_type for each in after]
    assert "held outside of their bounds" in stand_table(before)
    assert "| E | RS | 16 |" in stand_table(after)


def test_without_bounds_the_current_goes_anywhere(swapped: NetworkSpec) -> None:
    free = calibrate(swapped, some_input(14, 1), iterations=1, rate_tolerance=9.0, least_agreement=0.0, physiology=False)
    assert not any(is_bounded(cells) for cells in free.cells)
    assert any(each.outside > 0 for each in where_cells_stand(free))


def test_the_background_outlives_conductances_and_every_backend_gives_its_spikes(calibrated: NetworkSpec) -> None:
    made = to_conductances(calibrated, some_input(4, 3))
    assert is_bounded(made["E"])
    for spec in (calibrated, made):
        expected = simulate(spec, some_input(5, 6))
        assert sum(counts.sum() for counts in expected.counts.values()) > 20
        got = Backend("numpy").run(spec, some_input(5, 6))
        assert all(got.spikes[name].equals(train) for name, train in expected.spikes.items())
