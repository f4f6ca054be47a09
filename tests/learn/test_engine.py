"""The compiled engine computes what torch's automatic differentiation of `EINetwork` computes, for networks of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional

from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError, DataError
from ei_brian.learn import passes as passes_module
from ei_brian.learn.engine.engine import Engine, simulate_engine
from ei_brian.learn.engine.library import _end, _start
from ei_brian.learn.engine.trials import Trials
from ei_brian.learn.export import export
from ei_brian.learn.goal import Goal
from ei_brian.learn.input_variation import vary_events
from ei_brian.learn.network import EINetwork
from ei_brian.learn.passes import EnginePasses, TorchPasses
from ei_brian.learn.surrogate import SURROGATES
from ei_brian.learn.training_config import TrainingConfig

torch.set_num_threads(1)
SCALE = 3.0
Gradients = list[torch.Tensor]


@dataclass
class Case:
    """A network, its input, and weights of the spike counts in the loss."""

    net: EINetwork
    stimulus: Stimulus
    of_counts: torch.Tensor

    def dense(self) -> torch.Tensor:
        return torch.from_numpy(np.asarray(self.stimulus.dense(np.float64))).to(self.net.readout_weights.dtype)

    @property
    def labels(self) -> torch.Tensor:
        return torch.from_numpy(np.array(self.stimulus.labels))


def random_case(seed: int, dtype: torch.dtype = torch.float64, graded: bool = False) -> Case:
    rng = np.random.default_rng(seed)
    n_layers, n_in, n_out = int(rng.integers(1, 4)), int(rng.integers(1, 30)), int(rng.integers(2, 20))
    n_trials, n_steps = int(rng.integers(1, 30)), int(rng.integers(5, 40))
    kinds: dict[str, Any] = {
        "recurrent": bool(rng.integers(2)), "dale": bool(rng.integers(2)), "excitatory_input": bool(rng.integers(2)),
        "readout": ("max v", "mean v", "last v")[seed % 3], "cell": ("lif_exponential", "spytorch")[seed // 3 % 2],
        "surrogate": list(SURROGATES.values())[seed % 4](float(rng.uniform(1, 50))),
    }  # fmt: skip
    places = ("mem_exc", "mem_inh", "mem_out", "syn_exc", "syn_inh", "syn_out")
    taus = {f"tau_{place}_ms": float(rng.uniform(2, 30)) for place in places}
    n_exc, n_inh = (rng.integers(low, 40, n_layers).tolist() for low in (1, 0))
    net = EINetwork(n_in, n_exc, n_inh, n_out, seed=seed, **kinds, **taus).to(dtype)
    with torch.no_grad():
        for weights in net.forward_weights:
            weights.mul_(float(rng.uniform(2, 12)))
    dense = (rng.random((n_trials, n_steps, n_in)) < rng.uniform(0.05, 0.3)).astype(np.float32)
    labels = rng.integers(0, n_out, n_trials)
    if graded:
        stimulus = Stimulus.from_currents(dense * rng.normal(1.0, 0.5, dense.shape).astype(np.float32), 1.0, labels, n_out)
    else:
        stimulus = Stimulus(Spikes.from_dense(dense, 1.0), labels, n_out, "random")
    n_cells = sum(layer.size for layer in net.layers)
    return Case(net, stimulus, torch.from_numpy(rng.normal(0, 1e-3, n_cells)).to(dtype))


def by_torch(case: Case, *, with_counts: bool) -> tuple[list[torch.Tensor], list[npt.NDArray[np.uint8]]]:
    activity = case.net(case.dense())
    loss = functional.cross_entropy(SCALE * activity.scores(case.net.readout), case.labels)
    if with_counts:
        loss = loss + (torch.cat([z.sum(dim=(0, 1)) for z in activity.spikes]) * case.of_counts).sum()
    case.net.zero_grad(set_to_none=True)
    loss.backward()
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in case.net.parameters()]
    return gradients, [z.detach().numpy().astype(np.uint8) for z in activity.spikes]


def by_engine(case: Case, n_threads: int = 1) -> tuple[list[torch.Tensor], list[npt.NDArray[np.uint8]]]:
    engine, trials = Engine(case.net, case.net.readout_weights.dtype, n_threads), Trials.of(case.stimulus)
    engine.load()
    outcome = engine.forward(trials, np.arange(trials.n_trials), keep=True)
    scores = outcome.scores.requires_grad_()
    functional.cross_entropy(SCALE * scores, case.labels).backward()
    spikes = [engine.spikes(layer) for layer in range(len(case.net.layers))]
    assert np.array_equal(np.concatenate([z.sum(axis=1) for z in spikes], axis=1), outcome.counts)
    assert scores.grad is not None
    engine.backward(scores.grad, case.of_counts)
    return [p.grad.clone() for p in case.net.parameters() if p.grad is not None], spikes


def by_one_pass(
    case: Case, n_threads: int = 1, *, with_counts: bool = False, goal: Goal | None = None, keep: bool = False
) -> Gradients:
    engine, trials = Engine(case.net, case.net.readout_weights.dtype, n_threads), Trials.of(case.stimulus)
    engine.load()
    index = np.arange(trials.n_trials)
    kept = engine.forward(trials, index, keep=True) if keep else None
    engine.gradients(trials, index, goal or Goal(SCALE), case.of_counts if with_counts else None, kept)
    return [p.grad.clone() for p in case.net.parameters() if p.grad is not None]


def assert_equal_gradients(mine: list[torch.Tensor], expected: list[torch.Tensor], tolerance: float) -> None:
    assert len(mine) == len(expected)
    largest = max(float(gradient.abs().max()) for gradient in expected)
    for one, other in zip(mine, expected, strict=True):
        assert float((one - other).abs().max()) <= tolerance * max(float(other.abs().max()), 1e-6 * largest)


@pytest.mark.parametrize("seed", range(24))
def test_gradients_and_spikes_are_those_of_torch_in_float64(seed: int) -> None:
    case = random_case(seed, graded=seed % 5 == 4)
    expected, fired = by_torch(case, with_counts=True)
    mine, spikes = by_engine(case)
    assert all(np.array_equal(one, other) for one, other in zip(spikes, fired, strict=True))
    assert_equal_gradients(mine, expected, 1e-10)  # sums in another order, over some 40 steps
    assert_equal_gradients(by_one_pass(case, with_counts=True), expected, 1e-10)
    assert_equal_gradients(by_one_pass(case), by_torch(case, with_counts=False)[0], 1e-10)


@pytest.mark.parametrize("seed", range(12))
def test_gradients_towards_a_teacher_are_those_of_torch_in_float64(seed: int) -> None:
    case = random_case(200 + seed, graded=seed % 5 == 4)
    wanted = torch.from_numpy(np.random.default_rng(seed).normal(0, 2, (case.stimulus.n_trials, case.net.n_out)))
    goal = Goal(SCALE, wanted, 0.7)
    activity = case.net(case.dense())
    scores = activity.scores(case.net.readout)
    spread = (wanted - wanted.mean(dim=1, keepdim=True)).square().mean()
    loss = functional.cross_entropy(SCALE * scores, case.labels) + 0.7 * (scores - wanted).square().mean() / spread
    (loss + (torch.cat([z.sum(dim=(0, 1)) for z in activity.spikes]) * case.of_counts).sum()).backward()
    expected = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in case.net.parameters()]
    scores_matter = case.net.readout_weights.grad is not None and bool(case.net.readout_weights.grad.any())
    assert goal.loss(scores, case.labels).item() == pytest.approx(loss.item(), rel=1e-12)
    mine = by_one_pass(case, with_counts=True, goal=goal)
    assert_equal_gradients(mine, expected, 1e-10)
    for other in (by_one_pass(case, 3, with_counts=True, goal=goal), by_one_pass(case, with_counts=True, goal=goal, keep=True)):
        assert all(torch.equal(one, two) for one, two in zip(mine, other, strict=True))
    if scores_matter:  # a maximum at its start has no gradient
        assert not all(torch.equal(one, two) for one, two in zip(mine, by_one_pass(case, with_counts=True), strict=True))


def test_whole_losses_have_the_gradients_of_torch_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Penalties, a teacher and varied input as a training has them; and with states that are not kept the same bits."""
    compared, limited = 0, 0
    for seed in range(16):
        case, rng = random_case(300 + seed, torch.float32), np.random.default_rng(seed)
        config = TrainingConfig(
            rate_target_hz=float(rng.uniform(1, 80)), rate_floor_hz=float(rng.uniform(0, 200)),
            rate_penalty=float(rng.uniform(0, 3)), sparsity_penalty=float(rng.choice([0.0, 1e-3])),
            distillation=float(seed % 2), score_scale=SCALE,
        )  # fmt: skip
        trials, index = Trials.of(case.stimulus), rng.permutation(case.stimulus.n_trials)
        shown = trials.varied(index, 0.2, 1.5, torch.Generator().manual_seed(seed)), np.arange(len(index))
        wanted = torch.randn(len(index), case.net.n_out, generator=torch.Generator().manual_seed(seed)) if seed % 2 else None
        ways = TorchPasses(case.net, config), EnginePasses(case.net, config, 1)
        if not np.array_equal(*(way.activity(*shown)[1] for way in ways)):
            continue  # a membrane within one rounding of the threshold: another network from there on
        found = []
        for way in ways:
            result = way.gradients(*shown, wanted)
            found.append((result, [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in case.net.parameters()]))
        assert found[0][0].loss == pytest.approx(found[1][0].loss, rel=1e-5)
        largest = max(float(gradient.abs().max()) for gradient in found[0][1])
        for one, other in zip(found[1][1], found[0][1], strict=True):
            assert float((one - other).abs().max()) <= 1e-4 * largest
        monkeypatch.setattr(passes_module, "MOST_KEPT_BYTES", 0)
        ways[1].gradients(*shown, wanted)
        monkeypatch.undo()
        again = [(p.grad, kept) for p, kept in zip(case.net.parameters(), found[1][1], strict=True) if p.grad is not None]
        assert all(torch.equal(*pair) for pair in again)
        compared, limited = compared + 1, limited + config.limits_rates
    assert compared >= 12
    assert limited >= 10


