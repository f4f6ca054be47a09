"""What a sweep configuration file says: networks, what is done to them, data, noise, seeds, simulator."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any

from ei_brian.config.data_settings import DataSettings
from ei_brian.config.toml_file import read_toml
from ei_brian.config.transform_step import ON_CALIBRATION_SET, presented, read_step, transformed
from ei_brian.core.noise import Noise
from ei_brian.core.plain_numbers import declared_unit, plain_number, takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, unknown_name
from ei_brian.measure.output import potential_readout
from ei_brian.storage import load_spec, save_recording, save_spec
from ei_brian.study.condition import Condition, canonical
from ei_brian.study.outcome import Work
from ei_brian.study.plan import NoiseLevels, Plan, Variant
from ei_brian.study.simulation import Simulation
from ei_brian.study.software import this_software
from ei_brian.toolchain.compiler import check_compiler

__all__ = ["BackendSettings", "NoiseSettings", "SweepRun", "VariantSettings", "read_sweep_run", "simulation_work"]

PARTS = ("train", "test", "calibration")


@dataclass(frozen=True, slots=True)
class VariantSettings:
    """A line of the figures.

    Parameters
    ----------
    name : str
        As it shall stand in tables and legends.
    models : tuple of str
        Model files, relative to the configuration file; several are replicates, trained from different seeds.
    transform : tuple of mapping
        What is done to each, in order: tables with ``name`` (of `TRANSFORMS`) and the arguments of that function. ``calibrate``
        and ``to_conductances`` get the calibration part of the data set.
    """

    name: str
    models: tuple[str, ...]
    transform: tuple[dict[str, Any], ...] = ()


@takes_numbers(levels=None)
@dataclass(frozen=True, slots=True)
class NoiseSettings:
    """A kind of noise, its levels, and other fields of `Noise` that stay; see `NoiseLevels`."""

    kind: str
    levels: tuple[float, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        levels = plain_number(self.levels, declared_unit(self.kind), f"noise {self.kind}.levels")
        object.__setattr__(self, "levels", tuple(levels))


@takes_numbers()
@dataclass(frozen=True, slots=True)
class BackendSettings:
    """The simulator; see `Backend`."""

    name: str = "cpp_standalone"
    dtype: str = "float64"
    layout: str = "auto"
    threads: int = 1

    def versions(self) -> dict[str, str]:
        """Return what besides network, stimulus, noise and seed may change a number; layout and threads do not."""
        return {**this_software(), "backend": self.name, "dtype": self.dtype}


@takes_numbers()
@dataclass(frozen=True, slots=True)
class SweepRun:
    """A whole sweep.

    Parameters
    ----------
    variant : tuple of VariantSettings
        Tables ``[[variant]]``.
    noise : tuple of NoiseSettings
        Tables ``[[noise]]``.
    seeds : int or tuple of int
        Seeds of the noise; a number n stands for 0 to n - 1.
    data : DataSettings
        Table ``[data]``.
    part : {"test", "train", "calibration"}
        Which part of the data set is presented.
    n_trials : int
        First trials of it; 0 takes all.
    backend : BackendSettings
        Table ``[backend]``.
    keep_recordings : bool
        Keep the spikes of every condition as ``recordings/….h5``.

    Raises
    ------
    ConfigError
        For values that cannot be used.
    """

    variant: tuple[VariantSettings, ...]
    noise: tuple[NoiseSettings, ...] = ()
    seeds: int | tuple[int, ...] = 8
    data: DataSettings = field(default_factory=DataSettings)
    part: str = "test"
    n_trials: int = 0
    backend: BackendSettings = field(default_factory=BackendSettings)
    keep_recordings: bool = False

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise ConfigError(unknown_name("part", self.part, PARTS))
        if self.n_trials < 0 or (isinstance(self.seeds, int) and self.seeds < 1):
            raise ConfigError(f"n_trials = {self.n_trials}, seeds = {self.seeds}; give at least 0 trials and 1 seed.")
        for noise in self.noise:
            _check_noise(noise)
        for step in (step for variant in self.variant for step in variant.transform):
            read_step(step)

    def stimulus(self) -> Stimulus:
        """Return what is presented."""
        first, test = self.data.load(calibration=self.part == "calibration")
        chosen = test if self.part == "test" else first
        return chosen.select(0, min(self.n_trials or chosen.n_trials, chosen.n_trials))

    def plan(self, base: Path, made: Path) -> Plan:
        """Return the plan, with every network loaded and transformed.

        Parameters
        ----------
        base : Path
            Folder that the paths of models are relative to.
        made : Path
            Folder that transformed networks are kept in, so that a second start finds them.
        """
        return Plan(
            variants=tuple(
                Variant(v.name, tuple(self._network(base / model, v.transform, made) for model in v.models)) for v in self.variant
            ),
            noises=tuple(NoiseLevels(n.kind, n.levels, n.settings) for n in self.noise),
            seeds=tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds,
            stimulus=self.stimulus(),
            versions=self.backend.versions(),
        )

    def _sets_hash(self, steps: tuple[dict[str, Any], ...]) -> list[str]:
        """Return the hashes of the trials that the steps use: a file may hold others under the same name."""
        if not any(step.get("name") in ON_CALIBRATION_SET for step in steps):
            return []
        return [part.sha256 for part in self.data.load(calibration=True)]

    def _network(self, model: Path, steps: tuple[dict[str, Any], ...], made: Path) -> NetworkSpec:
        spec = load_spec(model)
        if not steps:
            return spec
        told = {
            "spec": spec.lineage_sha256, "name": spec.name, "steps": list(steps), "data": asdict(self.data),
            "sets": self._sets_hash(steps), "versions": self.backend.versions(),
        }  # fmt: skip
        path = made / f"{hashlib.sha256(canonical(told).encode()).hexdigest()}.h5"
        if path.exists():
            return load_spec(path)
        spec = transformed(spec, steps, self.data)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_spec(spec, path)
        return spec


def _check_noise(noise: NoiseSettings) -> None:
    """Refuse names and levels that `Noise` does not know, before anything runs."""
    known = [field.name for field in fields(Noise)]
    for name in (noise.kind, *noise.settings):
        if name not in known:
            raise ConfigError(unknown_name("noise", name, known))
    levels = NoiseLevels(noise.kind, noise.levels, noise.settings)
    for level in levels.levels:
        Noise(**levels.fields(level))


def read_sweep_run(path: str | PathLike[str]) -> SweepRun:
    """Return the sweep that a TOML file describes; see `read_toml` for the errors."""
    return read_toml(path, SweepRun)


def simulation_work(plan: Plan, backend: BackendSettings, keep_recordings: bool = False) -> Work:
    """Return the work of a sweep; called in each worker.

    Raises
    ------
    BackendError
        If this machine cannot do it: no compiler, say.
    """
    from ei_brian.sim.backend import Backend

    if backend.name == "cpp_standalone":
        check_compiler()
    simulator = Backend(backend.name, dtype=backend.dtype, layout=backend.layout, threads=backend.threads)

    def run(spec: NetworkSpec, stimulus: Stimulus, noise: Noise | None, seed: int | None) -> Recording:
        outputs = () if stimulus.targets is None else range(stimulus.targets.values.shape[2])
        traces = potential_readout(spec, outputs).traces(spec) if outputs else ()
        return simulator.run(spec, presented(spec, stimulus), noise=noise, seed=seed, traces=traces)

    return Simulation(plan, run, keep=_recording_file if keep_recordings else None)


def _recording_file(condition: Condition, recording: Recording) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.h5"
        save_recording(recording, path)
        return {f"recordings/{condition.key}.h5": path.read_bytes()}
