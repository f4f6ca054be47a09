"""Networks of SpyTorch's tutorials give the same spikes and scores as the loop of the tutorials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.trained_drive import trained_drive
from ei_brian.errors import DataError, SpecError
from ei_brian.interop.spytorch import from_spytorch
from ei_brian.sim.backend import Backend
from tests.interop.test_script import check_script

N_IN, HIDDEN, N_EXC, CLASSES, STEPS = 12, 20, 15, 4, 40


def weights(seed: int, recurrent: bool = False) -> tuple[torch.Tensor, ...]:
    """Return weights under Dale's law, of a size that makes cells fire at some 40 Hz."""
    rng = np.random.default_rng(seed)
    sign = np.where(np.arange(HIDDEN) < N_EXC, 1.0, -1.0)[:, None]
    w1 = np.abs(rng.normal(0, 0.12, (N_IN, HIDDEN)))
    w2, v1 = (sign * np.abs(rng.normal(0, scale, (HIDDEN, n))) for scale, n in ((0.2, CLASSES), (0.01, HIDDEN)))
    made = (w1, w2, v1) if recurrent else (w1, w2)
    return tuple(torch.tensor(array.astype(np.float32)) for array in made)


def shown(seed: int, n_trials: int = 8) -> Stimulus:
    dense = np.random.default_rng(seed).random((n_trials, STEPS, N_IN)) < 0.1
    return Stimulus(Spikes.from_dense(dense, 1.0), np.arange(n_trials) % CLASSES, CLASSES, f"shown{seed}")


def tutorial(stimulus: Stimulus, w1: Any, w2: Any, v1: Any = None, tau_mem: float = 10.0, tau_syn: float = 5.0) -> Any:
    """Return spikes and readout (with its start) of the equations of Neftci et al. 2019 as SpyTorch orders them, in float64."""
    x = torch.from_numpy(np.asarray(stimulus.dense(np.float64)))
    alpha, beta = float(np.exp(-1.0 / tau_syn)), float(np.exp(-1.0 / tau_mem))
    syn = mem = fired = torch.zeros(len(x), HIDDEN, dtype=torch.float64)
    spikes = []
    for step in range(x.shape[1]):
        arrived = x[:, step] @ w1.double()
        if v1 is not None:
            arrived = arrived + fired @ v1.double()
        fired = (mem > 1.0).double()
        spikes.append(fired)
        syn, mem = alpha * syn + arrived, (beta * mem + syn) * (1.0 - fired)
    out = flt = torch.zeros(len(x), CLASSES, dtype=torch.float64)
    record = [out]
    for fired in spikes:
        flt, out = alpha * flt + fired @ w2.double(), beta * out + flt
        record.append(out)
    return torch.stack(spikes, 1).numpy().astype(bool), torch.stack(record, 1).numpy()


def joined(recording: Any) -> Any:
    names = [name for name in ("E", "I", "hidden") if name in recording.spikes]
    return np.concatenate([np.asarray(recording.spikes[name].dense(), dtype=bool) for name in names], axis=2)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("n_exc", [None, N_EXC, HIDDEN])
@pytest.mark.parametrize("seed", range(3))
def test_spikes_and_scores_are_those_of_the_tutorial(seed: int, n_exc: int | None, recurrent: bool) -> None:
    tensors, stimulus = weights(seed, recurrent), shown(seed)
    if n_exc == HIDDEN:
        tensors = tuple(tensors[i].abs() if i else tensors[i] for i in range(len(tensors)))
    spikes, record = tutorial(stimulus, *tensors, tau_mem=5.0 + seed)
    recording = simulate(from_spytorch(*tensors, tau_mem_ms=5.0 + seed, n_exc=n_exc), stimulus)
    assert 0.005 < spikes.mean() < 0.4
    assert np.array_equal(joined(recording), spikes)
    assert np.allclose(recording.scores, record.max(axis=1), rtol=1e-12, atol=1e-14)
    assert np.array_equal(recording.decisions, record.max(axis=1).argmax(axis=1))


