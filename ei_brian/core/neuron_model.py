"""A neuron model: equations to read, one step to compute, parameters with units, and the source."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.operating_point import OperatingPoint, operating_point, resting_states, standing_point
from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.core.quantity import Coefficient, FloatArray, Parameter, State
from ei_brian.core.receptor import BACKGROUND, CONDUCTANCE_UNIT
from ei_brian.core.step_text import check_assignments, check_expression
from ei_brian.errors import SpecError, unknown_name

__all__ = ["CROSSED", "DUE", "NeuronModel", "latched", "substeps"]

DUE = "spikes_due"  # state: spikes that a cell has fired and not yet sent
CROSSED = "crossed_now"  # 1 in the cells that crossed their threshold in the present sub-step, else 0
_ASSIGNED = re.compile(r"(\w+)\s*=\s*(.+)")


def substeps(dt_ms: float, longest_ms: float) -> int:
    """Return the smallest number of equal parts of ``dt_ms`` none of which is longer than ``longest_ms``."""
    return max(1, math.ceil(dt_ms / longest_ms - 1e-9))


def latched(threshold: str, reset: str, states: Set[str]) -> str:
    """Return threshold and reset as assignments: the reset acts on the cells that crossed, and their spike is kept.

    ``x = y`` of a state becomes ``x = (1 - crossed_now)*x + crossed_now*(y)``, which is exactly ``y`` or exactly ``x`` for finite
    numbers; what is no state is only a step on the way and is assigned as it is.
    """
    lines = [f"{CROSSED} = int({threshold})"]
    for line in reset.splitlines():
        match = _ASSIGNED.fullmatch(line.strip())
        if match:
            name, value = match[1], match[2]
            lines.append(f"{name} = (1 - {CROSSED})*{name} + {CROSSED}*({value})" if name in states else line.strip())
    return "\n".join([*lines, f"{DUE} = {DUE} + {CROSSED}"])


@takes_numbers()
@dataclass(frozen=True, slots=True)
class NeuronModel:
    """Everything that is known about one kind of neuron, as data.

    Parameters
    ----------
    name : str
        Name in the catalogue and in model files.
    title : str
        In words.
    equations : str
        What the model is: Brian2 equations with units. Brian2 checks their dimensions.
    update : str
        What one time step computes: assignments, one a line, run top to bottom on numbers in SI units. Every simulator runs
        this very text, operation by operation, so that all give the same bits. It holds names, ``+ - * /``, comparisons,
        whole numbers, ``int(condition)``, ``clip(x, low, high)`` and the functions of one
        argument ``exponential``, ``logarithm``, ``square_root``, ``sine`` and ``cosine``, and no other literal or function.
        With a finite ``longest_step_ms`` it is the text of one sub-step; see `update_parts`.
    method : str
        How ``update`` follows from ``equations``: ``"exact propagator"``, ``"forward Euler"``, ``"recurrence"`` …
    threshold : str
        Condition of a spike; empty for a neuron that never spikes.
    reset : str
        Assignments at a spike. In a model of sub-steps, threshold and reset are looked at after each of them: the reset may use
        what ``update`` has set, and the spike leaves the cell at the end of the time step; see `update_parts`.
    parameters, states, coefficients : tuple
        The numbers in ``update``, ``threshold`` and ``reset``.
    ports : tuple of str
        States that synapses may add to.
    input_current : str
        Name of the current that receptors feed, empty when the model holds its own synapses.
    input_unit : str
        Unit of that current.
    max_dt_ms : float
        Largest time step at which the model is still itself; ``inf`` for a recurrence, which has no other. Of the models of the
        catalogue as validation/biology/time_step.py measured it; of one's own as its author says (`step_error` measures it).
    reference : str
        Authors, year, equation or table, DOI.
    deviations : str
        Where it differs from the source, and why.
    longest_step_ms : float
        Longest sub-step: a time step is cut into the fewest equal parts not longer than this, and ``update`` is run once
        for each. ``inf``: none, the text is that of a whole time step.
    update_end : str
        Assignments once per time step, after the sub-steps.
    input_conductance : str
        Name of the total synaptic conductance in ``update_conductance``.
    update_conductance : str
        The text of a sub-step where synapses are conductances: their current is ``input_current - input_conductance*v``. Empty:
        ``update`` serves, with the current at the potential of the sub-step's start, which is stable only for small conductances.
    version : int
        Of the step: raised when it computes other spikes than before, so that a network says what it was made with.
    voltage : str
        State that stands for the membrane potential.
    threshold_parameter : str
        Parameter that moves the threshold, for mismatch; empty when none.
    tested : str
        State that ``threshold`` looks at where that is not the potential: a copy made before a reset within ``update``.
    noise_before : str
        Line of ``update`` before which membrane noise moves the potential of a model that takes no current; empty: after the
        update.
    noise_where : str
        Expression that is 1 where the membrane is free to move and 0 where it is held, as in a refractory period; empty: 1.
    rest_formula : callable
        ``rest_formula(parameters, current)`` returns the states at rest in closed form, where there is one; the knee of the
        current-voltage relation where the current is too large for a rest. Without it they are found as roots.
    margin : str
        Expression by which the neurons of a population compete; empty: they do not. At the end of the update it is kept in the
        state ``margin``, and the state ``winner``, which the threshold may ask for, is 1 in the neuron where it is largest.

    Raises
    ------
    SpecError
        For a text that holds what not every simulator computes, or a name that is not known.
    """

    name: str
    title: str
    equations: str
    update: str
    method: str
    threshold: str
    reset: str
    parameters: tuple[Parameter, ...]
    states: tuple[State, ...]
    coefficients: tuple[Coefficient, ...]
    ports: tuple[str, ...]
    reference: str
    input_current: str = ""
    input_unit: str = "1"
    max_dt_ms: float = float("inf")
    deviations: str = ""
    voltage: str = "v"
    threshold_parameter: str = ""
    tested: str = ""
    noise_before: str = ""
    noise_where: str = ""
    rest_formula: Callable[[Mapping[str, FloatArray], FloatArray], Mapping[str, FloatArray]] | None = None
    longest_step_ms: float = float("inf")
    update_end: str = ""
    input_conductance: str = ""
    update_conductance: str = ""
    version: int = 1
    margin: str = ""

    def __hash__(self) -> int:
        """Of its texts, whose own hashes Python keeps; models are keys of caches that are asked a hundred thousand times."""
        return hash((self.name, self.update, self.reset, self.longest_step_ms))

    def __post_init__(self) -> None:
        where = f"neuron model {self.name}"
        constants = {parameter.name for parameter in self.parameters} | {coefficient.name for coefficient in self.coefficients}
        names = constants | {state.name for state in self.states} | ({MARGIN, WINNER} if self.margin else set())
        current = {self.input_current} - {""}
        known = check_assignments(self.update, names | current, constants, f"{where}.update")
        if self.update_conductance:
            also = names | current | ({self.input_conductance} - {""})
            known &= check_assignments(self.update_conductance, also, constants, f"{where}.update_conductance")
        check_assignments(self.update_end, known, constants, f"{where}.update_end")
        check_assignments(self.reset, known if self.substepped else names, constants, f"{where}.reset")
        self._check_declared(where, known)
        if self.margin:
            check_expression(self.margin, known, f"{where}.margin", condition=False)
        if self.threshold:
            check_expression(self.threshold, names, f"{where}.threshold", condition=True)

    def _check_declared(self, where: str, known: frozenset[str]) -> None:
        """Refuse declarations about parameters, states and lines that the model does not have."""
        names = [parameter.name for parameter in self.parameters]
        if self.threshold_parameter and self.threshold_parameter not in names:
            raise SpecError(unknown_name(f"{where}.threshold_parameter", self.threshold_parameter, names))
        if self.tested and self.tested not in {state.name for state in self.states}:
            raise SpecError(unknown_name(f"{where}.tested", self.tested, [state.name for state in self.states]))
        if self.noise_before and self.noise_before not in self.update.splitlines():
            raise SpecError(unknown_name(f"{where}.noise_before", self.noise_before, self.update.splitlines()))
        if self.noise_where:
            check_expression(self.noise_where, known, f"{where}.noise_where", condition=False)

    @property
    def names_in_step(self) -> frozenset[str]:
        """Every name that a step holds or may hold: receptors need others."""
        texts = (self.equations, self.update, self.update_conductance, self.update_end, self.threshold, self.reset)
        parts: tuple[Parameter | State | Coefficient, ...] = (*self.parameters, *self.states, *self.coefficients)
        declared = {part.name for part in parts}
        return frozenset(declared.union(*(re.findall(r"[A-Za-z_]\w*", text) for text in texts)))

    @property
    def substepped(self) -> bool:
        """Whether a time step is made of sub-steps, each with its own threshold and reset."""
        return math.isfinite(self.longest_step_ms)

    def substeps(self, dt_ms: float) -> int:
        """Return how many sub-steps a time step of ``dt_ms`` is made of."""
        return substeps(dt_ms, self.longest_step_ms)

    def solver(self, dt_ms: float) -> str:
        """Return in words how a time step of ``dt_ms`` is solved."""
        if not self.substepped:
            return f"{self.method}, dt = {dt_ms:g} ms"
        n = self.substeps(dt_ms)
        return f"{self.method}: {n} of {dt_ms / n:g} ms in a time step of {dt_ms:g} ms"

    def update_parts(self, dt_ms: float, conductances: bool = False) -> list[str]:
        """Return the texts of a time step of ``dt_ms``: one for each sub-step, and one for what follows them.

        After each sub-step of a spiking model the threshold is looked at and the cells above it are reset, so that a spike that
        rises and falls between two time steps is neither lost nor late. Such a cell sends one spike at the end of the time step.
        Of more crossings in one step, one more is kept and sent at the end of the next: no cell sends more than one spike per
        step, and rates above that are cut there. The state ``spikes_due`` counts what is still to be sent.
        """
        step = self.update_conductance if conductances and self.update_conductance else self.update
        states = {state.name for state in self.states}
        part = f"{step}\n{latched(self.threshold, self.reset, states)}" if self.latches else step
        parts = [part] * self.substeps(dt_ms)
        if self.latches:
            parts[0] = f"{DUE} = clip({DUE} - 1, 0, 1)\n{parts[0]}"
        return [*parts, self.update_end] if self.update_end else parts

    @property
    def latches(self) -> bool:
        """Whether spikes are found within the time step and kept to its end in the state ``spikes_due``."""
        return self.substepped and bool(self.threshold)

    @property
    def step_threshold(self) -> str:
        """Condition, at the end of a time step, that a spike is sent."""
        return f"{DUE} > 0" if self.latches else self.threshold

    @property
    def step_reset(self) -> str:
        """Assignments at a spike that is sent; empty where each sub-step has its own."""
        return "" if self.latches else self.reset

    def update_at(self, dt_ms: float) -> str:
        """Return the text of a whole time step of ``dt_ms``."""
        return "\n".join(self.update_parts(dt_ms))

    def operating_point(
        self, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike = 0.0, dt_ms: float = 1.0
    ) -> OperatingPoint:
        """Return rest, threshold, rheobase and membrane time constant of cells under a constant current.

        Parameters
        ----------
        parameters : mapping of str to float or array of shape (cell,)
            Parameters of the model, in its units; defaults where not given. The parameters of a background conductance count too.
        current : float or array of shape (cell,)
            In the unit of the input current; of a model that holds its own synapses, what arrives at its first port in each step.
        dt_ms : float
            Time step; it matters to recurrences and to models that hold their own synapses.
        """
        return operating_point(self, *self._plain(parameters, current), dt_ms)

    def standing_point(
        self, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike = 0.0, dt_ms: float = 1.0
    ) -> OperatingPoint:
        """Return the operating point, of cells that fire by themselves where they would rest; see `standing_point`."""
        return standing_point(self, *self._plain(parameters, current), dt_ms)

    def at_rest(
        self, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike = 0.0, dt_ms: float = 1.0
    ) -> dict[str, FloatArray]:
        """Return all states of cells that have long received a constant current; arguments as for `operating_point`."""
        return resting_states(self, *self._plain(parameters, current), dt_ms)

    def _plain(
        self, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike
    ) -> tuple[dict[str, npt.ArrayLike], npt.ArrayLike]:
        """Return parameters and current as plain numbers in the units of the model, defaults for what is not given."""
        known = {
            p.name: plain_number(parameters.get(p.name, p.default), p.unit, f"{self.name}.{p.name}") for p in self.parameters
        }
        unit = self.input_unit if self.input_current else "1"
        background = [(name, parameters[name]) for name in BACKGROUND if name in parameters and self.input_current]
        if len(background) == len(BACKGROUND):
            units = (CONDUCTANCE_UNIT[self.input_unit], next(s.unit for s in self.states if s.name == self.voltage))
            known |= {n: plain_number(v, u, f"{self.name}.{n}") for (n, v), u in zip(background, units, strict=True)}
        return known, plain_number(current, unit, f"{self.name}.current")

    def initial_at_rest(
        self, parameters: Mapping[str, npt.ArrayLike], current: npt.ArrayLike = 0.0
    ) -> dict[str, FloatArray]:
        """Return the parameters of kind ``"initial"`` for cells that start at rest; empty for a model that has none."""
        starts = {state.initial: state.name for state in self.states if isinstance(state.initial, str)}
        wanted = [p.name for p in self.parameters if p.kind == "initial" and p.name in starts]
        if not wanted:
            return {}
        rest = self.at_rest(parameters, current)
        bounds = {p.name: p for p in self.parameters}
        return {name: np.clip(rest[starts[name]], bounds[name].low, bounds[name].high) for name in wanted}

    @property
    def dynamics(self) -> tuple[str, ...]:
        """What the model is, line by line, to be read: its equations, or the assignments of a step where it has none."""
        lines = self.equations.splitlines() or ["in each step, one after the other:", *self.update.splitlines()]
        if self.margin:
            lines += [f"margin = {self.margin}"]
            lines += ["winner = 1 where margin is the largest of the population (the first of equals), else 0"]
        return tuple(lines)

    @property
    def spiking(self) -> bool:
        """Whether the model can spike."""
        return bool(self.threshold)

    def parameter(self, name: str) -> Parameter:
        """Return the parameter of that name.

        Raises
        ------
        KeyError
            If the model has none of that name.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)
