"""Arguments and options that several verbs share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = ["AsJson", "BackendName", "DataName", "Formats", "ModelFile", "Output", "Precision", "Seed", "Threads", "Trials"]

ModelFile: TypeAlias = Annotated[Path, typer.Argument(help="Model file (.h5), as `ei-brian train` and `spec.save` write it.")]
Output: TypeAlias = Annotated[Path, typer.Option("--output", "-o", help="Where to write.")]
DataName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Data set (digits, or an .npz file of images or of trials); if not given, that of the training; imports have none.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]
BackendName: TypeAlias = Annotated[
    str, typer.Option("--backend", help="cpp_standalone (generated C++), cython, numpy, reference or cuda_standalone.")
]
Formats: TypeAlias = Annotated[
    str, typer.Option("--format", help="Figures beside PNG, comma-separated: svg, pdf. Their numbers are always written as CSV.")
]
Precision: TypeAlias = Annotated[str, typer.Option("--dtype", help="float64 (exact) or float32 (faster).")]
Threads: TypeAlias = Annotated[int, typer.Option(min=1, help="Processor cores; the results do not depend on it.")]
Trials: TypeAlias = Annotated[int, typer.Option(min=0, help="Test trials; 0 for the whole test set.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Seed of everything random; a whole number >= 0.", min=0)]
