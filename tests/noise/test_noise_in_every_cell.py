"""What a level of noise means is the same in every cell: LIF, recurrences of frameworks, cells of real types, conductances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ei_brian.core.input_current import input_currents
from ei_brian.core.models import MODELS
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.noise.cell_noise import dead_cells
from ei_brian.core.noise.dynamic import mean_synapse
from ei_brian.core.noise.noise import Noise
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.diversify import diversify
from ei_brian.measure.rates import rate_summary_by_type
from ei_brian.sim.backend import Backend

KINDS = ("membrane_white_sd", "membrane_ou_sd")
SIZE, TRIALS, LEVEL = 200, 3, 0.02
BACKGROUND = (("background", "constant_current"),)
WITHOUT_LEAK = ("norse_iaf", "spikingjelly_if_hard", "spikingjelly_if_soft", "nir_if_zero", "nir_if_subtract")
RECURRENCES = sorted(
    name for name, model in MODELS.items() if model.spiking and not model.input_current and name not in WITHOUT_LEAK
)  # fmt: skip
QUICK_TYPES = ("RS", "FS", "LTS", "RZ", "RS2007", "Basket", "Ivy", "AdEx tonic", "AdEx initial burst")
SLOW_TYPES = [pytest.param(name, marks=pytest.mark.slow) for name in ("Wang-Buzsaki", "Traub-Miles")]  # small sub-steps
DEAD = {"cell_death": [2, 3, 7, 8, 9, 10, 11, 13, 15, 17, 18, 19, 23], "exc_death": [7, 9, 11, 13, 14, 17, 21, 22]}


def silence(n_steps: int, dt_ms: float = 1.0, n_inputs: int = 1) -> Stimulus:
    return Stimulus(Spikes([], [], [], TRIALS, n_steps, n_inputs, dt_ms))


def alone(cells: Population, noise: Noise | None, n_steps: int = 250, dt_ms: float = 1.0) -> tuple[np.ndarray, object]:
    """Return the potential of cells that receive nothing but noise, and the recording."""
    spec = NetworkSpec((Population("inp", 1, "input"), cells), (), dt_ms)
    voltage = (cells.name, cells.neuron().voltage)
    recording = simulate(spec, silence(n_steps, dt_ms), noise=noise, seed=5, traces=[voltage])
    return recording.traces[voltage], recording


def share(cells: Population, kind: str, dt_ms: float = 1.0) -> float:
    """Return the measured deviation of the free potential as a share of the level asked for."""
    v, _ = alone(cells, Noise.of(kind, LEVEL), round(250 / dt_ms), dt_ms)
    point = cells.operating_point(dt_ms)
    late = (v[:, v.shape[1] // 2 :] - point.rest) / point.distance
    common = late.mean(axis=(0, 2), keepdims=True)  # some start at their leak potential, not at rest
    return float(np.sqrt(np.mean((late - common) ** 2))) / LEVEL


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RECURRENCES)
def test_free_deviation_of_every_recurrence(name: str, kind: str) -> None:
    """600 cells over 125 ms of a membrane of 10 to 20 ms: 3 % at three standard errors and more."""
    assert abs(share(Population("A", SIZE, "mixed", name), kind) - 1) < 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*QUICK_TYPES, *SLOW_TYPES])
def test_free_deviation_of_cells_of_real_types_under_their_own_current(name: str, kind: str) -> None:
    """At rest and held well below, as calibrated cells are; all types, time steps and networks: validation/noise.

    Traub and Miles' cell fires by itself: it is tried under the current that its noise is defined at, and below.
    """
    kind_of = CELL_TYPES[name]
    point = MODELS[kind_of.model].operating_point(kind_of.parameters)
    high = 0.0 if point.rests else float(point.rheobase - point.scale)
    offset = high - np.where(np.arange(SIZE) % 2, 0.0, float(point.scale))
    cells = Population("A", SIZE, kind_of.role, kind_of.model, BACKGROUND, {**kind_of.parameters, "offset_background": offset})
    assert abs(share(cells, kind) - 1) < 0.1


def test_free_deviation_at_a_finer_step() -> None:
    cells = Population("A", SIZE, "inh", "izhikevich_2003", BACKGROUND, CELL_TYPES["FS"].parameters)
    assert all(abs(share(cells, kind, 0.2) - 1) < 0.1 for kind in KINDS)


def test_a_cell_without_leak_has_the_deviation_after_a_second() -> None:
    v, _ = alone(Population("A", SIZE, "mixed", "spikingjelly_if_soft"), Noise(membrane_white_sd=LEVEL), 1000)
    assert abs(v[:, -1].std() / LEVEL - 1) < 0.12  # 600 numbers: 3 % at one standard error


@pytest.mark.parametrize("level", [0.6, 2.0])
@pytest.mark.parametrize(("model", "least"), [("lif_refractory", 3), ("norse_lif_refractory", 6), ("spytorch_lif", 2)])
def test_noise_leaves_the_absolute_refractory_period(model: str, least: int, level: float) -> None:
    """2 ms at 1 ms steps: the next spike is in the third step after one; Norse holds for 5 steps; SpyTorch is dead for one."""
    _, recording = alone(Population("A", SIZE, "exc", model), Noise(membrane_white_sd=level), 500)
    spikes = recording.spikes["A"]  # type: ignore[attr-defined]
    order = np.lexsort((spikes.step, spikes.unit, spikes.trial))
    key = (spikes.trial.astype(np.int64) * SIZE + spikes.unit)[order]
    intervals = np.diff(spikes.step[order])[np.diff(key) == 0]
    assert intervals.size > 50
    assert intervals.min() >= least


@pytest.mark.parametrize("model", sorted(name for name in MODELS if "at_once" in name and not name.endswith("inhibition")))
def test_cells_that_reset_at_once_fire_under_noise_as_those_that_reset_late(model: str) -> None:
    late, now = (
        alone(Population("A", SIZE, "exc", name), Noise(membrane_white_sd=0.6), 600)[1].rate_hz("A")  # type: ignore[attr-defined]
        for name in (model.removesuffix("_at_once"), model)
    )
    assert late > 5
    assert abs(now / late - 1) < 0.25


@pytest.mark.parametrize("kind", KINDS)
def test_inhibition_among_cells_that_reset_at_once_sees_the_noise(kind: str) -> None:
    cells = Population("A", 20, "exc", "snntorch_leaky_zero_at_once_inhibition")
    _, recording = alone(cells, Noise.of(kind, 0.6), 400)
    assert recording.rate_hz("A") > 1  # type: ignore[attr-defined]


NOISES = (
    Noise(cell_death=0.5, membrane_white_sd=0.8),
    Noise(cell_death=0.5, membrane_ou_sd=0.8),
    Noise(cell_death=0.5, background_exc_hz=2000.0, background_exc_weight=3.0),
)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.kinds[0])
@pytest.mark.parametrize(
    "model", ["lif_exponential", "lif_delta", "izhikevich_2003", "traub_miles", "snntorch_leaky_zero_inhibition"]
)
def test_dead_cells_never_fire_and_live_ones_do(model: str, noise: Noise) -> None:
    """Traub and Miles' cell fires at zero current, and must be told; a dead cell of a competing layer never wins."""
    receptors = (("g", "exponential_current"),) if MODELS[model].input_current else ()
    cells = Population("A", 60, "exc", model, receptors)
    port = cells.ports[0]
    spec = NetworkSpec((Population("inp", 1, "input"), cells), (Projection("inp", "A", np.ones((60, 1)), port),), 1.0)
    recording = simulate(spec, silence(120), noise=noise, seed=3)
    everyone = simulate(spec, silence(120), noise=replace(noise, cell_death=1.0), seed=3)
    assert everyone.spikes["A"].n_events == 0
    dead = dead_cells(cells, noise, 3)
    counts = recording.counts["A"].sum(axis=0)
    assert not counts[dead].any()
    if "background" not in noise.kinds[0] or MODELS[model].input_current == "":
        assert counts[~dead].any()


