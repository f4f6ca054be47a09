"""Random NIR files of every platform, alone, in layers, with loops, convolutions and pooling: the platform's own spikes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.interop.nir_graph import from_nir
from tests.interop.random_nir import PLATFORMS, Platform

nir = pytest.importorskip("nir")
Array = Any
TRIALS, N_IN = 3, 7


class Layer:
    """A layer of one platform's neurons behind weights of its own, with a loop onto itself or none."""

    def __init__(self, platform: Platform, generator: np.random.Generator, n_in: int, n: int, loop: bool) -> None:
        self.platform, self.n = platform, n
        self.p = platform.draw(generator, n)
        size = generator.uniform(0.5, 1.0) / np.sqrt(n_in)
        self.weight, self.bias = generator.normal(0.25 * size, size, (n, n_in)), generator.normal(0.02, 0.01, n)
        self.loop = generator.normal(0, 0.2 / np.sqrt(n), (n, n)) if loop else None

    def node(self) -> Any:
        values = {key: np.array(value) for key, value in self.platform.wrote(self.p).items()}
        return getattr(nir, self.platform.kind)(**values)

    def run(self, x: Array) -> Array:
        """Return the spikes of shape (trial, step, neuron) by the platform's own step."""
        state: dict[str, Array] = {"v": np.zeros((len(x), self.n)), "g": np.zeros((len(x), self.n))}
        state["looped"] = self.loop is not None
        if "norse" in self.platform.reading.get("writer", "") or self.platform.reading.get("writer") == "spikingjelly":
            state["v"] = state["v"] + np.nan  # starts at rest, not at 0
        made = np.zeros((*x.shape[:2], self.n))
        for step in range(x.shape[1]):
            drive = x[:, step] @ self.weight.T + self.bias
            if self.loop is not None and step:
                drive = drive + made[:, step - 1] @ self.loop.T
            made[:, step] = self.platform.step(self.p, drive, state)
        return made


def write(path: Path, layers: list[Layer], shape: tuple[int, ...] = (N_IN,), before: dict[str, Any] | None = None) -> None:
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array(shape)), **(before or {})}
    chain = [*nodes]
    edges = []
    for number, layer in enumerate(layers):
        nodes |= {f"w{number}": nir.Affine(weight=layer.weight, bias=layer.bias), f"c{number}": layer.node()}
        chain += [f"w{number}", f"c{number}"]
        if layer.loop is not None:
            nodes[f"loop{number}"] = nir.Linear(weight=layer.loop)
            edges += [(f"c{number}", f"loop{number}"), (f"loop{number}", f"c{number}")]
    nodes["output"] = nir.Output(output_type=np.array([layers[-1].n]))
    edges += zip([*chain], [*chain[1:], "output"], strict=True)
    nir.write(path, nir.NIRGraph(nodes=nodes, edges=edges, type_check=False))


def given(generator: np.random.Generator, steps: int = 50, units: int = N_IN) -> Array:
    return (generator.random((TRIALS, steps, units)) < generator.uniform(0.3, 0.8)).astype(float)


def spikes_of(path: Path, platform: Platform, x: Array, **changes: Any) -> list[Array]:
    spec = from_nir(path, **{**platform.reading, **changes})
    stimulus = Stimulus(Spikes.from_dense(x.astype(np.uint8), spec.dt_ms))
    recording = simulate(spec, stimulus)
    return [recording.spikes[cell.name].dense(np.float64) for cell in spec.cells]


def layers_of(platform: Platform, seed: int) -> tuple[list[Layer], np.random.Generator]:
    generator = np.random.default_rng(seed)
    n = int(generator.integers(3, 9))
    scale = 3.0 if platform.reading.get("writer") != "sinabs" else 1.0  # several spikes in a step are another thing there
    first = Layer(platform, generator, N_IN, n, loop=bool(seed % 2))
    second = Layer(platform, generator, n, int(generator.integers(2, 6)), loop=False)
    for layer in (first, second):
        layer.weight *= scale * gain(platform)
    return [first, second], generator


def gain(platform: Platform) -> float:
    """Return what brings a platform's cells to threshold: some divide their input, some add it whole."""
    divided = platform.step.__name__ in ("lif_box", "lif_node", "euler", "exact", "cuba")
    return 3.0 if divided else 0.7


def check(name: str, seed: int, tmp_path: Path) -> int:
    platform = PLATFORMS[name]
    layers, generator = layers_of(platform, seed)
    write(tmp_path / "net.nir", layers)
    x = given(generator)
    found = spikes_of(tmp_path / "net.nir", platform, x, allow_silent=True)
    total = 0
    for layer, mine in zip(layers, found, strict=True):
        x = layer.run(x)
        assert np.array_equal(mine, x), (name, seed)
        total += int(x.sum())
    return total


