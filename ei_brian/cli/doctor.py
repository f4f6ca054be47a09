"""``ei-brian doctor``: is this machine ready?"""

from __future__ import annotations

from typing import Annotated

import typer

from ei_brian.cli.options import AsJson
from ei_brian.cli.output import note, print_json, show

__all__ = ["command"]

PACKAGES = (
    "brian2", "numpy", "scipy", "torch", "matplotlib", "h5py", "scikit-learn", "brian2cuda", "nir", "snntorch", "norse",
    "spikingjelly", "elephant", "dask",
)  # fmt: skip


def command(
    as_json: AsJson = False,
    quick: Annotated[bool, typer.Option("--quick", help="Look only; build nothing.")] = False,
) -> None:
    """Check Python, packages, the C++ compiler, the cache folder and what a GPU needs, and try ten cells on each backend.

    Each backend builds and runs the network anew and is compared with the reference; without a GPU its program is only
    compiled. That takes about a minute, and some more with a CUDA toolkit. Exit code 1 when C++ cannot be used.
    """
    facts = _facts()
    if not as_json:
        _show(facts)
    tried = {} if quick else _tried(facts, as_json)
    if as_json:
        print_json(facts | tried)
    if facts["compiler"] is None or facts["brian2"] is None or (tried.get("try cpp_standalone") or "").startswith("failed"):
        raise typer.Exit(1)


def _show(facts: dict[str, str | None]) -> None:
    for name, value in facts.items():
        show(f"{name:<20} {'none' if value is None else value}")


def _tried(facts: dict[str, str | None], silent: bool) -> dict[str, str | None]:
    """Return what each backend made of ten cells."""
    from ei_brian.cli.ten_neurons import TRIED, try_backend

    found: dict[str, str | None] = {}
    for name in TRIED:
        missing = "see cuda, above" if name == "cuda_standalone" and not (facts["cuda"] or "").startswith("toolkit") else ""
        if not silent and not missing:
            note(f"trying ten cells on {name} …")
        words = f"not tried: {missing}" if missing else try_backend(name)[1]
        found[f"try {name}"] = words
        if not silent:
            _show({f"try {name}": words})
    return found


def _facts() -> dict[str, str | None]:
    import os
    import platform
    import shutil
    from importlib import metadata

    import ei_brian
    from ei_brian.toolchain.cache_root import cache_root
    from ei_brian.toolchain.compiler import check_compiler, compiler_command

    facts: dict[str, str | None] = {
        "ei_brian": ei_brian.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for name in PACKAGES:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            facts[name] = None
    facts["compiler"] = shutil.which(compiler_command()[0])
    facts["compiler version"] = None if facts["compiler"] is None else check_compiler()
    facts["nvcc"] = shutil.which("nvcc")
    facts["cache"] = str(cache_root())
    return facts | _gpu_facts()


def _gpu_facts() -> dict[str, str | None]:
    """Return GPU, toolkit and versions that go together; ``cuda`` holds the first thing that is missing, and how to get it."""
    from ei_brian.errors import BackendError
    from ei_brian.sim.cuda.toolkit import find_toolkit, gpus, versions_that_go_together

    found = [f"{gpu.name}, compute capability {gpu.capability}, driver {gpu.driver}" for gpu in gpus()]
    facts: dict[str, str | None] = {"gpu": "; ".join(found) or None}
    try:
        toolkit = find_toolkit()
        facts["cuda"] = f"toolkit {toolkit.version} in {toolkit.folder}, cuRAND {toolkit.curand_library}"
    except BackendError as error:
        facts["cuda"] = f"not usable: {error}"
    facts["cuda versions"] = versions_that_go_together()
    return facts
