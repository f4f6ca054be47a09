"""The trained networks as specs, and the proof that every simulator gives their spikes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.interop.spytorch import from_spytorch
from ei_brian.learn.engine.engine import simulate_engine
from ei_brian.sim.backend import Backend
from paper.comparison import Section
from paper.engine import network_of
from paper.study import Task


def spec_of(task: Task, folder: Path) -> NetworkSpec:
    """Return a trained network as a spec like any other."""
    s, p = task.setting, task.setting.protocol
    with np.load(task.weights(folder), allow_pickle=False) as file:
        w1, w2 = file["w1"], file["w2"]
    name = f"kilgore_{s.ratio}_{s.w1_std:g}_{s.noise_std:g}_{s.seed}".replace(".", "p").replace("-", "m")
    made = from_spytorch(
        w1, w2, tau_mem_ms=p.tau_mem_ms, tau_syn_ms=p.tau_syn_ms, dt_ms=p.dt_ms, n_exc=p.n_exc(s.ratio), readout=p.readout, name=name
    )
    return made.with_provenance("trained by the protocol of Kilgore et al. 2025", **s.identity)


def prove(tasks: Sequence[Task], folder: Path, test: Stimulus, n_trials: int = 100) -> Section:
    """Compare the spikes of every network, one of each setting, in the engine that trained it, the oracle and generated C++."""
    rows: list[tuple[str, ...]] = [("E:I", "w1 std", "noise", "trials", "spikes", "engine, float64: differ", "C++: differ", "decisions: differ")]
    total = differ = 0
    for task in _one_of_each(tasks):
        s, p = task.setting, task.setting.protocol
        spec = spec_of(task, folder)
        stimulus = test.select(0, n_trials)
        oracle, compiled = simulate(spec, stimulus), Backend("cpp_standalone").run(spec, stimulus)
        with np.load(task.weights(folder), allow_pickle=False) as file:
            net = network_of(p, p.n_exc(s.ratio), file["w1"], file["w2"])
        own, scores = simulate_engine(net, stimulus, torch.float64)
        cells = [name for name in ("E", "I") if name in oracle.spikes]
        expected = np.concatenate([np.asarray(oracle.spikes[name].dense(), bool) for name in cells], axis=2)
        in_engine = int(np.sum(np.asarray(own[0].dense(), bool) != expected))
        in_cpp = sum(int(np.sum(np.asarray(compiled.spikes[name].dense(), bool) != np.asarray(oracle.spikes[name].dense(), bool))) for name in cells)
        decided = int(np.sum(scores.argmax(axis=1) != oracle.decisions)) + int(np.sum(compiled.decisions != oracle.decisions))
        total, differ = total + int(expected.sum()), differ + in_engine + in_cpp + decided
        rows.append((f"{s.ratio}:{100 - s.ratio}", f"{s.w1_std:g}", f"{s.noise_std:g}", str(n_trials), str(int(expected.sum())), str(in_engine), str(in_cpp), str(decided)))
    return Section(
        "Exported networks: the same spikes everywhere",
        ("One network of each setting, as trained, on the first test images: the engine that trains (float64), the numpy oracle and Brian2's generated C++ (float64).",),
        tuple(rows), f"{differ} of {total} spikes and decisions differ",
    )  # fmt: skip


def _one_of_each(tasks: Sequence[Task]) -> list[Task]:
    first: dict[tuple[int, float, float], Task] = {}
    for task in tasks:
        if task.part in ("no noise", "noise"):
            first.setdefault((task.setting.ratio, task.setting.w1_std, task.setting.noise_std), task)
    return [first[key] for key in sorted(first)]
