"""What the proof on import costs: ``python -m validation.interop.proof_cost`` writes proof_cost.md.

Each network is imported twice, with and without its proof, each time in a process of its own: processor time of the import, and
the largest resident memory of the process. The cost of the proof is the difference.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import snntorch as snn
import torch
from spikingjelly.activation_based import functional, neuron
from torch import nn

import ei_brian as ei
from ei_brian.core.spec import NetworkSpec

__all__ = ["Cost", "cost", "table"]

FILE = Path(__file__).with_name("proof_cost.md")


class _Loop(nn.Module):
    """784-1000-10 in a loop over steps, as in snnTorch's tutorial 5."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(784, 1000), snn.Leaky(beta=0.95)
        self.fc2, self.lif2 = nn.Linear(1000, 10), snn.Leaky(beta=0.95)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spikes, membranes = [], []
        for now in x:
            spk1, mem1 = self.lif1(self.fc1(now), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)


def _csnn() -> nn.Module:
    """A CSNN of 10 million synapses on 28 x 28 pixels."""
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), neuron.IFNode(),
        nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), neuron.IFNode(), nn.AvgPool2d(2),
        nn.Conv2d(32, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), neuron.IFNode(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(12 * 49, 10, bias=False), neuron.IFNode(),
    )  # fmt: skip
    functional.set_step_mode(model, "s")
    return model


NETWORKS: dict[str, tuple[str, Callable[[], nn.Module], tuple[int, ...], Callable[..., NetworkSpec]]] = {
    "784-1000-10": ("snnTorch", _Loop, (3, 1, 784), ei.from_snntorch),
    "CSNN": ("SpikingJelly", _csnn, (1, 1, 28, 28), ei.from_spikingjelly),
}


@dataclass(frozen=True)
class Cost:
    """Of one import: processor time, s; largest resident memory, MB; number of synapses; spikes compared."""

    seconds: float
    megabytes: float
    synapses: int
    spikes: int


def cost(network: str, prove: bool) -> Cost:
    """Import a network in a process of its own."""
    command = [sys.executable, "-m", "validation.interop.proof_cost", network, "prove" if prove else "plain"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(**json.loads(run.stdout.splitlines()[-1]))


def _here(network: str, prove: bool) -> Cost:
    _, make, sample, read = NETWORKS[network]
    torch.set_num_threads(1)  # threads that wait for each other count as processor time
    torch.manual_seed(0)
    model = make().eval()
    read(nn.Sequential(nn.Linear(4, 3), _neuron(network)), torch.zeros(1, 4), prove=prove)  # what is loaded at the first use
    started = process_time()
    spec = read(model, torch.zeros(sample), prove=prove)
    seconds = process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    synapses = sum(projection.n_synapses for projection in spec.projections)
    return Cost(seconds, peak, synapses, spec.proof.n_spikes if spec.proof else 0)


def _neuron(network: str) -> nn.Module:
    return snn.Leaky(beta=0.9, init_hidden=True) if NETWORKS[network][0] == "snnTorch" else neuron.IFNode()


def table(rows: dict[str, tuple[Cost, Cost]]) -> str:
    """Return the page."""
    lines = [
        "# What the proof on import costs", "",
        f"Made by `python -m validation.interop.proof_cost` (Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} thread(s)).",
        "Processor time of the import, and the largest resident memory of its process, without and with the proof.", "",
        "| network | synapses | s without | s with | s of the proof | MB without | MB with | MB of the proof | spikes compared |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for name, (plain, proven) in rows.items():
        more = proven.megabytes - plain.megabytes
        lines.append(
            f"| {name} ({NETWORKS[name][0]}) | {plain.synapses:,} | {plain.seconds:.2f} | {proven.seconds:.2f} | "
            f"{proven.seconds - plain.seconds:.2f} | {plain.megabytes:.0f} | {proven.megabytes:.0f} | {more:.0f} "
            f"({more / plain.megabytes:.1%}) | {proven.spikes:,} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or, with a network and a word, measure one import in this process."""
    warnings.filterwarnings("ignore")
    if arguments:
        print(json.dumps(vars(_here(arguments[0], arguments[1] == "prove"))))
        return 0
    rows = {name: (cost(name, False), cost(name, True)) for name in NETWORKS}
    FILE.write_text(table(rows), encoding="utf-8")
    print(FILE.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
