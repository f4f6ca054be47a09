"""Every number that enters the package is converted by its declared unit, or refused with both units."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import ms, mV, nS, pA, pF
from brian2.units import Hz, kilogram

from ei_brian.core.models import MODELS, neuron_model
from ei_brian.core.models.cell_types import CellType
from ei_brian.core.noise import Noise
from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.noise.noise import FORMER
from ei_brian.core.plain_numbers import NUMERIC, declared_unit, plain_number, takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.quantity import Parameter, State
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.pipe import pipeable
from ei_brian.core.units import base_unit, dimension, readable_unit, unit_scale
from ei_brian.errors import ConfigError, SpecError, UnitError
from ei_brian.study.plan import NoiseLevels
from tests.doors import doors

FOUND = [(path, name) for path, name, _ in doors()]
# Arguments whose unit depends on others: the door converts them itself, and a test below shows each
OWN = {
    ("Population", "parameters"), ("Projection", "weights"), ("Parameter", "default"), ("Parameter", "low"),
    ("Parameter", "high"), ("State", "initial"), ("CellType", "parameters"), ("NoiseLevels", "levels"),
    ("NoiseLevels", "settings"), ("NoiseLevels.fields", "level"), ("NoiseSettings", "levels"), ("Noise.of", "level"),
    ("Clamp", "potential"), ("Inject", "pA"), ("Inject", "current"), ("Inject", "to"),
}  # fmt: skip


def target(path: str, name: str) -> Any:
    found = import_module("ei_brian." + path.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        found = getattr(found, part)
    return found.function if isinstance(found, pipeable) else found


def arguments(path: str, name: str) -> dict[str, inspect.Parameter]:
    door = target(path, name)
    parameters = inspect.signature(door.__init__ if inspect.isclass(door) else door).parameters
    return {key: one for key, one in parameters.items() if key != "self" or not inspect.isclass(door)}


CASES = [
    (path, name, argument)
    for path, name in FOUND
    for argument, one in arguments(path, name).items()
    if NUMERIC.search(str(one.annotation)) and "Callable" not in str(one.annotation) and (name, argument) not in OWN
]


def test_there_are_doors() -> None:
    assert len(CASES) > 200
    assert {("NetworkSpec", "dt_ms"), ("EINetwork.__init__", "tau_mem_exc_ms"), ("with_delays", "low_ms")} <= {
        case[1:] for case in CASES
    }


@pytest.mark.parametrize(("path", "name", "argument"), CASES, ids=lambda value: str(value))
def test_no_door_takes_a_quantity_of_another_dimension(path: str, name: str, argument: str) -> None:
    """Masses are in no unit of the package; others are left empty, since numbers come first."""
    needed = {key: None for key, one in arguments(path, name).items() if one.default is inspect.Parameter.empty}
    unit = declared_unit(argument)
    with pytest.raises(UnitError) as refused:
        target(path, name)(**{**needed, argument: 3 * kilogram})
    for part in (argument, "given in kg", f"its unit is {unit}."):
        assert part in str(refused.value)
    with pytest.raises(UnitError, match="masked"):
        target(path, name)(**{**needed, argument: np.ma.array([1.0, 2.0], mask=[False, True])})


@pytest.mark.parametrize(("path", "name", "argument"), CASES, ids=lambda value: str(value))
def test_every_door_converts_the_unit_that_it_declares(path: str, name: str, argument: str) -> None:
    """The door stands before a function of the same signature that hands back what reached it."""
    if name == "Noise":
        value = brian2_value(0.5, declared_unit(argument))
        if argument in FORMER:  # kinds of version 0.1: read, and refused with what to write
            with pytest.raises(ConfigError, match=f"{argument}_sd is the standard deviation"):
                Noise(**{argument: value})
            return
        assert argument == "weight_bits" or getattr(Noise(**{argument: value}), argument) == 0.5
        return
    door = target(path, name)
    function = inspect.unwrap(door.__init__ if inspect.isclass(door) else door)

    @wraps(function)
    def seen(*args: Any, **kwargs: Any) -> Any:
        return kwargs[argument]

    unit = declared_unit(argument)
    given = brian2_value(281, unit)
    units = getattr(door.__init__ if inspect.isclass(door) else door, "takes_numbers", {})
    assert units.get(argument) == unit
    assert takes_numbers()(seen)(**{argument: given}) == 281.0


def brian2_value(number: float, unit: str) -> Any:
    """Return a number in a unit of the catalogue as Brian2 has it, made from the unit's SI text."""
    names = {name: getattr(brian2, name) for name in ("second", "volt", "amp", "siemens", "farad", "hertz")}
    return number * unit_scale(unit) * eval(base_unit(unit), names)  # noqa: S307 - texts of our own catalogue


