"""Synapses of one's own in files of strangers: what is no synapse is refused, and nothing of it is executed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ei_brian as ei
from ei_brian.config.data_settings import DataSettings
from ei_brian.config.transform_step import read_step, transformed
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.synapse_data import synapse_data, synapse_from_data
from ei_brian.core.synapse_model import SynapseModel
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.errors import ConfigError, SpecError, StorageError
from ei_brian.storage import load_spec
from ei_brian.storage.synapse_file import load_synapse, save_synapse
from tests.storage.test_own_models import BAD_TEXTS
from validation.trust.synapse_mutants import SYNAPSE, SynapseMutants

BAD_EQUATIONS = (
    "dg/dt = __import__('os') : siemens", "dg/dt = g.real : siemens", "dg/dt = 9**9**9**9 : siemens", "dg/dt = g : os",
    "dg/dt = g**9999 : siemens", "dg/dt = unknown : siemens", "dx/dt = g : siemens", "dg/dt = eval(g) : siemens",
    "dg/dt = -g/tau : siemens\ndg/dt = g : siemens", "dg/dt = -g/tau : siemens\nv = 1 : volt", "{{ g }}",
    "dg/dt = -g/tau : siemens\ngain = 1 : 1", "dg/dt = -g/tau : siemens\nimport = 1 : 1", "dg/dt = g : 9**9**9", "",
)  # fmt: skip
BAD_CURRENTS = (
    "__import__('os').system('true')", "g.__class__", "lambda: 1", "g if g else v", "9**9**9**9", "", "g*(E - v) : amp\nx = 1",
    "unknown", "(" * 500 + "g" + ")" * 500, "g; import os",
)  # fmt: skip


def data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(synapse_data(SYNAPSE)))
    return found


def test_a_synapse_comes_back_as_it_was(tmp_path: Path) -> None:
    assert synapse_from_data(data()) == SYNAPSE
    save_synapse(SYNAPSE, tmp_path / "s.json")
    assert load_synapse(tmp_path / "s.json") == SYNAPSE


@pytest.mark.parametrize("text", [text.replace("v", "g") for text in BAD_TEXTS], ids=range(len(BAD_TEXTS)))
@pytest.mark.parametrize("field", ["update", "before", "now"])
def test_hostile_steps_are_refused(field: str, text: str) -> None:
    with pytest.raises(SpecError):
        synapse_from_data({**data(), field: text})


@pytest.mark.parametrize("text", BAD_EQUATIONS, ids=range(len(BAD_EQUATIONS)))
def test_hostile_equations_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        synapse_from_data({**data(), "equations": text})


@pytest.mark.parametrize("text", BAD_CURRENTS, ids=range(len(BAD_CURRENTS)))
def test_hostile_currents_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        synapse_from_data({**data(), "current": text})


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a; rm"}, {"name": 3}, {"title": "x" * 10_000}, {"port": "os"}, {"port": ["g"]}, {"sign": "up"}, {"sign": None},
        {"current_unit": "nS"}, {"now": "conductance_now = g"}, {"now": "drive_now = g\ng = 0*g"}, {"before": "v = g"},
        {"update": "v = g"}, {"update": "tau = g"}, {"states": [["for", "nS", "m", 0.0]]}, {"states": [["g", "nS", "m", "tau"]]},
        {"states": [["g", "nS", "m", 0.0]] * 2}, {"states": [["gain", "nS", "m", 0.0], ["g", "nS", "m", 0.0]]},
        {"parameters": [["tau", "ms"]]}, {"parameters": [["tau", "kg", 1.0, "m", None, False, ""]]},
        {"coefficients": [["decay", "1", "", "__import__('os')", []]]}, {"coefficients": [["decay", "1", "", "dt.real", []]]},
        {"more": 1}, {"update": 3},
    ],
    ids=lambda changes: str(changes)[:40],
)  # fmt: skip
def test_hostile_fields_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        synapse_from_data({**data(), **changes})


def at_port(model: SynapseModel) -> Population:
    return Population("cells", 1, "exc", "adex", (("ge", model),))


@pytest.mark.parametrize(
    "changes",
    [
        {"update": "g = g*decay*decay"}, {"now": "drive_now = gain*g*E*2\nconductance_now = gain*g"},
        {"now": "drive_now = gain*g*E\nconductance_now = 2*gain*g"}, {"before": "mean_g = 2*g"},
        {"current": "g*g/g*(v - E)"},
    ],
    ids=str,
)  # fmt: skip
def test_a_synapse_that_is_none_of_its_equations_is_refused(changes: dict[str, str]) -> None:
    """A file could say right equations, which the report prints, beside another step."""
    at_port(SYNAPSE)
    wrong = replace(SYNAPSE, **changes)
    if "before" in changes:
        wrong = replace(wrong, now=SYNAPSE.now.replace("*g", "*mean_g"))
    with pytest.raises(SpecError, match="none of these equations"):
        at_port(wrong)


def test_a_model_file_with_a_synapse_of_nobody_is_refused(tmp_path: Path) -> None:
    from ei_brian.storage.container import read_content, write_content

    spec = NetworkSpec((Population("input", 1, "input"), at_port(SYNAPSE)), (), 0.1)
    spec.save(tmp_path / "a.h5")
    assert load_spec(tmp_path / "a.h5").own_synapses == (SYNAPSE,)
    content = read_content(tmp_path / "a.h5", "network", 1)
    for synapses in ([], content.header["synapses"] * 2, [*content.header["synapses"], synapse_data(replace(SYNAPSE, name="b"))]):
        changed = replace(content, header={**content.header, "synapses": synapses})
        write_content(tmp_path / "b.h5", "network", 1, changed)
        with pytest.raises(StorageError):
            load_spec(tmp_path / "b.h5")


def test_mutants_of_a_synapse_file_are_read_or_refused(tmp_path: Path) -> None:
    mutants, refused = SynapseMutants(5), 0
    for index in range(60):
        (tmp_path / "m.json").write_bytes(mutants(index)[1])
        try:
            at_port(load_synapse(tmp_path / "m.json"))
        except (StorageError, SpecError):
            refused += 1
    assert refused > 40


def swapped() -> NetworkSpec:
    rng = np.random.default_rng(2)
    cells = Population("I", 4, "inh", "izhikevich_2007", (("g", "exponential_current"),), {"gain_g": 300.0, "tau_g": 8.0})
    projections = (
        Projection("input", "I", rng.uniform(0.1, 1.0, (4, 5))), Projection("I", "I", -rng.uniform(0.0, 0.3, (4, 4)), name="II"),
    )  # fmt: skip
    return NetworkSpec((Population("input", 5, "input"), cells), projections, 1.0)


def test_currents_become_the_conductances_of_ones_own(tmp_path: Path) -> None:
    """Of an exponential synapse with the decay of the current the weights are those of AMPA; by name, object and file."""
    usual = to_conductances(swapped())
    own = replace(SYNAPSE, parameters=tuple(replace(p, default=8.0) if p.name == "tau" else p for p in SYNAPSE.parameters))
    made = to_conductances(swapped(), excitatory=own)
    assert [kind for _, kind in made["I"].receptors] == [own.name, "GABA_A", "constant_current"]
    for name in ("input_I", "II"):
        np.testing.assert_allclose(made.projection(name).weights, usual.projection(name).weights, rtol=1e-6)
    save_synapse(own, tmp_path / "own.json")
    step = {"name": "to_conductances", "excitatory": str(tmp_path / "own.json")}
    name, arguments = read_step(step)
    assert (name, arguments["excitatory"]) == ("to_conductances", str(tmp_path / "own.json"))
    with pytest.raises(SpecError, match="an excitatory conductance"):
        to_conductances(swapped(), inhibitory=own)
    with pytest.raises(SpecError, match="GABA_A"):
        to_conductances(swapped(), inhibitory="GABBA")
    with pytest.raises(ConfigError, match="give a table"):
        transformed(swapped(), ({"name": "to_conductances", "excitatory": data()},), DataSettings())
    shallow = replace(SYNAPSE, name="shallow", parameters=(SYNAPSE.parameters[0], replace(SYNAPSE.parameters[1], default=-80.0)))
    with pytest.raises(SpecError, match="no current of its sign"):
        to_conductances(swapped(), excitatory=shallow)


def test_inhibition_of_ones_own_is_put_below_the_mean_potential_as_that_of_the_catalogue_is() -> None:
    """The weights are then those of GABA_A with the same decay and reversal."""
    tau, reversal = SYNAPSE.parameters
    shallow = replace(SYNAPSE, name="inh", sign="inh", parameters=(replace(tau, default=8.0), replace(reversal, default=-70.0)))
    usual, made = to_conductances(swapped()), to_conductances(swapped(), inhibitory=shallow)
    assert np.all(np.asarray(made["I"].parameters["E_g_inh"]) < -70.0)
    np.testing.assert_allclose(made["I"].parameters["E_g_inh"], usual["I"].parameters["E_g_inh"])
    np.testing.assert_allclose(made.projection("II").weights, usual.projection("II").weights, rtol=1e-6)


def test_it_is_named_by_perturbations() -> None:
    made = to_conductances(swapped(), excitatory=SYNAPSE)
    halved = made | ei.scale(SYNAPSE.name, 0.5)
    np.testing.assert_allclose(halved.projection("input_I").weights, 0.5 * np.asarray(made.projection("input_I").weights))
