"""How often the demo's verdict is the same in words when it is run with other seeds.

    python -m validation.noise.verdict_words            # 20 runs of `ei-brian demo --pretrained`, seeds 0 to 19
    python -m validation.noise.verdict_words --table    # only the count, of what was run

A run with another seed shares no cell types and no noise with the others. The words of a verdict are its text without its
numbers. Each run is added to ``measured/verdict_words.jsonl`` with everything that its judgements were made from; a second call
goes on from there. The table is ``verdict_words.md``. Beside the runs it counts the words of demos that are put together at
random from the draws of all runs. Exit code 1 where fewer than 19 of 20 agree.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import stats

from ei_brian.config.shipped import shipped_file
from ei_brian.report.controls import SILENCED, Control
from ei_brian.report.model_check import data_settings, torch_spikes
from ei_brian.report.settings import Settings
from ei_brian.report.validation import Validation, validate
from ei_brian.report.verdict import verdict, words_of
from ei_brian.storage import load_spec
from ei_brian.study.statistics import Interval, mean_interval
from validation.noise.robustness_table import HERE, MEASURED

RUNS, LEAST, RESAMPLED = 20, 0.95, 1000
MIX = {"FS": 0.6, "LTS": 0.4}
KEPT = MEASURED / "verdict_words.jsonl"


def run(seed: int) -> dict[str, Any]:
    """Return the verdict of the demo with a seed, and what it was made from."""
    settings = Settings("cpp_standalone", 1, MIX, seed=seed)
    spec = load_spec(shipped_file("digits_ei80.h5"))
    calibration_set, test_set = data_settings(spec, None).load(calibration=True)
    found = validate(spec, test_set, calibration_set, settings, torch_spikes(spec, test_set), lambda _: None)
    return {"seed": seed, "date": date.today().isoformat(), "verdict": verdict(found)[1], **_facts(found)}


def _facts(found: Validation) -> dict[str, Any]:
    return {
        "draws": found.settings.draws, "seeds": found.settings.seeds, "levels": list(found.settings.levels),
        "accuracy_of_draws": {rung.name: rung.accuracies.tolist() for rung in found.rungs},
        "accuracy": {name: np.asarray(accuracy).tolist() for name, accuracy in found.accuracy.items()},
        "controls": [
            {"name": each.name, "network": each.network, "unit": each.unit, "change": asdict(each.change)}
            for each in found.controls
        ],
    }  # fmt: skip


def own_words(row: dict[str, Any]) -> str:
    """Return the verdict of a run, by the words of this version, from the numbers that were kept of it."""
    controls = [_control(one, Interval(**one["change"])) for one in row["controls"]]
    return _told([row], [(0, draw) for draw in range(row["draws"])], controls)


def put_together(rows: Sequence[dict[str, Any]], rng: np.random.Generator) -> str:
    """Return the verdict of a demo of draws taken at random from all runs; what a control costs in a draw is drawn as normal."""
    n, controls = rows[0]["draws"], []
    for k, one in enumerate(rows[0]["controls"]):
        change = Interval(**one["change"])
        if one["unit"] == "draws":
            pooled = [row["controls"][k]["change"] for row in rows]
            reach = stats.t.ppf(0.975, n - 1) / np.sqrt(n)
            sd = np.sqrt(np.mean([((each["high"] - each["low"]) / 2 / reach) ** 2 for each in pooled]))
            change = mean_interval(np.mean([each["mean"] for each in pooled]) + sd * rng.standard_normal(n))
        controls.append(_control(one, change))
    return _told(rows, [(int(rng.integers(len(rows))), int(rng.integers(n))) for _ in range(n)], controls)


def _control(one: dict[str, Any], change: Interval) -> Control:
    of_type = one["name"].endswith(" silenced") and one["name"] != SILENCED
    return Control(one["name"], one["network"], change, one["unit"], 0.0, of_type)


def _told(rows: Sequence[dict[str, Any]], which: Sequence[tuple[int, int]], controls: Sequence[Control]) -> str:
    """Return the verdict on draws (run, draw)."""
    first = rows[0]
    base, *_, last = first["accuracy_of_draws"]
    after = np.array([rows[row]["accuracy_of_draws"][last][draw] for row, draw in which])
    spec, before = SimpleNamespace(name="digits_ei80"), np.array(first["accuracy_of_draws"][base])
    made = SimpleNamespace(
        exact=SimpleNamespace(equal=True, oracle="torch", n_spikes=0, n_trials=0), controls=tuple(controls),
        settings=Settings("numpy", 1, MIX, draws=len(which), seeds=first["seeds"], levels=tuple(first["levels"])),
        trained=SimpleNamespace(name=base, spec=spec, accuracy=float(before.mean()), accuracies=before),
        last=SimpleNamespace(name=last, spec=spec, accuracy=float(after.mean()), accuracies=after),
        accuracy={name: np.array([rows[row]["accuracy"][name][draw] for row, draw in which]) for name in first["accuracy"]},
    )  # fmt: skip
    return verdict(made)[1]  # type: ignore[arg-type]


def table(rows: Sequence[dict[str, Any]]) -> tuple[str, float]:
    """Return the count of words in Markdown, and the share of the most frequent ones."""
    words = Counter(words_of(own_words(row)) for row in rows)
    draws, seeds = rows[0]["draws"], rows[0]["seeds"]
    lines = [
        "# The demo's verdict with other seeds", "",
        f"`python -m validation.noise.verdict_words`: {len(rows)} runs of the demo on `models/digits_ei80.h5`, {draws} draws of "
        f"cell types and {seeds} noise seeds each, measured up to {max(row['date'] for row in rows)}. Numbers are left "
        "out (…); the words are those of this version, from the numbers kept of each run.", "",
    ]  # fmt: skip
    for text, count in words.most_common():
        seeds_of = ", ".join(str(row["seed"]) for row in rows if words_of(own_words(row)) == text)
        lines += [f"**{count} of {len(rows)}** (seeds {seeds_of}):", "", f"> {text}", ""]
    rng = np.random.default_rng(0)
    again = Counter(words_of(put_together(rows, rng)) for _ in range(RESAMPLED))
    same = again[words.most_common(1)[0][0]]
    lines += [
        f"Of {RESAMPLED:,} demos put together at random from these {len(rows) * draws} draws, {same:,} say the most frequent "
        "words.", "",
    ]
    example = own_words(rows[0]).partition("). ")[2]
    lines += ["An example with its numbers, without its first sentence, on the equality of spikes:", "", f"> {example}"]
    return "\n".join(lines) + "\n", words.most_common(1)[0][1] / len(rows)


def main() -> int:
    """Run what was not run yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    rows = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    known = {row["seed"] for row in rows}
    for seed in () if given.table else range(given.runs):
        if seed not in known:
            rows.append(run(seed))
            KEPT.parent.mkdir(exist_ok=True)
            with KEPT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(seed, rows[-1]["verdict"], flush=True)
    text, share = table(rows)
    (HERE / "verdict_words.md").write_text(text, encoding="utf-8")
    print(f"{share:.0%} of {len(rows)} runs say the same")
    return int(share < LEAST)


if __name__ == "__main__":
    raise SystemExit(main())
