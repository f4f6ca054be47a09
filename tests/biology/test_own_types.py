"""Cells of one's own in place of trained ones: a model from equations, and a table of recorded cells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from brian2 import mV, nS, pF

import ei_brian as ei
from ei_brian.cli.mixture import parse_mix
from ei_brian.config.data_settings import DataSettings
from ei_brian.config.own_cells import own_mix
from ei_brian.config.transform_step import transformed
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.own_types import type_in
from ei_brian.errors import ConfigError, DataError, EIBrianError, SpecError, StorageError
from ei_brian.models import load_cell, save_cell
from ei_brian.report.settings import Settings
from ei_brian.storage import load_spec, save_spec
from tests.biology.networks import some_input, trained_like

TABLE = """cell,type,layer,k (nS/mV),C,a,b,d
m1_c3,PV,5,1.1,22,0.19,0.02,0
m1_c4,PV,2,0.9,19,0.21,0.03,1
m2_c1,SST,5,1.0,97,0.03,8,20
"""


@pytest.fixture(scope="module")
def leaky() -> NeuronModel:
    return ei.cell(
        "dv/dt = (g_l*(E_l - v) + I)/C : volt", threshold="v > v_t", reset="v = v_r", method="exact", input_current="I",
        name="our_leaky_cell", reference="our lab, 2026",
        parameters={"g_l": 10 * nS, "E_l": -70 * mV, "C": 100 * pF, "v_t": -50 * mV, "v_r": -65 * mV},
    )  # fmt: skip


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return trained_like(0.4, 0.3, 0.3, e_to_i=None)


def test_a_model_stands_where_the_name_of_a_cell_type_does(spec: NetworkSpec, leaky: NeuronModel, tmp_path: Path) -> None:
    made = spec | ei.diversify(mix=leaky, population="inh", seed=1)
    assert made["I"].own == leaky
    assert set(made["I"].cell_types) == {"our_leaky_cell"}
    assert made.sha256 == (spec | ei.diversify(mix={leaky: 1.0}, population="inh", seed=1)).sha256
    save_spec(made, tmp_path / "own.h5")
    back = load_spec(tmp_path / "own.h5")
    assert type_in(back, back["I"], "our_leaky_cell").own == leaky
    stimulus = some_input(4, 1)
    assert simulate(back, stimulus).spikes["I"].n_events > 0
    assert simulate(back, stimulus).spikes["I"].equals(simulate(made, stimulus).spikes["I"])


@pytest.mark.slow
def test_own_cells_are_calibrated_like_any_other(spec: NetworkSpec, leaky: NeuronModel) -> None:
    swapped = spec | ei.diversify(mix=leaky, population="inh", seed=1)
    made = ei.calibrate(swapped, some_input(14, 1), iterations=2, rate_tolerance=0.5)
    assert set(made.provenance[-1]["open_loop"]["I"]) == {"our_leaky_cell"}
    assert 0 <= made.provenance[-1]["open_loop"]["I"]["our_leaky_cell"]["distance"] < 1
    assert made["I"].own == leaky


def test_recorded_cells_keep_their_parameters_together(spec: NetworkSpec, tmp_path: Path) -> None:
    path = tmp_path / "fitted.csv"
    path.write_text(TABLE, encoding="utf-8")
    mine = ei.cells_from_csv(path, model="izhikevich_2007")
    assert [kind.name for kind in mine.kinds] == ["m1_c3", "m1_c4", "m2_c1"]
    assert mine.columns[2] == {"cell": "m2_c1", "type": "SST", "layer": "5"}
    assert [kind.name for kind in mine.where(type="PV", layer="5").kinds] == ["m1_c3"]
    made = spec | ei.diversify(mix=mine.where(type="PV"), population="inh", seed=2)
    pairs = set(zip(made["I"].parameters["C"].tolist(), made["I"].parameters["a"].tolist(), strict=True))  # type: ignore[union-attr]
    assert pairs == {(22.0, 0.19), (19.0, 0.21)}
    assert type_in(made, made["I"], "m1_c4").parameters["d"] == 1.0
    assert type_in(made, made["I"], "m1_c4").reference == made["I"].neuron().reference


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("0.9,19", "0.9,x", "line 3: C is 'x'"), ("0.9,19", "0.9,-1", "line 3: C"), ("0.9,19", "0.9,nan", "line 3: C"),
        ("m1_c4", "m1_c3", "line 3.*twice"), ("m1_c4", "FS", "line 3.*catalogue"), ("(nS/mV)", "(pA)", "in 'pA'"),
        (",C,", ",k,", "two columns"), ("0.9,19,0.21,0.03,1", "0.9,19", "line 3.*fields"),
        ("k (nS/mV),C,a,b,d", "p,q,r,s,t", "no column"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused_with_file_and_line(old: str, new: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "fitted.csv"
    path.write_text(TABLE.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=f"fitted.csv.*{says}"):
        ei.cells_from_csv(path, model="izhikevich_2007")


def test_what_is_no_type_is_refused(spec: NetworkSpec, leaky: NeuronModel) -> None:
    with pytest.raises(SpecError, match="two cell types"):
        spec | ei.diversify(mix={leaky: 0.5, replace(CELL_TYPES["FS"], name="our_leaky_cell"): 0.5})
    with pytest.raises(SpecError, match="sum to"):
        spec | ei.diversify(mix={leaky: 0.5})
    with pytest.raises(SpecError, match="int given"):
        spec | ei.diversify(mix={3: 1.0})


def test_types_of_ones_own_stand_beside_those_of_the_catalogue(spec: NetworkSpec, leaky: NeuronModel) -> None:
    made = spec | ei.diversify(mix={leaky: 0.5, "FS": 0.5})
    assert {p.name: p.size for p in made.cells if p.role == "inh"} == {"I_our_leaky_cell": 4, "I_izhikevich_2003": 4}
    assert type_in(made, made["I_our_leaky_cell"], "our_leaky_cell").own == leaky


def test_files_of_cells_stand_where_names_do(spec: NetworkSpec, leaky: NeuronModel, tmp_path: Path) -> None:
    cell, table = tmp_path / "leaky.json", tmp_path / "fitted.csv"
    save_cell(leaky, cell)
    assert load_cell(cell) == leaky
    table.write_text(TABLE, encoding="utf-8")
    wanted = spec | ei.diversify(mix=leaky, population="inh", seed=1)
    for mix in (own_mix(str(cell)), own_mix({str(cell): 1.0}), parse_mix(str(cell)), parse_mix(f"{cell}=1.0")):
        assert (spec | ei.diversify(mix=mix, population="inh", seed=1)).sha256 == wanted.sha256
    found = spec | ei.diversify(mix=own_mix({f"{table}@izhikevich_2007": 0.5, "Basket": 0.5}), population="inh", seed=1)
    assert set(found["I"].cell_types) <= {"m1_c3", "m1_c4", "m2_c1", "Basket"}
    assert Settings(mix=parse_mix(str(cell))).shares == {"our_leaky_cell": 1.0}
    own = tmp_path / "own.csv"
    own.write_text("cell,C (pF),g_l\none,120,8\ntwo,90,11\n", encoding="utf-8")
    both = spec | ei.diversify(mix=own_mix(f"{own}@{cell}"), population="inh", seed=1)
    assert set(both["I"].cell_types) == {"one", "two"}


def test_a_configuration_names_files_of_cells(spec: NetworkSpec, leaky: NeuronModel, tmp_path: Path) -> None:
    save_cell(leaky, tmp_path / "leaky.json")
    steps = ({"name": "diversify", "mix": {str(tmp_path / "leaky.json"): 1.0}, "population": "inh", "seed": 1},)
    assert transformed(spec, steps, DataSettings()).sha256 == (spec | ei.diversify(leaky, "inh", seed=1)).sha256


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no cell file"), ("[1]", "no cell file"),
        ('{"format": "ei_brian cell", "version": 2, "model": {}}', "another version"),
        ('{"format": "ei_brian cell", "version": 1, "model": {"update": "__import__"}}', "fields"), ("{" * 5000, "no cell file"),
        ('{"format": "ei_brian cell", "version": 1, "model": 3}', "no model"), ("NaN", "no cell file"),
    ],
)  # fmt: skip
def test_what_is_no_cell_file_is_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "cell.json").write_text(text, encoding="utf-8")
    with pytest.raises(StorageError, match=f"cell.json.*{says}"):
        load_cell(tmp_path / "cell.json")


def test_a_cell_file_with_a_hostile_step_is_refused(leaky: NeuronModel, tmp_path: Path) -> None:
    save_cell(leaky, tmp_path / "cell.json")
    text = (tmp_path / "cell.json").read_text(encoding="utf-8")
    for wrong in ("v = __import__", "v = v.real", "v = 9**9**9", "import os"):
        found = json.loads(text)
        found["model"]["update"] = wrong
        (tmp_path / "cell.json").write_text(json.dumps(found), encoding="utf-8")
        with pytest.raises(StorageError):
            load_cell(tmp_path / "cell.json")


@pytest.mark.parametrize("name", ["none.json", "none.csv@izhikevich_2007", "none.csv@izhikevich_2077", "none.csv@"])
def test_files_that_are_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, DataError, StorageError)) as caught:
        own_mix(str(tmp_path / name))
    assert isinstance(caught.value, EIBrianError)
