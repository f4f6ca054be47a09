"""Training through real cells: exact forward, useful gradients, Dale's law, data kept apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.delays import with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.errors import CalibrationError, ConfigError, DataError
from ei_brian.learn.fine_tune import FineTuning, _Cost, _refuse_divergence, _refuse_other_rates, fine_tune, refit_readout
from ei_brian.learn.spec_network import SpecActivity, SpecNetwork, _bounds, _soft_threshold, simulate_spec_torch
from tests.biology.networks import trained_like


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return trained_like(0.6, 0.4, 0.1)


def some_input(n_trials: int, seed: int) -> Stimulus:
    """Three classes: a third of the input units is active in each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_trials) % 3
    active = np.repeat(np.eye(3), 4, axis=1)[labels]
    dense = rng.random((n_trials, 40, 12)) < 0.02 + 0.06 * active[:, None]
    return Stimulus(Spikes.from_dense(dense.astype(int), 1.0), labels, 3, f"input{seed}")


def in_nature(spec: NetworkSpec) -> NetworkSpec:
    swapped = diversify(spec, "cortex FS", "all", seed=1)
    return to_conductances(swapped) | with_delays(1.0, 3.0, seed=2) | with_short_term_plasticity("inh")


@pytest.mark.parametrize("kind", ["trained", "cortex FS", "hippocampus CA3 perisomatic", "everything"])
def test_the_module_gives_the_spikes_of_the_spec(spec: NetworkSpec, kind: str) -> None:
    made = spec if kind == "trained" else in_nature(spec) if kind == "everything" else diversify(spec, kind, "all", seed=1)
    stimulus = some_input(8, 1)
    oracle = simulate(made, stimulus)
    spikes, scores = simulate_spec_torch(SpecNetwork(made), stimulus)
    for name in ("E", "I"):
        assert oracle.spikes[name].n_events > 0
        assert spikes[name].equals(oracle.spikes[name])
    assert np.allclose(scores, oracle.scores, rtol=1e-12, atol=1e-14)  # sums of weights in another order


def test_fine_tuning_lowers_the_loss_and_exports_exactly(spec: NetworkSpec) -> None:
    made, train_set = diversify(spec, "cortex FS", "all", seed=1), some_input(48, 2)

    def loss(network: NetworkSpec) -> float:
        scores = torch.from_numpy(np.asarray(simulate(network, train_set).scores))
        return float(torch.nn.functional.cross_entropy(10 * scores, torch.from_numpy(np.array(train_set.labels))))

    tuned = fine_tune(made, train_set, FineTuning(epochs=4, batch_size=16, learning_rate=0.03))
    assert loss(tuned) < loss(made)
    for old, new in zip(made.projections, tuned.projections, strict=True):
        assert old.weights.dtype == new.weights.dtype
    assert np.all(np.asarray(tuned.projection("I_E").weights) <= 0)
    assert np.all(np.asarray(tuned.projection("E_out").weights) >= 0)
    assert tuned.provenance[-1]["action"] == "fine-tune"
    spikes, _ = simulate_spec_torch(SpecNetwork(tuned), train_set)
    assert spikes["E"].equals(simulate(tuned, train_set).spikes["E"])


def test_a_training_that_diverges_returns_no_network(spec: NetworkSpec) -> None:
    made = diversify(spec, "cortex FS", "all", seed=1)
    with pytest.raises(CalibrationError, match=r"the loss rose from .* to .*Lower the learning rate \(now 50 "):
        fine_tune(made, some_input(96, 2), FineTuning(epochs=4, batch_size=16, learning_rate=50.0))


def test_a_training_after_which_cells_fire_thrice_as_much_returns_no_network(spec: NetworkSpec) -> None:
    made = diversify(spec, "cortex FS", "all", seed=1)
    runaway = FineTuning(epochs=6, batch_size=16, learning_rate=0.4, rate_penalty=0.0)
    with pytest.raises(CalibrationError, match=r"population E fires .* Hz, before it .* Hz; no network is returned"):
        fine_tune(made, some_input(96, 2), runaway)


def test_refitting_the_readout_changes_nothing_else(spec: NetworkSpec) -> None:
    made, train_set = diversify(spec, "cortex FS", "all", seed=1), some_input(48, 2)
    refitted = refit_readout(made, train_set, FineTuning(epochs=5, batch_size=16, learning_rate=0.05))
    assert simulate(refitted, train_set).spikes["E"].equals(simulate(made, train_set).spikes["E"])
    assert simulate(refitted, train_set).accuracy >= simulate(made, train_set).accuracy
    assert not np.array_equal(refitted.projection("E_out").weights, made.projection("E_out").weights)


