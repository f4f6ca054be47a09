"""Decisions: how many are right, which are mixed up, and when they fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import DataError

__all__ = ["Proportion", "accuracy", "confusion_matrix", "decision_latency_ms", "wilson"]


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of successes with its confidence interval; all dimensionless."""

    value: float
    low: float
    high: float
    n: int


@takes_numbers()
def wilson(successes: int, n: int, confidence: float = 0.95) -> Proportion:
    """Return a share with its score interval.

    References
    ----------
    Wilson 1927, J. Am. Stat. Assoc. 22:209, doi 10.1080/01621459.1927.10502953.
    """
    if not 0 <= successes <= n or n < 1:
        raise DataError(f"wilson: {successes} successes of {n}; give 0 to n successes of at least one trial.")
    z = float(stats.norm.isf((1 - confidence) / 2))
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else float(middle - half)
    return Proportion(share, low, 1.0 if successes == n else float(middle + half), n)


def _labels(recording: Recording) -> npt.NDArray[np.int64]:
    if recording.labels is None or not recording.n_trials:
        raise DataError("recording.labels: the stimulus had no labels; give it some to judge decisions.")
    return recording.labels


@takes_numbers()
def accuracy(recording: Recording, confidence: float = 0.95) -> Proportion:
    """Return the share of trials that are decided right, dimensionless, with its score interval.

    References
    ----------
    Wilson 1927, J. Am. Stat. Assoc. 22:209, doi 10.1080/01621459.1927.10502953 (the interval).
    """
    labels = _labels(recording)
    return wilson(int(np.sum(recording.decisions == labels)), recording.n_trials, confidence)


@takes_numbers()
def confusion_matrix(recording: Recording) -> npt.NDArray[np.int64]:
    """Return the number of trials of class ``i`` that were decided as ``j``, shape (class, class), counts; by definition."""
    labels, decisions = _labels(recording), recording.decisions
    n_scores = 0 if recording.scores is None else recording.scores.shape[1]
    n_classes = max(n_scores, int(labels.max()) + 1)
    return np.bincount(labels * n_classes + decisions, minlength=n_classes**2).reshape(n_classes, n_classes)


@takes_numbers()
def decision_latency_ms(spec: NetworkSpec, recording: Recording) -> npt.NDArray[np.float64]:
    """Return when the decision of each trial was last open, in ms from its start, shape (trial,).

    The score of the readout is followed step by step; the latency is the end of the first step from which on the class that is
    finally chosen stays ahead. A trial without a single readout spike, for a readout by spikes, has no latency: nan.

    Raises
    ------
    DataError
        For a readout by membrane potential without its trace.

    Notes
    -----
    For ``first spike`` this is the time of the first spike of the winning neuron.

    References
    ----------
    Thorpe, Delorme & Van Rullen 2001, Neural Netw. 14:715, doi 10.1016/S0893-6080(01)00083-1, for decisions by the first spike;
    for the other readouts the definition is ours.
    """
    if spec.readout is None:
        raise DataError(f"network {spec.name}: has no readout, so it decides nothing.")
    running = _running_scores(spec, recording)
    winner = recording.decisions
    ahead = np.argmax(running, axis=2) == winner[:, None]
    if spec.readout.needs_spikes:
        ahead &= running.max(axis=2) > 0  # before the first spike nobody is ahead
    still = np.logical_and.accumulate(ahead[:, ::-1], axis=1)[:, ::-1]
    first = np.where(still.any(axis=1), np.argmax(still, axis=1), recording.n_steps - 1)
    latency = (first + 1.0) * recording.dt_ms
    if spec.readout.needs_spikes:
        latency[recording.counts[spec.readout.population].sum(axis=1) == 0] = np.nan
    return latency


def _running_scores(spec: NetworkSpec, recording: Recording) -> npt.NDArray[np.floating]:
    """Return the score after each step, shape (trial, step, class)."""
    readout = spec.readout
    if readout is None:
        raise DataError(f"network {spec.name}: has no readout.")
    if readout.needs_spikes:
        if readout.population not in recording.spikes:
            raise DataError(f"recording.spikes: those of {readout.population} were not kept; run with record='spikes'.")
        fired = np.cumsum(recording.spikes[readout.population].dense(np.float64), axis=1)
        # for the first spike: who has fired for longer is ahead
        return fired if readout.kind == "spike count" else np.cumsum(fired > 0, axis=1).astype(np.float64)
    key = (readout.population, spec[readout.population].neuron().voltage)
    if key not in recording.traces:
        raise DataError(f"recording.traces: {key} was not kept; run with traces=[{key}].")
    trace = recording.traces[key]
    if readout.kind == "max v":
        return np.maximum.accumulate(trace, axis=1)
    return np.cumsum(trace, axis=1) if readout.kind == "mean v" else trace
