"""Optimisers, schedules, noise, bounds, validation and the choice of the engine do what their names say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError, ConfigError
from ei_brian.learn.engine import library
from ei_brian.learn.export import export
from ei_brian.learn.from_spec import network_from_spec
from ei_brian.learn.initial_weights import set_initial_weights
from ei_brian.learn.network import EINetwork
from ei_brian.learn.passes import evaluate, penalty_and_gradient
from ei_brian.learn.train import TrainingConfig, train

torch.set_num_threads(1)
PLAIN = TrainingConfig(
    epochs=1, batch_size=16, learning_rate=0.05, optimizer="sgd", schedule="constant", initial_rate_hz=0.0, rate_penalty=0.0,
    floor_penalty=0.0, gradient_limit=0.0, score_scale=1.0,
)  # fmt: skip


def easy_set(n_trials: int = 40) -> Stimulus:
    """Return three classes, each with its own four active inputs."""
    rng = np.random.default_rng(0)
    labels = np.arange(n_trials) % 3
    chance = np.where(np.arange(12) // 4 == labels[:, None], 0.3, 0.05)
    return Stimulus(Spikes.from_dense(rng.random((n_trials, 40, 12)) < chance[:, None], 1.0), labels, 3, "easy")


def spytorch(seed: int = 0) -> EINetwork:
    net = EINetwork(12, 8, 4, 3, seed=seed, cell="spytorch", recurrent=False, excitatory_input=True)
    set_initial_weights(net, torch.Generator().manual_seed(seed), input_std=0.3, readout_std=0.2)
    return net


def weights_after_each_step(config: TrainingConfig, engine: str = "compiled") -> list[list[torch.Tensor]]:
    kept = []
    net = spytorch()
    kept.append([p.detach().clone() for p in net.parameters()])
    after = lambda net: kept.append([p.detach().clone() for p in net.parameters()])  # noqa: E731
    train(net, easy_set(), config=config, after_step=after, progress=False, engine=engine)
    return kept


def gradients_at(net: EINetwork, index: np.ndarray) -> list[torch.Tensor]:
    from torch.nn import functional

    data = easy_set()
    events = torch.from_numpy(np.asarray(data.dense(np.float32)))[index]
    net.zero_grad()
    functional.cross_entropy(net(events).scores("max v"), torch.from_numpy(np.array(data.labels))[index]).backward()
    return [p.grad.clone() for p in net.parameters() if p.grad is not None]


def test_sgd_without_momentum_is_one_step_down_the_gradient_and_bounds_hold() -> None:
    net = spytorch()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(net.seed + 1)).numpy()
    expected = [
        (p.detach() - 0.05 * g).clamp(min=0) for p, g in zip(net.parameters(), gradients_at(net, order[:16]), strict=True)
    ]
    after = weights_after_each_step(PLAIN)[1]
    for mine, wanted in zip(after, expected, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-6)


def test_absolute_noise_has_its_size_whatever_the_update() -> None:
    still = replace(PLAIN, learning_rate=0.0, absolute_noise=0.01)
    before, after = weights_after_each_step(still)[:2]
    far = [(b - a)[a > 0.05] for a, b in zip(before, after, strict=True)]  # five standard deviations from the bound
    moves = torch.cat(far)
    assert len(moves) > 60
    assert abs(float(moves.std()) / 0.01 - 1) < 0.3  # its standard error with 60 numbers is 9 %
    assert min(float(b.min()) for b in after) >= 0


def test_the_last_smaller_batch_is_dropped_where_that_is_asked_for() -> None:
    assert len(weights_after_each_step(PLAIN)) == 1 + 3
    assert len(weights_after_each_step(replace(PLAIN, drop_last=True))) == 1 + 2


def test_schedules() -> None:
    def rates(**changes: object) -> list[float]:
        """Return the sizes of the steps along noise of fixed relative size, hence the learning rates."""
        from ei_brian.learn.optimiser import Optimiser

        config = replace(PLAIN, epochs=4, learning_rate=1.0, **changes)  # type: ignore[arg-type]
        optimiser = Optimiser(spytorch(), config, 2, torch.Generator())
        found = []
        for _ in range(8):
            found.append(optimiser.optimizer.param_groups[0]["lr"])
            optimiser.optimizer.step()
            optimiser.schedule.step()
        return found

    assert rates(schedule="constant") == [1.0] * 8
    usual = TrainingConfig()
    assert (usual.step_epochs, usual.step_factor) == (10, 0.1)  # as the documentation says
    assert not usual.drop_last
    assert rates(schedule="step", step_epochs=2, step_factor=0.5) == [1.0] * 4 + [0.5] * 4
    np.testing.assert_allclose(rates(schedule="cosine"), 0.5 * (1 + np.cos(np.pi * np.arange(8) / 8)), rtol=1e-9)


def test_validation_after_each_epoch_is_that_of_the_weights_then() -> None:
    data, net = easy_set(), spytorch()
    history = train(net, data, config=replace(PLAIN, epochs=3, learning_rate=0.3), validation=data, progress=False)
    assert len(history.validation_accuracy) == len(history.validation_rate_hz) == 3
    last = evaluate(net, data)
    assert (last.accuracy, last.rate_hz) == (history.validation_accuracy[-1], history.validation_rate_hz[-1])
    assert last.accuracy == np.mean(np.argmax(last.scores, axis=1) == data.labels)
    by_torch = evaluate(net, data, engine="torch", batch_size=7)
    np.testing.assert_allclose(last.scores, by_torch.scores, rtol=0, atol=1e-5)
    assert np.array_equal(last.counts, by_torch.counts)


def test_both_engines_train_the_same_way() -> None:
    for config in (PLAIN, TrainingConfig(epochs=1, batch_size=16)):
        compiled, by_torch = (weights_after_each_step(config, engine) for engine in ("compiled", "torch"))
        for mine, theirs in zip(compiled[1], by_torch[1], strict=True):
            # Adam's first step divides a gradient by its own size: rounding shows where that is near zero
            torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)


def test_half_normal_weights_of_a_given_deviation() -> None:
    net = EINetwork(400, 80, 20, 10, recurrent=False, excitatory_input=True)
    set_initial_weights(net, torch.Generator().manual_seed(0), input_std=0.02, readout_std=0.5, zeros=0.25)
    first = net.forward_weights[0].detach()
    assert float(first.min()) == 0.0
    assert abs(float((first == 0).float().mean()) - 0.25) < 0.01  # standard error 0.002
    assert abs(float(first[first > 0].square().mean().sqrt()) / 0.02 - 1) < 0.02  # 0.4 %
    before = net.readout_weights.detach().clone()
    set_initial_weights(net, torch.Generator().manual_seed(1), input_std=0.01)
    assert torch.equal(net.readout_weights, before)
    for wrong in ({"zeros": 1.0}, {"input_std": -1.0}):
        with pytest.raises(ConfigError, match="set_initial_weights"):
            set_initial_weights(net, torch.Generator(), **wrong)  # type: ignore[arg-type]


def test_a_spytorch_network_comes_back_from_its_export() -> None:
    net = spytorch()
    spec = export(net)
    assert {population.model for population in spec.populations} >= {"spytorch_lif", "spytorch_readout"}
    assert export(network_from_spec(spec)).sha256 == spec.sha256


def test_without_a_compiler_torch_is_used_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    library.load_library.cache_clear()
    try:
        with pytest.raises(BackendError, match="not found on PATH"):
            train(spytorch(), easy_set(), config=PLAIN, progress=False, engine="compiled")
        mine, other = spytorch(), spytorch()
        train(mine, easy_set(), config=PLAIN, progress=False)
        assert "training runs in torch" in capsys.readouterr().err
        train(other, easy_set(), config=PLAIN, progress=False, engine="torch")
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), other.parameters(), strict=True))
    finally:
        library.load_library.cache_clear()


@pytest.mark.parametrize(
    "wrong", [{"optimizer": "lion"}, {"schedule": "linear"}, {"momentum": 1.0}, {"absolute_noise": -1.0}, {"step_epochs": 0}]
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TrainingConfig(**wrong)  # type: ignore[arg-type]


def test_wrong_engines_are_refused() -> None:
    with pytest.raises(ConfigError, match="engine"):
        train(spytorch(), easy_set(), config=PLAIN, engine="fast")
    with pytest.raises(ConfigError, match="processor"):
        train(spytorch(), easy_set(), config=PLAIN, engine="compiled", device="cuda")
    with pytest.raises(ConfigError, match="cell"):
        EINetwork(12, 8, 4, 3, cell="izhikevich")


def trained_on(device: str) -> EINetwork:
    """Return the network after two epochs of torch's own loop on a device."""
    net = spytorch()
    history = train(net, easy_set(), config=replace(PLAIN, epochs=2), progress=False, engine="torch", device=device)
    assert len(history.loss) == 2
    return net