def test_a_silent_output_scores_0_and_ties_go_to_the_first_class() -> None:
    w1, w2 = weights(0)
    recording = simulate(from_spytorch(w1, -w2.abs()), shown(0))
    assert np.all(recording.scores == 0.0)
    assert np.all(recording.decisions == 0)


def test_the_step_after_a_spike_is_dead_whatever_arrives() -> None:
    w1, w2 = torch.full((N_IN, HIDDEN), 9.0), weights(0)[1]
    dense = np.ones((1, STEPS, N_IN), dtype=bool)
    fired = joined(simulate(from_spytorch(w1, w2), Stimulus(Spikes.from_dense(dense, 1.0))))[0, :, 0]
    assert not np.any(fired[1:] & fired[:-1])
    assert fired[2::2].all(), "but the one after that spikes again"


@pytest.mark.parametrize("layout", ["shared", "synapses"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_same_spikes_in_brian2_numpy(layout: str, recurrent: bool) -> None:
    check(from_spytorch(*weights(4, recurrent), n_exc=N_EXC), Backend("numpy", layout=layout))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["shared", "synapses"])
def test_same_spikes_in_generated_cpp(layout: str) -> None:
    check(from_spytorch(*weights(5, recurrent=True), n_exc=N_EXC), Backend("cpp_standalone", layout=layout))


def check(spec: NetworkSpec, backend: Backend) -> None:
    stimulus = shown(6)
    oracle, recording = simulate(spec, stimulus), backend.run(spec, stimulus)
    assert sum(train.n_events for train in oracle.spikes.values()) > 50
    assert all(recording.spikes[name].equals(train) for name, train in oracle.spikes.items())
    assert np.array_equal(recording.scores, oracle.scores)


@pytest.mark.parametrize("recurrent", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_readable_script_gives_the_same(tmp_path: Path, recurrent: bool) -> None:
    check_script(from_spytorch(*weights(7, recurrent), n_exc=N_EXC), shown(7, 2), tmp_path)


def test_its_cells_can_become_biological() -> None:
    spec = from_spytorch(*weights(8), tau_mem_ms=10.0, tau_syn_ms=5.0, n_exc=N_EXC)
    drive = trained_drive(spec["E"], 1.0, "test")
    assert drive.tau_mem_ms == pytest.approx(10.0)
    assert drive.tau_syn_ms == pytest.approx(5.0)
    recording = simulate(diversify(spec, {"FS": 1.0}, seed=0), shown(8))
    assert recording.spikes["I"].n_events > 20


def test_saved_and_loaded(tmp_path: Path) -> None:
    from ei_brian.storage import load_spec

    spec = from_spytorch(*weights(9), n_exc=N_EXC)
    spec.save(tmp_path / "model.h5")
    assert load_spec(tmp_path / "model.h5").sha256 == spec.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w2": torch.zeros(3, CLASSES)}, r"w1 \(12, 20\), w2 \(3, 4\)"),
        ({"v1": torch.zeros(3, 3)}, r"v1 \(3, 3\)"),
        ({"w1": torch.zeros(N_IN)}, r"w1: float32 of shape \(12,\)"),
        ({"w1": torch.zeros(N_IN, HIDDEN, dtype=torch.int64)}, "w1: int64"),
        ({"n_exc": 21}, "n_exc: 21; of 20 hidden cells"),
        ({"n_exc": -1}, "n_exc: -1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    w1, w2 = weights(0)
    with pytest.raises(DataError, match=message):
        from_spytorch(**({"w1": w1, "w2": w2} | change))


def test_a_sign_that_dale_forbids_is_refused() -> None:
    w1, w2 = weights(0)
    with pytest.raises(SpecError, match=r"E→out: .* are negative"):
        from_spytorch(w1, -w2, n_exc=N_EXC)
