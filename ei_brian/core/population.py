"""A population of neurons of one model, with its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.display import population_text
from ei_brian.core.intervention import Intervention, check_intervention
from ei_brian.core.models import MODELS, neuron_model
from ei_brian.core.models.passing import RELAY_NAME
from ei_brian.core.models.sub_steps import stepped_for
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.operating_point import OperatingPoint
from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.core.plain_text import one_line
from ei_brian.core.quantity import Coefficient, FloatArray, Parameter, State
from ei_brian.core.receptor import CONDUCTANCES, RECEPTORS, WITHOUT_PORT, Receptor, receptor
from ei_brian.core.step_check import check_own_model
from ei_brian.core.synapse_check import check_synapse
from ei_brian.core.synapse_model import SynapseModel, receptor_of
from ei_brian.errors import SpecError, unknown_name

__all__ = ["ROLES", "Population", "check_name"]

ROLES = ("input", "exc", "inh", "mixed", "readout")
MAX_NEURONS = 2**31 - 2
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
NOBODY: npt.NDArray[np.bool_] = np.zeros(0, dtype=bool)
RESERVED = frozenset(
    "t dt i j N xi x y lastspike not_refractory int rand randn poisson exp log sqrt clip pi e inf spike start end "
    "double float char bool void class struct new delete this template using namespace for while if else do return "
    "switch case break default static const auto long short unsigned signed sizeof union enum volatile register and or "
    "not true false True False None lambda import def brian main".split()
)


def check_name(name: object, where: str) -> None:
    """Refuse a name that Brian2, C++ or a file system could misread.

    Raises
    ------
    SpecError
        If the name is not a letter followed by at most 63 letters, digits or single underscores, or is reserved.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or "__" in name or name in RESERVED:
        raise SpecError(
            f"{where}.name: {str(name)[:80]!r} cannot be used. Give a letter followed by at most 63 letters, digits or "
            "single underscores, and none of the words that Brian2 or C++ reserve."
        )


