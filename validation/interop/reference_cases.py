"""Promise: networks that other frameworks ran beforehand give the same spikes here, however they are read and run.

``python -m validation.interop.reference_cases`` reads each of fourteen networks of snnTorch, Norse and SpikingJelly from its
state dict, from the module and, where there is one, from the NIR file, and compares every spike of hidden and output layer, trial
by trial, with what the framework's own loop gave in float64: in the reference, in Brian2 with numpy and in compiled C++, each
with plain Synapses and with shared weights. In float32 the share of equal trials is reported. The networks are not part of this
repository;
``tests/interop/reference_cases.py`` says where they are looked for.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.interop.nir_graph import from_nir
from ei_brian.interop.state_dict import from_state_dict
from ei_brian.sim.backend import Backend
from tests.interop.reference_cases import FOLDER, NAMES, WITH_NIR, architecture, expected, framework, nir_choices, stimulus
from tests.interop.reference_modules import Pair
from validation.trust.results import machine, table

FILE = Path(__file__).with_name("reference_cases.md")
WAYS: dict[str, dict[str, str]] = {
    "reference": {"name": "reference"},
    "numpy, Synapses": {"name": "numpy", "layout": "synapses"}, "numpy, shared": {"name": "numpy", "layout": "shared"},
    "C++, Synapses": {"name": "cpp_standalone", "layout": "synapses"},
    "C++, shared": {"name": "cpp_standalone", "layout": "shared"},
}  # fmt: skip
SHORT = ("reference", "C++, shared")  # also in float32
HEAD = ("network", "read from", *WAYS, "membrane", *(f"float32: {way}" for way in SHORT))


def sources(name: str) -> Iterator[tuple[str, NetworkSpec]]:
    """Give what the network was read from, and the network."""
    yield "state dict", from_state_dict(FOLDER / f"{name}.pt", architecture(name))
    reader = getattr(importlib.import_module(f"ei_brian.interop.{framework(name)}"), f"from_{framework(name)}")
    yield "module", reader(Pair(name), torch.zeros(1, *architecture(name)["input_shape"]), dt_ms=1.0)
    if name in WITH_NIR:
        yield "NIR file", from_nir(FOLDER / f"{name}.nir", **nir_choices(name))


def equal_trials(name: str, spec: NetworkSpec, recording: Recording, precision: str) -> tuple[int, int]:
    """Return in how many trials all spikes of both layers are those of the framework, and the number of trials."""
    equal = np.ones(recording.n_trials, dtype=bool)
    for cell, layer in zip(spec.cells, ("hidden", "out"), strict=True):
        equal &= (recording.spikes[cell.name].dense() == expected(name, f"spikes_{layer}_{precision}")).all(axis=(1, 2))
    return int(equal.sum()), recording.n_trials


def membrane_difference(name: str, spec: NetworkSpec) -> str:
    """Return the largest difference of the output cells' potential in all steps, where the framework gives it."""
    wanted, key = expected(name, "mem_out_f64"), (spec.cells[-1].name, "v")
    if wanted is None:
        return "not kept"
    made = Backend("reference").run(spec, stimulus(name), traces=[key])
    return f"{np.max(np.abs(made.traces[key] - wanted)):.1g}"


def row(name: str, source: str, spec: NetworkSpec, quick: bool) -> tuple[list[str], int]:
    """Return a line of the table, and the number of trials in which a spike differs in float64."""
    cells, wrong = [name, source], 0
    for way, options in WAYS.items():
        if quick and way != "reference":
            cells.append("not run")
            continue
        recording = Backend(**options).run(spec, stimulus(name))
        equal, total = equal_trials(name, spec, recording, "f64")
        wrong += total - equal
        cells.append(f"{equal} of {total}")
    cells.append(membrane_difference(name, spec))
    for way in SHORT:
        if source != "state dict" or (quick and way != "reference"):
            cells.append("")
            continue
        recording = Backend(**WAYS[way], dtype="float32").run(spec, stimulus(name))  # type: ignore[arg-type]
        equal, total = equal_trials(name, spec, recording, "f32")
        cells.append(f"{equal} of {total}")
    return cells, wrong


def write(rows: list[list[str]], wrong: int, seconds: float, whole: bool) -> None:
    """Keep what is known so far."""
    spikes = sum(int(expected(name, f"spikes_{layer}_f64").sum()) for name in {r[0] for r in rows} for layer in ("hidden", "out"))
    body = (
        "# Networks run by other frameworks: trials in which every spike is equal\n\n"
        f"Command: `python -m validation.interop.reference_cases`\n\nMade: {machine()}; {_frameworks()}\n\n"
        f"{len(rows)} readings of {len({r[0] for r in rows})} networks in {seconds:.0f} s; {spikes:,} spikes of hidden and "
        f"output cells in each way; trials with a spike that differs, all ways together: {wrong}. *membrane*: largest difference "
        "of the output cells' potential in any step, in the reference. float32: trials equal to the framework's own float32 run."
        + ("" if whole else " **This run was not finished.**")
    )
    ordered = sorted(rows, key=lambda cells: cells[0])
    FILE.write_text(f"{body}\n\n{table(HEAD, ordered)}\n", encoding="utf-8")


def _frameworks() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("snntorch", "norse", "spikingjelly"))


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the reference alone, no file written")
    quick = parser.parse_args().quick
    if not FOLDER.is_dir():
        print(f"the networks are not at {FOLDER}", file=sys.stderr)
        return 2
    rows: list[list[str]] = []
    began, wrong = time.perf_counter(), 0
    done = []
    for name in reversed(NAMES):
        done.append(name)
        for source, spec in sources(name):
            made, differing = row(name, source, spec, quick)
            rows.append(made)
            wrong += differing
            print(*made, sep=" | ", flush=True)
        if not quick:
            write(rows, wrong, time.perf_counter() - began, len(done) == len(NAMES))
    print(f"trials with a spike that differs: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