def test_rates_of_a_network_with_dead_cells_are_those_of_the_living() -> None:
    """By hand from the counts; without the network nothing is known of the dead, and they are silent cells."""
    types = ("a", "b") * 30
    spec = NetworkSpec((Population("inp", 1, "input"), Population("A", 60, "exc", "lif_exponential", cell_types=types)), (), 1.0)
    noise = Noise(cell_death=0.4, membrane_white_sd=0.8)
    recording = simulate(spec, silence(200), noise=noise, seed=3)
    dead, seconds = dead_cells(spec["A"], noise, 3), 0.2
    counts = recording.counts["A"]
    assert 10 < dead.sum() < 50
    assert recording.rate_hz("A", spec) == pytest.approx(counts[:, ~dead].mean() / seconds)
    assert recording.rate_hz("A") == pytest.approx(counts.mean() / seconds)
    found = rate_summary_by_type(spec, recording, "A")
    first = ~dead & (np.array(types) == "a")
    assert found["a"].n_neurons == first.sum()
    assert found["a"].mean_hz == pytest.approx(counts[:, first].mean() / seconds)
    everyone = simulate(spec, silence(20), noise=replace(noise, cell_death=1.0), seed=3)
    assert np.isnan(everyone.rate_hz("A", spec))


def test_dead_cells_are_dead_in_brian2_too() -> None:
    cells = Population("A", 60, "exc", "lif_exponential")
    spec = NetworkSpec((Population("inp", 1, "input"), cells), (Projection("inp", "A", np.ones((60, 1))),), 1.0)
    noise = Noise(cell_death=0.3, membrane_white_sd=0.7, membrane_ou_sd=0.3)
    expected = simulate(spec, silence(80), noise=noise, seed=3)
    got = Backend("numpy", layout="shared").run(spec, silence(80), noise=noise, seed=3)
    assert expected.spikes["A"].n_events > 50
    assert got.spikes["A"].equals(expected.spikes["A"])


