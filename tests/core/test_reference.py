"""The oracle against closed forms and against a second, plain implementation; and planted faults that it must see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from ei_brian.core.models.lif_exponential import g_to_v
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import Phase, layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError


def plain(spec: NetworkSpec, stimulus: Stimulus) -> dict[str, list[tuple[int, int, int]]]:
    """Return all spikes (trial, step, neuron) of LIF networks: one trial and one synapse at a time, floats of Python."""
    found: dict[str, list[tuple[int, int, int]]] = {p.name: [] for p in spec.cells if p.spiking}
    for trial in range(stimulus.n_trials):
        v = {p.name: [0.0] * p.size for p in spec.cells}
        g = {p.name: [0.0] * p.size for p in spec.cells}
        fired: dict[str, list[list[int]]] = {p.name: [] for p in spec.populations}
        for step in range(stimulus.n_steps):
            here = (stimulus.events.trial == trial) & (stimulus.events.step == step)
            fired["input"].append(sorted(stimulus.events.unit[here].tolist()))
            for phase in spec.schedule:
                one_phase(spec, phase, v, g, fired, step)
            for name in found:
                found[name] += [(trial, step, neuron) for neuron in fired[name][step]]
    return found


def one_phase(spec: NetworkSpec, phase: Phase, v: dict, g: dict, fired: dict, step: int) -> None:
    if phase.kind == "propagate":
        projection = spec.projection(phase.target)
        weights = projection.weights.toarray() if projection.sparse else projection.weights
        delays = np.broadcast_to(projection.delay_steps, weights.shape) if not projection.sparse else None
        single = int(projection.delay_steps) if delays is None else None
        arriving = sorted({single} if delays is None else set(delays.ravel().tolist()), reverse=True)
        for delay in arriving:
            if step - delay < 0:
                continue
            for source in fired[projection.source][step - delay]:
                for target in range(weights.shape[0]):
                    if single is not None or delays[target, source] == delay:
                        g[projection.target][target] += float(weights[target, source])
        return
    name, parameters = phase.target, spec[phase.target].parameters
    for neuron in range(spec[name].size):
        value = {key: float(np.broadcast_to(array, spec[name].size)[neuron]) for key, array in parameters.items()}
        if phase.kind == "update":
            mem, syn = np.exp(-spec.dt_ms / value["tau_mem"]), np.exp(-spec.dt_ms / value["tau_syn"])
            gain = value["tau_syn"] / (value["tau_syn"] - value["tau_mem"]) * (syn - mem)
            v[name][neuron] = v[name][neuron] * mem + g[name][neuron] * gain
            g[name][neuron] *= syn
        elif phase.kind == "reset" and neuron in fired[name][step]:
            v[name][neuron] = 0.0
    if phase.kind == "threshold":
        limit = np.broadcast_to(parameters["v_threshold"], spec[name].size)
        fired[name].append([neuron for neuron in range(spec[name].size) if v[name][neuron] > limit[neuron]])


def events(spikes: Spikes) -> list[tuple[int, int, int]]:
    return list(zip(spikes.trial.tolist(), spikes.step.tolist(), spikes.unit.tolist(), strict=True))


def changed(spec: NetworkSpec, name: str, **changes: object) -> NetworkSpec:
    return replace(spec, projections=tuple(replace(p, **changes) if p.name == name else p for p in spec.projections))


def same(one: NetworkSpec, other: NetworkSpec, stimulus: Stimulus) -> bool:
    first, second = simulate(one, stimulus), simulate(other, stimulus)
    return all(first.spikes[name].equals(second.spikes[name]) for name in first.spikes)


def variants(make_spec: Callable[..., NetworkSpec]) -> dict[str, NetworkSpec]:
    base = make_spec(1)
    delays = np.random.default_rng(2).integers(0, 5, size=(4, 16))
    taus = np.random.default_rng(3).uniform(6, 30, size=16)
    mixed = tuple(replace(p, parameters={"tau_mem": taus}) if p.name == "E" else p for p in base.populations)
    return {
        "recurrent": base,
        "feed-forward": make_spec(1, recurrent=False),
        "no inhibition": make_spec(1, n_inh=0),
        "one delay": changed(base, "E_E", delay_steps=3),
        "delay per synapse": changed(base, "E_I", delay_steps=delays),
        "sparse": changed(base, "E_E", weights=sparse.csr_array(np.where(base.projection("E_E").weights > 0.2, 0.5, 0.0))),
        "time constant per neuron": replace(base, populations=mixed),
        "layer by layer": replace(base, schedule=layerwise_schedule(base.populations, base.projections)),
    }


NAMES = (
    "recurrent", "feed-forward", "no inhibition", "one delay", "delay per synapse", "sparse", "time constant per neuron",
    "layer by layer",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_spike_is_that_of_the_plain_implementation(
    make_spec: Callable[..., NetworkSpec], make_stimulus: Callable[..., Stimulus], name: str
) -> None:
    spec, stimulus = variants(make_spec)[name], make_stimulus(5, n_trials=3)
    recording = simulate(spec, stimulus)
    expected = plain(spec, stimulus)
    assert sum(map(len, expected.values())) > 100, "too quiet to show anything"
    assert {population: events(spikes) for population, spikes in recording.spikes.items()} == expected


def test_planted_faults_are_seen(spec: NetworkSpec, stimulus: Stimulus) -> None:
    """Each change is one that a wrong simulator could make; the comparison of spikes must tell it from the right one."""
    loop = spec.projection("E_E").weights
    faults = {
        "transposed weights": changed(spec, "E_E", weights=loop.T.copy()),
        "one delay more": changed(spec, "E_E", delay_steps=1),
        "one projection lost": replace(
            spec, projections=tuple(p for p in spec.projections if p.name != "I_E"),
            schedule=tuple(phase for phase in spec.schedule if phase.target != "I_E"),
        ),
        "inhibition without its sign": replace(
            changed_role(spec, "I", "mixed"),
            projections=tuple(replace(p, weights=-p.weights) if p.name == "I_E" else p for p in spec.projections),
        ),
        "layer order": replace(spec, schedule=layerwise_schedule(spec.populations, spec.projections)),
        "threshold off by a percent": with_parameters(spec, "E", v_threshold=1.01),
        "time constant off by a percent": with_parameters(spec, "E", tau_mem=20.2),
    }  # fmt: skip
    assert same(spec, spec, stimulus)
    for fault, wrong in faults.items():
        assert not same(spec, wrong, stimulus), fault


def changed_role(spec: NetworkSpec, name: str, role: str) -> NetworkSpec:
    return replace(spec, populations=tuple(replace(p, role=role) if p.name == name else p for p in spec.populations))


def with_parameters(spec: NetworkSpec, name: str, **values: float) -> NetworkSpec:
    return replace(spec, populations=tuple(replace(p, parameters=values) if p.name == name else p for p in spec.populations))


def one_spike(weight: float, **parameters: float) -> tuple[NetworkSpec, Stimulus]:
    """Return one cell that gets one input spike in step 0."""
    populations = (Population("input", 1, "input"), Population("E", 1, "exc", "lif_exponential", parameters=parameters))
    spec = NetworkSpec(populations, (Projection("input", "E", np.array([[weight]])),), 1.0, Readout("E", "first spike"))
    return spec, Stimulus(Spikes([0], [0], [0], 1, 60, 1, 1.0))


@pytest.mark.parametrize(("tau_mem", "tau_syn"), [(20.0, 5.0), (5.0, 20.0), (10.0, 10.0)])
def test_postsynaptic_potential_is_the_solution_of_the_equations(tau_mem: float, tau_syn: float) -> None:
    spec, stimulus = one_spike(0.5, tau_mem=tau_mem, tau_syn=tau_syn)
    v = simulate(spec, stimulus, traces=[("E", "v")]).traces["E", "v"][0, :, 0]
    t = np.arange(60.0)  # the weight is added at the end of step 0, so the end of step k lies k ms later
    if tau_mem == tau_syn:
        exact = 0.5 * t / tau_mem * np.exp(-t / tau_mem)
    else:
        exact = 0.5 * tau_syn / (tau_syn - tau_mem) * (np.exp(-t / tau_syn) - np.exp(-t / tau_mem))
    np.testing.assert_allclose(v, exact, rtol=0, atol=60 * 4 * np.finfo(float).eps)  # 4 roundings of numbers < 1 a step


def test_propagator_is_continuous_where_time_constants_meet() -> None:
    near = g_to_v({"tau_mem": np.array(10.0), "tau_syn": np.array(10.0 * (1 + 1e-7))}, 1.0)
    at = g_to_v({"tau_mem": np.array(10.0), "tau_syn": np.array(10.0)}, 1.0)
    assert near == pytest.approx(at, rel=1e-6)  # derivative of order 1 times the distance 1e-7, plus cancellation 1e-16/1e-7


@pytest.mark.parametrize("weight", [3.0, 6.0, 20.0])
def test_first_spike_is_where_the_solution_crosses(weight: float) -> None:
    spec, stimulus = one_spike(weight)
    t = np.arange(60.0)
    exact = weight * 5.0 / (5.0 - 20.0) * (np.exp(-t / 5.0) - np.exp(-t / 20.0))
    recording = simulate(spec, stimulus)
    crossing = np.flatnonzero(exact > 1.0)
    expected = float(crossing[0]) if crossing.size else 60.0
    assert recording.scores[0, 0] == -expected


def test_reset_happens_only_in_cells_that_spiked(spec: NetworkSpec, stimulus: Stimulus) -> None:
    recording = simulate(spec, stimulus, traces=[("E", "v")])
    v, spiked = recording.traces["E", "v"], recording.spikes["E"].dense(bool)
    assert np.all(v[spiked] == 0)
    assert np.all(v[~spiked] <= 1.0)
    assert np.mean(v[~spiked] != 0) > 0.9


def test_tsodyks_markram_release_follows_the_map_of_its_equations() -> None:
    """Regular spikes 10 ms apart: u and x by the closed map from spike to spike."""
    plasticity = TsodyksMarkram(0.3, 80.0, 150.0)
    populations = (
        Population("input", 1, "input"),
        Population("E", 1, "exc", "lif_exponential", parameters={"tau_mem": 1.0, "tau_syn": 0.5}),
        Population("F", 1, "exc", "lif_exponential", parameters={"tau_syn": 2.0, "v_threshold": 1e9}),
    )
    projections = (
        Projection("input", "E", np.array([[50.0]])),
        Projection("E", "F", np.array([[1.0]]), plasticity=plasticity),
    )
    spec = NetworkSpec(populations, projections, 1.0)
    stimulus = Stimulus(Spikes([0] * 8, range(0, 80, 10), [0] * 8, 1, 90, 1, 1.0))
    recording = simulate(spec, stimulus, traces=[("F", "g")])
    steps = recording.spikes["E"].step
    g = recording.traces["F", "g"][0, :, 0]
    received = np.diff(g, prepend=0.0) + np.concatenate([[0.0], g[:-1]]) * (1 - np.exp(-1 / 2.0))
    u, x, before, expected = 0.0, 1.0, None, []
    for step in steps:
        if before is not None:
            u *= np.exp(-(step - before) / 80.0)
            x = 1 - (1 - x) * np.exp(-(step - before) / 150.0)
        u += 0.3 * (1 - u)
        expected.append(u * x / 0.3)
        x -= u * x
        before = step
    assert len(expected) >= 8
    np.testing.assert_allclose(received[steps], expected, rtol=1e-12)  # a few roundings of numbers of order 1
    assert expected[0] == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("kind", ["max v", "mean v", "last v"])
def test_scores_are_those_of_the_trace(spec: NetworkSpec, stimulus: Stimulus, kind: str) -> None:
    recording = simulate(replace(spec, readout=Readout("out", kind)), stimulus, traces=[("out", "v")])
    v = recording.traces["out", "v"]
    expected = {"max v": v.max(axis=1), "mean v": v.mean(axis=1), "last v": v[:, -1]}[kind]
    np.testing.assert_allclose(recording.scores, expected, rtol=1e-12)  # the mean sums 40 numbers in another order
    assert np.array_equal(recording.decisions, expected.argmax(axis=1))
    assert recording.accuracy == np.mean(expected.argmax(axis=1) == stimulus.labels)


def test_trials_do_not_see_each_other(spec: NetworkSpec, stimulus: Stimulus) -> None:
    whole = simulate(spec, stimulus)
    for start in range(stimulus.n_trials):
        part = simulate(spec, stimulus.select(start, start + 1))
        assert part.spikes["E"].equals(whole.spikes["E"].select(start, start + 1))


def test_no_trials_and_more_steps_than_the_stimulus(spec: NetworkSpec, stimulus: Stimulus) -> None:
    assert simulate(spec, stimulus.select(0, 0)).spikes["E"].n_events == 0
    longer = simulate(spec, stimulus, n_steps=80).spikes["E"]
    first = simulate(spec, stimulus).spikes["E"]
    early = longer.step < 40
    assert events(first) == [event for event, is_early in zip(events(longer), early, strict=True) if is_early]


def test_stimulus_of_another_width_or_step(
    spec: NetworkSpec, stimulus: Stimulus, make_stimulus: Callable[..., Stimulus]
) -> None:
    with pytest.raises(DataError, match="11 units; network network has 12 inputs"):
        simulate(spec, make_stimulus(n_units=11))
    with pytest.raises(DataError, match=r"dt 0.5 ms; network network has 1 ms"):
        simulate(spec, stimulus.refined(2))


def test_accuracy_needs_labels_and_readout(spec: NetworkSpec, stimulus: Stimulus) -> None:
    with pytest.raises(DataError, match="no labels"):
        _ = simulate(spec, Stimulus(stimulus.events)).accuracy
    with pytest.raises(DataError, match="no readout"):
        _ = simulate(replace(spec, readout=None), stimulus).decisions
