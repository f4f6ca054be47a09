"""Every spiking model of the catalogue takes every kind of noise, or says by name which it cannot take."""

from __future__ import annotations

import numpy as np
import pytest

from ei_brian.core.models import MODELS
from ei_brian.core.noise.cell_noise import mismatched
from ei_brian.core.noise.noise import Noise
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError

SPIKING = sorted(name for name, model in MODELS.items() if model.spiking)
WITHOUT_THRESHOLD = {"wang_buzsaki", "traub_miles"}  # it is in the dynamics, of several parameters
EVERY = Noise(
    membrane_white_sd=0.05, membrane_ou_sd=0.02, correlation=0.3, background_exc_hz=200.0, background_inh_hz=200.0,
    spike_failure=0.2, release_failure=0.2, quantal_cv=0.1, weight_spread=0.1, tau_spread=0.1, cell_death=0.1,
    delay_jitter_ms=0.5,
)  # fmt: skip


def network(name: str) -> NetworkSpec:
    """Return input, four cells of the model that also reach each other."""
    model = MODELS[name]
    receptors = (("g", "exponential_current"),) if model.input_current else ()
    cells = Population("E", 4, "mixed", name, receptors)
    port = cells.ports[0]
    dt_ms = min(1.0, model.max_dt_ms)
    weights = np.linspace(0.5, 1.5, 4)
    projections = (
        Projection("inp", "E", np.outer(weights, [1.0, -0.2]), port),
        Projection("E", "E", np.outer(weights, [0.1, -0.1, 0.1, 0.2]), port),
    )
    return NetworkSpec((Population("inp", 2, "input"), cells), projections, dt_ms)


@pytest.mark.parametrize("name", SPIKING)
def test_every_kind_runs_and_stays_finite(name: str) -> None:
    spec = network(name)
    shown = Stimulus(Spikes.from_dense(np.random.default_rng(0).random((2, 25, 2)) < 0.3, spec.dt_ms))
    states = [("E", state.name) for state in spec["E"].declared_states()]
    noisy = simulate(spec, shown, noise=EVERY, seed=1, traces=states)
    assert all(np.isfinite(trace).all() for trace in noisy.traces.values())
    clean = simulate(spec, shown, traces=states)
    assert any(not np.array_equal(noisy.traces[key], clean.traces[key]) for key in states)


@pytest.mark.parametrize("kind", ["membrane_white_sd", "membrane_ou_sd"])
@pytest.mark.parametrize("name", SPIKING)
def test_membrane_noise_changes_the_membrane(name: str, kind: str) -> None:
    spec = network(name)
    shown = Stimulus(Spikes.from_dense(np.zeros((1, 5, 2)), spec.dt_ms))
    noise, voltage = Noise.of(kind, 0.1), ("E", spec["E"].neuron().voltage)
    noisy, clean = (simulate(spec, shown, noise=n, seed=1, traces=[voltage]).traces[voltage] for n in (noise, None))
    assert not np.array_equal(noisy, clean)


@pytest.mark.parametrize("name", SPIKING)
def test_threshold_mismatch_changes_the_model_or_is_refused_by_name(name: str) -> None:
    cells = network(name)["E"]
    if name in WITHOUT_THRESHOLD:
        with pytest.raises(ConfigError, match=f"threshold_spread: {name}"):
            mismatched(cells, Noise(threshold_spread=0.1), seed=1)
        return
    changed = mismatched(cells, Noise(threshold_spread=0.1), seed=1)
    assert any(not np.array_equal(changed.parameters[key], cells.parameters[key]) for key in cells.parameters)
