"""Claims about the speed of training: processor time of a batch, forward and backward, compiled against torch's own loops.

Both sides run with one thread, one after the other, several times in one process; what counts is the ratio within a round, and of
the rounds the median. The loss is the cross-entropy alone; the lines "with penalties" add those of the default settings. The
frameworks step a network of the same sizes written as their tutorials write it.

    OMP_NUM_THREADS=1 python -m validation.benchmarks.training_speed [--rounds 5] [LINE ...]

writes ``validation/benchmarks/training_speed.csv``; lines that stand there are replaced.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.nn import functional

from ei_brian.core.stimulus import Stimulus
from ei_brian.data.datasets import load_dataset
from ei_brian.data.encode import ChargingLatency
from ei_brian.learn.engine.trials import Trials
from ei_brian.learn.initial_rate import scale_to_rate
from ei_brian.learn.initial_weights import set_initial_weights
from ei_brian.learn.network import EINetwork
from ei_brian.learn.passes import EnginePasses, TorchPasses, evaluate
from ei_brian.learn.surrogate import FastSigmoid
from ei_brian.learn.train import TrainingConfig, train
from validation.processor import processor

RESULTS = Path(__file__).with_suffix(".csv")
COLUMNS = ("line", "other_ms", "compiled_ms", "ratio", "lowest", "highest", "rounds", "claim", "processor", "date")
PLAIN = TrainingConfig(initial_rate_hz=0.0, rate_penalty=0.0, floor_penalty=0.0, score_scale=1.0)


@dataclass(frozen=True)
class Line:
    """A network on some data, in batches, against torch or a framework, and the least ratio that is claimed."""

    make: Callable[[], EINetwork]
    data: str
    batch: int
    config: TrainingConfig
    claim: float
    other: str = "torch"
    rate_hz: float = 10.0


def spytorch() -> EINetwork:
    taus = {f"tau_mem_{kind}_ms": 10.0 for kind in ("exc", "inh", "out")}
    net = EINetwork(
        784, 80, 20, 10, recurrent=False, excitatory_input=True, cell="spytorch", surrogate=FastSigmoid(100.0), **taus
    )
    set_initial_weights(net, torch.Generator().manual_seed(0), input_std=0.003, readout_std=0.0666)
    return net


def recurrent(n_in: int, hidden: int) -> Callable[[], EINetwork]:
    return lambda: EINetwork(n_in, hidden * 4 // 5, hidden // 5, 10)


def feed_forward() -> EINetwork:
    return EINetwork(784, 80, 20, 10, recurrent=False)


LINES = {
    "784-100-10 SpyTorch": Line(spytorch, "fashion", 256, PLAIN, 45.0, rate_hz=0.0),
    "784-100-10 feed-forward": Line(feed_forward, "fashion", 256, PLAIN, 45.0),
    "784-100-10 feed-forward, with penalties": Line(feed_forward, "fashion", 256, TrainingConfig(), 0.0),
    "64-200-10 recurrent": Line(recurrent(64, 200), "digits", 64, PLAIN, 15.0),
    "64-200-10 recurrent, with penalties": Line(recurrent(64, 200), "digits", 64, TrainingConfig(), 0.0),
    "784-200-10 recurrent": Line(recurrent(784, 200), "fashion", 64, PLAIN, 15.0),
    "784-1000-10 recurrent": Line(recurrent(784, 1000), "fashion", 64, PLAIN, 10.0),
    "784-100-10 feed-forward, snnTorch": Line(feed_forward, "fashion", 256, PLAIN, 0.0, "snntorch"),
    "784-100-10 feed-forward, Norse": Line(feed_forward, "fashion", 256, PLAIN, 0.0, "norse"),
    "784-100-10 feed-forward, SpikingJelly": Line(feed_forward, "fashion", 256, PLAIN, 0.0, "spikingjelly"),
}


def stimulus(name: str) -> Stimulus:
    if name == "digits":
        return load_dataset("digits")[0]
    return load_dataset("fashion-mnist", encoding=ChargingLatency(), n_images=3000, whole=True)[0].select(0, 1536)


def framework_step(name: str, data: Stimulus, batch: int) -> Callable[[int], object]:
    """Return a training step of a feed-forward network of the same sizes in a framework, dense as its tutorials are."""
    torch.manual_seed(0)
    first, second = torch.nn.Linear(784, 100, bias=False), torch.nn.Linear(100, 10, bias=False)
    if name == "snntorch":
        import snntorch

        cells = [snntorch.Synaptic(alpha=0.82, beta=0.95), snntorch.Synaptic(alpha=0.82, beta=0.95, reset_mechanism="none")]

        def run(events: torch.Tensor) -> torch.Tensor:
            states, record = [cell.init_synaptic() for cell in cells], []
            for step in range(events.shape[1]):
                spikes, *states[0] = cells[0](first(events[:, step]), *states[0])  # type: ignore[call-overload]
                _, *states[1] = cells[1](second(spikes), *states[1])  # type: ignore[call-overload]
                record.append(states[1][1])
            return torch.stack(record, dim=1).amax(dim=1)
    elif name == "norse":
        import norse.torch as norse

        hidden, readout = norse.LIFCell(), norse.LICell()

        def run(events: torch.Tensor) -> torch.Tensor:
            of_hidden = of_readout = None
            record = []
            for step in range(events.shape[1]):
                spikes, of_hidden = hidden(first(events[:, step]), of_hidden)
                value, of_readout = readout(second(spikes), of_readout)
                record.append(value)
            return torch.stack(record, dim=1).amax(dim=1)
    else:
        from spikingjelly.activation_based import functional as jelly
        from spikingjelly.activation_based import layer, neuron

        net = torch.nn.Sequential(
            layer.Linear(784, 100, bias=False, step_mode="m"), neuron.LIFNode(tau=20.0, step_mode="m"),
            layer.Linear(100, 10, bias=False, step_mode="m"),
            neuron.LIFNode(tau=20.0, v_threshold=1e9, step_mode="m", store_v_seq=True),
        )  # fmt: skip
        first, second = net[0], net[2]  # type: ignore[assignment]

        def run(events: torch.Tensor) -> torch.Tensor:
            jelly.reset_net(net)
            net(events.transpose(0, 1).contiguous())
            scores: torch.Tensor = net[3].v_seq.amax(dim=0)
            return scores

    trials, labels = Trials.of(data), torch.from_numpy(np.array(data.labels))

    def step(number: int) -> object:
        index = np.arange(number * batch, (number + 1) * batch)
        for part in (first, second):
            part.zero_grad()
        functional.cross_entropy(run(trials.dense(index, 784)), labels[index]).backward()
        return None

    return step


def measure(line: Line, rounds: int) -> list[tuple[float, float]]:
    """Return milliseconds of processor time of a batch, of the other and of the compiled loop, in each round."""
    data, net = stimulus(line.data), line.make()
    trials, compiled = Trials.of(data), EnginePasses(net, line.config, 1)
    if line.rate_hz:
        some = Trials.of(data.select(0, 256))
        scale_to_rate(net, lambda: evaluate(net, some, passes=compiled).rate_hz, line.rate_hz)
    n_batches = trials.n_trials // line.batch
    by_torch = TorchPasses(net, line.config)

    def torch_step(number: int) -> object:
        return by_torch.gradients(trials, np.arange(number * line.batch, (number + 1) * line.batch))

    other = torch_step if line.other == "torch" else framework_step(line.other, data, line.batch)

    def compiled_step(number: int) -> object:
        return compiled.gradients(trials, np.arange(number * line.batch, (number + 1) * line.batch))

    for step in (other, compiled_step):
        step(0)
    found = []
    for turn in range(rounds):
        slow = processor_ms(other, 1, turn, n_batches)
        quick = processor_ms(compiled_step, 1, turn, n_batches)
        found.append((slow, processor_ms(compiled_step, max(2, min(30, int(slow / quick / 2))), turn, n_batches)))
    return found


def processor_ms(step: Callable[[int], object], repeats: int, first: int, n_batches: int) -> float:
    start = time.process_time()
    for number in range(first, first + repeats):
        step(number % n_batches)
    return 1e3 * (time.process_time() - start) / repeats


def epoch() -> tuple[float, float]:
    """Return processor time in s of an epoch of all of Fashion-MNIST, and this process's largest memory in GB."""
    data, _ = load_dataset("fashion-mnist", encoding=ChargingLatency(), whole=True)
    config = replace(
        PLAIN, epochs=1, batch_size=256, learning_rate=0.01, optimizer="sgd", schedule="constant", drop_last=True,
        gradient_limit=0.0,
    )  # fmt: skip
    net = spytorch()
    start = time.process_time()
    train(net, data, config=config, progress=False)
    return time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", nargs="*", default=["epoch", *LINES])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = {}
    if RESULTS.is_file():
        with RESULTS.open(newline="") as file:
            rows = {row["line"]: row for row in csv.DictReader(file)}
    for name in asked.lines:
        if name == "epoch":
            rounds = [epoch() for _ in range(asked.rounds)]
            seconds, memory = median(a for a, _ in rounds), max(b for _, b in rounds)
            name = f"all of Fashion-MNIST, one epoch of 784-100-10 (s, at most 5; memory {memory:.2f} GB, at most 1.5)"
            row = [name, "", f"{seconds:.2f}", "", "", "", asked.rounds, ""]
        else:
            found = measure(LINES[name], asked.rounds)
            ratios = [slow / quick for slow, quick in found]
            row = [name, f"{median(a for a, _ in found):.1f}", f"{median(b for _, b in found):.2f}", f"{median(ratios):.1f}",
                   f"{min(ratios):.1f}", f"{max(ratios):.1f}", asked.rounds, LINES[name].claim or ""]  # fmt: skip
        full = dict(zip(COLUMNS, [*row, processor(), date.today().isoformat()], strict=True))
        rows[row[0]] = full
        print(full, flush=True)
        with RESULTS.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())


if __name__ == "__main__":
    main()
