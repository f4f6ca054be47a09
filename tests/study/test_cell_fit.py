"""A neuron model fitted to current-clamp sweeps: of a cell that is known, integrated here, and of its kind of files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from brian2 import mV, nS, pF

import ei_brian as ei
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.errors import DataError, SpecError
from ei_brian.measures import coincidence
from ei_brian.models import CurrentSweeps, fit_cell

HIDDEN = {"C": 80.0, "k": 0.9, "v_r": -58.0, "v_t": -42.0, "a": 0.045, "b": -1.2, "c": -52.0, "d": 60.0, "v_peak": 35.0}
RANGES = {  # wide, but for what a potential shows: rest and the potential after a spike
    "C": (40, 160), "k": (0.3, 1.2), "v_r": (-60, -56), "v_t": (-50, -35), "a": (0.012, 0.05), "b": (-3, -0.8), "c": (-54, -50),
    "d": (40, 160),
}  # fmt: skip
DT_MS = 0.02


def injected(n_sweeps: int, seed: int, duration_ms: float = 600.0) -> np.ndarray:
    """Fluctuating currents of growing mean (pA), the first too small for a spike."""
    rng = np.random.default_rng(seed)
    n_steps, decay = round(duration_ms / DT_MS), np.exp(-DT_MS / 5.0)
    noise, current = np.zeros(n_sweeps), np.empty((n_sweeps, n_steps))
    mean = np.linspace(20.0, 420.0, n_sweeps)
    for step in range(n_steps):
        noise = noise * decay + rng.standard_normal(n_sweeps) * np.sqrt(1 - decay**2)
        current[:, step] = mean + 0.35 * mean * noise
    return current


def recorded(current: np.ndarray) -> np.ndarray:
    """The potential (mV) of the hidden cell, dC/dt v = k (v - v_r)(v - v_t) - u + I by explicit steps of 0.02 ms."""
    p = HIDDEN
    v, u = np.full(current.shape[0], p["v_r"]), np.zeros(current.shape[0])
    voltage = np.empty_like(current)
    for step in range(current.shape[1]):
        dv = (p["k"] * (v - p["v_r"]) * (v - p["v_t"]) - u + current[:, step]) / p["C"]
        du = p["a"] * (p["b"] * (v - p["v_r"]) - u)
        v, u = v + DT_MS * dv, u + DT_MS * du
        fired = v >= p["v_peak"]
        voltage[:, step] = np.where(fired, p["v_peak"], v)
        v, u = np.where(fired, p["c"], v), np.where(fired, u + p["d"], u)
    return voltage


@pytest.fixture(scope="module")
def sweeps() -> CurrentSweeps:
    current = injected(8, 1)
    return CurrentSweeps.from_voltage(current, recorded(current), DT_MS, source="a cell made here")


def test_a_known_cell_is_predicted_on_sweeps_that_it_was_not_fitted_on(sweeps: CurrentSweeps) -> None:
    assert sweeps.trains[0].size == 0
    assert sum(train.size for train in sweeps.trains) > 150
    start = replace(CELL_TYPES["RS2007"], parameters={**CELL_TYPES["RS2007"].parameters, "v_r": -58.5, "c": -51.5})
    fit = fit_cell(sweeps, start, name="m1_c3", ranges=RANGES, generations=60, seed=1)
    assert [each.sweep for each in fit.sweeps if not each.fitted] == [3, 7]
    assert fit.held_out > 0.8  # 0.90, 0.85 and 0.87 with three seeds
    assert fit.held_out_before < 0.3
    assert fit.cell.name == "m1_c3"
    assert fit.cell.reference == "a cell made here"
    spec = ei.load("digits_ei80") | ei.diversify({fit.cell: 1.0}, "I", seed=1)
    assert set(spec["I"].cell_types) == {"m1_c3"}
    assert "coincidence" in repr(fit)


def test_one_precision_for_both_cells_of_a_sweep(sweeps: CurrentSweeps) -> None:
    dense = CurrentSweeps(np.asarray(sweeps.current_pa) * 20, sweeps.trains, sweeps.dt_ms)  # the start fires without pause
    fit = fit_cell(dense.select([5, 7]), "RS2007", ranges={"C": (90, 110)}, generations=1, dt_ms=0.2)
    assert 0 < fit.sweeps[1].within_ms < 4.0
    assert fit.sweeps[1].within_ms <= 0.25 * dense.duration_ms / fit.sweeps[1].predicted


def test_a_cell_in_amperes_of_another_size_is_fitted_alike(sweeps: CurrentSweeps) -> None:
    """The current of a cell of one's own is in the unit that its parameters have."""
    cell = ei.cell(
        "dv/dt = (g_l*(E_l - v) + I)/C : volt", threshold="v > v_t", reset="v = v_r", method="exact", input_current="I",
        name="leaky_in_amperes", reference="made here",
        parameters={"g_l": 10 * nS, "E_l": -70 * mV, "C": 200 * pF, "v_t": -50 * mV, "v_r": -65 * mV},
    )  # fmt: skip
    fit = fit_cell(sweeps.select([5, 7]), cell, ranges={"C": (150 * pF, 250 * pF)}, generations=1, dt_ms=0.2)
    current, v, spikes = np.asarray(sweeps.sampled(0.2).current_pa)[7], -70.0, 0
    c, decay = fit.cell.parameters["C"], np.exp(-0.2 * 10 / fit.cell.parameters["C"])
    assert 150 <= c <= 250
    for step in current:
        rest = -70.0 + step / 10  # pA/nS: mV
        v = rest + (v - rest) * decay
        if v > -50.0:
            v, spikes = -65.0, spikes + 1
    assert abs(fit.sweeps[1].predicted - spikes) <= 1
    assert spikes > 10


