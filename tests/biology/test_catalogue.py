"""The neuron catalogue against what was published, and the same bits in the reference and in Brian2."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.core.models import MODELS
from ei_brian.core.models.adex import NAUD_CURRENTS_PA
from ei_brian.core.models.cell_types import CELL_TYPES, cell_type
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import SpecError
from ei_brian.sim.backend import Backend

NOTHING = np.zeros(0, dtype=np.int32)


def stepped(kind: str, currents: list[float], duration_ms: float, dt_ms: float, **values: float) -> tuple[NetworkSpec, Stimulus]:
    """Return cells of one type, each under a constant current from time 0, and an empty stimulus."""
    known = CELL_TYPES[kind]
    start = values if any(name.endswith("_init") for name in values) else resting(kind)
    parameters = {**known.parameters, "offset_background": np.array(currents, dtype=float), **values, **start}
    cells = Population("A", len(currents), "mixed", known.model, (("background", "constant_current"),), parameters)
    spec = NetworkSpec((Population("input", 1, "input"), cells), (), dt_ms)
    return spec, Stimulus(Spikes(NOTHING, NOTHING, NOTHING, 1, round(duration_ms / dt_ms), 1, dt_ms))


def run(kind: str, currents: list[float], duration_ms: float, dt_ms: float, **values: float) -> Recording:
    return simulate(*stepped(kind, currents, duration_ms, dt_ms, **values))


def times(recording: Recording, unit: int = 0) -> np.ndarray:
    spikes = recording.spikes["A"]
    return spikes.step[spikes.unit == unit] * spikes.dt_ms


@pytest.mark.parametrize("kind", ["FS", "Pyramidal", "AdEx tonic", "Wang-Buzsaki", "Traub-Miles"])
def test_same_bits_in_brian2(kind: str) -> None:
    spec, stimulus = stepped(kind, [{"FS": 10.0, "Pyramidal": 4000.0}.get(kind, 900.0)], 15.0, 0.1)
    voltage = ("A", "v")
    oracle = simulate(spec, stimulus, traces=[voltage])
    recording = Backend("numpy", layout="shared").run(spec, stimulus, traces=(voltage,))
    assert np.array_equal(oracle.traces[voltage], recording.traces[voltage])
    assert oracle.spikes["A"].equals(recording.spikes["A"])
    assert oracle.spikes["A"].n_events > 0


def test_every_model_has_its_papers() -> None:
    for model in MODELS.values():
        assert model.reference, model.name
        assert all(parameter.meaning and parameter.unit for parameter in model.parameters), model.name
    for kind in CELL_TYPES.values():
        assert kind.reference
        assert kind.role in ("exc", "inh")


class TestIzhikevich2003:
    """Fig. 2 of the paper: a step of current of 10 after rest; TC at rest is near -63 mV."""

    def intervals(self, kind: str, current: float = 10.0) -> np.ndarray:
        return np.diff(times(run(kind, [current], 400.0, 0.1, v_init=-70.0, u_init=-14.0)))

    def test_regular_spiking_adapts(self) -> None:
        gaps = self.intervals("RS")
        assert gaps[-1] > 1.5 * gaps[0]

    def test_intrinsically_bursting_starts_with_a_burst(self) -> None:
        gaps = self.intervals("IB")
        assert gaps[0] < 10 < gaps[-1]

    def test_chattering_bursts_again_and_again(self) -> None:
        gaps = self.intervals("CH")
        assert np.sum(gaps < 6) > 3 * np.sum(gaps > 15) > 3

    def test_fast_spiking_hardly_adapts(self) -> None:
        gaps = self.intervals("FS")
        assert gaps[-1] < 1.4 * gaps[1]
        assert len(gaps) > 2 * len(self.intervals("RS"))

    def test_low_threshold_spiking_fires_at_less_than_fast_spiking(self) -> None:
        counts = {kind: len(times(run(kind, [2.0], 400.0, 0.1, v_init=-64.4, u_init=-16.1))) for kind in ("LTS", "FS")}
        assert counts["LTS"] > 5
        assert counts["FS"] <= 1  # the onset alone


def resting(kind: str, current: float = 0.0) -> dict[str, float]:
    """Return the initial values of a cell type at rest under a constant current."""
    model = MODELS[CELL_TYPES[kind].model]
    parameters = {p.name: CELL_TYPES[kind].parameters.get(p.name, p.default) for p in model.parameters}
    return {name: float(v) for name, v in model.initial_at_rest(parameters, current).items()}


class TestIzhikevich2007:
    def test_rheobase_of_a_slow_ramp_is_the_closed_form(self) -> None:
        """At rest ``k*x^2 - (k*(v_t - v_r) + b)*x + I = 0`` loses its roots at ``I = (k*(v_t - v_r) + b)^2/(4k)``."""
        p = CELL_TYPES["RS2007"].parameters
        rheobase = (p["k"] * (p["v_t"] - p["v_r"]) + p["b"]) ** 2 / (4 * p["k"])
        for share, fires in ((0.98, False), (1.02, True)):
            rest = resting("RS2007", share * rheobase)
            counts = run("RS2007", [share * rheobase], 1500.0, 1.0, **rest).counts["A"]
            assert (counts[0, 0] > 0) == fires

    def test_published_rates_of_the_regular_spiking_cell(self) -> None:
        """Fig. 8.12 of the book: silent at 52 pA after the transient, tonic firing that grows with 60, 70, 100 pA."""
        counts = run("RS2007", [40.0, 60.0, 70.0, 100.0, 200.0], 1000.0, 0.5).counts["A"][0]
        assert counts[0] == 0
        assert np.all(np.diff(counts) > 0)
        assert 2 <= counts[1] <= 8

    @pytest.mark.parametrize("kind", [name for name, t in CELL_TYPES.items() if "Kopsick" in t.reference])
    def test_at_rest_stays_at_rest(self, kind: str) -> None:
        rest = resting(kind)
        spec, stimulus = stepped(kind, [0.0], 300.0, 1.0, **rest)
        v = simulate(spec, stimulus, traces=[("A", "v")]).traces[("A", "v")]
        assert np.allclose(v, rest["v_init"], atol=1e-6)  # an unstable rest would have left by e^(t/tau) from rounding


class TestAdaptiveExponential:
    def gaps(self, kind: str) -> np.ndarray:
        return np.diff(times(run(kind, [NAUD_CURRENTS_PA[kind]], 350.0, 0.1)))

    def test_tonic(self) -> None:
        gaps = self.gaps("AdEx tonic")
        assert np.ptp(gaps[10:]) <= 0.2 + 1e-9  # one step of the grid, and one for the phase of the peak within a step

    def test_adapting_and_accelerating(self) -> None:
        assert np.all(np.diff(self.gaps("AdEx adapting")[:6]) > 0)
        gaps = self.gaps("AdEx delayed accelerating")
        assert np.all(np.diff(gaps) <= 0.1 + 1e-9)

    def test_bursts(self) -> None:
        first = self.gaps("AdEx initial burst")
        assert first[0] < 10 < first[-1]
        assert np.sum(self.gaps("AdEx regular bursting") > 50) >= 2

    def test_transient_is_silent_after_its_start(self) -> None:
        assert times(run("AdEx transient", [NAUD_CURRENTS_PA["AdEx transient"]], 500.0, 0.1)).max() < 100


@pytest.mark.slow
def test_wang_buzsaki_rates() -> None:
    """Fig. 1 of the paper: silent without current, about 60 Hz at 1 uA/cm^2 (100 pA here), about 190 Hz at 5."""
    counts = run("Wang-Buzsaki", [0.0, 100.0, 500.0], 500.0, 0.1).counts["A"][0] / 0.5
    assert counts[0] == 0
    assert 50 <= counts[1] <= 70
    assert 170 <= counts[2] <= 210


def test_refractory_cell_is_held_for_its_period() -> None:
    cells = Population("A", 1, "exc", "lif_refractory", parameters={"t_refractory": 5.0})
    spec = NetworkSpec((Population("input", 1, "input"), cells), (Projection("input", "A", np.array([[8.0]])),), 1.0)
    steps = np.arange(60, dtype=np.int32)
    stimulus = Stimulus(Spikes(np.zeros(60, np.int32), steps, np.zeros(60, np.int32), 1, 60, 1, 1.0))
    gaps = np.diff(times(simulate(spec, stimulus)))
    assert gaps.min() == 6.0  # five steps at rest, one to reach threshold under this strong drive


def test_delta_synapse_moves_the_membrane_at_once() -> None:
    spec = NetworkSpec(
        (Population("input", 1, "input"), Population("A", 1, "exc", "lif_delta")),
        (Projection("input", "A", np.array([[0.4]]), port="v"),), 1.0,
    )  # fmt: skip
    stimulus = Stimulus(Spikes(np.array([0]), np.array([2]), np.array([0]), 1, 20, 1, 1.0))
    v = simulate(spec, stimulus, traces=[("A", "v")]).traces[("A", "v")][0, :, 0]
    assert np.allclose(v[2:], 0.4 * np.exp(-np.arange(18) / 20.0), rtol=1e-12)


def test_magnesium_block_of_nmda() -> None:
    """Half block where ``((v + 80)/60)^2 = 1``: at -20 mV the conductance passes half its current."""
    parameters = {"v_init": -20.0, "E_slow": 0.0, "C": 1e6, "k": 1e-6, "v_r": -20.0, "v_t": -10.0, "b": 0.0}
    cells = Population("A", 1, "exc", "izhikevich_2007", (("slow", "NMDA"),), parameters)
    synapse = Projection("input", "A", np.array([[10.0]]), port="slow")
    spec = NetworkSpec((Population("input", 1, "input"), cells), (synapse,), 0.1)
    stimulus = Stimulus(Spikes(np.array([0]), np.array([0]), np.array([0]), 1, 3, 1, 0.1))
    v = simulate(spec, stimulus, traces=[("A", "v")]).traces[("A", "v")][0, :, 0]
    mean = 150.0 / 0.1 * -np.expm1(-0.1 / 150.0)  # of the decaying conductance over the step
    wanted = 10.0 * mean * 0.5 * 20.0 * 0.1 / 1e6  # nS * half * mV * ms / pF, in mV
    assert v[1] - v[0] == pytest.approx(wanted, rel=1e-5)  # the resting current of k is 1e-6 of it


def test_unknown_types_are_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="Did you mean"):
        cell_type("Baskett")
