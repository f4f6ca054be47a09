"""The table framework × cell × exact, approximate or refused, made from what the tests find.

``EI_BRIAN_WRITE_TABLES=1`` writes it anew to ``validation/interop/table.md``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ei_brian.core.reference import simulate
from ei_brian.interop.cells_snntorch import SNNTORCH_REFUSED
from ei_brian.interop.frameworks import SUPPORTED, cell_kinds
from ei_brian.interop.linear import LINEAR_KINDS, REFUSED
from ei_brian.interop.nir_cells import NIR_CELLS
from ei_brian.interop.nir_writer import NIR_MODELS
from ei_brian.interop.norse import OTHER_CELLS
from tests.interop.networks import CASES
from tests.interop.own_nodes import JELLY, OWN_NORSE
from tests.interop.small_cases import SMALL_CASES, small_spec, small_spikes, small_stimulus

FILE = Path(__file__).resolve().parents[2] / "validation" / "interop" / "table.md"
TITLES = {"snntorch": "snnTorch", "norse": "Norse", "spikingjelly": "SpikingJelly"}
SAME_STEP = {
    "LIF": "LIFCell", "LIFRecurrent": "LIFRecurrentCell", "LIFRefracRecurrent": "LIFRefracRecurrentCell", "IAF": "IAFCell",
    "Izhikevich": "IzhikevichCell", "IzhikevichRecurrent": "IzhikevichRecurrentCell", "LIFAdEx": "LIFAdExCell",
    "LIFAdExRecurrent": "LIFAdExRecurrentCell", "LSNN": "LSNNCell", "LSNNRecurrent": "LSNNRecurrentCell",
}  # fmt: skip
MEMBRANE = ("LICell", "LI", "LILinearCell", "LIBoxCell")  # tests/interop/test_whole_models.py
OWN_CODE = {
    "snntorch": (), "norse": OWN_NORSE,
    "spikingjelly": (*JELLY, "SimpleIFNode", "SimpleLIFNode", "SLTTLIFNode"),
}  # tests/interop/test_own_cells_of_torch.py
WITH_EXPONENTIAL = (*OWN_NORSE, "EIFNode", "ComplementaryLIFNode")
REFUSED_CELLS = {
    "snntorch": {
        **{kind: reason.rstrip(".") for kind, reason in SNNTORCH_REFUSED.items()},
        "any, with inhibition=True, in a layer that is not flat": "snnTorch compares along the first axis only",
        "any, with graded_spikes_factor": "graded spikes are not spikes",
        "any, with state_quant": "the membrane is rounded",
        "RSynaptic, with reset_delay=False": "snnTorch 1.0.0 itself fails",
    },
    "norse": {kind: "weights or sums within its step" for kind in OTHER_CELLS if kind not in OWN_CODE["norse"]},
    "spikingjelly": {
        "TernaryIFNode, LIAFNode, ILIFNode": "graded spikes are no spikes",
        "PSN, GatedLIFNode, DSR nodes": "they run all steps at once",
        "MPBN nodes": "they normalise within their step", "NonSpikingIFNode, NonSpikingLIFNode":
            "they start anew in every call; derive a class from SimpleLIFNode that returns v",
    },
}


def is_equal(name: str) -> bool:
    recording = simulate(small_spec(name), small_stimulus())
    pairs = zip(("cell1", "cell2"), small_spikes(name), strict=True)
    return all(np.array_equal(recording.spikes[cell].dense(), wanted) for cell, wanted in pairs)


def rows(framework: str) -> Iterator[str]:
    for kind in cell_kinds(framework):
        if kind in MEMBRANE:
            yield f"| {kind} | membrane equal to 1e-9, never spikes | exact |"
            continue
        if kind in SAME_STEP:
            yield f"| {kind} | the step of {SAME_STEP[kind]} | as {SAME_STEP[kind]} |"
            continue
        mine = [name for name in SMALL_CASES if CASES[name].framework == framework and CASES[name].kind == kind]
        assert mine, f"{framework} {kind} has no small case"
        checked = ", ".join(name.removeprefix(f"{framework}-{kind}").strip("-").replace("-", " ") or "default" for name in mine)
        remarks = {remark.partition(": ")[2] for name in mine for remark in small_spec(name).provenance[0]["remarks"]}
        assert all(is_equal(name) for name in mine)
        verdict = remarks.pop() if remarks else "exact"
        yield f"| {kind} | {checked} | {verdict} |"
    for kind in OWN_CODE[framework]:
        last = f"{ONE_FUNCTION}; " if kind in WITH_EXPONENTIAL else ""
        yield f"| {kind} | its own step, as torch runs it | {last}proven on import |"
    yield "| classes derived from these | their own step, as torch runs it | proven on import |"
    for kind, reason in REFUSED_CELLS[framework].items():
        yield f"| {kind} | | refused: {reason} |"


ONE_FUNCTION = "exact with one exponential function for both; torch's own differs in its last digit"


def table() -> str:
    lines = [
        "# Networks of other frameworks: what is read, and how exactly",
        "",
        "Made by `tests/interop/test_table.py`. *Exact*: in float64 every spike of every trial is the framework's own. *Exact",
        "with one exponential*: every spike, membrane and output is equal where the module's `exp` is computed by this package;",
        "spikes that torch's own last digit moves are counted by the proof (`unequal`), and nothing else is excused.",
    ]
    for framework, title in TITLES.items():
        lines += ["", f"## {title} {SUPPORTED[framework]}", "", "| cell | checked with | result |", "|---|---|---|"]
        lines += rows(framework)
    between = sorted(set(LINEAR_KINDS) - {"Output", "Affine", "Scale", "SumPool2d"})
    lines += [
        "", "## Layers between neurons", "", "| layer | result |", "|---|---|",
        *(f"| {kind} | {layer_result(kind)} |" for kind in between),
        *(f"| {kind} | refused: {reason.rstrip('.')} |" for kind, reason in sorted(REFUSED.items())),
        "", f"## NIR {SUPPORTED['nir']}", "",
        f"Read: Input, Output, {', '.join(NIR_CELLS)}, Linear, Affine, Scale, Conv1d, Conv2d, Flatten, SumPool2d, AvgPool2d, "
        "Delay, graphs within graphs, loops of a layer onto itself. Exact with the convention of a writer (snnTorch, "
        "Norse, SpikingJelly, sinabs, rockpool, lava, nengo, Spyx) and for our own files; without one, constants are what they "
        "say, and the step is forward Euler or exact for constant input. Loops over several layers are read where a Delay of at "
        "least one step closes them; refused without.",
        "", f"Written: {', '.join(f'`{name}`' for name in sorted(NIR_MODELS))}.", "",
    ]  # fmt: skip
    return "\n".join(lines)


PROVEN = "its module, run beside the network on import"
START, END = "<!-- frameworks: made by tests/interop/test_table.py -->", "<!-- end of frameworks -->"
REFUSED_IN_SHORT = {
    "snntorch": "`inhibition` of layers that are not flat, graded spikes, quantised states, LSTM and parallel cells",
    "norse": "multi-compartment, conductance and correlation cells",
    "spikingjelly": "graded and ternary spikes, nodes that run all steps at once",
}


def summary() -> str:
    """Return the table of the README."""
    lines = [
        START, "", "| framework | exact | exact but for torch's exp | refused by name | proven by |",
        "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for framework, title in TITLES.items():
        approximate = {
            kind for kind in cell_kinds(framework)
            for name in SMALL_CASES if (CASES[name].framework, CASES[name].kind) == (framework, SAME_STEP.get(kind, kind))
            if small_spec(name).provenance[0]["remarks"]
        }  # fmt: skip
        exact = ", ".join(kind for kind in cell_kinds(framework) if kind not in approximate)
        own = [kind for kind in OWN_CODE[framework] if kind not in WITH_EXPONENTIAL]
        exact = ", ".join([exact, *own, "classes derived from these"])
        approximate |= set(OWN_CODE[framework]) & set(WITH_EXPONENTIAL)
        near = ", ".join(kind for kind in (*cell_kinds(framework), *OWN_CODE[framework]) if kind in approximate) or "none"
        lines.append(f"| {title} {SUPPORTED[framework]} | {exact} | {near} | {REFUSED_IN_SHORT[framework]} | {PROVEN} |")
    lines.append(
        f"| NIR {SUPPORTED['nir']} | files of `to_nir`; files of snnTorch, Norse, SpikingJelly, rockpool, lava, Spyx and sinabs "
        "by their convention; of others, what the constants say, by forward Euler or exact steps | several spikes in "
        "a step (sinabs, rockpool): one is fired, and the import says so | loops over "
        "several layers without a delay, unknown nodes, recurrent layers of Spyx | saved spikes (`check-import --expect`) |"
    )
    return "\n".join([*lines, "", END])


def layer_result(kind: str) -> str:
    if kind.startswith("BatchNorm"):
        return "folded into weights as in evaluation; one more rounding per weight"
    if kind.startswith("AvgPool"):
        return "sparse weights; exact where the number of inputs is a power of 2, else one more rounding per weight"
    if kind.startswith("Dropout"):
        return "left out, as in evaluation"
    return "sparse weights, exact" if kind.startswith("Conv") else "exact"


def test_the_table_is_what_the_tests_find() -> None:
    made = table()
    if os.environ.get("EI_BRIAN_WRITE_TABLES") == "1":
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(made, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == made, "write it anew with EI_BRIAN_WRITE_TABLES=1"


def test_the_readme_has_the_short_table() -> None:
    readme = FILE.parents[2] / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    if os.environ.get("EI_BRIAN_WRITE_TABLES") == "1":
        readme.write_text(before + summary() + after, encoding="utf-8")
        text = readme.read_text(encoding="utf-8")
    assert summary() in text, "write it anew with EI_BRIAN_WRITE_TABLES=1"
