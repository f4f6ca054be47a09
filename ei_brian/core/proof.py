"""What is known of a network that was read from elsewhere: which spikes were compared with those of its own framework."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Proof"]


@dataclass(frozen=True, slots=True)
class Proof:
    """A comparison of every spike, in float64, of a network with what it was made from.

    Parameters
    ----------
    against : str
        What gave the other spikes: ``"snntorch 1.0 module"``, or the name of a file of spikes.
    sha256 : str
        Hash of the network that was compared.
    trials, steps : int
        Of the input of the comparison.
    layers : sequence of str
        Names of the populations that were compared.
    spikes : sequence of int
        How many spikes each of them fired; all were equal.
    silent : sequence of str
        Layers that can spike and never did: nothing is known of them.
    outputs : int
        Values that the module returned and that were compared.
    largest_difference : float
        Of the values returned and of membranes that never spike.
    unequal : int
        Spikes that differ when an exponential in a cell is torch's own, whose last digit is another one. With one exponential
        for both, all are equal (and so they are here where there is none).
    not_compared : sequence of str
        What the module returned that the network does not have, in words.
    quiet : int
        Neurons that never spiked, in layers that did: of the synapses that leave them nothing is known.
    """

    against: str
    sha256: str
    trials: int
    steps: int
    layers: tuple[str, ...]
    spikes: tuple[int, ...]
    silent: tuple[str, ...] = ()
    outputs: int = 0
    largest_difference: float = 0.0
    unequal: int = 0
    not_compared: tuple[str, ...] = ()
    quiet: int = 0

    @property
    def n_spikes(self) -> int:
        """Spikes that were compared, all layers."""
        return sum(self.spikes)

    def of(self, sha256: str) -> Proof:
        """Return the same comparison under the hash of the network that it is a proof of."""
        return replace(self, sha256=sha256)

    def __str__(self) -> str:
        equal = "all equal"
        if self.unequal:
            equal = f"all equal with one exponential function, {self.unequal} not with torch's, whose last digit is another"
        parts = [
            f"{self.n_spikes} spikes of {len(self.layers)} layer{'s' if len(self.layers) != 1 else ''} {equal}",
            f"{self.trials} trials of {self.steps} steps, against {self.against}",
        ]
        if self.outputs:
            within = f" within {self.largest_difference:.0e}" if self.largest_difference else ""
            parts.append(f"{self.outputs} values of the output equal{within}")
        if self.silent:
            parts.append(f"never spiked, so not shown: {', '.join(self.silent)}")
        if self.quiet:
            several = "s that never spiked, whose synapses are" if self.quiet > 1 else " that never spiked, whose synapses are"
            parts.append(f"{self.quiet} neuron{several} not shown")
        if self.not_compared:
            parts.append(f"not compared: {', '.join(self.not_compared)}")
        return "; ".join(parts)
