"""Named cell types: a neuron model with the parameters of one kind of cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ei_brian.core.models import adex, hodgkin_huxley, izhikevich_2003, izhikevich_2007, neuron_model
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.plain_numbers import plain_number, takes_numbers
from ei_brian.errors import SpecError, unknown_name

__all__ = ["CELL_TYPES", "CellType", "cell_type"]


@takes_numbers(parameters=None)
@dataclass(frozen=True, slots=True)
class CellType:
    """One kind of cell.

    Parameters
    ----------
    name : str
        Name in mixtures and in ``Population.cell_types``.
    role : {"exc", "inh"}
        What it does to its targets in nature.
    model : str
        Neuron model of the catalogue.
    parameters : mapping of str to float
        In the units of the model; what is not given has the model's default.
    reference : str
        Source.
    own : NeuronModel, optional
        The model where it is none of the catalogue.
    """

    name: str
    role: str
    model: str
    parameters: Mapping[str, float]
    reference: str
    own: NeuronModel | None = None

    def __post_init__(self) -> None:
        units = {parameter.name: parameter.unit for parameter in self.neuron().parameters}
        where = f"cell type {self.name}.parameters"
        plain = {name: plain_number(value, units.get(name, "1"), f"{where}[{name!r}]") for name, value in self.parameters.items()}
        object.__setattr__(self, "parameters", plain)

    def __hash__(self) -> int:
        return hash((self.name, self.model))

    @classmethod
    def of_model(cls, model: NeuronModel, role: str = "inh") -> CellType:
        """Return the cell type that a model of one's own stands for: its default parameters, its name and its source."""
        return cls(model.name, role, model.name, {}, model.reference, model)

    def neuron(self) -> NeuronModel:
        """Return the neuron model."""
        return self.own if self.own is not None else neuron_model(self.model, f"cell type {self.name}")


KOPSICK = (
    "Kopsick et al. 2022, Cogn. Comput., doi 10.1007/s12559-021-09954-2; Venkadesh et al. 2019 (Hippocampome.org), "
    "as in the CARLsim configuration of that group; LMR-targeting and Trilaminar, not among that paper's eight types, by "
    "Hippocampome.org alone"
)
IZHIKEVICH_2007_FIGURES = "Izhikevich 2007, Dynamical Systems in Neuroscience, MIT Press, figs. 8.12 (RS), 8.19 (IB), 8.23 (CH)"
NAUD = "Naud, Marcille, Clopath & Gerstner 2008, Biol. Cybern. 99:335, table 1, doi 10.1007/s00422-008-0264-7"
EXCITATORY = (
    "RS", "IB", "CH", "TC", "RZ", "RS2007", "IB2007", "CH2007", "Pyramidal", "Traub-Miles", *adex.NAUD_TYPES,
)  # fmt: skip


def _types(model: str, table: Mapping[str, Mapping[str, float]], reference: str) -> list[CellType]:
    return [
        CellType(name, "exc" if name in EXCITATORY else "inh", model, parameters, reference)
        for name, parameters in table.items()
    ]


CELL_TYPES: dict[str, CellType] = {
    kind.name: kind
    for kind in (
        *_types("izhikevich_2003", izhikevich_2003.TYPES, izhikevich_2003.IZHIKEVICH_2003.reference),
        *_types("izhikevich_2007", izhikevich_2007.CORTICAL_TYPES, IZHIKEVICH_2007_FIGURES),
        *_types("izhikevich_2007", izhikevich_2007.CA3_TYPES, KOPSICK),
        *_types("adex", adex.NAUD_TYPES, NAUD),
        *_types("wang_buzsaki", {"Wang-Buzsaki": {}}, hodgkin_huxley.WANG_BUZSAKI.reference),
        *_types("traub_miles", {"Traub-Miles": {}}, hodgkin_huxley.TRAUB_MILES.reference),
    )
}


def cell_type(name: str, where: str = "cell type") -> CellType:
    """Return the cell type of that name.

    Raises
    ------
    SpecError
        If there is none; the message names the nearest.
    """
    if name not in CELL_TYPES:
        raise SpecError(unknown_name(where, name, CELL_TYPES))
    return CELL_TYPES[name]
