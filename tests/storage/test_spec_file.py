"""Model files: the same network comes back, or one clear error."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.proof import Proof
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import StorageError
from ei_brian.storage import load_spec, save_spec
from ei_brian.storage.container import Content, read_content, write_content
from validation.trust.networks import network


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_every_network_comes_back_identical(tmp_path: Path, seed: int) -> None:
    spec = network(seed)
    if seed % 2:
        names = tuple(cell.name for cell in spec.cells)
        proof = Proof("a test", spec.sha256, 3, 7, names, tuple(range(len(names))), names[:1], 12, 1e-16, 0, ("state 2",))
        spec = dataclasses.replace(spec, proof=proof)
    save_spec(spec, tmp_path / "a.h5")
    again = load_spec(tmp_path / "a.h5")
    assert again.sha256 == spec.sha256
    assert [dict(line) for line in again.provenance] == [dict(line) for line in spec.provenance]
    assert again.name == spec.name
    assert again.schedule == spec.schedule
    assert again.readout == spec.readout
    assert again.proof == spec.proof
    for old, new in zip(spec.projections, again.projections, strict=True):
        assert old.weight_values().tobytes() == new.weight_values().tobytes()
        assert old.weight_values().dtype == new.weight_values().dtype
        assert np.array_equal(old.delay_steps, new.delay_steps)
        assert np.ndim(old.delay_steps) == np.ndim(new.delay_steps)
        assert old.plasticity == new.plasticity
    for before, after in zip(spec.populations, again.populations, strict=True):
        assert before.cell_types == after.cell_types
        assert before.receptors == after.receptors
    save_spec(again, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes(), "equal networks make equal files"


def test_no_field_is_forgotten() -> None:
    """A field added to these types must be added to the file, and here."""
    known = {
        NetworkSpec: "populations projections dt_ms readout schedule name provenance proof",
        Population: "name size role model receptors parameters cell_types dead own interventions own_synapses",
        Projection: "source target weights port delay_steps plasticity name unit",  # unit is empty within a network
        TsodyksMarkram: "utilization tau_u_ms tau_x_ms",
        Readout: "population kind",
        Proof: "against sha256 trials steps layers spikes silent outputs largest_difference unequal not_compared quiet",
    }
    for kind, names in known.items():
        assert [field.name for field in dataclasses.fields(kind)] == names.split()


def test_dead_cells_stay_dead_and_count(tmp_path: Path) -> None:
    spec = network(1)
    name = spec.cells[0].name
    dead = np.arange(spec[name].size) % 3 == 1
    killed = dataclasses.replace(
        spec, populations=[dataclasses.replace(p, dead=dead) if p.name == name else p for p in spec.populations]
    )
    save_spec(killed, tmp_path / "killed.h5")
    assert killed.sha256 != spec.sha256
    assert load_spec(tmp_path / "killed.h5").sha256 == killed.sha256
    assert np.array_equal(load_spec(tmp_path / "killed.h5")[name].dead, dead)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_spec(network(1), tmp_path / "model.h5")
    return tmp_path / "model.h5"


def test_cut_at_any_byte(model: Path) -> None:
    data = model.read_bytes()
    cut = model.with_name("cut.h5")
    ends = sorted({*range(0, 700), *range(700, len(data), 397), len(data) - 1})
    for end in ends:
        cut.write_bytes(data[:end])
        with pytest.raises(StorageError, match=r"cut\.h5: .+\. .+\."):
            load_spec(cut)


def test_any_changed_byte_is_found(model: Path) -> None:
    data = model.read_bytes()
    changed = model.with_name("changed.h5")
    for place in range(0, len(data), 101):
        mutant = bytearray(data)
        mutant[place] ^= 1
        changed.write_bytes(mutant)
        with pytest.raises(StorageError, match=r"damaged|not a file of ei_brian"):
            load_spec(changed)


def _damage(model: Path, change: object) -> Path:
    """Write the model again with something changed and a right checksum; return the new file."""
    content = read_content(model, "network", 1)
    header, arrays = dict(content.header), {name: array.copy() for name, array in content.arrays.items()}
    del header["kind"], header["schema"]
    change(header, arrays)  # type: ignore[operator]
    write_content(model.with_name("bad.h5"), "network", 1, Content(header, arrays))
    return model.with_name("bad.h5")


def _set(path: str, value: object) -> object:
    def change(header: dict, arrays: dict) -> None:
        if path in arrays:
            arrays[path] = value(arrays[path]) if callable(value) else value
            return
        *way, last = path.split(".")
        at = header
        for word in way:
            at = at[int(word)] if isinstance(at, list) else at[word]
        at[int(last) if isinstance(at, list) else last] = value

    return change


def _nan(array: np.ndarray) -> np.ndarray:
    array.flat[0] = np.nan
    return array


W = "projections/inputs_E/weights"
CASES = {
    "NaN weights": (_set(W, _nan), "not finite"),
    "infinite weights": (_set(W, lambda a: a + np.inf), "not finite"),
    "wrong shape": (_set(W, lambda a: a[:, :-1]), "shape"),
    "wrong rank": (_set(W, lambda a: a.ravel()), "shape"),
    "integer weights": (_set(W, lambda a: a.astype(np.int32)), "int32"),
    "half weights": (_set(W, lambda a: a.astype(np.float16)), "float16"),
    "changed weights": (_set(W, lambda a: a * 2), "hash"),
    "Dale violated": (_set("projections/back/weights", lambda a: -a), "inhibitory"),
    "unknown model": (_set("populations.1.model", "lif_exponentail"), "lif_exponential"),
    "unknown receptor": (_set("populations.2.receptors", [["ampa", "AMPB"]]), "AMPA"),
    "equations as a model": (_set("populations.1.model", "dv/dt = -v/ms : 1"), "not known"),
    "a path as a name": (_set("populations.1.name", "../../a"), "cannot be used"),
    "a reserved name": (_set("populations.1.name", "int"), "cannot be used"),
    "a name with a newline": (_set("name", "a\nb"), "cannot be used"),
    "an escape sequence": (_set("name", "a\u009bb"), "control"),
    "zero neurons": (_set("populations.0.size", 0), "size"),
    "huge population": (_set("populations.0.size", 2**62), "size"),
    "size of another type": (_set("populations.0.size", "3"), "int"),
    "negative delay": (_set("projections/inputs_E/delay_steps", np.array(-1, np.int32)), "delay"),
    "huge delay": (_set("projections/inputs_E/delay_steps", np.array(2**30, np.int32)), "delay"),
    "time constant of zero": (_set("populations/E/parameters/tau_mem", np.zeros(())), "tau_mem"),
    "NaN time step": (_set("dt_ms", 0.0), "dt_ms"),
    "a whole number beyond every float": (_set("dt_ms", 10**400), "dt_ms"),
    "dt above the model's": (_set("dt_ms", 400.0), "dt_ms"),
    "unknown parameter": (_set("populations.1.model", "leaky_readout"), "v_threshold|spike|schedule"),
    "unknown readout": (_set("readout", {"population": "out", "kind": "max w"}), "max v"),
    "schedule of something else": (_set("schedule.0", ["update", "nobody"]), "schedule"),
    "columns out of range": (_set("projections/E_I/sources", lambda a: a + 1000), "sources"),
    "columns in disorder": (_set("projections/E_I/sources", lambda a: a[::-1]), "ascending"),
    "row starts in disorder": (_set("projections/E_I/row_starts", lambda a: a[::-1]), "row_starts"),
    "unknown header": (_set("equations", "x = 1"), "equations"),
    "populations not a list": (_set("populations", {}), "list"),
    "provenance not mappings": (_set("provenance", [1]), "dict"),
    "another hash": (_set("sha256", "0" * 64), "hash"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_is_refused(tmp_path: Path, case: str) -> None:
    save_spec(network(9), tmp_path / "model.h5")
    change, words = CASES[case]
    with pytest.raises(StorageError, match=words):
        load_spec(_damage(tmp_path / "model.h5", change))  # some are refused when they are written, all when they are read


def test_left_over_and_missing_arrays(model: Path) -> None:
    with pytest.raises(StorageError, match="belongs to nothing"):
        load_spec(_damage(model, lambda header, arrays: arrays.update(extra=np.zeros(2))))
    with pytest.raises(StorageError, match="missing"):
        load_spec(_damage(model, lambda header, arrays: arrays.pop(W)))
    with pytest.raises(StorageError, match="no value of tau_mem"):
        load_spec(_damage(model, lambda header, arrays: arrays.pop("populations/E/parameters/tau_mem")))


def test_other_files_are_named_for_what_they_are(tmp_path: Path) -> None:
    for name, data in {"empty": b"", "text": b"hello", "zip": b"PK\3\4" * 200}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(StorageError, match=r"not a file of ei_brian"):
            load_spec(tmp_path / name)
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["a"] = 1
    with pytest.raises(StorageError, match=r"not a file of ei_brian"):
        load_spec(tmp_path / "plain.h5")
    with pytest.raises(StorageError, match="cannot be read"):
        load_spec(tmp_path / "missing.h5")
    with pytest.raises(StorageError, match="not a regular file"):
        load_spec(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="not a regular file"):
        load_spec(tmp_path / "pipe")
    with pytest.raises(StorageError, match="cannot be read"):
        load_spec("a\0b")


def test_a_failed_write_changes_nothing(model: Path) -> None:
    before = model.read_bytes()
    code = (
        "import resource, signal, sys; from ei_brian.storage import save_spec, load_spec\n"
        "spec = load_spec(sys.argv[1]); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); save_spec(spec, sys.argv[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "StorageError" in done.stderr
    assert "cannot be written" in done.stderr
    assert model.read_bytes() == before
    assert [path.name for path in model.parent.iterdir()] == [model.name], "nothing half-written is left"


def test_places_that_cannot_be_written(model: Path) -> None:
    spec = load_spec(model)
    for place in (model.parent / "no" / "folder.h5", model.parent, model / "below.h5"):
        with pytest.raises(StorageError, match=r"folder"):
            save_spec(spec, place)


def test_any_hdf5_tool_opens_a_model_file(model: Path) -> None:
    with h5py.File(model) as file:
        assert file["populations/E/parameters/tau_syn"][()] == 7.25
        assert b"dv/dt" not in model.read_bytes()
