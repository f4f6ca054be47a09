"""Promise: a compiled program runs on exactly the numbers that it was given, or there is one clear error.

``python -m validation.trust.overrides`` takes every array that a run hands to a compiled program (weights, delays, parameters,
initial values, input, noise, seed) and hands it over wrong: too short, too long, of another type, with NaN, with infinity, under
an unknown name, not at all. Then it damages the finished file: cut, a bit flipped, exchanged for that of another run. Each must
end in a `BackendError`. Right ones must be read back: each in the echo of the program, and a changed value changes the echo.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ei_brian.core.noise import Noise
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from ei_brian.sim.standalone import compiled_run
from ei_brian.sim.standalone.data_file import HEADER, SECTION, checksum
from validation.trust.cases import RELEASE, izhikevich, lif, stimulus
from validation.trust.results import table, write_result

Arrays = dict[str, np.ndarray]
ENGINE = "ei_brian.sim.standalone.compiled_run"


def _poisoned(value: float) -> Callable[[Arrays, str], bool]:
    def change(arrays: Arrays, name: str) -> bool:
        if arrays[name].dtype.kind != "f" or not arrays[name].size:
            return False
        arrays[name] = arrays[name].copy()
        arrays[name].flat[-1] = value
        return True

    return change


def _shorter(arrays: Arrays, name: str) -> bool:
    if not arrays[name].size:
        return False
    arrays[name] = arrays[name][:-1]
    return True


def _longer(arrays: Arrays, name: str) -> bool:
    arrays[name] = np.append(arrays[name], arrays[name].dtype.type(0))
    return True


def _other_type(arrays: Arrays, name: str) -> bool:
    other = {"<f8": "<f4", "<f4": "<f8", "<i4": "<i8", "<i8": "<i4"}[arrays[name].dtype.str]
    arrays[name] = arrays[name].astype(other)
    return True


def _big_endian(arrays: Arrays, name: str) -> bool:
    arrays[name] = arrays[name].astype(arrays[name].dtype.newbyteorder(">"))
    return True


def _renamed(arrays: Arrays, name: str) -> bool:
    arrays[f"{name}x"] = arrays.pop(name)
    return True


def _missing(arrays: Arrays, name: str) -> bool:
    del arrays[name]
    return True


def _added(arrays: Arrays, name: str) -> bool:
    arrays[f"{name}x"] = arrays[name]
    return True


FAULTS: dict[str, Callable[[Arrays, str], bool]] = {
    "one value fewer": _shorter, "one value more": _longer, "another type": _other_type, "big-endian": _big_endian,
    "NaN": _poisoned(np.nan), "infinity": _poisoned(np.inf), "unknown name": _renamed, "missing": _missing, "unasked": _added,
}  # fmt: skip


def check_network(spec: NetworkSpec, noise: Noise | None, dtype: str, counts: Counter[tuple[str, str]]) -> list[str]:
    """Try all faults on all arrays of a network; return those that were accepted."""
    presented, backend = stimulus(spec, 10, 20), Backend("cpp_standalone", dtype=dtype)
    real, names = compiled_run.numbers_of, []

    def remember(*arguments: Any) -> Arrays:
        arrays = real(*arguments)
        names.extend(arrays)
        return arrays

    with patch(f"{ENGINE}.numbers_of", remember):
        backend.run(spec, presented, noise=noise, seed=1)
    accepted = []
    for fault, change in FAULTS.items():
        for name in names:
            if not name.startswith("trace."):
                outcome = _try(backend, spec, noise, lambda arrays, name=name, change=change: change(arrays, name))  # type: ignore[misc]
                counts[fault, outcome] += 1
                if outcome == "accepted":
                    accepted.append(f"{spec.name} {dtype}: {fault}: {name}")
    return accepted + _damaged_files(backend, spec, noise, counts) + _read_back(backend, spec, noise, counts)


def _try(backend: Backend, spec: NetworkSpec, noise: Noise | None, change: Callable[[Arrays], bool]) -> str:
    real, changed = compiled_run.numbers_of, [True]

    def wrong(*arguments: Any) -> Arrays:
        arrays = real(*arguments)
        changed[0] = change(arrays)
        return arrays

    with patch(f"{ENGINE}.numbers_of", wrong):
        try:
            backend.run(spec, stimulus(spec, 10, 20), noise=noise, seed=1)
        except BackendError:
            return "refused"
    return "accepted" if changed[0] else "not applicable"


def _damaged_files(backend: Backend, spec: NetworkSpec, noise: Noise | None, counts: Counter[tuple[str, str]]) -> list[str]:
    """Damage the file between its writing and the start of the program."""
    real, accepted, kept = compiled_run.write_data, [], [b""]

    def keep(path: Path, arrays: Arrays) -> dict[str, int]:
        name = next(name for name, array in arrays.items() if array.dtype.kind == "f")
        checks = real(path, {**arrays, name: arrays[name] * arrays[name].dtype.type(2)})
        kept[0] = path.read_bytes()
        return checks

    with patch(f"{ENGINE}.write_data", keep):
        backend.run(spec, stimulus(spec, 10, 20), noise=noise, seed=1)
    other = kept[0]  # the file of a run that differs in one value; whole in itself
    rng = np.random.default_rng(0)
    damages: list[tuple[str, Callable[[bytes], bytes]]] = [("file of another run", lambda data: other)]
    damages += [("file cut", lambda data, k=k: data[: len(data) * k // 20]) for k in range(20)]  # type: ignore[misc]
    damages += [("bit flipped", lambda data, place=place: _flipped(data, place)) for place in rng.random(60)]  # type: ignore[misc]
    for name, damage in damages:
        harmless = [False]

        def write(path: Path, arrays: Arrays, damage: Callable[[bytes], bytes] = damage, harmless: list[bool] = harmless) -> Any:
            checks = real(path, arrays)
            before = path.read_bytes()
            path.write_bytes(damage(before))
            harmless[0] = _in_padding(before, path.read_bytes())
            return checks

        outcome = "refused"
        with patch(f"{ENGINE}.write_data", write):
            try:
                backend.run(spec, stimulus(spec, 10, 20), noise=noise, seed=1)
                outcome = "not applicable" if harmless[0] else "accepted"
            except BackendError:
                pass
        counts[name, outcome] += 1
        if outcome == "accepted":
            accepted.append(f"{spec.name}: {name}")
    return accepted


def _flipped(data: bytes, where: float) -> bytes:
    changed = bytearray(data)
    changed[int(where * len(data))] ^= 1 << int(where * 1e6) % 8
    return bytes(changed)


def _in_padding(before: bytes, after: bytes) -> bool:
    """Tell whether two files differ in no byte that means anything: filling between sections."""
    if len(before) != len(after):
        return False
    count = int.from_bytes(before[8:16], "little")
    means = bytearray(len(before))
    start = HEADER.size + SECTION.size * count
    means[:start] = b"\1" * start
    for _, _, offset, size, _, _ in SECTION.iter_unpack(before[HEADER.size : start]):
        means[offset : offset + size] = b"\1" * size
    return not any(m and a != b for m, a, b in zip(means, before, after, strict=True))


def _read_back(backend: Backend, spec: NetworkSpec, noise: Noise | None, counts: Counter[tuple[str, str]]) -> list[str]:
    """Compare what the program echoes with the arrays that it was given, value by value where one is changed."""
    real_write, real_launch, seen = compiled_run.write_data, compiled_run.launch, {}

    def write(path: Path, arrays: Arrays) -> dict[str, int]:
        seen["arrays"] = {name: array.copy() for name, array in arrays.items()}
        return real_write(path, arrays)

    def launch(program: Path, data: Path, parts: Any, *rest: Any) -> Any:
        returned = real_launch(program, data, parts, *rest)
        lines = (parts[0].folder / "echo").read_text().splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines]
        seen["echo"] = {name: int(value) for name, value in pairs if value.isdecimal()}
        return returned

    with patch(f"{ENGINE}.write_data", write), patch(f"{ENGINE}.launch", launch):
        backend.run(spec, stimulus(spec, 10, 20), noise=noise, seed=1)
    wrong = []
    for name, array in seen["arrays"].items():
        good = seen["echo"].get(name) == checksum(array)
        for index in range(0, array.size, max(1, array.size // 50)):
            changed = array.copy()
            now = changed.flat[index]
            changed.flat[index] = np.nextafter(now, np.inf) if array.dtype.kind == "f" else now + 1
            good = good and checksum(changed) != seen["echo"].get(name)
        counts["right values", "read back" if good else "not read back"] += 1
        if not good:
            wrong.append(f"{spec.name}: {name} not read back")
    return wrong


def run(quick: bool) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Check all networks; return counts and findings."""
    cases: list[tuple[NetworkSpec, Noise | None, str]] = [(lif(), None, "float64")]
    if not quick:
        cases += [(lif(), RELEASE, "float32"), (izhikevich(), RELEASE, "float64"), (izhikevich(), None, "float32")]
    counts: Counter[tuple[str, str]] = Counter()
    findings = [finding for spec, noise, dtype in cases for finding in check_network(spec, noise, dtype, counts)]
    return counts, findings


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one network, no file written")
    quick = parser.parse_args().quick
    counts, findings = run(quick)
    names = ("refused", "accepted", "not applicable", "read back", "not read back")
    rows = [[fault, *(counts[fault, name] for name in names)] for fault in dict.fromkeys(fault for fault, _ in counts)]
    body = f"Findings: {len(findings)}\n\n{table(('what', *names), rows)}\n\n" + "\n".join(f"- {text}" for text in findings)
    write_result("overrides", "Numbers handed to compiled programs", body, quick)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
