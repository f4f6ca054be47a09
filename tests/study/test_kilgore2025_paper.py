"""The study of Kilgore et al. 2025 by its own protocol: loop, measures, verdicts; and the whole command on few images."""

from __future__ import annotations

import csv
import gzip
import json
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.learn.engine.trials import Trials
from ei_brian.measure.van_rossum import van_rossum_matrix

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "validation" / "kilgore2025"
sys.path.insert(0, str(STUDY))

from paper import published  # noqa: E402
from paper.engine import Loop  # noqa: E402
from paper.main import report  # noqa: E402
from paper.measures import STANDARD, grouped, pair_distances  # noqa: E402
from paper.plain import PlainLoop  # noqa: E402
from paper.protocol import FASHION, FASHION_NOISE, Setting, noise_free, noisy  # noqa: E402
from paper.study import Sources, Task, chosen, setting_of, spread  # noqa: E402
from paper.training import TRAINERS, initial_weights, train  # noqa: E402
from paper.verdicts import equivalence, share_verdict  # noqa: E402

SMALL = replace(FASHION, n_in=24, hidden=12, classes=4, steps=40, batch_size=8, epochs=2)


def small(w1_std: float = 0.2, ratio: int = 75, noise: float = 0.0, **changes: Any) -> Setting:
    return Setting(replace(SMALL, **changes), ratio, w1_std, noise, 0)


def shown(n_trials: int = 32, seed: int = 0) -> Trials:
    dense = np.random.default_rng(seed).random((n_trials, SMALL.steps, SMALL.n_in)) < 0.08
    return Trials.of(Stimulus(Spikes.from_dense(dense, 1.0), np.arange(n_trials) % 4, 4, "shown"))


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return gradient / (100 * x.abs() + 1) ** 2


def by_autograd(setting: Setting, trials: Trials, readout: str) -> tuple[float, Any, Any]:
    """Return loss and gradients of the protocol's equations in float64."""
    p, (first, second) = setting.protocol, initial_weights(setting)
    w1, w2 = (torch.tensor(w.astype(np.float64), requires_grad=True) for w in (first, second))
    x = trials.dense(np.arange(trials.n_trials), p.n_in).double()
    (alpha, beta), n = p.decays, len(x)
    g = v = torch.zeros(n, p.hidden, dtype=torch.float64)
    out = filtered = torch.zeros(n, p.classes, dtype=torch.float64)
    record = [out]
    for step in range(p.steps):
        z = _Spike.apply(v - 1)
        g, v = alpha * g + x[:, step] @ w1, (beta * v + g) * (1 - z.detach())
        filtered, out = alpha * filtered + z @ w2, beta * out + filtered
        record.append(out)
    values = torch.stack(record, 1)
    scores = values.max(dim=1)[0] if readout == "max v" else values[:, 1:].mean(dim=1)
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor(np.asarray(trials.labels)))
    loss.backward()
    return loss.item(), w1.grad.numpy(), w2.grad.numpy()


@pytest.mark.parametrize("readout", ["max v", "mean v"])
@pytest.mark.parametrize("ratio", [50, 100])
def test_gradients_are_those_of_automatic_differentiation(readout: str, ratio: int) -> None:
    setting, trials = small(ratio=ratio, readout=readout), shown()
    loss, of_w1, of_w2 = by_autograd(setting, trials, readout)
    p, index = setting.protocol, np.arange(trials.n_trials)
    plain = PlainLoop(p, p.n_exc(ratio), *initial_weights(setting))
    sums = plain.gradients(trials, index)
    assert sums[0] / trials.n_trials == pytest.approx(loss, rel=1e-5)  # float32
    assert np.abs(plain.g1[:, : p.hidden] - of_w1).max() < 1e-4 * np.abs(of_w1).max()
    assert np.abs(plain.g2[:, : p.classes] - of_w2).max() < 1e-4 * np.abs(of_w2).max()
    assert np.abs(of_w1).max() > 0


def test_the_packages_trainer_and_the_independent_loop_make_the_same_step() -> None:
    setting, trials = small(noise=1e-3), shown()
    index, n_exc = np.arange(trials.n_trials), setting.protocol.n_exc(75)
    loops = [kind(setting.protocol, n_exc, *initial_weights(setting)) for kind in (Loop, PlainLoop)]
    assert np.array_equal(*(loop.raster(trials, index) for loop in loops))
    assert loops[0].raster(trials, index).sum() > 100
    sums = [loop.step(trials, index, 0.0, np.random.default_rng(0)) for loop in loops]
    assert np.allclose(*sums, rtol=1e-5)
    for one, other, before in zip(loops[0].weights, loops[1].weights, initial_weights(setting), strict=True):
        assert np.abs(one - other).max() < 1e-3 * np.abs(one - before).max()


