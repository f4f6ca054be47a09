"""The same network in torch: a dense loop over time, and the nearest neurons of snnTorch, Norse and SpikingJelly.

    python -m validation.benchmarks.torch_peers dense|snntorch|norse|spikingjelly N_TRIALS THREADS DTYPE REPEATS

prints JSON: seconds per trial of each repeat, the mean rate of the hidden cells in Hz, and by how many seconds
the first pass was longer than a later one. One batch, evaluation mode, no gradients.
The neurons of the frameworks differ from ours in detail; thresholds are set for rates within about 20 % of ours.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch

from validation.benchmarks.network import N_OUTPUT, STEPS, THRESHOLD, stimulus, weights

__all__: list[str] = []

DECAY_MEM, DECAY_SYN = float(np.exp(-1 / 20)), float(np.exp(-1 / 5))
G_TO_V = 5 / (5 - 20) * (DECAY_SYN - DECAY_MEM)


def _tables(dtype: torch.dtype) -> list[torch.Tensor]:
    return [torch.tensor(table).to(dtype) for table in weights()]


def dense(events: torch.Tensor) -> float:
    """Return the number of hidden spikes; the recurrence that ours computes, as matrix products."""
    w_in, w_rec, w_out = _tables(events.dtype)
    n_trials, total = events.shape[1], 0.0
    v = g = torch.zeros(n_trials, w_rec.shape[0], dtype=events.dtype)
    v_out = g_out = torch.zeros(n_trials, N_OUTPUT, dtype=events.dtype)
    for step in range(STEPS):
        v = v * DECAY_MEM + g * G_TO_V
        z = (v > THRESHOLD).to(events.dtype)
        g = g * DECAY_SYN + events[step] @ w_in + z @ w_rec
        v = v * (1 - z)
        v_out, g_out = v_out * DECAY_MEM + g_out * G_TO_V, g_out * DECAY_SYN + z @ w_out
        total += float(z.sum())
    return total


def snntorch(events: torch.Tensor) -> float:
    """Return the number of hidden spikes of `snntorch.Synaptic`."""
    import snntorch as snn

    w_in, w_rec, w_out = _tables(events.dtype)
    cell = snn.Synaptic(alpha=DECAY_SYN, beta=DECAY_MEM, threshold=THRESHOLD / (1 - DECAY_MEM), reset_mechanism="zero")
    readout = snn.Synaptic(alpha=DECAY_SYN, beta=DECAY_MEM, reset_mechanism="none")
    syn, mem = cell.init_synaptic()
    syn_out, mem_out = readout.init_synaptic()
    z, total = torch.zeros(events.shape[1], w_rec.shape[0], dtype=events.dtype), 0.0
    for step in range(STEPS):
        z, syn, mem = cell(events[step] @ w_in + z @ w_rec, syn, mem)
        _, syn_out, mem_out = readout(z @ w_out, syn_out, mem_out)
        total += float(z.sum())
    return total


def norse(events: torch.Tensor) -> float:
    """Return the number of hidden spikes of `norse.torch.LIFCell`."""
    import norse.torch as nt

    w_in, w_rec, w_out = _tables(events.dtype)
    parameters = nt.LIFParameters(
        tau_syn_inv=torch.tensor(200.0), tau_mem_inv=torch.tensor(50.0), v_th=torch.tensor(THRESHOLD)
    )
    cell, readout = nt.LIFCell(parameters, dt=0.001), nt.LICell(dt=0.001)
    state = state_out = None
    z, total = torch.zeros(events.shape[1], w_rec.shape[0], dtype=events.dtype), 0.0
    for step in range(STEPS):
        z, state = cell(events[step] @ w_in + z @ w_rec, state)
        _, state_out = readout(z @ w_out, state_out)
        total += float(z.sum())
    return total


def spikingjelly(events: torch.Tensor) -> float:
    """Return the number of hidden spikes of SpikingJelly's `LIFNode`, its synapses written out."""
    from spikingjelly.activation_based import neuron

    w_in, w_rec, w_out = _tables(events.dtype)
    cell = neuron.LIFNode(tau=20.0, decay_input=True, v_threshold=THRESHOLD, v_reset=0.0, step_mode="s")
    g = z = torch.zeros(events.shape[1], w_rec.shape[0], dtype=events.dtype)
    g_out = v_out = torch.zeros(events.shape[1], N_OUTPUT, dtype=events.dtype)
    total = 0.0
    for step in range(STEPS):
        g = DECAY_SYN * g + events[step] @ w_in + z @ w_rec
        z = cell(g)
        g_out = DECAY_SYN * g_out + z @ w_out
        v_out = DECAY_MEM * v_out + (1 - DECAY_MEM) * g_out
        total += float(z.sum())
    return total


PEERS: dict[str, Callable[[torch.Tensor], float]] = {
    "dense": dense, "snntorch": snntorch, "norse": norse, "spikingjelly": spikingjelly,
}  # fmt: skip


def main(name: str, n_trials: int, threads: int, dtype: str, repeats: int) -> None:
    """Time a peer and print."""
    torch.set_num_threads(threads)
    events = torch.from_numpy(stimulus(n_trials).dense(dtype)).transpose(0, 1).contiguous()
    seconds, spikes = [], 0.0
    with torch.no_grad():
        begun = perf_counter()
        PEERS[name](events)
        first = perf_counter() - begun
        for _ in range(repeats):
            started = perf_counter()
            spikes = PEERS[name](events)
            seconds.append((perf_counter() - started) / n_trials)
    build = max(0.0, first - n_trials * min(seconds)) if seconds else 0.0
    rate = spikes / n_trials / 200 / (STEPS * 1e-3)
    print(json.dumps({"seconds": seconds, "rate_hz": rate, "build_s": build}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
