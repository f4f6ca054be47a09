"""The kinds of noise: one row per field of `Noise`, with unit, range, formula and source."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["NOISE_KINDS", "NoiseKind"]


@dataclass(frozen=True, slots=True)
class NoiseKind:
    """One field of `Noise`.

    Parameters
    ----------
    field : str
        Name in `Noise`, in configs and in tables.
    unit : str
        Unit of its level.
    meaning : str
        Formula, in words and symbols.
    reference : str
        Where it comes from; empty for a setting.
    low, high : float
        Range.
    dynamic : bool
        Drawn anew in every step of the simulation; otherwise applied once, before it.
    setting_of : str
        For a setting that does nothing by itself: the fields that it belongs to.
    """

    field: str
    unit: str
    meaning: str
    reference: str
    low: float = 0.0
    high: float = math.inf
    dynamic: bool = True
    setting_of: str = ""


GERSTNER = "Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, ch. 8, doi 10.1017/CBO9781107447615"
DESTEXHE = "Destexhe, Rudolph, Fellous & Sejnowski 2001, Neuroscience 107:13, doi 10.1016/S0306-4522(01)00344-X"
ROCHA = "de la Rocha, Doiron, Shea-Brown, Josic & Reyes 2007, Nature 448:802, doi 10.1038/nature06028"
BRUNEL = "Brunel 2000, J. Comput. Neurosci. 8:183, doi 10.1023/A:1008925309027"
CONDUCTION = (
    "Cox, Denk, Tank & Svoboda 2000, PNAS 97:9724, doi 10.1073/pnas.170278697 (which found conduction into axons reliable: this "
    "noise is a stress beyond what was measured there)"
)
KATZ = "del Castillo & Katz 1954, J. Physiol. 124:560, doi 10.1113/jphysiol.1954.sp005129"
STEIN = "Stein, Gossen & Jones 2005, Nat. Rev. Neurosci. 6:389, doi 10.1038/nrn1668"
MAINEN = "Mainen & Sejnowski 1995, Science 268:1503, doi 10.1126/science.7770778"
AMBROGIO = "Ambrogio et al. 2014, IEEE Trans. Electron Devices 61:2912, doi 10.1109/TED.2014.2330200"
JOSHI = "Joshi et al. 2020, Nat. Commun. 11:2473, doi 10.1038/s41467-020-16108-9"
CHEN = "Chen et al. 2015, IEEE Trans. Comput. 64:180, doi 10.1109/TC.2014.12"
GHOLAMI = "Gholami et al. 2022, in: Low-Power Computer Vision, ch. 13, doi 10.1201/9781003162810-13"
PELGROM = "Pelgrom, Duinmaijer & Welbers 1989, IEEE J. Solid-State Circuits 24:1433, doi 10.1109/JSSC.1989.572629"
BARRETT = "Barrett, Deneve & Machens 2016, eLife 5:e12454, doi 10.7554/eLife.12454"
SWADLOW = "Swadlow & Waxman 2012, Scholarpedia 7:1451, doi 10.4249/scholarpedia.1451"

_ALL = (
    NoiseKind(
        "membrane_white_sd", "standard deviation of the free potential, share of the distance to threshold",
        "white noise current, in each step and cell an independent normal number, of the size that gives the free potential of "
        "each cell (no spikes, at rest under its own constant current) the standard deviation level * D; D: its own "
        "distance from rest to threshold. Solved for each cell by linear response at the step that runs; where nothing holds "
        "the potential, taken after 1 s",
        GERSTNER, high=10.0,
    ),
    NoiseKind(
        "membrane_ou_sd", "standard deviation of the free potential, share of the distance to threshold",
        "Ornstein-Uhlenbeck current with time constant membrane_ou_tau_ms, stationary from the first step, like what a cell "
        "receives from many synapses; of the size that gives the free potential of each cell (no spikes, at rest under its own "
        "constant current) the standard deviation level * D; D: its own distance from rest to threshold",
        DESTEXHE, high=10.0,
    ),
    NoiseKind(
        "membrane_ou_tau_ms", "ms", "time constant of the Ornstein-Uhlenbeck current", DESTEXHE, low=1e-3, high=1e6,
        setting_of="membrane_ou_sd",
    ),
    NoiseKind(
        "correlation", "1", "share of the variance of membrane_white_sd and membrane_ou_sd that all neurons have in common: "
        "xi = sqrt(1 - c) * own + sqrt(c) * common, so that the correlation of two neurons' noise is c",
        ROCHA, high=1.0, setting_of="membrane_white_sd, membrane_ou_sd",
    ),
    NoiseKind(
        "background_exc_hz", "Hz per neuron", "Poisson background of excitatory spikes on every spiking neuron, on its "
        "excitatory port (never GABA_A), each with the charge of background_exc_weight mean excitatory synapses; on average at "
        "most 4 per step and neuron, any number may arrive",
        BRUNEL, high=1e6,
    ),
    NoiseKind("background_inh_hz", "Hz per neuron", "the same of inhibitory spikes", BRUNEL, high=1e6),
    NoiseKind(
        "background_exc_weight", "mean synapses", "strength of an excitatory background spike", "", high=1e6,
        setting_of="background_exc_hz",
    ),
    NoiseKind(
        "background_inh_weight", "mean synapses", "strength of an inhibitory background spike", "", high=1e6,
        setting_of="background_inh_hz",
    ),
    NoiseKind(
        "spike_failure", "probability", "a spike of a neuron of the network is lost on its axon: the neuron resets, no target "
        "is reached, short-term plasticity does not change", CONDUCTION, high=1.0,
    ),
    NoiseKind(
        "release_failure", "probability", "each synapse fails by itself at each spike; a release is larger by 1/(1 - level), so "
        "that the mean of the weight is kept", KATZ, high=1.0 - 1e-6,
    ),
    NoiseKind(
        "quantal_cv", "1", "coefficient of variation of each release, log-normal with mean 1: weight * exp(s*xi - s*s/2), "
        "s*s = log(1 + level**2)", KATZ, high=10.0,
    ),
    NoiseKind(
        "input_deletion", "probability", "each input spike is left out by itself", STEIN, high=1.0, dynamic=False,
    ),
    NoiseKind(
        "input_insertion_hz", "Hz per input unit", "spikes added to the input: in each step and unit with probability "
        "1 - exp(-rate * dt), where there is none", STEIN, high=1e6, dynamic=False,
    ),
    NoiseKind(
        "input_jitter_ms", "ms", "each input spike is moved by a normal number with this standard deviation, rounded to steps; "
        "reflected at the ends of the trial; spikes of a unit that meet become one", MAINEN, high=1e6, dynamic=False,
    ),
    NoiseKind(
        "weight_spread", "standard deviation of log w", "device variability, one draw per synapse: w * exp(s*xi - s*s/2), which "
        "keeps the mean and the sign", AMBROGIO, high=3.0, dynamic=False,
    ),
    NoiseKind(
        "weight_stuck", "probability", "each synapse is stuck at weight 0 by itself", CHEN, high=1.0, dynamic=False,
    ),
    NoiseKind(
        "weight_bits", "bits", "weights rounded to the levels of n bits, n from 2 to 24, 0 for off: k * max|w| / (2**n - 1) of "
        "one sign, k * max|w| / (2**(n-1) - 1) of both; max over the projection", GHOLAMI, high=24.0, dynamic=False,
    ),
    NoiseKind(
        "weight_drift", "decades of time", "conductance drift w * 10**(-nu * level), nu per synapse normal with mean "
        "weight_drift_exponent and standard deviation 0.4 of it, not below 0", JOSHI, high=20.0, dynamic=False,
    ),
    NoiseKind(
        "weight_drift_exponent", "1", "mean drift exponent nu (0.05 for phase-change memory)", JOSHI, high=1.0, dynamic=False,
        setting_of="weight_drift",
    ),
    NoiseKind(
        "threshold_spread", "standard deviation, share of the distance to threshold", "mismatch, one draw per neuron: its "
        "own distance from rest to threshold is multiplied by max(0.05, 1 + s*xi), as far as it still rests",
        PELGROM, high=2.0, dynamic=False,
    ),
    NoiseKind(
        "tau_spread", "standard deviation of log tau", "mismatch, one draw per neuron and time constant: tau * exp(s*xi)",
        PELGROM, high=2.0, dynamic=False,
    ),
    NoiseKind(
        "cell_death", "probability", "each neuron of the network (not of input or readout) is dead by itself: all synapses from "
        "and to it are 0, and so are its constant currents and its noise, and it never fires", BARRETT, high=1.0, dynamic=False,
    ),
    NoiseKind("exc_death", "probability", "the same among excitatory neurons only", BARRETT, high=1.0, dynamic=False),
    NoiseKind("inh_death", "probability", "the same among inhibitory neurons only", BARRETT, high=1.0, dynamic=False),
    NoiseKind(
        "delay_jitter_ms", "ms", "one draw per synapse: max(0, delay + level*xi), rounded to steps", SWADLOW, high=1e4,
        dynamic=False,
    ),
)  # fmt: skip
NOISE_KINDS: dict[str, NoiseKind] = {kind.field: kind for kind in _ALL}
