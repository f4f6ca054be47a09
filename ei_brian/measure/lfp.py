"""A proxy of the local field potential from synaptic currents."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ei_brian.core.input_current import input_currents
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.measure.deviation import deviations

__all__ = ["lfp_proxy"]

AMPA_DELAY_MS, GABA_WEIGHT = 6.0, 1.65


@takes_numbers()
def lfp_proxy(
    spec: NetworkSpec, recording: Recording, stimulus: Stimulus, population: str, ampa_delay_ms: float = AMPA_DELAY_MS,
    gaba_weight: float = GABA_WEIGHT,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Return the reference weighted sum of the synaptic currents into excitatory cells, shape (trial, step), without a unit.

    The sum over cells of ``|I_exc(t - 6 ms)| - 1.65 |I_inh(t)|``, less its mean and over its standard deviation in each trial.

    Parameters
    ----------
    spec, recording, stimulus : NetworkSpec, Recording, Stimulus
        What was run; where synapses are conductances, with the trace of ``v`` of the population (see `input_currents`).
    population : str
        The excitatory cells; they stand for pyramidal cells whose excitation and inhibition end in different places.
    ampa_delay_ms, gaba_weight : float
        The delay and the weight of the publication.

    Notes
    -----
    It was found for a network of LIF cells with conductances, whose currents were put into pyramidal cells of reconstructed form.
    Where a network has trained currents it is the same sum, but was not compared there.

    References
    ----------
    Mazzoni, Lindén, Cuntz, Lansner, Panzeri & Einevoll 2015, PLoS Comput. Biol. 11:e1004584, doi 10.1371/journal.pcbi.1004584.
    """
    if not (np.isfinite(ampa_delay_ms) and ampa_delay_ms >= 0 and np.isfinite(gaba_weight)):
        raise DataError(f"lfp_proxy: delay {ampa_delay_ms!r} ms, weight {gaba_weight!r}; give a delay of 0 or more.")
    currents = input_currents(spec, recording, stimulus, population)
    exc, inh = (np.abs(one).sum(axis=2) for one in (currents.excitatory, currents.inhibitory))
    late = round(ampa_delay_ms / recording.dt_ms)
    delayed = np.zeros_like(exc)
    delayed[:, late:] = exc[:, : max(exc.shape[1] - late, 0)]
    raw = delayed - gaba_weight * inh
    changes = deviations(raw, 1)
    spread = np.sqrt(np.square(changes).mean(axis=1, keepdims=True))
    return np.asarray(changes / np.where(spread > 0, spread, 1.0))
