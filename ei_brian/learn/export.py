"""From a trained torch network to a spec, and the network's own forward pass as an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.schedule import Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.learn.network import EINetwork

__all__ = ["export", "simulate_torch"]


@takes_numbers()
def export(net: EINetwork, name: str = "network") -> NetworkSpec:
    """Return a trained network as arrays and model names: no torch in it, weights float32 exactly as trained.

    Cells are those of `EINetwork` in the catalogue: ``lif_exponential``, or ``spytorch_lif`` in SpyTorch's order of a step.
    Populations ``input``, ``E`` and ``I`` (``E1``, ``I1``, ``E2`` … with several layers; no I where there is none), ``out``.
    """
    populations = [Population("input", net.n_in, "input")]
    projections: list[Projection] = []
    before: list[tuple[str, slice]] = [("input", slice(None))]
    for index, layer in enumerate(net.layers):
        number = "" if len(net.layers) == 1 else str(index + 1)
        parts = [(f"E{number}", slice(0, layer.n_exc), "exc"), (f"I{number}", slice(layer.n_exc, layer.size), "inh")]
        parts = [part for part in parts if part[1].stop > part[1].start]
        populations += [_population(net, name_, rows, kind) for name_, rows, kind in parts]
        incoming = _array(net.forward_weights[index])
        projections += [_projection(net, source, target, incoming[rows]) for source, _ in before for target, rows, _ in parts]
        if net.recurrent:
            loop = _array(net.effective(net.recurrent_weights[index], index))
            projections += [_projection(net, s, t, loop[to, of]) for s, of, _ in parts for t, to, _ in parts]
        before = [(parts[0][0], parts[0][1])]
        last = parts
    outgoing = _array(net.effective(net.readout_weights, len(net.layers) - 1))
    out = {"tau_mem": net.tau_mem_ms["out"], "tau_syn": net.tau_syn_ms["out"]}
    readout = "spytorch_readout" if net.cell == "spytorch" else "leaky_readout"
    populations.append(Population("out", net.n_out, "readout", readout, parameters=out))
    projections += [_projection(net, source, "out", outgoing[:, of]) for source, of, _ in last]
    schedule = _spytorch_schedule(populations, projections) if net.cell == "spytorch" else ()
    made = NetworkSpec(tuple(populations), tuple(projections), net.dt_ms, Readout("out", net.readout), schedule, name=name)
    sizes = [[layer.n_exc, layer.n_inh] for layer in net.layers]
    return made.with_provenance("export from EINetwork", torch=torch.__version__, layers=sizes, dale=net.dale, seed=net.seed)


def _array(weights: torch.Tensor) -> npt.NDArray[np.float32]:
    return weights.detach().cpu().numpy().astype(np.float32)


def _projection(net: EINetwork, source: str, target: str, weights: npt.NDArray[np.float32]) -> Projection:
    port = "drive" if net.cell == "spytorch" else "g"
    return Projection(source, target, weights + np.float32(0.0), port)  # turns -0.0 into 0.0


def _spytorch_schedule(populations: Sequence[Population], projections: Sequence[Projection]) -> tuple[Phase, ...]:
    """Return SpyTorch's order: what arrives in a step moves the current of the next; the readout takes the spikes of its step."""
    cells = [population.name for population in populations if population.role not in ("input", "readout")]
    return (
        *(Phase("update", name) for name in cells),
        *(Phase("threshold", name) for name in cells),
        *(Phase("propagate", projection.name) for projection in projections),
        Phase("update", "out"),
        *(Phase("reset", name) for name in cells),
    )


def _population(net: EINetwork, name: str, rows: slice, kind: str) -> Population:
    role = kind if net.dale else "mixed"
    parameters = {"tau_mem": net.tau_mem_ms[kind], "tau_syn": net.tau_syn_ms[kind], "v_threshold": 1.0}
    model = "spytorch_lif" if net.cell == "spytorch" else "lif_exponential"
    return Population(name, rows.stop - rows.start, role, model, parameters=parameters)


@torch.no_grad()
@takes_numbers()
def simulate_torch(
    net: EINetwork, stimulus: Stimulus, dtype: torch.dtype = torch.float64, batch_size: int = 256
) -> tuple[dict[str, Spikes], npt.NDArray[np.float64]]:
    """Return the spikes of each population and the scores (trial, class) of the network's own forward pass.

    Parameters
    ----------
    net : EINetwork
        The trained network.
    stimulus : Stimulus
        Its input.
    dtype : torch.float64 or torch.float32
        Precision of states and weights.
    batch_size : int
        Trials per pass; bounds the memory.
    """
    kept: dict[str, list[Any]] = {}
    scores = []
    for start in range(0, stimulus.n_trials, batch_size):
        part = stimulus.select(start, min(start + batch_size, stimulus.n_trials))
        activity = net(torch.from_numpy(np.asarray(part.dense(np.float32))).to(dtype))
        scores.append(activity.scores(net.readout).double().numpy())
        for index, (layer, z) in enumerate(zip(net.layers, activity.spikes, strict=True)):
            number = "" if len(net.layers) == 1 else str(index + 1)
            kept.setdefault(f"E{number}", []).append(z[:, :, : layer.n_exc].numpy().astype(np.uint8))
            if layer.n_inh:
                kept.setdefault(f"I{number}", []).append(z[:, :, layer.n_exc :].numpy().astype(np.uint8))
    spikes = {name: Spikes.from_dense(np.concatenate(parts), stimulus.dt_ms) for name, parts in kept.items()}
    return spikes, np.concatenate(scores)
