"""Shapes of public networks through the importers: ``python -m validation.interop.public_networks`` writes public_networks.md.

Each is imported with its proof and, independently of it, run once more by `check_import` on other input, and there in compiled
C++. *Exact*: the proof holds and no spike differs on the other input, nor between C++ and the reference in single precision.
*Refused*: an error of this package that names the layer. *Wrong*: accepted, and spikes differ. *Confusing*: an error of another
kind. Wrong and confusing must be 0.
"""

from __future__ import annotations

import resource
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import process_time

import numpy as np
import torch

import ei_brian as ei
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import EIBrianError
from ei_brian.sim.inprocess.network import simulate as compiled
from validation.interop.public_own_cells import OWN_CELLS, own_networks
from validation.interop.public_shapes import Entry, networks
from validation.interop.trained_shapes import SHAPES

__all__ = ["Outcome", "outcome", "table"]

FILE = Path(__file__).with_name("public_networks.md")
READ: dict[str, Callable[..., NetworkSpec]] = {
    "snnTorch": ei.from_snntorch, "Norse": ei.from_norse, "SpikingJelly": ei.from_spikingjelly,
    "torch": partial(ei.from_torch, cells=OWN_CELLS),
}
TRIALS, STEPS = 3, 20
EXP = "exact but for exp"  # with one exponential function for both, every spike is equal; torch's own moved some
RESULTS = ("exact", EXP, "refused", "wrong", "confusing")


@dataclass(frozen=True)
class Outcome:
    """One row; its result is one of `RESULTS`."""

    entry: Entry
    result: str
    spikes: int
    other_spikes: int
    compiled_spikes: int
    seconds: float
    size: str
    words: str


def outcome(entry: Entry) -> Outcome:
    """Import a network, and check it on input that its proof did not see."""
    framework, _, _, make, sample = entry
    torch.manual_seed(0)
    model, started = make(), process_time()
    try:
        spec = READ[framework](model, torch.zeros(sample))
    except EIBrianError as error:
        return Outcome(entry, "refused", 0, 0, 0, process_time() - started, "", str(error))
    except Exception as error:  # whatever it is, it is the finding
        if isinstance(error, KeyboardInterrupt):
            raise
        return Outcome(entry, "confusing", 0, 0, 0, process_time() - started, "", f"{type(error).__name__}: {error}")
    seconds = process_time() - started
    if spec.proof is None:
        raise AssertionError("an import without a proof")
    other_input = _other_input(spec)
    report = ei.check_import(spec, model, other_input)
    ours, theirs = simulate(spec, other_input, np.float32), compiled(spec, other_input)
    same = all(np.array_equal(ours.spikes[name].dense(), theirs.spikes[name].dense()) for name in ours.spikes)
    other = sum(part.spikes for part in report.layers)
    remarks = any(line.get("remarks") for line in spec.provenance)
    exact = report.exact and not spec.proof.unequal
    result = "wrong" if not same else "exact" if exact else EXP if remarks else "wrong"
    size = f"{sum(cell.size for cell in spec.cells)} cells, {sum(item.n_synapses for item in spec.projections)} synapses"
    silent = f"never spiked: {', '.join(spec.proof.silent)}" if spec.proof.silent else ""
    in_cpp = sum(item.n_events for item in theirs.spikes.values())
    return Outcome(entry, result, spec.proof.n_spikes, other, in_cpp, seconds, size, silent)


def trained() -> list[Outcome]:
    """Return rows of networks that were trained here by their framework, with their accuracy there and as read."""
    rows = []
    for make in SHAPES:
        torch.manual_seed(0)
        one = make()
        if one.model is None:
            continue  # a loop without a module; `taken_further` has it
        model = one.model
        row = outcome((one.framework, f"{one.network}, trained on digits", one.source, lambda model=model: model, (2, 1, 64)))
        there, here = float(np.mean(one.theirs == one.test.labels)), simulate(one.spec, one.test).accuracy
        rows.append(replace(row, words=f"accuracy {there:.3f} there, {here:.3f} here"))
    return rows


def _other_input(spec: NetworkSpec) -> Stimulus:
    layout = next(line for line in spec.provenance if line["action"] == "layout of the module")
    steps = layout["n_steps"] or STEPS
    values = np.random.default_rng(7).normal(0.5, 1.0, (TRIALS, 1 if layout["takes"] == "static" else steps, spec.n_inputs)) * 2
    return Stimulus.from_currents(np.broadcast_to(values, (TRIALS, steps, spec.n_inputs)), spec.dt_ms)


def table(rows: list[Outcome]) -> str:
    """Return the page."""
    count = {name: sum(row.result == name for row in rows) for name in RESULTS}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lines = [
        "# Public networks through the importers",
        "",
        "Made by `python -m validation.interop.public_networks` from re-implementations of our own: shapes and options",
        "as the sources describe them, small sizes, random weights with a gain, and four trained ones. Every import is proven:",
        "the module runs beside the network, and spikes, membranes and returned values are compared. *On other input*: spikes",
        "of a second one, on input that the proof did not see. *In C++*: spikes of the compiled loop in single precision on that",
        "input, all equal to those of the reference. Time is processor time of the import with its proof.",
        "",
        f"{len(rows)} networks: " + ", ".join(f"**{n} {name}**" for name, n in count.items()) + f". Peak memory {peak} MB.",
        "",
        "| framework | network | source | size | result | spikes compared | on other input | in C++ | s |",
        "| --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        framework, network, source, _, _ = row.entry
        words = f" ({row.words})" if row.words and row.result != "refused" else ""
        lines.append(
            f"| {framework} | {network} | {source} | {row.size} | {row.result}{words} | {row.spikes or ''} | "
            f"{row.other_spikes or ''} | {row.compiled_spikes or ''} | {row.seconds:.2f} |"
        )
    lines += ["", "## What is said where a network is refused", ""]
    lines += [f"- {row.entry[1]}: {row.words}" for row in rows if row.result == "refused"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page; the exit code says whether any network was wrong or confusing."""
    warnings.filterwarnings("ignore")
    rows = [*(outcome(entry) for entry in (*networks(), *own_networks())), *trained()]
    FILE.write_text(table(rows), encoding="utf-8")
    bad = [row for row in rows if row.result in ("wrong", "confusing")]
    for row in bad:
        print(f"{row.result}: {row.entry[1]}: {row.words}")
    print(f"wrote {FILE.name}: {len(rows)} networks, {len(bad)} wrong or confusing")
    return int(bool(bad))


if __name__ == "__main__":
    raise SystemExit(main())