def models() -> list[str]:
    return sorted(MODELS)


@pytest.mark.parametrize("model", models())
def test_every_parameter_of_every_model_converts_and_refuses(model: str) -> None:
    neuron = neuron_model(model)
    receptors = (("g", "exponential_current"),) if neuron.input_current else ()
    usual = {p.name: 1.0 if np.isnan(p.default) else p.default for p in neuron.parameters}
    plain = Population("a", 2, "exc", model, receptors, usual)
    for parameter in plain.declared_parameters():
        value = float(np.ravel(plain.parameters[parameter.name])[0])
        given = brian2_value(value, parameter.unit)
        kept = Population("a", 2, "exc", model, receptors, {**usual, parameter.name: given})
        assert np.array_equal(kept.parameters[parameter.name], np.full((), value)), parameter
        for listed in ([given, given], np.array([given, given], dtype=object)):
            kept = Population("a", 2, "exc", model, receptors, {**usual, parameter.name: listed})
            assert np.array_equal(kept.parameters[parameter.name], [value, value]), parameter
        with pytest.raises(SpecError, match=rf"{parameter.name}.*kg.*its unit is "):
            Population("a", 2, "exc", model, receptors, {**usual, parameter.name: 1 * kilogram})
        masked = np.ma.array([value, value], mask=[True, False])
        with pytest.raises(SpecError, match="masked"):
            Population("a", 2, "exc", model, receptors, {**usual, parameter.name: masked})


def cells_with(weights: Any, kind: str = "AMPA", **settings: Any) -> NetworkSpec:
    cells = Population("c", 2, "exc", "adex", (("g", kind),))
    return NetworkSpec((Population("input", 3, "input"), cells), (Projection("input", "c", weights, **settings),), 0.1)


def test_weights_take_the_unit_of_their_port() -> None:
    weights = np.array([[1.0, 0.3, 281.0], [0.0, 7.1, 2.5]])
    plain = cells_with(weights)
    listed = [[one * nS for one in row] for row in weights]
    for given in (weights * nS, listed, np.array(listed, dtype=object)):
        assert cells_with(given).sha256 == plain.sha256
    assert np.array_equal(cells_with(weights * nS * 1e3).projections[0].weights, weights * 1e3)
    with pytest.raises(UnitError, match="given in pA, but its unit is nS"):
        cells_with(weights * pA)
    with pytest.raises(UnitError, match="given in pA, but its unit is 1"):  # a trained drive, which gain_g turns into a current
        cells_with(weights * pA, "exponential_current")
    with pytest.raises(SpecError, match="1 of 6 values are masked"):
        cells_with(np.ma.array(weights, mask=weights == 281.0))


def test_weights_named_in_a_unit_and_sparse_ones() -> None:
    from scipy import sparse

    weights = np.array([[1.0, 0.5, 281.0], [0.0, 7.0, 2.5]])
    made = cells_with(sparse.csr_array(weights * 1e-3), unit="uS").projections[0]
    assert made.unit == ""
    assert np.array_equal(made.weights.toarray(), weights)
    with pytest.raises(UnitError, match="given in mV, but its unit is nS"):
        cells_with(weights, unit="mV")


def test_a_layers_weights_that_require_a_gradient_are_weights() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 2)
    assert np.array_equal(Projection("a", "b", layer.weight).weights, layer.weight.detach().numpy())
    with pytest.raises(UnitError, match=r"\.weights"):
        Projection("a", "b", layer.weight.bfloat16())


def test_plasticity_that_is_no_plasticity_is_refused() -> None:
    with pytest.raises(SpecError, match="give TsodyksMarkram"):
        Projection("a", "b", np.ones((1, 1)), plasticity={"utilization": 0.5})  # type: ignore[arg-type]