@pytest.mark.parametrize("name", PLATFORMS)
def test_random_files_give_the_platforms_spikes(name: str, tmp_path: Path) -> None:
    assert sum(check(name, seed, tmp_path) for seed in range(2)) > 50


@pytest.mark.slow
@pytest.mark.parametrize("name", PLATFORMS)
def test_many_random_files_give_the_platforms_spikes(name: str, tmp_path: Path) -> None:
    assert sum(check(name, seed, tmp_path) for seed in range(100, 120)) > 500


def image(kind: str, generator: np.random.Generator) -> tuple[dict[str, Any], int, Any]:
    """Return nodes over pictures of 2 channels of 6 x 6, how many values they give, and the same by loops."""
    kernel, bias = generator.normal(0.1, 0.4, (3, 2, 3, 3)), generator.normal(0, 0.05, 3)
    scale = generator.uniform(0.3, 1.5, (2, 6, 6))
    flat = nir.Flatten(input_type={"input": np.array([2, 6, 6])}, start_dim=0, end_dim=-1)
    pad = int(generator.integers(0, 2))
    size = 4 + 2 * pad

    def convolved(x: Array) -> Array:
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        made = np.zeros((len(x), 3, size, size)) + bias[:, None, None]
        for row in range(size):
            for column in range(size):
                made[:, :, row, column] += np.einsum("bcij,ocij->bo", padded[:, :, row : row + 3, column : column + 3], kernel)
        return made

    def pooled(x: Array, mean: bool) -> Array:
        made = x.reshape(len(x), 2, 3, 2, 3, 2)
        return made.mean(axis=(3, 5)) if mean else made.sum(axis=(3, 5))

    two = np.array([2, 2])
    pools = {"kernel_size": two, "stride": two, "padding": np.array([0, 0])}
    choices: dict[str, tuple[Any, int, Any]] = {
        "Conv2d": (nir.Conv2d((6, 6), kernel, 1, pad, 1, 1, bias), 3 * size * size, convolved),
        "Scale": (nir.Scale(scale=scale), 72, lambda x: x * scale),
        "SumPool2d": (nir.SumPool2d(**pools), 18, lambda x: pooled(x, False)),
        "AvgPool2d": (nir.AvgPool2d(**pools), 18, lambda x: pooled(x, True)),
    }  # fmt: skip
    node, count, function = choices[kind]
    return {"first": node, "flat": flat}, count, function


@pytest.mark.parametrize("kind", ["Conv2d", "Scale", "SumPool2d", "AvgPool2d"])
@pytest.mark.parametrize("name", ["norse LIFBoxCell", "spikingjelly IFNode", "sinabs IAF", "lava CUBA", "equations, CubaLIF"])
def test_layers_before_cells(kind: str, name: str, tmp_path: Path) -> None:
    platform, generator = PLATFORMS[name], np.random.default_rng(len(kind) + 10 * len(name))
    before, count, function = image(kind, generator)
    layer = Layer(platform, generator, count, 5, loop=False)
    layer.weight *= gain(platform)
    write(tmp_path / "net.nir", [layer], (2, 6, 6), before)
    x = given(generator, 40, 72)
    (mine,) = spikes_of(tmp_path / "net.nir", platform, x, allow_silent=True)
    wanted = layer.run(function(x.reshape(-1, 2, 6, 6)).reshape(TRIALS, 40, count))
    assert wanted.sum() > 5
    assert np.array_equal(mine, wanted)


def reset_only(name: str, other: str) -> set[str]:
    """Return both where they are one platform that differs in its reset alone: few spikes may not show it."""
    return {name, other} if name.split()[:2] == other.split()[:2] else set()


def test_a_file_is_not_read_by_the_convention_of_another_platform(tmp_path: Path) -> None:
    """Every pair of platforms of one node type: refused, silent and named, or other spikes; but where the steps are one step.

    SpikingJelly's LIFNode that divides its input, and a file in seconds (older Norse), are forward Euler of the equations.
    """
    one = {"equations, Euler", "older norse LIFBoxCell", "spikingjelly LIFNode"}
    equal: list[tuple[str, str]] = []
    for name, platform in PLATFORMS.items():
        layers, generator = layers_of(platform, 2)
        write(tmp_path / "net.nir", layers)
        x = given(generator)
        wanted = layers[0].run(x)
        for other, reading in PLATFORMS.items():
            if reading.kind != platform.kind or reading.reading == platform.reading or {name, other} == reset_only(name, other):
                continue
            try:
                mine = spikes_of(tmp_path / "net.nir", reading, x)[0]
            except DataError:
                continue
            equal += [(name, other)] if np.array_equal(mine, wanted) else []
    assert equal
    assert all({name, other} <= one for name, other in equal)
