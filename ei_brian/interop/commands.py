"""What the command line does with networks of other frameworks."""

from __future__ import annotations

from pathlib import Path

from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import ConfigError, unknown_name

__all__ = ["SOURCES", "import_file"]

NIR_WRITERS = ("norse-1.0", "sinabs", "rockpool", "lava", "nengo", "spyx", "spyx-haiku")
SOURCES = ("snntorch", "norse", "spikingjelly", "torch", "nir", *NIR_WRITERS)


def import_file(
    path: Path, source: str, *, architecture: Path | None = None, dt_ms: float | None = None, reset: str | None = None,
    reset_delay: bool = True, method: str = "euler", name: str | None = None, readout: str | None = None,
    allow_silent: bool = False,
) -> NetworkSpec:  # fmt: skip
    """Return the network of a file.

    Parameters
    ----------
    path : Path
        A ``.nir`` file, or a state dict (``.pt``, ``.npz``).
    source : {"snntorch", "norse", "spikingjelly", "torch", "nir", "norse-1.0", "sinabs", "rockpool", "lava", "nengo"}
        Who wrote it; ``torch`` for a loop of one's own, whose cells are named after models of the catalogue; ``nir`` takes
        the constants of a NIR file for what they say.
    architecture : Path, optional
        Description of the layers (TOML), which a state dict needs.
    dt_ms, reset, reset_delay, method, readout, allow_silent
        As for `from_nir`; a state dict holds or describes reset and method itself.
    name : str, optional
        Name of the network.

    Raises
    ------
    ConfigError
        For choices that do not fit the file.
    """
    if source not in SOURCES:
        raise ConfigError(unknown_name("--from", source, SOURCES))
    if path.suffix.lower() == ".nir":
        from ei_brian.interop.nir_graph import from_nir

        if architecture is not None:
            raise ConfigError(f"--architecture: {path.name} holds its layers; leave it out.")
        writer = None if source == "nir" else source
        return from_nir(
            path, dt_ms=dt_ms, reset=reset, writer=writer, reset_delay=reset_delay, method=method, name=name or "network",
            readout=readout, allow_silent=allow_silent,
        )  # fmt: skip
    return _state_dict(path, source, architecture, dt_ms, name, readout, reset)


def _state_dict(
    path: Path, source: str, architecture: Path | None, dt_ms: float | None, name: str | None, readout: str | None,
    reset: str | None,
) -> NetworkSpec:  # fmt: skip
    from ei_brian.interop.state_dict import from_state_dict, read_architecture

    if source == "nir" or source in NIR_WRITERS:
        raise ConfigError(f"--from {source}: {path.name} does not end in .nir; name the framework of a state dict.")
    if architecture is None:
        raise ConfigError(
            f"--architecture: {path.name} holds numbers only; describe the layers in a TOML file: framework, input_shape, "
            "and for each "
            "layer [[layers]] with name, type and those arguments that the state dict does not hold."
        )
    if reset is not None:
        raise ConfigError("--reset: belongs into the description of the layers (reset_mechanism, v_reset, reset_method).")
    described = read_architecture(architecture)
    if described.setdefault("framework", source) != source:
        raise ConfigError(f"--from {source}: {architecture.name} says framework = {described['framework']!r}; they must agree.")
    described |= {key: value for key, value in (("name", name), ("readout", readout)) if value is not None}
    return from_state_dict(path, described, dt_ms=dt_ms)