@pytest.fixture(scope="module")
def both() -> tuple[NetworkSpec, NetworkSpec]:
    """RS cells on an input of both signs, more of it negative; and the same with conductances."""
    weights = np.random.default_rng(0).normal(-0.05, 0.3, (40, 50)).astype(np.float32)
    lif = NetworkSpec(
        (Population("inp", 50, "input"), Population("E", 40, "exc", "lif_exponential")), (Projection("inp", "E", weights),), 1.0
    )
    currents = diversify(lif, mix="RS", population="exc", seed=0)
    return currents, to_conductances(currents)


def test_background_arrives_on_the_port_of_its_sign(both: tuple[NetworkSpec, NetworkSpec]) -> None:
    for spec in both:
        for sign, direction in (("exc", 1), ("inh", -1)):
            found = mean_synapse(spec, spec["E"], sign)
            assert found is not None
            kind = dict(spec["E"].receptors)[found[0]]
            assert kind in {"exc": ("exponential_current", "AMPA"), "inh": ("exponential_current", "GABA_A")}[sign]
            voltage = ("E", "v")
            noise = Noise(**{f"background_{sign}_hz": 500.0})
            runs = [simulate(spec, silence(150, n_inputs=50), noise=n, seed=1, traces=[voltage]) for n in (noise, None)]
            change = np.subtract(*(run.traces[voltage].mean() for run in runs))
            assert direction * change > 0.2


def test_the_charge_of_a_background_event_is_that_of_a_mean_synapse(both: tuple[NetworkSpec, NetworkSpec]) -> None:
    """By hand: of currents the mean of the positive weights; of conductances the mean of the AMPA weights."""
    currents, conductances = both
    weights = np.asarray(currents.projection("inp_E").weights, dtype=np.float64)
    assert mean_synapse(currents, currents["E"], "exc") == ("g", pytest.approx(weights[weights > 0].mean()))
    table = np.asarray(conductances.projection("inp_E").weights, dtype=np.float64)
    assert mean_synapse(conductances, conductances["E"], "exc") == ("g_exc", pytest.approx(table[table > 0].mean()))


def test_gaba_of_an_input_is_inhibition(both: tuple[NetworkSpec, NetworkSpec]) -> None:
    """Against the formula of either current, by hand from the recorded conductances."""
    spec = both[1]
    shown = Stimulus(Spikes.from_dense((np.random.default_rng(1).random((3, 120, 50)) < 0.05).astype(np.uint8), 1.0))
    states = [("E", name) for name in ("v", "g_exc", "g_inh")]
    recording = simulate(spec, shown, traces=states)
    found = input_currents(spec, recording, shown, "E")
    p, v = spec["E"].parameters, recording.traces["E", "v"]
    mean = {g: p[f"tau_{g}"] * (1 - np.exp(-1 / p[f"tau_{g}"])) for g in ("g_exc", "g_inh")}  # of a step of 1 ms
    exc, inh = (p[f"gain_{g}"] * mean[g] * recording.traces["E", g] * (p[f"E_{g}"] - v) for g in ("g_exc", "g_inh"))
    assert np.allclose(found.excitatory, exc, rtol=1e-6, atol=1e-9)
    assert np.allclose(found.inhibitory, inh, rtol=1e-6, atol=1e-9)
    assert found.excitatory.mean() > 0 > found.inhibitory.mean()


def test_who_dies_for_a_seed_stays_so() -> None:
    """Bits of a result that somebody published: the numbers of the streams of 0.2."""
    cells = Population("E", 24, "exc", "lif_exponential")
    assert np.flatnonzero(dead_cells(cells, Noise(cell_death=0.3), 5)).tolist() == DEAD["cell_death"]
    assert np.flatnonzero(dead_cells(cells, Noise(exc_death=0.3), 5)).tolist() == DEAD["exc_death"]
    assert not dead_cells(cells, Noise(inh_death=1.0), 5).any()
