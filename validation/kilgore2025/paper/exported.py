"""The trained networks as specs, and the proof that every simulator gives their spikes."""

from __future__ import annotations

import json
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
    path = folder / "exported.json"
    kept: dict[str, list[int]] = json.loads(path.read_text()) if path.exists() else {}
    header = ("E:I", "w1 std", "noise", "trials", "spikes", "engine, float64: differ", "C++: differ", "decisions: differ")
    rows: list[tuple[str, ...]] = [header]
    for task in _one_of_each(tasks):
        s, key = task.setting, f"{task.condition.key}/{n_trials}"
        if key not in kept:
            kept[key] = _compared(task, folder, test.select(0, n_trials))
            path.write_text(json.dumps(kept))
        rows.append((f"{s.ratio}:{100 - s.ratio}", f"{s.w1_std:g}", f"{s.noise_std:g}", str(n_trials), *(str(number) for number in kept[key])))
    total, differ = (sum(int(row[column]) for row in rows[1:] for column in columns) for columns in ((4,), (5, 6, 7)))
    return Section(
        "Exported networks: the same spikes everywhere",
        ("One network of each setting, as trained, on the first test images: the engine that trains (float64), the numpy oracle and Brian2's generated C++ (float64).",),
        tuple(rows), f"{differ} of {total} spikes and decisions differ",
    )  # fmt: skip


def _compared(task: Task, folder: Path, stimulus: Stimulus) -> list[int]:
    """Return the oracle's spikes, and how many spikes of engine and C++, and decisions of both, are not those of the oracle."""
    spec, s, p = spec_of(task, folder), task.setting, task.setting.protocol
    oracle, compiled = simulate(spec, stimulus), Backend("cpp_standalone").run(spec, stimulus)
    with np.load(task.weights(folder), allow_pickle=False) as file:
        net = network_of(p, p.n_exc(s.ratio), file["w1"], file["w2"])
    own, scores = simulate_engine(net, stimulus, torch.float64)
    cells = [name for name in ("E", "I") if name in oracle.spikes]
    expected, made = (
        np.concatenate([np.asarray(recording.spikes[name].dense(), bool) for name in cells], axis=2) for recording in (oracle, compiled)
    )
    decided = np.sum(scores.argmax(axis=1) != oracle.decisions) + np.sum(compiled.decisions != oracle.decisions)
    in_engine, in_cpp = np.sum(np.asarray(own[0].dense(), bool) != expected), np.sum(made != expected)
    return [int(number) for number in (expected.sum(), in_engine, in_cpp, decided)]


def _one_of_each(tasks: Sequence[Task]) -> list[Task]:
    first: dict[tuple[int, float, float], Task] = {}
    for task in tasks:
        if task.part in ("no noise", "noise"):
            first.setdefault((task.setting.ratio, task.setting.w1_std, task.setting.noise_std), task)
    return [first[key] for key in sorted(first)]
