"""Neuron models made from the equations of a Brian2 user."""

from ei_brian.sim.brian2_import import load_brian2

load_brian2()
