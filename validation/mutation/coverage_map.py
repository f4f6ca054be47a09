"""Which fast tests pass each line of the package, by coverage's contexts."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CoverageMap", "measure"]

MOST_TESTS = 150


@dataclass(frozen=True, slots=True)
class CoverageMap:
    """Tests by file and line.

    Parameters
    ----------
    lines : mapping of path to mapping of line to tests
        Node ids of the tests that pass each line.
    """

    lines: dict[str, dict[int, tuple[str, ...]]]

    def tests_of(self, path: str, line: int) -> tuple[str, ...]:
        """Return the tests that pass a line; where it runs at import only, those that pass any line of the file.

        Tests that pass fewer lines of the file come later: the nearest are those that are about it.
        """
        of_file = self.lines.get(path, {})
        found = of_file.get(line, ()) or tuple({test for tests in of_file.values() for test in tests})
        weight = {test: sum(test in tests for tests in of_file.values()) for test in found}
        return tuple(sorted(found, key=lambda test: (-weight[test], test))[:MOST_TESTS])


def measure(root: Path, database: Path) -> CoverageMap:
    """Run the fast tests once under coverage, unless the database is there, and return what it says."""
    if not database.is_file():
        settings = database.with_suffix(".ini")
        settings.write_text(f"[run]\nsource = ei_brian\ndata_file = {database}\n", encoding="utf-8")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-q", "-m", "not slow"]
        command += ["-p", "no:cacheprovider", "-p", "validation.mutation.contexts"]
        ended = subprocess.run(command, cwd=root, env=environment, check=False)
        if ended.returncode:
            raise SystemExit("the fast tests do not pass without a fault: nothing can be said about faults")
    return _read(root, database)


def _read(root: Path, database: Path) -> CoverageMap:
    import coverage

    data = coverage.CoverageData(str(database))
    data.read()
    found: dict[str, dict[int, tuple[str, ...]]] = {}
    for file in data.measured_files():
        by_line = data.contexts_by_lineno(file)
        found[str(Path(file).relative_to(root))] = {
            line: tuple(context for context in contexts if context) for line, contexts in by_line.items()
        }
    return CoverageMap(found)
