"""A network as one readable Brian2 script, with its weights in an .npz file beside it."""

from __future__ import annotations

import hashlib
import os
import re
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.plain_text import one_line, printable
from ei_brian.core.program import compose
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError, StorageError
from ei_brian.interop.script_parts import Places, calls_any, group_text, input_text, places_of, synapses_text
from ei_brian.interop.script_run import ELEMENTARY, EXPONENTIAL, HEAD, RUN, TAKEN, readout_text

__all__ = ["script"]

RULE = "#" + "-" * 100


@takes_numbers()
def script(spec: NetworkSpec, path: str | Path, stimulus: Stimulus | None = None) -> tuple[Path, Path]:
    """Write a Python script that builds and runs the network with brian2 alone and gives the same spikes.

    Parameters
    ----------
    spec : NetworkSpec
        The network; noise is not part of it.
    path : path
        The script, ending in ``.py``; weights and values per neuron go to the ``.npz`` of the same name beside it.
    stimulus : Stimulus, optional
        Input spikes to put into the ``.npz`` as an example; the script takes another file of input as its argument.

    Returns
    -------
    tuple of Path
        Script and file of numbers.

    Raises
    ------
    DataError
        For graded input, and for plastic synapses with delays, which plain Synapses cannot express.
    """
    file = Path(path)
    if not re.fullmatch(r"[^\x00-\x1f\x7f\"'\\\\{}\ud800-\udfff]+\.py", file.name):
        raise DataError(
            f"script: {one_line(file.name)}; give a name that ends in .py, without quotes, backslashes, braces and control "
            "characters: it stands in the script."
        )
    _check_names(spec)
    numbers = _example(spec, stimulus)
    places = places_of(spec.schedule)
    parts = [_title(spec, file), HEAD.format(dt_ms=spec.dt_ms, numbers=file.with_suffix(".npz").name)]
    unread = replace(spec, readout=None)  # the script reads its decision from monitors
    programs = {cell.name: compose(unread, cell) for cell in spec.cells}
    for text, functions in ((EXPONENTIAL, ("exponential",)), (ELEMENTARY, ("logarithm", "square_root", "sine", "cosine"))):
        if any(calls_any(program, functions) for program in programs.values()):
            parts.append(text)
    parts += [input_text(spec, places)]
    parts += [f"{RULE}\n{group_text(spec, spec[name], program, places, numbers)}" for name, program in programs.items()]
    parts += [f"{RULE}\n# Synapses: a spike of the source adds its weight w to the target."]
    parts += [synapses_text(spec, projection, places, numbers) for projection in spec.projections]
    parts += [_network(spec, places), readout_text(spec), RUN.format(n_inputs=spec.n_inputs, cells=_spiking(spec))]
    _write(file, "\n\n".join(part.strip("\n") for part in parts) + "\n", numbers)
    return file, file.with_suffix(".npz")


def _check_names(spec: NetworkSpec) -> None:
    for population in spec.populations:
        if population.name in TAKEN or re.match(r"(equations|step|steps|synapses|compete)_", population.name):
            raise DataError(f"script: a population named {population.name!r}; the script uses this name. Rename the population.")


def _title(spec: NetworkSpec, file: Path) -> str:
    digest = spec.sha256
    lines = [
        f'"""{spec.name}: a spiking network in Brian2.',
        "",
        f"Written by ei_brian from the network with SHA-256 {digest[:32]}…",
        f"It needs brian2 and numpy. Run: python {file.name} [input.npz]",
        "",
    ]
    if spec.provenance:
        lines.append("How the network was made:")
        for entry in spec.provenance:
            details = ", ".join(
                f"{key} {value}" for key, value in entry.items() if key != "action" and isinstance(value, (str, int, float))
            )
            text = f"{entry.get('action', 'step')}{f' ({details})' if details else ''}".replace('"', "'").replace("\\", "/")
            lines += textwrap.wrap(printable(text), 110, initial_indent="- ", subsequent_indent="  ")
    return "\n".join([*lines, '"""'])


def _example(spec: NetworkSpec, stimulus: Stimulus | None) -> dict[str, Any]:
    if stimulus is None:
        return {}
    if stimulus.values is not None:
        raise DataError(f"script: stimulus {stimulus.name} is graded; the script takes spikes. Encode it as spikes first.")
    if stimulus.n_units != spec.n_inputs or stimulus.dt_ms != spec.dt_ms:
        raise DataError(
            f"script: stimulus {stimulus.name} has {stimulus.n_units} units at {stimulus.dt_ms:g} ms; the network has "
            f"{spec.n_inputs} "
            f"inputs at {spec.dt_ms:g} ms."
        )
    events = stimulus.events
    numbers: dict[str, Any] = {
        "input_trial": events.trial, "input_step": events.step, "input_unit": events.unit,
        "input_n_trials": np.int64(stimulus.n_trials), "input_n_steps": np.int64(stimulus.n_steps),
    }  # fmt: skip
    if stimulus.labels is not None:
        numbers["input_labels"] = stimulus.labels
    return numbers


def _network(spec: NetworkSpec, places: Places) -> str:
    made = ", ".join(population.name for population in spec.populations)
    joined = ", ".join(f"synapses_{projection.name}" for projection in spec.projections if projection.n_synapses)
    steps = ", ".join(f"steps_{name}" for name in places.stepped(spec))
    steps = ", ".join(filter(None, (steps, *(f"compete_{cell.name}" for cell in spec.cells if cell.neuron().margin))))
    lines = [RULE, "network = Network(", *(f"    {part}," for part in (made, joined, steps) if part), ")"]
    if places.own:
        names = ", ".join(repr(name) for name in places.names)
        order = textwrap.fill(names, 116, initial_indent="    ", subsequent_indent="    ")
        lines += [
            "# Within a time step a layer sees the spikes that the layer before it fires in the same step: this is the order.",
            f"network.schedule = [\n{order}\n]",
        ]
    return "\n".join(lines)


def _spiking(spec: NetworkSpec) -> str:
    return ", ".join(f'"{cell.name}": {cell.name}' for cell in spec.cells if cell.spiking)


def _write(file: Path, text: str, numbers: Mapping[str, Any]) -> None:
    compile(text, file.name, "exec")  # a script that is no Python is never written
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    unfinished = [file.with_name(f".{file.stem}.{os.getpid()}.{digest}{ending}") for ending in (".npz", ".py")]
    try:
        np.savez_compressed(unfinished[0], **numbers)
        unfinished[1].write_text(text, encoding="utf-8")
        os.replace(unfinished[0], file.with_suffix(".npz"))
        os.replace(unfinished[1], file)
    except OSError as error:
        raise StorageError(
            f"{file}: cannot be written ({error.strerror or error}); give a folder that exists, can be written and has room."
        ) from error
    finally:
        for part in unfinished:
            part.unlink(missing_ok=True)
