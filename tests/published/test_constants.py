"""Every constant of the catalogue against the published figure, in tables of its own."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from ei_brian.core.models import MODELS
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.models.plasticity_pairs import CORTICAL_INHIBITORY, pair_plasticity
from ei_brian.core.transform.mixtures import MIXTURES
from validation.mutation.named_faults import named

HERE = Path(__file__).resolve().parent
TABLES = tomllib.loads((HERE / "cell_types.toml").read_text(encoding="utf-8"))
PLASTICITY = tomllib.loads((HERE / "plasticity.toml").read_text(encoding="utf-8"))
ROWS = {
    name: (table, dict(zip(TABLES[table]["columns"], values, strict=True)))
    for table in TABLES
    for name, values in TABLES[table]["types"].items()
}
UNPARAMETERISED = {"Wang-Buzsaki", "Traub-Miles"}  # their constants are held by test_equations.py


def test_every_cell_type_is_published() -> None:
    assert set(CELL_TYPES) == set(ROWS) | UNPARAMETERISED


@pytest.mark.parametrize("name", ROWS)
def test_cell_type_has_its_published_parameters(name: str) -> None:
    table, published = ROWS[name]
    kind = CELL_TYPES[name]
    assert kind.model == table.removesuffix("_ca3")
    defaults = {parameter.name: parameter.default for parameter in MODELS[kind.model].parameters}
    assert {column: {**defaults, **kind.parameters}[column] for column in published} == published


EXCITATORY = set(
    "RS IB CH TC RZ RS2007 IB2007 CH2007 Pyramidal Traub-Miles".split()  # Naud et al. 2008 fit cortical pyramidal cells
) | {name for name in ROWS if name.startswith("AdEx")}


def test_roles_are_those_of_the_cells_in_nature() -> None:
    assert {name for name, kind in CELL_TYPES.items() if kind.role == "exc"} == EXCITATORY


@pytest.mark.parametrize("pair", PLASTICITY["ca3"])
def test_plasticity_of_a_published_pair(pair: str) -> None:
    source, target = pair.split(" -> ")
    found = pair_plasticity(source, target)
    assert found is not None
    assert [found.utilization, found.tau_u_ms, found.tau_x_ms] == PLASTICITY["ca3"][pair][:3]


def test_plasticity_of_cortical_interneurons() -> None:
    found = {name: [one.utilization, one.tau_u_ms, one.tau_x_ms] for name, one in CORTICAL_INHIBITORY.items()}
    assert found == PLASTICITY["cortex"]


CA3_COUNTS = {  # of the smaller circuit of Kopsick et al. 2022
    "Axo-axonic": 163, "Basket": 121, "Basket CCK+": 160, "Bistratified": 209, "Ivy": 104, "MFA ORDEN": 328,
    "QuadD-LM": 101, "LMR-targeting": 267, "Trilaminar": 209,
}  # fmt: skip


def test_shares_of_the_hippocampal_mixtures() -> None:
    shares = MIXTURES["hippocampus CA3"].inh
    assert shares == pytest.approx({name: n / 1662 for name, n in CA3_COUNTS.items()}, rel=1e-12)
    perisomatic = {name: CA3_COUNTS[name] / 444 for name in ("Axo-axonic", "Basket", "Basket CCK+")}
    assert MIXTURES["hippocampus CA3 perisomatic"].inh == pytest.approx(perisomatic, rel=1e-12)


def test_shares_of_the_cortical_mixtures() -> None:
    assert MIXTURES["cortex FS"].inh == {"FS": 1.0}
    for name in ("cortex FS/LTS", "cortex RS/IB/CH"):
        assert MIXTURES[name].inh == {"FS": 0.6, "LTS": 0.4}
    assert MIXTURES["cortex RS/IB/CH"].exc == {"RS": 0.8, "IB": 0.1, "CH": 0.1}
    for mixture in MIXTURES.values():
        for shares in (mixture.exc, mixture.inh):
            np.testing.assert_allclose(sum(shares.values()), 1.0, rtol=1e-12)


def test_every_named_fault_of_the_mutation_tests_has_its_place_and_runs() -> None:
    """`python -m validation.mutation --named` plants them; one whose place is gone would plant nothing."""
    root = Path(__file__).parents[2]
    for fault in named(root):
        source = (root / fault.path).read_bytes()
        planted = fault.planted(source)
        assert planted != source
        compile(planted, fault.path, "exec")