def test_the_random_networks_spike_and_learn() -> None:
    """The property above would hold of silent networks too."""
    share = []
    for seed in range(24):
        gradients, fired = by_torch(random_case(seed), with_counts=True)
        share.append(all(z.any() for z in fired) and all(bool(g.any()) for g in gradients))
    assert np.mean(share) > 0.6


@pytest.mark.parametrize("seed", range(12))
def test_gradients_are_those_of_torch_in_float32(seed: int) -> None:
    case = random_case(100 + seed, torch.float32)
    expected, fired = by_torch(case, with_counts=True)
    mine, spikes = by_engine(case)
    if not all(np.array_equal(one, other) for one, other in zip(spikes, fired, strict=True)):
        pytest.skip("a membrane within one rounding of the threshold: another network from there on")
    assert_equal_gradients(mine, expected, 1e-4)


@pytest.mark.parametrize("seed", [0, 4, 7])
def test_the_number_of_threads_changes_no_bit(seed: int) -> None:
    case = random_case(seed, torch.float32)
    for passes in (by_one_pass, lambda case, n: by_engine(case, n)[0]):
        first, *others = (passes(case, n) for n in (1, 2, 3, 8))
        for gradients in others:
            assert all(torch.equal(one, other) for one, other in zip(first, gradients, strict=True))


