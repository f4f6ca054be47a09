"""Files made to do harm, or broken: one clear error, in under a second of processor time and 200 MiB."""

from __future__ import annotations

import io
import os
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from ei_brian.errors import EIBrianError, StorageError
from ei_brian.interop.nir_graph import from_nir
from ei_brian.interop.state_dict import from_state_dict, read_state_dict

SECONDS, BYTES = 1.0, 200 * 2**20
DESCRIBED = {
    "framework": "spikingjelly", "input_shape": [3],
    "layers": [{"name": "fc", "type": "Linear"}, {"name": "lif", "type": "IFNode"}],
}  # fmt: skip
Nodes = dict[str, dict[str, Any]]
LIF = {"type": "LIF", "tau": np.full(3, 0.01), "r": np.ones(3), "v_leak": np.zeros(3), "v_threshold": np.ones(3)}


def nodes() -> Nodes:
    return {
        "in": {"type": "Input", "shape": np.array([3])}, "w": {"type": "Linear", "weight": 2 * np.eye(3)}, "cell": dict(LIF),
        "out": {"type": "Output", "shape": np.array([3])},
    }  # fmt: skip


EDGES = [("in", "w"), ("w", "cell"), ("cell", "out")]


def write(path: Path, of: Nodes, edges: list[tuple[str, str]]) -> Path:
    with h5py.File(path, "w") as file:
        file["version"] = "1.0"
        file["node/type"] = "NIRGraph"
        for name, values in of.items():
            for key, value in values.items():
                file[f"node/nodes/{name}/{key}"] = value
        file["node"].create_dataset("edges", data=np.array(edges, dtype=object), dtype=h5py.string_dtype())
    return path


def changed(name: str, **values: Any) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        graph = nodes()
        graph[name] = {key: value for key, value in (graph.get(name, {}) | values).items() if value is not None}
        return write(path, graph, EDGES)

    return make


def with_edges(*edges: tuple[str, str], **more: Any) -> Callable[[Path], Path]:
    return lambda path: write(path, nodes() | more, [*EDGES, *edges])


def truncated(path: Path) -> Path:
    write(path, nodes(), EDGES)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def huge(path: Path) -> Path:
    write(path, nodes(), EDGES)
    with h5py.File(path, "r+") as file:
        del file["node/nodes/w/weight"]
        file.create_dataset("node/nodes/w/weight", (2**20, 2**20), "f4", chunks=(2**10, 2**10), compression="gzip")
    return path


def external(path: Path) -> Path:
    write(path, nodes(), EDGES)
    with h5py.File(path.with_suffix(".h5"), "w") as other:
        other["x"] = np.eye(3)
    with h5py.File(path, "r+") as file:
        del file["node/nodes/w/weight"]
        file["node/nodes/w/weight"] = h5py.ExternalLink(str(path.with_suffix(".h5")), "x")
    return path


def text(path: Path) -> Path:
    path.write_text("no HDF5", encoding="utf-8")
    return path


def other_hdf5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["x"] = 1.0
    return path


def many_nodes(path: Path) -> Path:
    return write(path, nodes() | {f"n{i}": {"type": "Output"} for i in range(600)}, EDGES)


def deep_graphs(path: Path) -> Path:
    write(path, nodes(), EDGES)
    with h5py.File(path, "r+") as file:
        group = file["node/nodes"]
        for _ in range(60):
            inner = group.create_group("g")
            inner["type"] = "NIRGraph"
            group = inner.create_group("nodes")
    return path


LOOP = {"a": {"type": "Linear", "weight": np.eye(3)}, "b": {"type": "Linear", "weight": np.eye(3)}}
NIR_FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "truncated": (truncated, "damaged"), "no hdf5": (text, "not an HDF5"), "another hdf5": (other_hdf5, "no NIR graph"),
    "huge declared shape": (huge, "refused"), "external link": (external, "refused"),
    "many nodes": (many_nodes, "refused|more than 500"),
    "deep graphs": (deep_graphs, "refused"),
    "nan weights": (changed("w", weight=np.full((3, 3), np.nan)), "not finite"),
    "infinite tau": (changed("cell", tau=np.full(3, np.inf)), "not finite"),
    "tau of zero": (changed("cell", tau=np.zeros(3)), "above 0"),
    "negative tau": (changed("cell", tau=np.full(3, -0.01)), "above 0"),
    "unknown node": (changed("w", type="Hypercube"), "'Hypercube' is not known"),
    "no type": (changed("w", type=None), "no type"), "no weight": (changed("w", weight=None), "missing"),
    "no threshold": (changed("cell", v_threshold=None), "missing"), "no tau": (changed("cell", tau=None), "missing"),
    "wrong shape": (changed("w", weight=np.eye(4)), "width|values"), "wrong rank": (changed("w", weight=np.ones(3)), "width"),
    "parameters of another size": (changed("cell", v_threshold=np.ones(5)), "shape"),
    "text for numbers": (changed("w", weight="eye"), "width|numbers|shape"),
    "input without shape": (changed("in", shape=None), "shape"), "empty input": (changed("in", shape=np.array([0])), "positive"),
    "input of 10**18": (changed("in", shape=np.array([10**9, 10**9])), "positive|width"),
    "edge to nowhere": (with_edges(("cell", "nowhere")), "does not have"),
    "loop without neurons": (with_edges(("w", "a"), ("a", "b"), ("b", "a"), ("b", "cell"), **LOOP), "loop"),
    "loop over two layers": (with_edges(("cell", "a"), ("a", "c2"), ("c2", "b"), ("b", "cell"), **LOOP, c2=LIF), "loop"),
    "edge into the input": (with_edges(("cell", "in")), "leads into the input"),
    "no edges": (lambda path: write(path, nodes(), [("in", "out")]), "nothing leads|loop|no layer"),
    "negative delay": (changed("w", type="Delay", delay=np.full(3, -1.0), weight=None), "at least 0"),
    "delay of a year": (changed("w", type="Delay", delay=np.full(3, 3e7), weight=None), "at most"),
    "stride 0": (changed("w", type="Conv2d", weight=np.ones((1, 1, 1, 1)), stride=np.array(0)), "fit no input|channels"),
}  # fmt: skip