@pytest.mark.parametrize("trainer", TRAINERS)
def test_noise_is_absolute_and_bounds_of_sign_hold(trainer: str) -> None:
    """With a learning rate of 0 only the noise is left: of the wanted size where no bound is near."""
    setting, trials = small(w1_std=5.0, noise=0.01, learning_rate=0.0, w2_std=5.0), shown()
    p, (w1, w2) = setting.protocol, initial_weights(small(w1_std=5.0, w2_std=5.0))
    loop = TRAINERS[trainer](p, 9, w1, w2)
    loop.step(trials, np.arange(8), 0.01, np.random.default_rng(0))
    after = loop.weights
    far = w1 > 0.1
    assert np.std((after[0] - w1)[far]) == pytest.approx(0.01, rel=0.2)  # 288 draws: 5 standard errors
    assert abs(np.mean((after[0] - w1)[far])) < 5 * 0.01 / far.sum() ** 0.5
    assert after[0].min() >= 0
    assert after[1][:9].min() >= 0
    assert after[1][9:].max() <= 0


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_network_with_dead_outputs_stops_for_good(trainer: str) -> None:
    """Where no cell spikes every score is the start at 0: no gradient, and the record is as long as ever."""
    setting, trials = small(w1_std=0.0, epochs=5), shown()
    made = train(setting, trials, trials, trainer)
    assert made.epochs_run == 1
    assert made.accuracy.shape == (6,)
    assert np.all(made.dead_scores == 1.0)
    assert np.all(made.dead_outputs == 4)
    assert np.array_equal(made.w1, initial_weights(setting)[0])


@pytest.mark.parametrize("trainer", TRAINERS)
def test_training_learns_and_counts_what_it_says(trainer: str) -> None:
    rng, n = np.random.default_rng(1), 128
    labels = np.arange(n) % 4
    dense = rng.random((n, SMALL.steps, SMALL.n_in)) < 0.02
    for trial, label in enumerate(labels):
        dense[trial, :, 6 * label : 6 * label + 6] |= rng.random((SMALL.steps, 6)) < 0.15
    trials = Trials.of(Stimulus(Spikes.from_dense(dense, 1.0), labels, 4, "four"))
    made = train(small(w1_std=0.05, ratio=100, epochs=25, learning_rate=0.05), trials, trials, trainer)
    assert made.accuracy[-1] > max(0.6, made.accuracy[0])
    assert made.confusion.sum() == n
    assert np.trace(made.confusion) / n == pytest.approx(made.accuracy[-1])
    assert made.loss[-1] < made.loss[0]


def test_the_paper_has_so_many_networks_of_such_weights() -> None:
    assert sum(1 for _ in noise_free()) == 608
    assert sum(1 for _ in noisy()) == 1344
    w1, w2 = initial_weights(Setting(FASHION, 80, 0.01, 0.0, 3))
    other = initial_weights(Setting(FASHION, 50, 0.01, 0.0, 3))
    assert np.array_equal(w1, other[0])
    assert w1.min() >= 0
    assert np.sqrt(np.mean(w1.astype(float) ** 2)) == pytest.approx(0.01, rel=0.02)
    assert np.sqrt(np.mean(w2.astype(float) ** 2)) == pytest.approx(0.0666, rel=0.1)
    assert (w2[:80] >= 0).all()
    assert (w2[80:] <= 0).all()
    assert FASHION_NOISE.w2_std == pytest.approx(0.1269, abs=1e-4)


def test_a_task_is_found_again_from_its_identity() -> None:
    for task in (*spread()[:40], *chosen(None, True)[-3:]):
        assert setting_of(task.condition).identity == task.setting.identity
        assert replace(task, trainer="plain").condition.key != task.condition.key
    keys = [task.condition.key for task in chosen(1.0, False)]
    assert len(set(keys)) == 608 + 1344 + 54


def test_distances_are_the_papers_and_times_a_factor_the_standard_ones() -> None:
    raster = np.random.default_rng(0).random((3, 30, 5)) < 0.1
    raster[:, -8:] = False  # the standard measure goes on after the last step
    found = pair_distances(raster.astype(np.uint8))
    kernel = np.exp(-np.arange(30))
    trace = np.stack([[np.convolve(trial[:, cell], kernel)[:30] for cell in range(5)] for trial in raster])
    expected = np.sqrt(np.sum((trace[:, :, None] - trace[:, None, :]) ** 2, axis=3))
    assert np.allclose(found, expected, atol=1e-3)  # float32: the square root of what rounding leaves of equal trains
    assert np.allclose(found * STANDARD, van_rossum_matrix(Spikes.from_dense(raster, 1.0), 1.0), atol=1e-3)
    one = np.zeros((1, 30, 2), np.uint8)
    one[0, 3, 0] = 1
    assert pair_distances(one)[0, 0, 1] == pytest.approx(1.0754, abs=1e-4)
    assert grouped(expected.mean(axis=0), 3)["ei"] == pytest.approx(expected.mean(axis=0)[:3, 3:].mean())


