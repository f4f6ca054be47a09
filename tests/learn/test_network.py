"""The trainable network is the exact recurrence that its export says, and its gradient reaches every weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, SpecError
from ei_brian.learn.export import export, simulate_torch
from ei_brian.learn.from_spec import network_from_spec
from ei_brian.learn.initial_rate import hidden_rate_hz, set_initial_rate
from ei_brian.learn.network import Activity, EINetwork

torch.set_num_threads(1)


def lively(net: EINetwork, stimulus: Stimulus) -> EINetwork:
    """Scale the input so that the cells fire at about 80 Hz."""
    set_initial_rate(net, torch.from_numpy(np.asarray(stimulus.dense(np.float32))), 80.0, tolerance=0.3)
    return net


SHAPES = {
    "80:20": {"n_exc": 16, "n_inh": 4},
    "50:50": {"n_exc": 10, "n_inh": 10},
    "100:0": {"n_exc": 20, "n_inh": 0},
    "feed-forward": {"n_exc": 16, "n_inh": 4, "recurrent": False},
    "two layers": {"n_exc": (16, 12), "n_inh": (4, 3)},
    "signs free": {"n_exc": 16, "n_inh": 4, "dale": False},
    "mean readout, other time constants": {
        "n_exc": 16, "n_inh": 4, "readout": "mean v", "tau_mem_exc_ms": 7.0, "tau_syn_inh_ms": 3.0, "tau_syn_exc_ms": 7.0,
    },
    "last v": {"n_exc": 16, "n_inh": 4, "readout": "last v"},
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_float64_forward_pass_is_the_exported_network(name: str, make_stimulus: Callable[..., Stimulus]) -> None:
    stimulus = make_stimulus(3, n_trials=20)
    net = lively(EINetwork(n_in=12, n_out=3, seed=2, **SHAPES[name]), stimulus)
    spikes, scores = simulate_torch(net, stimulus, batch_size=7)
    recording = simulate(export(net), stimulus)
    assert set(spikes) == set(recording.spikes)
    for population in spikes:
        assert spikes[population].n_events > 20, "too quiet to show anything"
        assert spikes[population].equals(recording.spikes[population]), population
    np.testing.assert_allclose(recording.scores, scores, rtol=0, atol=1e-12)  # sums of a few dozen numbers of order 1


def test_exported_signs_follow_dale_and_weights_are_those_trained() -> None:
    net = EINetwork(n_in=12, n_exc=16, n_inh=4, n_out=3, seed=1)
    spec = export(net)
    for projection in spec.projections:
        values = projection.weight_values()
        assert values.dtype == np.float32
        if projection.source == "E":
            assert np.all(values >= 0)
        if projection.source == "I":
            assert np.all(values <= 0)
    trained = net.recurrent_weights[0].detach().numpy()
    assert np.array_equal(spec.projection("I_E").weights, -trained[:16, 16:])
    assert not any(np.signbit(p.weight_values()[p.weight_values() == 0]).any() for p in spec.projections)


def test_only_excitatory_cells_project_to_the_next_layer() -> None:
    spec = export(EINetwork(n_in=12, n_exc=(8, 8), n_inh=(2, 2), n_out=3))
    pairs = {(p.source, p.target) for p in spec.projections}
    assert {("E1", "E2"), ("E1", "I2"), ("E2", "out"), ("I2", "out")} <= pairs
    assert not {("I1", "E2"), ("I1", "I2"), ("I1", "out"), ("E1", "out")} & pairs


def test_seed_decides_the_weights_to_the_bit() -> None:
    def weights(seed: int) -> str:
        return export(EINetwork(n_in=12, n_exc=16, n_inh=4, n_out=3, seed=seed)).sha256

    assert weights(5) == weights(5) != weights(6)


def test_making_a_network_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    EINetwork(n_in=12, n_exc=16, n_inh=4, n_out=3, seed=9)
    assert torch.equal(before, torch.get_rng_state())


def test_gradient_is_that_of_the_written_out_recurrence(make_stimulus: Callable[..., Stimulus]) -> None:
    """Backpropagation by torch through an independent loop with the derivative written by hand."""
    stimulus = make_stimulus(3, n_trials=4, n_steps=25)
    net = lively(EINetwork(n_in=12, n_exc=5, n_inh=2, n_out=3, seed=2), stimulus).double()
    events = torch.from_numpy(np.asarray(stimulus.dense(np.float64)))
    net(events).readout_v.square().sum().backward()
    mine = by_hand(net, events)
    for parameter, expected in zip((net.forward_weights[0], net.recurrent_weights[0]), mine, strict=True):
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-9, atol=1e-12)  # sums in another order


def by_hand(net: EINetwork, events: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradients of sum(readout_v**2) by adjoint equations, one step at a time from the last to the first."""
    mem, syn, gain = (getattr(net, f"{name}_0") for name in ("decay_mem", "decay_syn", "g_to_v"))
    sign = net.source_sign_0.double()
    w_in, w_rec, w_out = (w.detach() for w in (net.forward_weights[0], net.recurrent_weights[0], net.readout_weights))
    omem, osyn, ogain = (float(c) for c in net._coefficients(None).values())
    v = g = torch.zeros(events.shape[0], 7, dtype=torch.float64)
    ov = og = torch.zeros(events.shape[0], 3, dtype=torch.float64)
    tape = []
    for step in range(events.shape[1]):
        before = v * mem + g * gain
        z = (before > 1).double()
        g = g * syn + events[:, step] @ w_in.T + z @ (w_rec * sign).T
        v = before * (1 - z)
        ov = ov * omem + og * ogain
        og = og * osyn + z @ (w_out * sign).T
        tape.append((before, z, ov))
    d_v = d_g = torch.zeros_like(v)
    d_ov = d_og = torch.zeros_like(ov)
    grad_in, grad_rec = torch.zeros_like(w_in), torch.zeros_like(w_rec)
    for step in reversed(range(events.shape[1])):
        before, z, ov = tape[step]
        d_z = d_og @ (w_out * sign) + d_g @ (w_rec * sign)
        grad_in += d_g.T @ events[:, step]
        grad_rec += (d_g.T @ z) * sign
        d_ov_now = d_ov + 2 * ov
        d_ov, d_og = d_ov_now * omem, d_og * osyn + d_ov_now * ogain
        d_before = d_v * (1 - z) + d_z * net.surrogate.derivative(before - 1)
        d_v, d_g = d_before * mem, d_g * syn + d_before * gain
    return grad_in, grad_rec


