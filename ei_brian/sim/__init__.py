"""Simulation with Brian2. Whatever of it is imported first loads Brian2 itself, leaving the hooks of the host as they are."""

from ei_brian.sim.brian2_import import load_brian2

load_brian2()
