"""Interventions as text and numbers: what they add to the program of a population.

Each has a gate, which is 1 in its cells within its window and 0 elsewhere; where it is 0 every line leaves the numbers as they
are. A population without interventions gets no line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ei_brian.core.intervention import Intervention
from ei_brian.core.neuron_model import DUE, NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.quantity import Quantity
from ei_brian.core.units import unit_scale

__all__ = ["HELD", "Lines", "intervened"]

CLOCK = "experiment_step"  # steps since the start of the trial
HELD = "experiment_held"  # 1 in cells that may not spike, else 0
EVOKED = "experiment_evoked"  # 1 in cells that must spike, else 0
CURRENT = "experiment_current"


@dataclass(slots=True)
class Lines:
    """Lines of a program, and the states and constants that they need."""

    update: list[str] = field(default_factory=list)
    threshold: str = ""
    states: dict[str, Quantity] = field(default_factory=dict)
    constants: dict[str, Quantity] = field(default_factory=dict)
    holds: bool = False
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    def constant(self, name: str, value: object, unit: str = "1") -> str:
        """Add a constant, given in SI units, and return its name."""
        self.constants[name] = Quantity(unit, np.asarray(value, dtype=np.float64))
        return name


def intervened(
    population: Population, dt_ms: float, update: Sequence[str], threshold: str, states: Mapping[str, Quantity]
) -> Lines:
    """Return update and threshold of a population with its interventions in them.

    Parameters
    ----------
    population : Population
        Its interventions in the order in which they were made.
    dt_ms : float
        Time step.
    update : sequence of str
        Its update.
    threshold : str
        Its threshold.
    states : mapping of str to Quantity
        Its states, of which the start is what silenced cells are held at.
    """
    made = Lines(threshold=threshold)
    made.states[CLOCK] = Quantity("1", np.asarray(0.0))
    kinds = {one.kind for one in population.interventions}
    if kinds & {"silence", "clamp"}:
        made.states[HELD], made.holds = Quantity("1", np.asarray(0.0)), True
    if "evoke" in kinds:
        made.states[EVOKED] = Quantity("1", np.asarray(0.0))
    for number, one in enumerate(population.interventions):
        _add(made, number, one, population.neuron(), dt_ms, states)
    made.update = [*_sums(made, population.interventions), *_driven(population.neuron(), kinds, "\n".join(update).splitlines())]
    made.update += made.after
    made.threshold = _gated(made, population.neuron(), threshold, kinds)
    made.update.append(f"{CLOCK} = {CLOCK} + 1")
    return made


def _add(
    made: Lines, number: int, one: Intervention, model: NeuronModel, dt_ms: float, states: Mapping[str, Quantity]
) -> None:
    first, end = one.steps(dt_ms)
    gate = f"gate_{number}"
    cells = made.constant(f"{gate}_cells", one.cells.astype(np.float64))
    window = f"int({CLOCK} >= {made.constant(f'{gate}_from', first)})*int({CLOCK} < {made.constant(f'{gate}_until', end)})"
    made.states[gate] = Quantity("1", np.asarray(0.0))
    made.before.append(f"{gate} = {cells}*{window}")
    voltage = unit_scale(next(state.unit for state in model.states if state.name == model.voltage))
    if one.kind == "silence":
        for state in model.states:
            if state.name not in model.ports:
                start = made.constant(f"{gate}_{state.name}", states[state.name].si, state.unit)
                made.after.append(f"{state.name} = (1 - {gate})*{state.name} + {gate}*{start}")
    elif one.kind == "clamp":
        level = made.constant(f"{gate}_level", one.value * voltage, one.unit)
        made.after.append(f"{model.voltage} = (1 - {gate})*{model.voltage} + {gate}*{level}")
    elif one.kind == "inject":
        made.constant(f"{gate}_level", one.value * unit_scale(one.unit), one.unit)
        rise = (one.last_value - one.value) / max(end - first - 1, 1) if one.last_value != one.value else 0.0
        made.constant(f"{gate}_rise", rise * unit_scale(one.unit), one.unit)
    else:
        period = max(1.0, float(np.rint(one.value / dt_ms)))
        phase, length = f"{gate}_phase", made.constant(f"{gate}_period", period)
        made.states[phase] = Quantity("1", np.asarray(np.mod(-first, period)))
        made.before.append(f"{gate} = {gate}*int({phase} < 1)")
        made.after.append(f"{phase} = ({phase} + 1)*int({phase} + 1 < {length})")


def _sums(made: Lines, interventions: Sequence[Intervention]) -> list[str]:
    """Return the gates, and what they add up to: who is held, who must spike, which current flows."""
    lines = list(made.before)
    held = [f"gate_{n}" for n, one in enumerate(interventions) if one.kind in ("silence", "clamp")]
    evoked = [f"gate_{n}" for n, one in enumerate(interventions) if one.kind == "evoke"]
    currents = [
        f"gate_{n}*(gate_{n}_level + gate_{n}_rise*({CLOCK} - gate_{n}_from))"
        for n, one in enumerate(interventions) if one.kind == "inject"
    ]  # fmt: skip
    lines += [f"{HELD} = int({' + '.join(held)} > 0)"] if held else []
    lines += [f"{EVOKED} = int({' + '.join(evoked)} > 0)"] if evoked else []
    return lines + ([f"{CURRENT} = {' + '.join(currents)}"] if currents else [])


def _driven(model: NeuronModel, kinds: set[str], text: list[str]) -> list[str]:
    """Return the update with the injected current in it."""
    if "inject" not in kinds:
        return text
    if not model.input_current:
        return [f"{model.ports[0]} = {model.ports[0]} + {CURRENT}", *text]
    start = f"{model.input_current}_now = "
    return [f"{line} + {CURRENT}" if line.startswith(start) else line for line in text]


def _gated(made: Lines, model: NeuronModel, threshold: str, kinds: set[str]) -> str:
    """Return the condition of a spike in cells of which some are held or must spike; held wins."""
    if not threshold or not kinds & {"silence", "clamp", "evoke"}:
        return threshold
    free, forced = (f"*(1 - {HELD})" if made.holds else ""), (f" + {EVOKED}" if "evoke" in kinds else "")
    if not model.latches:
        return f"(int({threshold}){forced}){free} > 0"
    extra = f"{forced}*int({DUE} < 1)" if forced else ""
    made.update.append(f"{DUE} = ({DUE}{extra}){free}")
    return threshold
