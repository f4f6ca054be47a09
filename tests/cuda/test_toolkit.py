"""Finding toolkit, cuRAND, Brian2CUDA and GPU: what is missing is named, with the way to get it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from ei_brian.sim.cuda import toolkit
from ei_brian.sim.cuda.flags import capability_of, gpu_flags
from tests.conftest import random_spec, random_stimulus


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    toolkit.find_toolkit.cache_clear()
    toolkit.gpus.cache_clear()
    yield
    toolkit.find_toolkit.cache_clear()
    toolkit.gpus.cache_clear()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toolkit of version 12.9 in a folder, with Brian2CUDA and Brian2 that fit, and no wheels."""
    for folder in ("bin", "include", "lib64"):
        (tmp_path / "cuda" / folder).mkdir(parents=True)
    (tmp_path / "cuda" / "include" / "cuda_runtime.h").touch()
    nvcc = tmp_path / "cuda" / "bin" / "nvcc"
    nvcc.write_text("#!/bin/sh\necho 'Cuda compilation tools, release 12.9, V12.9.1'\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "cuda"))
    monkeypatch.setattr(toolkit, "_brian2cuda", lambda: "1.0b1")
    monkeypatch.setattr(toolkit.sys, "path", [str(tmp_path / "site")])
    return tmp_path


def test_curand_of_the_toolkit_comes_first(fake: Path) -> None:
    (fake / "cuda" / "include" / "curand.h").touch()
    (fake / "cuda" / "lib64" / "libcurand.so").touch()
    found = toolkit.find_toolkit()
    assert (found.version, found.folder) == ("12.9", (fake / "cuda").resolve())
    assert found.curand_library == (fake / "cuda" / "lib64" / "libcurand.so").resolve()


@pytest.mark.parametrize(
    ("version", "wheel", "architecture"), [("12.0", "curand", "7.0"), ("12.9", "curand", "9.0"), ("13.0", "cu13", "10.0")]
)
def test_flags_of_either_toolkit(
    version: str, wheel: str, architecture: str, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C++17, which the headers of CUDA 13 need and those of 12 allow; cuRAND where the wheels of each version put it."""
    (fake / "cuda" / "bin" / "nvcc").write_text(f"#!/bin/sh\necho 'Cuda compilation tools, release {version}, V{version}.1'\n")
    for part, name in (("include", "curand.h"), ("lib", "libcurand.so.10")):
        (fake / "site" / "nvidia" / wheel / part).mkdir(parents=True)
        (fake / "site" / "nvidia" / wheel / part / name).touch()
    monkeypatch.setenv(toolkit.CAPABILITY, architecture)
    found = toolkit.find_toolkit()
    assert found.version == version
    assert found.curand_headers == fake / "site" / "nvidia" / wheel / "include"
    flags = gpu_flags()
    assert [flag for flag in flags if "std=" in flag] == ["-std=c++17"]
    assert capability_of(flags) == architecture


@pytest.mark.parametrize(("version", "elsewhere"), [("12.9", "cu13"), ("13.0", "curand")])
def test_curand_of_the_other_version(version: str, elsewhere: str, fake: Path) -> None:
    """A wheel made for CUDA 12 has no name of its version: it is taken by either; one for 13 is not taken by 12."""
    (fake / "cuda" / "bin" / "nvcc").write_text(f"#!/bin/sh\necho 'release {version}'\n")
    for part, name in (("include", "curand.h"), ("lib", "libcurand.so.10")):
        (fake / "site" / "nvidia" / elsewhere / part).mkdir(parents=True)
        (fake / "site" / "nvidia" / elsewhere / part / name).touch()
    if version == "12.9":
        with pytest.raises(BackendError, match="nvidia-curand-cu12"):
            toolkit.find_toolkit()
    else:
        assert toolkit.find_toolkit().curand_library.name == "libcurand.so.10"


@pytest.mark.parametrize("version", ["11.8", "14.0"])
def test_a_toolkit_that_was_never_tried_is_refused(version: str, fake: Path) -> None:
    (fake / "cuda" / "bin" / "nvcc").write_text(f"#!/bin/sh\necho 'release {version}'\n")
    with pytest.raises(BackendError, match=rf"version {version}.*needed is 12 or 13"):
        toolkit.find_toolkit()


def test_curand_of_a_wheel_serves_too(fake: Path) -> None:
    wheel = fake / "site" / "nvidia" / "curand"
    (wheel / "include").mkdir(parents=True)
    (wheel / "lib").mkdir()
    (wheel / "include" / "curand.h").touch()
    (wheel / "lib" / "libcurand.so.10").touch()
    assert toolkit.find_toolkit().curand_library.name == "libcurand.so.10"


def test_missing_curand_names_its_wheel(fake: Path) -> None:
    with pytest.raises(BackendError, match="pip install nvidia-curand-cu12"):
        toolkit.find_toolkit()


def test_an_unknown_version_of_the_toolkit_is_refused(fake: Path) -> None:
    (fake / "cuda" / "bin" / "nvcc").write_text("#!/bin/sh\necho 'release 10.2'\n")
    with pytest.raises(BackendError, match=r"10\.2"):
        toolkit.find_toolkit()


def test_missing_toolkit_says_where_it_was_looked_for(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_HOME")
    monkeypatch.setenv("PATH", str(fake))
    monkeypatch.setattr(toolkit, "FALLBACKS", (str(fake / "nowhere"),))
    with pytest.raises(BackendError, match="set CUDA_HOME"):
        toolkit.find_toolkit()


def test_gpus_are_read_from_the_driver(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = fake / "nvidia-smi"
    lines = "0, NVIDIA H100 80GB HBM3, 9.0, 580.65.06\n1, NVIDIA L4, 8.9, 580.65.06"
    driver.write_text(f"#!/bin/sh\necho '{lines}'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:/usr/bin:/bin")
    assert toolkit.gpus()[0] == toolkit.GPU(0, "NVIDIA H100 80GB HBM3", "9.0", "580.65.06")
    assert toolkit.capability() == "9.0"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert toolkit.capability() == "8.9"


def test_no_gpu_is_one_error_before_anything_is_built(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake))
    with pytest.raises(BackendError, match=r"GPU: none found.*cpp_standalone"):
        Backend("cuda_standalone").run(random_spec(), random_stimulus())


def test_flags_forbid_fused_and_approximate_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(toolkit.CAPABILITY, "8.6")
    flags = gpu_flags()
    assert {"-fmad=false", "-prec-div=true", "-prec-sqrt=true", "-ftz=false", "-std=c++17", "-arch=sm_86"} <= set(flags)
    assert not any("fast" in flag for flag in flags)
    assert capability_of(flags) == "8.6"
    monkeypatch.setenv(toolkit.CAPABILITY, "ninety")
    with pytest.raises(BackendError, match=r"such as 9\.0"):
        gpu_flags()


def test_summation_is_checked() -> None:
    with pytest.raises(BackendError, match="summation"):
        Backend("cuda_standalone", summation="any")
