"""Are random networks the same everywhere? ``python -m validation.fuzz --n 2000`` and ``--n 200 --backend cpp_standalone``.

Each number is one network, input and noise over all that a spec can say. The reference runs it, then each backend in both
layouts, in float64 or float32, and, where there is no noise, the written Brian2 script every tenth time. Findings are spikes or
scores that differ from the reference, and errors that are none of ours; what is refused is counted with its words, so that a
reader sees whether too much is. Rows are written as they come and the same command goes on where it stopped. ``--keep`` puts
what was run beside the networks of earlier runs in ``kept/``, which are not run again; the table says on how many states of
the sources.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
from collections import Counter
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from ei_brian.study.software import source_hash
from validation.fuzz.compare import outcomes

SCRIPT_EVERY = 10
KEPT = Path(__file__).parent / "kept"
FINDINGS = ("unequal", "raw error")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="how many networks")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--backend", action="append", choices=["numpy", "cython", "cpp_standalone"])
    parser.add_argument("--keep", action="store_true", help="add the rows to those of earlier runs, in the repository")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    backends = tuple(options.backend or ["numpy"])
    logging.getLogger("brian2").setLevel(logging.ERROR)  # objects of a network that was refused half-way are no finding
    options.output.mkdir(parents=True, exist_ok=True)
    name = "_".join(backends)
    rows_path, kept_path = options.output / f"{name}.jsonl", KEPT / f"{name}.jsonl"
    rows = {row["seed"]: row for path in (rows_path, kept_path) for row in _read(path)}
    for seed in range(options.first, options.first + options.n):
        if seed not in rows:
            script = seed % SCRIPT_EVERY == 0 and "numpy" in backends
            rows[seed] = _row(seed, [asdict(one) for one in outcomes(seed, backends, script)])
            with rows_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[seed]) + "\n")
    if options.keep:
        kept_path.parent.mkdir(exist_ok=True)
        kept_path.write_text("".join(json.dumps(rows[seed]) + "\n" for seed in sorted(rows)), encoding="utf-8")
    text = _report(list(rows.values()), backends)
    (options.output / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any(row["findings"] for row in rows.values()))


def _row(seed: int, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what became of a network, in short."""
    findings = [f"{one['where']}: {one['end']}: {one['message']}" for one in found if one["end"] in FINDINGS]
    for words in findings:
        print(f"network {seed}: {words}", flush=True)
    refused = [_words(one["message"]) for one in found if one["end"] == "refused"]
    return {
        "seed": seed, "sources": source_hash()[:12], "equal": sum(one["end"] == "equal" for one in found),
        "spikes": sum(one["n_spikes"] for one in found), "refused": refused,
        "findings": findings,
    }  # fmt: skip


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def _report(rows: list[dict[str, Any]], backends: tuple[str, ...]) -> str:
    refused = Counter(words for row in rows for words in row["refused"])
    findings = [f"{row['seed']}: {words}" for row in rows for words in row["findings"]]
    equal, spikes = sum(row["equal"] for row in rows), sum(row["spikes"] for row in rows)
    silent = sum(not row["spikes"] for row in rows if row["equal"])
    command = f"`python -m validation.fuzz --n {len(rows)} {' '.join(f'--backend {name}' for name in backends)}`"
    raw = sum(": raw error: " in words for words in findings)
    lines = [
        f"# Random networks on {', '.join(backends)}", "",
        f"{command}, until {date.today().isoformat()}, on {len({row['sources'] for row in rows})} states of the sources.", "",
        f"{len(rows)} networks ({silent} without a spike), {equal + refused.total() + len(findings)} runs beside the reference: "
        f"{equal} equal ({spikes:,} spikes compared), {refused.total()} refused by name, "
        f"**{len(findings) - raw} unequal, {raw} raw errors**.", "",
        "| refused with | runs |", "| --- | --- |",
    ]  # fmt: skip
    lines += [f"| {words.replace('|', '/')} | {n} |" for words, n in refused.most_common(20)]
    lines += ["", *(f"- {words}" for words in findings)]
    return "\n".join(lines).rstrip() + "\n"


def _words(message: str) -> str:
    """Return an error without its names and numbers."""
    return re.sub(r"'[^']*'|[\d.]+|\b[sP]\d+\b", "…", message)[:160]


if __name__ == "__main__":
    raise SystemExit(main())
