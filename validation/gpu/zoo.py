"""Claim: every model in `models/`, on the first images of its own test set, gives every spike of the reference on a GPU.

    python -m validation.gpu.zoo [TRIALS]

Needs torch beside Brian2CUDA. Exit code 1: something differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ei_brian.config.data_settings import data_of
from ei_brian.errors import DataError
from ei_brian.storage import load_spec
from validation.gpu.equality import Case, compare

__all__: list[str] = []

MODELS = Path(__file__).resolve().parents[2] / "models"


def main(n_trials: int) -> int:
    """Compare model after model, print a line for each, and return the exit code."""
    worst = 0
    for path in sorted(MODELS.glob("*.h5")):
        spec = load_spec(path)
        try:
            shown = data_of(spec).load()[1].select(0, n_trials)
        except DataError as error:
            print(f"{path.stem}: not run, {error}")
            continue
        row = compare(Case(path.stem, lambda spec=spec: spec, lambda shown=shown: shown))
        worst = max(worst, int(not row.equal))
        print(f"{path.stem}: {row.n_spikes} spikes, {row.differing} differ, {'equal' if row.equal else 'DIFFERS'}", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 16))
