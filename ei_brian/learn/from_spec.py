"""Back from a spec to the torch network that it was exported from."""

from __future__ import annotations

import numpy as np
import torch

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import SpecError
from ei_brian.learn.export import export
from ei_brian.learn.network import EINetwork, Layer

__all__ = ["network_from_spec"]


@takes_numbers()
def network_from_spec(spec: NetworkSpec) -> EINetwork:
    """Return the `EINetwork` whose export is this network, to go on training it or to ask torch for its spikes.

    Raises
    ------
    SpecError
        If the network was not exported from an `EINetwork`, or was changed since: its export would not have the same hash.
    """
    layers = _layers(spec)
    if not layers or not {"input", "out"} <= {population.name for population in spec.populations} or spec.readout is None:
        raise SpecError(f"network {spec.name}: is not an exported EINetwork; torch cannot run it.")
    names = {projection.name for projection in spec.projections}
    first = "" if len(layers) == 1 else "1"
    exc, inh, out = spec[f"E{first}"], f"I{first}", spec["out"]
    taus = {"exc": exc.parameters, "inh": spec[inh].parameters if layers[0].n_inh else exc.parameters, "out": out.parameters}
    try:
        times = {
            f"tau_{kind}_{cell}_ms": float(np.asarray(values[f"tau_{kind}"]))
            for cell, values in taus.items()
            for kind in ("mem", "syn")
        }
        net = EINetwork(
            spec["input"].size, [layer.n_exc for layer in layers], [layer.n_inh for layer in layers], out.size, spec.dt_ms,
            recurrent=f"E{first}_E{first}" in names, dale=exc.role == "exc", readout=spec.readout.kind,
            cell="spytorch" if exc.model == "spytorch_lif" else "lif_exponential", **times,  # type: ignore[arg-type]
        )  # fmt: skip
        _load_weights(net, spec)
    except (KeyError, TypeError, ValueError, SpecError) as error:
        raise SpecError(f"network {spec.name}: is not an exported EINetwork ({error}); torch cannot run it.") from error
    if export(net, spec.name).sha256 != spec.sha256:
        raise SpecError(f"network {spec.name}: was changed since its export from an EINetwork; torch cannot run it.")
    return net


def _layers(spec: NetworkSpec) -> list[Layer]:
    sizes = {population.name: population.size for population in spec.populations}
    if "E" in sizes:
        return [Layer(sizes["E"], sizes.get("I", 0))]
    layers: list[Layer] = []
    while f"E{len(layers) + 1}" in sizes:
        number = len(layers) + 1
        layers.append(Layer(sizes[f"E{number}"], sizes.get(f"I{number}", 0)))
    return layers


@torch.no_grad()
def _load_weights(net: EINetwork, spec: NetworkSpec) -> None:
    before = ["input"]
    for index, layer in enumerate(net.layers):
        number = "" if len(net.layers) == 1 else str(index + 1)
        cells = [f"E{number}"] + ([f"I{number}"] if layer.n_inh else [])
        net.forward_weights[index].copy_(_block(spec, before, cells))
        if net.recurrent:
            net.recurrent_weights[index].copy_(net.effective(_block(spec, cells, cells), index))
        before = cells[:1]
    net.readout_weights.copy_(net.effective(_block(spec, cells, ["out"]), len(net.layers) - 1))


def _block(spec: NetworkSpec, sources: list[str], targets: list[str]) -> torch.Tensor:
    rows = [np.hstack([spec.projection(f"{source}_{target}").weights for source in sources]) for target in targets]
    return torch.from_numpy(np.vstack(rows).astype(np.float32))
