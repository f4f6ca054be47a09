"""A network that does not fit together is refused, with the place, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.schedule import Phase, brian2_schedule, layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import SpecError

ONES = np.ones((3, 16), dtype=np.float32)


def with_projection(spec: NetworkSpec, name: str, **changes: object) -> NetworkSpec:
    """Return the network with one projection changed."""
    projections = tuple(replace(p, **changes) if p.name == name else p for p in spec.projections)
    return replace(spec, projections=projections)


def with_population(spec: NetworkSpec, name: str, **changes: object) -> NetworkSpec:
    return replace(spec, populations=tuple(replace(p, **changes) if p.name == name else p for p in spec.populations))


def test_dale_violated_names_count_and_size(spec: NetworkSpec) -> None:
    weights = np.array(spec.projection("I_E").weights)
    weights[0, :2] = 0.25
    with pytest.raises(SpecError, match=r"I→E: 2 of 64 weights are positive \(largest 0.25\).*<= 0"):
        with_projection(spec, "I_E", weights=weights)
    with pytest.raises(SpecError, match=r"E→out: 48 of 48 weights are negative"):
        with_projection(spec, "E_out", weights=-ONES)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers(spec: NetworkSpec, bad: float) -> None:
    weights = np.array(spec.projection("E_out").weights)
    weights[1, 2] = bad
    with pytest.raises(SpecError, match=r"E→out.weights: 1 of 48 are not finite"):
        with_projection(spec, "E_out", weights=weights)


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        (ONES.T, r"\(n_target, n_source\) is \(3, 16\)"),
        (ONES[0], "of shape"),
        (ONES.astype(int), "float32 or float64"),
    ],
)
def test_weights_of_wrong_shape_or_kind(spec: NetworkSpec, weights: np.ndarray, word: str) -> None:
    with pytest.raises(SpecError, match=word):
        with_projection(spec, "E_out", weights=weights)


@pytest.mark.parametrize("delay", [-1, 1.5, np.ones((2, 2), int), 10**9])
def test_delays_that_cannot_be(spec: NetworkSpec, delay: object) -> None:
    with pytest.raises(SpecError, match="delay_steps"):
        with_projection(spec, "E_out", delay_steps=delay)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"target": "input"}, "receives nothing"),
        ({"source": "out"}, "never spikes"),
        ({"source": "F"}, "Did you mean|not known"),
        ({"port": "ge"}, "Did you mean 'g'|Allowed: g"),
    ],
)
def test_projection_that_leads_nowhere(spec: NetworkSpec, changes: dict, word: str) -> None:
    with pytest.raises(SpecError, match=word):
        with_projection(spec, "E_out", **changes)


def test_plasticity_of_inputs_is_refused(spec: NetworkSpec) -> None:
    with pytest.raises(SpecError, match="not to inputs"):
        with_projection(spec, "input_E", plasticity=TsodyksMarkram(0.2, 100.0, 200.0))


@pytest.mark.parametrize("values", [(0.0, 1.0, 1.0), (1.1, 1.0, 1.0), (0.5, 0.0, 1.0), (0.5, 1.0, np.nan)])
def test_plasticity_out_of_range(values: tuple) -> None:
    with pytest.raises(SpecError, match="TsodyksMarkram"):
        TsodyksMarkram(*values)


@pytest.mark.parametrize("name", ["", "1a", "a b", "E__I", "x" * 65, "dt", "class", "a;b", "é", 3, "a\n"])
def test_names_that_could_be_misread(name: object) -> None:
    with pytest.raises(SpecError, match="cannot be used"):
        Population(name, 3, "input")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="cannot be used"):
        Projection("E", "I", ONES, name=name or "1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": "lif_exponentail"}, "Did you mean 'lif_exponential'"),
        ({"model": ""}, "every other population has one"),
        ({"role": "excit"}, "Allowed: exc"),
        ({"size": 0}, "whole number from 1"),
        ({"size": 2.5}, "whole number from 1"),
        ({"size": True}, "whole number from 1"),
        ({"cell_types": ("FS",)}, "one each, or none"),
        ({"parameters": {"tau_men": 10.0}}, "Did you mean 'tau_mem'"),
        ({"parameters": {"tau_mem": 0.0}}, "> 0"),
        ({"parameters": {"tau_mem": np.nan}}, "not finite"),
        ({"parameters": {"tau_mem": [1.0, 2.0]}}, "one per neuron"),
        ({"parameters": {"tau_mem": "long"}}, "not a number"),
        ({"receptors": (("g", "AMPA"),)}, "holds its own synapses"),
    ],
)
def test_populations_that_cannot_be(changes: dict, word: str) -> None:
    arguments = {"name": "E", "size": 4, "role": "exc", "model": "lif_exponential", **changes}
    with pytest.raises(SpecError, match=word):
        Population(**arguments)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"dt_ms": 0.0}, "positive number of ms"),
        ({"dt_ms": np.nan}, "positive number of ms"),
        ({"readout": Readout("out", "spike count")}, "no spikes"),
        ({"readout": Readout("input", "max v")}, "no membrane"),
        ({"readout": Readout("aut")}, "Did you mean 'out'"),
        ({"provenance": ({"action": object()},)}, "JSON"),
        ({"name": "a b"}, "cannot be used"),
    ],
)
def test_networks_that_cannot_be(spec: NetworkSpec, changes: dict, word: str) -> None:
    with pytest.raises(SpecError, match=word):
        replace(spec, **changes)


def test_two_of_one_name(spec: NetworkSpec) -> None:
    with pytest.raises(SpecError, match="two populations are named 'E'"):
        replace(spec, populations=(*spec.populations, spec["E"]))
    with pytest.raises(SpecError, match="two projections are named 'E_out'"):
        replace(spec, projections=(*spec.projections, spec.projection("E_out")))


def test_dt_above_what_the_model_allows() -> None:
    cells = Population("E", 4, "exc", "izhikevich_2003", receptors=(("g", "exponential_current"),))
    with pytest.raises(SpecError, match=r"2 ms is larger than izhikevich_2003 of population E allows \(1 ms\)"):
        NetworkSpec((Population("input", 3, "input"), cells), (), 2.0)


def test_schedule_must_hold_every_phase_once_in_order(spec: NetworkSpec) -> None:
    phases = brian2_schedule(spec.populations, spec.projections)
    cases = {
        "lacks": phases[1:],
        "twice": (*phases, phases[0]),
        "before its update": (Phase("threshold", "E"), *(p for p in phases if p != Phase("threshold", "E"))),
        "before its threshold": (Phase("update", "E"), Phase("reset", "E"), *phases[1:]),
        "names nothing": (*phases, Phase("reset", "out")),
        "Did you mean 'update'": (*phases, Phase("updat", "E")),
    }
    cases["before its threshold"] = tuple(dict.fromkeys(cases["before its threshold"]))
    for word, wrong in cases.items():
        with pytest.raises(SpecError, match=word):
            replace(spec, schedule=wrong)


def test_both_ready_made_schedules_are_accepted(spec: NetworkSpec) -> None:
    for make in (brian2_schedule, layerwise_schedule):
        assert replace(spec, schedule=make(spec.populations, spec.projections)).n_inputs == 12


def test_hash_sees_what_decides_spikes_and_nothing_else(spec: NetworkSpec) -> None:
    weights = np.array(spec.projection("E_I").weights)
    weights[0, 0] = np.nextafter(weights[0, 0], np.float32(10))
    changed = [
        with_projection(spec, "E_I", weights=weights),
        with_projection(spec, "E_I", delay_steps=1),
        with_projection(spec, "E_I", weights=sparse.csr_array(spec.projection("E_I").weights)),
        with_projection(spec, "E_I", plasticity=TsodyksMarkram(0.2, 100.0, 200.0)),
        with_population(spec, "E", parameters={"tau_mem": 20.1}),
        replace(spec, dt_ms=0.5),
        replace(spec, readout=Readout("out", "mean v")),
        replace(spec, schedule=layerwise_schedule(spec.populations, spec.projections)),
    ]
    assert len({spec.sha256, *(other.sha256 for other in changed)}) == len(changed) + 1
    assert spec.with_provenance("looked at").sha256 == spec.sha256


def test_numbers_cannot_be_changed(spec: NetworkSpec) -> None:
    with pytest.raises(ValueError, match="read-only"):
        spec.projection("E_I").weights[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        spec["E"].parameters["tau_mem"][...] = 1.0  # type: ignore[index]
    with pytest.raises(TypeError):
        spec["E"].parameters["tau_mem"] = 1.0  # type: ignore[index]


def test_a_changed_copy_does_not_follow_its_source() -> None:
    weights = np.ones((2, 2), dtype=np.float32)
    projection = Projection("E", "I", weights)
    weights[0, 0] = 5
    assert projection.weights[0, 0] == 1


def test_transforms_are_applied_by_a_bar(spec: NetworkSpec) -> None:
    def mark(network: NetworkSpec) -> NetworkSpec:
        return network.with_provenance("mark", times=1)

    assert (spec | mark).provenance[-1] == {"action": "mark", "times": 1}


def test_make_spec_is_reproducible(make_spec: Callable[..., NetworkSpec]) -> None:
    assert make_spec(3).sha256 == make_spec(3).sha256 != make_spec(4).sha256


@pytest.mark.parametrize(("model", "port"), [
    ("izhikevich_2003", "a"), ("izhikevich_2003", "h"), ("izhikevich_2007", "k"), ("adex", "g_L"), ("wang_buzsaki", "n"),
    ("izhikevich_2003", "v"),
])  # fmt: skip
def test_a_port_cannot_have_a_name_that_the_cell_uses(model: str, port: str) -> None:
    """It was taken, and the cell's rate of recovery was the conductance: RS cells rested at -83 mV."""
    with pytest.raises(SpecError, match=f"port '{port}' uses the name '{port}'"):
        Population("A", 1, "mixed", model, ((port, "AMPA"),))


def test_ports_cannot_share_names() -> None:
    with pytest.raises(SpecError, match="uses the name 'tau_slow'"):
        Population("A", 1, "mixed", "adex", (("slow", "AMPA"), ("tau_slow", "GABA_A")))


@pytest.mark.parametrize("dt_ms", [5e-324, 1e-300, 1e-12, 0.0, -1.0, np.nan, np.inf])
def test_a_time_step_is_no_shorter_than_a_picosecond(dt_ms: float) -> None:
    cells = (Population("input", 1, "input"), Population("E", 1, "exc", "lif_exponential"))
    assert NetworkSpec(cells, (), 1e-9).dt_ms == 1e-9
    with pytest.raises(SpecError, match=r"dt_ms: .*give a positive number of ms, at least 1e-09"):
        NetworkSpec(cells, (), dt_ms)
