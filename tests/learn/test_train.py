"""Training: it learns, Dale's law holds at every step, and the same seed gives the same bits, resumed or not."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.diversify import diversify
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.export import export, simulate_torch
from ei_brian.learn.network import EINetwork
from ei_brian.learn.passes import evaluate
from ei_brian.learn.train import TrainingConfig, load_checkpoint, train

torch.set_num_threads(1)
QUICK = TrainingConfig(epochs=4, batch_size=16, learning_rate=1e-2, initial_rate_hz=20.0)


def easy_set(n_trials: int = 96) -> Stimulus:
    """Return three classes, each with its own four active inputs."""
    rng = np.random.default_rng(0)
    labels = np.arange(n_trials) % 3
    chance = np.where(np.arange(12) // 4 == labels[:, None], 0.15, 0.02)
    return Stimulus(Spikes.from_dense(rng.random((n_trials, 40, 12)) < chance[:, None], 1.0), labels, 3, "easy")


def small(seed: int = 0, **changes: object) -> EINetwork:
    return EINetwork(**{"n_in": 12, "n_exc": 16, "n_inh": 4, "n_out": 3, "seed": seed, **changes})


def test_learns_and_penalties_bring_rates_down() -> None:
    data, rates = easy_set(), {}
    for penalty in (0.0, 10.0):
        net = small()
        history = train(net, data, config=replace(QUICK, epochs=10, initial_rate_hz=60.0, rate_penalty=penalty), progress=False)
        _, scores = simulate_torch(net, data)
        assert np.mean(scores.argmax(axis=1) == data.labels) > 0.95, "three classes that a linear reading separates"
        rates[penalty] = history.rate_hz[-1]
    assert rates[10.0] < 0.8 * rates[0.0]


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_dale_holds_after_every_step(noise: float) -> None:
    smallest = []

    def check(net: EINetwork) -> None:
        weights = (*net.recurrent_weights, *list(net.forward_weights)[1:], net.readout_weights)
        smallest.append(min(float(w.detach().min()) for w in weights))

    config = replace(QUICK, update_noise=noise, learning_rate=0.1)
    train(small(n_exc=(8, 8), n_inh=(2, 2)), easy_set(), config=config, after_step=check, progress=False)
    assert len(smallest) == 4 * 6
    assert min(smallest) == 0.0, "the bound is reached, and never crossed"


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_shown_where_it_is_asked_for(progress: bool, capfd: pytest.CaptureFixture[str]) -> None:
    train(small(), easy_set(8), config=TrainingConfig(epochs=1), progress=progress)
    assert ("training" in capfd.readouterr().err) == progress


def test_input_weights_stay_positive_when_asked() -> None:
    net = small(excitatory_input=True)
    train(net, easy_set(), config=replace(QUICK, learning_rate=0.1), progress=False)
    assert float(net.forward_weights[0].detach().min()) >= 0


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_resumed_training_gives_the_same_bits(tmp_path: Path, noise: float) -> None:
    config, data = replace(QUICK, update_noise=noise), easy_set()
    whole = small()
    history = train(whole, data, config=config, progress=False)

    class StopError(Exception):
        pass

    def interrupt(net: EINetwork) -> None:
        steps.append(1)
        if len(steps) == 15:  # in the middle of the third epoch of six steps
            raise StopError

    steps: list[int] = []
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(StopError):
        train(small(), data, config=config, checkpoint=checkpoint, after_step=interrupt, progress=False)
    resumed = small()
    again = train(resumed, data, config=config, checkpoint=checkpoint, progress=False)
    assert export(resumed).sha256 == export(whole).sha256
    assert asdict(again) == asdict(history)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_torch_waits_for_no_threads_beside_the_compiled_engine() -> None:
    """On taken cores its threads wait for each other, busily: five times the processor time of a training on digits."""
    seen: dict[str, int] = {}
    torch.set_num_threads(2)
    try:
        for engine in ("compiled", "torch"):
            note = lambda net, engine=engine: seen.update({engine: torch.get_num_threads()})  # noqa: E731
            train(small(), easy_set(32), config=replace(QUICK, epochs=1), progress=False, engine=engine, after_step=note)
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == {"compiled": 1, "torch": 2}


def test_seed_decides_everything(tmp_path: Path) -> None:
    def result(seed: int) -> str:
        net = small(seed)
        train(net, easy_set(), config=replace(QUICK, epochs=2), progress=False)
        return export(net).sha256

    torch.manual_seed(1)
    first = result(3)
    torch.manual_seed(2)
    assert result(3) == first != result(4)


def test_checkpoint_of_other_settings_seed_or_shape_is_refused(tmp_path: Path) -> None:
    checkpoint, data = tmp_path / "c.pt", easy_set()
    train(small(), data, config=replace(QUICK, epochs=1), checkpoint=checkpoint, progress=False)
    with pytest.raises(ConfigError, match="other settings"):
        train(small(), data, config=QUICK, checkpoint=checkpoint, progress=False)
    with pytest.raises(ConfigError, match="other settings"):
        train(small(seed=1), data, config=replace(QUICK, epochs=1), checkpoint=checkpoint, progress=False)
    with pytest.raises(ConfigError, match="other settings"):
        train(small(n_exc=8), data, config=replace(QUICK, epochs=1), checkpoint=checkpoint, progress=False)


def test_a_checkpoint_is_gone_on_with_by_the_engine_that_made_it(tmp_path: Path) -> None:
    """The two engines add in other orders: the bits of a training that never stopped come from one engine alone."""
    checkpoint, data = tmp_path / "c.pt", easy_set()
    for first, second in (("compiled", "torch"), ("torch", "compiled")):
        train(small(), data, config=QUICK, checkpoint=checkpoint, progress=False, engine=first)
        assert torch.load(checkpoint, weights_only=True)["engine"] == first
        with pytest.raises(ConfigError, match=f"by the engine '{first}', this training runs by '{second}'"):
            train(small(), data, config=QUICK, checkpoint=checkpoint, progress=False, engine=second)
        net = small()
        load_checkpoint(net, checkpoint, QUICK, data.n_trials)  # to look at, whoever made it
        checkpoint.unlink()


def test_a_teacher_is_met(tmp_path: Path) -> None:
    data = easy_set()
    teacher, alone, pupil = small(), small(1), small(1)
    train(teacher, data, config=QUICK, progress=False)
    wanted = evaluate(teacher, data).scores
    config = replace(QUICK, distillation=2.0, input_deletion=0.1)
    train(alone, data, config=replace(config, distillation=0.0), progress=False)
    train(pupil, data, config=config, progress=False, teacher=teacher)
    errors = [np.mean((evaluate(net, data).scores - wanted) ** 2) for net in (alone, pupil)]
    assert errors[1] < 0.5 * errors[0]
    by_spec, by_own_cells = small(1), small(1)
    train(by_spec, data, config=config, progress=False, teacher=export(teacher))
    assert export(by_spec).sha256 == export(pupil).sha256
    swapped = diversify(export(teacher), mix={"FS": 1.0}, seed=0)
    train(by_own_cells, data, config=replace(config, epochs=1), progress=False, teacher=swapped)
    with pytest.raises(ConfigError, match="no teacher is given"):
        train(small(), data, config=config, progress=False)
    with pytest.raises(ConfigError, match="a teacher is given"):
        train(small(), data, config=QUICK, progress=False, teacher=teacher)
    with pytest.raises(ConfigError, match="takes the same input"):
        train(small(), data, config=config, progress=False, teacher=EINetwork(7, 4, 2, 3))


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, weights=np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 truncated", b"\x89HDF\r\n\x1a\n" + bytes(500), npz()])
def test_checkpoint_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    checkpoint = tmp_path / "c.pt"
    checkpoint.write_bytes(content)
    with pytest.raises(ConfigError, match="give the file that a training keeps") as caught:
        train(small(), easy_set(), config=QUICK, checkpoint=checkpoint, progress=False)
    assert "weights_only" not in str(caught.value)  # nobody is told to run what a file holds


def test_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint, data = tmp_path / "c.pt", easy_set()
    train(small(), data, config=replace(QUICK, epochs=1), checkpoint=checkpoint, progress=False)
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="give the file that a training keeps"):
        train(small(), data, config=replace(QUICK, epochs=1), checkpoint=checkpoint, progress=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 0), ("batch_size", 0), ("learning_rate", -1.0), ("update_noise", float("nan")), ("rate_target_hz", float("inf"))],
)
def test_settings_out_of_range(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"training.{field}"):
        TrainingConfig(**{field: value})


def test_data_that_does_not_fit(make_stimulus: Callable[..., Stimulus]) -> None:
    with pytest.raises(DataError, match="no labels"):
        train(small(), Stimulus(easy_set().events), progress=False)
    with pytest.raises(DataError, match="11 units"):
        train(small(), make_stimulus(n_units=11), progress=False)
    with pytest.raises(DataError, match="no trials"):
        train(small(), easy_set().select(0, 0), progress=False)


def test_the_first_rate_is_sought_to_one_spike_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, float] = {}
    monkeypatch.setattr("ei_brian.learn.train.scale_to_rate", lambda *given, **named: told.update(named))
    data = easy_set()
    train(net := small(), data, config=replace(QUICK, epochs=1), progress=False)
    seconds = min(data.n_trials, 256) * data.n_steps * data.dt_ms * 1e-3
    assert told["least_hz"] == pytest.approx(1 / (seconds * sum(layer.size for layer in net.layers)))
