"""Properties of imports over random modules: what is exact comes in with its proof, and every planted fault is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

import ei_brian as ei
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError, EIBrianError, ProofError
from ei_brian.interop import modules
from ei_brian.interop.snntorch import from_snntorch
from ei_brian.interop.state_dict import from_state_dict

pytest.importorskip("snntorch")
from tests.interop.random_modules import ARRANGEMENTS, BETWEEN, Steps, random_steps

FEW, MANY = range(2), range(100, 103)


def _other_input(spec: NetworkSpec) -> Stimulus:
    layout = next(line for line in spec.provenance if line["action"] == "layout of the module")
    steps = layout["n_steps"] or 15
    given = np.random.default_rng(3).normal(0.5, 1.5, (3, 1 if layout["takes"] == "static" else steps, spec.n_inputs))
    return Stimulus.from_currents(np.broadcast_to(given, (3, steps, spec.n_inputs)), spec.dt_ms)


def _comes_in(model: Steps) -> NetworkSpec:
    """Import a module; the proof is complete, and `check_import` finds the same on other input."""
    spec = from_snntorch(model, model.sample())
    proof = spec.proof
    assert proof is not None
    assert (proof.sha256, proof.unequal, proof.not_compared) == (spec.sha256, 0, ())
    assert min(proof.outputs, proof.n_spikes) > 10
    report = ei.check_import(spec, model, _other_input(spec))
    assert report.exact
    assert sum(part.spikes for part in report.layers) > 0
    return spec


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    **{f"between: {name}": lambda seed, name=name: {"between": name} for name in BETWEEN},  # type: ignore[misc]
    **{f"axes: {name}": lambda seed, name=name: {"arrangement": name} for name in ARRANGEMENTS},  # type: ignore[misc]
    "feedback": lambda seed: {"feedback": True},
    "head": lambda seed: {"head": ("sum", "mean", "last", "two")[seed % 4]},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_exact_comes_in_proven(kind: str) -> None:
    for seed in FEW:
        _comes_in(random_steps(seed, **KINDS[kind](seed)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_that_are_exact_come_in_proven(kind: str) -> None:
    for seed in MANY:
        _comes_in(random_steps(seed, **KINDS[kind](seed)))


# -- faults in the module ------------------------------------------------------------------------------------------------------


class StateChanged(Steps):
    """A state is scaled, clamped, shifted or lost, in every step or from a later one on."""

    def between(self, states: list[Any], spikes: list[torch.Tensor], step: int) -> list[Any]:
        seed = self.shown + self.sizes[0]
        layer, first = seed % len(states), (0, 4)[seed % 2]
        change = (lambda v: 0.5 * v, lambda v: v.clamp(max=0.1), lambda v: v + 0.3, torch.zeros_like)[self.sizes[1] % 4]
        if step < first:
            return states
        return [[*state[:-1], change(state[-1])] if index == layer else state for index, state in enumerate(states)]


class Twice(Steps):
    """A layer is called a second time within a step."""

    def between(self, states: list[Any], spikes: list[torch.Tensor], step: int) -> list[Any]:
        layer = self.shown % len(states)
        again = self.cells[layer](spikes[layer], *states[layer])
        return [list(again[1:]) if index == layer else state for index, state in enumerate(states)]


class Dropped(Steps):
    """A layer's state is its spikes, or that of a new start."""

    def between(self, states: list[Any], spikes: list[torch.Tensor], step: int) -> list[Any]:
        layer = self.shown % len(states)
        lost = _lost(self, layer, spikes)
        return [lost if index == layer else state for index, state in enumerate(states)]


def _lost(model: Steps, layer: int, spikes: list[torch.Tensor]) -> list[Any]:
    count = 1 if type(model.cells[layer]).__name__ == "Leaky" else 2 if type(model.cells[layer]).__name__ == "Synaptic" else 3
    return [spikes[layer]] * count if model.sizes[0] % 2 else [torch.zeros_like(spikes[layer])] * count


class StepsDiffer(Steps):
    """Weights or input are scaled in some steps only."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        return super().current(layer, x, step) * (3.0 if step % 4 == self.shown % 4 else 1.0)


class Ahead(Steps):
    """The input of a step holds something of the next one, or of all steps."""

    def run(self, steps: Any) -> list[torch.Tensor]:
        given = torch.stack(list(steps))
        return super().run(given + (torch.roll(given, -1, 0) if self.shown % 2 else given.mean(0, keepdim=True)))


class TrialsMixed(Steps):
    """Statistics over the trials."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        made = super().current(layer, x, step)
        return made - 0.5 * made.mean(0, keepdim=True)


class Random(Steps):
    """Noise in evaluation mode."""

    def current(self, layer: int, x: torch.Tensor, step: int) -> torch.Tensor:
        made = super().current(layer, x, step)
        return made + 0.5 * torch.randn_like(made)


class HeadOfOnesOwn(Steps):
    """What decides is computed behind the layers by something that is no layer."""

    def forward(self, x: torch.Tensor) -> Any:
        return torch.softmax(super().forward(x).sum(0) @ torch.ones(self.sizes[-1], 2), -1)


