"""Plain Brian2 as a user writes it: sample by sample, and all samples side by side with block-diagonal Synapses.

    python -m validation.benchmarks.brian2_peers runtime numpy|cython N_TRIALS
    python -m validation.benchmarks.brian2_peers blocks N_TRIALS FOLDER

prints seconds of the simulation loop per trial, and the mean rate of the hidden cells in Hz.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

import brian2
import numpy as np
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, ms

from validation.benchmarks.network import N_INPUT, N_OUTPUT, STEPS, THRESHOLD, stimulus, weights

__all__: list[str] = []

LIF = "dv/dt = (-v + g)/(20*ms) : 1\ndg/dt = -g/(5*ms) : 1"
CELLS = {"threshold": f"v > {THRESHOLD}", "reset": "v = 0", "method": "exact", "namespace": {}}


def _synapses(source: Any, target: Any, table: Any, copies: int) -> Synapses:
    n_source, n_target = table.shape
    made = Synapses(source, target, "w : 1", on_pre="g_post += w", namespace={})
    copy = np.arange(copies)[:, None]
    pre, post = (index.ravel() for index in np.indices(table.shape))
    made.connect(i=(pre + copy * n_source).ravel(), j=(post + copy * n_target).ravel())
    made.w = np.tile(table.ravel().astype(np.float64), copies)
    return made


def runtime(target: str, n_trials: int) -> tuple[float, float]:
    """Return seconds per trial and rate of one trial after the other, with store and restore."""
    brian2.prefs.codegen.target = target
    brian2.defaultclock.dt = 1 * ms
    w_in, w_rec, w_out = weights()
    given = stimulus(n_trials + 1)
    source = SpikeGeneratorGroup(N_INPUT, [], [] * ms)
    hidden = NeuronGroup(w_rec.shape[0], LIF, **CELLS)
    out = NeuronGroup(N_OUTPUT, LIF, method="exact", namespace={})
    joined = [_synapses(source, hidden, w_in, 1), _synapses(hidden, hidden, w_rec, 1), _synapses(hidden, out, w_out, 1)]
    monitor = SpikeMonitor(hidden)
    network = Network(source, hidden, out, joined, monitor)
    network.run(0 * ms)
    network.store()
    total, started = 0, 0.0
    for trial in range(n_trials + 1):  # the first one compiles
        if trial == 1:
            total, started = 0, perf_counter()
        network.restore()
        events = given.select(trial, trial + 1).events
        source.set_spikes(events.unit, events.step * ms)
        network.run(STEPS * ms, namespace={})
        total += int(monitor.num_spikes)
    return (perf_counter() - started) / n_trials, total / n_trials / w_rec.shape[0] / (STEPS * 1e-3)


def blocks(n_trials: int, folder: str) -> tuple[float, float]:
    """Return seconds of the loop per trial and rate of all trials side by side in compiled C++."""
    brian2.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-march=native"]
    brian2.set_device("cpp_standalone", directory=folder, build_on_run=False)
    brian2.defaultclock.dt = 1 * ms
    w_in, w_rec, w_out = weights()
    events = stimulus(n_trials).events
    source = SpikeGeneratorGroup(N_INPUT * n_trials, events.trial * N_INPUT + events.unit, events.step * ms)
    hidden = NeuronGroup(w_rec.shape[0] * n_trials, LIF, **CELLS)
    out = NeuronGroup(N_OUTPUT * n_trials, LIF, method="exact", namespace={})
    pairs = ((source, hidden, w_in), (hidden, hidden, w_rec), (hidden, out, w_out))
    joined = [_synapses(*pair, n_trials) for pair in pairs]
    monitor = SpikeMonitor(hidden, record=False)
    Network(source, hidden, out, joined, monitor).run(STEPS * ms, namespace={})
    brian2.device.build(directory=folder, run=False)
    brian2.device.run(folder)
    seconds = float(brian2.device._last_run_time)
    return seconds / n_trials, float(np.sum(monitor.count[:])) / n_trials / w_rec.shape[0] / (STEPS * 1e-3)


if __name__ == "__main__":
    result = runtime(sys.argv[2], int(sys.argv[3])) if sys.argv[1] == "runtime" else blocks(int(sys.argv[2]), sys.argv[3])
    print(*result)
