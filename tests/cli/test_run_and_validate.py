"""Running, validating and reporting a model file from the command line."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ei_brian.cli.ten_neurons import try_backend
from ei_brian.config import shipped
from ei_brian.core.spec import NetworkSpec
from ei_brian.report import any_task, model_check
from ei_brian.report.settings import Settings
from ei_brian.storage import load_recording, load_spec, save_spec

QUICK = ("--backend", "numpy", "--trials", 12)
LADDER = ("--levels", "0,0.2", "--seeds", 1, "--draws", 1, "--no-controls")


def test_run_writes_a_recording_that_report_shows(ei_brian: Callable, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "rec.h5"
    facts = json.loads(ei_brian("run", tiny_model, "-o", path, *QUICK, "--json").out)
    recording = load_recording(path)
    assert recording.spec_sha256 == load_spec(tiny_model).sha256
    assert facts["accuracy"] == recording.accuracy
    assert recording.n_trials == 12
    shown = ei_brian("report", path, "-m", tiny_model, "-o", tmp_path / "out")
    assert shown.code == 0
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


def test_noise_is_reproduced_by_its_seed(ei_brian: Callable, tiny_model: Path, tmp_path: Path) -> None:
    def spikes(name: str, seed: int) -> np.ndarray:
        path = tmp_path / name
        assert ei_brian("run", tiny_model, "-o", path, *QUICK, "--noise", "membrane_white_sd=0.2", "--seed", seed).code == 0
        return load_recording(path).spikes["E"].dense()

    assert np.array_equal(spikes("a.h5", 1), spikes("b.h5", 1))
    assert not np.array_equal(spikes("c.h5", 1), spikes("d.h5", 2))


@pytest.fixture(scope="module")
def report(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a validation report with interneurons replaced."""
    from ei_brian.report.folder import write_report
    from ei_brian.report.model_check import check_model
    from ei_brian.report.settings import Settings

    settings = Settings("reference", 1, {"FS": 0.5, "LTS": 0.5}, levels=(0.0, 0.2), seeds=1, draws=2)
    made, _ = check_model(load_spec(tiny_model), None, settings, 12, lambda text: None)
    folder = tmp_path_factory.mktemp("report")
    write_report(made, folder)
    return folder


def test_page_needs_nothing_but_itself(report: Path) -> None:
    page = (report / "report.html").read_text()
    assert "<script" not in page
    fetched = re.findall(r'(?:src|srcset|href)="([^"]*)"', page)
    assert fetched
    assert all(target.startswith(("data:", "https://doi.org/")) for target in fetched)
    assert "every" in page or "all" in page
    assert 'class="verdict"' in page, "the spikes are equal, so the verdict is yes"


