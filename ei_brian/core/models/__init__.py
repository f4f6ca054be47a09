"""The catalogue of neuron models: one file per family; adding a model is adding a file and a line here."""

from __future__ import annotations

from ei_brian.core.models.adex import ADEX
from ei_brian.core.models.hodgkin_huxley import TRAUB_MILES, WANG_BUZSAKI
from ei_brian.core.models.izhikevich_2003 import IZHIKEVICH_2003
from ei_brian.core.models.izhikevich_2007 import IZHIKEVICH_2007
from ei_brian.core.models.lif import LIF_DELTA, LIF_REFRACTORY
from ei_brian.core.models.lif_exponential import LEAKY_READOUT, LIF_EXPONENTIAL
from ei_brian.core.models.nir_neurons import NIR_NEURONS
from ei_brian.core.models.norse_izhikevich import NORSE_IZHIKEVICH
from ei_brian.core.models.norse_lif import NORSE_LIF
from ei_brian.core.models.norse_lsnn import NORSE_LSNN
from ei_brian.core.models.passing import passing_model
from ei_brian.core.models.snntorch_inhibition import SNNTORCH_INHIBITION
from ei_brian.core.models.snntorch_leaky import SNNTORCH_LEAKY
from ei_brian.core.models.snntorch_synaptic import SNNTORCH_SYNAPTIC
from ei_brian.core.models.spikingjelly import SPIKINGJELLY
from ei_brian.core.models.spytorch import SPYTORCH
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.errors import SpecError, unknown_name

__all__ = ["MODELS", "neuron_model"]

MODELS: dict[str, NeuronModel] = {
    model.name: model
    for model in (
        LIF_EXPONENTIAL,
        LEAKY_READOUT,
        LIF_DELTA,
        LIF_REFRACTORY,
        IZHIKEVICH_2003,
        IZHIKEVICH_2007,
        ADEX,
        WANG_BUZSAKI,
        TRAUB_MILES,
        *SNNTORCH_LEAKY,
        *SNNTORCH_SYNAPTIC,
        *SNNTORCH_INHIBITION,
        *NORSE_LIF,
        *NORSE_LSNN,
        *NORSE_IZHIKEVICH,
        *SPIKINGJELLY,
        *SPYTORCH,
        *NIR_NEURONS,
    )
}


def neuron_model(name: str, where: str = "neuron model") -> NeuronModel:
    """Return the model of that name from the catalogue.

    Raises
    ------
    SpecError
        If there is none; the message names the nearest.
    """
    made = MODELS.get(name) or passing_model(name, MODELS)
    if made is None:
        raise SpecError(unknown_name(f"{where}.model", name, MODELS))
    return made
