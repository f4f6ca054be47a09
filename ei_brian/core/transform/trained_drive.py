"""What a trained cell makes of its input, read from the cells of every framework, so that a real cell can take its place."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.models.passing import LARGEST_OF
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.core.steady_cells import SteadyCells
from ei_brian.errors import SpecError

__all__ = ["TrainedDrive", "bias_current", "trained_drive"]



@dataclass(frozen=True, slots=True)
class TrainedDrive:
    """How a leaky cell filters what arrives, averaged over a population.

    Parameters
    ----------
    tau_mem_ms, tau_syn_ms : float
        Decay of the membrane and of the synaptic current; 0 where arrivals move the membrane at once.
    arrival : float
        What, arriving once per decay of the current (where there is none: of half the membrane), holds the membrane at its
        threshold on average.
    """

    tau_mem_ms: float
    tau_syn_ms: float
    arrival: float

    @property
    def tau_ms(self) -> float:
        """The decay that a synaptic current of another cell starts from: the synaptic one, else half of the membrane's."""
        return self.tau_syn_ms or 0.5 * self.tau_mem_ms


def trained_drive(cells: Population, dt_ms: float, where: str) -> TrainedDrive:
    """Return how the cells of a population filter their input.

    Raises
    ------
    SpecError
        For cells that are no leaky integrate-and-fire cells, such as those that were swapped already: the filter is measured on
        the equations of the model, and must be the same everywhere below threshold.
    """
    model = cells.neuron()
    if model.voltage not in re.findall(r"[A-Za-z_]\w*", model.threshold) and cells.own is not None:
        raise SpecError(
            f"{where}: the cells of population {cells.name} are of a class of your own ({cells.model}), whose step decides by "
            "itself when it fires, so that how far its membrane is from a threshold is not known. Write the cell out with a "
            "threshold of its membrane (ei.cell, or [cells.NAME] in a description), or leave this population as it is and name "
            "others."
        )
    unfit = model.input_current or model.margin or not model.spiking or not model.ports
    if unfit or LARGEST_OF.fullmatch(model.name) or _adapting_threshold(model):
        raise SpecError(f"{where}: {_refusal(cells)}")
    seen = _Filter.of(cells, dt_ms)
    if not seen.linear:
        raise SpecError(f"{where}: {_refusal(cells)}")
    if not (0.0 < seen.membrane < 1.0 and 0.0 <= seen.current < 1.0 and seen.gain > 0.0 and seen.threshold > 0.0):
        raise SpecError(
            f"{where}: the cells of population {cells.name} ({cells.model}) have no leak, or rest at their threshold (factor "
            f"of the membrane per step {seen.membrane:g}, threshold {seen.threshold:g} above rest): there is no time constant to "
            "give to another cell. Train with leaky cells."
        )
    mem, syn = (-dt_ms / float(np.log(factor)) if factor else 0.0 for factor in (seen.membrane, seen.current))
    return TrainedDrive(mem, syn, seen.threshold * (syn or 0.5 * mem) / (seen.gain * dt_ms))


@dataclass(frozen=True, slots=True)
class _Filter:
    """What the mean cell of a population does, measured on its own equations.

    Factors of membrane and synaptic current per step, steady potential for an arrival of 1 per step, distance from rest to
    threshold, and whether all of that is the same everywhere below threshold.
    """

    membrane: float
    current: float
    gain: float
    threshold: float
    linear: bool

    @classmethod
    def of(cls, cells: Population, dt_ms: float) -> _Filter:
        model = cells.neuron()
        bias = {p.name for p in model.parameters if p.kind == "constant current"}
        means = {name: 0.0 if name in bias else float(np.mean(np.asarray(value))) for name, value in cells.parameters.items()}
        still = SteadyCells(model, {name: np.full((1, 1), value) for name, value in means.items()}, dt_ms)
        point = model.operating_point(means, 0.0, dt_ms)
        states = {state.name: np.full((1, 1), float(point.states[state.name])) for state in model.states}
        rest, distance = states[still.v], float(point.distance)
        arrival = 1e-6 * distance
        kept = {name: still.own_factor(name, states, 0.0).item() for name in _follow(still, states, arrival)}
        places = rest + distance * np.array([[0.0, 0.4, 0.8]])
        drift = still.drift(places, 0.0, states, still.others())[0]
        slope = np.diff(drift) / np.diff(places[0])
        pushed = still.drift(rest, arrival, states, still.others()).item() - still.drift(rest, 0.0, states, still.others()).item()
        gain = -pushed / arrival / slope[0] if slope[0] else np.inf
        current = max((factor for name, factor in kept.items() if name != still.v), default=0.0)
        membrane = kept.get(still.v, still.own_factor(still.v, states, 0.0).item())
        return cls(_clean(membrane), _clean(current), gain, distance, bool(np.allclose(slope, slope[0], rtol=1e-6, atol=1e-9)))