def check_refused(read: Callable[[], Any], message: str) -> None:
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(EIBrianError, match=message) as raised:
        read()
    assert time.process_time() - started < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("name", NIR_FILES)
def test_nir_files(name: str, tmp_path: Path) -> None:
    make, message = NIR_FILES[name]
    path = make(tmp_path / "net.nir")
    check_refused(lambda: from_nir(path, dt_ms=1.0, reset="zero"), message)


def test_the_sound_file_is_read(tmp_path: Path) -> None:
    assert from_nir(write(tmp_path / "net.nir", nodes(), EDGES), dt_ms=1.0, reset="zero").n_inputs == 3


class Runs:
    """An object whose unpickling would leave a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.trace}",)


def saved(value: Any) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        torch.save(value, path)
        return path

    return make


def shortened(path: Path) -> Path:
    torch.save({"fc.weight": torch.eye(3)}, path)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def packed(path: Path) -> Path:
    torch.save({"fc.weight": torch.zeros(2**24)}, path)
    with zipfile.ZipFile(path) as stored:
        parts = {part.filename: stored.read(part) for part in stored.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as again:
        for name, data in parts.items():
            again.writestr(name, data)
    return path


def old_format(path: Path) -> Path:
    torch.save({"fc.weight": torch.eye(3)}, path, _use_new_zipfile_serialization=False)
    return path


def pickled_arrays(path: Path) -> Path:
    stored = io.BytesIO()
    np.savez(stored, **{"fc.weight": np.array([{}], dtype=object)})
    path.with_suffix(".npz").write_bytes(stored.getvalue())
    return path.with_suffix(".npz")


PT_FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "shortened": (shortened, "archive"), "packed": (packed, "claim"), "old format": (old_format, "archive"),
    "a module": (saved(torch.nn.Linear(2, 2)), "state dict"), "a list": (saved([torch.eye(3)]), "list"),
    "a number in it": (saved({"fc.weight": 3}), "int"), "nested": (saved({"a": {"b": torch.eye(2)}}), "dict"),
    "more values than stored": (saved({"fc.weight": torch.zeros(1).expand(2**20, 2**20)}), "more than it stores"),
    "nan": (saved({"fc.weight": torch.full((3, 3), float("nan"))}), "not finite"),
    "sparse": (saved({"fc.weight": torch.eye(3).to_sparse()}), "not that of a state dict"),
    "complex": (saved({"fc.weight": torch.eye(3, dtype=torch.complex64)}), "complex"),
    "text": (lambda path: text(path), "archive"), "pickled arrays": (pickled_arrays, "plain arrays"),
    "other shape": (saved({"fc.weight": torch.eye(4)}), "width"), "no weight": (saved({"lif.x": torch.eye(3)}), "weight"),
}  # fmt: skip


@pytest.mark.parametrize("name", PT_FILES)
def test_state_dict_files(name: str, tmp_path: Path) -> None:
    make, message = PT_FILES[name]
    path = make(tmp_path / "net.pt")
    check_refused(lambda: from_state_dict(path, DESCRIBED), message)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "was run"
    path = saved({"fc.weight": Runs(trace)})(tmp_path / "net.pt")
    check_refused(lambda: from_state_dict(path, DESCRIBED), "state dict")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (1809, "packed in a way"), (3235, "calls what is no function"), (5242, "not a whole archive"), (7628, "the word NEWOBJ"),
    ],
)  # fmt: skip
def test_mutants_that_once_escaped_or_made_torch_open_more_files(number: int, reason: str, tmp_path: Path) -> None:
    from validation.trust.state_dict_mutants import StateDictMutants

    path = tmp_path / "net.pt"
    path.write_bytes(StateDictMutants()(number)[1])
    with pytest.raises(StorageError, match=reason):
        read_state_dict(path)
