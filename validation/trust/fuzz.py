"""Promise: a file from a stranger is read or refused, and does nothing else.

``python -m validation.trust.fuzz model --count 100000`` reads that many mutants of model files in child processes (see
`sandbox`) and counts what happened. Allowed are "loaded" and "refused"; everything else is a finding and makes the exit status
1. A mutant that is found is made again by its number; ``--first`` begins at another number, with mutants not seen before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from validation.trust.model_mutants import ModelMutants
from validation.trust.results import table, write_result
from validation.trust.sandbox import Reader, Report, fuzz

FULL, QUICK, PART = 100_000, 400, 2_000


def _model() -> tuple[Reader, Callable[[int], tuple[str, bytes]]]:
    from ei_brian.storage import load_spec

    return load_spec, ModelMutants()


def _nir() -> tuple[Reader, Callable[[int], tuple[str, bytes]]]:
    from ei_brian.interop.nir_graph import from_nir
    from validation.trust.nir_mutants import NirMutants

    return lambda path: from_nir(path, dt_ms=1.0, reset="zero"), NirMutants()


def _state_dict() -> tuple[Reader, Callable[[int], tuple[str, bytes]]]:
    from ei_brian.interop.state_dict import from_state_dict
    from validation.trust.state_dict_mutants import ARCHITECTURE, StateDictMutants

    return lambda path: from_state_dict(path, ARCHITECTURE), StateDictMutants()


def _cell() -> tuple[Reader, Callable[[int], tuple[str, bytes]]]:
    from ei_brian.storage.cell_file import load_cell
    from validation.trust.cell_mutants import CellMutants

    return load_cell, CellMutants()


def _synapse() -> tuple[Reader, Callable[[int], tuple[str, bytes]]]:
    from ei_brian.core.population import Population
    from ei_brian.storage.synapse_file import load_synapse
    from validation.trust.synapse_mutants import SynapseMutants

    return lambda path: Population("cells", 1, "mixed", "adex", (("g_own", load_synapse(path)),)), SynapseMutants()


TARGETS = {"cell": _cell, "model": _model, "nir": _nir, "state_dict": _state_dict, "synapse": _synapse}


def run(target: str, first: int, count: int, minutes: float, keep: Callable[[Report], None]) -> Report:
    """Fuzz one reader until the count or the time is reached; ``keep`` is given what is known after each part."""
    reader, mutate = TARGETS[target]()
    report, end = Report(), time.monotonic() + 60 * minutes
    for start in range(first, first + count, PART):
        if time.monotonic() > end:
            break
        report.add(fuzz(reader, mutate, min(PART, first + count - start), start))
        keep(report)
    return report


def describe(report: Report, wanted: int) -> str:
    """Return the result as Markdown."""
    kinds = sorted({kind for kind, _ in report.outcomes})
    names = ["loaded", "refused", *sorted({name for _, name in report.outcomes} - {"loaded", "refused"})]
    rows = [[kind, *(report.outcomes[kind, name] for name in names)] for kind in kinds]
    rows.append(["all", *(report.count(name) for name in names)])
    watched = "seccomp filter and audit hook" if report.guarded else "audit hook only (the kernel took no seccomp filter)"
    short = "" if report.n >= wanted else f" of {wanted} asked for (the time was up)"
    lines = [
        f"{report.n} mutants{short} in {report.seconds:.0f} s; opens watched by {watched}.",
        f"Slowest file {report.slowest_s:.2f} s of the processor (limit 5 s); largest growth of memory "
        f"{report.largest_growth / 2**20:.1f} MiB (limit 2 × file + 256 MiB).",
        f"Findings: {len(report.findings)} (crashes, other exceptions, other files opened, slow files, memory).",
        "",
        table(["kind of mutant", *names], rows),
        "",
        *(f"- {finding}" for finding in report.findings[:100]),
    ]
    return "\n".join(lines)


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} mutants, no file written")
    parser.add_argument("--count", type=int, default=FULL, help=f"number of mutants (default {FULL})")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant (default 0)")
    parser.add_argument("--minutes", type=float, default=1e6, help="stop after this time")
    options = parser.parse_args()
    count = QUICK if options.quick else options.count

    name = f"fuzz_{options.target}" + (f"_from_{options.first}" if options.first else "")

    def keep(report: Report) -> None:
        if report.n < count and not options.quick:
            write_result(name, f"Mutants of {options.target} files", describe(report, count), options.quick)

    report = run(options.target, options.first, count, options.minutes, keep)
    write_result(name, f"Mutants of {options.target} files", describe(report, count), options.quick)
    return 1 if report.findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
