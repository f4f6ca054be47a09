"""The parts of a Brian2 script: populations with equations, units and citations, and synapses."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.population import Population
from ei_brian.core.program import Program, Quantity, release_name
from ei_brian.core.projection import Projection
from ei_brian.core.schedule import PHASE_KINDS, Phase
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.texts import split_self_assignments
from ei_brian.core.units import ATOMIC, base_unit, unit_scale
from ei_brian.errors import DataError

__all__ = ["Places", "calls_any", "group_text", "input_text", "places_of", "synapses_text"]

BRIAN2_SLOTS = {"update": "groups", "threshold": "thresholds", "propagate": "synapses", "reset": "resets"}
DECIMAL = {"s": 0, "ms": -3, "V": 0, "mV": -3, "pA": -12, "nA": -9, "nS": -9, "uS": -6, "pF": -12, "Hz": 0}
BRIAN2_UNITS = {"s": "second", "V": "volt", "mM": "1"}
RESULT = r"^\s*(?:d(\w+)/dt|(\w+))\s*="


@dataclass(frozen=True, slots=True)
class Places:
    """Slot and order of every phase; ``own`` tells whether the order is not Brian2's."""

    names: tuple[str, ...]
    place: Mapping[Phase, tuple[str, int]]
    own: bool

    def of(self, kind: str, target: str) -> str:
        """Return the place as arguments."""
        slot, order = self.place[Phase(kind, target)]
        return f'when="{slot}", order={order}'

    def assigned(self, what: str, kind: str, target: str) -> str:
        """Return the place as an assignment to an object; empty where Brian2 puts it there anyway."""
        slot, order = self.place[Phase(kind, target)]
        return f'{what}.when, {what}.order = "{slot}", {order}' if self.own or kind == "propagate" else ""

    def stepped(self, spec: NetworkSpec) -> list[str]:
        """Return the populations whose step is not a state updater, because they have no differential equations."""
        return [cell.name for cell in spec.cells if not _differential(cell.neuron().equations)]


def places_of(schedule: Sequence[Phase]) -> Places:
    """Return Brian2's own slots where the schedule has its order, else a slot for each phase."""
    kinds = [PHASE_KINDS.index(phase.kind) for phase in schedule]
    if kinds == sorted(kinds):
        place = {phase: (BRIAN2_SLOTS[phase.kind], order) for order, phase in enumerate(schedule)}
        return Places(("start", *BRIAN2_SLOTS.values(), "end"), place, own=False)
    names = [f"{phase.kind}_{phase.target}" for phase in schedule]
    return Places(("start", *names, "end"), {phase: (name, 0) for phase, name in zip(schedule, names, strict=True)}, own=True)


def calls_any(program: Program, functions: Iterable[str]) -> bool:
    """Whether a program calls one of these functions of the catalogue."""
    return any(f"{name}(" in program.update + program.threshold + program.reset for name in functions)


def _differential(equations: str) -> bool:
    return bool(re.search(r"^\s*d\w+/dt\s*=", equations, flags=re.M))


def input_text(spec: NetworkSpec, places: Places) -> str:
    """Return the input populations, whose spikes are set for each trial."""
    when = ', when="start"' if places.own else ""
    lines = ["# Input: spikes are set below, for each trial."]
    lines += [f'{p.name} = SpikeGeneratorGroup({p.size}, [], [] * ms, dt=dt, name="{p.name}"{when})' for p in spec.inputs]
    starts = np.cumsum([0, *(p.size for p in spec.inputs)]).tolist()
    listed = ", ".join(f"({p.name}, {start}, {start + p.size})" for p, start in zip(spec.inputs, starts, strict=False))
    return "\n".join([*lines, f"inputs = [{listed}]  # group, first unit, one after the last"])


