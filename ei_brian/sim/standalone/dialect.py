"""How the plan of a program speaks to the arrays of the device that it is made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CPP", "CUDA", "DIALECTS", "Dialect"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of program.

    Parameters
    ----------
    header, run : str
        File and class of its run.
    suffix : str
        Of its source.
    array : callable
        ``array(group, variable)`` is the pointer to a state.
    spikes : callable
        ``spikes(group)`` is the list of spikes that the run is given when it is set up.
    weights : callable
        ``weights(projection)`` are pointer and number of the weights of plain Synapses.
    """

    header: str
    run: str
    suffix: str
    array: Callable[[str, str], str]
    spikes: Callable[[str], str]
    weights: Callable[[str], str]


def _host(group: str, variable: str) -> str:
    return f"_array_{group}_{variable}"


def _device(group: str, variable: str) -> str:
    return f"dev_array_{group}_{variable}"


def _host_weights(projection: str) -> str:
    return f"_dynamic_array_{projection}_weight.data(), _dynamic_array_{projection}_weight.size()"


def _device_weights(projection: str) -> str:
    name = f"dev_dynamic_array_{projection}_weight"
    return f"thrust::raw_pointer_cast({name}.data()), {name}.size()"


def _host_list(group: str) -> str:
    return _host(group, "_spikespace")


def _device_list(group: str) -> str:
    return _device(group, "_spikespace") + "[0]"


CPP = Dialect("ei/runtime.h", "ei::Run", "cpp", _host, _host_list, _host_weights)
CUDA = Dialect("ei/device_run.h", "ei::DeviceRun", "cu", _device, _device_list, _device_weights)
DIALECTS = {"cpp_standalone": CPP, "cuda_standalone": CUDA}