def test_spikes_are_those_of_the_exported_network() -> None:
    for seed in range(9):
        case = random_case(seed)
        recording = simulate(export(case.net.float()), case.stimulus)
        spikes, scores = simulate_engine(case.net, case.stimulus, torch.float64)
        for index, mine in enumerate(spikes):
            number = "" if len(spikes) == 1 else str(index + 1)
            names = [name for name in (f"E{number}", f"I{number}") if name in recording.spikes]
            dense = np.concatenate([recording.spikes[name].dense() for name in names], axis=2)
            assert mine.equals(Spikes.from_dense(dense, 1.0))
        np.testing.assert_allclose(scores, recording.scores, rtol=0, atol=1e-9)  # sums in another order


def test_varied_input_is_that_of_the_dense_way() -> None:
    case = random_case(0)
    trials, index = Trials.of(case.stimulus), np.array([3, 1, 4])
    dense = case.dense().float()[index]
    for deletion, jitter in ((0.3, 0.0), (0.0, 2.0), (0.3, 2.0), (0.0, 0.8)):
        expected = vary_events(dense, deletion, jitter, torch.Generator().manual_seed(1))
        varied = trials.varied(index, deletion, jitter, torch.Generator().manual_seed(1))
        assert torch.equal(varied.dense(np.arange(3), dense.shape[2]), expected)


def test_rates_are_in_hz_at_any_time_step() -> None:
    net = EINetwork(12, 14, 6, 3, dt_ms=0.5, seed=3)
    rng = np.random.default_rng(0)
    shown = Stimulus(Spikes.from_dense(rng.random((6, 40, 12)) < 0.4, 0.5), np.arange(6) % 3, 3)
    config, trials = TrainingConfig(rate_target_hz=5.0, rate_penalty=2.0), Trials.of(shown)
    losses = [way.gradients(trials, np.arange(6)).loss for way in (TorchPasses(net, config), EnginePasses(net, config, 1))]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    without = EnginePasses(net, TrainingConfig(rate_penalty=0.0, floor_penalty=0.0), 1).gradients(trials, np.arange(6)).loss
    assert losses[1] > without + 0.1
    for way in (TorchPasses(net, config), EnginePasses(net, config, 1)):
        found, (scores, counts) = way.gradients(trials, np.arange(6)), way.activity(trials, np.arange(6))
        assert found.accuracy == pytest.approx(np.mean(scores.numpy().argmax(axis=1) == np.arange(6) % 3))
        assert found.rate_hz == pytest.approx(counts.mean() / (40 * 0.5e-3))


def test_a_compiler_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no such thing >&2; exit 3"]
    with pytest.raises(BackendError, match=r"exit code 3 of sh.*\n.*no such thing"):
        _end(command, _start(command, tmp_path))
    fine = ["sh", "-c", "echo a warning >&2"]
    _end(fine, _start(fine, tmp_path))


def test_spikes_of_an_engine_that_kept_none_are_refused() -> None:
    with pytest.raises(DataError, match="no forward pass kept its states"):
        Engine(EINetwork(4, 3, 2, 2, seed=1), torch.float32, 1).spikes(0)
