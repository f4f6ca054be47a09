"""Are random networks the same everywhere? ``python -m validation.fuzz --n 2000`` and ``--n 200 --backend cpp_standalone``.

Each number is one network, input and noise over all that a spec can say. The reference runs it, then each backend in both
layouts, in float64 or float32, and, where there is no noise, the written Brian2 script every tenth time. Findings are spikes or
scores that differ from the reference, and errors that are none of ours; what is refused is counted with its words, so that a
reader sees whether too much is. Rows are kept as they come and the same command goes on where it stopped.
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

from validation.fuzz.compare import outcomes

SCRIPT_EVERY = 10
FINDINGS = ("unequal", "raw error")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="how many networks")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--backend", action="append", choices=["numpy", "cython", "cpp_standalone"])
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    backends = tuple(options.backend or ["numpy"])
    logging.getLogger("brian2").setLevel(logging.ERROR)  # objects of a network that was refused half-way are no finding
    options.output.mkdir(parents=True, exist_ok=True)
    name = "_".join(backends)
    rows_path = options.output / f"{name}.jsonl"
    rows = {row["seed"]: row for row in _read(rows_path)}
    for seed in range(options.first, options.first + options.n):
        if seed not in rows:
            script = seed % SCRIPT_EVERY == 0 and "numpy" in backends
            rows[seed] = {"seed": seed, "outcomes": [asdict(one) for one in outcomes(seed, backends, script)]}
            with rows_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[seed]) + "\n")
            for one in rows[seed]["outcomes"]:
                if one["end"] in FINDINGS:
                    print(f"network {seed}: {one['where']}: {one['end']}: {one['message']}", flush=True)
    text = _report(list(rows.values()), backends)
    (options.output / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any(one["end"] in FINDINGS for row in rows.values() for one in row["outcomes"]))


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def _report(rows: list[dict[str, Any]], backends: tuple[str, ...]) -> str:
    found = [one | {"seed": row["seed"]} for row in rows for one in row["outcomes"]]
    ends = Counter(one["end"] for one in found)
    refused = Counter(_words(one["message"]) for one in found if one["end"] == "refused")
    spikes = sum(one["n_spikes"] for one in found)
    command = f"`python -m validation.fuzz --n {len(rows)} {' '.join(f'--backend {name}' for name in backends)}`"
    lines = [
        f"# Random networks on {', '.join(backends)}", "", f"{command}, {date.today().isoformat()}.", "",
        f"{len(rows)} networks, {len(found)} runs beside the reference: {ends['equal']} equal ({spikes:,} spikes compared), "
        f"{ends['refused']} refused by name, **{ends['unequal']} unequal, {ends['raw error']} raw errors**.", "",
        "| refused with | runs |", "| --- | --- |",
    ]  # fmt: skip
    lines += [f"| {words.replace('|', '/')} | {n} |" for words, n in refused.most_common(20)]
    findings = [one for one in found if one["end"] in FINDINGS]
    lines += ["", *(f"- {one['seed']}: {one['where']}: {one['end']}: {one['message']}" for one in findings)]
    return "\n".join(lines).rstrip() + "\n"


def _words(message: str) -> str:
    """Return an error without its names and numbers."""
    return re.sub(r"'[^']*'|[\d.]+|\b[sP]\d+\b", "…", message)[:160]


if __name__ == "__main__":
    raise SystemExit(main())
