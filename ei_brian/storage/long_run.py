"""Minutes and hours of one activity: streamed to a folder part by part, in bounded memory, and taken up again where it ended."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ei_brian.core.continued import Continued
from ei_brian.core.noise import Noise
from ei_brian.core.noise.draw import stream_of
from ei_brian.core.noise.philox import uniforms
from ei_brian.core.noise.seed import seed_for
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError, StorageError, unknown_name
from ei_brian.storage.atomic_file import read_bytes, write_bytes

__all__ = ["LongRecording", "PoissonInput", "load_long", "run_long"]

MOST_BYTES = 2**33
_PART = re.compile(r"(part|state)_(\d{6})\.npz")
Input = Callable[[int, int], Stimulus]


@takes_numbers()
@dataclass(frozen=True, slots=True)
class PoissonInput:
    """Input spikes at random without an end: in each step and unit with probability ``1 - exp(-rate * dt)``.

    Parameters
    ----------
    n_units : int
        Input units of the network.
    dt_ms : float
        Its time step.
    rate_hz : float
        Rate of each unit in Hz.
    seed : int
        Decides every spike; it is a number of seed, step and unit, so that parts do not matter.
    """

    n_units: int
    dt_ms: float
    rate_hz: float
    seed: int = 0

    def __call__(self, first_step: int, n_steps: int) -> Stimulus:
        """Return the input of some steps, as one trial."""
        chance = -np.expm1(-self.rate_hz * self.dt_ms * 1e-3)
        steps = (first_step + np.arange(n_steps))[None, :]
        drawn = uniforms(self.seed, stream_of("", "poisson_input"), np.zeros((1, 1), dtype=np.int64), steps, self.n_units)
        return Stimulus(Spikes.from_dense(drawn.reshape(1, n_steps, self.n_units) <= chance, self.dt_ms), name="poisson input")


@dataclass(frozen=True, slots=True, eq=False)
class LongRecording:
    """A long activity on disk; spikes are read when they are asked for.

    Parameters
    ----------
    folder : Path
        Where it is.
    facts : mapping
        What was run: hash of the network, noise, seed, input, time step in ms, length and warm-up in ms.
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Whether the whole duration has been run."""
        return self.recorded_ms >= self.facts["duration_ms"] - 1e-9

    @property
    def recorded_ms(self) -> float:
        """How much there is so far, in ms, the warm-up left out."""
        ended = len(_parts(self.folder)) * self.facts["part_ms"] - self.facts["warm_up_ms"]
        return float(min(max(0.0, ended), self.facts["duration_ms"]))

    @takes_numbers()
    def spikes(self, population: str, from_ms: float = 0.0, to_ms: float | None = None) -> Spikes:
        """Return the spikes of a population in a window, as one trial that begins at ``from_ms``; the warm-up does not count.

        Raises
        ------
        StorageError
            For an unknown population, or a window that is not there.
        """
        end = self.recorded_ms if to_ms is None else to_ms
        if not 0 <= from_ms < end <= self.recorded_ms + 1e-9:
            raise StorageError(f"{self.folder}: {from_ms:g} to {end:g} ms asked for; there are {self.recorded_ms:g} ms.")
        dt, shift = self.facts["dt_ms"], round(self.facts["warm_up_ms"] / self.facts["dt_ms"])
        first, last = round(from_ms / dt) + shift, round(end / dt) + shift
        per_part = round(self.facts["part_ms"] / dt)
        steps, units = [], []
        for number in range(first // per_part, -(-last // per_part)):
            arrays = _arrays(self.folder / f"part_{number:06d}.npz")
            if f"{population}/step" not in arrays:
                raise StorageError(unknown_name(f"{self.folder}: population", population, self.facts["sizes"]))
            step, unit = arrays[f"{population}/step"], arrays[f"{population}/unit"]
            mine = (step >= first) & (step < last)
            steps.append(step[mine] - first)
            units.append(unit[mine])
        step, unit = (np.concatenate(one).astype(np.int32) for one in (steps, units))
        return Spikes(np.zeros_like(step), step, unit, 1, last - first, self.facts["sizes"][population], dt)

    def rate_hz(self, population: str) -> float:
        """Return the mean rate of a population over all that is recorded, in Hz, part by part in bounded memory."""
        step_ms, n, events = self.facts["part_ms"], self.facts["sizes"], 0
        start = 0.0
        while start < self.recorded_ms - 1e-9:
            stop = min(start + step_ms, self.recorded_ms)
            events += self.spikes(population, start, stop).n_events
            start = stop
        return events / (n[population] * self.recorded_ms * 1e-3) if self.recorded_ms else float("nan")

    def __repr__(self) -> str:
        names = ", ".join(f"{name} ({size})" for name, size in self.facts["sizes"].items())
        state = "complete" if self.complete else f"of {self.facts['duration_ms'] * 1e-3:g} s"
        return f"LongRecording of {names}: {self.recorded_ms * 1e-3:g} s, {state}, in {self.folder.name}"


@takes_numbers()
def run_long(
    spec: NetworkSpec, given: Input | Stimulus | None, folder: str | PathLike[str], duration_ms: float, *,
    warm_up_ms: float = 0.0, noise: Noise | None = None, seed: int | None = None, part_ms: float = 5000.0, progress: bool = True,
) -> LongRecording:  # fmt: skip
    """Run one long trial and stream its spikes to a folder; a run that was stopped goes on where its last whole part ended.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    given : PoissonInput, callable, Stimulus or None
        The input: a function of (first step, number of steps) that returns a stimulus of one trial; a stimulus, after which there
        is no input; or nothing, where noise alone drives the network.
    folder : path
        Where parts are written, each whole or not at all. Calling again with the same arguments goes on; with others it is
        refused.
    duration_ms : float
        How long is recorded, beside the warm-up.
    warm_up_ms : float
        Run before, and not counted.
    noise, seed
        As of `simulate`; where noise is on, give the seed.
    part_ms : float
        Length of a part in ms: what is in memory at once, and what is lost when the run is stopped.
    progress : bool
        Show a bar of simulated seconds.

    Returns
    -------
    LongRecording

    Raises
    ------
    ConfigError
        For times that cannot be, or a folder with another run.

    Notes
    -----
    The stepper is the reference in numpy: the same spikes as any backend, and as one run in one piece.
    """
    steps = _whole(duration_ms + warm_up_ms, spec.dt_ms, "duration_ms + warm_up_ms")
    per_part = _whole(part_ms, spec.dt_ms, "part_ms")
    if noise is not None and noise.kinds and seed is None:
        raise ConfigError("run_long: noise without a seed cannot be taken up again; give seed.")
    place, total = Path(folder), -(-steps // per_part)
    facts = _facts(spec, given, noise, seed_for(noise, seed), duration_ms, warm_up_ms, part_ms)
    _claim(place, facts)
    going_on = Continued(spec, 1, noise=noise, seed=seed)
    done = _take_up(place, going_on)
    with tqdm(total=steps * spec.dt_ms * 1e-3, initial=going_on.step * spec.dt_ms * 1e-3, unit="s", disable=not progress) as bar:
        for number in range(done, total):
            length = min(per_part, steps - number * per_part)
            _write_part(place, number, going_on, _input(given, going_on.step, length, spec))
            bar.update(length * spec.dt_ms * 1e-3)
    return LongRecording(place, facts)


@takes_numbers()
def load_long(folder: str | PathLike[str]) -> LongRecording:
    """Return the long activity of a folder, as far as it was run.

    Raises
    ------
    StorageError
        If there is none.
    """
    facts = json.loads(read_bytes(Path(folder) / "run.json", MOST_BYTES))
    if not isinstance(facts, dict) or "sizes" not in facts:
        raise StorageError(f"{folder}/run.json: is not that of a long run.")
    return LongRecording(Path(folder), facts)


def _whole(time_ms: float, dt_ms: float, name: str) -> int:
    steps = round(time_ms / dt_ms)
    if not np.isfinite(time_ms) or steps < 1 or abs(steps * dt_ms - time_ms) > 1e-6 * max(time_ms, dt_ms):
        raise ConfigError(f"run_long.{name}: {time_ms!r} ms; give a positive whole number of steps of {dt_ms:g} ms.")
    return steps


def _facts(
    spec: NetworkSpec, given: Input | Stimulus | None, noise: Noise | None, seed: int | None, duration_ms: float,
    warm_up_ms: float, part_ms: float,
) -> dict[str, Any]:  # fmt: skip
    told = given.sha256 if isinstance(given, Stimulus) else repr(given) if isinstance(given, (PoissonInput, type(None))) else None
    name = told if told is not None else getattr(given, "__qualname__", type(given).__qualname__)
    return {
        "spec_sha256": spec.sha256, "dt_ms": spec.dt_ms, "input": name,
        "sizes": {p.name: p.size for p in spec.cells if p.spiking},
        "noise": None if noise is None else asdict(noise), "seed": seed, "duration_ms": duration_ms, "warm_up_ms": warm_up_ms,
        "part_ms": part_ms,
    }  # fmt: skip


def _claim(folder: Path, facts: dict[str, Any]) -> None:
    """Write what is run into the folder; refuse one that holds another run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"folder {folder}: {error.strerror}; give a folder that can be made and written.") from error
    path = folder / "run.json"
    if path.exists():
        known = json.loads(read_bytes(path, MOST_BYTES))
        other = [name for name in facts if known.get(name) != json.loads(json.dumps(facts[name]))]
        if other:
            raise ConfigError(f"folder {folder}: holds a run with another {other[0]}. Give another folder, or the same.")
        return
    write_bytes(path, json.dumps(facts, indent=1).encode())


