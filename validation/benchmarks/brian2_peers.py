"""Plain Brian2 as a user writes it: sample by sample, and all samples side by side with block-diagonal Synapses.

    python -m validation.benchmarks.brian2_peers runtime numpy|cython N_TRIALS REPEATS
    python -m validation.benchmarks.brian2_peers blocks N_TRIALS REPEATS FOLDER

prints JSON: seconds of the simulation loop per trial of each repeat, the mean rate of the hidden cells in Hz, and the seconds
until the first trial could run.
"""

from __future__ import annotations

import json
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


def runtime(target: str, n_trials: int, repeats: int) -> dict[str, Any]:
    """Return the measurement of one trial after the other, with store and restore."""
    begun = perf_counter()
    brian2.prefs.codegen.target = target
    brian2.defaultclock.dt = 1 * ms
    w_in, w_rec, w_out = weights()
    given = stimulus(n_trials)
    source = SpikeGeneratorGroup(N_INPUT, [], [] * ms)
    hidden = NeuronGroup(w_rec.shape[0], LIF, **CELLS)
    out = NeuronGroup(N_OUTPUT, LIF, method="exact", namespace={})
    joined = [_synapses(source, hidden, w_in, 1), _synapses(hidden, hidden, w_rec, 1), _synapses(hidden, out, w_out, 1)]
    monitor = SpikeMonitor(hidden)
    network = Network(source, hidden, out, joined, monitor)
    network.run(0 * ms)
    network.store()

    def one_by_one(trials: range) -> int:
        spikes = 0
        for trial in trials:
            network.restore()
            events = given.select(trial, trial + 1).events
            source.set_spikes(events.unit, events.step * ms)
            network.run(STEPS * ms, namespace={})
            spikes += int(monitor.num_spikes)
        return spikes

    one_by_one(range(1))  # compiles
    build, seconds, total = perf_counter() - begun, [], 0
    for _ in range(repeats):
        started = perf_counter()
        total = one_by_one(range(n_trials))
        seconds.append((perf_counter() - started) / n_trials)
    return {"seconds": seconds, "rate_hz": total / n_trials / w_rec.shape[0] / (STEPS * 1e-3), "build_s": build}


def blocks(n_trials: int, repeats: int, folder: str) -> dict[str, Any]:
    """Return the measurement of all trials side by side in compiled C++, built once."""
    begun = perf_counter()
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
    build, seconds = perf_counter() - begun, []
    for _ in range(repeats):
        brian2.device.run(folder)
        seconds.append(float(brian2.device._last_run_time) / n_trials)
    rate = float(np.sum(monitor.count[:])) / n_trials / w_rec.shape[0] / (STEPS * 1e-3)
    return {"seconds": seconds, "rate_hz": rate, "build_s": build}


if __name__ == "__main__":
    if sys.argv[1] == "runtime":
        print(json.dumps(runtime(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        print(json.dumps(blocks(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
