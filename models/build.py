"""Makes what is missing in this folder: a model for every configuration and recipe, a card for every model, and README.md.

    python models/build.py            # what is missing
    python models/build.py NAME …     # these anew

A configuration is NAME.toml, a recipe NAME.py with a function ``make``; recipes start from models that configurations made.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from ei_brian.config.trained import train_from
from ei_brian.config.training_run import read_training_run
from ei_brian.core.spec import NetworkSpec
from ei_brian.report.card import model_card
from ei_brian.report.facts import figures_of
from ei_brian.report.words import percent
from ei_brian.storage import load_spec, save_spec
from ei_brian.storage.atomic_file import write_bytes

HERE = Path(__file__).resolve().parent
HELPERS = ("build", "recipe")
HEAD = """# Trained networks

Each file holds names and numbers only (HDF5, no code, no equations); `ei-brian info models/NAME.h5` shows what is in it, and
`ei-brian validate models/NAME.h5` runs it through Brian2. Each has a card (`.md`) with data, configuration, accuracy, rates and
hash. This table and the cards are made by `python models/build.py`.

| model | cells (E / I) | test accuracy | hidden rate | made by |
| --- | --- | ---: | ---: | --- |
"""


def command_of(path: Path) -> str:
    """Return the shell line that makes a model."""
    if path.with_suffix(".toml").is_file():
        return f"ei-brian train models/{path.stem}.toml -o models/{path.name}"
    return f"python models/{path.stem}.py"


def row(path: Path, spec: NetworkSpec) -> str:
    """Return the line of the table for a model."""
    sizes = {role: sum(p.size for p in spec.cells if p.role == role) for role in ("exc", "inh", "mixed")}
    cells = f"{sizes['mixed']} of both signs" if sizes["mixed"] else f"{sizes['exc']} / {sizes['inh']}"
    figures = figures_of(spec)
    accuracy = percent(figures["test_accuracy"]) if "test_accuracy" in figures else ""
    rate = f"{figures['hidden_rate_hz']:.1f} Hz" if "hidden_rate_hz" in figures else ""
    return f"| [{path.stem}]({path.stem}.md) | {cells} | {accuracy} | {rate} | `{command_of(path)}` |"


def make(names: list[str]) -> None:
    """Make the models that are missing or named, configurations first."""
    for source in (*sorted(HERE.glob("*.toml")), *(path for path in sorted(HERE.glob("*.py")) if path.stem not in HELPERS)):
        path = source.with_suffix(".h5")
        if path.is_file() and source.stem not in names:
            continue
        if source.suffix == ".toml":
            save_spec(train_from(read_training_run(source)).spec, path)
        else:
            runpy.run_path(str(source), run_name="__main__")


def main(names: list[str]) -> None:
    """Make models, write cards and the table."""
    make(names)
    rows = []
    for path in sorted(HERE.glob("*.h5")):
        spec = load_spec(path)
        seeds = HERE / f"{path.stem}.seeds.md"
        card = model_card(spec, command_of(path), seeds.read_text() if seeds.is_file() else "")
        write_bytes(path.with_suffix(".md"), card.encode())
        rows.append(row(path, spec))
    write_bytes(HERE / "README.md", (HEAD + "\n".join(rows) + "\n").encode())


if __name__ == "__main__":
    main(sys.argv[1:])
