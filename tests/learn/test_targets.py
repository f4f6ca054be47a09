"""Networks that learn values over time: gradients, held-out trials, and a control that must fail."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import ei_brian as ei
from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.engine.engine import Engine
from ei_brian.learn.engine.trials import Trials
from ei_brian.learn.goal import Course
from ei_brian.learn.passes import EnginePasses, TorchPasses, evaluate
from ei_brian.learn.training_config import TrainingConfig
from ei_brian.measure.output import potential_readout
from ei_brian.measure.over_time import r_squared

N_STEPS, N_IN = 60, 16
CONFIG = TrainingConfig(epochs=10, batch_size=16, learning_rate=0.02, rate_target_hz=40.0)


def integration(n: int, seed: int, delay: int = 5) -> Stimulus:
    """Return trials whose target is the leaky difference of the spikes of two groups, some steps ago."""
    rng = np.random.default_rng(seed)
    side = np.repeat([1.0, -1.0], N_IN // 2)
    lean = rng.uniform(-1, 1, n)
    spikes = rng.random((n, N_STEPS, N_IN)) < 0.05 * (1 + lean[:, None, None] * side)
    level, course = np.zeros(n), np.zeros((n, N_STEPS + delay, 1))
    for step in range(N_STEPS):
        level = level * np.exp(-1 / 100) + spikes[:, step] @ side / 10
        course[:, step + delay, 0] = level
    mask = np.ones((n, N_STEPS), bool)
    mask[:, :delay] = False
    return Stimulus(Spikes.from_dense(spikes, 1.0), targets=Targets(course[:, :N_STEPS], 1.0, mask))


def network(**options: Any) -> ei.EINetwork:
    return ei.EINetwork(N_IN, 24, 6, options.pop("n_out", 1), seed=1, tau_mem_out_ms=60.0, **options)


@cache
def trained(shuffled: bool = False) -> ei.EINetwork:
    given = integration(192, 1)
    if shuffled:
        order = np.random.default_rng(0).permutation(192)
        given = replace(given, targets=Targets(given.targets.values[order], 1.0, given.targets.mask))  # type: ignore[union-attr]
    net = network()
    ei.train(net, given, config=CONFIG, progress=False)
    return net


@pytest.mark.parametrize("cell", ["lif_exponential", "spytorch"])
def test_the_compiled_engine_has_the_gradients_of_torch(cell: str) -> None:
    net, trials, index = network(cell=cell, n_out=3), Trials.of(integration(5, 3)), np.array([4, 0, 3])
    rng = np.random.default_rng(0)
    wanted, mask = torch.tensor(rng.normal(size=(3, N_STEPS, 3))), torch.tensor(rng.random((3, N_STEPS)) < 0.5)
    goal = Course(wanted, mask, 2.0)
    with torch.no_grad():
        for weights in net.parameters():
            weights.mul_(3.0)  # so that cells fire
    activity = net(trials.dense(index, N_IN).double())
    assert sum(z.sum() for z in activity.spikes) > 50
    loss = goal.loss(activity.readout_v)
    loss.backward()  # type: ignore[no-untyped-call]
    by_torch = [parameter.grad.clone() for parameter in net.parameters()]  # type: ignore[union-attr]
    engine = Engine(net, torch.float64)
    engine.load()
    engine.forward(trials, index, keep=True)
    output = engine.outputs()
    assert torch.allclose(output, activity.readout_v.detach(), rtol=0, atol=1e-12)
    assert goal.loss(output).item() == pytest.approx(loss.item(), rel=1e-12)
    engine.backward(None, None, goal.slope(output))
    for parameter, expected in zip(net.parameters(), by_torch, strict=True):
        assert parameter.grad is not None
        assert expected.abs().max() > 0
        assert torch.allclose(parameter.grad, expected, rtol=1e-6, atol=1e-9)


def test_both_engines_give_the_same_step() -> None:
    given, index = Trials.of(integration(8, 4), over_time=True), np.arange(8)
    net = network()
    results = []
    for passes in (EnginePasses(net, CONFIG), TorchPasses(net, CONFIG)):
        results.append((passes.gradients(given, index), [p.grad.clone() for p in net.parameters() if p.grad is not None]))
    (mine, first), (theirs, second) = results
    assert mine.loss == pytest.approx(theirs.loss, rel=1e-5)
    assert mine.r_squared == pytest.approx(theirs.r_squared, rel=1e-5)
    for one, other in zip(first, second, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-6)


def test_delayed_integration_is_learned_and_holds_on_other_trials() -> None:
    test = integration(60, 2)
    found = evaluate(trained(), test)
    assert found.r_squared > 0.8
    assert evaluate(network(), test).r_squared < 0.3  # as it was drawn
    assert evaluate(trained(shuffled=True), test).r_squared < 0.2  # the same training on targets of other trials


def test_the_exported_network_puts_out_what_was_learned() -> None:
    net, test = trained(), integration(60, 2)
    spec = ei.export(net)
    head = potential_readout(spec)
    output = head.output(spec, simulate(spec, test, np.float32, head.traces(spec)))
    found = evaluate(net, test)
    assert np.allclose(output, found.outputs, rtol=0, atol=1e-4)
    assert test.targets is not None
    assert r_squared(output, test.targets).value == pytest.approx(found.r_squared, abs=1e-4)


def test_history_keeps_r_squared_and_a_checkpoint_goes_on_to_the_same_bits(tmp_path: Any) -> None:
    given, config = integration(24, 5), replace(CONFIG, epochs=2)
    whole, net, again = network(), network(), network()
    history = ei.train(whole, given, config=config, progress=False, validation=given)
    assert len(history.r_squared) == len(history.validation_r_squared) == 2
    assert history.accuracy == history.validation_accuracy == []

    class Stop(Exception):
        pass

    def stop(_: ei.EINetwork) -> None:
        if (tmp_path / "kept").exists():
            raise Stop

    with pytest.raises(Stop):
        ei.train(net, given, config=config, progress=False, checkpoint=tmp_path / "kept", after_step=stop)
    ei.train(again, given, config=config, progress=False, checkpoint=tmp_path / "kept")
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_labels_are_learned_unless_targets_are_asked_for() -> None:
    plain = integration(8, 6)
    values = np.repeat(plain.targets.values, 2, axis=2)  # type: ignore[union-attr]
    both = Stimulus(plain.events, np.arange(8) % 2, 2, targets=Targets(values, 1.0))
    of_labels, of_targets = (
        ei.train(network(n_out=2), both, config=replace(CONFIG, epochs=1, objective=name), progress=False)
        for name in ("auto", "targets")
    )
    assert [len(of_labels.r_squared), len(of_labels.accuracy)] == [0, 1]
    assert [len(of_targets.r_squared), len(of_targets.accuracy)] == [1, 0]


@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        (lambda s: replace(s, targets=None), {}, DataError, "no labels or targets"),
        (lambda s: s, {"n_out": 2}, DataError, r"1 output.*n_out=2"),
        (lambda s: s, {"objective": "labels"}, DataError, "no labels"),
        (lambda s: Stimulus(s.events, np.zeros(8, int), 1), {}, DataError, "n_out=1"),
        (lambda s: replace(s, targets=Targets(np.ones((8, N_STEPS, 1)), 1.0)), {}, DataError, "constant"),
        (lambda s: replace(s, targets=Targets(np.ones((8, N_STEPS // 2, 1)), 2.0)), {}, DataError, "2 ms"),
        (lambda s: s, {"teacher": True}, ConfigError, "classes"),
    ],
)
def test_what_cannot_be_learned_is_refused(change: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    net, config = network(n_out=options.get("n_out", 1)), replace(CONFIG, epochs=1, objective=options.get("objective", "auto"))
    told = {"teacher": network()} if "teacher" in options else {}
    config = replace(config, distillation=1.0) if told else config
    with pytest.raises(error, match=words):
        ei.train(net, change(integration(8, 7)), config=config, progress=False, **told)
