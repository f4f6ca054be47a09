"""Networks whose synapses learn while they run: each trial by itself, or one trial after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.learning import Learned, learn, with_weights
from ei_brian.core.noise import Noise
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stdp import PairSTDP
from ei_brian.core.stimulus import Stimulus

__all__ = ["Learning", "run_plastic"]

Weights = npt.NDArray[np.float64]
Run = Callable[..., Learned]


@dataclass(frozen=True, slots=True, eq=False)
class Learning:
    """What a network did while it learned, and what it learned.

    Parameters
    ----------
    recordings : tuple of Recording
        One of all trials, or one for each trial in order.
    weights : mapping of str to array, shape (trial, n_target, n_source)
        Weights of each projection at the end of each trial, in its unit.
    spec : NetworkSpec
        The network with the weights after the last trial of a run in order; where trials learned by themselves, with their mean.
    """

    recordings: tuple[Recording, ...]
    weights: Mapping[str, Weights]
    spec: NetworkSpec


@takes_numbers()
def run_plastic(
    spec: NetworkSpec, stimulus: Stimulus, rules: Mapping[str, PairSTDP], *, in_order: bool = True,
    noise: Noise | None = None, seed: int | None = None, run: Run | None = None,
) -> Learning:  # fmt: skip
    """Run trials with plastic synapses: ``run_plastic(spec, stimulus, {"E_E": PairSTDP(a_plus=0.01)})``.

    Parameters
    ----------
    spec, stimulus : NetworkSpec, Stimulus
        The network, and the trials.
    rules : mapping of str to PairSTDP
        By name of projection; all others stay as they are.
    in_order : bool
        Whether a trial starts from the weights that the one before left (states start afresh); else all start from the network's.
    noise, seed : Noise, int, optional
        As of `simulate`.
    run : callable, optional
        ``Backend().learn`` for compiled programs; the reference stepper unless given.

    Returns
    -------
    Learning

    Raises
    ------
    SpecError
        For an unknown projection, bounds that the weights leave, or that contradict the sign of the source.
    BackendError
        If the backend cannot run it.

    Notes
    -----
    Noise of weights and cells is drawn once, before the first trial. `ei_brian.Backend.network` gives live Brian2 objects for any
    other rule.
    """
    recordings, weights = (run or learn)(spec, stimulus, rules, in_order=in_order, noise=noise, seed=seed)
    last = {name: each[-1] if in_order else each.mean(axis=0) for name, each in weights.items() if len(each)}
    made = with_weights(spec, last).with_provenance("run_plastic", rules={name: repr(rule) for name, rule in rules.items()})
    return Learning(recordings, weights, made)
