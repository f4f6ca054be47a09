"""Do the fast tests notice a fault? ``python -m validation.mutation --faults 60 --seed 1``.

First the fast tests run once under coverage, which notes the tests that pass each line. Then each fault is planted in a copy of
the repository and the tests that pass its line are run there (for what runs at import: those that pass any line of the file, and
the published constants), nearest first, until one fails or time is out. A fault that ends in a hang counts as noticed: a test
that does not come back is one that fails. Survivors are listed whole; some change nothing that could be seen (the tolerance of an
iteration, the size of a chunk), which is for a reader to say.

Rows are kept in the output folder as they come; the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path

from validation.mutation.coverage_map import CoverageMap, measure
from validation.mutation.faults import Fault, draw

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 240.0
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", "results", "*.h5.tmp")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "validation" / "mutation" / "results")
    parser.add_argument("--coverage", type=Path, help="an earlier measurement of the same sources; made if missing")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    rows_path = options.output / f"faults_seed{options.seed}.jsonl"
    done = {json.dumps(row["fault"]): row for row in _rows(rows_path)}
    with tempfile.TemporaryDirectory() as scratch:
        passed_by = measure(ROOT, options.coverage or Path(scratch) / "coverage.db")
        copy = Path(scratch) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        for number, fault in enumerate(draw(ROOT, options.faults, options.seed), 1):
            key = json.dumps(_as_row(fault))
            if key not in done:
                done[key] = {"fault": _as_row(fault), **_try(fault, copy, passed_by)}
                with rows_path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[key]) + "\n")
            print(f"{number}/{options.faults} {done[key]['end']:10s} {fault.path}:{fault.line} {fault.kind}", flush=True)
    report = _report(list(done.values()), options.seed)
    (options.output / f"mutation_seed{options.seed}.md").write_text(report, encoding="utf-8")
    print(report)
    return 0


def _try(fault: Fault, copy: Path, passed_by: CoverageMap) -> dict[str, object]:
    """Plant a fault, run its tests, take it out again."""
    path = copy / fault.path
    original = path.read_bytes()
    path.write_bytes(fault.planted(original))
    tests = passed_by.tests_of(fault.path, fault.line)
    chosen = copy / "chosen_tests.txt"
    chosen.write_text("\n".join(["tests/published", "tests/test_import.py", *tests]), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", f"@{chosen}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        by = next((line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))), "")
        end = {0: "survived", 1: "noticed", 5: "survived"}.get(ended.returncode, "noticed")
    except subprocess.TimeoutExpired:
        end, by = "noticed", f"no end after {LONGEST_S:g} s"
    finally:
        path.write_bytes(original)
    return {"end": end, "by": by[:200], "tests": len(tests)}


def _as_row(fault: Fault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in ("path", "line", "kind", "before", "after")}


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def _report(rows: list[dict[str, object]], seed: int) -> str:
    ends = Counter(str(row["end"]) for row in rows)
    command = f"`python -m validation.mutation --faults {len(rows)} --seed {seed}`"
    lines = [
        "# Faults that the fast tests notice", "",
        f"{command}, {date.today().isoformat()}, Python {sys.version.split()[0]}.", "",
        f"{ends['noticed']} of {len(rows)} noticed ({ends['noticed'] / max(1, len(rows)):.0%}).", "",
        "| survivor | kind | before | after | tests that pass there |", "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for row in rows:
        fault = row["fault"]
        if row["end"] == "survived" and isinstance(fault, dict):
            before, after = (" ".join(str(fault[side]).split())[:80].replace("|", "\\|") for side in ("before", "after"))
            lines.append(f"| {fault['path']}:{fault['line']} | {fault['kind']} | `{before}` | `{after}` | {row['tests']} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    raise SystemExit(main())
