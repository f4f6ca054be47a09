"""Spike-timing-dependent plasticity of pairs of spikes, as data, and the weights of each trial that it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.projection import Projection
from ei_brian.errors import SpecError, unknown_name

__all__ = ["LearnedWeights", "PairSTDP", "homeostatic_inhibition"]

Array = npt.NDArray[Any]
PAIRINGS, BOUNDS = ("all", "nearest"), ("hard", "soft")


@takes_numbers()
@dataclass(frozen=True, slots=True)
class PairSTDP:
    """How the spikes of source and target change a weight.

    Each source neuron has a trace ``x`` that decays with ``tau_plus_ms`` and each target neuron a trace ``y`` that decays with
    ``tau_minus_ms``; a spike adds 1 to its trace. At the end of every step, first a source spike changes the weight by
    ``-a_minus*y + at_source``, then a target spike by ``a_plus*x``, each cut to the bounds. Of spikes of one step the source's
    counts as the earlier one, as in Brian2. What counts are the spikes at the cells, without the delay of the synapse.

    Parameters
    ----------
    a_plus, a_minus : float
        Change by a pair of no delay, in the unit of the weights (soft bounds: as a share of the distance to the bound).
    tau_plus_ms, tau_minus_ms : float
        Time constants in ms; > 0.
    low, high : float
        Bounds of the weight, in the unit of the weights; of inhibitory synapses both are <= 0.
    at_source : float
        Added at each source spike, whatever the target does.
    pairing : {"all", "nearest"}
        Whether all earlier spikes count, or the last one only: then a spike sets its trace to 1.
    bounds : {"hard", "soft"}
        Soft: potentiation is multiplied by ``high - w``, depression by ``w - low`` (van Rossum, Bi & Turrigiano 2000).

    Raises
    ------
    SpecError
        For values out of range.

    References
    ----------
    Song, Miller & Abbott 2000, Nat. Neurosci. 3:919, doi 10.1038/78829 (all pairs, hard bounds); van Rossum, Bi & Turrigiano
    2000, J. Neurosci. 20:8812, doi 10.1523/JNEUROSCI.20-23-08812.2000; Morrison, Diesmann & Gerstner 2008, Biol. Cybern. 98:459,
    doi 10.1007/s00422-008-0233-1 (pairings).
    """

    a_plus: float = 0.01
    a_minus: float = 0.0105
    tau_plus_ms: float = 20.0
    tau_minus_ms: float = 20.0
    low: float = 0.0
    high: float = 1.0
    at_source: float = 0.0
    pairing: str = "all"
    bounds: str = "hard"

    def __post_init__(self) -> None:
        for name in ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms", "low", "high", "at_source"):
            value = getattr(self, name)
            if not np.isfinite(value) or (name.startswith("tau") and value <= 0):
                raise SpecError(f"PairSTDP.{name}: {value!r}; give a finite number{' > 0' if name.startswith('tau') else ''}.")
            object.__setattr__(self, name, float(value))
        if not self.low < self.high:
            raise SpecError(f"PairSTDP: low {self.low:g}, high {self.high:g}; give low < high.")
        if self.pairing not in PAIRINGS:
            raise SpecError(unknown_name("PairSTDP.pairing", self.pairing, PAIRINGS))
        if self.bounds not in BOUNDS:
            raise SpecError(unknown_name("PairSTDP.bounds", self.bounds, BOUNDS))


@takes_numbers()
def homeostatic_inhibition(eta: float, target_rate_hz: float, strongest: float, tau_ms: float = 20.0) -> PairSTDP:
    """Return the rule by which inhibitory synapses bring their targets to a rate.

    Parameters
    ----------
    eta : float
        Learning rate, in the unit of the weights.
    target_rate_hz : float
        Rate of the target cells in Hz.
    strongest : float
        Strongest inhibition: the size of the most negative weight, > 0.
    tau_ms : float
        Time constant in ms.

    References
    ----------
    Vogels, Sprekeler, Zenke, Clopath & Gerstner 2011, Science 334:1569, doi 10.1126/science.1211095: at a source spike the
    strength changes by ``eta*(y - 2*rate*tau)``, at a target spike by ``eta*x``; strengths are negative weights here.
    """
    alpha = 2 * target_rate_hz * tau_ms * 1e-3
    return PairSTDP(-eta, eta, tau_ms, tau_ms, -abs(strongest), 0.0, eta * alpha)


class LearnedWeights:
    """The weights of one projection in every trial, and the traces of its neurons.

    Parameters
    ----------
    projection : Projection
        Where it starts from; only synapses that it has can change.
    rule : PairSTDP
        How they change.
    scale : float
        Size of the unit of the weights in SI.
    dtype : dtype
        Of weights and traces.
    n_trials : int
        Trials, each with its own weights.
    dt_ms : float
        Time step.
    """

    def __init__(
        self, projection: Projection, rule: PairSTDP, scale: float, dtype: npt.DTypeLike, n_trials: int, dt_ms: float
    ) -> None:
        weights: Any = projection.weights
        dense: Array = weights.toarray() if projection.sparse else np.asarray(weights)
        n_target, n_source = dense.shape
        start = (dense.astype(np.float64) * scale).astype(dtype).T
        self.projection, self.rule, self.scale, self.dtype = projection, rule, scale, np.dtype(dtype)
        self.synapse, self.delay = _there(projection)
        values = dense[self.synapse.T]
        if values.size and not (rule.low <= values.min() and values.max() <= rule.high):
            raise SpecError(
                f"projection {projection.name}: weights from {values.min():.3g} to {values.max():.3g}; the rule allows "
                f"{rule.low:g} to {rule.high:g}."
            )
        self.weights = np.broadcast_to(start, (n_trials, n_source, n_target)).copy()
        self.ones = np.ones((n_source, n_target), self.dtype)
        self.x, self.y = np.zeros((n_trials, n_source), self.dtype), np.zeros((n_trials, n_target), self.dtype)
        cut: Any = self.dtype.type
        self.decay = cut(np.exp(-dt_ms / rule.tau_plus_ms)), cut(np.exp(-dt_ms / rule.tau_minus_ms))
        self.one = cut(1)
        self.low, self.high, self.at_source = (cut(one * scale) for one in (rule.low, rule.high, rule.at_source))
        share = 1.0 if rule.bounds == "soft" else scale
        self.a_plus, self.a_minus = cut(rule.a_plus * share), cut(rule.a_minus * share)

    def table(self, events: tuple[Array, Array, Array], delay: int, factors: Array | None) -> tuple[Array, Array]:
        """Return a table of ones, and what scales it for each event: the present weights of the synapses of one delay."""
        trial, unit, _ = events
        found = self.weights[trial, unit]
        found = found if np.ndim(self.delay) == 0 else np.where(self.delay[unit] == delay, found, self.dtype.type(0))
        return self.ones, found if factors is None else found * factors

    def sent(self, trial: Array, unit: Array) -> npt.NDArray[np.bool_]:
        """Return which source neurons spiked, shape (trial, n_source), from the events of a step."""
        made = np.zeros(self.x.shape, dtype=bool)
        made[trial, unit] = True
        return made

    def step(self, pre: npt.NDArray[np.bool_], post: npt.NDArray[np.bool_]) -> None:
        """Take in the spikes of a step, shapes (trial, n_source) and (trial, n_target), and change the weights."""
        self.x, before = self._trace(self.x, self.decay[0], pre), self.y * self.decay[1]
        trial, unit = np.nonzero(pre)
        if trial.size:
            old = self.weights[trial, unit]
            down = self.a_minus * before[trial] * (old - self.low if self.rule.bounds == "soft" else self.one)
            changed = np.clip(old - down + self.at_source, self.low, self.high)
            self.weights[trial, unit] = np.where(self.synapse[unit], changed, old)
        trial, unit = np.nonzero(post)
        if trial.size:
            old = self.weights[trial, :, unit]
            up = self.a_plus * self.x[trial] * (self.high - old if self.rule.bounds == "soft" else self.one)
            self.weights[trial, :, unit] = np.where(self.synapse[:, unit].T, np.clip(old + up, self.low, self.high), old)
        self.y = self._trace(self.y, self.decay[1], post)

    def _trace(self, trace: Array, decay: Any, spikes: npt.NDArray[np.bool_]) -> Array:
        fallen = trace * decay
        return np.where(spikes, self.one if self.rule.pairing == "nearest" else fallen + self.one, fallen)

    def rest(self) -> None:
        """Forget the spikes, as between two trials, and keep the weights."""
        self.x, self.y = np.zeros_like(self.x), np.zeros_like(self.y)

    def numbers(self) -> Array:
        """Return what a compiled program needs of the rule, in SI: decays of x and y, a_plus, a_minus, low, high, at_source."""
        return np.array([*self.decay, self.a_plus, self.a_minus, self.low, self.high, self.at_source], self.dtype)

    def read(self) -> npt.NDArray[np.float64]:
        """Return the weights in the unit of the port, shape (trial, n_target, n_source)."""
        return np.asarray(self.weights.astype(np.float64).swapaxes(1, 2) / self.scale)


def _there(projection: Projection) -> tuple[npt.NDArray[np.bool_], Any]:
    """Return which synapses there are, shape (n_source, n_target), and their delays: one, or an array of that shape."""
    table: Any = projection.weights
    delays: Any = projection.delay_steps
    if not projection.sparse:
        return (table != 0).T, delays if np.ndim(delays) == 0 else np.asarray(delays).T
    there = np.zeros(table.shape, dtype=bool)
    target, source = table.tocoo().coords
    there[target, source] = True
    if np.ndim(delays) == 0:
        return there.T, delays
    if set(delays[table.data == 0].tolist()) - set(delays[table.data != 0].tolist()):
        raise SpecError(f"projection {projection.name}: synapses of weight 0 with delays of their own; give them a small weight.")
    each = np.zeros(table.shape, dtype=np.int32)
    each[target, source] = delays
    return there.T, each.T