def test_published_numbers_are_found_by_setting() -> None:
    assert published.peak_ranges(95, 0.01) == [(80.0, 82.5), (33.0, 41.5)]
    assert published.peak_ranges(50, 0.02) == [(9.5, 15.0)]
    assert all(published.peak_ranges(ratio, std) for ratio in FASHION.ratios for std in FASHION.w1_stds)
    assert published.noise_curve()[80, 3e-4] == 61
    assert published.shares_trained() == {50: (32, 141), 80: (41, 145), 95: (53, 146)}
    assert published.distances("before", "ee")[50, 0.001].mean() == pytest.approx(0.0942 * 233 / 234, abs=1e-4)
    assert published.distances("before", "ee", corrected=False)[50, 0.001].mean() == pytest.approx(0.0942, abs=1e-4)


class TestVerdicts:
    def test_equal_samples_agree_and_far_ones_differ(self) -> None:
        rng = np.random.default_rng(0)
        theirs = rng.normal(80, 0.5, 8)
        assert equivalence(rng.normal(80, 0.5, 8), theirs, 2.0).word == "agrees"
        assert equivalence(rng.normal(70, 0.5, 8), theirs, 2.0).word == "differs"
        assert equivalence(rng.normal(80, 9.0, 8), theirs, 2.0).word == "open"
        assert equivalence([80.0], theirs, 2.0).word == "within"
        assert equivalence([70.0], theirs, 2.0).word == "outside"
        assert equivalence([80.0], [80.0], 2.0).word == "open"
        assert equivalence([79.5], [81.0], 2.0, (80.0, 82.0)).word == "within"

    def test_false_agreement_is_as_rare_as_it_says(self) -> None:
        """At the edge of the margin TOST agrees in 5 % of cases."""
        rng = np.random.default_rng(1)
        words = [equivalence(rng.normal(2.0, 1.0, 10), rng.normal(0.0, 1.0, 10), 2.0).word for _ in range(1000)]
        assert words.count("agrees") < 50 + 5 * np.sqrt(1000 * 0.05 * 0.95)
        assert words.count("differs") < 50 + 5 * np.sqrt(1000 * 0.05 * 0.95)

    def test_a_range_is_no_difference_within(self) -> None:
        assert equivalence([81.0, 81.1, 81.2], [81.25], 0.5, (80.0, 82.5)).low == 0.0
        assert equivalence([77.0, 77.1, 77.2], [81.25], 2.0, (80.0, 82.5)).word == "differs"

    def test_shares(self) -> None:
        assert share_verdict(5, 19, (41, 145))[0] == "agrees"
        assert share_verdict(19, 19, (41, 145))[0] == "differs"


def test_tasks_of_both_trainers_are_kept_apart() -> None:
    task = Task("no noise", Setting(FASHION, 80, 0.001, 0.0, 0))
    assert json.loads(task.condition.identity)["trainer"] == "package"
    assert "trainer" not in json.loads(replace(task, trainer="plain").condition.identity)


def idx_folder(folder: Path, n_train: int = 256, n_test: int = 256) -> Path:
    """Write ten noisy patterns as the four files of Fashion-MNIST: a batch an epoch."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    patterns = rng.random((10, 28, 28)) < 0.7
    for part, n in (("train", n_train), ("t10k", n_test)):
        labels = (np.arange(n) % 10).astype(np.uint8)
        images = (patterns[labels] * rng.integers(100, 256, (n, 28, 28))).astype(np.uint8)
        for kind, array, magic in (("images-idx3", images, 2051), ("labels-idx1", labels, 2049)):
            head = struct.pack(f">{1 + array.ndim}I", magic, *array.shape)
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes(), 1))
    return folder


@pytest.mark.slow
def test_the_command_runs_to_its_end_and_goes_on_from_there(tmp_path: Path) -> None:
    """On 512 images and for the first moment of the hours: one network, every section, figure and table; then nothing again."""
    data, results, written = idx_folder(tmp_path / "data"), tmp_path / "results", tmp_path / "report"

    def command(hours: float) -> tuple[str, list[dict[str, str]]]:
        options = ["--protocol", "paper", "--hours", str(hours), "--workers", "1", "--data", str(data), "-o", str(results)]
        whole = [sys.executable, str(STUDY / "run.py"), *options, "--report", str(written)]
        done = subprocess.run(whole, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        with (written / "networks.csv").open(newline="") as file:
            return (written / "RESULTS.md").read_text(), list(csv.DictReader(file))

    with pytest.raises(SystemExit, match="no network is trained yet"):
        report(Sources(results, str(data)), written, "", 0.0, False)
    text, networks = command(1e-7)  # one is always taken up
    assert len(networks) == 1
    assert [networks[0][name] for name in ("part", "ratio", "w1_std", "seed")] == ["no noise", "50", "0.001", "0"]
    for words in ("1 of 608 without noise", "--hours 1e-07", "## Figure 1c", "## Figure 5 before training", "0 of ", "not run"):
        assert words in text
    assert "decisions differ" in text
    assert {path.name for path in written.glob("*.png")} >= {"figure_1c.png", "figure_3.png", "figure_5.png", "dead_outputs.png"}
    files = {path: path.stat().st_mtime_ns for path in results.rglob("*.npz")}
    again, same = command(0.0)
    assert same == networks
    assert again.splitlines()[10:] == text.splitlines()[10:], "the same numbers; command and date stand above"
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*.npz")} == files