def test_data_sets_do_not_mix(spec: NetworkSpec) -> None:
    made, train_set = diversify(spec, "cortex FS", "all", seed=1), some_input(12, 2)
    with pytest.raises(DataError, match="training set"):
        fine_tune(made, train_set, test_set=train_set.select(0, 3))
    with pytest.raises(DataError, match="units, dt"):
        fine_tune(made, train_set.refined(2))
    with pytest.raises(ConfigError, match="trainable"):
        SpecNetwork(made, "some")


def test_a_teacher_draws_the_scores_to_its_own(spec: NetworkSpec) -> None:
    made, train_set = diversify(spec, "cortex FS", "all", seed=1), some_input(48, 2)

    def error(network: NetworkSpec) -> float:
        wanted, got = (np.asarray(simulate(s, some_input(30, 5)).scores) for s in (spec, network))
        return float(np.square(got - wanted).sum())

    config = FineTuning(epochs=4, batch_size=16, learning_rate=0.03, distillation=1.0, input_deletion=0.1)
    taught = fine_tune(made, train_set, config, teacher=spec)
    alone = fine_tune(made, train_set, replace(config, distillation=0.0))
    assert error(taught) < 0.8 * error(made)
    assert error(taught) < 0.5 * error(alone)  # labels alone draw the scores away
    assert taught.provenance[-1]["teacher_sha256"] == spec.sha256
    assert taught.sha256 == fine_tune(made, train_set, config, teacher=spec).sha256


def test_teacher_and_distillation_belong_together(spec: NetworkSpec) -> None:
    made, train_set = diversify(spec, "cortex FS", "all", seed=1), some_input(12, 2)
    with pytest.raises(ConfigError, match="no teacher is given"):
        fine_tune(made, train_set, FineTuning(distillation=1.0))
    with pytest.raises(ConfigError, match="or neither"):
        fine_tune(made, train_set, teacher=spec)
    with pytest.raises(ConfigError, match="same input"):
        fine_tune(made, train_set, FineTuning(distillation=1.0), teacher=replace(spec, dt_ms=0.5))
    with pytest.raises(ConfigError, match="chance below 1"):
        FineTuning(input_deletion=1.0)


def test_the_gradient_is_cut_in_loops_alone(spec: NetworkSpec) -> None:
    """Input → E ⇄ I, E → out: E and I are a loop; further layers behind it are not."""
    made = diversify(spec, "cortex FS", "all", seed=1)
    more = Population("E2", 6, "exc", "lif_exponential")
    ahead = Projection("E2", "E", np.full((16, 6), 0.1, np.float32))
    first = Projection("input", "E2", np.full((6, 12), 0.5, np.float32))
    deep = NetworkSpec((*made.populations, more), (*made.projections, first, ahead), 1.0, Readout("out"))
    assert SpecNetwork(deep, recurrent_gradient=False).cut == {"E_I", "I_E"}
    shown = torch.from_numpy(np.asarray(some_input(8, 3).dense(np.float32)))

    def gradients(through: bool) -> tuple[torch.Tensor, dict[str, bool]]:
        net = SpecNetwork(deep, recurrent_gradient=through)
        scores = net(shown).scores
        scores.square().sum().backward()
        return scores.detach(), {name: bool(w.grad is not None and w.grad.abs().sum() > 0) for name, w in net.weights.items()}

    (full_scores, full), (cut_scores, cut) = gradients(True), gradients(False)
    assert torch.equal(full_scores, cut_scores)
    assert all(full.values())
    assert [name for name, has in cut.items() if not has] == ["input_I", "E_I"]  # I reaches the readout through the loop alone


@pytest.mark.parametrize("kind", ["last v", "mean v", "max v"])
def test_the_module_reads_the_output_as_the_spec_says(spec: NetworkSpec, kind: str) -> None:
    read, stimulus = replace(spec, readout=Readout("out", kind)), some_input(4, 1)
    _, scores = simulate_spec_torch(SpecNetwork(read), stimulus)
    oracle = simulate(read, stimulus).scores
    assert len({*np.ravel(oracle)}) > 1
    assert np.allclose(scores, oracle, rtol=1e-12, atol=1e-14)


def test_a_stimulus_of_another_size_or_step_is_refused(spec: NetworkSpec) -> None:
    net, shown = SpecNetwork(spec), some_input(4, 1)
    for other in (shown.refined(2), Stimulus(Spikes.from_dense(np.zeros((1, 5, 11)), 1.0))):
        with pytest.raises(DataError, match="do not fit the network"):
            simulate_spec_torch(net, other)
        with pytest.raises(DataError, match=r"has no labels|units, dt"):
            fine_tune(spec, other)


