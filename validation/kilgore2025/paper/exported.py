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
from paper.engine import Floats, network_of
from paper.protocol import Setting
from paper.study import Task


def spec_of(task: Task, folder: Path) -> NetworkSpec:
    """Return a trained network as a spec like any other."""
    return spec_from(task.setting, *_weights(task, folder))


def _weights(task: Task, folder: Path) -> tuple[Floats, Floats]:
    with np.load(task.weights(folder), allow_pickle=False) as file:
        return file["w1"], file["w2"]


def spec_from(s: Setting, w1: Floats, w2: Floats) -> NetworkSpec:
    """Return the spec of the weights of a setting."""
    p = s.protocol
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
            shown, weights = test.select(0, min(n_trials, test.n_trials)), _weights(task, folder)
            kept[key] = compared(spec_of(task, folder), s, weights, shown)
            path.write_text(json.dumps(kept))
        rows.append((f"{s.ratio}:{100 - s.ratio}", f"{s.w1_std:g}", f"{s.noise_std:g}", str(n_trials), *(str(number) for number in kept[key])))
    total, differ = (sum(int(row[column]) for row in rows[1:] for column in columns) for columns in ((4,), (5, 6, 7)))
    return Section(
        "Exported networks: the same spikes everywhere",
        ("One network of each setting, as trained, on the first test images: the engine that trains (float64), the numpy oracle and Brian2's generated C++ (float64).",),
        tuple(rows), f"{differ} of {total} spikes and decisions differ",
    )  # fmt: skip


def compared(spec: NetworkSpec, s: Setting, weights: tuple[Floats, Floats], stimulus: Stimulus) -> list[int]:
    """Return the oracle's spikes, and how many spikes of engine and C++, and decisions of both, are not those of the oracle."""
    oracle, compiled = simulate(spec, stimulus), Backend("cpp_standalone").run(spec, stimulus)
    net = network_of(s.protocol, s.protocol.n_exc(s.ratio), *weights)
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
