"""What a training configuration file says: data, network and training."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING

from ei_brian.config.data_settings import DataSettings
from ei_brian.config.toml_file import read_toml
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import check_name
from ei_brian.errors import ConfigError
from ei_brian.learn.training_config import TrainingConfig

if TYPE_CHECKING:
    from ei_brian.learn.network import EINetwork

__all__ = ["DataSettings", "NetworkSettings", "TrainingRun", "read_training_run"]


@takes_numbers()
@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Sizes, time constants and rules of the network; see `ei_brian.learn.network.EINetwork`."""

    n_exc: int | tuple[int, ...] = 160
    n_inh: int | tuple[int, ...] = 40
    recurrent: bool = True
    dale: bool = True
    excitatory_input: bool = False
    tau_mem_exc_ms: float = 20.0
    tau_mem_inh_ms: float = 10.0
    tau_mem_out_ms: float = 20.0
    tau_syn_exc_ms: float = 5.0
    tau_syn_inh_ms: float = 5.0
    tau_syn_out_ms: float = 5.0
    readout: str = "max v"
    surrogate: str = "fast_sigmoid"
    surrogate_slope: float = 10.0
    cell: str = "lif_exponential"

    @takes_numbers()
    def build(self, n_in: int, n_out: int, dt_ms: float, seed: int) -> EINetwork:
        """Return the network with its initial weights."""
        from ei_brian.learn.network import EINetwork
        from ei_brian.learn.surrogate import surrogate

        return EINetwork(
            n_in, self.n_exc, self.n_inh, n_out, dt_ms, seed, recurrent=self.recurrent, dale=self.dale,
            excitatory_input=self.excitatory_input, tau_mem_exc_ms=self.tau_mem_exc_ms, tau_mem_inh_ms=self.tau_mem_inh_ms,
            tau_mem_out_ms=self.tau_mem_out_ms, tau_syn_exc_ms=self.tau_syn_exc_ms, tau_syn_inh_ms=self.tau_syn_inh_ms,
            tau_syn_out_ms=self.tau_syn_out_ms, readout=self.readout,
            surrogate=surrogate(self.surrogate, self.surrogate_slope), cell=self.cell,
        )  # fmt: skip


@takes_numbers()
@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A whole training: name of the model, seed, data, network, training.

    Raises
    ------
    ConfigError
        For names and values that cannot be used.
    """

    name: str
    seed: int = 0
    data: DataSettings = field(default_factory=DataSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        check_name(self.name, "configuration")
        if self.seed < 0:
            raise ConfigError(f"seed: {self.seed}; give a whole number >= 0.")


def read_training_run(path: str | PathLike[str]) -> TrainingRun:
    """Return the training that a TOML file describes; see `read_toml` for the errors."""
    return read_toml(path, TrainingRun)
