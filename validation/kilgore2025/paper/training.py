"""One network of the study from its initial weights to its last evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time

import numpy as np
import numpy.typing as npt

from ei_brian.learn.engine.trials import Trials
from paper.engine import Evaluation, Loop
from paper.plain import PlainLoop
from paper.protocol import Setting

ACTIVITY_IMAGES = 12_000  # training images that spikes are counted on
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What is kept of one network. First axis of all but the weights: evaluations, before training and after each epoch.

    Parameters
    ----------
    w1, w2 : array
        Weights after the last epoch, (input, hidden) and (hidden, class).
    accuracy : array (evaluation,)
        On the test images.
    spikes : array (evaluation, class, 2)
        Mean number of spikes per test image of all excitatory and of all inhibitory cells, for each class of images.
    activity : array (3, class, 2)
        The same on training images, as the paper measures it: before training, after the first epoch and after the last.
    dead_scores : array (evaluation,)
        Share of all scores, over test images and classes, that are 0: such an output gets no gradient.
    dead_outputs : array (evaluation,)
        Number of outputs that score 0 for every test image.
    confusion : array (class, class)
        Counts of test images after the last epoch, by class and decision.
    loss, train_accuracy : array (epoch,)
        Means over the batches of an epoch, while it trains.
    epochs_run : int
        Epochs that were computed: once no score of an epoch had a gradient, the weights can never change again.
    seconds : float
        Of processor time.
    """

    w1: Floats
    w2: Floats
    accuracy: npt.NDArray[np.float64]
    spikes: npt.NDArray[np.float64]
    activity: npt.NDArray[np.float64]
    dead_scores: npt.NDArray[np.float64]
    dead_outputs: npt.NDArray[np.int64]
    confusion: npt.NDArray[np.int64]
    loss: npt.NDArray[np.float64]
    train_accuracy: npt.NDArray[np.float64]
    epochs_run: int
    seconds: float


def initial_weights(setting: Setting) -> tuple[Floats, Floats]:
    """Return half-normal weights, those of inhibitory cells on the readout with a minus sign."""
    p, rng = setting.protocol, setting.generators()[0]
    w1 = np.abs(rng.normal(0.0, 1.0, (p.n_in, p.hidden)) * setting.w1_std)
    w2 = np.abs(rng.normal(0.0, 1.0, (p.hidden, p.classes)) * p.w2_std)
    w2[p.n_exc(setting.ratio) :] *= -1.0
    return w1.astype(np.float32), w2.astype(np.float32)


TRAINERS: dict[str, type[Loop] | type[PlainLoop]] = {"package": Loop, "plain": PlainLoop}


def train(setting: Setting, data: Trials, test: Trials, trainer: str = "package") -> Trained:
    """Train one network, by the package's trainer or by the loop of `paper.plain`."""
    began = process_time()
    p, (w1, w2) = setting.protocol, initial_weights(setting)
    n_exc = p.n_exc(setting.ratio)
    loop = TRAINERS[trainer](p, n_exc, w1, w2)
    _, order, noise = setting.generators()
    shown = np.arange(test.n_trials // p.batch_size * p.batch_size)  # the last partial batch is dropped here as well
    labels = labels_of(test)[shown]
    seen, seen_labels = np.arange(min(ACTIVITY_IMAGES, data.n_trials)), labels_of(data)[:ACTIVITY_IMAGES]
    kept = [_measured(loop.evaluate(test, shown), labels, n_exc, p.classes)]
    activity = [_by_class(loop.evaluate(data, seen), seen_labels, n_exc, p.classes)]
    losses: list[tuple[float, float]] = []
    epochs_run = 0
    for _ in range(p.epochs):
        n_batches = data.n_trials // p.batch_size
        batches = order.permutation(data.n_trials)[: n_batches * p.batch_size].reshape(n_batches, p.batch_size)
        total = sum((loop.step(data, batch, setting.noise_std, noise) for batch in batches), np.zeros(4))
        kept.append(_measured(loop.evaluate(test, shown), labels, n_exc, p.classes))
        losses.append((total[0] / batches.size, total[1] / batches.size))
        epochs_run += 1
        if epochs_run == 1:
            activity.append(_by_class(loop.evaluate(data, seen), seen_labels, n_exc, p.classes))
        if total[3] == batches.size * p.classes and not setting.noise_std:
            break  # no score of the epoch had a gradient: nothing can change any more
    activity.append(_by_class(loop.evaluate(data, seen), seen_labels, n_exc, p.classes))
    missing = p.epochs - epochs_run
    kept += kept[-1:] * missing
    losses += losses[-1:] * missing
    accuracy, spikes, scores, outputs, confusion = (np.array(column) for column in zip(*kept, strict=True))
    loss, right = np.array(losses).T
    return Trained(
        *loop.weights, accuracy, spikes, np.array(activity), scores, outputs, confusion[-1], loss, right, epochs_run,
        process_time() - began,
    )  # fmt: skip


def _measured(seen: Evaluation, labels: npt.NDArray[np.int64], n_exc: int, n_classes: int) -> tuple[object, ...]:
    decisions = seen.scores.argmax(axis=1)  # the first of equals
    confusion = np.bincount(labels * n_classes + decisions, minlength=n_classes**2).reshape(n_classes, n_classes)
    spikes = _by_class(seen, labels, n_exc, n_classes)
    dead = seen.scores == 0
    return (decisions == labels).mean(), spikes, dead.mean(), int(dead.all(axis=0).sum()), confusion


def _by_class(seen: Evaluation, labels: npt.NDArray[np.int64], n_exc: int, n_classes: int) -> npt.NDArray[np.float64]:
    """Return the mean number of spikes of excitatory and inhibitory cells per image of each class, shape (class, 2)."""
    parts = np.stack([seen.counts[:, :n_exc].sum(axis=1), seen.counts[:, n_exc:].sum(axis=1)], axis=1).astype(np.float64)
    return np.stack([parts[labels == c].mean(axis=0) if np.any(labels == c) else np.zeros(2) for c in range(n_classes)])


def activity_of(setting: Setting, weights: tuple[Floats, Floats], data: Trials) -> npt.NDArray[np.float64]:
    """Return mean spikes of excitatory and inhibitory cells per training image, shape (class, 2), as `Trained.activity` counts them."""
    p = setting.protocol
    seen = np.arange(min(ACTIVITY_IMAGES, data.n_trials))
    n_exc = p.n_exc(setting.ratio)
    return _by_class(Loop(p, n_exc, *weights).evaluate(data, seen), labels_of(data)[seen], n_exc, p.classes)


def labels_of(data: Trials) -> npt.NDArray[np.int64]:
    """Return the classes of trials that have some."""
    if data.labels is None:
        raise ValueError("trials without labels")
    return np.asarray(data.labels)
