"""Perturbations and long runs from the command line do what they do in Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import ei_brian as ei
from ei_brian.cli.mixture import parse_perturbation
from ei_brian.errors import EIBrianError
from ei_brian.storage import load_spec
from ei_brian.storage.long_run import PoissonInput, run_long


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("silence FS 20 40", ei.silence("FS", 20, 40)),
        ("scale I 0.7", ei.scale("I", 0.7)),
        ("scale E->I factor=0.7 share=0.5 seed=3", ei.scale("E->I", 0.7, share=0.5, seed=3)),
        ("inject E 10 40 pA=30 to=50", ei.inject("E", 10, 40, pA=30, to=50)),
        ("lesion I share=0.5", ei.lesion("I", share=0.5)),
        ("change_delay I->E 1.5", ei.change_delay("I->E", 1.5)),
        ("evoke E 5 every_ms=3", ei.evoke("E", 5, every_ms=3)),
    ],
)
def test_a_perturbation_is_written_as_in_python(text: str, made: object) -> None:
    assert parse_perturbation(text) == made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("silense I", "Did you mean 'silence'"), ("silence", "names no cells"), ("scale I factr=2", "Did you mean 'factor'"),
        ("silence I 1 2 3", "more numbers"), ("lesion I 0.5", "more numbers"), ("silence I soon", "no number"), ("", "--do"),
    ],
)  # fmt: skip
def test_what_is_no_perturbation_is_refused(text: str, words: str) -> None:
    with pytest.raises(EIBrianError, match=words):
        parse_perturbation(text)


def test_an_experiment_is_that_of_python(ei_brian: Callable, tiny_model: Path) -> None:
    done = ei_brian("experiment", tiny_model, "--do", "silence I 5 20", "--do", "scale E 0.5", "--trials", 8, "--backend",
                    "reference", "--json")  # fmt: skip
    assert done.code == 0, done.err
    facts, spec = json.loads(done.out), load_spec(tiny_model)
    from ei_brian.config.data_settings import data_of

    found = ei.experiment(spec, data_of(spec).load()[1].select(0, 8), ei.silence("I", 5, 20), ei.scale("E", 0.5))
    assert facts["rates_hz"]["I"]["perturbed"] == found.perturbed.rate_hz("I") < found.intact.rate_hz("I")
    assert facts["accuracy"]["change"] == pytest.approx(found.accuracy_change().difference.mean)
    assert ei_brian("experiment", tiny_model, "--do", "silence X", "--trials", 2, "--backend", "reference").code == 2


def test_a_long_run_is_that_of_python(ei_brian: Callable, tiny_model: Path, tmp_path: Path) -> None:
    told = ("long", tiny_model, tmp_path / "on", "--duration-ms", 200, "--part-ms", 100, "--rate-hz", 40, "--seed", 2, "--json")
    done = ei_brian(*told)
    assert done.code == 0, done.err
    spec = load_spec(tiny_model)
    found = run_long(spec, PoissonInput(spec.n_inputs, spec.dt_ms, 40.0, 2), tmp_path / "py", 200, part_ms=100, progress=False)
    assert json.loads(done.out)["rates_hz"]["E"] == found.rate_hz("E") > 0
    assert json.loads(ei_brian(*told).out) == json.loads(done.out)
