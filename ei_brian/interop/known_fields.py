"""What a layer of a description may say, and which arrays of a file it may have: anything else is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ei_brian.errors import ConfigError, DataError, unknown_name
from ei_brian.interop.graph import Array

__all__ = ["ASSUMED", "check_arrays", "check_options", "oriented"]

AXES = ("out, in", "in, out")
WEIGHTS = ("weight", "input_weights", "recurrent_weights")
ASSUMED = {
    "snntorch": "weights lie (out, in), kernels (out, in, height, width); every layer sees the spikes of the layer before in "
    "the same "
    "step; a state dict holds no loop, so that the loop is taken to hand states on unchanged",
    "norse": "weights lie (out, in), kernels (out, in, height, width), input_weights and recurrent_weights (out, in); every "
    "layer "
    "sees the spikes of the layer before in the same step",
    "spikingjelly": "weights lie (out, in), kernels (out, in, height, width); every layer sees the spikes of the layer before "
    "in the "
    "same step",
    "torch": "weights lie (out, in) unless axes = 'in, out'; a square one must say which; every layer sees the spikes of the "
    "layer "
    "before in the same step",
    "nir": "constants in seconds as they stand; every layer sees the spikes of the layer before in the same step",
}
LINEAR_OPTIONS: dict[str, str] = {
    "Linear": "in_features out_features bias", "Affine": "bias", "Scale": "",
    "Conv1d": "in_channels out_channels kernel_size stride padding dilation groups padding_mode bias",
    "Conv2d": "in_channels out_channels kernel_size stride padding dilation groups padding_mode bias",
    "AvgPool1d": "kernel_size stride padding ceil_mode count_include_pad",
    "AvgPool2d": "kernel_size stride padding ceil_mode count_include_pad divisor_override",
    "SumPool2d": "kernel_size stride padding", "Flatten": "start_dim end_dim",
    "BatchNorm1d": "num_features eps momentum affine track_running_stats",
    "BatchNorm2d": "num_features eps momentum affine track_running_stats", "Dropout": "p inplace", "Dropout1d": "p inplace",
    "Dropout2d": "p inplace", "Identity": "", "Output": "", "Delay": "",
}  # fmt: skip
LINEAR_ARRAYS: dict[str, str] = {
    "Linear": "weight bias delays", "Affine": "weight bias", "Conv1d": "weight bias", "Conv2d": "weight bias", "Scale": "scale",
    "BatchNorm1d": "weight bias running_mean running_var num_batches_tracked",
    "BatchNorm2d": "weight bias running_mean running_var num_batches_tracked", "Delay": "delay",
}  # fmt: skip
SNNTORCH = (
    "beta threshold spike_grad surrogate_disable init_hidden inhibition learn_beta learn_threshold reset_mechanism state_quant "
    "output graded_spikes_factor learn_graded_spikes_factor reset_delay"
)
RECURRENT = " V all_to_all linear_features conv2d_channels kernel_size learn_recurrent"
SNNTORCH_ARRAYS = "beta threshold graded_spikes_factor reset_mechanism_val mem spk syn syn_exc syn_inh reset"
NORSE_LIF = "dt tau_syn_inv tau_mem_inv v_leak v_th v_reset method alpha"
NORSE_IZHIKEVICH = "dt a b c d v u sq mn bias v_th tau_inv method alpha"
CELL_OPTIONS: dict[tuple[str, str], str] = {
    ("snntorch", "Leaky"): SNNTORCH, ("snntorch", "RLeaky"): SNNTORCH + RECURRENT,
    ("snntorch", "Synaptic"): f"{SNNTORCH} alpha learn_alpha",
    ("snntorch", "RSynaptic"): f"{SNNTORCH} alpha learn_alpha{RECURRENT}",
    ("snntorch", "Alpha"): f"{SNNTORCH} alpha learn_alpha", ("snntorch", "Lapicque"): f"{SNNTORCH} R C time_step",
    **{("norse", kind): NORSE_LIF for kind in ("LIFCell", "LIF", "LIFRecurrentCell", "LIFRecurrent")},
    **{("norse", kind): f"{NORSE_LIF} rho_reset" for kind in (
        "LIFRefracCell", "LIFRefracRecurrentCell", "LIFRefracRecurrent")},
    ("norse", "LIFBoxCell"): "dt tau_mem_inv v_leak v_th v_reset method alpha reset_method",
    **{("norse", kind): "dt tau_syn_inv tau_mem_inv v_leak method alpha" for kind in ("LICell", "LI", "LILinearCell")},
    ("norse", "LIBoxCell"): "dt tau_mem_inv v_leak method alpha",
    **{("norse", kind): "dt v_th v_reset method alpha" for kind in ("IAFCell", "IAF")},
    **{("norse", kind): NORSE_IZHIKEVICH for kind in (
        "IzhikevichCell", "Izhikevich", "IzhikevichRecurrentCell", "IzhikevichRecurrent")},
    **{("norse", kind): f"{NORSE_LIF} adaptation_current adaptation_spike delta_T tau_ada_inv" for kind in (
        "LIFAdExCell", "LIFAdEx", "LIFAdExRecurrentCell", "LIFAdExRecurrent")},
    **{("norse", kind): f"{NORSE_LIF} tau_adapt_inv beta" for kind in (
        "LSNNCell", "LSNN", "LSNNRecurrentCell", "LSNNRecurrent")},
    ("spikingjelly", "IFNode"): "v_threshold v_reset surrogate_function detach_reset step_mode backend store_v_seq",
    ("spikingjelly", "LIFNode"): (
        "tau decay_input v_threshold v_reset surrogate_function detach_reset step_mode backend store_v_seq"),
    ("spikingjelly", "ParametricLIFNode"): (
        "init_tau decay_input v_threshold v_reset surrogate_function detach_reset step_mode backend store_v_seq"),
}  # fmt: skip
CELL_ARRAYS: dict[tuple[str, str], str] = {
    ("snntorch", "RLeaky"): "recurrent.weight recurrent.bias recurrent.V V", ("snntorch", "Synaptic"): "alpha",
    ("snntorch", "RSynaptic"): "alpha recurrent.weight recurrent.bias recurrent.V V", ("snntorch", "Alpha"): "alpha",
    ("snntorch", "Lapicque"): "R C time_step", ("spikingjelly", "ParametricLIFNode"): "w",
}  # fmt: skip
STATES = ("mem", "spk", "syn", "syn_exc", "syn_inh", "reset")


def check_options(framework: str, layer: str, kind: str, options: Mapping[str, Any], is_cell: bool) -> None:
    """Refuse options that a layer does not know.

    Raises
    ------
    ConfigError
        With the nearest name and all that the layer knows.
    """
    if is_cell and framework == "torch":
        return  # its parameters are those of a model, checked where the model is known
    if not is_cell and kind not in LINEAR_OPTIONS:
        return  # refused by name where it is read
    known = (CELL_OPTIONS[framework, kind] if is_cell else LINEAR_OPTIONS[kind]).split()
    extra = ("axes",) if kind == "Linear" and framework == "torch" else ()
    for key in options:
        if key not in known and key not in extra:
            raise ConfigError(unknown_name(f"layer {layer} ({kind})", key, (*known, *extra)))


def check_arrays(framework: str, layer: str, kind: str, arrays: Mapping[str, Array], is_cell: bool) -> None:
    """Refuse arrays that a layer does not use.

    Raises
    ------
    DataError
        With what the layer uses, and how to leave an array out.
    """
    if (is_cell and framework == "torch") or (not is_cell and kind not in LINEAR_OPTIONS):
        return
    known = _known_arrays(framework, kind, is_cell)
    for key, array in arrays.items():
        if key not in known:
            raise DataError(
                f"layer {layer} ({kind}).{key}: the layer does not use such an array; it has {_listed(known)}. If it plays no "
                f"part in what the layer computes, leave it out by ignore = ['{layer}.{key}'] in the description; if it does, "
                "multiply a mask or sign into the weights first, and give delays as NAME.delays of a Linear (whole steps, one "
                "for each weight) or as a layer of type Delay."
            )
        if key in STATES and np.any(array):
            raise DataError(
                f"layer {layer} ({kind}).{key}: a state that was saved in the middle of a run; a network starts from 0. Save "
                f"the state dict after a reset, or name it in ignore = ['{layer}.{key}']."
            )


def _known_arrays(framework: str, kind: str, is_cell: bool) -> tuple[str, ...]:
    if not is_cell:
        return tuple(LINEAR_ARRAYS.get(kind, "").split())
    if framework == "snntorch":
        return tuple(f"{SNNTORCH_ARRAYS} {CELL_ARRAYS.get((framework, kind), '')}".split())
    if framework == "norse":
        return ("input_weights", "recurrent_weights") if "Recurrent" in kind or kind == "LILinearCell" else ()
    return tuple(CELL_ARRAYS.get((framework, kind), "").split())


def _listed(names: Iterable[str]) -> str:
    names = [name for name in names if name not in STATES]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) if names else "none"


def oriented(
    framework: str, layer: str, kind: str, options: dict[str, Any], arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return options without ``axes`` and weights as (out, in).

    In a loop of one's own nothing says whether a matrix is multiplied from the left or from the right: where its shape does not
    tell either, the description must.

    Raises
    ------
    ConfigError
        For an unknown order of axes, or a square matrix without one.
    """
    axes = options.get("axes")
    if framework != "torch" or not any(name in arrays for name in WEIGHTS):
        return options, arrays
    if axes is not None and axes not in AXES:
        raise ConfigError(unknown_name(f"layer {layer}.axes", axes, AXES))
    made = dict(arrays)
    for name in WEIGHTS:
        weight = arrays.get(name)
        if weight is None or weight.ndim != 2:
            continue
        square = weight.shape[0] == weight.shape[1]
        if square and axes is None and not np.array_equal(weight, weight.T):
            raise ConfigError(
                f"layer {layer} ({kind}).{name}: a square matrix of {weight.shape[0]}, whose orientation nothing shows. Say "
                "axes = \"out, in\" (as nn.Linear has it: W @ s) or axes = \"in, out\" (s @ W) in the description of the layer."
            )
        if axes == "in, out":
            made |= {"delays": np.ascontiguousarray(arrays["delays"].T)} if "delays" in arrays and name == "weight" else {}
            made[name] = np.ascontiguousarray(weight.T)
    return {key: value for key, value in options.items() if key != "axes"}, made