FAULTS: dict[type[Steps], dict[str, Any]] = {
    StateChanged: {}, Twice: {}, Dropped: {}, StepsDiffer: {}, TrialsMixed: {}, Random: {},
    Ahead: {"arrangement": "steps first"}, HeadOfOnesOwn: {"head": "", "arrangement": "steps first"},
}  # fmt: skip


def _is_refused(kind: type[Steps], seed: int) -> None:
    model = random_steps(seed, kind, **FAULTS[kind])
    with pytest.raises(DataError, match=r"layer|output|trials|network"):
        from_snntorch(model, model.sample())


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_faults_of_a_module_are_found(kind: type[Steps]) -> None:
    for seed in FEW:
        _is_refused(kind, seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_many_faults_of_modules_are_found(kind: type[Steps]) -> None:
    for seed in MANY:
        _is_refused(kind, seed)


# -- faults in the reading -----------------------------------------------------------------------------------------------------


def _changed_weights(spec: NetworkSpec, generator: np.random.Generator, change: Callable[[Any], Any]) -> NetworkSpec:
    index = int(generator.integers(len(spec.projections)))
    projection = spec.projections[index]
    table: Any = projection.weights.toarray() if sparse.issparse(projection.weights) else np.array(projection.weights)
    made = replace(projection, weights=change(table))
    return replace(spec, projections=(*spec.projections[:index], made, *spec.projections[index + 1 :]))


def _one_weight(spec: NetworkSpec, generator: np.random.Generator) -> NetworkSpec:
    def change(table: Any) -> Any:
        places = np.argwhere(np.abs(table) > 0.05)
        target, source = places[generator.integers(len(places))]
        table[target, source] *= 1.001
        return table

    return _changed_weights(spec, generator, change)


def _moved(spec: NetworkSpec, generator: np.random.Generator) -> NetworkSpec:
    return _changed_weights(spec, generator, lambda table: np.roll(table, 1, int(generator.integers(2))))


def _late(spec: NetworkSpec, generator: np.random.Generator) -> NetworkSpec:
    index = int(generator.integers(len(spec.projections)))
    late = replace(spec.projections[index], delay_steps=int(spec.projections[index].delay_steps) + 1)
    return replace(spec, projections=(*spec.projections[:index], late, *spec.projections[index + 1 :]))


def _constant(spec: NetworkSpec, generator: np.random.Generator) -> NetworkSpec:
    able = [cell for cell in spec.cells if cell.spiking]
    chosen = able[generator.integers(len(able))]
    name = str(generator.choice(["v_threshold", "bias"]))
    old = np.asarray(chosen.parameters.get(name, 0.0), dtype=float)
    other = replace(chosen, parameters={**chosen.parameters, name: old + 0.01})
    return replace(spec, populations=tuple(other if item.name == chosen.name else item for item in spec.populations))


MISREAD = {"one weight": _one_weight, "moved": _moved, "late": _late, "constant": _constant}


@pytest.fixture
def misread(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the importer read a module with a fault."""
    whole = modules.assemble

    def plant(fault: Callable[..., NetworkSpec], seed: int) -> None:
        generator = np.random.default_rng(seed)
        monkeypatch.setattr(modules, "assemble", lambda *given: fault(whole(*given), generator))

    return plant


@pytest.mark.parametrize("fault", MISREAD)
def test_what_is_read_wrongly_is_found(fault: str, misread: Callable[..., None]) -> None:
    found = 0
    for seed in range(5):
        model = random_steps(seed)
        misread(MISREAD[fault], seed)
        try:
            spec = from_snntorch(model, model.sample())
        except ProofError:
            found += 1
            continue
        assert spec.proof is not None
        assert fault != "constant"
        assert spec.proof.quiet > 0 or spec.proof.silent  # a synapse whose neuron never spiked; the proof says so
    assert found >= 3


# -- what a description does not know ------------------------------------------------------------------------------------------


def _slip(word: str, generator: np.random.Generator) -> str:
    """Return a word as it is written in haste."""
    at = int(generator.integers(1, len(word) - 1))
    return (word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word[:at] + "x" + word[at + 1 :])[generator.integers(3)]


def test_slips_of_options_and_arrays_are_refused(tmp_path: Any) -> None:
    for seed in range(40):
        generator = np.random.default_rng(seed)
        option = str(generator.choice(["beta", "threshold", "reset_mechanism", "reset_delay"]))
        layers: list[dict[str, Any]] = [
            {"name": "w", "type": "Linear"}, {"name": "l", "type": "Leaky", "beta": 0.9, "threshold": 1.0},
        ]  # fmt: skip
        arrays = {"w.weight": np.ones((4, 3), np.float32), "w.bias": np.ones(4, np.float32)}
        if seed % 2:
            layers[1][_slip(option, generator)] = 0.5
        else:
            arrays[f"w.{_slip(str(generator.choice(['weight', 'bias'])), generator)}"] = np.ones(4, np.float32)
        np.savez(tmp_path / "net.npz", **arrays)
        with pytest.raises(EIBrianError, match=r"not known|does not use|never|unknown"):
            from_state_dict(tmp_path / "net.npz", {"framework": "snntorch", "input_shape": [3], "layers": layers})
