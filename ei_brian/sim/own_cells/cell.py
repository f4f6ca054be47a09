"""A cell from the equations of a Brian2 user: the step is made from the text, by Brian2's own integrators."""

from __future__ import annotations

import ast
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from brian2 import NeuronGroup
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.equations import Equations
from brian2.units.fundamentalunits import get_dimensions

from ei_brian.core.convergence import convergence
from ei_brian.core.formula import Formula, parsed_expression
from ei_brian.core.model_data import model_data, model_from_data
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.receptor import CONDUCTANCE_UNIT
from ei_brian.errors import SpecError
from ei_brian.sim.own_cells.equations import Read, brian2_errors, read_equations, unit_sizes, unit_text
from ei_brian.sim.own_cells.step_writer import StepWriter

__all__ = ["cell"]

READY, SINCE, HOLD, NEVER = "ready", "steps_since", "steps_held", "never"
METHODS = {
    "exact": "exact propagator of linear equations (Brian2)", "exponential_euler": "exponential Euler (Brian2)",
    "euler": "forward Euler (Brian2)", "rk2": "midpoint rule, order 2 (Brian2)", "rk4": "Runge-Kutta, order 4 (Brian2)",
}  # fmt: skip


@takes_numbers(parameters=None, initial=None)
def cell(
    equations: str | Equations | NeuronGroup, *, threshold: str = "", reset: str = "", refractory: Any = "",
    method: str = "exponential_euler", parameters: Mapping[str, Any] | None = None, input_current: str = "",
    initial: Mapping[str, Any] | None = None, voltage: str = "", ports: Sequence[str] = (), name: str = "", title: str = "",
    reference: str = "",
    max_dt_ms: float = 1.0, longest_step_ms: float = math.inf, error: float | None = None,
) -> NeuronModel:  # fmt: skip
    """Return a neuron model made from Brian2 equations; it goes wherever the name of a model or a cell type goes.

    Brian2 checks the dimensions and writes the step; every simulator of this package runs that step with the same bits. At the
    same time step the cell does what it does in Brian2, but for the last bit of ``exp`` and of powers.

    Parameters
    ----------
    equations : str, Equations or NeuronGroup
        As for Brian2. Of a group its threshold, reset, refractoriness, method and namespace are read as well.
    threshold : str
        A condition, for example ``"v > -20*mV"``; empty for a cell that never spikes.
    reset : str
        Assignments at a spike.
    refractory : str or quantity
        A time (``2*ms``, ``"2*ms"``) or a condition (``"v > -40*mV"``), as for Brian2; empty: none.
    method : {"exponential_euler", "exact", "euler", "rk2", "rk4"}
        Integrator of Brian2.
    parameters : mapping of str to quantity
        What the equations name; these are the defaults, and a population may give others, one for each cell.
    input_current : str
        Name of the current, in the equations, that synapses and background feed. Empty: synapses move the potential itself.
    initial : mapping of str to quantity
        Values of states at the start; what is not given starts at rest.
    voltage : str
        State that is the potential; ``"v"``, or the first, unless given.
    ports : sequence of str
        Further states that projections may add to, named by `Projection.port`: the synaptic current of a dendrite, a conductance
        with its own time constant. What synapses of the input current do is not changed.
    name : str
        For tables and files; made of the model's hash unless given.
    title, reference : str
        In words, and where it is from.
    max_dt_ms : float
        Largest time step.
    longest_step_ms : float
        Longest sub-step: a time step is cut into equal parts not longer than this, each with its own threshold and reset.
        Unless given, a step is not cut.
    error : float, optional
        Instead of ``longest_step_ms``, the largest error of its rates as a share (0.02 is 2 %): sub-steps are then as long as
        `ei_brian.models.convergence` finds that they may be, and the cell says so in its ``deviations``. It takes half a minute.

    Raises
    ------
    SpecError
        For dimensions that do not fit, names that are not known, and functions that not every simulator computes alike.

    Examples
    --------
    >>> import ei_brian as ei
    >>> from brian2 import mV, ms, nA, Mohm
    >>> leaky = ei.cell("dv/dt = (E - v + R*I)/tau : volt", threshold="v > -50*mV", reset="v = -65*mV", method="exact",
    ...                 parameters={"E": -70*mV, "R": 100*Mohm, "tau": 20*ms}, input_current="I")  # doctest: +SKIP
    """
    where = f"cell {name}" if name else "cell"
    given = dict(parameters or {})
    if isinstance(equations, NeuronGroup):
        group = equations
        equations, known = group.user_equations, group.user_equations.identifiers  # without what it made of refractoriness
        namespace = {key: value for key, value in (group.namespace or {}).items() if key in known}
        given, method = {**namespace, **given}, group.method_choice if isinstance(group.method_choice, str) else method
        threshold, reset = threshold or group.events.get("spike", ""), reset or group.event_codes.get("spike", "")
        refractory = refractory or (group._refractory if group._refractory is not False else "")
    if not isinstance(equations, (str, Equations)):
        raise SpecError(f"{where}: {type(equations).__name__} given; give the text of equations, Equations or a NeuronGroup.")
    if not isinstance(refractory, str):
        refractory = f"{plain_number(refractory, 's', f'{where}.refractory')!r}*second"
    with brian2_errors(f"{where}, its equations"):
        parsed = equations if isinstance(equations, Equations) else Equations(equations)
    dims = {key: get_dimensions(value) for key, value in given.items()}
    read, unit = _read(parsed, dims, input_current, (method, threshold, reset, refractory), where)
    made = _Maker(read, given, dims, input_current, unit, where)
    model = made.model(threshold, reset, refractory, dict(initial or {}), voltage)
    unknown = [port for port in ports if port not in read.states]
    if unknown:
        raise SpecError(f"{where}.ports: {unknown[0]!r:.60} is no state; the states are {', '.join(read.states)}.")
    model = replace(
        model, name=name or "cell", title=title or "a cell from Brian2 equations", method=METHODS[method], reference=reference,
        max_dt_ms=max_dt_ms, longest_step_ms=longest_step_ms, ports=tuple(dict.fromkeys((*model.ports, *ports))),
    )  # fmt: skip
    if error is not None:
        if math.isfinite(longest_step_ms):
            raise SpecError(f"{where}: longest_step_ms and error are both given; give one of them.")
        found = convergence(model, error)
        model = replace(found.model, deviations=found.words)
    if not name:
        digest = hashlib.sha256(json.dumps(model_data(model), sort_keys=True).encode()).hexdigest()
        model = replace(model, name=f"cell_{digest[:8]}")
    return model_from_data(model_data(model))