@pytest.mark.parametrize("rate", [3.0, 10.0, 60.0])
def test_initial_rate_is_reached_on_real_input(rate: float, make_stimulus: Callable[..., Stimulus]) -> None:
    events = torch.from_numpy(np.asarray(make_stimulus(3, n_trials=40).dense(np.float32)))
    net = EINetwork(n_in=12, n_exc=40, n_inh=10, n_out=3, seed=2)
    reached = set_initial_rate(net, events, rate)
    assert abs(reached - rate) <= 0.1 * rate
    assert hidden_rate_hz(net, events) == reached


def test_initial_rate_out_of_reach_is_said(make_stimulus: Callable[..., Stimulus]) -> None:
    events = torch.zeros(3, 10, 12)
    with pytest.raises(ConfigError, match="5 Hz was not reached"):
        set_initial_rate(EINetwork(n_in=12, n_exc=4, n_inh=1, n_out=3), events, 5.0)


def test_unreached_initial_rate_leaves_the_weights(make_stimulus: Callable[..., Stimulus]) -> None:
    net = EINetwork(n_in=12, n_exc=4, n_inh=1, n_out=3)
    before = export(net).sha256
    with pytest.raises(ConfigError):
        set_initial_rate(net, torch.zeros(3, 10, 12), 5.0)
    assert export(net).sha256 == before


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"n_exc": 0}, "at least 1"),
        ({"n_exc": (4, 4)}, "each per layer"),
        ({"n_out": 0}, "at least 1"),
        ({"tau_mem_exc_ms": 0.0}, "'exc'"),
        ({"tau_syn_out_ms": float("nan")}, "'out'"),
        ({"dt_ms": -1.0}, "'dt'"),
        ({"readout": "spike count"}, "allowed: max v"),
    ],
)
def test_settings_that_cannot_be(changes: dict, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        EINetwork(**{"n_in": 12, "n_exc": 4, "n_inh": 1, "n_out": 3, **changes})


@pytest.mark.parametrize("name", SHAPES)
def test_network_comes_back_from_its_export(name: str) -> None:
    spec = export(EINetwork(n_in=12, n_out=3, seed=2, **SHAPES[name]))
    assert export(network_from_spec(spec)).sha256 == spec.sha256


def test_other_networks_do_not_pass_for_an_export(spec: NetworkSpec) -> None:
    exported = export(EINetwork(n_in=12, n_exc=16, n_inh=4, n_out=3))
    delayed = replace(exported, projections=(replace(exported.projections[0], delay_steps=1), *exported.projections[1:]))
    renamed = tuple(replace(p, name="F") if p.name == "E" else p for p in spec.populations)
    unconnected = replace(spec, populations=renamed, projections=(), schedule=())
    for wrong in (delayed, unconnected, replace(exported, readout=None)):
        with pytest.raises(SpecError, match="torch cannot run it"):
            network_from_spec(wrong)


def test_one_input_is_enough_and_none_is_not() -> None:
    assert EINetwork(n_in=1, n_exc=3, n_inh=0, n_out=2, seed=0).n_in == 1
    with pytest.raises(ConfigError, match="n_in, n_exc and n_out are at least 1"):
        EINetwork(n_in=0, n_exc=3, n_inh=0, n_out=2, seed=0)


@pytest.mark.parametrize(("first_peak", "gradient"), [(True, [0.0, 1.0, 0.0]), (False, [0.0, 0.5, 0.5])])
def test_the_gradient_of_a_maximum_that_two_steps_share(first_peak: bool, gradient: list[float]) -> None:
    v = torch.tensor([[[1.0], [2.0], [2.0]]], requires_grad=True)
    scores = Activity((), v, first_peak).scores("max v")
    assert scores.tolist() == [[2.0]]
    scores.sum().backward()
    assert v.grad[0, :, 0].tolist() == gradient  # type: ignore[index]
    assert Activity((), v).scores("mean v").tolist() == [[pytest.approx(5 / 3)]]
    assert Activity((), v).scores("last v").tolist() == [[2.0]]
