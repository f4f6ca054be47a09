"""What a trained cell makes of its input, read from the cells of every framework, so that a real cell can take its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.population import Population
from ei_brian.core.quantity import FloatArray
from ei_brian.errors import SpecError

__all__ = ["TrainedDrive", "bias_current", "trained_drive"]

Values = Mapping[str, float]
WITHOUT_LEAK = ("norse_iaf", "spikingjelly_if", "nir_if", "nir_threshold")


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


Filter = tuple[float, float, float, float]  # factors of membrane and current per step, steady v for an input of 1 per step, rest


def _decays(p: Values) -> Filter:
    return p["decay"], 0.0, 1.0 / (1.0 - p["decay"]), 0.0


def _lapicque(p: Values) -> Filter:
    return p["decay"], 0.0, p["resistance"] * p["inverse_rc"] * p["time_step"] / (1.0 - p["decay"]), 0.0


def _synaptic(p: Values) -> Filter:
    return p["decay"], p["decay_syn"], 1.0 / ((1.0 - p["decay"]) * (1.0 - p["decay_syn"])), 0.0


def _norse(p: Values) -> Filter:
    return 1.0 - p["rate_mem"], 1.0 - p["rate_syn"], 1.0 / p["rate_syn"], p["v_leak"]


def _norse_box(p: Values) -> Filter:
    return 1.0 - p["rate_mem"], 0.0, 1.0, p["v_leak"]


def _jelly(p: Values) -> Filter:
    return 1.0 - _rate(p), 0.0, 1.0, p.get("v_reset", 0.0)


def _jelly_whole(p: Values) -> Filter:
    return 1.0 - _rate(p), 0.0, 1.0 / _rate(p), p.get("v_reset", 0.0)


def _rate(p: Values) -> float:
    return p["rate"] if "rate" in p else 1.0 / p["tau"]


def _nir(p: Values) -> Filter:
    return 1.0 - p["rate_mem"], 0.0, p["resistance"], p["v_leak"]


def _nir_current(p: Values) -> Filter:
    return 1.0 - p["rate_mem"], 1.0 - p["rate_syn"], p["resistance"] * p["jump"] / p["rate_syn"], p["v_leak"]


FILTERS: dict[str, Callable[[Values], Filter]] = {
    "snntorch_leaky": _decays, "snntorch_rleaky": _decays, "snntorch_lapicque": _lapicque,
    "snntorch_synaptic": _synaptic, "snntorch_rsynaptic": _synaptic, "spytorch_lif": _synaptic,
    "norse_lif": _norse, "norse_lif_recurrent": _norse, "norse_lif_refractory": _norse, "norse_lif_refractory_recurrent": _norse,
    "norse_lif_box": _norse_box, "spikingjelly_lif": _jelly, "spikingjelly_plif": _jelly,
    "nir_lif": _nir, "nir_cuba_lif": _nir_current,
}  # fmt: skip
ENDINGS = ("_at_once", "_subtract", "_zero", "_none", "_hard", "_soft")


def trained_drive(cells: Population, dt_ms: float, where: str) -> TrainedDrive:
    """Return how the cells of a population filter their input.

    Raises
    ------
    SpecError
        For cells that are no leaky integrate-and-fire cells, such as those that were swapped already.
    """
    if cells.model == "lif_exponential":
        names = ("tau_mem", "tau_syn", "v_threshold")
        return TrainedDrive(*(float(np.mean(np.asarray(cells.parameters[name]))) for name in names))
    whole = cells.model.endswith("_whole_input")
    kind = cells.model.removesuffix("_whole_input")
    for ending in ENDINGS:
        kind = kind.removesuffix(ending)
    if kind not in FILTERS:
        raise SpecError(f"{where}: {_refusal(cells, kind)}")
    values = {name: float(np.mean(np.asarray(value))) for name, value in cells.parameters.items()}
    for factor in cells.neuron().coefficients:  # decays, where a cell has time constants
        values[factor.name] = float(np.mean(factor.value(cells.parameters, dt_ms)))  # type: ignore[arg-type]
    membrane, current, gain, rest = (_jelly_whole if whole else FILTERS[kind])(values)
    threshold = values["v_threshold"] - rest
    if not (0.0 < membrane < 1.0 and 0.0 <= current < 1.0 and gain > 0.0 and threshold > 0.0):
        raise SpecError(
            f"{where}: the cells of population {cells.name} have no leak, or rest at their threshold (decay per step "
            f"{membrane:g}, threshold {threshold:g} above rest); there is no time constant to give to another cell."
        )
    mem, syn = (-dt_ms / float(np.log(factor)) if factor else 0.0 for factor in (membrane, current))
    return TrainedDrive(mem, syn, threshold * (syn or 0.5 * mem) / (gain * dt_ms))


def _refusal(cells: Population, kind: str) -> str:
    if kind in WITHOUT_LEAK:
        return (
            f"population {cells.name} is of model {cells.model!r}, which has no leak: there is no time constant to give to "
            "another cell. Train with leaky cells."
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
    for name in ("bias", "recurrent_bias"):
        bias = bias + np.asarray(cells.parameters.get(name, 0.0), dtype=np.float64)
    held: FloatArray = np.asarray(gain) * bias / (1.0 - np.exp(-dt_ms / np.asarray(tau_ms, dtype=np.float64)))
    return held
