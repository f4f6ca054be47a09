"""Noise: kinds and levels, what stays in the network (dead cells, spread weights), and the numbers it is drawn from."""

from __future__ import annotations

from ei_brian.core.noise.kinds import NOISE_KINDS, NoiseKind
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.philox import normals, uniforms
from ei_brian.core.noise.release import ReleaseNoise
from ei_brian.core.noise.static import apply_static

__all__ = [
    "NOISE_KINDS", "Noise", "NoiseKind", "ReleaseNoise", "apply_static", "normals", "uniforms",
]  # fmt: skip
