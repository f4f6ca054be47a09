"""Evidence accumulation: a decision variable over time, learned, taken to Brian2 and to FS/LTS interneurons; what remains of it.

Two groups of inputs fire at rates that differ by the strength of the trial; the network shall put out the running difference of
their spikes, leaking with 200 ms. Trained with torch by the mean squared error at every step; measured on other trials.

    python validation/experiments/evidence.py validation/experiments/evidence.csv [epochs] [backend] [draws]

The trained network is kept as ``evidence.h5`` beside the table, and used again where it is there.
"""

from __future__ import annotations

import csv
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import ei_brian as ei
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.measure.choice import agreement, choices_at, psychometric
from ei_brian.report.model_check import torch_spikes
from ei_brian.report.output_validation import validate_output
from ei_brian.report.settings import Settings
from ei_brian.storage import load_spec

N_STEPS, N_IN, LEAK_MS = 150, 20, 200.0
STRENGTHS = np.array([-0.8, -0.4, -0.2, -0.1, 0.1, 0.2, 0.4, 0.8])


def trials(n: int, seed: int) -> tuple[Stimulus, np.ndarray]:
    """Return trials with their targets, and the strength of each."""
    rng = np.random.default_rng(seed)
    strength = rng.choice(STRENGTHS, n)
    side = np.repeat([1.0, -1.0], N_IN // 2)
    rate_hz = 40.0 * (1 + strength[:, None, None] * side[None, None, :])
    spikes = rng.random((n, N_STEPS, N_IN)) < rate_hz * 1e-3
    level, course = np.zeros(n), np.zeros((n, N_STEPS, 2))
    for step in range(N_STEPS):
        level = level * np.exp(-1 / LEAK_MS) + (spikes[:, step] @ side) / 20
        course[:, step] = np.stack([level, -level], axis=1)
    labels = (strength < 0).astype(int)
    return Stimulus(Spikes.from_dense(spikes, 1.0), labels, 2, f"evidence/{seed}", targets=Targets(course, 1.0)), strength


def trained(shown: Stimulus, epochs: int, seed: int) -> ei.EINetwork:
    """Return a network that was trained on the targets."""
    torch.manual_seed(seed)
    net = ei.EINetwork(N_IN, 48, 12, 2, seed=seed, tau_mem_out_ms=60.0, readout="last v")
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    events = torch.from_numpy(np.asarray(shown.dense(np.float32)))
    wanted = torch.from_numpy(shown.targets.values.astype(np.float32))  # type: ignore[union-attr]
    order = np.random.default_rng(seed)
    for epoch in range(epochs):
        for part in np.array_split(order.permutation(shown.n_trials), 4):
            activity = net(events[part])
            rate = sum(z.mean() for z in activity.spikes)
            loss = (activity.readout_v - wanted[part]).square().mean() + 0.01 * torch.relu(rate - 0.04)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            net.enforce_dale()
        print(epoch, round(float(loss.detach()), 5), round(float(rate.detach()) * 1e3, 1), "Hz", flush=True)
    return net


def main(path: str, epochs: int = 20, backend: str = "cpp_standalone", draws: int = 3) -> None:
    """Train, validate, measure, and write the numbers."""
    train, _ = trials(240, 1)
    calibration, _ = trials(60, 2)
    test, strength = trials(120, 3)
    kept = Path(path).with_suffix(".h5")
    spec = load_spec(kept) if kept.exists() else ei.export(trained(train, epochs, 1))
    spec.save(kept)
    settings = Settings(mix={"FS": 0.6, "LTS": 0.4}, draws=draws, backend=backend)
    found = validate_output(spec, test, calibration, settings, torch_spikes=torch_spikes(spec, test))
    rows = []
    intact = choices_at(found.trained.outputs[0], N_STEPS, 1.0)
    for rung in found.rungs:
        for measure in ("r_squared", "correlation", "rmse"):
            one = rung.mean(measure)
            rows.append([rung.name, measure, one.mean, one.low, one.high, one.n])
        chosen = choices_at(rung.outputs[0], N_STEPS, 1.0)
        same, curve = agreement(intact, chosen), psychometric(1 - chosen, strength)
        rows.append([rung.name, "choices as of the trained network, first draw", same.value, same.low, same.high, same.n])
        rows.append([rung.name, "slope of the psychometric curve, first draw", curve.slope, "", "", strength.size])
    exact = found.exact
    words = f"spikes that differ between {exact.oracle} and {exact.other}"
    rows.append(["", words, exact.differing_spikes, "", "", exact.n_spikes])
    rows.append(["", f"ei_brian {ei.__version__}, brian2 {version('brian2')}, torch {version('torch')}", "", "", "", ""])
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["network", "measure", "value", "low 95 %", "high 95 %", "n"], *rows])
    for row in rows:
        print(*row, sep="\t")


if __name__ == "__main__":
    given = sys.argv[2:]
    main(sys.argv[1], *(int(one) if one.isdigit() else one for one in given))  # type: ignore[arg-type]