def _read(
    equations: Equations, dims: Mapping[str, Any], current: str, spike: tuple[str, str, str, str], where: str
) -> tuple[Read, str]:
    """Return the equations and the unit of the input current: the one of those that receptors have that fits."""
    method, *texts = spike
    if not current:
        return read_equations(equations, dims, "", "1", method, texts[0], texts[1], texts[2], where), "1"
    if current in equations.names:
        unit = unit_text(equations[current].dim, f"{where}, {current}")
        if unit not in CONDUCTANCE_UNIT:
            raise SpecError(f"{where}.input_current: {current} is in {unit}; synapses give {', '.join(CONDUCTANCE_UNIT)}.")
        return read_equations(equations, dims, current, unit, method, texts[0], texts[1], texts[2], where), unit
    errors: list[SpecError] = []
    for unit in CONDUCTANCE_UNIT:
        try:
            return read_equations(equations, dims, current, unit, method, texts[0], texts[1], texts[2], where), unit
        except SpecError as error:
            errors.append(error)
    raise next((error for error in errors if "nconsistent units" not in str(error)), errors[0])


class _Maker:
    """Puts a model together from equations that Brian2 has read."""

    def __init__(
        self, read: Read, given: Mapping[str, Any], dims: Mapping[str, Any], current: str, current_unit: str, where: str
    ) -> None:
        self.read, self.current, self.current_unit, self.where = read, current, current_unit, where
        declared = {name: unit for name, unit in read.declared.items() if name != current}
        self.units = {**{name: unit_text(dim, f"{where}.parameters[{name!r}]") for name, dim in dims.items()}, **declared}
        self.parameters = [self._parameter(name, unit, given) for name, unit in self.units.items()]
        changing = {*read.states, *read.parts, current}
        sizes = {name: size for name, size in unit_sizes().items() if name not in changing}
        taken = {*changing, READY, SINCE, HOLD, NEVER, "dt", *DEFAULT_FUNCTIONS, *unit_sizes()}
        self.writer = StepWriter(self.units, sizes, taken, where, read.unit_of)

    def _parameter(self, name: str, unit: str, given: Mapping[str, Any]) -> Parameter:
        value = plain_number(given.get(name, math.nan), unit, f"{self.where}.parameters[{name!r}]")
        if np.ndim(value):
            here = f"{self.where}.parameters[{name!r}]"
            raise SpecError(f"{here}: {np.size(value)} values; give one here, and one for each cell to Population.")
        return Parameter(name, unit, float(value), "of the equations", kind="time constant" if unit in ("ms", "pF") else "")

    def model(self, threshold: str, reset: str, refractory: str, initial: dict[str, Any], voltage: str) -> NeuronModel:
        """Return the model, without its name."""
        voltage = voltage or ("v" if "v" in self.read.states else next(iter(self.read.states)))
        states, starts = self._states(initial)
        before, states_more = self._refractory(refractory)
        step = self.writer.assignments(self.read.code)
        if refractory:
            lines = [self._held(line) for line in step.splitlines()]
            step = "\n".join([*before.splitlines(), *lines])
        fires, more = self._threshold(threshold, bool(refractory))
        again = f"{READY} = 0\n" + (f"{SINCE} = 0\n" if SINCE in {s.name for s in states_more} else "") if refractory else ""
        at_spike = again + (self.writer.assignments(reset) if reset else "")
        at_spike = at_spike.strip()
        return NeuronModel(
            name="cell", title="", equations=self.read.text, update=step, method="", threshold=fires, reset=at_spike,
            parameters=(*self.parameters, *starts), states=(*states, *states_more),
            coefficients=(*self.writer.coefficients.values(), *more, *self._hold(refractory)),
            ports=(voltage,), reference="", input_current=self.current,
            input_unit=self.current_unit, voltage=voltage, noise_where=READY if refractory and voltage in self.read.held else "",
        )  # fmt: skip

    def _states(self, initial: dict[str, Any]) -> tuple[list[State], list[Parameter]]:
        unknown = sorted(set(initial) - set(self.read.states))
        if unknown:
            raise SpecError(f"{self.where}.initial: {unknown[0]!r} is no state; the states are {', '.join(self.read.states)}.")
        states, starts = [], []
        for name, unit in self.read.states.items():
            if name in initial:
                start = float(plain_number(initial[name], unit, f"{self.where}.initial[{name!r}]"))
                states.append(State(name, unit, "of the equations", start))
            else:
                start = 0.0 if name != "v" or unit != "mV" else -65.0
                starts.append(Parameter(f"{name}_init", unit, start, f"{name} at the start", kind="initial"))
                states.append(State(name, unit, "of the equations", f"{name}_init"))
        return states, starts

    def _is_time(self, refractory: str) -> bool:
        return not any(sign in refractory for sign in "<>=")

    def _refractory(self, refractory: str) -> tuple[str, list[State]]:
        """Return what comes before a step, and the states it needs."""
        if not refractory:
            return "", []
        ready = State(READY, "1", "1 where the cell may spike", 1.0)
        if self._is_time(refractory):
            return f"{SINCE} = clip({SINCE} + 1, 0, {HOLD})\n{READY} = int({SINCE} >= {HOLD})", [
                ready, State(SINCE, "1", "steps since the last spike", 1e6)
            ]  # fmt: skip
        self.writer.lines = []
        left, sign, right = self.writer.condition(refractory)
        lines = [*self.writer.lines, f"{READY} = 1 - (1 - {READY})*int({left} {sign} {right})"]
        return "\n".join(lines), [ready]

    def _hold(self, refractory: str) -> list[Coefficient]:
        if not refractory or not self._is_time(refractory):
            return []
        text = self.writer.expression(parsed_expression(refractory, self.where))
        if text in self.units:
            formula = Formula(f"floor(({text} + 0.001*dt)/dt)", ((text, self.units[text]),))
        else:
            kept = next((c for c in self.writer.coefficients.values() if c.name == text), None)
            if kept is None or not isinstance(kept.value, Formula):
                raise SpecError(f"{self.where}.refractory: {refractory!r} is neither a time of parameters alone nor a condition.")
            formula = Formula(f"floor(({kept.value.text} + 0.001*dt)/dt)", kept.value.units)
        return [Coefficient(HOLD, "1", "refractory period in steps", formula)]

    def _held(self, line: str) -> str:
        name, _, value = line.partition(" = ")
        return f"{name} = (1 - {READY})*{name} + {READY}*({value})" if name in self.read.held else line

    def _threshold(self, threshold: str, refractory: bool) -> tuple[str, list[Coefficient]]:
        """Return the condition of a spike on states, constants and parameters alone."""
        if not threshold:
            return "", []
        self.writer.lines = []
        left, sign, right = self.writer.condition(threshold)
        if self.writer.lines:
            raise SpecError(f"{self.where}.threshold: {threshold!r} holds a function or power; compare a state, as v > -20*mV.")
        if not refractory:
            return f"{left} {sign} {right}", []
        if not isinstance(parsed_expression(threshold, self.where), ast.Compare) or sign in ("==", "!="):
            whole = left if sign == ">" else f"int({left} {sign} {right})"
            return f"{whole}*{READY} > 0", []
        if sign in ("<", "<="):
            left, sign, right = right, {"<": ">", "<=": ">="}[sign], left
        side = threshold.replace(">=", ">").replace("<=", ">").replace("<", ">").partition(">")[0]
        never = Coefficient(NEVER, self.read.unit_of(side.strip()), "more than any difference", Formula("1e30"))
        return f"{left} - {right} {sign} (1 - {READY})*{NEVER}", [never]

