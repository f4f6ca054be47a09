"""The prototype network as a dense torch loop on the GPU: the fastest that a torch user would write without kernels of his own.

    python -m validation.gpu.torch_dense N_TRIALS THRESHOLD

prints seconds of the loop for float32 and for TF32 matrix products, and the mean rate of the hidden cells in Hz.
"""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np
import torch

from validation.benchmarks.network import N_OUTPUT, STEPS, weights
from validation.gpu.large import many_trials

__all__: list[str] = []

DECAY_MEM, DECAY_SYN = float(np.exp(-1 / 20)), float(np.exp(-1 / 5))
G_TO_V = 5 / (5 - 20) * (DECAY_SYN - DECAY_MEM)
BATCH = 10_000


def loop(events: torch.Tensor, threshold: float) -> torch.Tensor:
    """Return the number of hidden spikes of a batch, events of shape (step, trial, unit); nothing waits for the GPU within."""
    w_in, w_rec, w_out = (torch.from_numpy(table).to(events.device) for table in weights())
    n_trials = events.shape[1]
    v = g = torch.zeros(n_trials, w_rec.shape[0], device=events.device)
    v_out = g_out = torch.zeros(n_trials, N_OUTPUT, device=events.device)
    total = torch.zeros((), device=events.device)
    for step in range(STEPS):
        v = v * DECAY_MEM + g * G_TO_V
        z = (v > threshold).float()
        g = g * DECAY_SYN + events[step].float() @ w_in + z @ w_rec
        v = v * (1 - z)
        v_out, g_out = v_out * DECAY_MEM + g_out * G_TO_V, g_out * DECAY_SYN + z @ w_out
        total += z.sum()
    return total


def main(n_trials: int, threshold: float) -> None:
    """Time and print."""
    shown = many_trials(min(n_trials, BATCH)).dense(np.uint8)
    events = torch.from_numpy(np.ascontiguousarray(shown.transpose(1, 0, 2))).cuda()  # once on the device, reused for each batch
    found, spikes = [], 0.0
    with torch.no_grad():
        for tf32 in (False, True):
            torch.backends.cuda.matmul.allow_tf32 = tf32
            loop(events, threshold)
            torch.cuda.synchronize()
            started = perf_counter()
            for _ in range(-(-n_trials // BATCH)):
                spikes = float(loop(events, threshold))
            torch.cuda.synchronize()
            found.append(perf_counter() - started)
    print(*found, spikes / events.shape[1] / 200 / (STEPS * 1e-3))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
