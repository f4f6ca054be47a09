"""A CSNN of ten million synapses: import, one check, and cells swapped and calibrated; processor time and memory of each.

``python -m validation.interop.large_network`` runs all in one process and writes ``large_network.md``.
"""

from __future__ import annotations

import resource
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import functional, neuron
from torch import nn

import ei_brian as ei
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import CalibrationError
from ei_brian.interop.dale import split_by_sign

__all__ = ["main"]

FILE = Path(__file__).with_name("large_network.md")
STEPS = 16


def csnn() -> nn.Module:
    """Return convolutions of 32 channels on 28 x 28 pixels with leaky nodes."""
    torch.manual_seed(0)

    def node() -> nn.Module:
        return neuron.LIFNode(tau=2.0, v_threshold=0.5)  # type: ignore[no-any-return]

    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), node(),
        nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), node(), nn.AvgPool2d(2),
        nn.Conv2d(32, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), node(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(12 * 49, 10, bias=False), node(),
    )  # fmt: skip
    with torch.no_grad():
        for number, layer in enumerate(model):
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                layer.weight.mul_(3 if number else 6)
    functional.set_step_mode(model, "s")
    return model.eval()


def images(n: int, seed: int) -> Stimulus:
    """Return smooth random pictures, shown for all steps."""
    rough = torch.from_numpy(np.random.default_rng(seed).random((n, 1, 7, 7)))
    smooth = nn.functional.interpolate(rough, size=28, mode="bilinear").reshape(n, 1, 784).numpy()
    return Stimulus.from_currents(np.repeat(smooth, STEPS, axis=1), 1.0, np.arange(n) % 10, 10, f"pictures {seed}")


def megabytes() -> float:
    """Return the largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(rows: list[tuple[str, float, float, str]], what: str, call: Callable[[], Any], words: Callable[[Any], str]) -> Any:
    """Run a stage and add a row: processor time in s, largest memory in MB so far, words."""
    started = process_time()
    made = call()
    rows.append((what, process_time() - started, megabytes(), words(made)))
    print(rows[-1], flush=True)
    return made


def synapses(spec: NetworkSpec) -> int:
    """Return how many synapses a network has."""
    return sum(projection.n_synapses for projection in spec.projections)


def calibrated(spec: NetworkSpec) -> str:
    """Calibrate and return what came of it."""
    try:
        made = ei.calibrate(spec, images(8, 2), iterations=4)
    except CalibrationError as error:
        return f"refused: {error}"
    return f"distance of the output {made.provenance[-1]['result']['output']:.3g}"


def main() -> int:
    """Write the page."""
    warnings.filterwarnings("ignore")
    model, rows = csnn(), [("torch and frameworks loaded", 0.0, megabytes(), "")]
    spec = measured(rows, "import with proof", lambda: ei.from_spikingjelly(model, torch.zeros(1, 1, 28, 28)),
                    lambda made: f"{synapses(made):,} synapses; {made.proof.n_spikes:,} spikes equal")
    measured(rows, "one check, 2 trials of 16 steps", lambda: ei.check_import(spec, model, images(2, 1)),
             lambda made: f"{sum(part.spikes for part in made.layers):,} spikes, exact: {'yes' if made.exact else 'no'}")
    lawful = measured(rows, "split by sign", lambda: split_by_sign(spec),
                      lambda made: f"{synapses(made):,} synapses, {sum(c.size for c in made.cells):,} cells")
    swapped = measured(rows, "interneurons swapped", lambda: ei.diversify(lawful, "FS", seed=1),
                       lambda made: f"{sum(c.size for c in made.cells if c.role == 'inh'):,} cells")
    measured(rows, "calibration, 8 trials of 16 steps, four rounds", lambda: calibrated(swapped), str)
    lines = [
        "# A CSNN of ten million synapses", "",
        "Made by `python -m validation.interop.large_network`, in one process and one thread: processor time of each stage, and",
        "the largest resident memory of the process up to its end. The weights are random, so that calibration need not reach",
        "the rates (it then refuses); what is measured is what it takes.", "",
        "| stage | s | MB | |", "| --- | ---: | ---: | --- |",
        *(f"| {what} | {seconds:.1f} | {most:.0f} | {words} |" for what, seconds, most, words in rows),
    ]  # fmt: skip
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
