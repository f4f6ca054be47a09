"""A neuron model: equations to read, one step to compute, parameters with units, and the source."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.quantity import Coefficient, Parameter, State
from ei_brian.core.step_text import check_assignments, check_expression

__all__ = ["NeuronModel", "substeps"]


def substeps(dt_ms: float, longest_ms: float) -> int:
    """Return the smallest number of equal parts of ``dt_ms`` none of which is longer than ``longest_ms``."""
    return max(1, math.ceil(dt_ms / longest_ms - 1e-9))


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
        whole numbers, ``int(condition)``, ``clip(x, low, high)`` and ``exponential(x)``, and no other literal or function.
        With a finite ``longest_step_ms`` it is the text of one sub-step; see `update_at`.
    method : str
        How ``update`` follows from ``equations``: ``"exact propagator"``, ``"forward Euler"``, ``"recurrence"`` …
    threshold : str
        Condition of a spike; empty for a neuron that never spikes.
    reset : str
        Assignments at a spike.
    parameters, states, coefficients : tuple
        The numbers in ``update``, ``threshold`` and ``reset``.
    ports : tuple of str
        States that synapses may add to.
    input_current : str
        Name of the current that receptors feed, empty when the model holds its own synapses.
    input_unit : str
        Unit of that current.
    max_dt_ms : float
        Largest time step at which the model is still itself; ``inf`` for a recurrence, which has no other.
    reference : str
        Authors, year, equation or table, DOI.
    deviations : str
        Where it differs from the source, and why.
    longest_step_ms : float
        Longest sub-step: a time step is cut into the fewest equal parts not longer than this, and ``update`` is run once
        for each. ``inf``: one.
    update_end : str
        Assignments once per time step, after the sub-steps.
    voltage : str
        State that stands for the membrane potential.
    v_scale : str
        Parameter or coefficient that is the distance from rest to threshold, the unit of membrane noise;
        empty when none, and then membrane noise does nothing.
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
    v_scale: str = ""
    longest_step_ms: float = float("inf")
    update_end: str = ""
    margin: str = ""

    def __post_init__(self) -> None:
        where = f"neuron model {self.name}"
        constants = {parameter.name for parameter in self.parameters} | {coefficient.name for coefficient in self.coefficients}
        names = constants | {state.name for state in self.states} | ({MARGIN, WINNER} if self.margin else set())
        current = {self.input_current} - {""}
        known = check_assignments(self.update, names | current, constants, f"{where}.update")
        check_assignments(self.update_end, known, constants, f"{where}.update_end")
        check_assignments(self.reset, names, constants, f"{where}.reset")
        if self.margin:
            check_expression(self.margin, known, f"{where}.margin", condition=False)
        if self.threshold:
            check_expression(self.threshold, names, f"{where}.threshold", condition=True)

    def substeps(self, dt_ms: float) -> int:
        """Return how many sub-steps a time step of ``dt_ms`` is made of."""
        return substeps(dt_ms, self.longest_step_ms)

    def update_parts(self, dt_ms: float) -> list[str]:
        """Return the texts of a time step of ``dt_ms``: one for each sub-step, and one for what follows them."""
        parts = [self.update] * self.substeps(dt_ms)
        return [*parts, self.update_end] if self.update_end else parts

    def update_at(self, dt_ms: float) -> str:
        """Return the text of a whole time step of ``dt_ms``."""
        return "\n".join(self.update_parts(dt_ms))

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