def test_the_same_seed_gives_the_same_fit(sweeps: CurrentSweeps) -> None:
    few = sweeps.select([0, 2, 4])
    wanted = {"k": (0.4, 1.4), "a": (0.01, 0.1)}
    fits = [fit_cell(few, CELL_TYPES["RS2007"], ranges=wanted, generations=3, seed=seed, dt_ms=0.2) for seed in (1, 1, 2)]
    assert dict(fits[0].cell.parameters) == dict(fits[1].cell.parameters) != dict(fits[2].cell.parameters)
    assert [each.fitted for each in fits[0].sweeps] == [True, True, False]
    unchanged = set(CELL_TYPES["RS2007"].parameters) - set(wanted)
    assert all(fits[0].cell.parameters[name] == CELL_TYPES["RS2007"].parameters[name] for name in unchanged)


def test_the_mean_current_is_kept_by_another_time_step(sweeps: CurrentSweeps) -> None:
    coarse = sweeps.sampled(0.1)
    np.testing.assert_allclose(coarse.current_pa, np.asarray(sweeps.current_pa).reshape(8, -1, 5).mean(axis=2), rtol=1e-9)
    assert coarse.duration_ms == pytest.approx(sweeps.duration_ms)


def test_sweeps_from_neo() -> None:
    neo, pq = pytest.importorskip("neo"), pytest.importorskip("quantities")
    current = injected(2, 3, 100.0)
    voltage = recorded(current)
    block = neo.Block(name="cell 7")
    for row in range(2):
        segment = neo.Segment()
        rate = {"sampling_rate": 1 / (DT_MS * pq.ms)}
        segment.analogsignals.append(neo.AnalogSignal(current[row][:, None] * 1e-3, units="nA", **rate))
        segment.analogsignals.append(neo.AnalogSignal(voltage[row][:, None] * 1e-3, units="V", **rate))
        block.segments.append(segment)
    read, made = CurrentSweeps.from_neo(block), CurrentSweeps.from_voltage(current, voltage, DT_MS)
    np.testing.assert_allclose(read.current_pa, made.current_pa)
    assert [a.tolist() for a in read.trains] == [a.tolist() for a in made.trains]
    assert read.source == "cell 7"
    block.segments[1].analogsignals.pop()
    with pytest.raises(DataError, match="segment 1 has 1 in amperes and 0 in volts"):
        CurrentSweeps.from_neo(block)


def test_coincidences_by_hand() -> None:
    train = np.array([100.0, 200.0, 300.0, 400.0])
    assert coincidence(train, train + 3.9, 1000.0) == pytest.approx(1.0)
    assert coincidence(train, train + 4.1, 1000.0) == pytest.approx(-(8 * 4 / 1000) / (1 - 8 * 4 / 1000))
    # two of three predicted in time, of four recorded: chance 2*4 ms*3/1000 ms = 0.024
    assert coincidence(train, [101.0, 150.0, 399.0], 1000.0) == pytest.approx((2 - 0.024 * 4) / 3.5 / (1 - 0.024))
    assert coincidence([], [], 1000.0) == 1.0
    assert coincidence([], [5.0], 1000.0) == 0.0
    assert coincidence([10.0, 11.0], [10.5], 1000.0) == pytest.approx((1 - 0.008 * 2) / 1.5 / (1 - 0.008))
    with pytest.raises(DataError, match="smaller within_ms"):
        coincidence(train, np.arange(200) * 5.0, 1000.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 1.5}, "a share between 0 and 1"),
        ({"ranges": {"k": 1.0}}, "give .low, high. in nS/mV"),
        ({"ranges": {"kk": (0.1, 1.0)}}, "'kk' is not known. Did you mean 'k'"),
        ({"ranges": {"k": (10.0, 20.0)}}, "the start, .* must lie within it"),
        ({"held_out": [9]}, "give some of the sweeps 0 to 7"),
        ({"held_out": [1, 2, 3, 4, 5, 6, 7]}, "no spike in the sweeps"),
        ({"start": "lif"}, "is not known"),
        ({"start": "FS"}, "takes a current in mV/ms, in which sweeps in pA mean nothing"),
    ],
)
def test_what_cannot_be_fitted_is_refused(sweeps: CurrentSweeps, changes: dict, message: str) -> None:
    with pytest.raises((SpecError, DataError), match=message):
        fit_cell(sweeps, **{"start": "RS2007", **changes})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((np.zeros(5), [[]], 0.1), "shape"),
        ((np.zeros((1, 5)), [[]], 0.0), "dt_ms"),
        ((np.full((1, 5), np.nan), [[]], 0.1), "not finite"),
        ((np.zeros((2, 5)), [[]], 0.1), "1 trains for 2 sweeps"),
        ((np.zeros((1, 5)), [[9.0]], 0.1), "outside of the sweep"),
    ],
)
def test_sweeps_that_are_none_are_refused(values: tuple, message: str) -> None:
    with pytest.raises(DataError, match=message):
        CurrentSweeps(*values)
