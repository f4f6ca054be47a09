"""``ei-brian doctor``: is this machine ready?"""

from __future__ import annotations

from ei_brian.cli.options import AsJson
from ei_brian.cli.output import print_json

__all__ = ["command"]

PACKAGES = (
    "brian2", "numpy", "scipy", "torch", "matplotlib", "h5py", "scikit-learn", "brian2cuda", "nir", "snntorch", "norse",
    "spikingjelly", "elephant", "dask",
)  # fmt: skip


def command(as_json: AsJson = False) -> None:
    """Check Python, packages, the C++ compiler, the cache folder and what a GPU needs. Exit code 1 when C++ cannot be used."""
    import typer

    facts = _facts()
    if as_json:
        print_json(facts)
    else:
        for name, value in facts.items():
            print(f"{name:<16} {value}")
    if facts["compiler"] is None or facts["brian2"] is None:
        raise typer.Exit(1)


def _facts() -> dict[str, str | None]:
    import os
    import platform
    import shutil
    from importlib import metadata

    import ei_brian
    from ei_brian.sim.cache_root import cache_root

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
    facts["compiler"] = shutil.which(os.environ.get("CXX", "g++"))
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