def _clean(factor: float) -> float:
    """Return a factor without the rounding of the difference that it was measured by."""
    return float(np.round(factor, 9)) if abs(factor - np.round(factor)) < 1e-9 else factor


def _follow(still: SteadyCells, states: dict[str, FloatArray], arrival: float) -> list[str]:
    """Return the states that an arrival moves, at once or later."""
    names: list[str] = []
    base, moved = still.step(states, 0.0), still.step(states, arrival)
    for _ in states:
        names += [name for name in states if name not in names and np.any(moved[name] != base[name])]
        base, moved = still.step(base, 0.0), still.step(moved, 0.0)
    return names


def _adapting_threshold(model: NeuronModel) -> tuple[str, ...]:
    """Return the states in the threshold that a spike changes, the membrane aside."""
    states = {state.name for state in model.states} - {model.voltage}
    asked = set(re.findall(r"[A-Za-z_]\w*", model.threshold)) & states
    changed = {line.split("=")[0].strip() for line in model.reset.splitlines()}
    return tuple(sorted(asked & changed))


def _refusal(cells: Population) -> str:
    if LARGEST_OF.fullmatch(cells.model):
        return (
            f"the cells of population {cells.name} take the largest of several sums ({cells.model}), and real cells add up what "
            "arrives. Train with the pooling behind the cells (of spikes it becomes relays), or with AvgPool2d; or leave this "
            "population as it is and name others."
        )
    if adapting := _adapting_threshold(cells.neuron()):
        return (
            f"the threshold of population {cells.name} ({cells.model}) moves with each spike (state {', '.join(adapting)}); "
            "a cell of another type would lose that adaptation. Leave this population as it is and name others, or train cells "
            "with a fixed threshold."
        )
    if cells.neuron().margin:
        return (
            f"of population {cells.name} only the neuron furthest above its threshold fires ({cells.model}), and cells of real "
            "types do not compete like that. Train with inhibition=False, and inhibitory neurons instead."
        )
    return (
        f"population {cells.name} is of model {cells.model!r}, which has no trained drive that a current can be made of. Leaky "
        "integrate-and-fire cells have one: 'lif_exponential', and those of snnTorch (Leaky, Synaptic, Lapicque, their recurrent "
        "forms), Norse (LIF, LIFBox, LIFRefrac), SpikingJelly (LIFNode, ParametricLIFNode), SpyTorch and NIR (LIF, CubaLIF). "
        "Diversify the network as it was trained, before other transforms."
    )


def bias_current(cells: Population, gain: npt.ArrayLike, tau_ms: npt.ArrayLike, dt_ms: float) -> FloatArray:
    """Return the current that a bias of trained cells, which arrives in every step, holds in synapses of this gain and decay."""
    bias = np.zeros(())
    for parameter in cells.neuron().parameters:
        if parameter.kind == "constant current":
            bias = bias + np.asarray(cells.parameters[parameter.name], dtype=np.float64)
    held: FloatArray = np.asarray(gain) * bias * np.asarray(tau_ms, dtype=np.float64) / dt_ms  # charge of one, once per step
    return held
