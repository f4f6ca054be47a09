"""What a configuration file says about data: which set, and how it becomes spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ei_brian.config.toml_file import from_mapping
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.data.datasets import load_dataset
from ei_brian.data.encode import ENCODINGS, ChargingLatency, Current, Encoding, Latency, Poisson
from ei_brian.errors import ConfigError, DataError, unknown_name

__all__ = ["DataSettings", "data_of"]


@takes_numbers()
@dataclass(frozen=True, slots=True)
class DataSettings:
    """Data set and encoding.

    Parameters
    ----------
    name : str
        ``"digits"``, ``"fashion-mnist"``, ``"mnist"``, or the path of an npz file or a folder; see
        `ei_brian.data.datasets.load_images`.
    encoding : {"latency", "charging", "poisson", "current"}
        How grey values become events; the table of that name holds its settings.
    n_steps : int
        Time steps of a trial.
    dt_ms : float
        Time step in ms.
    seed : int
        For encoders that draw random spikes.
    n_images : int, optional
        Only the first so many training images of the set, divided anew; all if left out.
    latency, charging, poisson, current : encoder
        Their settings.
    """

    name: str = "digits"
    encoding: str = "latency"
    n_steps: int = 100
    dt_ms: float = 1.0
    seed: int = 0
    n_images: int | None = None
    latency: Latency = field(default_factory=Latency)
    charging: ChargingLatency = field(default_factory=ChargingLatency)
    poisson: Poisson = field(default_factory=Poisson)
    current: Current = field(default_factory=Current)

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ConfigError(unknown_name("data.encoding", self.encoding, ENCODINGS))
        if self.n_steps < 1:
            raise ConfigError(f"data.n_steps: {self.n_steps}; a trial has at least 1 step.")
        if self.seed < 0:
            raise ConfigError(f"data.seed: {self.seed}; give a whole number >= 0.")

    @property
    def encoder(self) -> Encoding:
        """The encoder with its settings."""
        encoder: Encoding = getattr(self, self.encoding)
        return encoder

    def load(self, *, calibration: bool = False) -> tuple[Stimulus, Stimulus]:
        """Return (training, test), or (calibration, test)."""
        return load_dataset(
            self.name, self.dt_ms, self.seed, n_steps=self.n_steps, encoding=self.encoder, calibration=calibration,
            n_images=self.n_images,
        )  # fmt: skip


def data_of(spec: NetworkSpec) -> DataSettings:
    """Return the data settings that a model was last measured with, from its provenance.

    Raises
    ------
    DataError
        If the model does not say.
    """
    for line in reversed(spec.provenance):
        configuration = line.get("configuration")
        if isinstance(configuration, Mapping) and "data" in configuration:
            return from_mapping(DataSettings, configuration["data"], f"provenance of {spec.name}: data")
    raise DataError(f"network {spec.name}: its provenance names no data set; give one with --data.")