def test_rates_other_than_in_the_first_batch_cost_the_square_of_what_they_changed() -> None:
    labels, scores = torch.tensor([0, 1]), torch.zeros((2, 3))

    def activity(rate: float) -> SpecActivity:
        return SpecActivity({"E": torch.full((2, 10, 4), rate), "I": torch.full((2, 10, 2), 0.1)}, scores)

    config = FineTuning(rate_penalty=3.0)
    alone = float(_Cost(config, None, False)(activity(0.2), scores, labels))
    assert alone == pytest.approx(np.log(3))  # three classes, no preference
    cost = _Cost(config, None, True)
    assert [float(cost(activity(rate), scores, labels)) - alone for rate in (0.2, 0.3, 0.1)] == pytest.approx(
        [0.0, 3 * 0.5**2, 3 * 0.5**2], abs=1e-6
    )


@pytest.mark.parametrize(("end", "refused"), [(0.2, False), (0.59, False), (0.61, True), (0.07, False), (0.06, True)])
def test_three_times_as_much_or_as_little_is_another_network(end: float, refused: bool) -> None:
    cost = _Cost(FineTuning(), None, True)
    cost.goal, cost.rates = {"E": torch.tensor(0.2)}, {"E": end}
    if not refused:
        _refuse_other_rates(cost, 1.0)
        return
    with pytest.raises(CalibrationError, match="more than 3 times as much or as little"):
        _refuse_other_rates(cost, 1.0)


@pytest.mark.parametrize(("losses", "refused"), [([1.0, 0.5, 2.1], True), ([1.0, 9.0, 1.9], False), ([1.0, float("nan")], True)])
def test_the_loss_at_the_end_is_that_of_the_last_tenth_at_least_one_batch(losses: list[float], refused: bool) -> None:
    if refused:
        with pytest.raises(CalibrationError, match="the loss rose from 1"):
            _refuse_divergence(losses, FineTuning())
    else:
        _refuse_divergence(losses, FineTuning())


def test_the_surrogate_stands_at_the_threshold_as_wide_as_the_way_there_allows() -> None:
    plain = Population("E", 2, "exc", "lif_exponential", parameters={"v_threshold": [1.0, 3.0]})
    at, wide, upstroke = _soft_threshold(plain, 1.0)
    assert (at.tolist(), wide.tolist(), upstroke) == (pytest.approx([1.0, 3.0]), pytest.approx([0.2, 0.6]), False)
    own = diversify(trained_like(0.6, 0.4, 0.1), "cortex FS", "all", seed=1)["I"]
    point = own.neuron().standing_point(own.parameters, own.constant_current, 1.0)
    at, wide, upstroke = _soft_threshold(own, 1.0)
    assert upstroke
    np.testing.assert_allclose(wide, 1e-3 * np.asarray(point.distance), rtol=1e-12)  # mV
    np.testing.assert_allclose(at, 1e-3 * np.asarray(point.threshold), rtol=1e-12)


def test_weights_keep_their_side_of_zero() -> None:
    spec = trained_like(0.6, 0.4, 0.1)
    bounds = {p.name: _bounds(spec, p) for p in spec.projections}
    assert bounds["E_I"] == (0.0, None)
    assert bounds["I_E"] == (None, 0.0)
    assert bounds["input_E"] == (None, None)
    opened = to_conductances(diversify(spec, "cortex FS", "all", seed=1))
    assert {_bounds(opened, p) for p in opened.projections if p.source == "I" and p.target == "E"} == {(0.0, None)}


def test_a_readout_is_refitted_for_15_epochs_unless_told_otherwise(spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[FineTuning] = []
    monkeypatch.setattr("ei_brian.learn.fine_tune._train", lambda net, data, config, *others: told.append(config))
    refit_readout(diversify(spec, "cortex FS", "all", seed=1), some_input(6, 2))
    assert [(config.epochs, config.learning_rate) for config in told] == [(15, 0.05)]


def test_the_module_depresses_synapses_as_the_network_does(spec: NetworkSpec) -> None:
    """Excitatory synapses that one spike empties by nine tenths; without that the inhibitory cells fire otherwise."""
    rule = TsodyksMarkram(0.9, 20.0, 800.0)
    plastic, plain = (
        replace(spec, projections=tuple(
            replace(p, weights=4 * p.weights, plasticity=kept) if p.name == "E_I" else p for p in spec.projections
        )) for kept in (rule, None)
    )  # fmt: skip
    stimulus = some_input(8, 1)
    wanted, without = simulate(plastic, stimulus), simulate(plain, stimulus)
    assert without.spikes["I"].n_events > wanted.spikes["I"].n_events > 0
    spikes, _ = simulate_spec_torch(SpecNetwork(plastic), stimulus)
    assert spikes["I"].equals(wanted.spikes["I"])
    assert spikes["E"].equals(wanted.spikes["E"])