def test_a_device_other_than_the_default_is_torchs_loop_there() -> None:
    """``cpu:0`` is the processor under another name: every tensor goes there, and not a bit changes."""
    plain, named = trained_on("cpu"), trained_on("cpu:0")
    assert all(torch.equal(one, other) for one, other in zip(plain.parameters(), named.parameters(), strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_training_on_a_gpu_is_training_on_the_processor_up_to_rounding() -> None:
    """Sums of 40 trials round differently there; a spike may move, so that weights agree to a thousandth of the largest."""
    plain, there = trained_on("cpu"), trained_on("cuda")
    for one, other in zip(plain.parameters(), there.parameters(), strict=True):
        assert other.device.type == "cuda"
        assert torch.allclose(one, other.cpu(), atol=1e-3 * float(one.detach().abs().max()))
    assert export(there.cpu()).sha256 != ""


def test_a_bound_of_0_is_no_bound() -> None:
    counts = np.array([0.0, 3.0, 8.0])
    off = TrainingConfig(rate_target_hz=0.0, rate_floor_hz=0.0, rate_penalty=2.0, floor_penalty=3.0)
    cost, slope = penalty_and_gradient(counts, off, 0.1)
    assert (cost, slope.tolist()) == (0.0, [0.0] * 3)
    cost, slope = penalty_and_gradient(counts, replace(off, rate_target_hz=20.0, rate_floor_hz=10.0), 0.1)
    over, under = np.array([0.0, 10 / 20, 60 / 20]), np.array([10 / 10, 0.0, 0.0])  # Hz beyond, over the bound
    assert cost == pytest.approx(2 * np.mean(over**2) + 3 * np.mean(under**2))
    assert slope == pytest.approx((2 * 2 * over / 20 - 3 * 2 * under / 10) / 3 / 0.1)
