"""Units of the catalogue agree with Brian2's."""

from __future__ import annotations

import brian2
import pytest

from ei_brian.core.models import MODELS
from ei_brian.core.receptor import CONDUCTANCE_UNIT, RECEPTORS
from ei_brian.core.units import ATOMIC, base_unit, unit_scale
from ei_brian.errors import SpecError

BRIAN2 = {
    name: 1.0 if name in ("1", "mM") else getattr(brian2, {"V": "volt", "A": "amp", "s": "second", "uS": "usiemens",
                                                         "nS": "nsiemens",
                                                         "pF": "pfarad", "pA": "pamp", "nA": "namp"}.get(name, name))
    for name in ATOMIC
}  # fmt: skip


def units_in_use() -> set[str]:
    models = list(MODELS.values())
    used = {quantity.unit for m in models for quantity in (*m.parameters, *m.states, *m.coefficients)}
    for make in RECEPTORS.values():
        for unit in CONDUCTANCE_UNIT:
            receptor = make("p", unit)
            used |= {q.unit for q in (*receptor.parameters, *receptor.states, *receptor.coefficients)}
    return used


@pytest.mark.parametrize("unit", sorted(units_in_use() | set(ATOMIC) | {"nS/mV", "1/ms/mV", "mV^2", "pA*ms"}))
def test_scale_and_dimension_are_brian2s(unit: str) -> None:
    python = unit.replace("^", "**")
    quantity = eval(python, {"__builtins__": {}}, {k: v for k, v in BRIAN2.items() if k != "1"})  # noqa: S307
    assert unit_scale(unit) == pytest.approx(float(quantity), rel=1e-15)  # one rounding of a quotient
    named = eval(base_unit(unit), {"__builtins__": {}}, vars(brian2))  # noqa: S307
    assert brian2.have_same_dimensions(quantity, named)


@pytest.mark.parametrize("unit", ["", "furlong", "mV/", "/ms", "mVms", "mV**2", "ms ms", "mV^"])
def test_refuses_what_is_no_unit(unit: str) -> None:
    with pytest.raises(SpecError, match="unit"):
        unit_scale(unit)