def test_every_figure_has_caption_file_and_alternative_text(report: Path) -> None:
    page, text = (report / "report.html").read_text(), (report / "report.md").read_text()
    figures = re.findall(r'<figure id="(\w+)">', page)
    assert {"ladder", "confusion", "raster", "rates", "distances", "traces", "currents", "noise"} == set(figures)
    assert page.count("<figcaption>") == page.count('alt="') == len(figures)
    for name in figures:
        assert (report / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"figures/{name}.png" in text


def test_every_source_is_listed_once(report: Path) -> None:
    works = re.findall(r"doi (10\.\S+)", (report / "report.md").read_text())
    assert len(works) >= 5
    assert len(works) == len(set(works))


def test_numbers_stand_in_csv(report: Path) -> None:
    names = {path.stem for path in (report / "numbers").glob("*.csv")}
    assert {"accuracy", "controls", "equality", "noise", "noise_levels", "rates", "rate_course", "seconds"} == names
    header, *rows = (report / "numbers" / "noise.csv").read_text().splitlines()
    assert header == "network,membrane_ou_sd,draw,seed,accuracy"
    assert len(rows) == 2 * 2 * 2
    assert len({tuple(row.rsplit(",", 3)[1:3]) for row in rows}) == 2, "each draw has noise of its own"


def test_validate_says_yes_and_exits_0(ei_brian: Callable, tiny_model: Path, tmp_path: Path) -> None:
    shown = ei_brian("validate", tiny_model, "-o", tmp_path / "r", *QUICK, *LADDER, "--mix", "none", "--json")
    assert shown.code == 0
    facts = json.loads(shown.out)
    assert facts["equal"] is True
    assert facts["compared_with"] == "torch"
    assert list(facts["accuracy"]) == ["as trained"]


def test_validate_says_no_and_exits_1(
    ei_brian: Callable, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted fault: the oracle is that of a network with one weight more."""
    original = model_check.torch_spikes

    def faulty(spec, stimulus):
        weights = np.array(spec.projection("input_E").weights)
        weights[0] += 1.0
        changed = tuple(
            dataclasses.replace(p, weights=weights) if p.name == "input_E" else p for p in spec.projections
        )
        return original(dataclasses.replace(spec, projections=changed), stimulus)

    monkeypatch.setattr(any_task, "torch_spikes", faulty)
    shown = ei_brian("validate", tiny_model, "-o", tmp_path / "r", *QUICK, *LADDER, "--mix", "none")
    assert shown.code == 1
    assert "does not do in Brian2 what it does in torch" in shown.out
    assert 'class="verdict no"' in (tmp_path / "r" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--mix", "FS=0.5,"), "TYPE=SHARE"),
        (("--mix", "FSS=1.0"), "Did you mean 'FS'"),
        (("--mix", "FS=0.9,LTS=0.4"), "sum to 1.3"),
        (("--mix", "hippocampus CA1"), "Did you mean 'hippocampus CA3'"),
        (("--levels", "0,-1"), "rise"),
        (("--levels", "0.1,0.2"), "start at 0"),
        (("--levels", "0,x"), "give numbers"),
        (("--noise", "membrane_whte"), "Did you mean 'membrane_white_sd'"),
        (("--backend", "nump"), "Did you mean 'numpy'"),
        (("--data", "digitz"), "Did you mean 'digits'"),
    ],
)
def test_mistakes_in_options(ei_brian: Callable, tiny_model: Path, tmp_path: Path, arguments: tuple, word: str) -> None:
    shown = ei_brian("validate", tiny_model, "-o", tmp_path / "r", *QUICK, *arguments)
    assert shown.code == 2
    assert word in shown.err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("verb", ["run", "validate"])
def test_model_of_another_width(ei_brian: Callable, tiny_model: Path, tmp_path: Path, verb: str) -> None:
    path = tmp_path / "three.npz"
    np.savez(path, images=np.random.default_rng(0).random((60, 9)), labels=np.arange(60) % 3)
    output = () if verb == "run" else ("-o", tmp_path / "r")
    shown = ei_brian(verb, tiny_model, "--data", path, *QUICK, *output)
    assert shown.code == 2
    assert "9 units" in shown.err
    assert "64 inputs" in shown.err


def test_model_without_a_data_set(ei_brian: Callable, tmp_path: Path, spec: NetworkSpec) -> None:
    path = tmp_path / "bare.h5"
    save_spec(spec, path)
    shown = ei_brian("run", path, *QUICK)
    assert shown.code == 2
    assert "--data" in shown.err


def test_report_of_another_network(ei_brian: Callable, tiny_model: Path, tmp_path: Path, spec: NetworkSpec) -> None:
    recording, other = tmp_path / "rec.h5", tmp_path / "other.h5"
    ei_brian("run", tiny_model, "-o", recording, *QUICK)
    save_spec(spec, other)
    shown = ei_brian("report", recording, "-m", other, "-o", tmp_path / "out")
    assert shown.code == 2
    assert "was made with network" in shown.err


def test_export_of_a_checkpoint_is_the_trained_model(
    ei_brian: Callable, tiny_config: Path, tiny_model: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "c.pt"
    assert ei_brian("train", tiny_config, "-o", tmp_path / "m.h5", "--checkpoint", checkpoint).code == 0
    shown = ei_brian("export", checkpoint, "--config", tiny_config, "-o", tmp_path / "e.h5", "--json")
    assert json.loads(shown.out)["sha256"] == load_spec(tiny_model).sha256
    lost = ei_brian("export", tmp_path / "none.pt", "--config", tiny_config, "-o", tmp_path / "f.h5")
    assert lost.code == 2
    assert not (tmp_path / "f.h5").exists()


def test_cache_info_and_clear(ei_brian: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EI_BRIAN_CACHE", str(tmp_path / "cache"))
    facts = json.loads(ei_brian("cache", "--json").out)
    assert facts["programs"] == 0
    assert facts["folder"].startswith(str(tmp_path))
    assert ei_brian("cache", "clear").code == 0
    assert ei_brian("cache", "clera").code == 2


def test_doctor_knows_this_machine(ei_brian: Callable) -> None:
    facts = json.loads(ei_brian("doctor", "--quick", "--json").out)
    assert facts["brian2"].startswith("2.")
    assert facts["compiler"]
    assert facts["compiler version"]
    assert "brian2cuda 1.0b1 with brian2 2.10.1" in facts["cuda versions"]
    assert facts["cuda"].startswith(("toolkit ", "not usable: "))
    assert not [name for name in facts if name.startswith("try ")]


def test_ten_cells_are_tried_in_a_process_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    works, words = try_backend("numpy")
    assert works, words
    assert words.startswith("runs: ")
    monkeypatch.setenv("CXX", "false")
    works, words = try_backend("cpp_standalone")
    assert (works, words.startswith("failed: build: the program could not be made")) == (False, True), words


@pytest.mark.slow
def test_doctor_tries_every_backend(ei_brian: Callable) -> None:
    shown = ei_brian("doctor")
    assert shown.code == 0
    for name in ("numpy", "cython", "cpp_standalone"):
        assert re.search(rf"^try {name} +runs: \d+ spikes, those of the reference", shown.out, flags=re.M), shown.out
    assert re.search(r"^try cuda_standalone +(runs: |compiled for |not tried: )", shown.out, flags=re.M), shown.out


def test_folder_that_cannot_be_made(ei_brian: Callable, tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for place in (file / "report", Path("/proc/no_report")):
        shown = ei_brian("validate", tiny_model, "-o", place, *QUICK)
        assert shown.code == 2
        assert "output folder" in shown.err
        assert len(shown.err.splitlines()) == 1


def test_interrupted_is_130(ei_brian: Callable, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ei_brian.report import facts

    def interrupted(spec: NetworkSpec) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(facts, "network_facts", interrupted)
    assert ei_brian("info", tiny_model).code == 130


def test_demo_trains_where_no_report_folder_is(
    ei_brian: Callable, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = model_check.check_model

    def short(spec: NetworkSpec, data: str | None, settings: Settings, trials: int, say: Callable) -> tuple:
        return original(spec, data, dataclasses.replace(settings, levels=(0.0, 0.2), seeds=1, draws=1, controls=False), 12, say)

    monkeypatch.setattr(shipped, "shipped_file", lambda name: tiny_config)
    monkeypatch.setattr(model_check, "check_model", short)
    shown = ei_brian("demo", "-o", tmp_path / "new" / "report", "--backend", "numpy", "--json")
    assert shown.code == 0, shown.err
    assert load_spec(tmp_path / "new" / "report" / "model.h5").name == json.loads(shown.out)["network"]
    assert (tmp_path / "new" / "report" / "report.html").is_file()


@pytest.mark.slow
def test_demo_with_the_trained_network(ei_brian: Callable, tmp_path: Path) -> None:
    """The whole test set in generated C++, biology and noise, as a user runs it."""
    shown = ei_brian("demo", "--pretrained", "-o", tmp_path / "report", "--json")
    assert shown.code == 0
    facts = json.loads(shown.out)
    assert facts["equal"] is True
    assert facts["compared_with"] == "torch"
    assert facts["trials"] == facts["equal_trials"] == 359
    assert list(facts["accuracy"]) == ["as trained", "FS/LTS interneurons", "FS/LTS, calibrated"]
    assert facts["accuracy"]["as trained"] >= 0.95
    for values in facts["noise"].values():
        assert values[0] > values[-1], "noise costs accuracy in the end"
    assert (tmp_path / "report" / "report.html").stat().st_size > 300_000