@takes_numbers(parameters=None)
@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Neurons of one model.

    Parameters
    ----------
    name : str
        Letters, digits and single underscores.
    size : int
        Number of neurons, at least 1.
    role : {"input", "exc", "inh", "mixed", "readout"}
        What its outgoing weights may be: ``exc`` >= 0, ``inh`` <= 0, others of both signs.
    model : str or NeuronModel
        Name of a neuron model of the catalogue, or a model of your own (`ei_brian.cell`), which is kept in ``own`` and travels
        with the population; empty for an input population.
    receptors : tuple of (port, kind)
        For a model that takes a current: the receptors that feed it, by their names in the catalogue, or synapses of your own
        (`ei_brian.synapse`), which are kept in ``own_synapses`` and travel with the population.
    parameters : mapping of str to float or array of shape (size,)
        Values in the unit that the model declares; what is not given has its default, and where it is the value of a state at the
        start (kind ``"initial"``) that of a cell at rest under its constant current.
    cell_types : tuple of str
        The cell type of each neuron, or empty.
    dead : array of bool, shape (size,), or empty
        Neurons that never fire and receive no noise. It belongs to a run, not to files: `Noise.cell_death` sets it.
    own : NeuronModel, optional
        The model itself where it is none of the catalogue; ``model`` is then its name.
    interventions : tuple of Intervention
        What an experiment does to its cells within a trial; `ei_brian.silence` and its like put them here.
    own_synapses : tuple of SynapseModel
        The kinds among ``receptors`` that are none of the catalogue.

    Raises
    ------
    SpecError
        For unknown models, receptors and parameters, wrong shapes, values out of range or not finite.
    """

    name: str
    size: int
    role: str
    model: str = ""
    receptors: tuple[tuple[str, Any], ...] = ()
    parameters: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    cell_types: tuple[str, ...] = ()
    dead: npt.NDArray[np.bool_] = field(default_factory=lambda: NOBODY)
    own: NeuronModel | None = None
    interventions: tuple[Intervention, ...] = ()
    own_synapses: tuple[SynapseModel, ...] = ()

    def __post_init__(self) -> None:
        where = f"population {one_line(self.name, 80)}"
        self._take_own_model(where)
        check_name(self.name, where)
        if isinstance(self.size, bool) or not isinstance(self.size, (int, np.integer)) or not 1 <= self.size <= MAX_NEURONS:
            raise SpecError(f"{where}.size: {self.size!r}; give a whole number from 1 to {MAX_NEURONS}.")
        object.__setattr__(self, "size", int(self.size))
        if self.role not in ROLES:
            raise SpecError(unknown_name(f"{where}.role", self.role, ROLES))
        object.__setattr__(self, "cell_types", tuple(self.cell_types))
        if self.cell_types and len(self.cell_types) != self.size:
            raise SpecError(f"{where}.cell_types: {len(self.cell_types)} given for {self.size} neurons; give one each, or none.")
        if (self.role == "input") != (self.model == ""):
            raise SpecError(f"{where}.model: {self.model!r}; an input population has none, every other population has one.")
        self._take_own_synapses(where)
        dead = np.array(self.dead, dtype=bool)
        if dead.shape not in ((0,), (self.size,)):
            raise SpecError(f"{where}.dead: shape {dead.shape}; give one value for each of {self.size} neurons, or none.")
        dead.flags.writeable = False
        object.__setattr__(self, "dead", dead)
        self._check_receptors(where)
        object.__setattr__(self, "parameters", self._checked_parameters(where))
        object.__setattr__(self, "interventions", tuple(self.interventions))
        for intervention in self.interventions:
            check_intervention(self, intervention)

    def __repr__(self) -> str:
        return f"Population {population_text(self)}"

    def __reduce__(self) -> tuple[type[Population], tuple[object, ...]]:
        """Send a population to another process as its values, which are checked again there."""
        values = (
            self.name, self.size, self.role, self.model, self.receptors, dict(self.parameters), self.cell_types,
            self.dead, self.own, self.interventions, self.own_synapses,
        )  # fmt: skip
        return type(self), values

    def _take_own_model(self, where: str) -> None:
        """Keep a model that is none of the catalogue; refuse one that has a name of the catalogue."""
        given = self.model if isinstance(self.model, NeuronModel) else self.own
        if given is not None and (isinstance(self.model, NeuronModel) or given.name == self.model):
            if given.name in MODELS and MODELS[given.name] != given:
                raise SpecError(f"{where}.model: {given.name!r} is a model of the catalogue; give your own another name.")
            check_name(given.name, f"{where}.model")
            if given.name not in MODELS:
                check_own_model(given)
            object.__setattr__(self, "own", None if given.name in MODELS else given)
            object.__setattr__(self, "model", given.name)
        else:
            object.__setattr__(self, "own", None)

    def _take_own_synapses(self, where: str) -> None:
        """Keep the synapses at its ports that are none of the catalogue; refuse one that has a name of the catalogue."""
        new = [kind for _, kind in self.receptors if isinstance(kind, SynapseModel)]
        given = {one.name: one for one in (*self.own_synapses, *new)}
        if twice := [one for one in new if given[one.name] != one]:
            raise SpecError(f"{where}.receptors: two different synapses are named {twice[0].name!r}; rename one.")
        names = [(str(port), kind.name if isinstance(kind, SynapseModel) else str(kind)) for port, kind in self.receptors]
        used = {name for _, name in names}
        kept = tuple(given[name] for name in sorted(given) if name in used)
        for one in kept:
            if one.name in RECEPTORS:
                raise SpecError(f"{where}.receptors: {one.name!r} is a receptor of the catalogue; give your own another name.")
            check_name(one.name, f"{where}.receptors")
            check_synapse(one)
        object.__setattr__(self, "receptors", tuple(names))
        object.__setattr__(self, "own_synapses", kept)

    def opened_by(self, port: str) -> str:
        """Return ``"exc"`` or ``"inh"`` for a port that is a conductance, which cells of that role open; else an empty text."""
        kind = dict(self.receptors).get(port, "")
        return next((one.sign for one in self.own_synapses if one.name == kind), CONDUCTANCES.get(kind, ""))

    def _model(self, where: str) -> NeuronModel:
        return self.own if self.own is not None else neuron_model(self.model, where)

    def _check_receptors(self, where: str) -> None:
        if self.role == "input":
            if self.receptors or self.parameters:
                raise SpecError(f"{where}: an input population has neither receptors nor parameters.")
            return
        takes_current = bool(self._model(where).input_current)
        if not takes_current and self.receptors:
            raise SpecError(f"{where}.receptors: model {self.model!r} holds its own synapses; give no receptors.")
        ports = [port for port, _ in self.receptors]
        if len(set(ports)) != len(ports):
            raise SpecError(f"{where}.receptors: a port is named twice in {ports}; give each its own name.")
        for port in ports:
            check_name(port, f"{where}.receptors")
        self._check_names_of_ports(where)

    def _check_names_of_ports(self, where: str) -> None:
        """Refuse a port one of whose names the cell, or another port, uses for something else: both would be the same number."""
        taken = self._model(where).names_in_step
        for model in self.receptor_models():
            parts: tuple[Parameter | State | Coefficient, ...] = (*model.parameters, *model.states, *model.coefficients)
            own = {part.name for part in parts} | model.assigned - {model.port}
            if shared := sorted(own & taken):
                raise SpecError(
                    f"{where}.receptors: port {model.port!r} uses the name {shared[0]!r}, which stands for something else in "
                    f"{self.model}; give the port another name, such as 'g_exc'."
                )
            taken |= own

    def _checked_parameters(self, where: str) -> Mapping[str, FloatArray]:
        known = {parameter.name: parameter for parameter in self.declared_parameters()}
        for name in self.parameters:
            if name not in known:
                raise SpecError(unknown_name(f"{where}.parameters", name, known))
        values = {
            name: _checked_values(self.parameters.get(name, parameter.default), parameter, self.size, where)
            for name, parameter in known.items()
        }
        missing = [name for name, parameter in known.items() if parameter.kind == "initial" and name not in self.parameters]
        if missing:
            rest = self.neuron().initial_at_rest(values, self._summed_current(values))
            values |= {name: _checked_values(rest[name], known[name], self.size, where) for name in missing if name in rest}
        return MappingProxyType(values)

    def _summed_current(self, values: Mapping[str, FloatArray]) -> FloatArray:
        parameters = (parameter for receptor in self.receptor_models() for parameter in receptor.parameters)
        return sum((values[p.name] for p in parameters if p.kind == "constant current"), start=np.zeros(()))

    @property
    def constant_current(self) -> FloatArray:
        """The current that its receptors give each cell without a spike, in the unit of the model's input current."""
        return self._summed_current(self.parameters)  # type: ignore[arg-type]

    def operating_point(self, dt_ms: float = 1.0) -> OperatingPoint:
        """Return rest, threshold, rheobase and membrane time constant of each cell under its own constant current."""
        return self.neuron().operating_point(self.parameters, self.constant_current, dt_ms)

    def at_its_rest(self, changes: Mapping[str, npt.ArrayLike] = MappingProxyType({})) -> Population:
        """Return the population with other parameter values, every cell starting at rest under its constant current."""
        initial = {parameter.name for parameter in self.declared_parameters() if parameter.kind == "initial"}
        kept = {name: value for name, value in {**self.parameters, **changes}.items() if name not in initial}
        return replace(self, parameters=kept)

    def neuron(self) -> NeuronModel:
        """Return the neuron model with the sub-steps of these cells; an input population has none and raises `SpecError`."""
        own = {one.name for one in self.own_synapses if one.conductance}
        conductances = any(kind in {*CONDUCTANCES, *own, "background_conductance"} for _, kind in self.receptors)
        return stepped_for(self._model(f"population {self.name}"), self.cell_types, conductances)

    def receptor_models(self) -> tuple[Receptor, ...]:
        """Return the receptors with their ports filled in."""
        if not self.receptors:
            return ()
        model, where = self.neuron(), f"population {self.name}"
        own = {one.name: one for one in self.own_synapses}
        volt = next((state.unit for state in model.states if state.name == model.voltage), "1")
        made = (
            receptor_of(own[kind], port, model.input_unit, volt, where) if kind in own
            else receptor(kind, port, model.input_unit, where) for port, kind in self.receptors
        )  # fmt: skip
        return tuple(one.of_potential(model.voltage) for one in made)

    def declared_parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters of the model and of the receptors."""
        if self.role == "input":
            return ()
        extra = tuple(parameter for model in self.receptor_models() for parameter in model.parameters)
        return self.neuron().parameters + extra

    def declared_states(self) -> tuple[State, ...]:
        """Return the states of the model and of the receptors."""
        if self.role == "input":
            return ()
        return self.neuron().states + tuple(state for model in self.receptor_models() for state in model.states)

    @property
    def ports(self) -> tuple[str, ...]:
        """States that projections may end on."""
        if self.role == "input":
            return ()
        return self.neuron().ports + tuple(port for port, kind in self.receptors if kind not in WITHOUT_PORT)

    @property
    def spiking(self) -> bool:
        """Whether its neurons can spike; input populations do."""
        return self.role == "input" or self.neuron().spiking

    @property
    def relay(self) -> bool:
        """Whether it only passes spikes on (pooling) and is no cell: it has no rate, no noise and no biology."""
        return self.model == RELAY_NAME


def _checked_values(given: npt.ArrayLike, parameter: Parameter, size: int, where: str) -> FloatArray:
    here = f"{where}.parameters[{parameter.name!r}]"
    given = plain_number(given, parameter.unit, here)
    try:
        values = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{here}: {given!r} is not a number; give one, or {size}, in {parameter.unit}.") from error
    if values.shape not in ((), (size,)):
        raise SpecError(f"{here}: shape {values.shape}; give one number or one per neuron, shape ({size},), in {parameter.unit}.")
    if not np.isfinite(values).all():
        raise SpecError(f"{here}: {int(np.sum(~np.isfinite(values)))} values are not finite; give numbers {parameter.allowed()}.")
    too_low = values <= parameter.low if parameter.open_low else values < parameter.low
    if np.any(too_low) or np.any(values > parameter.high):
        raise SpecError(f"{here}: values from {values.min():g} to {values.max():g}; allowed are {parameter.allowed()}.")
    values.flags.writeable = False
    return values
