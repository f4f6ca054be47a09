"""Do the fast tests notice a fault? ``python -m validation.mutation --named`` and ``--faults 60 --seed 1``.

First the fast tests run once, to see which blocks of the source each of them reaches (`reached`; kept in the output folder, a
quarter of an hour on two cores). Then each fault is planted in a copy of the repository, and the tests that reach it (see
`chosen_tests`) are run there, quick ones first, until one fails or 30 s of processor time are out, twice. A fault whose time is
out counts as a survivor, although tests that were not run might notice it: the share is a lower bound. A fault by which a test
does not end counts as noticed. In the end every test that noticed a fault must pass without any.

Random faults are drawn from all places of the source where one can be planted (a seed says which). ``--named`` are the faults of
`named_faults`, kinds that once survived. Survivors are listed whole; some change nothing that could be seen (the tolerance of an
iteration, the size of a chunk), which is for a reader to say. Rows are kept as they come; the same command goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from validation.mutation.chosen_tests import Tests
from validation.mutation.faults import Fault, draw
from validation.mutation.named_faults import named
from validation.mutation.reached import Reached
from validation.mutation.trial import UNLOADED, load_libraries, run_tests

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", "results", "measured", "*.h5.tmp")
NOTICED = ("failed", "hangs")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--named", action="store_true", help="the named faults instead of random ones")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many, with what there is")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "validation" / "mutation" / "results")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    name = "named" if options.named else f"seed{options.seed}"
    rows_path = options.output / f"{name}.jsonl"
    rows = {json.dumps(row["fault"]): row for row in _rows(rows_path)}
    faults = named(ROOT) if options.named else draw(ROOT, options.faults, options.seed)
    end = time.monotonic() + 60 * options.minutes
    load_libraries()
    with tempfile.TemporaryDirectory() as scratch:
        copy = _copied(Path(scratch))
        tests = Tests(copy, _reached(options.output / "reached"))
        for number, fault in enumerate(faults, 1):
            key = json.dumps(_as_row(fault))
            if key not in rows and time.monotonic() < end:
                rows[key] = {"fault": _as_row(fault), **_try(fault, copy, tests)}
                with rows_path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[key]) + "\n")
                print(f"{number}/{len(faults)} {rows[key]['end']:11s} {fault.path}:{fault.line} {fault.kind}", flush=True)
        tried = [rows[json.dumps(_as_row(fault))] for fault in faults if json.dumps(_as_row(fault)) in rows]
        broken = _broken(copy, {row["by"] for row in tried if row["end"] in NOTICED})
    report = _report(tried, name, broken)
    (options.output / f"{name}.md").write_text(report, encoding="utf-8")
    print(report)
    return int(bool(broken))


def _reached(folder: Path) -> Reached:
    """Return which blocks each fast test reaches, from a run of all of them that is made where there is none."""
    if not (folder / "done").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        plugin = ["-p", "validation.mutation.reached", "--reached", str(folder), "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", "-q", *plugin, "-n", "auto", "--dist", "worksteal", "-m", "not slow"]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}, check=False)
        (folder / "done").touch()
    return Reached(folder)


def _copied(scratch: Path) -> Path:
    """Return a copy of the repository, compiled: a fork then compiles no file but the one with the fault."""
    copy = scratch / "copy"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    compileall.compile_dir(copy / "ei_brian", quiet=2)
    sys.dont_write_bytecode = True
    os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    return copy


def _try(fault: Fault, copy: Path, tests: Tests) -> dict[str, object]:
    """Plant a fault, run its tests, take it out again."""
    path = copy / fault.path
    original, stat = path.read_bytes(), path.stat()
    chosen = tests.chosen(fault.path, fault.line)
    path.write_bytes(fault.planted(original))
    end, by = "passed", ""
    try:
        for part in chosen:  # to load all files takes longer than most tests
            if part and end == "passed":
                end, by = run_tests(copy, part)
    finally:
        path.write_bytes(original)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    if by == UNLOADED and run_tests(copy, part)[1] == UNLOADED:
        raise SystemExit(f"tests chosen for {fault.path}:{fault.line} cannot be loaded without a fault either: {part[:3]}")
    return {"end": end, "by": by[:200], "tests": sum(map(len, chosen))}


def _broken(copy: Path, noticing: Iterable[str]) -> list[str]:
    """Return the tests that fail without any fault, of those that noticed one."""
    broken = []
    for test in sorted(filter(lambda name: "::" in name, noticing)):
        if run_tests(copy, [test], 120.0)[0] != "passed":
            broken.append(test)
    return broken


def _as_row(fault: Fault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in ("path", "line", "kind", "before", "after")}


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def _report(rows: list[dict[str, Any]], name: str, broken: list[str]) -> str:
    counted = [row for row in rows if row["by"] not in broken]
    n, noticed = len(counted), sum(row["end"] in NOTICED for row in counted)
    low, high = _interval(noticed, n)
    chosen = "--named" if name == "named" else f"--faults {n} --seed {name.removeprefix('seed')}"
    ends = Counter(str(row["end"]) for row in counted)
    lines = [
        f"# Faults that the fast tests notice ({name})", "",
        f"`python -m validation.mutation {chosen}`, {date.today().isoformat()}, Python {sys.version.split()[0]}.", "",
        f"**{noticed} of {n} noticed ({noticed / max(1, n):.0%}; 95 % interval {low:.0%} to {high:.0%})**: by a test that failed "
        f"{ends['failed']}, by one that did not end {ends['hangs']}. Survivors: {ends['passed']} passed all tests nearby, for "
        f"{ends['time is out']} the time was out.", "",
        "| survivor | kind | before | after | end | tests nearby |", "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for row in counted:
        fault = row["fault"]
        if row["end"] not in NOTICED:
            before, after = (" ".join(str(fault[side]).split())[:80].replace("|", "\\|") for side in ("before", "after"))
            place = f"{fault['path']}:{fault['line']}"
            lines.append(f"| {place} | {fault['kind']} | `{before}` | `{after}` | {row['end']} | {row['tests']} |")
    lines += ["", *(f"Fails without a fault, its faults are not counted: `{test}`" for test in broken)]
    return "\n".join(lines).rstrip() + "\n"


def _interval(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Clopper and Pearson."""
    from scipy.stats import beta

    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    return float(low), float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0


if __name__ == "__main__":
    raise SystemExit(main())
