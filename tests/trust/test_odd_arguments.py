"""Whatever is given for an argument of what users call: it works, or one line says where, what it was and what is allowed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import ei_brian as ei
from ei_brian.core.argument_kinds import misfit
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.pipe import pipeable
from ei_brian.errors import ArgumentError, EIBrianError, SpecError
from ei_brian.measure.rates import rates_hz
from ei_brian.transforms import with_delays

ODD: dict[str, Any] = {
    "None": None, "[]": [], "{}": {}, "''": "", "text": "x", "bytes": b"x", "-1": -1, "0": 0, "nan": float("nan"),
    "inf": float("inf"), "huge": 10**400, "2**63": 2**63, "2**64": 2**64, "object": object(), "empty": np.array([]),
    "ragged": [[1, 2], [3]], "True": True, "set": {1, 2}, "dict": {"g": "AMPA"}, "class": int, "function": print,
    "objects": np.array([None, 1], object), "3d": np.ones((1, 1, 1)), "pair": ("E", "v"), "nested": [[["a"]]], "complex": 1j,
    "numpy text": np.str_("E"), "surrogate": "\ud800", "lines": "a\nb", "bytes array": np.array([b"a"]),
}  # fmt: skip


def network() -> NetworkSpec:
    cells = ((Population(name, size, role, "lif_exponential")) for name, size, role in (("E", 3, "exc"), ("I", 2, "inh")))
    populations = (Population("X", 2, "input"), *cells, Population("out", 2, "readout", "leaky_readout"))
    projections = (Projection("X", "E", np.ones((3, 2))), Projection("E", "out", np.ones((2, 3))))
    return NetworkSpec(populations, projections, 1.0, Readout("out", "max v"))


def calls() -> Iterator[tuple[str, Callable[..., Any], dict[str, Any]]]:
    """Yield calls that work, with all their arguments."""
    spec, events = network(), Spikes.from_dense(np.random.default_rng(0).random((4, 6, 2)) < 0.3, 1.0)
    shown = Stimulus(events, labels=[0, 1, 0, 1], n_classes=2)
    cells = {"receptors": (("g", "AMPA"),), "parameters": {"C": 200.0}, "cell_types": ("a", "b", "a")}
    yield "Population", Population, {"name": "E", "size": 3, "role": "exc", "model": "adex", **cells}
    table = {"weights": np.ones((3, 2)), "port": "g", "delay_steps": 0, "plasticity": None}
    yield "Projection", Projection, {"source": "a", "target": "b", **table}
    parts = {name: getattr(spec, name) for name in ("populations", "projections", "dt_ms", "readout", "schedule", "name")}
    yield "NetworkSpec", NetworkSpec, {**parts, "provenance": ()}
    yield "Readout", Readout, {"population": "out", "kind": "max v"}
    sizes = {"n_trials": 1, "n_steps": 5, "n_units": 2, "dt_ms": 1.0}
    yield "Spikes", Spikes, {"trial": [0], "step": [1], "unit": [0], **sizes}
    yield "Stimulus", Stimulus, {"events": events, "labels": [0, 1, 0, 1], "n_classes": 2, "name": "s"}
    yield "from_currents", Stimulus.from_currents, {"currents": np.ones((1, 5, 2)), "dt_ms": 1.0}
    settings = {"dtype": "float64", "layout": "shared", "threads": 1, "record": "spikes", "batch": None}
    yield "Backend", ei.Backend, {"name": "reference", **settings, "summation": "ordered"}
    run = {"noise": None, "seed": None, "traces": (("E", "v"),), "n_steps": None}
    yield "run", ei.Backend("reference").run, {"spec": spec, "stimulus": shown, **run}
    yield "rate_hz", simulate(spec, shown).rate_hz, {"population": "E"}
    yield "rates_hz", rates_hz, {"recording": simulate(spec, shown), "population": "E"}
    yield "spec[…]", spec.__getitem__, {"name": "E"}
    yield "select", shown.select, {"start": 0, "stop": 2}
    yield "Noise", ei.Noise, {"membrane_white_sd": 0.1, "delay_jitter_ms": 1.0}
    yield "with_delays", with_delays, {"spec": spec, "low_ms": 1.0, "high_ms": 2.0, "seed": 0, "projections": "all"}
    kinds = {"mix": "FS", "population": "inh", "seed": 1}
    yield "diversify", lambda spec, **more: spec | ei.diversify(**more), {"spec": spec, **kinds}
    yield "load", ei.load, {"model": "digits_ei80"}
    yield "fan_out", ei.measures.fan_out, {"projection": spec.projections[0]}
    yield "synaptic_events", ei.measures.synaptic_events_per_decision, {"spec": spec, "recording": simulate(spec, shown)}
    yield "confusion_matrix", ei.measures.confusion_matrix, {"recording": simulate(spec, shown)}
    yield "load_dataset", ei.load_dataset, {"name": "digits"}


CALLS = [pytest.param(function, arguments, id=name) for name, function, arguments in calls()]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of numpy, for a table of one number where a number is wanted
@pytest.mark.parametrize(("function", "arguments"), CALLS)
def test_odd_arguments_work_or_are_refused_in_one_line(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    if "mix" not in arguments and arguments != {"name": "digits"}:  # the slow ones of these work in other tests
        function(**arguments)
    said = {}
    for argument in arguments:
        for odd, value in ODD.items():
            try:
                function(**{**arguments, argument: value})
            except EIBrianError as error:
                said[argument, odd] = str(error)
            except Exception as error:
                raise AssertionError(f"{argument} = {odd}: {type(error).__name__} without a sentence: {error}") from error
    assert {case: text for case, text in said.items() if "\n" in text or len(text) < 20} == {}


INNER = {"normals", "uniforms", "neuron_model"}  # called a million times, with what the package made
CLUSTER = {"connect", "start_jobs"}  # take what Dask takes


def test_every_public_function_is_such_a_door() -> None:
    found = {name: getattr(import_module(f"ei_brian.{facade}"), name) for facade in ei.FACADES for name in facade_names(facade)}
    functions = {name: one.function if isinstance(one, pipeable) else one for name, one in found.items()}
    plain = {name for name, one in functions.items() if inspect.isfunction(one) and not hasattr(one, "takes_numbers")}
    assert plain == INNER | CLUSTER


def facade_names(facade: str) -> list[str]:
    names: list[str] = import_module(f"ei_brian.{facade}").__all__
    return names


def test_the_line_says_where_what_and_what_is_allowed() -> None:
    with pytest.raises(ArgumentError, match=r"Population\.receptors: 5; give tuple\[tuple\[str, Any\], \.\.\.\]\."):
        Population("E", 3, "exc", "adex", 5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"Projection\.weights: \[\[1\.0, 2\.0\], \[3\.0\]\]; give "):
        Projection("a", "b", [[1.0, 2.0], [3.0]])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"Backend\.run\.stimulus: \[1\]; give Stimulus\."):
        ei.Backend("reference").run(network(), [1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"'net\.h5' \| diversify\(…\): a network stands before \|, for example ei\.load"):
        "net.h5" | ei.diversify(mix="FS")  # type: ignore[operator]
    with pytest.raises(SpecError, match="'Q' is not known"):
        network()["Q"]


def test_precisions_are_two() -> None:
    torch = pytest.importorskip("torch")
    for right in ("float32", np.float32, np.dtype("f4"), torch.float32):
        assert ei.Backend("numpy", dtype=right).dtype == np.float32
    for wrong in (torch.float16, torch.bfloat16, int, np.int64, "int8", None, "half", np.dtype(object)):
        with pytest.raises(EIBrianError, match=r"Backend\.dtype: .*allowed are float32 and float64"):
            ei.Backend("numpy", dtype=wrong)


def test_what_fails_for_another_reason_fails_as_it_did() -> None:
    @takes_numbers()
    def broken(dt_ms: float, found: list[int], other: Any = None) -> float:
        return dt_ms / found[0] / len(other)

    with pytest.raises(IndexError):
        broken(1.0, [])
    with pytest.raises(TypeError, match="len"):
        broken(1.0, [1], other=3)
    with pytest.raises(ArgumentError, match=r"broken\.found: 5; give list\[int\]"):
        broken(1.0, 5)  # type: ignore[arg-type]
    assert broken(4.0, (2,), "ab") == 1.0  # type: ignore[arg-type]


def test_kinds_that_fit() -> None:
    def door(
        size: int, dt_ms: float, name: str, on: bool, more: dict[str, float], pairs: list[tuple[str, int]] | None
    ) -> None: ...

    right: dict[str, Any] = {"size": 1, "dt_ms": 1, "name": "x", "on": True, "more": {"a": 1.0}, "pairs": [("a", 1)]}
    assert misfit(door, right) == ""
    for fits in ({"size": np.int64(3)}, {"dt_ms": np.float32(1)}, {"dt_ms": np.array(1.0)}, {"pairs": None}, {"pairs": []}):
        assert misfit(door, {**right, **fits}) == ""
    for wrong in (
        {"size": True}, {"size": 1.0}, {"dt_ms": "1"}, {"dt_ms": [1.0]}, {"name": b"x"}, {"on": 1}, {"more": {1: 1.0}},
        {"more": {"a": "b"}}, {"more": [1]}, {"pairs": "ab"}, {"pairs": [("a",)]}, {"pairs": [("a", "b")]}, {"pairs": ["ab"]},
    ):  # fmt: skip
        assert misfit(door, {**right, **wrong}).startswith(f"{next(iter(wrong))}: "), wrong