def _take_up(folder: Path, going_on: Continued) -> int:
    """Bring a run to where its last whole part ended, and return the number of parts that are done."""
    parts, states = _parts(folder), _numbers(folder, "state")
    whole = [number for number in states if number < len(parts)]
    if not whole:
        return 0
    going_on.restore(_arrays(folder / f"state_{whole[-1]:06d}.npz"))
    return whole[-1] + 1


def _input(given: Input | Stimulus | None, first: int, n_steps: int, spec: NetworkSpec) -> Stimulus:
    if callable(given):
        return given(first, n_steps)
    none = np.zeros(0, dtype=np.int32)
    if given is None:
        return Stimulus(Spikes(none, none, none, 1, n_steps, spec.n_inputs, spec.dt_ms), name="no input")
    events = given.events
    mine = (events.step >= first) & (events.step < first + n_steps)
    shown = Spikes(events.trial[mine], events.step[mine] - first, events.unit[mine], 1, n_steps, events.n_units, events.dt_ms)
    return Stimulus(shown, name=given.name, values=None if given.values is None else given.values[mine])


def _write_part(folder: Path, number: int, going_on: Continued, shown: Stimulus) -> None:
    first = going_on.step
    found = going_on.advance(shown)
    arrays = {}
    for name, train in found.spikes.items():
        arrays[f"{name}/step"], arrays[f"{name}/unit"] = train.step.astype(np.int64) + first, train.unit
    write_bytes(folder / f"part_{number:06d}.npz", _npz(arrays))
    write_bytes(folder / f"state_{number:06d}.npz", _npz(going_on.state()))
    (folder / f"state_{number - 1:06d}.npz").unlink(missing_ok=True)


def _npz(arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    data = buffer.getvalue()
    return data + hashlib.sha256(data).digest()


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    data = read_bytes(path, MOST_BYTES)
    if hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise StorageError(f"{path}: is damaged. Remove it and all later parts and states, and call run_long again.")
    with np.load(io.BytesIO(data[:-32]), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _numbers(folder: Path, kind: str) -> list[int]:
    found = (_PART.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[2]) for match in found if match and match[1] == kind)


def _parts(folder: Path) -> list[int]:
    """Return the numbers of the parts from 0 on without a gap."""
    numbers = _numbers(folder, "part")
    return [number for place, number in enumerate(numbers) if place == number]


