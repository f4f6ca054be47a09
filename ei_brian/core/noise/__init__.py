"""Noise: what is injected, and the counter-based numbers that it is drawn from."""

from ei_brian.core.noise.noise import Noise

__all__ = ["Noise"]