def _comment(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 118, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def group_text(spec: NetworkSpec, population: Population, program: Program, places: Places, numbers: dict[str, Any]) -> str:
    """Return a population: citation, equations, one step, threshold, reset, parameters and start; large ones go to "
    "``numbers``."""
    name, model = population.name, population.neuron()
    lines = [_comment(f"{name}: {population.size} cells, {model.title} ({model.method}). Reference: {model.reference}")]
    if model.deviations:
        lines.append(_comment(f"Deviation: {model.deviations}"))
    lines += [
        f'equations_{name} = """\n{_equations(population, program)}\n"""',
        f'step_{name} = """\n{split_self_assignments(program.update)}\n"""',
    ]
    spiking = bool(program.threshold)
    arguments = [f"{population.size}", f"equations_{name}", f'name="{name}"', "dt=dt", "namespace=functions"]
    differential = _differential(program.equations)
    if differential:
        arguments.append(f"method=stepped(step_{name})")
    if spiking:
        arguments += [f"threshold={program.threshold!r}"]
        arguments += [f"reset={split_self_assignments(program.reset)!r}"]
        arguments += [f'events={{"release": {program.threshold!r}}}'] if program.at_spike else []
    lines.append(f"{name} = NeuronGroup(\n    " + ", ".join(arguments[:5]) + ",")
    lines += [f"    {argument}," for argument in arguments[5:]] + [")"]
    lines += _timing(name, program, places, differential)
    lines += [_value(name, key, quantity, _meaning(population, key), numbers) for key, quantity in program.constants.items()]
    starts = [_value(name, key, quantity, "at the start", numbers) for key, quantity in program.states.items()
              if np.any(quantity.si)]  # fmt: skip
    return "\n".join(part for part in [*lines, *starts] if part)


def _equations(population: Population, program: Program) -> str:
    written = {a or b for a, b in re.findall(RESULT, program.equations, flags=re.M)}
    lines = [line.strip() for line in program.equations.splitlines() if line.strip()]
    lines += [f"{key} : {base_unit(q.unit)}" for key, q in program.states.items() if key not in written]
    for key, quantity in program.constants.items():
        kind = "constant" if quantity.si.ndim else "shared, constant"
        meaning = _meaning(population, key)
        lines.append(f"{key} : {base_unit(quantity.unit)} ({kind})" + (f"  # {meaning}" if meaning else ""))
    return "\n".join(lines)


def _meaning(population: Population, key: str) -> str:
    known = {parameter.name: parameter.meaning for parameter in population.declared_parameters()}
    known |= {coefficient.name: coefficient.meaning for coefficient in population.neuron().coefficients}
    for receptor in population.receptor_models():
        known |= {coefficient.name: coefficient.meaning for coefficient in receptor.coefficients}
    return known.get(key, "")


def _timing(name: str, program: Program, places: Places, differential: bool) -> list[str]:
    lines = []
    if differential:
        lines.append(places.assigned(f"{name}.state_updater", "update", name))
    else:
        lines.append(f'steps_{name} = {name}.run_regularly(step_{name}, dt=dt, {places.of("update", name)})')
        if places.own:
            lines.append(places.assigned(f"{name}.state_updater", "update", name))
    if program.threshold:
        if program.competes:
            lines.append(_competition(name, places))
        lines.append(places.assigned(f'{name}.thresholder["spike"]', "threshold", name))
        lines.append(places.assigned(f'{name}.resetter["spike"]', "reset", name))
        if program.at_spike:  # presynaptic plasticity, between the spike and its propagation
            slot = places.place[Phase("threshold", name)][0]
            lines.append(f'{name}.set_event_schedule("release", when="{slot}", order=1)')
            lines.append(f'{name}.run_on_event("release", {split_self_assignments(program.at_spike)!r}, when="after_{slot}")')
    return lines


def _competition(name: str, places: Places) -> str:
    slot = places.place[Phase("threshold", name)][0]
    return f'''

@network_operation(dt=dt, when="before_{slot}")
def compete_{name}():
    """Only the neuron furthest above its threshold may fire (the first of equals)."""
    {name}.{WINNER} = 0
    {name}.{WINNER}[int(np.argmax({name}.{MARGIN}[:]))] = 1

'''


def _value(name: str, key: str, quantity: Quantity, meaning: str, numbers: dict[str, Any]) -> str:
    """Return the line that sets a constant or start value; in its own unit where that gives the same bits, else in SI."""
    end = f"  # {meaning}" if meaning else ""
    unit = quantity.unit
    if quantity.si.ndim:
        numbers[f"{name}.{key}"] = quantity.si
        return f'{name}.{key} = numbers["{name}.{key}"]{_times(base_unit(unit))}{end}'
    si = float(quantity.si)
    if unit in DECIMAL and ATOMIC[unit] == 10.0 ** DECIMAL[unit]:
        for given in (float(f"{si / ATOMIC[unit]:.15g}"), si / ATOMIC[unit]):
            if given * ATOMIC[unit] == si:
                return f"{name}.{key} = {given!r}{_times(BRIAN2_UNITS.get(unit, unit))}{end}"
    own = "" if unit == "1" else f" = {si / unit_scale(unit):g} {unit}"
    note = " ".join(part for part in (meaning, own.strip()) if part)
    return f"{name}.{key} = {si!r}{_times(base_unit(unit))}" + (f"  # {note}" if note else "")


def _times(unit: str) -> str:
    return "" if unit == "1" else f" * {unit}" if re.fullmatch(r"\w+", unit) else f" * ({unit})"


def synapses_text(spec: NetworkSpec, projection: Projection, places: Places, numbers: dict[str, Any]) -> str:
    """Return the Synapses of one projection."""
    name, key = f"synapses_{projection.name}", projection.name
    unit = {state.name: state.unit for state in spec[projection.target].declared_states()}[projection.port]
    source, target, weight, delay = projection.synapse_table()
    if not source.size:
        return _comment(f"{key}: no synapse")
    plastic = projection.plasticity is not None
    if plastic and projection.max_delay:
        raise DataError(f"script: projection {key}: plastic synapses with a delay cannot be written as plain Synapses.")
    numbers[f"{key}.source"], numbers[f"{key}.target"] = source.astype(np.int32), target.astype(np.int32)
    numbers[f"{key}.weight"] = weight.astype(np.float64) * unit_scale(unit)
    factor = f"*{release_name(spec, key)}_pre" if plastic else ""
    lines = [
        f"{name} = Synapses(",
        f'    {projection.source}, {projection.target}, "weight : {base_unit(unit)} (constant)", '
        f'on_pre="{projection.port}_post += weight{factor}", dt=dt, namespace={{}}, name="{name}",',
        ")",
        f'{name}.connect(i=numbers["{key}.source"], j=numbers["{key}.target"])',
        f'{name}.weight = numbers["{key}.weight"]{_times(base_unit(unit))}',
        places.assigned(f"{name}.pre", "propagate", key),
    ]
    if projection.max_delay:
        if np.ndim(projection.delay_steps):
            numbers[f"{key}.delay_steps"] = delay.astype(np.int32)
            lines.append(f'{name}.delay = numbers["{key}.delay_steps"] * dt')
        else:
            lines.append(f"{name}.delay = {projection.max_delay} * dt")
    if plastic:
        rule = projection.plasticity
        lines.insert(0, _comment(f"{key}: short-term plasticity ({rule}), Tsodyks et al. 1998, Neural Comput. 10:821"))
    return "\n".join(line for line in lines if line)