def test_declarations_and_kinds_of_noise_convert_by_their_own_unit() -> None:
    assert Parameter("tau", "ms", 20 * ms, "m", low=1 * ms).default == 20.0
    assert State("v", "mV", "m", -70 * mV).initial == -70.0
    assert CellType("x", "exc", "adex", {"C": 281 * pF}, "r").parameters["C"] == 281.0
    assert NoiseLevels("delay_jitter_ms", (0.0, 2 * ms)).levels == (0.0, 2.0)
    assert NoiseLevels("membrane_ou_sd", (0.1,), {"membrane_ou_tau_ms": 5 * ms}).settings == {"membrane_ou_tau_ms": 5.0}
    assert Noise.of("background_exc_hz", 3 * Hz).background_exc_hz == 3.0
    for wrong in (
        lambda: Parameter("tau", "ms", 20 * mV, "m"), lambda: State("v", "mV", "m", 1 * ms),
        lambda: CellType("x", "exc", "adex", {"C": 281 * mV}, "r"), lambda: NoiseLevels("delay_jitter_ms", (2 * mV,)),
        lambda: NoiseLevels("membrane_ou_sd", (0.1,), {"membrane_ou_tau_ms": 5 * mV}), lambda: Noise.of("spike_failure", 1 * ms),
    ):  # fmt: skip
        with pytest.raises(UnitError, match="its unit is"):
            wrong()
    assert {declared_unit(kind) for kind in NOISE_KINDS} >= {"1", "ms", "Hz"}


def quantities_of(library: str) -> Callable[[Any, str], Any]:
    if library == "pint":
        registry = pytest.importorskip("pint").UnitRegistry()
        return lambda number, unit: registry.Quantity(number, {"1": "", "1/ms": "1/ms"}.get(unit, unit))
    if library == "quantities":
        pq = pytest.importorskip("quantities")
        return lambda number, unit: pq.Quantity(number, {"1": "dimensionless"}.get(unit, unit))
    units = pytest.importorskip("astropy.units")
    return lambda number, unit: number * units.Unit({"1": "", "mM": "mmol/l"}.get(unit, unit))


@pytest.mark.parametrize("library", ["pint", "quantities", "astropy"])
def test_quantities_of_other_libraries(library: str) -> None:
    make = quantities_of(library)
    for unit in ("ms", "mV", "pA", "nA", "nS", "uS", "pF", "Hz", "mM", "1", "mV/ms", "nS/mV", "1/ms"):
        assert plain_number(make(281.0, unit), unit, "x") == 281.0
        array = plain_number(make(np.array([0.1, 20.0]), unit), unit, "x")
        assert type(array) is np.ndarray
        assert array.tolist() == [0.1, 20.0]
        with pytest.raises(UnitError, match=f"given in kg, but its unit is {unit}"):
            plain_number(make(1.0, "kg"), unit, "x")


def test_the_number_that_a_user_wrote_comes_back() -> None:
    rng = np.random.default_rng(0)
    for unit in ("ms", "pF", "nS/mV", "uS", "mV/ms"):
        decimals = np.round(rng.uniform(-300, 300, 500), 4)
        single = rng.uniform(-1, 1, 500).astype(np.float32)
        for numbers in (decimals, single):
            given = np.array([float(one) * unit_scale(unit) for one in numbers])
            quantity = brian2.Quantity.with_dimensions(given, brian2_value(1.0, unit).dim)
            assert np.array_equal(plain_number(quantity, unit, "x"), numbers.astype(np.float64))
        any_ = rng.uniform(-1, 1, 500)
        quantity = brian2.Quantity.with_dimensions(any_ * unit_scale(unit), brian2_value(1.0, unit).dim)
        assert np.allclose(plain_number(quantity, unit, "x"), any_, rtol=4 * 2.0**-52 * 2, atol=0)


def test_what_is_no_number_and_what_is_left_alone() -> None:
    arrays = (np.array([1j]), np.array(["1"]), np.array([None]), np.ma.masked)
    for wrong in ("20 ms", 1j, *arrays, [1.0, "x"], np.datetime64(1, "s")):
        with pytest.raises(UnitError):
            plain_number(wrong, "ms", "x")
    assert plain_number(datetime.timedelta(milliseconds=20), "ms", "x") == 20.0
    assert plain_number(np.timedelta64(20, "ms"), "ms", "x") == 20.0
    for same in (1, 2.5, None, True, [1, 2.0], (1.0,), np.ones(3), {"a": 1.0}):
        assert plain_number(same, "ms", "x") is same


def test_dimensions_are_those_of_brian2() -> None:
    for unit in ("ms", "mV", "pA", "nS", "uS", "pF", "Hz", "mV/ms", "nS/mV", "1/mV"):
        dim = brian2_value(1.0, unit).dim
        names = ("length", "mass", "time", "current", "temperature", "substance", "luminosity")
        assert dimension(unit) == tuple(float(dim.get_dimension(name)) for name in names)
        assert dimension(readable_unit(dimension(unit))) == dimension(unit)
